"""`grnjax pretrain CELLS --model MODEL`: a foundation model trained, from the start or on."""

import dataclasses
from pathlib import Path

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.cli.orthologue_flags import OrthologueFlags
from grnjax.cli.run_folder import Run
from grnjax.data.tenx import list_files
from grnjax.errors import ConfigError
from grnjax.foundation.convert import (
    LoadedModel,
    find_checkpoint,
    load_model,
    read_about,
    save_model,
)
from grnjax.foundation.published import MODELS
from grnjax.foundation.token_objectives import TRAININGS
from grnjax.storage.outputs import RESULT
from grnjax.tasks.foundation_training import FoundationStudy, TrainedModel, train_model
from grnjax.training.cluster import DeviceConfig
from grnjax.training.side_by_side import choose_mesh

FLAG, MODEL = "--model", "model"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelCommand(OrthologueFlags, FoundationStudy):
    """Train a foundation model on cells, from the start or on from a checkpoint, and judge it.

    The loss is that of tokens hidden in cells which no step was taken on, beside rows that see no
    cell. OUT/model is a model as `grnjax convert` writes it: `grnjax embed` reads it, and `grnjax
    convert NAME OUT/model --to safetensors` gives it the published form. The settings of training
    are the published ones by default; small data need more epochs, and smaller batches.
    """

    cells: Positional[str]
    """Counts of cells: .h5ad, .h5mu, .zarr, loom or 10x; their tokens are held in memory."""
    model: str
    """Folder of a converted model to go on from, or geneformer, scbert, scfoundation or scgpt for a
    new one, whose genes are those of the cells."""
    out: Path
    """Run folder; the same command on it resumes."""
    devices: DeviceConfig = DeviceConfig()


def is_meant(args: list[str]) -> bool:
    """Whether these arguments of `grnjax pretrain` name a foundation model to train."""
    return any(word.partition("=")[0] == FLAG for word in args)


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    given = find_given(args)
    command = settings.parse(make_command(find_name(given)), args, program="grnjax pretrain")
    is_new = not is_folder(command.model)
    inputs = {**list_files(command.cells), "orthologues": command.orthologues}
    inputs["model"] = None if is_new else find_checkpoint(Path(command.model))
    run = Run("pretrain", command)
    run.record["config"]["model"] = command.model if is_new else find_name(given)
    if run.has_finished(inputs):
        return
    table = command.read_orthologues()
    start: LoadedModel | str = command.model
    if not is_new:
        start = load_model(command.model, on_host=True)
    mesh = choose_mesh(command.devices, False, 1)
    with run:
        trained = train_model(
            command.cells, start, command, folder=command.out, mesh=mesh, orthologues=table
        )
        record = {key: run.record[key] for key in ("command", "config", "inputs")}
        save_model(trained.model, command.out / MODEL, record)
        result = {"data": trained.report, "rows": trained.rows}
        result |= {"epoch": trained.result.best_epoch, "licence": trained.model.about["licence"]}
        run.finish(result)
    if run.is_first:
        print_results(trained, command.out)


def find_given(args: list[str]) -> str:
    """What follows --model."""
    for place, word in enumerate(args):
        flag, equals, value = word.partition("=")
        if flag == FLAG:
            return value if equals else "".join(args[place + 1 : place + 2])
    raise AssertionError(f"{FLAG} is among the arguments")


def is_folder(model: str) -> bool:
    """Whether it is a folder of a model, and not the name of one."""
    return (Path(model) / RESULT).is_file()


def find_name(model: str) -> str:
    """Which of the models it is.

    Raises:
        ConfigError: it is neither the name of a model nor a folder of one.
    """
    if is_folder(model):
        return read_about(model)["model"]
    if model not in MODELS:
        raise ConfigError(
            f"{FLAG} {model} is no folder that grnjax convert has written, and none of "
            f"{', '.join(MODELS)}, of which a new one can be trained."
        )
    return model


def make_command(name: str) -> type[ModelCommand]:
    """The command whose training is by default that which was published of the model."""
    training = TRAININGS[name]
    body = {"__annotations__": {"training": training}, "training": training()}
    body |= {"__doc__": ModelCommand.__doc__, "__module__": __name__}
    kind = type(ModelCommand.__name__, (ModelCommand,), body)
    return dataclasses.dataclass(frozen=True, kw_only=True)(kind)


def print_results(trained: TrainedModel, out: Path) -> None:
    """The loss of each row, what was learned, and where the model is."""
    about, report = trained.model.about, trained.report
    counts = report["parameters"]
    print(
        f"\n{about['model']}: {counts['numbers']:,} parameters, "
        f"{counts['frozen_numbers']:,} of them frozen; {report['train']:,} cells train, best after "
        f"epoch {trained.result.best_epoch} of {trained.result.epochs}"
    )
    print(f"\n{'hidden tokens of test cells':<28}{trained.objective.unit:>14}")
    for row in trained.rows:
        print(f"{row['model']:<28}{row['masked_loss']:>14.4f}")
    print(f"\nLicence: {about['licence']}")
    print(f"The model is in {out / MODEL}, everything else in {out / 'run.json'}")
