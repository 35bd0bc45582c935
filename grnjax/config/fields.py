"""Settings that check themselves: the base of all configs, and what their fields are."""

import dataclasses
import difflib
import functools
import importlib
import sys
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Self, TypeVar

import tyro

from grnjax.config.annotations import MISSING, fit, list_marks, strip
from grnjax.errors import ConfigError

Kind = TypeVar("Kind")


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

    def __init_subclass__(cls):
        super().__init_subclass__()
        cls.NAMED = vars(cls).get("NAMED", {})  # those of a base may not be below this class

    def __post_init__(self):
        for setting in list_fields(self):
            value = fit(setting.value, setting.hint, setting.key)
            if value is not setting.value:
                object.__setattr__(self, setting.key, value)

    @classmethod
    def find(cls, name: str) -> type[Self] | None:
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
        """The names that `find` knows, but those of classes that others are built on."""
        paths = set(cls.NAMED.values())
        made = [known for known in subclasses(cls) if not known.__subclasses__()]
        others = [k for k in made if f"{k.__module__}:{k.__qualname__}" not in paths]
        return [*cls.NAMED, *(known.__name__.removesuffix("Config") for known in others)]


def renamed(**old: str) -> Callable[[type[Kind]], type[Kind]]:
    """A config class that takes settings by former names too, for one version: old=new."""

    def accept(kind: type[Kind]) -> type[Kind]:
        make = kind.__init__

        @functools.wraps(make)
        def __init__(self, **settings):
            for name in old.keys() & settings.keys():
                new = old[name]
                print(f"{kind.__name__}({name}=...) is now {new}=....", file=sys.stderr)
                settings[new] = settings.pop(name)
            make(self, **settings)

        kind.__init__ = __init__  # type: ignore[method-assign]
        return kind

    return accept


def import_named(path: str, *, below: type | None = None) -> Any:
    """What "package.module:name" names: a class below another one, if that is given."""
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError, TypeError) as error:  # TypeError: of "../x"
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
    def bare(self) -> Any:
        """The type without its marks."""
        return strip(self.hint)

    @property
    def is_part(self) -> bool:
        """Whether it is a config itself."""
        return dataclasses.is_dataclass(self.value) or dataclasses.is_dataclass(self.bare)

    @property
    def is_switch(self) -> bool:
        """Whether it has two flags without a value on the command line."""
        return self.bare is bool and self.value is not MISSING

    @property
    def flags(self) -> list[str]:
        """Its names on the command line; the second one of a switch turns it off."""
        parents, dot, name = self.key.replace("_", "-").rpartition(".")
        return [f"--{parents}{dot}{no}{name}" for no in ("", "no-")[: 1 + self.is_switch]]

    def takes(self, count: int) -> bool:
        """Whether its flag can be followed by that many words."""
        options = typing.get_args(self.bare)
        if typing.get_origin(self.bare) is tuple:
            return options[-1] is Ellipsis or count <= len(options)
        return count <= 1


@functools.cache
def read_hints(kind: type) -> dict[str, tuple[Any, bool]]:
    """The type of each field, with its marks, and whether it is positional."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {name: (hint, tyro.conf.Positional in list_marks(hint)) for name, hint in hints.items()}


def subclasses(kind: type[Kind]) -> list[type[Kind]]:
    """All classes below a base class that have been imported."""
    children: list[type[Kind]] = kind.__subclasses__()
    return [known for child in children for known in (child, *subclasses(child))]


def is_made(config: Any) -> bool:
    """Whether it is a config with values, and not the class of one."""
    return not isinstance(config, type)


def list_fields(config: Any) -> Iterator[Setting]:
    """The fields of one config, class or instance, parts included."""
    kind: type = type(config) if is_made(config) else config
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


def suggest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: what it resembles, in whole or at its end."""

    def compare(name: str) -> tuple[float, float]:
        pair = word.strip("-"), name.strip("-")
        ends = [text.split(".")[-1] for text in pair]
        whole, at_end = (difflib.SequenceMatcher(None, a, b).ratio() for a, b in (pair, ends))
        return max(whole, 0.95 * at_end), whole

    nearest = max(known, key=compare, default="")
    return f"; did you mean {nearest}?" if max(compare(nearest)) >= 0.6 else ""
