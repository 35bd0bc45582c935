"""scRegNet's hyper-parameter search, with validation as its objective (paper: Methods, Optuna).

Run:     GRNJAX_DATA=... python -m experiments.scregnet.sweep --out sweep   (extra: sweep)
Cost:    with --once a trial takes 10 to 30 s on two cores (GAT up to 100 s), 1.1 GB memory; as
         published, once a batch, about 15 min and 50 trials half a day, which was not run
Expect:  hESC, GCN, --once --trials 6: AUROC/AP .885/.621 of the trial best on validation, .886/.623
         of the one best on test
"""

import dataclasses
import json
from pathlib import Path
from typing import Literal

import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import TrialState

from experiments.scregnet.published_settings import ONCE, published_form
from experiments.shared.studies import (
    HESC,
    LoadedSet,
    Splits,
    Variant,
    begin,
    load_set,
    run_program,
)
from grnjax import config as settings
from grnjax.config import Count, Positive, Settings
from grnjax.data.expression import DataConfig
from grnjax.errors import NonFiniteError
from grnjax.models.encoder import EncoderConfig
from grnjax.models.gat import GATConfig
from grnjax.models.gcn import GCNConfig
from grnjax.models.sage import SAGEConfig
from grnjax.models.scregnet import faithful
from grnjax.progress import logger
from grnjax.training.recorder import derive_seed
from grnjax.types import Split

LAYERS, WIDTHS, HEADS = (1, 6), (4, 256), (1, 8)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """The search; the same command resumes one that was cut off."""

    out: Path = Path("scregnet-sweep")
    """Folder of the search's journal, from which it resumes."""
    data: DataConfig = DataConfig()
    set: str = HESC
    """Set of the benchmark root."""
    encoder: Literal["GCN", "GraphSAGE", "GAT"] = "GCN"
    trials: Positive = 50
    objective: Literal["auroc", "average_precision"] = "auroc"
    """Validation score that a trial is worth, and that chooses its epoch."""
    once: bool = False
    """Encode the graph once a step over all train pairs."""
    reference_selection: bool = False
    """Maximise the score of the test pairs, as the published code does."""
    seed: Count = 0

    @property
    def name(self) -> str:
        """The name of the search in its journal and of its trials in the rows."""
        schedule = "encoded once a step" if self.once else "encoded once a batch"
        part = "test" if self.reference_selection else "validation"
        return f"{self.encoder}, {schedule}, {self.objective} on {part}"


def main() -> None:
    """Goes on until all trials are finished, then prints the best one's settings."""
    config, results = begin(Config, "scregnet_sweep")
    loaded = load_set(config.set, config.data)
    split = loaded.standard_splits((0,))[0]
    where = {"set": config.set, "split": split.kind}
    search = open_search(config)
    while (finished := len(search.get_trials(states=[TrialState.COMPLETE]))) < config.trials:
        search.sampler = optuna.samplers.TPESampler(seed=derive_seed(config.seed, finished))
        trial = search.ask()
        score, rows = run_trial(loaded, split, suggest(trial, config), config, finished)
        said = {"trial": finished, "objective": score, "parameters": trial.params}
        results.add(rows, **where, **said)
        search.tell(trial, score)
        logger.info("trial %d of %d: %.4f", finished + 1, config.trials, score)
    best = search.best_trial
    logger.info("best of %d trials: %.4f", config.trials, best.value)
    print(json.dumps(settings.to_json(suggest(best, config)), indent=2))


def open_search(config: Config) -> optuna.Study:
    """The search as its journal has it; a trial that was cut off is given up, to be run again."""
    config.out.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    search = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(config.out / "journal.log"))),
        study_name=f"{config.set}, {config.name}, seed {config.seed}",
        direction="maximize",
        load_if_exists=True,
    )
    for trial in search.get_trials(states=[TrialState.RUNNING]):
        search.tell(trial.number, state=TrialState.FAIL)
    return search


def run_trial(
    loaded: LoadedSet, split: Split, tried: Variant, config: Config, number: int
) -> tuple[float, list[dict]]:
    """The score that a trial is worth, and its row of test figures; 0 and none if it diverged."""
    ground = Splits(loaded.dataset, [split], loaded.embedding)
    seeds = (derive_seed(config.seed, number),)
    try:
        [(_, _, fitted)] = ground.fit(tried, [split], seeds, f"trial {number}")
    except NonFiniteError as error:
        logger.warning("%s", error)
        return 0.0, []
    method = f"{config.name}, trial {number}"
    row = ground.judge(method, split, config.seed, fitted.scores(split.test))
    return fitted.result.best_score, [row]


def suggest(trial: optuna.trial.BaseTrial, config: Config) -> Variant:
    """The settings of a trial, in the published space."""
    dropout = trial.suggest_float("dropout", 0.1, 0.8)
    model = faithful(suggest_encoder(trial, config, dropout), suggest_widths(trial, "mlp"), dropout)
    decay = trial.suggest_float("weight_decay", 1e-7, 1e-4, log=True)
    tuned = {"weight_decay": decay, "select_on": config.objective}
    if config.once:
        tuned |= ONCE | {"learning_rate": trial.suggest_float("rate", 1e-4, 1e-1, log=True)}
    else:
        optimizers = ["adam"] if config.encoder == "GAT" else ["adam", "rmsprop", "sgd"]
        tuned |= {
            "learning_rate": trial.suggest_float("rate", 1e-5, 1e-2, log=True),
            "batch_size": trial.suggest_int("batch_size", 32, 256),
            "optimizer": trial.suggest_categorical("optimizer", optimizers),
        }
    method = published_form(model, **tuned)
    return Variant(method=method, reference_selection=config.reference_selection)


def suggest_encoder(trial: optuna.trial.BaseTrial, config: Config, dropout: float) -> EncoderConfig:
    """A graph encoder; the attention dropout of GAT was never tuned."""
    widths = suggest_widths(trial, "gnn")
    if config.encoder != "GAT":
        chosen = GCNConfig if config.encoder == "GCN" else SAGEConfig
        return chosen(widths=widths, dropout=dropout)
    return GATConfig(
        widths=widths,
        heads=tuple(trial.suggest_int(f"heads_{i}", *HEADS) for i in range(len(widths))),
        reduction=trial.suggest_categorical("reduction", ["concatenate", "mean"]),
        slope=trial.suggest_float("slope", 0.01, 0.5),
    )


def suggest_widths(trial: optuna.trial.BaseTrial, part: str) -> tuple[int, ...]:
    """The width of each layer of the encoder or of the MLP."""
    layers = trial.suggest_int(f"{part}_layers", *LAYERS)
    return tuple(trial.suggest_int(f"{part}_width_{i}", *WIDTHS) for i in range(layers))


if __name__ == "__main__":
    run_program(main)
