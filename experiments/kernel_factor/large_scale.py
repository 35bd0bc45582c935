"""The form for many pairs against the exact one, on sets that are small enough for both.

Run:     python -m experiments.kernel_factor.large_scale
         python -m experiments.kernel_factor.large_scale --sets Specific/mDC/TFs+500 --networks 0
Cost:    a minute or two of CPU a set and form
Expect:  paired rows, one a fold, and the table "less work" of this folder's page

Both forms score the same candidates on the same folds, from expression and known edges alone. For
`blocks` the pairs of a block are a sixth of those of the set, as at 5,000 genes x 300 TFs, kernels
are random features and snapshots are compared on a part of the validation pairs. `leading
coordinates` keeps as small a part of them as a set of 1,880 genes does. `exact, other seed` is what
another draw of starts and hidden identities changes: differences below it mean nothing.
"""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from experiments.shared.studies import MDC, begin, run_program
from grnjax.config import AtLeastTwo, Count, Positive, Settings
from grnjax.data.candidates import list_candidates
from grnjax.data.expression import DataConfig
from grnjax.data.simulator import EmbeddedConfig, SimulatorConfig
from grnjax.evaluation.member_logits import LogitMoments, mean_logit
from grnjax.evidence.gather import gather_evidence
from grnjax.methods.kernel_factor.method import KernelFactorMethod
from grnjax.methods.method import Problem
from grnjax.progress import logger
from grnjax.tasks.cross_fitting import assign_folds, cross_fit
from grnjax.tasks.judging import judge_folds
from grnjax.tasks.loading import load_embedded, load_folder
from grnjax.tasks.network_inference import InferenceConfig
from grnjax.training.factor_blocks import BlockConfig
from grnjax.training.recorder import derive_seed
from grnjax.types import Dataset, Fold, LabelledPairs

STUDY = "kernel_factor_large_scale"
EXACT, BLOCKS, OTHER = "exact", "blocks", "exact, other seed"
LEADING = "leading coordinates"
FIGURES = ("auroc", "average_precision", "within_tf_auroc", "swap_micro")
BLOCKS_AN_EPOCH = 6
KEPT = 0.27  # coordinates a gene, as 512 of 1,880 genes


@dataclasses.dataclass(frozen=True, kw_only=True)
class LargeScaleStudy(Settings):
    """What is compared on what."""

    sets: tuple[str, ...] = (MDC,)
    """Sets of the benchmark root."""
    networks: Count = 3
    """Simulated networks."""
    genes: Positive = 600
    tfs: Positive = 60
    cells: Positive = 600
    repeats: Positive = 1
    folds: AtLeastTwo = 3


def main() -> None:
    """Measures what has not been measured yet, and prints the differences."""
    study, results = begin(LargeScaleStudy, STUDY)
    for name, dataset in load_all(study):
        pairs = len(dataset.genes.tfs) * len(dataset.genes.names)
        blocks = BlockConfig(above=1, pairs=-(-pairs // BLOCKS_AN_EPOCH))
        exact = KernelFactorMethod()
        forms = {EXACT: (exact, 0), OTHER: (exact, 1)}
        forms[BLOCKS] = dataclasses.replace(exact, blocks=blocks), 0
        few = math.ceil(KEPT * len(dataset.genes.names))
        forms[LEADING] = dataclasses.replace(exact, all_coordinates=1, coordinates=few), 0
        for form, (method, seed) in forms.items():
            where = {"set": name, "split": "cross-fitted", "method": form}
            if not results.has(**where):
                results.add(measure(dataset, study, method, seed), **where)
                logger.info("%s, %s: done", name, form)


def load_all(study: LargeScaleStudy) -> Iterator[tuple[str, Dataset]]:
    """The simulated networks, and the sets."""
    sizes = {"genes": study.genes, "tfs": study.tfs, "cells": study.cells}
    simulator = SimulatorConfig(**sizes, programmes=max(study.tfs // 5, 1))
    for seed in range(study.networks):
        name = f"simulated {study.genes}x{study.tfs}x{study.cells} {seed}"
        yield name, load_embedded(EmbeddedConfig(seed=seed, simulator=simulator)).dataset
    for name in study.sets:
        yield name, load_folder(name, DataConfig(split="draw"))[0]


def measure(
    dataset: Dataset, study: LargeScaleStudy, method: KernelFactorMethod, seed: int
) -> list[dict]:
    """A row a fold, by out-of-fold logits.

    Args:
        seed: of the fits; folds are the same for all.
    """
    config = InferenceConfig(method=method, repeats=study.repeats, folds=study.folds)
    candidates = list_candidates(dataset)
    folds = list(assign_folds(candidates, config, 0))
    if seed:
        folds = [
            dataclasses.replace(
                fold,
                part=dataclasses.replace(fold.part, seed=derive_seed(fold.part.seed, seed)),
            )
            for fold in folds
        ]
    scores = {"": mean_logit(fit_folds(dataset, method, candidates, folds))}
    rows = judge_folds(candidates, scores, folds)
    return [{key: value for key, value in row.items() if key != "method"} for row in rows]


def fit_folds(
    dataset: Dataset, method: KernelFactorMethod, candidates: LabelledPairs, folds: list[Fold]
) -> Float[np.ndarray, "member candidate"] | LogitMoments:
    """Logits of the candidates out of fold, from expression and known edges alone."""
    problem = Problem(
        dataset=dataset,
        parts=[fold.part for fold in folds],
        tfs=dataset.genes.tfs,
        trainable=np.unique(dataset.known.positives[:, 0]),
        evidence=gather_evidence(dataset),
    )
    with method.open_recorder(None, len(folds), "fitting") as recorder:
        return cross_fit(method, problem, candidates, folds, recorder).logits


if __name__ == "__main__":
    run_program(main)
