"""Parameters that are held fixed, named by patterns over their paths.

What is fixed stands in a collection of its own and not among the parameters: no gradient of it is
computed, the optimiser keeps nothing for it, and weight decay cannot reach it.
"""

import fnmatch
from collections.abc import Sequence

import jax
from flax.traverse_util import flatten_dict, unflatten_dict

from grnjax.config.fields import suggest
from grnjax.data.names import list_names
from grnjax.errors import ConfigError
from grnjax.training.objective import TrainState

FROZEN = "frozen"
"""The collection of what is held fixed; no module asks for it."""


def split_frozen(parameters: dict, patterns: Sequence[str]) -> tuple[dict, dict]:
    """The parameters that are learned, and the collections that hold the others; none of nothing.

    Args:
        patterns: paths such as `embeddings` or `layer_0/attention`, which stand for all that is
            below them; `*`, `?` and `[0-3]` as in names of files, `*` for several levels too.

    Raises:
        ConfigError: a pattern that names nothing, or none is left to learn.
    """
    leaves = flatten_dict(parameters, sep="/")
    fixed = {path for pattern in patterns for path in match_paths(pattern, leaves)}
    if not fixed:
        return parameters, {}
    if len(fixed) == len(leaves):
        raise ConfigError(
            f"freeze names all {len(leaves)} arrays ({' '.join(patterns)}), so that nothing is "
            "learned; name fewer."
        )
    learned = {path: leaf for path, leaf in leaves.items() if path not in fixed}
    held = {path: leaves[path] for path in leaves if path in fixed}
    return unflatten_dict(learned, sep="/"), {FROZEN: unflatten_dict(held, sep="/")}


def match_paths(pattern: str, paths: Sequence[str]) -> list[str]:
    """The paths that a pattern names, or that lie below one that it names.

    Raises:
        ConfigError: there is none; the message has near ones.
    """
    plain = pattern.strip("/")
    below = f"{plain}/*"
    found = [x for x in paths if fnmatch.fnmatchcase(x, plain) or fnmatch.fnmatchcase(x, below)]
    if found:
        return found
    parts = path_prefixes(paths)
    near = suggest(plain, parts) or f"; known are {list_names(parts)}."
    raise ConfigError(f"freeze names {pattern}, and no parameter is called so{near}")


def path_prefixes(paths: Sequence[str]) -> list[str]:
    """The paths and all that stands above them, each once."""
    parts: dict[str, None] = {}
    for path in paths:
        words = path.split("/")
        parts |= dict.fromkeys("/".join(words[: i + 1]) for i in range(len(words)))
    return [*parts]


def thaw(variables: dict) -> dict:
    """The variables of the whole model: what was held fixed among the parameters again."""
    whole = flatten_dict(variables["params"], sep="/")
    whole |= flatten_dict(variables.get(FROZEN, {}), sep="/")
    others = {name: x for name, x in variables.items() if name not in ("params", FROZEN)}
    return {"params": unflatten_dict(whole, sep="/"), **others}


def gather(state: TrainState) -> dict:
    """The variables of the whole model in a state, what is frozen among the parameters."""
    return thaw({"params": state.parameters, **state.collections})


def count_frozen(variables: dict) -> dict[str, int]:
    """Arrays and numbers that are held fixed, and all that there are, for a report."""
    frozen = jax.tree.leaves(variables.get(FROZEN, {}))
    every = jax.tree.leaves(thaw(variables)["params"])
    return {
        "arrays": len(every),
        "frozen_arrays": len(frozen),
        "numbers": sum(int(x.size) for x in every),
        "frozen_numbers": sum(int(x.size) for x in frozen),
    }
