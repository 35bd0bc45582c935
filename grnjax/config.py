"""Settings: frozen dataclasses inside each other, from the command line, to JSON and back.

A config stands in the file of the class it configures, and this file knows none of them. A field's
place is its key: `model.head` in Python and in JSON, `--model.head` on the command line, where the
docstring under the field is its help. A field may be annotated with a base class and hold a
subclass, whose fields then count; `--model.encoder=GAT` puts GATConfig there:

    @dataclasses.dataclass(frozen=True)
    class ModelConfig:
        encoder: EncoderConfig = GCNConfig()
        head: Literal["additive", "bilinear"] = "bilinear"

Types of settings: bool, int, float, str, Path, None, Literal, tuple, unions of these; and configs.
"""

import contextlib
import dataclasses
import difflib
import io
import numbers
import types
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union

import tyro

from grnjax.errors import ConfigError

Config = TypeVar("Config")

CLASS = "class"  # names a config's class in JSON; no field can be called so
MISSING = dataclasses.MISSING
WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    type(None): "None",
}


def parse(
    config: type[Config] | Config,
    args: list[str],
    *,
    program: str,
    description: str | None = None,
) -> Config:
    """The config with the values of the command line; `-h` prints the help and exits with 0.

    Args:
        config: The class, or an instance whose values are the defaults.
        args: What the user typed after the program's name.
        program: The name in the help and in errors, such as "grnjax infer".
        description: The first lines of the help; by default the class's docstring.
    """
    config, args = _choose_parts(config, args, program)
    settings = list(_walk(config))
    args = _spell_switches(args, settings, program)
    kind, default = (type(config), config) if _is_made(config) else (config, tyro.MISSING_NONPROP)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(kind, default=default, prog=program, description=description, args=args)
    except SystemExit as stop:
        if not stop.code:
            raise
    _explain(config, args, settings, program)
    raise ConfigError(f"{program}: {' '.join(complaint.getvalue().split())}")


def _choose_parts(config: Any, args: list[str], program: str) -> tuple[Any, list[str]]:
    """The config with the parts that flags name, outer ones first, and the other words."""
    words = list(args)
    while True:
        parts = {f"--{key.replace('_', '-')}": (key, kind) for key, kind in _walk_parts(config)}
        flags = [word.partition("=")[0].replace("_", "-") for word in words]
        flag = min(parts.keys() & flags, key=lambda flag: flag.count("."), default=None)
        if flag is None:
            return config, words
        place, (key, kind) = flags.index(flag), parts[flag]
        _, equals, name = words.pop(place).partition("=")
        if not equals:
            name = words.pop(place) if words[place:] else ""
        classes = {known.__name__.removesuffix("Config"): known for known in _subclasses(kind)}
        chosen = [classes[x] for x in classes if x.lower() == name.replace("-", "").lower()]
        if not chosen:
            known = ", ".join(classes)
            raise ConfigError(f"{program}: {flag} cannot be {name!r}: it takes one of {known}.")
        config = _with_part(config, key.split("."), chosen[0]())


def _walk_parts(config: Any, prefix: str = "") -> Iterator[tuple[str, type]]:
    """Dotted key and base class of each part that another class can take the place of."""
    for setting in _list_fields(config):
        if setting.is_part:
            if setting.hint.__subclasses__():
                yield prefix + setting.key, setting.hint
            part = setting.hint if setting.value is MISSING else setting.value
            yield from _walk_parts(part, f"{prefix}{setting.key}.")


def _with_part(config: Any, path: list[str], part: Any) -> Any:
    """The config with a part replaced; of a class, one like it with another default."""
    name, *rest = path
    setting = next(setting for setting in _list_fields(config) if setting.key == name)
    inner = _with_part(setting.value, rest, part) if rest else part
    if _is_made(config):
        return dataclasses.replace(config, **{name: inner})
    body = {"__annotations__": {name: setting.hint}, name: inner}
    body |= {"__doc__": config.__doc__, "__module__": config.__module__}
    kind = type(config.__name__, (config,), body)
    return dataclasses.dataclass(frozen=True, kw_only=True)(kind)


