"""Regulons written for other programs: sets, pySCENIC's tables and lists, decoupler's networks.

    gmt         a set a line: name, description, genes; R's AUCell, pySCENIC's `aucell`, GSEA
    json        {regulon: [genes]}, as pySCENIC's `ctx` writes .json
    pyscenic    the motif table of pySCENIC's `ctx`, .csv, which its `aucell` and `df2regulons` take
    decoupler   source, target and weight, whose sign is that of the regulation

The table of pySCENIC has columns on enriched motifs; there are none here, so that its figures are 0
and its annotation says where the targets come from.
"""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from grnjax.errors import CONTROL, ConfigError, EdgeFormatError
from grnjax.storage.files import write_atomic

Form = Literal["gmt", "json", "pyscenic", "decoupler"]
FORMS: dict[str, Form] = {
    ".gmt": "gmt",
    ".json": "json",
    ".csv": "pyscenic",
    ".tsv": "decoupler",
}
"""The form that a file has by the end of its name."""
FILES: dict[str, Form] = {
    "regulons.gmt": "gmt",
    "regulons.json": "json",
    "regulons.csv": "pyscenic",
    "regulons.tsv": "decoupler",
}
"""The files of a folder with all forms."""
MOTIF_COLUMNS = (
    "AUC",
    "NES",
    "MotifSimilarityQvalue",
    "OrthologousIdentity",
    "Annotation",
    "Context",
    "TargetGenes",
    "RankAtMax",
)


def choose_form(path: Path, form: Form | None) -> Form:
    """The form that is asked for, or that of the end of the file's name.

    Raises:
        ConfigError: the name ends in something else.
    """
    if form is not None:
        return form
    if path.suffix not in FORMS:
        known = ", ".join(f"{suffix} ({name})" for suffix, name in FORMS.items())
        raise ConfigError(
            f"{path}: regulons are written as {known}; end the name so, or give --form."
        )
    return FORMS[path.suffix]


def write_regulon_file(edges: pd.DataFrame, path: str | Path, form: Form | None = None) -> None:
    """Writes the regulons of named edges as one file, whole or not at all.

    Args:
        edges: regulon (its name), tf, target, weight and sign, sorted by regulon and target.
        form: by default that of the end of the name (`FORMS`).
    """
    path = Path(path)
    write_atomic(path, WRITERS[choose_form(path, form)](check_writable(edges)))


def check_writable(edges: pd.DataFrame) -> pd.DataFrame:
    """The edges, unless a name would break a line or field of what is written."""
    for column in ("regulon", "tf", "target"):
        names = edges[column].drop_duplicates()
        wrong = [name for name in names if CONTROL.search(name)]
        if wrong:
            raise EdgeFormatError(
                f"{len(wrong):,} names of a {column} hold tabs or other controls, the first "
                f"{wrong[0]!r}, which tables of regulons cannot hold; rename them."
            )
    return edges


def by_regulon(edges: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Name and edges of each regulon, the edges of the largest weights first."""
    order = np.lexsort((edges["target"], -edges["weight"].abs(), edges["regulon"]))
    return list(edges.iloc[order].groupby("regulon", sort=False))


def to_gmt(edges: pd.DataFrame) -> str:
    """A line a regulon: its name, one word (decoupler takes more for genes), and its genes."""
    lines = []
    for name, own in by_regulon(edges):
        lines.append("\t".join([name, "grnjax", *own["target"]]) + "\n")
    return "".join(lines)


def to_json(edges: pd.DataFrame) -> str:
    """Lists of genes by the name of the regulon, best first."""
    sets = {name: own["target"].tolist() for name, own in by_regulon(edges)}
    return json.dumps(sets, indent=1, ensure_ascii=False) + "\n"


def to_motif_table(edges: pd.DataFrame) -> str:
    """A row a regulon under pySCENIC's two lines of headings.

    pySCENIC knows activating and repressing regulons only, and takes any other for activating.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["", "", *["Enrichment"] * len(MOTIF_COLUMNS)])
    table.writerow(["", "", *MOTIF_COLUMNS])
    table.writerow(["TF", "MotifID", *[""] * len(MOTIF_COLUMNS)])
    for name, own in by_regulon(edges):
        sign = "repressing" if (own["sign"] < 0).all() else "activating"
        weights = own["weight"].abs().to_numpy(np.float64).round(6).tolist()
        targets = repr(list(zip(own["target"].tolist(), weights, strict=True)))
        about = f"no motif: targets ranked by grnjax for {name}"
        figures = [0.0, 0.0, 0.0, 1.0, about, f"frozenset({{'{sign}'}})", targets, 0]
        table.writerow([own["tf"].iloc[0], "grnjax", *figures])
    return text.getvalue()


def to_decoupler(edges: pd.DataFrame) -> str:
    """A row an edge: TF, target, and the weight with the sign of the regulation."""
    sign = np.where(edges["sign"] < 0, -1.0, 1.0)
    table = pd.DataFrame({"source": edges["tf"], "target": edges["target"]})
    table["weight"] = (edges["weight"].abs() * sign).astype(np.float32)
    table = table.drop_duplicates(["source", "target"]).sort_values(["source", "target"])
    return table.to_csv(sep="\t", index=False, lineterminator="\n")


WRITERS: dict[Form, Callable[[pd.DataFrame], str]] = {
    "gmt": to_gmt,
    "json": to_json,
    "pyscenic": to_motif_table,
    "decoupler": to_decoupler,
}
