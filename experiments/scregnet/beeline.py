"""scRegNet and the trivial rows on BEELINE networks (paper: Tables 2 and 3).

Run:     python -m experiments.scregnet.beeline
         python -m experiments.scregnet.beeline --sets '*/mDC/TFs+500' --data.split draw
         python -m experiments.scregnet.beeline --sets Specific/MyCells/TFs+500 --data.root FOLDER
Cost:    the first about 40 min on two cores, 1.6 GB memory; the second 30 min; the published
         schedule 6 min (hESC) to half an hour (hHEP) a set
Expect:  AUROC/AP of hESC, hHEP, mESC and mHSC-E on the published pairs, TFs+500: additive
         .885/.620, .901/.840, .924/.858, .922/.941; published form .875/.605, .895/.821, .923/.853,
         .919/.937; ours .886/.629, .906/.850, .944/.894, .925/.944
"""

import dataclasses
import re
from pathlib import Path

from experiments.scregnet.published_settings import encode_once, published_config
from experiments.shared.record import ResultsFile
from experiments.shared.studies import (
    SCREGNET,
    Splits,
    begin,
    measure,
    measure_trivial,
    run_program,
)
from grnjax import config as settings
from grnjax.cli.train import with_option
from grnjax.config import Seeds, Settings
from grnjax.data.benchmark import BenchmarkSet
from grnjax.data.expression import DataConfig
from grnjax.data.sets import find_sets
from grnjax.methods.scregnet import ScRegNetMethod
from grnjax.progress import logger
from grnjax.tasks.link_prediction import run_study
from grnjax.tasks.loading import load_embedding, load_folder, load_splits
from grnjax.tasks.split_fits import LinkPredictionConfig, SplitConfig, draw_splits

BALANCED_NETWORKS = ("nonspecific", "string", "lofgof")
ALL_SEEN = "training.unseen-share=0"
TOPOLOGY = "model.topology=true"
UNLABELLED = "inputs.unlabelled-weight=0.05"
OPTIONS = (f"{ALL_SEEN},model.identity-rank=16",)
BALANCED_OPTIONS = (f"{ALL_SEEN},{TOPOLOGY}", f"{ALL_SEEN},{TOPOLOGY},{UNLABELLED}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class BeelineStudy(Settings):
    """scRegNet and the trivial rows on the sets that fit the patterns."""

    sets: tuple[str, ...] = ("Specific/*/*",)
    """Names or patterns of sets, NETWORK/CELL/SIZE."""
    data: DataConfig = DataConfig(split="scRegNet")
    split: SplitConfig = SplitConfig(draws=(0, 1, 2, 3, 4))
    seeds: Seeds = (0, 1, 2, 3, 4)
    """Seeds of our form; its variant and the published form take the first."""
    reference_schedule: bool = False
    """Fit the published form as published, one pass over the graph a batch, and nothing else."""


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(BeelineStudy, "scregnet_beeline")
    for found in (x for pattern in study.sets for x in find_sets(study.data.root, pattern)):
        source = study.data.split
        sources = {"draw", *found.splits, *(name.split("/")[0] for name in found.splits)}
        if source in sources or Path(source).is_dir():
            measure_found(found, study, results)
        else:
            logger.info("%s: left out, %s has no split of it", found.name, source)


def measure_found(found: BenchmarkSet, study: BeelineStudy, results: ResultsFile) -> None:
    """The rows of one set that are not there yet."""
    dataset, beeline = load_folder(found.labels, study.data)
    splits, source = load_splits(beeline, dataset, study.split.protocol), study.data.split
    if splits is None:
        by_rule = study.split.kind == "standard" and is_balanced(found)
        kind = "balanced" if by_rule else study.split.kind
        splits = draw_splits(dataset, dataclasses.replace(study.split, kind=kind))
        source = splits[0].kind
        logger.info("%s: %s pairs are drawn", found.name, source)
    elif splits[0].kind != "published":
        source = f"{source}, as published"
    if study.data.embedding is not None:
        source = f"{source}, {Path(study.data.embedding).stem}"
    where = {"set": found.name, "split": source}
    last = {"draw": splits[-1].draw, **where}  # what is written at the end of a method
    ground = Splits(dataset, splits, load_embedding(study.data, dataset))
    ours, published, first = ScRegNetMethod(), published_config(found.name), study.seeds[:1]
    variants = {"published form": encode_once(published)}
    if not is_balanced(found):
        variants["no gene vectors"] = settings.replace(ours, {"model.identity_rank": 0})
    if study.reference_schedule:
        variants = {"published form and schedule": published}
    elif not results.has(method=SCREGNET, seed=study.seeds[-1], **last):
        tried = BALANCED_OPTIONS if is_balanced(found) else OPTIONS
        options = {option: with_option(ours, option) for option in tried}
        config = LinkPredictionConfig(method=ours, seeds=study.seeds)
        made = run_study(dataset, splits, config, embedding=ground.embedding, options=options)
        for row in made.rows:
            is_ours = row["method"].startswith(SCREGNET)
            results.add([row | ({"chosen": made.chosen[row["draw"]]} if is_ours else {})], **where)
    for split in splits:
        if not study.reference_schedule:
            measure_trivial(results, where, ground, split)
        named = {f"{SCREGNET}, {name}": variant for name, variant in variants.items()}
        measure(results, where, ground, split, named, first)


def is_balanced(found: BenchmarkSet) -> bool:
    """Whether GENELink's rule balances the train pairs of this kind of network."""
    return re.sub(r"\W", "", found.network).lower() in BALANCED_NETWORKS


if __name__ == "__main__":
    run_program(main)