def _spell_switches(args: list[str], settings: list["Setting"], program: str) -> list[str]:
    """The arguments with `--scaled=false` as `--no-scaled`; tyro would misread the former."""
    opposites = {}
    for setting in settings:
        if setting.is_switch:
            on, off = setting.flags
            opposites |= {on: off, off: on}

    def spell(word: str) -> str:
        flag, equals, value = word.partition("=")
        flag = flag.replace("_", "-")
        if not equals or flag not in opposites:
            return word
        if value.lower() not in ("true", "false"):
            raise ConfigError(f"{program}: {flag} cannot be {value!r}: it takes true or false.")
        return flag if value.lower() == "true" else opposites[flag]

    return [spell(word) for word in args]


def _explain(config: Any, args: list[str], settings: list["Setting"], program: str) -> None:
    """Raises one sentence about the first thing wrong with arguments that tyro has refused.

    tyro draws boxes and names its complaints in private classes only, so the words are dealt out
    once more here, and tyro reads those of one setting at a time.
    """
    named = {flag: s for s in settings if not s.is_positional for flag in s.flags}
    unnamed = [setting for setting in settings if setting.is_positional]
    values = {}
    words = list(args)
    while words:
        word = words.pop(0)
        flag, equals, value = word.partition("=")
        setting = named.get(flag.replace("_", "-"))
        if setting is None and _is_flag(word):
            near = _suggest(flag.replace("_", "-"), named)
            raise ConfigError(f"{program} has no flag {flag}{near or f'; see {program} --help.'}")
        if setting is None and not unnamed:
            raise ConfigError(f"{program} has no use for {word!r}; see {program} --help.")
        if setting is None:
            setting, given = unnamed.pop(0), [word]
            flag = setting.key.upper()
        elif setting.is_switch:
            continue
        else:
            given = [value] if equals else []
            while words and not equals and not _is_flag(words[0]) and setting.takes(len(given) + 1):
                given.append(words.pop(0))
        values[setting.key] = _read(given, setting.hint, f"{program}: {flag}")
    lacking = [s for s in settings if s.value is MISSING and s.key not in values]
    if lacking:
        names = [s.key.upper() if s.is_positional else s.flags[0] for s in lacking]
        raise ConfigError(f"{program} needs {', '.join(names)}; see {program} --help.")
    try:
        replace(config, values)
    except ConfigError as error:
        raise ConfigError(f"{program}: {error}") from error


def _is_flag(word: str) -> bool:
    """Whether a word of the command line is a flag, and not a value such as -3 or -."""
    return word.startswith("-") and word[1:2].strip("0123456789.") != ""


