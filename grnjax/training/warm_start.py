"""Beginning a fit with arrays of an earlier model."""

from flax.traverse_util import flatten_dict, unflatten_dict

from grnjax.errors import ConfigError


def take_over(fresh: dict, given: dict | None) -> dict:
    """The variables with the arrays that were given in the place of those of the same paths.

    Raises:
        ConfigError: an array has another shape.
    """
    if given is None:
        return fresh
    here, there = flatten_dict(fresh, sep="/"), flatten_dict(given, sep="/")
    wrong = [path for path in here if path in there and here[path].shape != there[path].shape]
    if wrong:
        shown = "; ".join(f"{x} is {there[x].shape}, not {here[x].shape}" for x in wrong[:5])
        raise ConfigError(
            f"{len(wrong)} arrays to start from do not fit the model ({shown}); its sizes must be "
            "those of the checkpoint."
        )
    return unflatten_dict({path: there.get(path, leaf) for path, leaf in here.items()}, sep="/")


def count_taken(fresh: dict, given: dict | None) -> dict[str, int]:
    """Arrays of a model that are taken over, that start afresh, and that were given for nothing."""
    here, there = (set(flatten_dict(x or {}, sep="/")) for x in (fresh, given))
    return {
        "taken_over": len(here & there),
        "fresh": len(here - there),
        "unused": len(there - here),
    }
