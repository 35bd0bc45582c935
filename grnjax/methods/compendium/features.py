"""What other cells' lists and motifs say of each pair of a TF and a gene, column by column.

Nothing here is fitted, and nothing is of the cells under test: the lists are those that are left
(`TargetLists.without`, `TargetLists.nested`). *Alike* asks lists of other TFs, in other cells,
weighted by how they go together with the TF's own lists: a target that a list in another cell has
missed is found where its neighbours bind. *Motif alike* asks the same lists by the TF's motifs, as
a TF without a list has no other way to tell which lists are like its own.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from grnjax.baselines.other_lists import occupancy_rate, residual_same
from grnjax.data.compendium.aliases import name_tf
from grnjax.data.compendium.lists import TargetLists

FEATURES = ("rate", "same", "alike", "rate, lists alike", "motif", "motif alike", "motifs")
LOOK_UP = (0, 1)  # the columns whose sum is the row to beat
GATES = ("has lists", "log cell types", "has motif")
MOST = 12.0  # of any feature; a list of a hundredth of the genes has residuals near 10
FEWEST_TARGETS = 30  # of a TF's lists, to be asked for another TF


class PairFeatures(NamedTuple):
    """What is known of pairs, and of their TFs."""

    pairs: Float[np.ndarray, "tf gene feature"]  # in the order of `FEATURES`
    tfs: Float[np.ndarray, "tf gate"]  # in the order of `GATES`


def describe_pairs(
    lists: TargetLists, motifs: TargetLists | None, tfs: Sequence[str]
) -> PairFeatures:
    """The features of these TFs with all genes.

    Args:
        lists: of binding, in other cells than those under test.
        motifs: one list a TF over the same genes; None without any.
    """
    genes, names = len(lists.genes), list(tfs)
    pairs = np.zeros((len(names), genes, len(FEATURES)), np.float32)
    rate = 2 * np.log1p(occupancy_rate(lists))
    pairs[..., 0], pairs[..., 3] = rate, 2 * np.log1p(occupancy_rate(lists, alike=True))
    pairs[..., 1] = residual_same(lists, names)
    asked = sorted({tf for tf, n in zip(lists.tfs, lists.counts) if n >= FEWEST_TARGETS})
    others = residual_same(lists, asked).astype(np.float32)
    is_own = np.array([name_tf(tf) for tf in names])[:, None] == np.array(asked, dtype=str)
    pairs[..., 2] = ask_others(pairs[..., 1], others, is_own)
    cells = np.array([len(lists.cells_of(tf)) for tf in names])
    gates = np.zeros((len(names), len(GATES)), np.float32)
    gates[:, 0], gates[:, 1] = cells > 0, np.log1p(cells)
    if motifs is not None:
        of_motif = residual_same(motifs, names).astype(np.float32)
        pairs[..., 4] = of_motif
        pairs[..., 5] = ask_others(of_motif, others, is_own)
        pairs[..., 6] = 2 * np.log1p(occupancy_rate(motifs))
        gates[:, 2] = [len(motifs.rows_of(tf)) > 0 for tf in names]
    return PairFeatures(np.clip(pairs, -MOST, MOST, out=pairs), gates)


def ask_others(
    query: Float[np.ndarray, "tf gene"],
    others: Float[np.ndarray, "other gene"],
    is_own: Bool[np.ndarray, "tf other"],
) -> Float[np.ndarray, "tf gene"]:
    """Other TFs' lists, weighted by their correlation with what is known of the TF; unit deviation.

    0 for a TF of which nothing is known.
    """

    def unit(rows: np.ndarray) -> np.ndarray:
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(length > 0, length, 1)

    weights = np.where(is_own, np.float32(0), unit(query) @ unit(others).T)
    found = weights @ others
    spread = found.std(axis=1, keepdims=True)
    return found / np.where(spread > 0, spread, 1)
