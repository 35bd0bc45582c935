"""Attention that TFs receive before any training: the control of the ratio of a fitted adapter.

Run:     python -m experiments.grnformer.attention --cells FOLDER
Cost:    a minute on two CPU cores
Expect:  pretrain.md, "attention"; fitted rows are those of `experiments.grnformer.pretrain`

Same cells, networks and hidden values as a fit of the seed has; its parameters are drawn.
"""

import dataclasses
import itertools

import jax

from experiments.grnformer.cells import SETS, find_path
from experiments.grnformer.pretrain import STUDY, Config, prepare
from experiments.shared.studies import begin, run_program
from grnjax.data.expression import DataConfig
from grnjax.progress import logger
from grnjax.tasks.pretraining import (
    build_cell_data,
    choose_tokens,
    count_most_edges,
    measure_attention,
)
from grnjax.tasks.pretraining_study import CellsWithNetworks, load_cells
from grnjax.training.freezing import thaw
from grnjax.training.masked_expression import MaskedObjective

CONDITIONS = ("both", "random network")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttentionConfig(Config):
    """The same as that of the fits."""

    conditions: tuple[str, ...] = CONDITIONS


def main() -> None:
    """Measures what has not been measured yet."""
    config, results = begin(AttentionConfig, STUDY)
    for name in config.sets or SETS:
        cells = load_cells(find_path(config.cells, name), "cell_type", DataConfig())
        for condition, seed in itertools.product(config.conditions, config.seeds):
            where = {"set": name, "split": f"{config.size}, untrained", "method": condition}
            if not results.has(**where, seed=seed):
                ratio = measure_untrained(cells, condition, seed, config)
                results.add([{"seed": seed, "draw": 0, "tf_attention": ratio}], **where)
        logger.info("%s: done", name)


def measure_untrained(cells: CellsWithNetworks, condition: str, seed: int, config: Config) -> float:
    """The ratio with parameters that no step was taken on."""
    settings, networks = prepare(cells, condition, seed, config)
    given = cells.expression, cells.genes
    tokens, _ = choose_tokens(*given, networks, settings.tokens)
    data, test = build_cell_data(*given, tokens, networks, settings, seed)
    objective = MaskedObjective(settings.training, 1, count_most_edges(data))
    learned, others = objective.init(jax.random.key(seed), data)
    variables = thaw({"params": learned, **others})
    return measure_attention(objective, data, test, variables)["ratio"]


if __name__ == "__main__":
    run_program(main)
