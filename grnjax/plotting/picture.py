"""What a kind of picture is: settings that draw a network, on axes of their own or of yours.

A new kind is one file with a `PictureConfig` in it, and a line in `NAMED`, or
`grnjax plot RUN module:Class`. Nothing here imports matplotlib.
"""

import dataclasses
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from grnjax.config import Settings
from grnjax.errors import ConfigError, EdgeFormatError, GeneMismatchError
from grnjax.storage.files import write_atomic
from grnjax.types import CONFIDENT

if TYPE_CHECKING:  # pictures are imported when one is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PictureConfig(Settings):
    """Settings of a kind of picture; each has a subclass in the file that draws it."""

    NAMED: ClassVar[dict[str, str]] = {
        "regulators": "grnjax.plotting.regulators:RegulatorsPicture",
        "network": "grnjax.plotting.tf_network:NetworkPicture",
        "scores": "grnjax.plotting.heat_map:ScoresPicture",
        "precision-recall": "grnjax.plotting.curves:PrecisionRecallPicture",
        "contributions": "grnjax.plotting.explanation:ContributionsPicture",
        "worth": "grnjax.plotting.worth:WorthPicture",
        "comparison": "grnjax.plotting.comparison:ComparisonPicture",
        "decomposition": "grnjax.plotting.decomposition:DecompositionPicture",
    }

    def draw(self, network: Any, ax: "Axes | None" = None) -> "Figure":
        """The picture of a network, or of the figures of a run.

        Args:
            network: has what the kind draws: `edges`, `rows`, `worth`.
            ax: axes of a figure to draw on; by default a figure of its own.

        Raises:
            GrnjaxError: the network lacks what the kind draws.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how it is drawn")


def take_edges(network: Any, *needed: str) -> pd.DataFrame:
    """The edges of a network, best first, with these columns.

    Raises:
        EdgeFormatError: there are none, or a column is missing.
    """
    edges = network if isinstance(network, pd.DataFrame) else getattr(network, "edges", None)
    if edges is None or edges.empty:
        raise EdgeFormatError("there is no ranked network to draw; give a run of grnjax infer.")
    missing = [name for name in ("tf", "target", "importance", *needed) if name not in edges]
    if missing:
        raise EdgeFormatError(f"the edges have no {' and no '.join(missing)} to draw.")
    return edges.sort_values("importance", ascending=False, kind="stable")


def take_rows(network: Any, *figures: str) -> list[dict]:
    """The rows of figures of merit that have all of these.

    Raises:
        ConfigError: there are none, as where nothing is known to judge by.
    """
    rows = getattr(network, "rows", None) or []
    found = [row for row in rows if all(row.get(name) is not None for name in figures)]
    if not found:
        raise ConfigError(
            f"the run has no {' and '.join(figures)}: nothing was known to judge it by, or its "
            "folds are too small."
        )
    return found


def are_confident(edges: pd.DataFrame) -> pd.Series:
    """Which edges have a probability of one half or more; of a ranking without, 50 of each TF."""
    if "probability" in edges and edges["probability"].notna().any():
        return edges["probability"] >= CONFIDENT
    return edges.groupby("tf").cumcount() < 50


def choose_tf(edges: pd.DataFrame) -> str:
    """The TF with most confident targets; of equal ones that with the best edge."""
    counts = edges.loc[are_confident(edges), "tf"].value_counts()
    order = edges["tf"].drop_duplicates()  # best first
    return str(max(order, key=lambda tf: counts.get(tf, 0)))


def choose_edge(edges: pd.DataFrame, tf: str | None, target: str | None) -> pd.Series:
    """The best edge of this TF and target, or the best new one where neither is given."""
    found = edges
    for column, name in (("tf", tf), ("target", target)):
        if name is not None:
            found = found[found[column] == name]
            if found.empty:
                pair = f"{tf or '?'} -> {target or '?'}"
                raise GeneMismatchError(
                    f"no ranked edge {pair}: {name} is no {column} of it; the best edge is "
                    f"{edges.iloc[0]['tf']} -> {edges.iloc[0]['target']}."
                )
    if tf is None and target is None and "status" in found and (found["status"] == "new").any():
        found = found[found["status"] == "new"]
    return found.iloc[0]


def check_format(path: str | Path) -> Path:
    """The path, if its name ends in a format of pictures."""
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"{path}: pictures are {', '.join(FORMATS)}; end the name so.")
    if not path.parent.is_dir():
        raise ConfigError(f"{path.parent} is no folder, so {path.name} cannot stand in it.")
    return path


def save_figure(figure: "Figure", path: str | Path) -> None:
    """Writes the figure, whole or not at all; the same figure gives the same bytes.

    Letters of .svg and .pdf stay letters, so that they can be searched and edited.
    """
    import matplotlib

    path = check_format(path)
    kind, content = path.suffix.lower().removeprefix("."), io.BytesIO()
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    settings = {"svg.fonttype": "none", "svg.hashsalt": "grnjax", "pdf.fonttype": 42}
    with matplotlib.rc_context(settings):
        figure.savefig(content, format=kind, metadata=undated)
    write_atomic(path, content.getvalue())
