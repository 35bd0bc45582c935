"""What the page holds as data: its charts, and of each TF as many targets as there is room for."""

import dataclasses
import json

import numpy as np
import pandas as pd

from grnjax.report.contents import TERM

MOST_TARGETS = 60
MOST_TERMS = 8


@dataclasses.dataclass(frozen=True, eq=False)
class Regulon:
    """The ranked targets of one TF in one network."""

    group: str
    tf: str
    edges: pd.DataFrame  # its rows, best first


@dataclasses.dataclass(eq=False)
class Payload:
    """Charts by their name, and regulons."""

    charts: dict[str, dict] = dataclasses.field(default_factory=dict)
    regulons: list[Regulon] = dataclasses.field(default_factory=list)
    terms: list[str] = dataclasses.field(default_factory=list)
    confident: float | None = None

    def add_chart(self, name: str, traces: list[dict], layout: dict, height: int = 320) -> str:
        """Keeps a chart; its name comes back. Colours are the style sheet's: var(--method)."""
        self.charts[name] = {"traces": traces, "layout": layout, "height": height}
        return name

    def fit(self, room: int) -> dict:
        """All of it, of each TF as many targets as fit into so many bytes of JSON."""
        value = self.lay_out(MOST_TARGETS)
        most = MOST_TARGETS
        while most > 1 and len(json.dumps(value, separators=(",", ":")).encode()) > room:
            most = most * 2 // 3
            value = self.lay_out(most)
        return value

    def lay_out(self, most: int) -> dict:
        """All of it with at most so many targets a TF."""
        names = pd.unique(
            np.concatenate([r.edges["target"].to_numpy()[:most] for r in self.regulons] or [[]])
        )
        place = {name: number for number, name in enumerate(names)}
        regulons: dict[str, dict] = {}
        for regulon in self.regulons:
            rows = [
                self.lay_edge(row, place) for row in regulon.edges.head(most).to_dict("records")
            ]
            own = {"of": len(regulon.edges), "edges": rows}
            regulons.setdefault(regulon.group, {})[regulon.tf] = own
        return {
            "charts": self.charts,
            "genes": list(map(str, names)),
            "terms": self.terms,
            "confident": self.confident,
            "regulons": regulons,
        }

    def lay_edge(self, row: dict, place: dict) -> list:
        """Target, figure, low, high, sign, status (1 known, 0 new, null untold), and terms."""
        figure = row.get("probability", row["importance"])
        status = {"known": 1, "new": 0}.get(row.get("status"))
        bounds = [shorten(row.get(end)) for end in ("low", "high")]
        sign = row.get("expression_sign")
        laid = [place[row["target"]], shorten(figure), *bounds, None if sign is None else int(sign)]
        laid.append(status)
        if self.terms:
            terms = [(n, row[TERM + name]) for n, name in enumerate(self.terms)]
            terms.sort(key=lambda term: -abs(term[1]))
            shown = [[n, shorten(value)] for n, value in terms[:MOST_TERMS] if abs(value) >= 5e-4]
            rest = sum(value for _, value in terms[MOST_TERMS:])
            laid.append([*shown, [-1, shorten(rest)]] if len(terms) > MOST_TERMS else shown)
        return laid


def shorten(value: float | None) -> float | None:
    """Four digits are enough for the eye."""
    return float(f"{value:.4g}") if value is not None and np.isfinite(value) else None
