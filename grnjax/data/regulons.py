"""Any regulon table read: eRegulons, networks, pySCENIC's motif tables, GMT, and lists in memory.

Which of these a file is, its content says: headings, or lines of many lengths. Nothing that is read
is evaluated.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pandas as pd

from grnjax.config import Positive, Settings
from grnjax.data.annotated import ANNOTATED
from grnjax.data.edge_forms import find_annotated, name_columns
from grnjax.data.names import check_genes, count_names, list_names
from grnjax.data.regulon_lists import (
    TARGETS,
    allow_long_fields,
    is_gmt,
    is_motif_table,
    read_sets,
    take_gmt,
    take_motif_rows,
    take_motif_table,
    take_sets,
)
from grnjax.data.regulon_set import Regulons
from grnjax.data.regulon_tables import is_eregulon_table, split_network, take_eregulons
from grnjax.data.safe_text import hold_rows
from grnjax.data.sniff import identify
from grnjax.data.tables import read_parquet, read_rows
from grnjax.errors import ConfigError, EdgeFormatError
from grnjax.progress import logger

Layout = Literal["auto", "eregulons", "network", "pyscenic", "gmt", "json"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegulonConfig(Settings):
    """How a table becomes regulons."""

    layout: Layout = "auto"
    """What the table is: a row a TF, region and gene (eregulons), edges (network), motifs with
    lists of targets (pyscenic) or sets of genes (gmt, json); auto looks at its content."""
    top: Positive | None = None
    """Top edges of a TF that are its regulon; by default 50 where a table ranks pairs (importance,
    EdgeWeight), and all of any other network."""
    signs: Literal["split", "ignore"] = "split"
    """Whether the targets that a TF activates and those that it represses are two regulons, TF(+)
    and TF(-), where a network tells them apart."""
    weight_column: str | None = None
    """Heading of the weights where it is not that of the layout."""


def read_regulons(source, config: RegulonConfig = RegulonConfig()) -> Regulons:
    """The regulons of a table, with TF, sign, weights and regions as far as it has them.

    Args:
        source: the path of a table in text (gzip too), .parquet or AnnData, a data frame of any of
            these layouts, or named lists of genes.

    Raises:
        EdgeFormatError: it is none of these, or damaged.
        ConfigError: a setting that does not apply to it.
    """
    if isinstance(source, Regulons):
        return source
    if isinstance(source, Mapping):
        edges, layout, report = take_sets(source, "sets"), "sets", {"source": "sets"}
    elif isinstance(source, pd.DataFrame):
        edges, layout, report = take_frame(source, "data frame", config)
    elif isinstance(source, (str, Path)):
        edges, layout, report = read_file(source, config)
    else:
        raise EdgeFormatError(
            f"regulons cannot be a {type(source).__name__}: give the path of a table, a data frame "
            "with TFs and targets, or a dict of lists of genes."
        )
    check_settings(config, layout, report["source"])
    if edges.empty:
        raise EdgeFormatError(f"{report['source']}: no regulon has a target.")
    check_genes(edges["target"].unique(), report["source"], EdgeFormatError)
    check_genes(edges["regulon"].unique(), report["source"], EdgeFormatError)
    found = Regulons.of(edges)
    tfs = edges["tf"].nunique()
    of = "" if layout in ("gmt", "json", "sets") else f" of {tfs:,} TFs"
    logger.info(
        f"{report['source']}: {len(found.names):,} regulons{of}, {len(edges):,} targets "
        f"({layout}): {list_names(found.names)}"
    )
    report |= {"layout": layout, "regulons": count_names(found.names)}
    return dataclasses.replace(found, report=report | {"tfs": tfs, "edges": len(edges)})


def read_file(path: str | Path, config: RegulonConfig) -> tuple[pd.DataFrame, str, dict]:
    """Regulons [regulon, tf, target, ...] of a file, its layout and a report."""
    sets = read_sets(path)
    if sets is not None:
        if config.layout not in ("auto", "json"):
            raise wrong_layout(path, config, "it is JSON")
        return take_sets(sets, path), "json", {"source": str(path), "sets": len(sets)}
    kind = identify(path, EdgeFormatError).kind
    if kind in ANNOTATED:
        table, is_matrix = find_annotated(path, config.weight_column)
        column = config.weight_column if config.weight_column in table else None
        config = dataclasses.replace(config, weight_column=column)
        return take_frame(table, str(path), config, is_ranking=is_matrix or None)
    if kind == "parquet":
        frame = read_parquet(path, EdgeFormatError)
        has_names = not isinstance(frame.index, pd.RangeIndex)
        return take_frame(frame.reset_index() if has_names else frame, str(path), config)
    with allow_long_fields():
        rows = hold_rows(read_rows(path, EdgeFormatError), path, EdgeFormatError)
    report = {"source": str(path), "rows": len(rows)}
    if config.layout == "pyscenic" or (config.layout == "auto" and is_motif_table(rows)):
        if not is_motif_table(rows):
            raise wrong_layout(path, config, f"no column {TARGETS}")
        return take_motif_table(rows, path), "pyscenic", report
    if config.layout == "gmt" or (config.layout == "auto" and is_gmt(rows, path)):
        return take_gmt(rows, path), "gmt", report
    headings = [field.strip() for field in rows[0]]
    if config.layout != "network" and is_eregulon_table(headings):
        width = len(headings)
        for number, row in enumerate(rows[1:], start=1):
            if len(row) != width:
                raise EdgeFormatError(
                    f"{path}: row {number} has {len(row):,} fields where {width:,} are expected. "
                    "The table is damaged; write it again."
                )
        return take_frame(pd.DataFrame(rows[1:], columns=headings), str(path), config)
    return take_frame(name_columns(rows, path), str(path), config)


def take_frame(
    frame: pd.DataFrame, source: str, config: RegulonConfig, *, is_ranking: bool | None = None
) -> tuple[pd.DataFrame, str, dict]:
    """Regulons [regulon, tf, target, ...] of a table in memory, its layout and a report."""
    if isinstance(frame.columns, pd.MultiIndex):  # pySCENIC's, read by pandas
        frame = frame.reset_index()
        frame.columns = [next((x for x in key[::-1] if x), "") for key in frame.columns]
    report = {"source": source, "rows": len(frame)}
    headings = list(frame.columns)
    if frame.empty:
        raise EdgeFormatError(f"{source}: headings and no rows.")
    if config.layout in ("auto", "pyscenic") and TARGETS in headings:
        motifs = frame if "TF" in frame else frame.reset_index()
        if "TF" not in motifs:
            raise EdgeFormatError(f"{source}: no TF beside {TARGETS}; give the table with both.")
        context = motifs["Context"] if "Context" in motifs else ""
        rows = pd.DataFrame({"tf": motifs["TF"], "context": context, "targets": motifs[TARGETS]})
        return take_motif_rows(rows, source), "pyscenic", report
    if config.layout in ("auto", "eregulons") and is_eregulon_table(headings):
        edges = take_eregulons(frame, source, weight_column=config.weight_column)
        return edges, "eregulons", report
    if config.layout not in ("auto", "network"):
        raise wrong_layout(source, config, f"its columns are {list_names(headings)}")
    edges, more = split_network(
        frame,
        source,
        top=config.top,
        split_signs=config.signs == "split",
        weight_column=config.weight_column,
        is_ranking=is_ranking,
    )
    return edges, "network", report | more


def wrong_layout(source: object, config: RegulonConfig, what: str) -> EdgeFormatError:
    """The error about a table that is not what the settings say."""
    return EdgeFormatError(
        f"{source}: no table of the layout {config.layout}: {what}. Leave --table.layout out, or "
        "choose another."
    )


def check_settings(config: RegulonConfig, layout: str, source: object) -> None:
    """Refuses settings that a layout does not have."""
    default, unused = RegulonConfig(), []
    if layout != "network":
        unused += [
            name for name in ("top", "signs") if getattr(config, name) != getattr(default, name)
        ]
        if layout != "eregulons" and config.weight_column is not None:
            unused.append("weight_column")
    if unused:
        flags = ", ".join(f"--table.{name.replace('_', '-')}" for name in unused)
        raise ConfigError(f"{source}: {flags} is of no use to {layout}; leave it out.")
