"""What optional packages unlock: which are here, and the command that brings the others."""

import importlib.util
from typing import NamedTuple


class Feature(NamedTuple):
    """Something that grnjax does where further packages are installed."""

    name: str
    modules: tuple[str, ...]
    install: str  # what pip installs


FEATURES = (
    Feature("pictures", ("matplotlib",), "'grnjax[plot]'"),
    Feature("report.html", ("jinja2", "plotly"), "'grnjax[report]'"),
    Feature("parquet files", ("pyarrow",), "'grnjax[formats]'"),
    Feature("drugs as graphs", ("rdkit", "lightgbm"), "'grnjax[chem]'"),
    Feature("sweeps of settings", ("optuna",), "'grnjax[sweep]'"),
    Feature("activity by ULM", ("decoupler",), "decoupler"),
    Feature("objects of MuData", ("mudata",), "mudata"),
    Feature("cells in scanpy", ("scanpy",), "scanpy"),
)


def find_missing(feature: Feature) -> list[str]:
    """The packages of the feature that are not installed."""
    return [name for name in feature.modules if importlib.util.find_spec(name) is None]


def describe_features() -> list[str]:
    """A line a feature: that it is there, or what is missing and how to install it."""
    lines = []
    for feature in FEATURES:
        missing = find_missing(feature)
        if missing:
            said = f"needs {' and '.join(missing)}: pip install {feature.install}"
        else:
            said = "ready"
        lines.append(f"{feature.name:<20}{said}")
    return lines
