"""Expression, network and TF list joined by gene name into the data set that a task works on."""

import numpy as np
import pandas as pd

from grnjax.data.edges import clean_edges
from grnjax.data.expression import Expression
from grnjax.data.names import count_names, identifier_kind, list_names, match_names
from grnjax.errors import GeneMismatchError
from grnjax.progress import logger
from grnjax.types import Dataset, GeneTable, LabelledPairs, StreamedExpression

FEWEST_EDGES = 2


def build_dataset(
    expression: Expression | None,
    edges: pd.DataFrame,
    *,
    tfs: list[str] | None,
    universe: list[str] | None,
    source: str,
) -> Dataset:
    """Genes, known pairs and the overlap report of a run.

    Args:
        expression: the measured genes; None for a network alone.
        edges: as `read_edges` returns them.
        tfs: the genes that may regulate; None for those with an outgoing edge.
        universe: the genes of the run; None for all measured ones and all of the network.
        source: what messages and the report call this data set.
    """
    if "report" not in edges.attrs:
        edges = clean_edges(edges, source)
    report = {"source": source}
    names = choose_genes(expression, edges, universe, report)
    values, is_measured = place_columns(expression, names)
    report |= {
        "cells": len(values),
        "measured": int(is_measured.sum()),
        "unmeasured": count_names(names[~is_measured]),
    }
    pairs = place_edges(edges, names, report, has_list=universe is not None)
    is_tf = mark_tfs(tfs, pairs, names, source, report)
    known = select_known(edges, pairs, is_tf, report)
    if len(known.positives) < FEWEST_EDGES:
        counts = ", ".join(f"{n:,} {what}" for what, n in report["edges"].items())
        raise GeneMismatchError(
            f"{source}: fewer than {FEWEST_EDGES} known edges are left ({counts}). "
            "Check that network, gene list and TF list use the same names."
        )
    if expression is not None and not is_measured[known.pairs].any():
        raise GeneMismatchError(
            f"{source}: none of the {len(np.unique(known.pairs)):,} genes of the network "
            f"({list_names(names[np.unique(known.pairs)])}) has expression "
            f"({list_names(expression.genes)}). Check the identifiers of both."
        )
    log_report(report)
    cells = None if expression is None else expression.cells
    return Dataset(GeneTable(names, is_tf, values, is_measured, cells), known, report)


def choose_genes(
    expression: Expression | None, edges: pd.DataFrame, universe: list[str] | None, report: dict
) -> np.ndarray:
    """The genes of the run, sorted: the universe, or else all of the file and of the network.

    A gene carries the spelling of the expression file where it was measured, else its own.
    """
    in_file = [] if expression is None else expression.genes.tolist()
    in_network = sorted(set(edges["tf"]) | set(edges["target"]))
    wanted = in_network if universe is None else universe
    match = match_names(wanted, in_file)
    if expression is not None:
        of = "network" if universe is None else "gene list"
        report |= match.report(f"{report['source']}, {of}")
    names = {
        in_file[place] if place >= 0 else name
        for name, place in zip(wanted, match.positions, strict=True)
    }
    if universe is None:
        names.update(in_file)
    report |= {
        "genes": len(names),
        "measured_outside_the_gene_list": count_names(sorted(set(in_file) - names)),
        "identifiers": {
            "expression": identifier_kind(in_file) if in_file else None,
            "network": identifier_kind(in_network),
        },
        "case_rule": match.rule,
        "case_ambiguous": count_names(sorted(match.ambiguous)),
        "orientation": expression and expression.report.get("orientation"),
        "raw_counts": expression and expression.report.get("raw_counts"),
        "expression": expression and expression.report,
    }
    return np.array(sorted(names), dtype=str)


def place_columns(
    expression: Expression | None, names: np.ndarray
) -> tuple[np.ndarray | StreamedExpression, np.ndarray]:
    """The expression with one column a gene, zeros where it was not measured, and where it was."""
    if expression is None:
        return np.zeros((0, len(names)), np.float32), np.zeros(len(names), dtype=bool)
    is_measured = np.isin(names, expression.genes)
    if isinstance(expression.values, StreamedExpression):
        place = np.searchsorted(expression.genes, names).clip(max=len(expression.genes) - 1)
        return expression.values.take(np.where(is_measured, place, -1), axis=1), is_measured
    values = np.zeros((len(expression.values), len(names)), np.float32)
    columns = np.searchsorted(expression.genes, names[is_measured])
    values[:, is_measured] = expression.values[:, columns]
    return values, is_measured


