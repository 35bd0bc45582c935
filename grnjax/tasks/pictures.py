"""Pictures by name, `grnjax.pl.network(network, tf="GATA1", save="gata1.svg")`.

Matplotlib (extra `plot`) is imported when a picture is drawn, and not before.
"""

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd

from grnjax.config import replace
from grnjax.errors import ConfigError
from grnjax.methods.kernel_factor.explanation import summarise_worth
from grnjax.tasks.ranked_network import RankedNetwork


@dataclasses.dataclass(frozen=True, eq=False)
class Drawable:
    """What kinds of pictures draw: edges of a network, figures of a run, or both."""

    method: str
    edges: pd.DataFrame | None = None
    rows: list[dict] = dataclasses.field(default_factory=list)
    worth_of_inputs: list[dict] = dataclasses.field(default_factory=list)
    candidates: Any = None
    scores: dict = dataclasses.field(default_factory=dict)
    every_score: Any = None
    folder: Path | None = None


def make_drawable(network: Any) -> Drawable:
    """What pictures need of a network, or of the results of another design.

    Args:
        network: a `RankedNetwork`, a data frame of edges, or the results of `grnjax.train`.

    Raises:
        ConfigError: it is none of these.
    """
    if isinstance(network, Drawable):
        return network
    if isinstance(network, RankedNetwork):
        is_by_fold = any("draw" in row for row in network.worth)
        return Drawable(
            method=network.method,
            edges=network.edges,
            rows=network.rows,
            worth_of_inputs=summarise_worth(network.worth) if is_by_fold else network.worth,
            candidates=network.candidates,
            scores=network.scores,
            every_score=network.every_score,
            folder=network.folder,
        )
    if isinstance(network, pd.DataFrame):
        return Drawable(method="the ranking", edges=network.rename(columns={"TF": "tf"}))
    if hasattr(network, "rows"):
        return Drawable(method=getattr(network, "method", ""), rows=network.rows)
    raise ConfigError(
        f"a {type(network).__name__} cannot be drawn; give a network of grnjax.infer or "
        "grnjax.read, or its edges."
    )


def load_kinds():
    """The base of all kinds of pictures.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from grnjax.plotting.picture import PictureConfig
    except ModuleNotFoundError as error:
        raise ConfigError(str(error)) from error
    return PictureConfig


def find_kind(name: str):
    """The settings class of a kind of picture.

    Raises:
        ConfigError: there is none of this name, or matplotlib is not installed.
    """
    base = load_kinds()
    found = base.find(name)
    if found is None:
        raise ConfigError(f"there is no picture {name!r}; choose one of {', '.join(base.NAMED)}.")
    return found


def tell_missing(kind, network: Any) -> str | None:
    """Why this network cannot be drawn so, in a sentence; None where it can."""
    from grnjax.errors import GrnjaxError

    try:
        kind().draw(network)
    except GrnjaxError as error:
        return str(error)
    return None


def draw(name: str, network: Any, *, ax=None, save=None, **settings: Any):
    """The picture of this kind as a matplotlib Figure, written to `save` if that is given."""
    kind = find_kind(name)
    from grnjax.plotting.picture import check_format, save_figure

    if save is not None:
        check_format(save)
    figure = replace(kind(), settings).draw(make_drawable(network), ax)
    if save is not None:
        save_figure(figure, save)
    return figure


class Pictures:
    """`grnjax.pl`: a function for each kind of picture, `dir(grnjax.pl)` names them.

    Each is called as KIND(network, ax=None, save=None, ...): a network of `grnjax.infer` or
    `grnjax.read`, or its edges; `ax` draws on axes of a figure of yours, `save`
    writes .png, .svg or .pdf, and what follows are the kind's own settings. It returns the
    matplotlib Figure.
    """

    __name__ = "pl"

    def __dir__(self) -> list[str]:
        try:
            return [name.replace("-", "_") for name in load_kinds().NAMED]
        except ConfigError:  # without matplotlib
            return []

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in dir(self) and dir(self):
            raise AttributeError(f"grnjax.pl has no {name!r}; it has {', '.join(dir(self))}")

        def picture(network: Any, *, ax=None, save=None, **settings: Any):
            return draw(name, network, ax=ax, save=save, **settings)

        if dir(self):
            kind = find_kind(name)
            given = [f"{field.name}={field.default!r}" for field in dataclasses.fields(kind)]
            picture.__doc__ = f"{kind.__doc__}\n\nSettings: {', '.join(given) or 'none'}."
        picture.__name__ = name
        return picture


pl = Pictures()
