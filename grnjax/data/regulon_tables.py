"""Regulons as tables of edges: eRegulons of SCENIC+, and any network of TFs and targets."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from grnjax.data.edges import find_heading, parse_weights, take_edges
from grnjax.data.headings import find_columns, plain
from grnjax.data.names import check_genes
from grnjax.errors import EdgeFormatError
from grnjax.progress import logger

TOP = 50
"""Targets of a TF that are its regulon where a table ranks all pairs, as in SCENIC's modules."""
RANKINGS = ("importance", "edgeweight")  # headings of the weights of such tables
SPECIFIC = ({"importance", "tf2g"}, {"importance", "r2g"}, {"eregulon", "name"})
"""Words of a heading of which an eRegulon table has one; programs differ in their order."""


def words_of(heading: object) -> set[str]:
    """The words of a heading: importance_R2G and R2G_importance have the same."""
    return set(re.split(r"[^a-z0-9]+", str(heading).lower())) - {""}


def is_eregulon_table(headings: Sequence[object]) -> bool:
    """Whether these are headings of SCENIC+, of either generation."""
    found = list(map(words_of, headings))
    has_names = {"gene", "signature", "name"} in found
    return (
        {"tf"} in found and {"gene"} in found and (has_names or any(x in found for x in SPECIFIC))
    )


def take_eregulons(
    frame: pd.DataFrame, source: str, *, weight_column: str | None = None
) -> pd.DataFrame:
    """Regulons [regulon, tf, target, sign, weight, region] of a row a TF, region and gene.

    The names are those of the table; in older releases, which have none, TF_direct_+/+ is made of
    the TF, is_extended and the signs of TF-gene and region-gene. A gene of several regions has the
    largest weight, by default the importance of the TF for the gene. A TF may be its own target.
    """
    found = list(map(words_of, frame.columns))

    def column(*words: str) -> pd.Series | None:
        place = found.index({*words}) if {*words} in found else None
        return None if place is None else frame.iloc[:, place].reset_index(drop=True)

    def numbers(*words: str) -> pd.Series | None:
        values = column(*words)
        return None if values is None else pd.to_numeric(values, errors="coerce")

    table = pd.DataFrame({"tf": clean(column("tf")), "target": clean(column("gene"))})
    for role in ("tf", "target"):
        check_genes(table[role].unique(), source, EdgeFormatError)
    regulation = numbers("regulation")
    regulation = numbers("tf2g", "regulation") if regulation is None else regulation
    rho = numbers("rho", "tf2g")
    signs = rho if regulation is None else regulation
    table["sign"] = 0 if signs is None else np.sign(signs.fillna(0)).astype(np.int8)
    if weight_column is not None:
        weights = frame.iloc[:, find_heading(weight_column, list(map(str, frame.columns)), source)]
        weights = weights.reset_index(drop=True)
    else:
        weights = column("importance", "tf2g")
        weights = column("importance", "r2g") if weights is None else weights
    table["weight"] = 1.0 if weights is None else parse_weights(weights.astype(str), source)
    names = column("eregulon", "name")
    if names is not None:
        table["regulon"] = clean(names)
    else:
        table["regulon"] = name_eregulons(table, column, numbers("rho", "r2g"), source)
    region = column("region")
    table["region"] = "" if region is None else clean(region)
    rank = numbers("triplet", "rank")
    table["order"] = -table["weight"] if rank is None else rank.fillna(np.inf)
    table = table.sort_values(["regulon", "target", "order", "region"], kind="stable")
    groups = table.groupby(["regulon", "tf", "target"], sort=True)
    merged = groups.agg(weight=("weight", "max"), sign=("sign", "first"), region=("region", join))
    merged = merged.reset_index()
    return merged if (merged["region"] != "").any() else merged.drop(columns="region")


def clean(column: pd.Series) -> pd.Series:
    """The text of a column without blanks around it; "" where it is missing."""
    column = column.astype(object)
    return column.where(column.notna(), "").astype(str).str.strip()


def join(regions: pd.Series) -> str:
    """Regions, each once, with semicolons between them."""
    return ";".join(dict.fromkeys(region for region in regions if region))


def name_eregulons(table: pd.DataFrame, column, rho: pd.Series | None, source: str) -> pd.Series:
    """TF_direct_+/+ for each row: the signs of TF-gene and of region-gene."""
    if rho is None or (table["sign"] == 0).all():
        raise EdgeFormatError(
            f"{source}: no column eRegulon_name, and none of regulation and rho_R2G (R2G_rho) to "
            "make one of; give the table as SCENIC+ wrote it."
        )
    extended = column("is", "extended")
    words = "direct" if extended is None else clean(extended).str.lower().isin(["true", "1"])
    words = words if isinstance(words, str) else words.map({True: "extended", False: "direct"})
    first, last = (pd.Series(np.where(x > 0, "+", "-")) for x in (table["sign"], rho))
    return table["tf"] + "_" + words + "_" + first + "/" + last


def split_network(
    frame: pd.DataFrame,
    source: str,
    *,
    top: int | None = None,
    split_signs: bool = True,
    weight_column: str | None = None,
    is_ranking: bool | None = None,
) -> tuple[pd.DataFrame, dict]:
    """Regulons [regulon, tf, target, sign, weight] of a network, a TF or a TF and sign each.

    The edges are read as any network's (`edges.take_edges`), but an edge of a TF with itself stays.
    A table with negative weights or signs gives TF(+) and TF(-), as AUCell asks that targets are
    high, which those that a TF represses are not where it is active.

    Args:
        top: edges of a TF that are taken, the largest absolute weights first, ties by name; None
            takes `TOP` of a ranking (whose weights are called importance or EdgeWeight) and all
            of any other table.
        split_signs: whether the two signs are regulons of their own.
        is_ranking: whether it ranks pairs, where that is known.
    """
    headings = list(map(str, frame.columns))
    weights = weight_column or headings[find_columns(headings).get("weight", 0)]
    edges = take_edges(frame, source, weight_column=weight_column, keep_loops=True)
    report = dict(edges.attrs["report"])
    if "label" in edges:
        report["label_0"] = int((edges["label"] == 0).sum())
        edges = edges[edges["label"] == 1].drop(columns="label")
        if edges.empty:
            raise EdgeFormatError(f"{source}: every pair is labelled 0, so there is no edge.")
    if "weight" not in edges:
        edges = edges.assign(weight=1.0)
    if is_ranking is None:
        is_ranking = plain(weights) in RANKINGS and "weight" in find_columns(headings)
    edges, report["top"] = keep_top(edges, top or (TOP if is_ranking else None), source)
    if "sign" not in edges:
        edges = edges.assign(sign=np.sign(edges["weight"]) if (edges["weight"] < 0).any() else 0)
    names, sign = edges["tf"], edges["sign"]
    if split_signs and (sign < 0).any():
        names = names + sign.map({1: "(+)", -1: "(-)"}).fillna("")
    return edges.assign(regulon=names), report


def keep_top(edges: pd.DataFrame, top: int | None, source: str) -> tuple[pd.DataFrame, int | None]:
    """The edges of the largest absolute weights of each TF, and how many; all without a number."""
    if top is None:
        return edges, None
    order = np.lexsort((edges["target"], -edges["weight"].abs()))
    kept = edges.iloc[order].groupby("tf", sort=False).head(top)
    logger.info(
        f"{source}: the {top:,} top edges of each TF are its regulon: {len(kept):,} of "
        f"{len(edges):,} edges (--table.top)"
    )
    return kept, top
