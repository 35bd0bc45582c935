"""Networks inferred from expression alone on BEELINE's labels (GT-GRN's input networks).

Run:     python -m experiments.expression_only.beeline
         python -m experiments.expression_only.beeline --sets Specific/mDC/TFs+500 --methods pearson
Cost:    13 min of one core without GENIE3, most of it the trivial rows; GENIE3 takes 7 min (mESC)
         to 13 min (mDC) on two cores
Expect:  AUROC .47 to .58 for every method on every set, where the TF rate has .78 to .84
"""

import dataclasses
import time
from pathlib import Path
from typing import get_args

from experiments.shared.beeline_evidence import choose_genes
from experiments.shared.studies import (
    GridConfig,
    Splits,
    begin,
    measure_expression_only,
    measure_trivial,
    run_program,
)
from grnjax.methods.expression_only import ExpressionOnlyName
from grnjax.progress import logger

CELLS = ("mDC", "hESC", "hHEP", "mESC")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExpressionOnlyStudy(GridConfig):
    """Methods that see expression alone, and the trivial rows."""

    sets: tuple[str, ...] = tuple(f"Specific/{cell}/TFs+500" for cell in CELLS)
    methods: tuple[ExpressionOnlyName, ...] = get_args(ExpressionOnlyName)
    work: Path = Path("unsupervised-work")
    """Keeps the scores."""


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(ExpressionOnlyStudy, "expression_only_beeline")
    for found, dataset in study.find():
        dataset = choose_genes(dataset, measured_only=True)
        grounds = {kind: Splits(dataset, study.split(dataset, kind)) for kind in study.kinds}
        for kind, ground in grounds.items():
            for split in ground.splits:
                measure_trivial(results, {"set": found.name, "split": kind}, ground, split)
        for method in study.methods:
            begun = time.monotonic()
            folder = study.work / found.name.replace("/", "-")
            measure_expression_only(results, found.name, grounds, method, folder)
            logger.info("%s, %s: %.0f s", found.name, method, time.monotonic() - begun)


if __name__ == "__main__":
    run_program(main)
