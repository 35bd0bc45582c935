"""Networks inferred from expression alone on BEELINE's labels (GT-GRN's input networks).

Run:     python -m experiments.expression_only.beeline
         python -m experiments.expression_only.beeline --sets Specific/mDC/TFs+500 --methods pearson
Cost:    13 min of one core without GENIE3, most of it the trivial rows; GENIE3 takes 7 min (mESC)
         to 13 min (mDC) on two cores
Expect:  AUROC .47 to .58 for every method on every set, where the TF rate has .78 to .84

Every method sees the expression and the TF list of the set and no label. It is judged on the test
pairs of the same draws as the supervised methods, beside the trivial rows, which learn from the
train pairs. Scores are kept in --work. Where expression is partial (hESC, hHEP, mESC), the set is
that of the genes that have it.
"""

import dataclasses
import sys
import time
from pathlib import Path
from typing import get_args

from experiments.shared.beeline_evidence import choose_genes
from experiments.shared.record import ResultsFile
from experiments.shared.studies import Splits, measure_trivial
from grnjax import config as settings
from grnjax.baselines.controls import scores_at
from grnjax.config import Seeds, Settings
from grnjax.data.benchmark import BenchmarkSet
from grnjax.data.expression import DataConfig
from grnjax.data.sets import find_sets
from grnjax.evaluation.splits import SplitKind
from grnjax.methods.expression_only import ExpressionOnlyName, score_genes
from grnjax.progress import logger, start_logging
from grnjax.tasks.loading import load_folder
from grnjax.tasks.split_fits import SplitConfig, draw_splits


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnsupervisedStudy(Settings):
    """Unsupervised methods and the trivial rows on sets of the benchmark root."""

    sets: tuple[str, ...] = (
        "Specific/mDC/TFs+500",
        "Specific/hESC/TFs+500",
        "Specific/hHEP/TFs+500",
        "Specific/mESC/TFs+500",
    )
    """Names or patterns of sets."""
    methods: tuple[ExpressionOnlyName, ...] = get_args(ExpressionOnlyName)
    kinds: tuple[SplitKind, ...] = ("standard", "target-disjoint")
    """Kinds of split."""
    draws: Seeds = (0, 1, 2, 3, 4)
    data: DataConfig = DataConfig(split="draw")
    work: Path = Path("unsupervised-work")
    """Keeps the scores."""


def main() -> None:
    """Measures what has not been measured yet."""
    start_logging()
    study = settings.parse(UnsupervisedStudy, sys.argv[1:], program="expression_only_beeline")
    results = ResultsFile("expression_only_beeline")
    for pattern in study.sets:
        for found in find_sets(study.data.root, pattern):
            measure_set(found, study, results)


def measure_set(found: BenchmarkSet, study: UnsupervisedStudy, results: ResultsFile) -> None:
    """The rows of one set that are not there yet."""
    dataset, _ = load_folder(found.labels, study.data)
    dataset = choose_genes(dataset, measured_only=True)
    genes = dataset.genes
    splits = {
        kind: draw_splits(dataset, SplitConfig(kind=kind, draws=study.draws))
        for kind in study.kinds
    }
    grounds = {kind: Splits(dataset, splits[kind]) for kind in study.kinds}
    for kind in study.kinds:
        for split in splits[kind]:
            measure_trivial(results, name(found, kind), grounds[kind], split)
    for method in study.methods:
        begun = time.monotonic()
        folder = study.work / found.name.replace("/", "-")
        scores = score_genes(genes, method, seed=0, folder=folder)
        for kind in study.kinds:
            rows = [
                grounds[kind].judge(method, split, 0, scores_at(scores, split.test, genes.tfs))
                for split in splits[kind]
            ]
            results.add(rows, **name(found, kind))
        logger.info("%s, %s: %.0f s", found.name, method, time.monotonic() - begun)


def name(found: BenchmarkSet, kind: str) -> dict:
    """What names the rows of a set and kind of split."""
    return {"set": found.name, "split": kind}


if __name__ == "__main__":
    main()
