"""Regulons of a ranked network: the edges that are confident enough, of the TFs that have enough.

A ranking has an opinion of every pair; programs that score regulons want sets. What is cut, where
and by which figure is said, and stands in the report of the regulons.
"""

import dataclasses
from typing import Literal

import numpy as np
import pandas as pd

from grnjax.config import Positive, Settings, Share
from grnjax.data.names import list_names
from grnjax.data.regulon_set import Regulons
from grnjax.data.regulon_tables import TOP
from grnjax.errors import ConfigError
from grnjax.progress import logger
from grnjax.types import CONFIDENT

SIGN_COLUMNS = ("sign", "expression_sign")  # of an edge: as known, or of the correlation


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegulonChoice(Settings):
    """Which edges of a ranked network are regulons."""

    probability: Share | None = None
    """Least probability of an edge; by default .5 where the network has probabilities."""
    top: Positive | None = None
    """Best targets of a TF at most; by default 50 where the network has no probabilities."""
    min_targets: Positive = 10
    """Targets that a regulon must have; smaller ones are left out and named."""
    keep_known: bool = False
    """Take known edges of a lower probability, too."""
    signs: Literal["split", "ignore"] = "split"
    """Whether targets that go up with a TF and those that go down are two regulons, TF(+) and
    TF(-), as in pySCENIC."""


def choose_regulons(edges: pd.DataFrame, choice: RegulonChoice = RegulonChoice()) -> Regulons:
    """The regulons of ranked edges.

    The weight of an edge is its probability, or its importance where there are none. Its sign is
    that of the network where it tells one, or else of the correlation over cells, and unknown (0)
    where neither is there: such targets are a regulon of the TF's own name.

    Args:
        edges: tf, target, importance, perhaps probability, status and expression_sign.

    Raises:
        ConfigError: no regulon is left, or a setting that the network cannot follow.
    """
    has_probability = "probability" in edges and bool(edges["probability"].notna().any())
    check_choice(edges, choice, has_probability)
    least = (choice.probability or CONFIDENT) if has_probability else None
    top = choice.top or (None if has_probability else TOP)
    kept = edges if least is None else edges[edges["probability"] >= least]
    if choice.keep_known:
        kept = edges[edges.index.isin(kept.index) | (edges["status"] == "known")]
    order = np.lexsort((kept["target"], -kept["importance"].to_numpy(), kept["tf"]))
    kept = kept.iloc[order]
    kept = kept if top is None else kept.groupby("tf", sort=False).head(top)
    weight = kept["probability" if has_probability else "importance"]
    column = next((name for name in SIGN_COLUMNS if name in kept), None)
    sign = 0 if column is None else np.sign(kept[column].fillna(0)).astype(np.int8)
    table = pd.DataFrame({"tf": kept["tf"], "target": kept["target"], "weight": weight})
    table["sign"] = sign
    table["regulon"] = table["tf"]
    if choice.signs == "split":
        table["regulon"] += table["sign"].map({1: "(+)", -1: "(-)"}).fillna("")
    sizes = table["regulon"].value_counts(sort=False)
    small = sorted(sizes.index[sizes < choice.min_targets])
    cut = f"probability >= {least:g}" if least is not None else f"the {top:,} best of each TF"
    cut += f", {top:,} best of each TF at most" if least is not None and top is not None else ""
    cut += ", and all known edges" if choice.keep_known else ""
    if len(small) == len(sizes):
        largest = f"the largest has {sizes.max():,}" if len(sizes) else "none has any"
        best = f" (the best edge has {edges['probability'].max():.3f})" if least else ""
        raise ConfigError(
            f"no regulon has {choice.min_targets:,} targets among the {len(kept):,} of "
            f"{len(edges):,} edges of {cut}{best}; {largest}: give a lower --probability or "
            "--min-targets, or --top=50 of each TF with --probability=0.001."
        )
    if small:
        logger.warning(
            f"left out: {len(small):,} of {len(sizes):,} regulons, which have fewer than "
            f"{choice.min_targets:,} targets (--min-targets): {list_names(small)}"
        )
    table = table[~table["regulon"].isin(small)]
    report = {
        "cut": cut,
        "edges": len(table),
        "of_edges": len(edges),
        "left_out": len(small),
        "sign": column or "unknown",
        "weight": weight.name,
    }
    return Regulons.of(table, report)


def check_choice(edges: pd.DataFrame, choice: RegulonChoice, has_probability: bool) -> None:
    """Refuses settings that need columns that the network lacks."""
    if choice.probability is not None and not has_probability:
        raise ConfigError(
            f"this network ranks by importance alone and has no probabilities to cut at "
            f"{choice.probability:g}: give --top=50, the best targets of each TF."
        )
    if choice.keep_known and "status" not in edges:
        raise ConfigError(
            "this network does not tell known edges from new ones; drop --keep-known."
        )
