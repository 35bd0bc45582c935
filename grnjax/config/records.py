"""Settings as JSON and back, and some of them replaced in Python."""

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

from grnjax.config.annotations import MISSING, fit
from grnjax.config.fields import Setting, is_made, list_fields, suggest, walk
from grnjax.errors import ConfigError

Config = TypeVar("Config")

CLASS = "class"  # names a config's class in JSON; no field can be called so


def to_json(config: Any) -> dict:
    """The settings as nested dicts of JSON values, each with the name of its class."""
    values: dict[str, Any] = {CLASS: type(config).__name__}
    for setting in list_fields(config):
        part = dataclasses.is_dataclass(setting.value)
        values[setting.key] = to_json(setting.value) if part else _make_plain(setting.value)
    return values


def from_json(config: type[Config] | Config, values: dict) -> Config:
    """The config with settings that `to_json` wrote; what `values` leaves out keeps its default.

    Args:
        config: The class, or an instance whose values are the defaults.
        values: Nested dicts. A part of another class than the default's is found by name among
            the subclasses of the field's annotation, so its file must have been imported.
    """
    return _build(config, values, prefix="")


def replace(config: Config, overrides: dict[str, Any]) -> Config:
    """The config with some settings changed, such as `{"model.head": "additive"}`.

    A whole part can be given as a config: `{"model.encoder": SageConfig(width=64)}`.
    """
    nested: dict = {}
    for key, value in overrides.items():
        *parents, name = key.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return from_json(config, nested)


def _make_plain(value: Any) -> Any:
    """A setting's value as JSON has it."""
    if isinstance(value, tuple):
        return [_make_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _build(config: Any, values: dict, prefix: str) -> Any:
    """A config (class or instance) with `values`; `prefix` is its place in the whole."""
    fields = {setting.key: setting for setting in list_fields(config)}
    for name in values:
        if name not in fields and name != CLASS:
            known = [setting.key for setting in walk(config, prefix)]
            near = suggest(prefix + name, known) or f"; known here: {', '.join(known)}."
            raise ConfigError(f"there is no setting {prefix}{name}{near}")
    changes = {}
    for name, setting in fields.items():
        value = values.get(name, {} if setting.is_part and setting.value is MISSING else MISSING)
        if value is MISSING and setting.value is MISSING:
            raise ConfigError(f"{prefix}{name} has no default and must be given.")
        if setting.is_part and isinstance(value, dict):
            part = _choose_class(setting, value.get(CLASS), prefix)
            changes[name] = _build(part, value, f"{prefix}{name}.")
        elif value is not MISSING:
            changes[name] = fit(value, setting.hint, prefix + name)
    try:
        return dataclasses.replace(config, **changes) if is_made(config) else config(**changes)
    except ValueError as error:
        raise ConfigError(f"{prefix[:-1]}: {error}" if prefix else str(error)) from error


def _choose_class(setting: Setting, name: str | None, prefix: str) -> Any:
    """What a part starts from: its default, or the class called `name` if that is another one."""
    default = setting.hint if setting.value is MISSING else setting.value
    if name in (None, getattr(default, "__name__", type(default).__name__)):
        return default
    found = None if ":" in name else setting.hint.find(name)  # a record must not import at will
    if found is not None:
        return found
    known = setting.hint.names()
    raise ConfigError(
        f"{prefix}{setting.key} was made with {name}, which is none of the {len(known)} classes "
        f"known here ({', '.join(known)}); import its file first."
    )
