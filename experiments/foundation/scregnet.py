"""Frozen vectors of each foundation model in scRegNet, hESC TFs+500 (paper: Tables 2 and 3).

Run:     GRNJAX_DATA=... python -m experiments.foundation.scregnet FOLDER
Cost:    about 20 min on two loaded cores, 3 GB memory
Expect:  AUROC, AP and swap on the published pairs and on unseen targets: the tables of README.md

The real Geneformer table of the data folder, and, from end to end, a checkpoint of each of the four
models that is written in the published layout, converted, and embeds the expression of the set
(`--method.embedding FOLDER --method.embed.expression log`). These checkpoints are small and of
random weights: they show that the way works, and what any vectors of that kind are worth; nothing
of the published weights, which were not to be had. Controls: no vectors, normal numbers of the same
width, and rows permuted over the genes that have one. FOLDER keeps the checkpoints.
"""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from tyro.conf import Positional

from experiments.foundation.random_weights import (
    Files,
    geneformer_files,
    scbert_files,
    scfoundation_files,
    scgpt_files,
)
from experiments.shared.record import ResultsFile
from experiments.shared.studies import (
    HESC,
    PUBLISHED_FORM,
    SCREGNET,
    Splits,
    StudyConfig,
    Variant,
    begin,
    load_set,
    measure,
    measure_trivial,
    run_program,
    two_forms,
)
from grnjax.config import Seeds
from grnjax.foundation.convert import convert
from grnjax.foundation.encoder_config import SetEncoderConfig
from grnjax.foundation.performer import PerformerConfig
from grnjax.foundation.scbert import ScBertConfig
from grnjax.foundation.scfoundation import ScFoundationConfig
from grnjax.foundation.transformer import TransformerConfig
from grnjax.methods.method import Problem
from grnjax.methods.scregnet import ScRegNetMethod
from grnjax.types import Dataset

STUDY = "foundation_scregnet"
TABLE, NONE = "Geneformer, real table", "no vectors"
CONTROLS = {"": None, ", random numbers": "embedding-random", ", permuted": "embedding-permuted"}
SMALL = PerformerConfig(width=32, layers=1, heads=1, features=64, feed_forward=64)
SCFOUNDATION = ScFoundationConfig(
    encoder=TransformerConfig(layers=2, width=64, heads=2, feed_forward=128, norm_epsilon=1e-5),
    decoder=dataclasses.replace(SMALL, bias=True),
)
MODELS: dict[str, Callable[[], Files]] = {
    "Geneformer": lambda: geneformer_files(2, 64, 2, 128, 2048, release=1),
    "scBERT": lambda: scbert_files(ScBertConfig(performer=SMALL)),
    "scFoundation": lambda: scfoundation_files(SCFOUNDATION),
    "scGPT": lambda: scgpt_files(2, 64, 2, 64),
}
WORDS = SetEncoderConfig(expression="log")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(StudyConfig):
    """The study."""

    folder: Positional[Path]
    """Keeps the converted checkpoints and the vectors."""
    sets: tuple[str, ...] = (HESC,)
    draws: Seeds = (0, 1, 2, 3)
    seeds: Seeds = (0, 1)


def main() -> None:
    """Measures what has not been measured yet."""
    config, results = begin(Config, STUDY)
    for name in config.sets:
        loaded, forms = load_set(name, config.data), two_forms(name)
        standard = loaded.standard_splits(config.draws)
        unseen = loaded.draw_splits("target-disjoint", config.draws)
        for source, vectors in list_sources(loaded.dataset, loaded.embedding, config.folder):
            for splits in standard, unseen:
                ground = Splits(loaded.dataset, splits, vectors)
                about = describe(vectors, len(loaded.dataset.genes.names))
                variants = list_variants(forms, source, published=splits is standard)
                for split in splits:
                    where = {"set": name, "split": split.kind, **about}
                    if source == NONE:
                        measure_trivial(results, where, ground, split)
                    measure(results, where, ground, split, variants, config.seeds_for(splits))
        tell_coverage(results)


def list_sources(
    dataset: Dataset, table: np.ndarray | None, folder: Path
) -> Iterator[tuple[str, np.ndarray | None]]:
    """Vectors of the genes by where they are from; None for no vectors."""
    yield NONE, None
    if table is not None:
        yield TABLE, table
    for model, make in MODELS.items():
        files, out = make(), folder / "converted" / model
        if not (folder / "published" / model).exists():
            files.write(folder / "published" / model)
        given = {role: folder / "published" / model / x for role, x in files.given.items()}
        convert(files.model, folder / "published" / model, out, files=given)
        method = ScRegNetMethod(embedding=str(out), embed=WORDS)
        tfs = dataset.genes.tfs
        problem = Problem(dataset=dataset, parts=(), tfs=tfs, trainable=tfs)
        yield f"{model}, random weights", method.prepare(problem).embedding


def describe(vectors: np.ndarray | None, genes: int) -> dict:
    """How many genes have a vector, and its width."""
    if vectors is None:
        return {"found": 0, "genes": genes, "width": 0}
    return {"found": int(vectors.any(axis=1).sum()), "genes": genes, "width": vectors.shape[1]}


def list_variants(forms: dict, source: str, *, published: bool) -> dict[str, Variant]:
    """Our form with and without controls; the published form, on published pairs, without."""
    method = forms[SCREGNET]
    controls = CONTROLS if source != NONE else {"": None}
    variants = {
        f"{SCREGNET}, {source}{words}": Variant(method=method, control=control)
        for words, control in controls.items()
    }
    if published:
        variants[f"{PUBLISHED_FORM}, {source}"] = Variant(method=forms[PUBLISHED_FORM])
    return variants


def tell_coverage(results: ResultsFile) -> None:
    """Prints how many genes each source has vectors of."""
    for row in results.rows:
        if row["seed"] == row["draw"] == 0 and row["method"].startswith(f"{SCREGNET}, "):
            print(f"{row['method']}, {row['split']}: {row['found']:,} of {row['genes']:,} genes")


if __name__ == "__main__":
    run_program(main)
