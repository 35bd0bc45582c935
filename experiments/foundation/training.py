"""Masked-expression training of a small Geneformer and a small scBERT on real cells.

Run:     python -m experiments.foundation.training
Cost:    60 to 80 s of CPU a fit
Expect:  training.md; its table is made from the rows

2,638 PBMC (10x, 1,880 genes), of which a fifth is never trained on and a tenth chooses the epoch. A
row is the mean loss of hidden tokens in test cells, in nats: of the model, and of rows that see no
cell. The order of the genes in a cell, its bins and what is hidden are as published; the models are
small, and passes over the cells many more.
"""

import dataclasses
import os
import time
from pathlib import Path

from experiments.grnformer.cells import read_pbmc_3k
from experiments.shared.studies import begin
from grnjax.config import Positive, Seeds, Settings
from grnjax.data.data_set import find_root
from grnjax.foundation.token_objectives import TRAININGS
from grnjax.progress import logger
from grnjax.tasks.foundation_training import FoundationStudy, train_model

STUDY, SET = "foundation_training", "PBMC 3k"
SIZES = {
    "geneformer": ("layers=2", "width=64", "heads=2", "feed_forward=128", "positions=256"),
    "scbert": ("layers=2", "width=64", "heads=2", "head_width=32", "features=64")
    + ("feed_forward=128", "bins=7"),
}
GENES = {"geneformer": None, "scbert": 400}
RATE = 2e-3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """The study."""

    models: tuple[str, ...] = tuple(SIZES)
    seeds: Seeds = (0,)
    """Of cells held out, of what is hidden and of parameters."""
    epochs: Positive = 8


def main() -> None:
    """Measures what has not been measured yet."""
    config, results = begin(Config, STUDY)
    cells, _ = read_pbmc_3k(find_root(), Path())
    for seed in config.seeds:
        for name in config.models:
            if results.has(set=SET, split=name, seed=seed):
                continue
            training = TRAININGS[name](
                epochs=config.epochs, batch_size=16, accumulate=1, learning_rate=RATE
            )
            study = FoundationStudy(
                training=training,
                settings=SIZES[name],
                genes=GENES[name],
                least_genes=50 if name == "scbert" else None,
                seed=seed,
            )
            begun = time.perf_counter(), os.times()
            trained = train_model(cells, name, study)
            seconds = time.perf_counter() - begun[0]
            cpu = sum(os.times()[:2]) - sum(begun[1][:2])
            more = {"epoch": trained.result.best_epoch, "tokens": trained.report["tokens"]}
            more |= {"parameters": trained.report["parameters"]["numbers"]}
            more |= {"seconds": round(seconds), "cpu_seconds": round(cpu)}
            results.add(
                [
                    {"method": row["model"], "draw": 0, "seed": seed}
                    | {"masked_loss": row["masked_loss"], **more}
                    for row in trained.rows
                ],
                set=SET,
                split=name,
            )
            logger.info("%s, seed %d: %s", name, seed, trained.rows)


if __name__ == "__main__":
    main()
