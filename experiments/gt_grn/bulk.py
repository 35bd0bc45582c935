"""GT-GRN and unsupervised methods on bulk expression, beside scRegNet and all trivial rows.

Run:     python -m experiments.gt_grn.bulk
         python -m experiments.gt_grn.bulk --sets dream4-1 --kinds standard --draws 0
         python -m experiments.gt_grn.bulk --sets yeast --root FOLDER   (expression of your own)
Cost:    about 100 min of one core and 2 GB: B. subtilis 40, E. coli 35 (12 of them GENIE3), each
         set of DREAM4 7; sets can run side by side
Expect:  AP/swap of GT-GRN's form for new targets, standard split: bsubtilis .785/.991, ecoli
         .413/.922, dream4 .453/.898, .498/.872, .283/.824; unseen targets: .781/.991, .356/.888,
         .421/.912, .417/.814, .237/.837

A set has the genes that its gold standard speaks of; of others nobody knows whether they were
looked at. The candidate pairs are each TF that has a target there with each such gene but itself:

    set        arrays  genes  TFs    pairs  edges
    bsubtilis     266  1,941  153  296,820  3,070
    ecoli          82  1,034  135  139,455  1,986   exactly the pairs that DREAM5 scores
    dream4-1      410    100   41    4,059    176   (dream4-2: 36 TFs and 249 edges, dream4-3: 44
                                                    and 195; official scoring takes any gene as TF)

So nearly every candidate target has an edge, and one without train edges is likely to have one held
out: in a standard split of B. subtilis 2.0 % of such test pairs are edges, of the others 0.8 %. No
row is meant to use this, but it costs rows that trust target rates. Target-disjoint splits are free
of it. In B. subtilis and E. coli a pair that is no known edge may be an unknown one.

Genes of an operon share profile and regulators, and no split here keeps operons together. The row
"co-expressed targets" says what that alone is worth; a model has to beat it, too. The kernel factor
model stands beside GT-GRN as grnjax's default, with expression and nothing else.

Every TF of the published list that is among the genes takes part in inference from expression.
GENIE3 with its 1,000 trees takes about 25 minutes on two cores for B. subtilis, where it is left
out by default (`--without-genie3` without a name runs it), 6 for E. coli and 2 for a set of DREAM4;
no other method takes more than one.

Rows of the split "reconstruction, ..." are GT-GRN's on every candidate pair, after a fit on the
train pairs of a standard split; where `scores_train_edges` is true most edges were shown to it.
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
from experiments.shared.studies import Splits, begin, keep_genes, measure_expression_only
from grnjax.baselines.controls import scores_at
from grnjax.data.bulk import BulkSet
from grnjax.data.data_set import ROOT_VARIABLE
from grnjax.errors import ConfigError
from grnjax.methods.expression_only import ExpressionOnlyName
from grnjax.methods.gt_grn.embeddings import embed_dataset
from grnjax.methods.kernel_factor.bank import FeatureBank, build_bank
from grnjax.methods.kernel_factor.fit import KernelFactorSettings, fit_kernel_factor
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
    log_sizes(name, dataset)
    for method in study.methods:
        if method != "genie3" or name not in study.without_genie3:
            begun = time.monotonic()
            measure_expression_only(results, name, grounds, method, folder)
            logger.info("%s, %s: %.0f s", name, method, time.monotonic() - begun)
    embeddings = embed_dataset(dataset.genes, study.embeddings, seed=0, folder=folder)
    control = {PERMUTED: ablations(NEW)[PERMUTED]}
    for kind, ground in grounds.items():
        measure_kind(results, name, ground, embeddings, study, control, NEW)
        bank = bank_of_expression(ground)
        for split in ground.splits:
            measure_kernel_factor(results, {"set": name, "split": kind}, ground, split, bank)


def bank_of_expression(ground: Splits) -> FeatureBank:
    """What the kernel factor model knows: expression, and nothing else."""
    genes, most = len(ground.dataset.genes.names), KernelFactorSettings().most_genes
    evidence = add_expression(ground.dataset, [], ground.tfs)
    return build_bank(evidence, ground.tfs, genes, labelled=ground.tfs, most_genes=most)


def measure_kernel_factor(
    results: ResultsFile, where: dict, ground: Splits, split: Split, bank: FeatureBank
) -> None:
    """Fits the kernel factor model once and appends its row, unless it was measured before."""
    if results.has(method=KERNEL_FACTOR, draw=split.draw, **where):
        return
    disjoint = where["split"] != "standard"
    fit = fit_kernel_factor(
        bank, split.train, split.validation, KernelFactorSettings(), seed=0, disjoint=disjoint
    )
    scores = scores_at(fit.logits(), split.test, ground.tfs)
    results.add([ground.judge(KERNEL_FACTOR, split, 0, scores)], **where)


def log_sizes(name: str, dataset: Dataset) -> None:
    """Logs how large a set is, as its candidate pairs go."""
    edges, genes = dataset.known.positives, len(dataset.genes.names)
    tfs = len(np.unique(edges[:, 0]))
    said = "%s: %d arrays, %d genes in the gold standard, %d TFs with a target, %d pairs, %d edges"
    arrays = len(dataset.genes.expression)
    logger.info(said, name, arrays, genes, tfs, tfs * (genes - 1), len(edges))


if __name__ == "__main__":
    main()
