"""What networks add to masked-expression training of GRNFormer: ablations and controls.

Run:     python -m experiments.grnformer.pretrain --cells FOLDER
Cost:    two to four minutes a fit of half the size on two cores, and there are 144 of them; a row
         is written as soon as it is measured, and the same command goes on. --size=default
         --conditions none "random network" both --sets SNARE-seq is for one set at full size
Expect:  pretrain.md; its tables are made from the rows

FOLDER has one .h5ad a set (`python -m experiments.grnformer.cells FOLDER` makes them): expression,
cell types and, in .uns and .obsm, the regulons and the cells in which each is active. A row is one
fit: the mean squared error of values that were hidden in test cells, beside the mean of the gene
and that of the gene in the cell's type. Rows of one set and seed share cells and hidden values.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from experiments.grnformer.cells import SETS, find_path
from experiments.shared.studies import begin
from grnjax.baselines.network_controls import rewire_networks, shuffle_cells
from grnjax.config import Positive, Seeds, Settings
from grnjax.data.expression import DataConfig
from grnjax.graphs.cell_networks import CellNetworks
from grnjax.models.grnformer import GRNFormerConfig
from grnjax.models.masked_expression import MaskedExpressionConfig
from grnjax.models.structure_encoder import StructureConfig
from grnjax.progress import logger
from grnjax.tasks.pretraining import Pretrained, PretrainingConfig, measure_attention, pretrain
from grnjax.tasks.pretraining_study import CellsWithNetworks, load_cells
from grnjax.training.masked_expression import MaskedTrainingConfig

STUDY = "grnformer_pretrain"
SIZES = {
    "half": (MaskedExpressionConfig(width=64, layers=2, heads=2, feed_forward=128), 600),
    "default": (MaskedExpressionConfig(), 1200),
}


class Condition(NamedTuple):
    """One line of an ablation."""

    structure: dict = {}
    training: dict = {}
    networks: Callable[..., CellNetworks] | None = None  # a control


NO_LINKS = {"perturbation": "none"}
CONDITIONS = {
    "none": Condition({"networks": "none"}),
    "random network": Condition({}, {}, rewire_networks),
    "cell type": Condition({"networks": "type"}),
    "cell": Condition({"networks": "cell"}),
    "both": Condition(),
    "both, no perturbation": Condition({}, NO_LINKS),
    "both, random links": Condition({}, {"perturbation": "random"}),
    "both, GCN": Condition({"encoder": "GCN"}),
    "both, GIN": Condition({"encoder": "GIN"}),
    "learned constant": Condition({"networks": "constant"}),
    "shuffled cells": Condition({}, {}, shuffle_cells),
    "both, networks of shown values": Condition({}, {"networks_from": "shown"}),
}
MAIN = ("none", "random network", "both")  # those that are measured at the default size


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """The study."""

    cells: Path
    """Folder of the sets, one .h5ad each."""
    size: Literal["half", "default"] = "half"
    """Width, depth and length of the model."""
    conditions: tuple[str, ...] = tuple(CONDITIONS)
    """Lines of the ablations."""
    seeds: Seeds = (0, 1, 2)
    steps: Positive = 600
    """Of a fit, rounded up to whole passes over the train cells."""
    training: MaskedTrainingConfig = MaskedTrainingConfig(batch_size=8, learning_rate=2e-3)
    """What all fits have in common."""
    sets: tuple[str, ...] = ()
    """Names of sets; all by default."""


def main() -> None:
    """Measures what has not been measured yet, seed by seed."""
    config, results = begin(Config, STUDY)
    names = [name for name in config.sets or SETS if find_path(config.cells, name).exists()]
    sets = {
        name: load_cells(find_path(config.cells, name), "cell_type", DataConfig()) for name in names
    }
    main = [condition for condition in config.conditions if condition in MAIN]
    others = [condition for condition in config.conditions if condition not in MAIN]
    for conditions in (main, others):
        for seed, condition, name in itertools.product(config.seeds, conditions, sets):
            where = {"set": name, "split": config.size}
            if not results.has(**where, method=condition, seed=seed):
                rows = measure(sets[name], condition, seed, config)
                results.add(rows, **where)
            logger.info("%s, %s, seed %d: done", name, condition, seed)


def prepare(
    cells: CellsWithNetworks, name: str, seed: int, config: Config
) -> tuple[PretrainingConfig, CellNetworks]:
    """The settings of a fit, and the networks that it sees."""
    condition, (backbone, tokens) = CONDITIONS[name], SIZES[config.size]
    model = GRNFormerConfig(backbone=backbone, structure=StructureConfig(**condition.structure))
    settings = PretrainingConfig(training=config.training, tokens=tokens)
    held_out = settings.test_share + settings.validation_share
    epoch = cells.expression.shape[0] * (1 - held_out) / config.training.batch_size
    training = dataclasses.replace(
        config.training, model=model, epochs=math.ceil(config.steps / epoch), **condition.training
    )
    networks = cells.networks
    if condition.networks is not None:
        networks = condition.networks(networks, seed=seed)
    return dataclasses.replace(settings, training=training), networks


def measure(cells: CellsWithNetworks, name: str, seed: int, config: Config) -> list[dict]:
    """The rows of one fit: its own, and those of the two means."""
    settings, networks = prepare(cells, name, seed, config)
    fitted = pretrain(cells.expression, cells.genes, networks, settings, seed=seed)
    names = [name, *(row["model"] for row in fitted.rows[1:])]
    return [
        {"method": method, "seed": seed, "draw": 0} | describe(fitted, row)
        for method, row in zip(names, fitted.rows, strict=True)
    ]


def describe(fitted: Pretrained, row: dict) -> dict:
    """What a row holds beside its names; attention where there is an adapter that was fitted."""
    found = {"masked_loss": row["masked_loss"], "explained": row["explained"]}
    if row["model"] == "GRNFormer":
        found |= {"epoch": fitted.result.best_epoch, "tokens": len(fitted.genes)}
        found["edges"] = fitted.report["edges_between_tokens"]
        if fitted.objective.config.model.structure.networks != "none":
            given = fitted.objective, fitted.data, fitted.test, fitted.result.variables
            found["tf_attention"] = measure_attention(*given)["ratio"]
    return found


if __name__ == "__main__":
    main()
