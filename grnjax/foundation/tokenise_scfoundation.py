"""Values and places of scFoundation (Hao et al. 2024, Methods, "read-depth-aware pretraining").

Counts are aligned to the genes of the model, and x = ln(1 + 10,000 * count / total), the total
after the alignment. Two more places follow the genes: T, the depth that is asked for, then S, the
depth of the cell, log10(total). The encoder reads the places with x > 0 in ascending order, T and S
last; the decoder all of them (`fill_places`).

Nothing is ranked or drawn, so there are no ties.
"""

import dataclasses
import re

import numpy as np
from jaxtyping import Bool, Float, Int32

from grnjax.errors import ConfigError
from grnjax.foundation.tokens import (
    CellTokens,
    TokeniserConfig,
    join_lists,
    keep_cells,
    select_genes,
    take_rows,
)
from grnjax.foundation.vocabulary import GeneMatch

SCALE = 10_000
DEPTH = re.compile(r"([tfa])(\d+(?:\.\d+)?)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScFoundationTokeniserConfig(TokeniserConfig):
    """How cells become values of genes and two depths.

    Of log values, which should be ln(1 + counts per 10,000), the total cannot be known: give it,
    else the sum of the logs stands for it as in the reference, which makes the depth far too small.
    """

    depth: str = "f2"
    """The depth T that is asked for: tX is log10(total) = X, fX is X times the cell's total, aX is
    X more than its log10."""

    def __post_init__(self):
        super().__post_init__()
        if split_depth(self.depth) is None:
            raise ConfigError(
                f"depth {self.depth!r} is none of tX, fX and aX with a number X, such as t4, f2 or "
                "a1."
            )


def split_depth(depth: str) -> tuple[str, float] | None:
    """Kind and number of a depth such as f2; None where it is none."""
    found = DEPTH.fullmatch(depth)
    if found is None or (found[1] == "f" and float(found[2]) == 0):
        return None
    return found[1], float(found[2])


def target_depth(totals: Float[np.ndarray, " cell"], depth: str) -> Float[np.ndarray, " cell"]:
    """T of cells with these totals; both are counts, T their log10."""
    kind, number = split_depth(depth) or ("f", 1.0)
    if kind == "t":
        return np.full(totals.shape, number)
    return np.log10(totals * number) if kind == "f" else np.log10(totals) + number


def tokenise(
    values,
    match: GeneMatch,
    genes: int,
    config: ScFoundationTokeniserConfig = ScFoundationTokeniserConfig(),
    *,
    totals: np.ndarray | None = None,
) -> CellTokens:
    """The places that the encoder reads, genes, T (place `genes`) and S, and the value of each.

    A cell with a total of 1 or less has no depth S above 0 and counts as empty.

    Args:
        values: [cell, gene] of a chunk, CSR or dense.
        match: of the columns with `vocabulary.number_genes` of the list of the model.
        genes: length of that list.
        totals: [cell] counts that stand for the sums over the genes of the model.

    Raises:
        ExpressionFormatError: values that are not what the settings say, or a cell with a total of
            1 or less where these are refused.
        ConfigError: the match has genes beyond the list, or T is not above 0.
    """
    if len(match.tokens) and match.tokens.max() >= genes:
        raise ConfigError(
            f"The match has a gene in place {match.tokens.max():,} and the list {genes:,} genes; "
            "match the columns with the list of this model."
        )
    rows = take_rows(values, config)
    selected, places = select_genes(rows, match, config)
    sizes = np.diff(selected.indptr)
    sums = np.asarray(selected.sum(axis=1), np.float64).ravel()
    if totals is not None:
        totals = np.asarray(totals, np.float64)
        if totals.shape != sums.shape or not np.isfinite(totals).all():
            raise ConfigError(
                f"{len(sums):,} cells and totals of shape {totals.shape}; give one finite number "
                "a cell."
            )
    totals = sums if totals is None else totals
    why = "have a total of 1 or less over the genes of the model"
    cells, report = keep_cells((totals > 1) & (sizes > 0), config, why)
    targets = np.zeros(len(totals))
    targets[cells] = target_depth(totals[cells], config.depth)
    if len(cells) and targets[cells].min() <= 0:
        raise ConfigError(
            f"depth {config.depth!r} asks for a log10 of {targets[cells].min():.3g}; it must be "
            "above 0, or the encoder does not see it."
        )
    lists, beside = [], []
    for cell in cells:
        part = slice(*selected.indptr[cell : cell + 2])
        own, counts = places[selected.indices[part]], selected.data[part]
        order = np.argsort(own)
        own, counts = own[order], counts[order]
        logs = counts if config.expression == "log" else np.log1p(counts / totals[cell] * SCALE)
        lists.append(np.concatenate([own, [genes, genes + 1]]))
        beside.append(np.concatenate([logs, [targets[cell], np.log10(totals[cell])]]))
    return join_lists(lists, beside, cells, report)


def fill_places(
    places: Int32[np.ndarray, "cell token"],
    values: Float[np.ndarray, "cell token"],
    is_real: Bool[np.ndarray, "cell token"],
    genes: int,
) -> Float[np.ndarray, "cell place"]:
    """What the decoder reads of padded cells: every gene, 0 where not detected, then T and S."""
    filled = np.zeros((len(places), genes + 2), np.float32)
    cells, _ = np.nonzero(is_real)
    filled[cells, places[is_real]] = values[is_real]
    return filled
