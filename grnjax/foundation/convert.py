"""Published weights as a checkpoint of grnjax, its model from there, and back again.

A converted folder is a run folder: the store of the variables with everything that a user of the
model needs, settings, vocabulary, licence and where it came from; and run.json, written last, which
tells that it is whole. Going back writes weights, config file and dictionaries as they were
published, the weights as .safetensors.
"""

import dataclasses
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np

from grnjax.config import from_json, replace, to_json
from grnjax.config.fields import walk
from grnjax.errors import CheckpointError, ConfigError, GrnjaxError
from grnjax.foundation.published import SAFETENSORS, PublishedModel, find_files, find_model
from grnjax.foundation.safetensors import write_safetensors
from grnjax.foundation.weights import list_ignored, name_leaves, to_flax
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.storage.files import digest_file, write_json
from grnjax.storage.manifest import MANIFEST, read_manifest
from grnjax.storage.outputs import CHECKPOINTS, RESULT, has_finished, hold_folder, write_result

STEP = 0


@dataclasses.dataclass(frozen=True, eq=False)
class LoadedModel:
    """A converted model, ready to run: `module.apply(variables, ...)`."""

    name: str
    config: Any  # its class of settings, below `Settings`
    module: Any  # a Flax module, whose results Flax does not type
    variables: dict
    vocabulary: dict
    """Names with their tokens or other numbers, or a list of names, by the role of their file."""
    about: dict
    """What the checkpoint says of itself: settings as published, source, digests, licence."""


def convert(
    name: str,
    path: str | Path,
    out: str | Path,
    *,
    files: Mapping[str, Path] | None = None,
    part: str | None = None,
) -> dict:
    """Makes a checkpoint of the files of a published model; what it says of itself.

    A folder that holds this very conversion, whole, is left as it is.

    Args:
        name: one of `published.MODELS`.
        path: the folder of the weights, or their file.
        out: the folder to write.
        files: files by role that lie elsewhere or have other names.
        part: which of the models that share a file.

    Raises:
        CheckpointError: a file is damaged, or its arrays do not make the model.
        ConfigError: a file is not there, or of another model; or `out` holds something else.
    """
    model, out = find_model(name), Path(out)
    found = find_files(model, path, files)
    part = choose_part(model, part)
    digests = {role: digest_file(file) for role, file in found.items()}
    record = {"command": "convert", "to": "orbax", "model": name, "part": part, "inputs": digests}
    if has_finished(out, record):
        return read_about(out)
    source = model.read(found, part)
    rules = model.rules(source.config)
    form = jax.eval_shape(source.config.init, jax.random.key(0))
    variables = to_flax(source.arrays, rules, form)
    about = {
        "model": name,
        "part": part,
        "config": to_json(source.config),
        "settings": source.settings,
        "vocabulary": source.vocabulary,
        "licence": model.licence,
        "version": metadata.version("grnjax"),
        "source": {role: {"name": found[role].name, "sha256": digests[role]} for role in found},
        "without": {r: x.without for r, x in model.roles.items() if r not in found and x.without},
        "ignored": list_ignored([*source.arrays], rules),
        "dtypes": sorted({str(array.dtype) for array in source.arrays.values()}),
        "parameters": count_parameters(variables),
    }
    with hold_folder(out, record, undo=(GrnjaxError, OSError)):
        CheckpointStore(out / CHECKPOINTS, keep=1).save(STEP, variables, about)
        write_result(out, record)
    return about


def export(folder: str | Path, out: str | Path) -> list[Path]:
    """Writes a converted model as it is published, its weights as .safetensors; the files.

    Raises:
        CheckpointError: the folder holds no whole converted model.
        ConfigError: `out` holds something else.
    """
    folder, out = Path(folder), Path(out)
    about, model = read_about(folder), find_model(read_about(folder)["model"])
    digest = digest_file(find_manifest(folder))
    inputs = {"checkpoint": digest}
    record = {"command": "convert", "to": "safetensors", "model": model.name, "inputs": inputs}
    named = model.name_files(about["settings"], about["vocabulary"])
    paths = [out / name for name in (SAFETENSORS, *named)]
    if has_finished(out, record):
        return paths
    loaded = load_model(folder, on_host=True)
    arrays = model.to_published(loaded.variables, loaded.config)
    with hold_folder(out, record, undo=(GrnjaxError, OSError)):
        write_safetensors(out / SAFETENSORS, arrays)
        for file, contents in named.items():
            write_json(out / file, contents)
        write_result(out, {**record, "licence": about["licence"]})
    return paths


