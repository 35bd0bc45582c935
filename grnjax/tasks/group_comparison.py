"""What differs between groups of cells, each with a network: TFs and edges, with intervals.

Told is what can be with an interval over cells: how many cells of a group have a TF, how high it
is, and how TF and target of an edge go together (`evaluation/group_differences.py`); where donors
are known, with one over donors too (`evaluation/donor_intervals.py`). For the importance of an edge
there is none, as that would take hundreds of fits.
"""

import dataclasses
import math
import tempfile
import zlib
from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from grnjax.data.batches import take_cells
from grnjax.data.label_matrix import locate_edges
from grnjax.evaluation.donor_comparison import compare_over_donors
from grnjax.evaluation.donor_intervals import draw_weights
from grnjax.evaluation.group_differences import (
    Contrast,
    Interval,
    bootstrap_cells,
    bound_share,
    contrast_groups,
)
from grnjax.methods.method import MethodConfig
from grnjax.types import GeneTable

FEWEST_DETECTED = 10  # cells with a gene; below, a resample says little of its mean or correlation
MOST_IN_MEMORY = 2**20  # pairs of a group
SAME = 1e-6  # by so much the importance of a pair may differ in float32


@dataclasses.dataclass(frozen=True, eq=False)
class GroupDifferences:
    """What differs between groups; `difference` is from the mean of the other groups."""

    tfs: pd.DataFrame  # a row a group and TF
    edges: pd.DataFrame  # a row a group and edge, of the best edges of all groups

    def count(self) -> dict[str, int]:
        """How many TFs and edges were compared, and differ in some group by a q of at most .05."""
        counts = {}
        for what, table, keys in (
            ("tfs", self.tfs, ["detected_q", "expression_q"]),
            ("edges", self.edges, ["correlation_q"]),
        ):
            names = ["tf", "target"][: 1 + (what == "edges")]
            differs = (table[keys] <= 0.05).any(axis=1)
            counts[f"{what}_compared"] = len(table[names].drop_duplicates())
            counts[f"{what}_that_differ"] = len(table.loc[differs, names].drop_duplicates())
        return counts


def place_edges(edges: pd.DataFrame, genes: GeneTable) -> Float[np.ndarray, "tf gene"]:
    """The importance of each pair, in float32 as files have it; NaN where it is not ranked.

    One of many pairs lies on disk, in a file without a name, as those of all groups are kept.
    """
    shape = len(genes.tfs), len(genes.names)
    if math.prod(shape) > MOST_IN_MEMORY:
        with tempfile.TemporaryFile() as file:
            matrix = np.memmap(file, np.float32, "w+", shape=shape)
    else:
        matrix = np.empty(shape, np.float32)
    matrix[:] = np.nan
    matrix[locate_edges(edges, genes)] = edges["importance"]
    return matrix


def compare_groups(
    genes: GeneTable,
    of_cell: np.ndarray,
    importance: Mapping[str, Float[np.ndarray, "tf gene"]],
    *,
    edges: int,
    resamples: int,
    seed: int,
    donors: Int[np.ndarray, " cell"] | None = None,
) -> GroupDifferences:
    """What differs between the groups, by their networks and cells, what differs most first.

    Correlations are those within batches, where these are told apart; shares and means are of the
    cells as measured.

    Args:
        genes: in all cells.
        of_cell: the group of each cell, [cell] str.
        importance: of each group that is compared; NaN where a pair is not ranked.
        edges: how many of the best of each group are compared between all of them.
        resamples: of the cells of each group, and of donors.
        donors: the number of the donor of each cell; None leaves intervals over cells.
    """
    groups, ranked = list(importance), list(importance.values())
    tables = [take_cells(genes, of_cell == name) for name in groups]
    x = [table.as_measured for table in tables]
    detected = np.stack([(cells != 0).sum(axis=0) for cells in x])  # [group, gene]
    pairs = choose_pairs(ranked, detected, genes, edges)
    tf, target = genes.tfs[pairs[:, 0]], pairs[:, 1]
    used = np.unique(np.concatenate([genes.tfs, target]))
    at = [np.searchsorted(used, index) for index in (tf, target, genes.tfs)]
    found: list[list[Interval]] = []
    for name, table, count in zip(groups, tables, detected, strict=True):
        within, cells = table.expression[:, used], table.as_measured[:, used]

        def bootstrap(values, pairs=slice(None), name=name) -> tuple[Interval, Interval]:
            rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
            pair = at[0][pairs], at[1][pairs]
            return bootstrap_cells(values, *pair, resamples=resamples, rng=rng)

        means, r = bootstrap(within)
        if table.batches is not None:
            means, _ = bootstrap(cells, slice(0))
        is_open = (count[tf] < FEWEST_DETECTED) | (count[target] < FEWEST_DETECTED)
        r = Interval(*(np.where(is_open, np.nan, figure) for figure in r))
        share = bound_share(count[genes.tfs], len(cells))
        found.append([share, Interval(*(figure[at[2]] for figure in means)), r])
    share, mean, r = (
        Interval(*(np.stack(figures) for figures in zip(*kind, strict=True)))
        for kind in zip(*found, strict=True)
    )
    names, sizes = genes.names.astype(object), np.array([[len(cells)] for cells in x])
    mean = widen(mean, share, detected[:, genes.tfs], sizes)
    figures = {"detected": share, "expression": mean, "correlation": r}
    if donors is None:
        compared = {key: (own, contrast_groups(*own)) for key, own in figures.items()}
    else:
        sampled = [donors[of_cell == name] for name in groups]
        weights = draw_weights(int(donors.max()) + 1, resamples, np.random.default_rng(seed))
        compared = compare_over_donors(figures, tables, sampled, weights, (tf, target))
    about = {
        "importance": np.stack([matrix[*pairs.T] for matrix in ranked]),
        "rank": np.stack([rank_values(matrix, matrix[*pairs.T]) for matrix in ranked]),
        "tf_detected": detected[:, tf] / sizes,
        "target_detected": detected[:, target] / sizes,
    }
    of_tfs: dict = {"group": groups, "tf": names[genes.tfs]}
    of_edges = {"group": groups, "tf": names[tf], "target": names[target]}
    columns = {"cells": sizes}
    if donors is not None:
        columns["donors"] = np.array([[len(np.unique(own))] for own in sampled])
    r_alone = {"correlation": compared.pop("correlation")}
    return GroupDifferences(tabulate(of_tfs, columns, compared), tabulate(of_edges, about, r_alone))


