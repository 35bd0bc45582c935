"""What wrong training labels cost scRegNet and two rows that know labels only (paper: Figure 3).

Run:     GRNJAX_DATA=... python -m experiments.scregnet.label_noise
Cost:    about 25 min on two cores, 1.2 GB memory
Expect:  AUROC/AP at 0 and 5 %, mDC, ten draws: additive .813/.181, .742/.146; ID-only ensemble
         .825/.213, .775/.162; ours .821/.201, .765/.148; published form .775/.139, .728/.121.
         hESC, two draws on a trial run: additive .885/.620, .872/.592; ours .890/.627, .874/.599
"""

import dataclasses
from typing import Annotated

from experiments.shared.record import ResultsFile
from experiments.shared.studies import (
    Splits,
    StudyConfig,
    begin,
    load_set,
    measure,
    run_program,
    two_forms,
)
from grnjax.baselines.controls import identity_ensemble, scores_at
from grnjax.baselines.factors import FactorRidge, fit_factor_model
from grnjax.config import Range, Seeds
from grnjax.data.label_matrix import label_matrix
from grnjax.evaluation.noise import flip_labels
from grnjax.progress import logger
from grnjax.training.recorder import derive_seed
from grnjax.types import Split


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(StudyConfig):
    """The study; only the first seed is used, since each draw has its own seed of the model."""

    draws: Seeds = tuple(range(10))
    levels: tuple[Annotated[float, Range(0, 1)], ...] = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05)
    """Shares of the labels that are flipped."""


def main() -> None:
    """Measures what has not been measured yet."""
    config, results = begin(Config, "scregnet_label_noise")
    for name in config.sets:
        loaded = load_set(name, config.data)
        clean = loaded.draw_splits("standard", config.draws)
        if loaded.published is not None:
            clean = [dataclasses.replace(loaded.published, draw=draw) for draw in config.draws]
        noisy = {level: [flip(split, level) for split in clean] for level in config.levels}
        every = [split for splits in noisy.values() for split in splits]
        ground = Splits(loaded.dataset, every, loaded.embedding)
        models = two_forms(name)
        for level, splits in noisy.items():
            for split, judged in zip(splits, clean, strict=True):
                said = f"{judged.kind}, {100 * level:g} % flipped"
                where = {"set": name, "split": said, "level": level}
                measure_labels_only(results, where, ground, split, judged)
                seeds = config.seeds[:1]
                measure(results, where, ground, split, models, seeds, judged=judged)
            logger.info("%s, %g %% flipped: done", name, 100 * level)


def flip(split: Split, level: float) -> Split:
    """The split with a share of its train and of its validation labels flipped."""
    parts = {
        part: flip_labels(getattr(split, part), level, seed=derive_seed(place, split.draw))
        for place, part in enumerate(("train", "validation"))
    }
    return dataclasses.replace(split, **parts)


def measure_labels_only(
    results: ResultsFile, where: dict, ground: Splits, split: Split, judged: Split
) -> None:
    """Appends the rows that see nothing but the flipped labels, unless they were measured."""
    if results.has(method="additive logistic", draw=split.draw, **where):
        return
    matrix = label_matrix(split.train, ground.tfs, len(ground.dataset.genes.names))
    blocks = {
        "additive logistic": fit_factor_model(matrix, rank=0, ridge=FactorRidge()),
        "ID-only ensemble": identity_ensemble(matrix, split.validation),
    }
    scores = {name: scores_at(block, split.test, ground.tfs) for name, block in blocks.items()}
    results.add([ground.judge(name, judged, 0, x) for name, x in scores.items()], **where)


if __name__ == "__main__":
    run_program(main)
