"""The command that made the run, and with what."""

import shlex

from grnjax.config import to_json
from grnjax.config.records import CLASS
from grnjax.data.expression import DataConfig
from grnjax.data.simulator import EmbeddedConfig
from grnjax.report.contents import Contents, find_method
from grnjax.tasks.activity import ActivityConfig
from grnjax.tasks.compendium_evidence import ListsConfig
from grnjax.tasks.group_networks import GroupConfig
from grnjax.tasks.network_inference import InferenceConfig
from grnjax.tasks.reference_mapping import MappingConfig
from grnjax.tasks.split_fits import LinkPredictionConfig

ORDER, TITLE = 80, "How it was made"
COMMANDS = ("infer", "train", "activity")
PARTS = {
    "data": DataConfig,
    "embedded": EmbeddedConfig,
    "lists": ListsConfig,
    "groups": GroupConfig,
    "mapping": MappingConfig,
}
COMMANDS_OF = {
    "infer": InferenceConfig,
    "train": LinkPredictionConfig,
    "activity": ActivityConfig,
}
FIRST = {"infer": "expression", "train": "folder", "activity": "cells"}
UNSET = (None, False, [], 0, "auto", "measured", "aucell")  # defaults of what the command adds


def build(contents: Contents, page) -> dict | None:
    """The command, all settings, versions, device, seconds and digests of the inputs."""
    record = contents.record
    return {
        "command": write_command(contents),
        "settings": list_settings(record.get("config") or {}),
        "versions": record.get("versions") or {},
        "device": record.get("device") or {},
        "seconds": record.get("seconds"),
        "inputs": record.get("inputs") or {},
    }


def write_command(contents: Contents) -> str:
    """The command line that makes this run again: every setting that is not its default."""
    record, kind = contents.record, contents.command
    config = {**(record.get("config") or {}), **(record.get("paths") or {})}
    defaults = list_defaults(contents, config)
    words = ["grnjax", kind]
    words += [config[FIRST[kind]]] if config.get(FIRST[kind]) else []
    if kind != "activity":
        words.append(f"--method={contents.method}")
    for key, value in list_settings(config):
        known = key in defaults
        if key == FIRST[kind] or (value == defaults[key] if known else value in UNSET):
            continue
        words += write_flag(key, value)
    if kind != "activity":  # whose file is among its paths
        words += ["--out", contents.folder.name or "grnjax-run"]
    return shlex.join(map(str, words))


def list_defaults(contents: Contents, config: dict) -> dict[str, object]:
    """The defaults of all settings that have another one than nothing."""
    parts = {name: to_json(part()) for name, part in PARTS.items() if name in config}
    kind = find_method(contents.method)
    parts |= {"method": to_json(kind())} if kind is not None else {}
    return dict(list_settings(to_json(COMMANDS_OF[contents.command]()) | parts))


def list_settings(values: dict, prefix: str = "") -> list[tuple[str, object]]:
    """Dotted keys and values, without the classes of the parts."""
    found: list[tuple[str, object]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            found += list_settings(value, f"{prefix}{key}.")
        elif key != CLASS:
            found.append((prefix + key, value))
    return found


def write_flag(key: str, value: object) -> list[str]:
    """A setting as the command line takes it."""
    flag = f"--{key.replace('_', '-')}"
    if isinstance(value, bool):
        parents, dot, name = flag.removeprefix("--").rpartition(".")
        return [flag if value else f"--{parents}{dot}no-{name}"]
    if isinstance(value, list):
        return [flag, *map(str, value)]
    return [] if value is None else [flag, str(value)]
