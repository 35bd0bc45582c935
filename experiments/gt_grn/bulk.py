"""GT-GRN and methods that see expression alone on bulk sets, beside scRegNet and all trivial rows.

Run:     python -m experiments.gt_grn.bulk
         python -m experiments.gt_grn.bulk --sets dream4-1 --kinds standard --draws 0
         python -m experiments.gt_grn.bulk --sets yeast --root FOLDER   (expression of your own)
Cost:    about 100 min of one core and 2 GB: B. subtilis 40, E. coli 35 (12 of them GENIE3), each
         set of DREAM4 7; sets can run side by side
Expect:  AP/swap of GT-GRN's form for new targets, standard split: bsubtilis .785/.991, ecoli
         .413/.922, dream4 .453/.898, .498/.872, .283/.824; unseen targets: .781/.991, .356/.888,
         .421/.912, .417/.814, .237/.837
"""

import dataclasses
import os
import time
from pathlib import Path
from typing import get_args

import numpy as np

from experiments.gt_grn.beeline import NEW, GTGRNStudy, ablations, measure_kind
from experiments.shared.beeline_evidence import add_expression
from experiments.shared.record import ResultsFile
from experiments.shared.studies import (
    Splits,
    begin,
    fit_factors,
    keep_genes,
    measure_expression_only,
    run_program,
)
from grnjax.baselines.controls import scores_at
from grnjax.data.bulk import BulkSet
from grnjax.data.data_set import ROOT_VARIABLE
from grnjax.errors import ConfigError
from grnjax.methods.expression_only import ExpressionOnlyName
from grnjax.methods.gt_grn.embeddings import embed_dataset
from grnjax.methods.kernel_factor.fit import KernelFactorSettings
from grnjax.progress import logger
from grnjax.types import Dataset, Split

KERNEL_FACTOR = "kernel factor, expression only"
PERMUTED = f"{NEW}, expression and walks permuted"


@dataclasses.dataclass(frozen=True, kw_only=True)
class BulkStudy(GTGRNStudy):
    """Supervised and unsupervised methods on bulk sets; yeast is one more, for those who have
    expression for it.
    """

    sets: tuple[str, ...] = ("bsubtilis", "ecoli", "dream4-1", "dream4-2", "dream4-3")
    methods: tuple[ExpressionOnlyName, ...] = get_args(ExpressionOnlyName)
    """Methods that see expression alone."""
    without_genie3: tuple[str, ...] = ("bsubtilis",)
    """Sets on which GENIE3 is left out, as slow there."""
    reconstructed: tuple[str, ...] = ("bsubtilis", "dream4-1")
    root: Path | None = None
    """Folder of the bulk sets; by default the one that GRNJAX_DATA names."""


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(BulkStudy, "gt_grn_bulk")
    root = study.root or os.environ.get(ROOT_VARIABLE)
    if not root:
        raise ConfigError(f"No folder of bulk sets: give --root, or set {ROOT_VARIABLE}.")
    for name in study.sets:
        measure_set(name, keep_scored_genes(BulkSet.read(name, root)), study, results)


def keep_scored_genes(dataset: Dataset) -> Dataset:
    """The data set with the genes of its labelled pairs and no others."""
    keep = np.zeros(len(dataset.genes.names), bool)
    keep[dataset.known.pairs] = True
    return keep_genes(dataset, keep)


def measure_set(name: str, dataset: Dataset, study: BulkStudy, results: ResultsFile) -> None:
    """The rows of one set that are not there yet."""
    folder = study.work / name
    grounds = {kind: Splits(dataset, study.split(dataset, kind)) for kind in study.kinds}
    edges, genes = dataset.known.positives, len(dataset.genes.names)
    sizes = (len(dataset.genes.expression), genes, len(np.unique(edges[:, 0])), len(edges))
    logger.info("%s: %d arrays, %d scored genes, %d TFs with a target, %d edges", name, *sizes)
    for method in study.methods:
        if method != "genie3" or name not in study.without_genie3:
            begun = time.monotonic()
            measure_expression_only(results, name, grounds, method, folder)
            logger.info("%s, %s: %.0f s", name, method, time.monotonic() - begun)
    embeddings = embed_dataset(dataset.genes, study.embeddings, seed=0, folder=folder)
    control = {PERMUTED: ablations(NEW)[PERMUTED]}
    for kind, ground in grounds.items():
        measure_kind(results, name, ground, embeddings, study, control, whole=NEW)
        for split in ground.splits:
            measure_kernel_factor(results, {"set": name, "split": kind}, ground, split)


def measure_kernel_factor(results: ResultsFile, where: dict, ground: Splits, split: Split) -> None:
    """Fits the kernel factor model once, on expression alone, unless it was measured before."""
    if results.has(method=KERNEL_FACTOR, draw=split.draw, **where):
        return
    evidence = add_expression(ground.dataset, [], ground.tfs)
    genes = len(ground.dataset.genes.names)
    for seed, fit, _ in fit_factors(evidence, ground.tfs, genes, split, KernelFactorSettings()):
        scores = scores_at(fit.logits(), split.test, ground.tfs)
        results.add([ground.judge(KERNEL_FACTOR, split, seed, scores)], **where)


if __name__ == "__main__":
    run_program(main)
