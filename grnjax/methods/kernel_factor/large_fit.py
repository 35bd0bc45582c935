"""The kernel-informed factor model where TFs times genes are many: nothing is made for all of it.

Members are trained on blocks of genes, snapshots are compared on the validation pairs of some
genes, and logits are computed by blocks of TFs. What nearest genes answer is asked of some TFs
first, and of all only where it tells enough.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from grnjax.data.label_matrix import LabelMatrix, places_of
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evaluation.swaps import sample_swaps
from grnjax.models.kernel_factor import PairGrid
from grnjax.models.nearest_genes import Nearest, ask_nearest
from grnjax.training.factor_blocks import take_genes, take_targets
from grnjax.training.factor_ensemble import score_members
from grnjax.types import LabelledPairs

PER_TF = ("tf_bias", "tf_factors", "per_tf", "neighbours_per_tf")  # parameters with one row a TF
MOST_COMPARED = 2**16  # validation pairs, about
LEAST_POSITIVES = 1000  # among them, where there are so many
SWAPS = 2**17
SCORED_AT_ONCE = 2**22  # pairs
TFS_ASKED_FIRST = 64
MOST_WEIGHING = 256
"""TFs whose labels weigh the kernels."""


@dataclasses.dataclass(frozen=True, eq=False)
class Panel:
    """Validation pairs by which snapshots are compared."""

    pairs: LabelledPairs
    rows: Int[np.ndarray, " pair"]
    genes: Int[np.ndarray, " gene"]  # the targets, ascending
    columns: Int[np.ndarray, " pair"]  # among them


def choose_panel(validation: LabelledPairs, tfs: np.ndarray, genes: int, seed: int) -> Panel:
    """The validation pairs of as many random genes as give about `MOST_COMPARED` pairs.

    Where edges are few, genes that have some are added until there are `LEAST_POSITIVES`.
    """
    targets = validation.pairs[:, 1]
    count = np.bincount(targets, minlength=genes)
    edges = np.bincount(targets, validation.labels, minlength=genes)
    order = np.random.default_rng(seed).permutation(genes)
    size = np.searchsorted(np.cumsum(count[order]), MOST_COMPARED) + 1
    rest = order[size:][edges[order[size:]] > 0]
    missing = LEAST_POSITIVES - edges[order[:size]].sum()
    more = np.searchsorted(np.cumsum(edges[rest]), missing) + 1 if missing > 0 else 0
    is_kept = np.zeros(genes, bool)
    is_kept[order[:size]] = is_kept[rest[:more]] = True
    kept = np.flatnonzero(is_kept)
    pairs = validation.take(is_kept[validation.pairs[:, 1]])
    rows, columns = places_of(pairs, tfs, genes)
    return Panel(pairs, rows, kept, np.searchsorted(kept, columns))


def score_on_panel(
    members: dict, grid: PairGrid, panel: Panel, criterion: tuple[str, ...]
) -> float:
    """The mean of the criterion's figures, swap concordance from a sample."""
    part = take_targets(members, panel.genes, axis=1)
    logits = np.asarray(score_members(part, take_genes(grid, panel.genes))).mean(axis=0)
    scores, pairs = logits[panel.rows, panel.columns], panel.pairs
    wanted = {*criterion, "auroc"} - {"swap_micro"}
    found = evaluate_pairs(pairs.pairs, pairs.labels, scores, only=wanted)
    if "swap_micro" in criterion:
        swap = sample_swaps(pairs.pairs, pairs.labels, scores, draws=SWAPS)["micro"]
        found["swap_micro"] = None if np.isnan(swap) else swap
    known = [found[x] for x in criterion if found[x] is not None]
    return float(np.mean(known or [found["auroc"]]))  # type: ignore[arg-type]  # not None


def logits_at(
    members: dict,
    grid: PairGrid,
    rows: Int[np.ndarray, " pair"],
    columns: Int[np.ndarray, " pair"],
) -> Float[np.ndarray, "member pair"]:
    """Logits of some pairs by each member, by blocks of TFs.

    Args:
        rows: of the TFs, in any order.
        columns: of the genes.
    """
    tfs, genes = len(grid.known_tf), len(grid.z)
    found = np.empty((len(members["tf_bias"]), len(rows)), np.float32)
    is_sorted = (rows[1:] >= rows[:-1]).all()
    order = None if is_sorted else np.argsort(rows, kind="stable")
    ascending = rows if order is None else rows[order]
    for block in tf_blocks(tfs, genes):
        first, last = np.searchsorted(ascending, (block.start, block.stop))
        here = slice(first, last) if order is None else order[first:last]
        if first == last:
            continue
        part = {name: x[:, block] if name in PER_TF else x for name, x in members.items()}
        logits = np.asarray(score_members(part, slice_tfs(grid, block)))
        found[:, here] = logits[:, rows[here] - block.start, columns[here]]
    return found


def tf_blocks(tfs: int, genes: int) -> Iterator[slice]:
    """TFs of about `SCORED_AT_ONCE` pairs each."""
    width = max(SCORED_AT_ONCE // genes, 1)
    return (slice(first, min(first + width, tfs)) for first in range(0, tfs, width))


def slice_tfs(grid: PairGrid, block: slice) -> PairGrid:
    """The grid of TFs that stand side by side: views, no copies."""
    return grid._replace(
        features=grid.features[:, block],
        attention=grid.attention[:, block],
        known_tf=grid.known_tf[block],
        neighbours=None if grid.neighbours is None else grid.neighbours[:, block],
    )


def ask_some_first(
    nearest: Nearest, train: LabelMatrix, counts: tuple[int, ...], *, least: float
) -> Float[np.ndarray, "count tf gene"] | None:
    """As `ask_nearest`; None where answers to some TFs, evenly chosen, tell too little."""
    seen = np.flatnonzero(train.observed.any(axis=1))
    some = seen[np.unique(np.linspace(0, len(seen) - 1, TFS_ASKED_FIRST).astype(int))]
    part = LabelMatrix(train.tfs[some], train.labels[some], train.observed[some])
    if not ask_nearest(nearest, part, counts, least=least).any():
        return None
    found = ask_nearest(nearest, train, counts, least=least)
    return found if found.any() else None
