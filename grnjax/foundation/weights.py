"""Arrays of a published checkpoint as the variables of a Flax module, and back, none left over.

A model lists its arrays as rules, one a kind:

    RULES = (
        Rule("encoder.{i}.linear.weight", "layer_{i}/inner/kernel", Linear()),
        Rule("encoder.{i}.in_proj_weight", QUERY_KEY_VALUE, Linear()),  # rows of three, one below
        Rule("projection", "layer_{i}/features", collection="buffers"),  # the other
        Ignored("head.{}", "the head of another task"),
    )

`{i}` stands for a number, `{}` for anything. A turn (`Linear`, `Flat`, `Same`) says how an array
that stands there is laid out here, both ways, so that the same rules write a checkpoint back.
"""

import dataclasses
import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from grnjax.errors import CheckpointError
from grnjax.progress import logger

SHOWN = 40  # names of one kind in a message


class Turn:
    """How an array is laid out there and here: unchanged, unless a subclass says otherwise."""

    def shape_there(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape there of an array that has `shape` here."""
        return shape

    def to_ours(self, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The array as it stands here, where it has `shape`."""
        return array

    def to_theirs(self, array: np.ndarray) -> np.ndarray:
        """The array as it stands there."""
        return array


class Same(Turn):
    """The array as it is: tables of vectors, scales."""


class Flat(Turn):
    """One axis there, several here: the bias of heads, [head, dim]."""

    def shape_there(self, shape):
        return (math.prod(shape),)

    def to_ours(self, array, shape):
        return array.reshape(shape)

    def to_theirs(self, array):
        return array.reshape(-1)


@dataclasses.dataclass(frozen=True)
class Linear(Turn):
    """A linear map, [output, input] there and [*input, *output] here, heads as axes of their own.

    Args:
        inputs: axes here that are summed over: 2 for [head, dim, width], 1 for [width, head, dim].
    """

    inputs: int = 1

    def shape_there(self, shape):
        return math.prod(shape[self.inputs :]), math.prod(shape[: self.inputs])

    def to_ours(self, array, shape):
        return array.T.reshape(shape)

    def to_theirs(self, array):
        return array.reshape(math.prod(array.shape[: self.inputs]), -1).T


@dataclasses.dataclass(frozen=True)
class Rule:
    """An array of theirs and where it stands here.

    Args:
        theirs: their name; `{i}` is a number.
        ours: the path here, in which `{i}` is the same number; several take equal parts of its
            rows, in that order.
        collection: of the variables of the Flax module; buffers are no parameters.
        also: other names that it has had; `theirs` is written.
    """

    theirs: str
    ours: str | tuple[str, ...]
    turn: Turn = Same()
    collection: str = "params"
    also: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names that it has there."""
        return self.theirs, *self.also

    @property
    def paths(self) -> tuple[str, ...]:
        """Where its parts stand, collection first."""
        ours = (self.ours,) if isinstance(self.ours, str) else self.ours
        return tuple(f"{self.collection}/{path}" for path in ours)


@dataclasses.dataclass(frozen=True)
class Ignored:
    """An array of theirs that has no place here, and why; `{}` in its name is anything.

    Args:
        equals: the name of an array that it must equal, as a tied one does.
    """

    theirs: str
    why: str
    equals: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All names that it has there."""
        return (self.theirs,)


Rules = Sequence[Rule | Ignored]


def list_norm_rules(theirs: str, ours: str) -> tuple[Rule, Rule]:
    """The rules of a layer normalisation."""
    return Rule(f"{theirs}.weight", f"{ours}/scale"), Rule(f"{theirs}.bias", f"{ours}/bias")


def list_dense_rules(theirs: str, ours: str) -> tuple[Rule, Rule]:
    """The rules of a linear map with a bias."""
    weight = Rule(f"{theirs}.weight", f"{ours}/kernel", Linear())
    return weight, Rule(f"{theirs}.bias", f"{ours}/bias")


def to_flax(arrays: Mapping[str, np.ndarray], rules: Rules, like: Mapping[str, Any]) -> dict:
    """The variables of a Flax module, from the arrays of a checkpoint.

    Arrays are cast to the types of `like`. What is ignored or loses digits is logged with its
    names.

    Args:
        like: the variables to fill, such as {"params": ..., "buffers": ...}, arrays or
            `jax.ShapeDtypeStruct`s (of `jax.eval_shape` of the module's init).

    Raises:
        CheckpointError: arrays are missing, have no place here, or do not fit; all are listed.
    """
    wanted, found = dict(name_leaves(like)), dict[str, Any]()
    unused, misshaped, rounded = [], [], []
    for name, array in arrays.items():
        rule, numbers = _find_rule(name, rules)
        if isinstance(rule, Ignored):
            if rule.equals is not None and not _equals(array, arrays.get(rule.equals)):
                misshaped.append(f"{name} differs from {rule.equals}, with which it should be tied")
            continue
        paths = [_fill_in(path, numbers) for path in rule.paths] if rule else []
        if rule is None or not all(path in wanted for path in paths):
            unused.append(name)
            continue
        if any(path in found for path in paths):
            unused.append(f"{name} (a second time)")
            continue
        problem = _compare(array, rule, [wanted[path] for path in paths])
        if problem:
            misshaped.append(f"{name} {problem}")
            found |= dict.fromkeys(paths)
            continue
        for part, path in zip(_split(array, len(paths)), paths, strict=True):
            found[path] = _cast(rule.turn.to_ours(part, wanted[path].shape), wanted[path])
        if not np.can_cast(array.dtype, found[paths[0]].dtype, "safe"):
            rounded.append(f"{name} ({array.dtype} to {found[paths[0]].dtype})")
    _raise_if_any(_name_missing(wanted, found, rules), unused, misshaped, len(arrays))
    _log(arrays, rules, rounded)
    return build_tree(found)


def to_torch(variables: Mapping[str, Any], rules: Rules) -> dict[str, np.ndarray]:
    """The arrays of a checkpoint by their names there, from the variables of a Flax module.

    Ignored arrays are left out; the types are those of the variables.

    Raises:
        CheckpointError: a variable has no name there; all are listed.
    """
    leaves, written, nameless = dict(name_leaves(variables)), {}, []
    for path in leaves:
        rule, numbers = _find_rule_of_ours(path, rules)
        if rule is None:
            nameless.append(path)
            continue
        name = _fill_in(rule.theirs, numbers)
        if name not in written:
            parts = [_fill_in(part, numbers) for part in rule.paths]
            turned = [rule.turn.to_theirs(np.asarray(leaves[part])) for part in parts]
            whole = np.concatenate(turned) if len(turned) > 1 else turned[0]
            written[name] = np.ascontiguousarray(whole).reshape(whole.shape)
    if nameless:
        raise CheckpointError(
            f"{len(nameless)} of {len(leaves)} arrays have no name in the published form "
            f"({_list(nameless)}); they belong to another model."
        )
    return written


def list_ignored(names: Sequence[str], rules: Rules) -> dict[str, str]:
    """The arrays that have no place here, each with the reason."""
    found = {name: _find_rule(name, rules)[0] for name in names}
    return {name: rule.why for name, rule in found.items() if isinstance(rule, Ignored)}


def strip_prefix(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The arrays without a prefix of their names, such as `module.`, where it has one."""
    return {name.removeprefix(prefix): array for name, array in arrays.items()}


def name_leaves(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """The leaves of nested dicts by their paths, `params/layer_0/kernel`."""
    leaves = []
    for key, value in tree.items():
        if isinstance(value, Mapping):
            leaves += name_leaves(value, f"{prefix}{key}/")
        else:
            leaves.append((prefix + key, value))
    return leaves


def build_tree(leaves: Mapping[str, Any]) -> dict:
    """Nested dicts from leaves by their paths, the inverse of `name_leaves`."""
    tree: dict = {}
    for path, leaf in leaves.items():
        *parents, name = path.split("/")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = leaf
    return tree


# Names


@functools.cache
def _compile(pattern: str) -> re.Pattern:
    """The pattern of a name: `{i}` a number by its letter, `{}` anything."""
    parts = re.split(r"\{(\w*)\}", pattern)
    text = re.escape(parts[0])
    for i in range(1, len(parts), 2):
        text += (f"(?P<{parts[i]}>[0-9]+)" if parts[i] else ".*") + re.escape(parts[i + 1])
    return re.compile(text)


def _find_rule(name: str, rules: Rules) -> tuple[Rule | Ignored | None, dict[str, str]]:
    """The first rule for an array of theirs, and the numbers in its name."""
    for rule in rules:
        for pattern in rule.names:
            if match := _compile(pattern).fullmatch(name):
                return rule, match.groupdict()
    return None, {}


def _find_rule_of_ours(path: str, rules: Rules) -> tuple[Rule | None, dict[str, str]]:
    """The first rule for a path of ours, and the numbers in it."""
    for rule in rules:
        for pattern in rule.paths if isinstance(rule, Rule) else ():
            match = _compile(pattern).fullmatch(path)
            if match and isinstance(rule, Rule):
                return rule, match.groupdict()
    return None, {}


def _fill_in(pattern: str, numbers: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda mark: numbers[mark[1]], pattern)


def _name_missing(wanted: Mapping, found: Mapping, rules: Rules) -> list[str]:
    """The arrays that were not found, by the names that they would have there."""
    names: dict[str, None] = {}
    for path in (path for path in wanted if path not in found):
        rule, numbers = _find_rule_of_ours(path, rules)
        names[_fill_in(rule.theirs, numbers) if rule else path] = None
    return [*names]


# Comparisons


def _equals(array: np.ndarray, other: np.ndarray | None) -> bool:
    return other is not None and array.shape == other.shape and bool((array == other).all())


def _compare(array: np.ndarray, rule: Rule, leaves: Sequence[Any]) -> str | None:
    """What of an array does not fit its places here; None if it does."""
    rows, *rest = shape = rule.turn.shape_there(tuple(leaves[0].shape)) or (None,)
    expected = (rows * len(leaves), *rest) if rows is not None else ()
    if any(rule.turn.shape_there(tuple(leaf.shape)) != shape for leaf in leaves[1:]):
        raise AssertionError(f"{rule.theirs}: its parts here have different shapes")
    if array.shape != expected:
        return f"is {[*array.shape]}, and {[*expected]} is needed"
    if (array.dtype.kind in "iub") != (np.dtype(leaves[0].dtype).kind in "iub"):
        return f"has numbers of type {array.dtype}, and {leaves[0].dtype} is needed"
    return None


def _split(array: np.ndarray, count: int) -> list[np.ndarray]:
    """Equal parts of the rows; a number has none."""
    return np.split(array, count) if count > 1 else [array]


def _cast(array: np.ndarray, leaf: Any) -> np.ndarray:
    return np.ascontiguousarray(array, leaf.dtype).reshape(leaf.shape)


# Messages


def _raise_if_any(missing, unused, misshaped, count: int) -> None:
    kinds = {"missing": missing, "without a place here": unused, "of another form": misshaped}
    shown = [f"{len(names)} {kind} ({_list(names)})" for kind, names in kinds.items() if names]
    if shown:
        raise CheckpointError(
            f"{count} arrays do not make this model: {'; '.join(shown)}. Weights and config file "
            "must be of one model and one release of it."
        )


def _list(names: Sequence[str]) -> str:
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _log(arrays: Mapping[str, np.ndarray], rules: Rules, rounded: Sequence[str]) -> None:
    """Says what was not used, by reason, and what lost digits."""
    ignored = list_ignored([*arrays], rules)
    for why in dict.fromkeys(ignored.values()):
        names = [name for name, reason in ignored.items() if reason == why]
        logger.info("%d of %d arrays not used, %s: %s", len(names), len(arrays), why, _list(names))
    if rounded:
        logger.info("%d of %d arrays rounded: %s", len(rounded), len(arrays), _list(rounded))
