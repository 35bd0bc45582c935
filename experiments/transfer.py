"""Transfer: scRegNet and the trivial rows trained on one cell type, judged on another.

Run:     GRNJAX_DATA=... python -m experiments.transfer
Cost:    TODO
Expect:  TODO

BEELINE cell-type-specific networks, TFs+500, in the pairs of sets that have expression. Judged
are all pairs of the target's label TFs with its genes: of all its TFs ("all TFs"), of those that
are label TFs of the source ("shared TFs") and of the others ("unseen TFs"). Rows of split "audit"
say for each target TF how far its labels agree with the source's.

All sets but mDC have expression of some of their genes only, chosen by others, and a model can read
off which. So each pair comes twice, the second time with the measured genes alone. Mouse and human
genes are joined by upper-cased symbol, which takes genes of one symbol for orthologues.
"""

import dataclasses

import numpy as np

from experiments.record import ResultsFile
from grnjax.data.expression import DataConfig
from grnjax.progress import logger, start_logging
from grnjax.tasks.inputs import InputConfig
from grnjax.tasks.link_prediction import LinkPredictionConfig, SplitConfig
from grnjax.tasks.loading import load_folder
from grnjax.tasks.transfer import transfer
from grnjax.types import Dataset, GeneTable, LabelledPairs

SIZE = "TFs+500"
PAIRS = (("mESC", "mDC"), ("mDC", "mESC"), ("mESC", "hESC"), ("hESC", "hHEP"), ("hHEP", "hESC"))
CONFIG = LinkPredictionConfig(
    inputs=InputConfig(nodes="statistics"),
    split=SplitConfig(draws=(0, 1, 2, 3, 4)),
    controls=("expression-permuted",),
)


def main() -> None:
    """Measures what has not been measured yet."""
    start_logging()
    results = ResultsFile("transfer")
    for pair in PAIRS:
        for only_measured in (False, True):
            name = f"{' to '.join(pair)}, {SIZE}" + ", measured genes" * only_measured
            if results.has(set=name):
                continue
            found = transfer(*(load(cell, only_measured) for cell in pair), CONFIG)
            for group, rows in found.rows.items():
                results.add(rows, set=name, split=group)
            audit = [{"method": row["tf"], "draw": 0, "seed": 0, **row} for row in found.audit]
            results.add(audit, set=name, split="audit")
            logger.info("%s: done", name)


def load(cell: str, only_measured: bool) -> Dataset:
    """The set of a cell type with the expression that covers most of its genes."""
    dataset, _ = load_folder(f"Specific/{cell}/{SIZE}", DataConfig())
    return keep_measured(dataset) if only_measured else dataset


def keep_measured(dataset: Dataset) -> Dataset:
    """The data set without the genes that have no expression."""
    genes, known = dataset.genes, dataset.known
    kept = genes.measured
    place = np.cumsum(kept) - 1
    within = known.take(kept[known.pairs].all(axis=1))
    return dataclasses.replace(
        dataset,
        genes=GeneTable(
            genes.names[kept], genes.is_tf[kept], genes.expression[:, kept], genes.measured[kept]
        ),
        known=LabelledPairs(place[within.pairs].astype(np.int32), within.labels),
    )


if __name__ == "__main__":
    main()