def choose_pairs(
    ranked: list[np.ndarray], detected: np.ndarray, genes: GeneTable, number: int
) -> np.ndarray:
    """The best pairs of each group whose genes enough of its cells have, [pair, (tf row, gene)]."""
    chosen = set()
    for matrix, count in zip(ranked, detected, strict=True):
        enough = count >= FEWEST_DETECTED
        score = np.where(enough[genes.tfs][:, None] & enough, matrix, np.nan).ravel()
        at = np.flatnonzero(np.isfinite(score))
        chosen |= {*at[np.argsort(-score[at], kind="stable")[:number]].tolist()}
    flat = np.array(sorted(chosen), int)
    return np.stack(np.divmod(flat, len(genes.names)), axis=1)


def rank_values(matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The rank of each value among those of the matrix, 1 the highest; NaN where it has none."""
    falling = np.sort(-matrix[np.isfinite(matrix)])
    return np.where(np.isfinite(values), np.searchsorted(falling, -values) + 1.0, np.nan)


def widen(
    mean: Interval,
    share: Interval,
    detected: Int[np.ndarray, "group row"],
    cells: Int[np.ndarray, "group 1"],
) -> Interval:
    """Means whose interval holds what Wilson's allows of a gene that hardly any cell has.

    A resample of cells without a gene has none either, so that the bootstrap is sure of a 0.
    There the upper limit is that of the share, at the level that cells of all groups have on
    average where they have the gene.
    """
    level = (mean.value * cells).sum(axis=0) / np.maximum(detected.sum(axis=0), 1)
    high = np.maximum(mean.high, share.high * level)
    return mean._replace(high=np.where(detected < FEWEST_DETECTED, high, mean.high))


def tabulate(
    names: dict, about: Mapping[str, np.ndarray], figures: Mapping[str, tuple[Interval, Contrast]]
) -> pd.DataFrame:
    """A row a group and TF or pair; for each figure its interval, difference, and that's interval.

    Rows are sorted by the distance from 0, in reaches of the interval, of what differs most.
    """
    first, *rest = names
    shape = len(names[first]), len(names[rest[0]])
    columns = {first: np.repeat(np.array(names[first], object), shape[1])}
    columns |= {name: np.tile(names[name], shape[0]) for name in rest}
    columns |= {key: np.broadcast_to(x, shape).ravel() for key, x in about.items()}
    most = np.zeros(shape)
    for name, (own, other) in figures.items():
        columns |= {
            name: own.value,
            f"{name}_low": own.low,
            f"{name}_high": own.high,
            f"{name}_difference": other.difference,
            f"{name}_difference_low": other.low,
            f"{name}_difference_high": other.high,
            f"{name}_q": other.q,
        }
        most = np.fmax(most, other.distance)
    table = pd.DataFrame({key: np.ravel(x) for key, x in columns.items()})
    return table.iloc[np.argsort(-most.ravel(), kind="stable")].reset_index(drop=True)


def write_notes(
    method: MethodConfig, edges: pd.DataFrame, donors: Int[np.ndarray, " cell"] | None = None
) -> list[str]:
    """What a reader of the differences must know, a sentence each.

    Args:
        edges: those of `compare_groups`, as are `donors`.
    """
    read = "expression" + " and accessibility" * bool(method.files().get("atac"))
    learns = "labels" in method.READS
    known = "Known edges are the same in every group" if learns else "No known edge is learned from"
    notes = [f"{known}: the groups differ by {read} alone."]
    pairs = edges.dropna(subset="importance").groupby(["tf", "target"])["importance"]
    shared = pairs.size() > 1
    if shared.any() and ((pairs.max() - pairs.min())[shared] <= SAME).all():
        notes.append(
            f"{method.name()} gives a pair the same importance in every group, as it does not look "
            "at cells: a group's own are which genes vary in it, detection and correlation."
        )
    elif shared.any():
        notes.append(
            "Edges were chosen by the cells that compare them, so that single intervals favour a "
            "difference: go by q."
        )
    sample = "the cells of a group and do not speak for other donors"
    if donors is not None:
        sample = f"{donors.max() + 1:,} donors, and at least as wide as those over cells"
    notes.append(f"Intervals are over {sample}; importance and rank have none.")
    return notes
