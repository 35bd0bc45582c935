"""What conversion needs to know of a published model, one object a model, and the list of them.

A new model is a file with a `PublishedModel` below and one line in `MODELS`.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from grnjax.config import import_named
from grnjax.data.names import list_names
from grnjax.errors import ConfigError
from grnjax.foundation.weights import Rules, to_torch

MODELS = {
    "geneformer": "grnjax.foundation.geneformer_files:GeneformerFiles",
    "scbert": "grnjax.foundation.scbert_files:ScBertFiles",
    "scfoundation": "grnjax.foundation.scfoundation_files:ScFoundationFiles",
    "scgpt": "grnjax.foundation.scgpt_files:ScGPTFiles",
}
"""The published models by name: the class that reads the files of each."""

WEIGHTS = "weights"
SAFETENSORS = "model.safetensors"
"""What the weights are called where they are written in the published layout."""


@dataclasses.dataclass(frozen=True)
class Role:
    """A file of a published model: what it is called there, and what it is for.

    Args:
        patterns: names in the folder of the weights; the first one that is there is taken.
        what: in words, for who must find it.
        without: what cannot be done without it, where the weights can be converted nevertheless;
            empty if nothing is lost.
    """

    patterns: tuple[str, ...]
    what: str
    without: str | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """What the files of a published model hold."""

    config: Any  # of the class that the model has
    arrays: Mapping[str, np.ndarray]
    settings: dict  # of the published config file, as they are there
    vocabulary: dict  # by role, names with their tokens or other numbers, or a list of names


class PublishedModel:
    """How the files of a model are read and written; a class a model, below this one."""

    name: ClassVar[str]
    licence: ClassVar[str]
    """Of code and weights, in words for who uses them."""
    config: ClassVar[type[Any]]
    """The class of its settings, which `make` the module and `init` fresh variables of it."""
    roles: ClassVar[Mapping[str, Role]]
    """Its files by what they are for; one of them is `weights`."""
    parts: ClassVar[tuple[str, ...]] = ()
    """Names of models that share a file, of which one is converted; none where it holds one."""

    def rules(self, config: Any) -> Rules:
        """Where each of its arrays stands."""
        raise NotImplementedError

    def read(self, files: Mapping[str, Path], part: str | None) -> Source:
        """What these files, by role, hold of the model.

        Args:
            part: one of `parts`; None where there are none.

        Raises:
            CheckpointError: a file is damaged or holds something else.
            ConfigError: the settings are not those of this model.
        """
        raise NotImplementedError

    def to_published(self, variables: Mapping[str, Any], config: Any) -> dict[str, np.ndarray]:
        """The arrays by their published names."""
        return to_torch(variables, self.rules(config))

    def name_files(self, settings: dict, vocabulary: dict) -> dict[str, Any]:
        """What stands beside the weights in the published form, JSON values by file name."""
        raise NotImplementedError

    def describe(self, config: Any) -> dict:
        """The settings of a model that was never published, as the published config has them."""
        raise NotImplementedError


def take_settings(
    published: Mapping[str, Any],
    names: Mapping[str, str],
    fixed: Mapping[str, Any],
    *,
    model: str,
    file: str,
) -> dict[str, Any]:
    """The settings of a config file under our names.

    Args:
        names: those that are needed, and what they are called here.
        fixed: those that have one value wherever they stand; others make another model.

    Raises:
        ConfigError: a setting is missing, or has a value for which this is another model.
    """
    missing = [key for key in names if key not in published]
    if missing:
        raise ConfigError(
            f"the {file} of a {model} needs {', '.join(missing)}; give the one that was published "
            "with the weights."
        )
    for key, value in fixed.items():
        if published.get(key, value) != value:
            raise ConfigError(
                f"{key} is {published[key]!r} in {file}, and the {model} here has {value!r}."
            )
    return {ours: published[theirs] for theirs, ours in names.items()}


def find_model(name: str) -> PublishedModel:
    """How the files of the model of that name are read.

    Raises:
        ConfigError: there is none.
    """
    if name not in MODELS:
        raise ConfigError(f"there is no model {name}; known are {', '.join(MODELS)}.")
    return import_named(MODELS[name], below=PublishedModel)()


def find_files(
    model: PublishedModel, path: str | Path, given: Mapping[str, Path] | None = None
) -> dict[str, Path]:
    """The files of a model by role: those given, and others by their names.

    Args:
        path: the folder of the weights, or the file of the weights, beside which others are
            looked for.
        given: files that lie elsewhere or have other names.

    Raises:
        ConfigError: a file is not there, or several could be meant.
    """
    path, given = Path(path), dict(given or {})
    if not path.exists():
        raise ConfigError(f"{path} is not there; give the folder or file of the weights.")
    if path.is_file():
        given.setdefault(WEIGHTS, path)
    unknown = [role for role in given if role not in model.roles]
    if unknown:
        raise ConfigError(
            f"{model.name} has no file {unknown[0]}; its files are {', '.join(model.roles)}."
        )
    folder = path if path.is_dir() else path.parent
    files, names = {}, sorted(x.name for x in folder.iterdir() if x.is_file())
    for role, about in model.roles.items():
        found = given[role] if role in given else _match(model, folder, role)
        if found is not None and not found.is_file():
            raise ConfigError(f"{found}, given as {role}, is no file.")
        if found is None and about.without is None:
            raise ConfigError(
                f"{folder} has no {' or '.join(about.patterns)} ({about.what}), but "
                f"{list_names(names) or 'no files'}; give it as --files {role}=PATH."
            )
        if found is not None:
            files[role] = found
    return files


def _match(model: PublishedModel, folder: Path, role: str) -> Path | None:
    """The file of a role by the first pattern that fits one."""
    for pattern in model.roles[role].patterns:
        found = sorted(x for x in folder.glob(pattern) if x.is_file())
        if len(found) > 1:
            raise ConfigError(
                f"{folder} has {len(found)} files that could be its {role} "
                f"({list_names(x.name for x in found)}); give one as --files {role}=PATH."
            )
        if found:
            return found[0]
    return None
