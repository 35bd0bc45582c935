"""Settings that check themselves: the base of all configs, and the types a setting can have.

Types of settings: bool, int, float, str, Path, None, Literal, tuple, unions of these; and configs.
A number that has a range says so where it stands:

    epochs: Positive = 400
    dropout: Annotated[float, Range(0, 1, ends="[)")] = 0.5
"""

import contextlib
import dataclasses
import difflib
import functools
import importlib
import numbers
import types
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Union

import tyro

from grnjax.errors import ConfigError

MISSING = dataclasses.MISSING
WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    type(None): "None",
}


@dataclasses.dataclass(frozen=True)
class Range:
    """The numbers that a setting takes, as a mark of its annotation."""

    least: float | None = None
    most: float | None = None
    ends: Literal["[]", "(]", "[)", "()"] = "[]"
    """A square bracket where the end itself is allowed."""

    def holds(self, value: float) -> bool:
        """Whether a number lies in it; NaN lies in none."""
        opened, closed = self.ends
        above = self.least is None or (value >= self.least if opened == "[" else value > self.least)
        below = self.most is None or (value <= self.most if closed == "]" else value < self.most)
        return value == value and above and below

    def __str__(self) -> str:
        opened, closed = self.ends
        if self.most is None:
            return f"{'at least' if opened == '[' else 'above'} {self.least:g}"
        if self.least is None:
            return f"{'at most' if closed == ']' else 'below'} {self.most:g}"
        return f"in {opened}{self.least:g}, {self.most:g}{closed}"


Positive = Annotated[int, Range(1)]
Count = Annotated[int, Range(0)]
AtLeastTwo = Annotated[int, Range(2)]
Rate = Annotated[float, Range(0, ends="()")]
"""Above 0."""
Weight = Annotated[float, Range(0)]
Dropout = Annotated[float, Range(0, 1, ends="[)")]
Share = Annotated[float, Range(0, 1, ends="()")]


class Settings:
    """Base of all configs, whose fields are checked against their annotations when one is made.

    A list is taken as a tuple and 1 as 1.0, as from JSON. A subclass that checks more, such as two
    settings against each other, calls `super().__post_init__()` first.

    Raises:
        ConfigError: a value that a setting cannot take, in the words of the command line.
    """

    NAMED: ClassVar[dict[str, str]] = {}
    """The classes that can stand in a field annotated with this one: name -> "module:Class". They
    are imported when they are named; others are named by their own "module:Class"."""

    def __post_init__(self):
        for setting in list_fields(self):
            value = fit(setting.value, setting.hint, setting.key)
            if value is not setting.value:
                object.__setattr__(self, setting.key, value)
            for number in value if isinstance(value, tuple) else (value,):
                check_range(number, setting.hint, setting.key)

    @classmethod
    def find(cls, name: str) -> type | None:
        """The class below this one that is called `name`; None if there is none.

        Names are those of `NAMED`, "module:Class", and the names of classes that have been
        imported, in any case and with or without hyphens.
        """

        def plain(text: str) -> str:
            return text.removesuffix("Config").lower().replace("-", "").replace("_", "")

        path = name
        for key, known in cls.NAMED.items():
            if plain(name) in (plain(key), plain(known.rpartition(":")[2])):
                path = known
        if ":" in path:
            return import_named(path, below=cls)
        found = {plain(known.__name__): known for known in subclasses(cls)}
        return found.get(plain(name))

    @classmethod
    def names(cls) -> list[str]:
        """The names that `find` knows."""
        paths = set(cls.NAMED.values())
        others = [k for k in subclasses(cls) if f"{k.__module__}:{k.__qualname__}" not in paths]
        return [*cls.NAMED, *(known.__name__.removesuffix("Config") for known in others)]


def import_named(path: str, *, below: type | None = None) -> Any:
    """What "package.module:name" names: a class below another one, if that is given."""
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{path} cannot be imported: {error}.") from error
    if below is not None and not (isinstance(found, type) and issubclass(found, below)):
        raise ConfigError(f"{path} is no {below.__name__}.")
    return found


@dataclasses.dataclass(frozen=True)
class Setting:
    """A field of a config: its key, its type, and its value, MISSING where it has none."""

    key: str
    hint: Any
    is_positional: bool
    value: Any

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