def save_model(model: LoadedModel, out: Path, record: dict) -> None:
    """Writes a model that was trained here as a converted one, in a folder of its own.

    Every process of a run must call this.

    Args:
        record: what makes the run that trained it; kept as `trained`.
    """
    about = {**model.about, "trained": record}
    CheckpointStore(out / CHECKPOINTS, keep=1).save(STEP, model.variables, about)
    if jax.process_index() == 0:
        write_result(out, record)


def load_model(
    folder: str | Path,
    *,
    place: Callable[[Any], Any] | None = None,
    on_host: bool = False,
    **choices: Any,
) -> LoadedModel:
    """The model of a converted folder, whose files are compared with their digests.

    Args:
        place: gives the `jax.ShapeDtypeStruct`s of the variables the shardings they are to have;
            by default all are on the first device.
        on_host: whether the variables are numpy's, on no device.
        choices: settings that the published files do not decide, such as dtype="bfloat16", of
            the model or of all its parts that have them.

    Raises:
        CheckpointError: the folder holds no whole converted model.
        ConfigError: a setting that the model has not.
    """
    folder = Path(folder)
    about = read_about(folder)
    model = find_model(about["model"])
    config: Any = from_json(model.config, about["config"])
    form = jax.eval_shape(config.init, jax.random.key(0))
    if on_host:
        form = jax.tree.map(lambda x: np.empty(x.shape, x.dtype), form)
    elif place is not None:
        form = place(form)
    restored = CheckpointStore(folder / CHECKPOINTS, keep=1).latest(form)
    if restored is None:
        raise CheckpointError(f"{folder} holds no variables; convert the model again.")
    config = choose_settings(config, choices)
    return LoadedModel(
        model.name, config, config.make(), restored.state, about["vocabulary"], about
    )


def choose_settings(config: Any, choices: Mapping[str, Any]) -> Any:
    """The config with some settings changed, wherever in it they stand.

    Raises:
        ConfigError: a setting that it has nowhere, or a value that it cannot take.
    """
    keys = [setting.key for setting in walk(config)]
    changes: dict[str, Any] = {}
    for name, value in choices.items():
        fitting = [key for key in keys if key == name or key.endswith(f".{name}")]
        changes |= dict.fromkeys(fitting or [name], value)
    return replace(config, changes)


def read_about(folder: str | Path) -> dict:
    """What a converted model says of itself, without its variables.

    Raises:
        CheckpointError: the folder holds no whole converted model.
    """
    folder = Path(folder)
    if not (folder / RESULT).is_file():
        raise CheckpointError(
            f"{folder} is no converted model, or one that was not finished; make one with "
            f"grnjax convert MODEL PATH --out {folder}."
        )
    manifest = find_manifest(folder)
    if not manifest.is_file():
        inside = folder / "model"  # of a run of grnjax pretrain
        there = f"; {inside} does" if find_manifest(inside).is_file() else ""
        raise CheckpointError(
            f"{folder} is a folder of a run, but holds no converted model, for {manifest} is not "
            f"there{there}; give one of grnjax convert, or OUT/model of grnjax pretrain --model."
        )
    about = read_manifest(manifest)["meta"]
    if "model" not in about or "vocabulary" not in about:
        raise CheckpointError(f"{folder} holds checkpoints of another kind.")
    return about


def choose_part(model: PublishedModel, part: str | None) -> str | None:
    """Which of the models that share a file; the first where none is named.

    Raises:
        ConfigError: there is no such part.
    """
    if part is not None and part not in model.parts:
        has = f"has {', '.join(model.parts)}" if model.parts else "has one model only"
        raise ConfigError(f"there is no part {part}: a file of {model.name} {has}.")
    return part or next(iter(model.parts), None)


def count_parameters(variables: Mapping[str, Any]) -> int:
    """How many numbers the arrays hold."""
    return sum(int(leaf.size) for _, leaf in name_leaves(variables))


def find_checkpoint(folder: Path) -> Path:
    """`find_manifest` of a folder that is known to hold a whole converted model.

    Raises:
        CheckpointError: it does not.
    """
    read_about(folder)
    return find_manifest(folder)


def find_manifest(folder: Path) -> Path:
    """The file of a converted folder whose digest tells this model from any other."""
    return folder / CHECKPOINTS / str(STEP) / MANIFEST