def _read(given: list[str], hint: Any, name: str) -> Any:
    """What tyro makes of the words given for one setting."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return tyro.cli(hint, args=["--", *given], add_help=False)
    except SystemExit as error:
        what = f"cannot be {' '.join(given)!r}: it takes" if given else "lacks its value:"
        raise ConfigError(f"{name} {what} {_describe(hint)}.") from error


# To JSON and back


def to_json(config: Any) -> dict:
    """The settings as nested dicts of JSON values, each with the name of its class."""
    values = {CLASS: type(config).__name__}
    for setting in _list_fields(config):
        if dataclasses.is_dataclass(setting.value):
            values[setting.key] = to_json(setting.value)
        else:
            values[setting.key] = _make_plain(_fit(setting.value, setting.hint, setting.key))
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
    fields = {setting.key: setting for setting in _list_fields(config)}
    for name in values:
        if name not in fields and name != CLASS:
            known = [setting.key for setting in _walk(config, prefix)]
            near = _suggest(prefix + name, known) or f"; known here: {', '.join(known)}."
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
            changes[name] = _fit(value, setting.hint, prefix + name)
    try:
        return dataclasses.replace(config, **changes) if _is_made(config) else config(**changes)
    except ValueError as error:
        raise ConfigError(f"{prefix[:-1]}: {error}" if prefix else str(error)) from error


def _choose_class(setting: "Setting", name: str | None, prefix: str) -> Any:
    """What a part starts from: its default, or the class called `name` if that is another one."""
    default = setting.hint if setting.value is MISSING else setting.value
    if name in (None, getattr(default, "__name__", type(default).__name__)):
        return default
    classes = {known.__name__: known for known in (setting.hint, *_subclasses(setting.hint))}
    if name in classes:
        return classes[name]
    raise ConfigError(
        f"{prefix}{setting.key} was made with {name}, which is none of the {len(classes)} classes "
        f"known here ({', '.join(classes)}); import its file first."
    )


def _subclasses(kind: type) -> list[type]:
    """All classes below a base class that have been imported."""
    return [known for child in kind.__subclasses__() for known in (child, *_subclasses(child))]


# Settings and their types


@dataclasses.dataclass(frozen=True)
class Setting:
    """A field of a config: its key, its type, and its value, MISSING where it has none."""

    key: str
    hint: Any
    value: Any
    is_positional: bool

    @property
    def is_part(self) -> bool:
        """Whether it is a config itself."""
        return dataclasses.is_dataclass(self.value) or dataclasses.is_dataclass(self.hint)

    @property
    def is_switch(self) -> bool:
        """Whether it has two flags without a value on the command line."""
        return self.hint is bool and self.value is not MISSING

    @property
    def flags(self) -> list[str]:
        """Its names on the command line; the second one of a switch turns it off."""
        parents, dot, name = self.key.replace("_", "-").rpartition(".")
        return [f"--{parents}{dot}{no}{name}" for no in ("", "no-")[: 1 + self.is_switch]]

    def takes(self, count: int) -> bool:
        """Whether its flag can be followed by that many words."""
        options = typing.get_args(self.hint)
        if typing.get_origin(self.hint) is tuple:
            return options[-1] is Ellipsis or count <= len(options)
        return count <= 1


def _is_made(config: Any) -> bool:
    """Whether it is a config with values, and not the class of one."""
    return not isinstance(config, type)


def _list_fields(config: Any) -> Iterator[Setting]:
    """The fields of one config, class or instance, parts included."""
    kind = type(config) if _is_made(config) else config
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        value = getattr(config, field.name) if _is_made(config) else field.default
        if value is MISSING and field.default_factory is not MISSING:
            value = field.default_factory()
        hint, marks = hints[field.name], ()
        if typing.get_origin(hint) is Annotated:
            hint, *marks = typing.get_args(hint)
        yield Setting(field.name, hint, value, tyro.conf.Positional in marks)


def _walk(config: Any, prefix: str = "") -> Iterator[Setting]:
    """The settings of a config and of its parts, by dotted key."""
    for setting in _list_fields(config):
        if setting.is_part:
            part = setting.hint if setting.value is MISSING else setting.value
            yield from _walk(part, f"{prefix}{setting.key}.")
        else:
            yield dataclasses.replace(setting, key=prefix + setting.key)


def _fit(value: Any, hint: Any, key: str) -> Any:
    """`value` in the type of `hint`: a list as a tuple, 1 as 1.0; a sentence if it is another."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        for option in options:
            with contextlib.suppress(ConfigError):
                return _fit(value, option, key)
    elif origin is Literal:
        for option in options:
            if type(option) is type(value) and option == value:
                return option
    elif origin is tuple and isinstance(value, (list, tuple)):
        kinds = options[:1] * len(value) if options[-1] is Ellipsis else options
        if len(kinds) == len(value):
            return tuple(_fit(item, kind, key) for item, kind in zip(value, kinds))
    elif hint is Path and isinstance(value, (str, Path)):
        return Path(value)
    elif hint in (int, float):
        number = numbers.Integral if hint is int else numbers.Real
        if isinstance(value, number) and not isinstance(value, bool):
            return hint(value)
    elif isinstance(hint, type) and isinstance(value, hint):
        return value
    raise ConfigError(f"{key} cannot be {value!r}: it takes {_describe(hint)}.")


def _describe(hint: Any) -> str:
    """What a setting of this type takes, in words."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(map(_describe, options))
    if origin is Literal:
        return f"one of {', '.join(map(str, options))}"
    if origin is tuple and options[-1] is Ellipsis:
        return f"any number of values, each {_describe(options[0])}"
    if origin is tuple:
        return f"{len(options)} values: {', '.join(map(_describe, options))}"
    return WORDS.get(hint) or f"{hint.__name__}(...)"


def _suggest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: what it resembles, in whole or at its end."""

    def compare(name: str) -> tuple[float, float]:
        pair = word.strip("-"), name.strip("-")
        whole = difflib.SequenceMatcher(None, *pair).ratio()
        ends = difflib.SequenceMatcher(None, *(text.split(".")[-1] for text in pair)).ratio()
        return max(whole, 0.95 * ends), whole

    nearest = max(known, key=compare, default="")
    return f"; did you mean {nearest}?" if max(compare(nearest)) >= 0.6 else ""
