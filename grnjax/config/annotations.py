"""Types of settings and the marks that narrow them: what fits an annotation, and what it says.

Types of settings: bool, int, float, str, Path, None, Literal, tuple, unions of these; and configs.
A number that has a range, and a tuple that must not be empty, says so where it stands:

    epochs: Positive = 400
    widths: Annotated[tuple[Positive, ...], Items()] = (64, 64)
    share: Annotated[float, Range(0, 1, ends="(]")] = 0.5
"""

import dataclasses
import numbers
import types
import typing
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from grnjax.errors import ConfigError

MISSING = dataclasses.MISSING
UNIONS = (Union, types.UnionType)
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
            return f"{'at least' if opened == '[' else 'above'} {self.least}"
        if self.least is None:
            return f"{'at most' if closed == ']' else 'below'} {self.most}"
        return f"in {opened}{self.least}, {self.most}{closed}"


@dataclasses.dataclass(frozen=True)
class Items:
    """One item or more, as a mark of the annotation of a tuple of any length."""

    different: bool = False
    empty: bool = False  # whether none will do, too

    def holds(self, value: tuple) -> bool:
        """Whether a tuple is so."""
        repeats = self.different and len(set(value)) < len(value)
        return not repeats and (bool(value) or self.empty)

    def __str__(self) -> str:
        number = "any number of" if self.empty else "one or more"
        return f"{number} {'different ' * self.different}values"


Positive = Annotated[int, Range(1)]
Count = Annotated[int, Range(0)]
AtLeastTwo = Annotated[int, Range(2)]
Rate = Annotated[float, Range(0, ends="()")]
"""Above 0."""
Weight = Annotated[float, Range(0)]
Seconds = Annotated[float, Range(0)]
DropRate = Annotated[float, Range(0, 1, ends="[)")]
Share = Annotated[float, Range(0, 1, ends="()")]
Widths = Annotated[tuple[Positive, ...], Items()]
Seeds = Annotated[tuple[Count, ...], Items(different=True)]


def strip(hint: Any) -> Any:
    """The type without its marks."""
    return typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint


def list_marks(hint: Any) -> tuple:
    """The marks of an annotation."""
    return getattr(hint, "__metadata__", ())


class OutOfRangeError(ConfigError):
    """A value of the right type, which is not in the range that its annotation marks."""


def fit(value: Any, hint: Any, key: str) -> Any:
    """`value` in the type of `hint`: a list as a tuple, 1 as 1.0.

    Raises:
        ConfigError: a value of another type, too few items, or a number that is out of range.
    """
    found = _convert(value, hint, key)
    marks = list_marks(hint)
    if found is MISSING or not all(m.holds(found) for m in marks if isinstance(m, Items)):
        raise ConfigError(f"{key} cannot be {_show(value, hint)}: it takes {describe(hint)}.")
    if not all(mark.holds(found) for mark in marks if isinstance(mark, Range)):
        raise OutOfRangeError(f"{key} must be {describe_range(hint)}, got {found}")
    return found


def _convert(value: Any, hint: Any, key: str) -> Any:
    """`value` in the type of `hint`; MISSING if it is of another one."""
    hint = strip(hint)
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in UNIONS:
        return _choose(value, hint, key)
    if origin is Literal:
        equal = (option for option in options if type(option) is type(value) and option == value)
        return next(equal, MISSING)
    if origin is tuple and isinstance(value, (list, tuple)):
        kinds = options[:1] * len(value) if options[-1] is Ellipsis else options
        try:
            items = [fit(item, kind, f"each of {key}") for item, kind in zip(value, kinds)]
        except OutOfRangeError:
            raise
        except ConfigError:
            return MISSING
        return tuple(items) if len(kinds) == len(value) else MISSING
    if hint is Path and isinstance(value, (str, Path)):
        return Path(value)
    if hint in (int, float):
        number = numbers.Integral if hint is int else numbers.Real
        right = isinstance(value, number) and not isinstance(value, bool)
        return hint(value) if right else MISSING
    return value if isinstance(hint, type) and isinstance(value, hint) else MISSING


def _choose(value: Any, hint: Any, key: str) -> Any:
    """`value` in the first type of a union that it fits; MISSING if it fits none."""
    is_outside = False
    for option in typing.get_args(hint):
        try:
            return fit(value, option, key)
        except OutOfRangeError:
            is_outside = True
        except ConfigError:
            continue
    if is_outside:
        raise OutOfRangeError(f"{key} must be {describe_range(hint)}, got {value}")
    return MISSING


def describe_range(hint: Any) -> str:
    """The numbers that a setting of this type takes, in words: "0 or at least 2"."""
    origin, options = typing.get_origin(strip(hint)), typing.get_args(strip(hint))
    words = [str(mark) for mark in list_marks(hint) if isinstance(mark, Range)]
    if origin is Literal:
        words = list(map(str, options))
    elif origin is tuple or origin in UNIONS:
        words = list(filter(None, map(describe_range, options)))
    return " or ".join(words)


def _show(value: Any, hint: Any) -> str:
    """A value that does not fit, as the command line has it."""
    if typing.get_origin(strip(hint)) is not tuple:
        return repr(value)
    if isinstance(value, (list, tuple)):
        return repr(" ".join(map(str, value))) if value else "empty"
    return f"{value!r} alone"


def describe(hint: Any) -> str:
    """What a setting of this type takes, in words."""
    items = [str(mark) for mark in list_marks(hint) if isinstance(mark, Items)]
    hint = strip(hint)
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in UNIONS:
        return " or ".join(map(describe, options))
    if origin is Literal:
        return f"one of {', '.join(map(str, options))}"
    if origin is tuple and options[-1] is Ellipsis:
        return f"{''.join(items) or 'any number of values'}, each {describe(options[0])}"
    if origin is tuple:
        return f"{len(options)} values: {', '.join(map(describe, options))}"
    return WORDS.get(hint) or f"{hint.__name__}(...)"