def place_edges(
    edges: pd.DataFrame, names: np.ndarray, report: dict, *, has_list: bool
) -> np.ndarray:
    """The gene indices [edge, 2] of TF and target, -1 for a name outside the gene list."""
    in_network = sorted(set(edges["tf"]) | set(edges["target"]))
    match = match_names(in_network, names.tolist())
    if has_list:
        report |= match.report(f"{report['source']}, network")
    place = dict(zip(in_network, match.positions.tolist(), strict=True))
    report["unknown_genes"] = count_names(name for name in in_network if place[name] < 0)
    if match.rule != "exact":
        report["case_rule"] = match.rule
    ends = [edges[role].map(place).to_numpy(np.int64) for role in ("tf", "target")]
    return np.stack(ends, axis=1)


def mark_tfs(
    tfs: list[str] | None, pairs: np.ndarray | None, names: np.ndarray, source: str, report: dict
) -> np.ndarray:
    """Which genes are TFs: those of the list, or else the sources of the edges."""
    is_tf = np.zeros(len(names), dtype=bool)
    if tfs is None:
        is_tf[pairs[(pairs >= 0).all(axis=1), 0]] = True
    else:
        match = match_names(tfs, names.tolist())
        match.report(f"{source}, TF list")
        places = match.positions
        is_tf[places[places >= 0]] = True
        absent = [tf for tf, place in zip(tfs, places, strict=True) if place < 0]
        report["tfs_not_found"] = count_names(absent)
        if not is_tf.any():
            raise GeneMismatchError(
                f"{source}: none of the {len(tfs):,} TFs of the list ({list_names(tfs)}: "
                f"{identifier_kind(tfs)}) is among the {len(names):,} genes "
                f"({list_names(names)}: {identifier_kind(names)}). Give a TF list of the same "
                "species and kind of name."
            )
    report["tfs"] = int(is_tf.sum())
    return is_tf


def select_known(
    edges: pd.DataFrame, pairs: np.ndarray, is_tf: np.ndarray, report: dict
) -> LabelledPairs:
    """The pairs between genes of the run whose source is a TF, sorted, with their labels."""
    has_genes = (pairs >= 0).all(axis=1)
    is_kept = has_genes & is_tf[pairs[:, 0]]
    labels = edges["label"].to_numpy() if "label" in edges else np.ones(len(edges))
    known = sort_pairs(pairs[is_kept], labels[is_kept])
    targets_of = np.bincount(known.positives[:, 0], minlength=len(is_tf))
    reading = edges.attrs["report"]
    report |= {
        "tfs_with_targets": int((targets_of > 0).sum()),
        "tfs_with_one_target": int((targets_of == 1).sum()),
        "edges": {
            "read": reading["rows"],
            "duplicates": reading["duplicates"],
            "repeated_pairs": reading["repeated_pairs"],
            "self_loops": reading["self_loops"],
            "unknown": int((~has_genes).sum()),
            "source_not_a_tf": int((has_genes & ~is_kept).sum()),
            "kept": len(known),
        },
    }
    return known


def sort_pairs(pairs: np.ndarray, labels: np.ndarray) -> LabelledPairs:
    """The labelled pairs in the order of TF and then target."""
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return LabelledPairs(pairs[order].astype(np.int32), labels[order].astype(np.float32))


def log_report(report: dict) -> None:
    """Says in one line what was joined, and in one each what could not be."""
    source, edges = report["source"], report["edges"]
    logger.info(
        f"{source}: {report['genes']:,} genes ({report['measured']:,} measured in "
        f"{report['cells']:,} cells), {report['tfs']:,} TFs ({report['tfs_with_targets']:,} with "
        f"targets, {report['tfs_with_one_target']:,} with one), {edges['kept']:,} known pairs; "
        f"names joined by {report['case_rule']} spelling"
    )
    dropped = {what: n for what, n in edges.items() if what not in ("read", "kept") and n}
    if dropped:
        counts = ", ".join(f"{n:,} {what.replace('_', ' ')}" for what, n in dropped.items())
        logger.warning(f"{source}: of {edges['read']:,} edges read, dropped: {counts}")
    lists = {
        "unmeasured": "genes without expression, kept as nodes",
        "unknown_genes": "genes of the network outside the gene list",
        "tfs_not_found": "TFs of the list outside the gene list",
        "measured_outside_the_gene_list": "measured genes outside the gene list, dropped",
        "case_ambiguous": "genes that upper case would confuse, joined by exact spelling only",
    }
    for key, meaning in lists.items():
        count, first = report.get(key, {"count": 0, "first": []}).values()
        if count:
            logger.info(f"{source}: {count:,} {meaning}: {', '.join(first)}")