@functools.cache
def read_hints(kind: type) -> dict[str, tuple[Any, bool]]:
    """The type of each field, with its ranges, and whether it is positional."""
    hints = {}
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        marks = getattr(hint, "__metadata__", ())
        if tyro.conf.Positional in marks:
            hint = typing.get_args(hint)[0]
        hints[name] = hint, tyro.conf.Positional in marks
    return hints


def subclasses(kind: type) -> list[type]:
    """All classes below a base class that have been imported."""
    return [known for child in kind.__subclasses__() for known in (child, *subclasses(child))]


def strip(hint: Any) -> Any:
    """The type without its marks."""
    return typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint


def is_made(config: Any) -> bool:
    """Whether it is a config with values, and not the class of one."""
    return not isinstance(config, type)


def list_fields(config: Any) -> Iterator[Setting]:
    """The fields of one config, class or instance, parts included."""
    kind = type(config) if is_made(config) else config
    hints = read_hints(kind)
    for field in dataclasses.fields(kind):
        value = getattr(config, field.name) if is_made(config) else field.default
        if value is MISSING and field.default_factory is not MISSING:
            value = field.default_factory()
        yield Setting(field.name, *hints[field.name], value)


def walk(config: Any, prefix: str = "") -> Iterator[Setting]:
    """The settings of a config and of its parts, by dotted key."""
    for setting in list_fields(config):
        if setting.is_part:
            part = setting.hint if setting.value is MISSING else setting.value
            yield from walk(part, f"{prefix}{setting.key}.")
        else:
            yield dataclasses.replace(setting, key=prefix + setting.key)


def fit(value: Any, hint: Any, key: str) -> Any:
    """`value` in the type of `hint`: a list as a tuple, 1 as 1.0; a sentence if it is another."""
    hint = strip(hint)
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        for option in options:
            with contextlib.suppress(ConfigError):
                return fit(value, option, key)
    elif origin is Literal:
        for option in options:
            if type(option) is type(value) and option == value:
                return option
    elif origin is tuple and isinstance(value, (list, tuple)):
        kinds = options[:1] * len(value) if options[-1] is Ellipsis else options
        if len(kinds) == len(value):
            return tuple(fit(item, kind, key) for item, kind in zip(value, kinds))
    elif hint is Path and isinstance(value, (str, Path)):
        return Path(value)
    elif hint in (int, float):
        number = numbers.Integral if hint is int else numbers.Real
        if isinstance(value, number) and not isinstance(value, bool):
            return hint(value)
    elif isinstance(hint, type) and isinstance(value, hint):
        return value
    raise ConfigError(f"{key} cannot be {value!r}: it takes {describe(hint)}.")


def check_range(value: Any, hint: Any, key: str) -> None:
    """Refuses a number outside the range that its annotation marks."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        for mark in list_ranges(hint):
            if not mark.holds(value):
                raise ConfigError(f"{key} must be {mark}, got {value}")


@functools.cache
def list_ranges(hint: Any) -> tuple[Range, ...]:
    """The ranges that an annotation marks, inside a union or a tuple too."""
    own = tuple(mark for mark in getattr(hint, "__metadata__", ()) if isinstance(mark, Range))
    return own + tuple(mark for part in typing.get_args(hint) for mark in list_ranges(part))


def describe(hint: Any) -> str:
    """What a setting of this type takes, in words."""
    hint = strip(hint)
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(map(describe, options))
    if origin is Literal:
        return f"one of {', '.join(map(str, options))}"
    if origin is tuple and options[-1] is Ellipsis:
        return f"any number of values, each {describe(options[0])}"
    if origin is tuple:
        return f"{len(options)} values: {', '.join(map(describe, options))}"
    return WORDS.get(hint) or f"{hint.__name__}(...)"


def suggest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: what it resembles, in whole or at its end."""

    def compare(name: str) -> tuple[float, float]:
        pair = word.strip("-"), name.strip("-")
        whole = difflib.SequenceMatcher(None, *pair).ratio()
        ends = difflib.SequenceMatcher(None, *(text.split(".")[-1] for text in pair)).ratio()
        return max(whole, 0.95 * ends), whole

    nearest = max(known, key=compare, default="")
    return f"; did you mean {nearest}?" if max(compare(nearest)) >= 0.6 else ""
