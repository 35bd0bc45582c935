"""Cells as lists of tokens: what the tokenisers of all foundation models take and give.

A tokeniser takes a chunk of cells as CSR rows (or a small dense block), the genes found by
`vocabulary.match_genes`, and gives `CellTokens`. Nothing in it depends on which other cells are in
the chunk, so a matrix may come in chunks of any size and order.
"""

import dataclasses
from collections.abc import Iterable
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int32, Int64
from scipy import sparse

from grnjax.config import Settings
from grnjax.data.expression import LARGEST_LOG
from grnjax.data.names import list_names
from grnjax.errors import ConfigError, ExpressionFormatError
from grnjax.foundation.vocabulary import GeneMatch


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokeniserConfig(Settings):
    """What every tokeniser is told of the matrix."""

    expression: Literal["counts", "estimated", "log"] = "counts"
    """What the values are: whole counts, which is checked; estimated counts, which may be
    fractions; or values that were normalised and put on a log scale before, used as they are."""
    empty: Literal["skip", "refuse"] = "skip"
    """What becomes of a cell that gives no tokens: it is left out and counted, or an error."""


@dataclasses.dataclass(frozen=True, eq=False)
class CellTokens:
    """The tokens of some cells, one list after the other, and the counts of what was left out."""

    tokens: Int32[np.ndarray, " token"]
    values: Float[np.ndarray, " token"]  # float32, what stands beside each token
    starts: Int64[np.ndarray, " cell+1"]  # where the list of each cell begins; the end of the last
    cells: Int64[np.ndarray, " cell"]  # the row of the chunk that each list came from, ascending
    report: dict[str, int]

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def lengths(self) -> Int64[np.ndarray, " cell"]:
        """How many tokens each cell has."""
        return np.diff(self.starts)

    def list_of(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Tokens and values of one cell, by its place among those kept."""
        own = slice(*self.starts[place : place + 2])
        return self.tokens[own], self.values[own]

    def pad(
        self, places: np.ndarray, length: int, *, token: int, value: float
    ) -> tuple[
        Int32[np.ndarray, "cell length"],
        Float[np.ndarray, "cell length"],
        Bool[np.ndarray, "cell length"],
    ]:
        """Tokens, values and which of them are real, of these cells, padded on the right.

        Raises:
            ConfigError: a cell has more tokens than the length.
        """
        places = np.asarray(places)
        sizes = self.lengths[places]
        if len(sizes) and sizes.max() > length:
            raise ConfigError(
                f"A cell has {sizes.max():,} tokens and the rows {length:,}; give longer rows."
            )
        is_real = np.arange(length) < sizes[:, None]
        tokens = np.full(is_real.shape, token, np.int32)
        values = np.full(is_real.shape, value, np.float32)
        at = (self.starts[places][:, None] + np.arange(length))[is_real]
        tokens[is_real], values[is_real] = self.tokens[at], self.values[at]
        return tokens, values, is_real


def join_lists(
    tokens: Iterable[np.ndarray],
    values: Iterable[np.ndarray],
    cells: np.ndarray,
    report: dict[str, int],
) -> CellTokens:
    """`CellTokens` of one array of tokens and one of values a cell."""
    tokens, values = list(tokens), list(values)
    starts = np.concatenate([[0], np.cumsum([len(own) for own in tokens])]).astype(np.int64)
    empty = [np.zeros(0)]
    return CellTokens(
        np.concatenate(tokens or empty).astype(np.int32),
        np.concatenate(values or empty).astype(np.float32),
        starts,
        np.asarray(cells, np.int64),
        report,
    )


def take_rows(values, config: TokeniserConfig) -> sparse.csr_array:
    """The chunk as float64 CSR rows without stored zeros, checked to be what the settings say.

    Raises:
        ExpressionFormatError: values that are missing, infinite or negative, or fractions where
            counts are meant.
    """
    rows = sparse.csr_array(values, dtype=np.float64, copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    wrong = ~np.isfinite(rows.data)
    if wrong.any():
        raise ExpressionFormatError(
            f"{wrong.sum():,} of {rows.nnz:,} values are missing or infinite. Remove or fill them "
            "first."
        )
    wrong = rows.data < 0
    if wrong.any():
        raise ExpressionFormatError(
            f"{wrong.sum():,} of {rows.nnz:,} values are negative, so they are scaled or corrected "
            "values. Give counts: --matrix takes the name of a layer, or raw for .raw."
        )
    wrong = rows.data != np.rint(rows.data)
    if config.expression == "counts" and wrong.any():
        raise ExpressionFormatError(
            f"{wrong.sum():,} of {rows.nnz:,} values (up to {rows.data.max():.5g}) are no whole "
            "numbers. Give raw counts, or say what they are: --expression log for normalised "
            "values on a log scale, --expression estimated for counts that were estimated."
        )
    if config.expression == "log" and rows.nnz and rows.data.max() > LARGEST_LOG:
        raise ExpressionFormatError(
            f"Values up to {rows.data.max():.5g} are no logs of expression. Say what they are: "
            "--expression counts, or --expression estimated for counts that were estimated."
        )
    return rows


def select_genes(
    rows: sparse.csr_array, match: GeneMatch, config: TokeniserConfig
) -> tuple[sparse.csr_array, Int64[np.ndarray, " gene"]]:
    """The rows over the genes of the vocabulary that were found, and the token of each column.

    Columns of one gene are summed. The genes stand in the order of their first columns.

    Raises:
        ExpressionFormatError: logs of several columns would have to be summed, or the match is of
            another matrix.
    """
    if rows.shape[1] != match.genes:
        raise ExpressionFormatError(
            f"The rows have {rows.shape[1]:,} columns, and {match.genes:,} genes were matched. "
            "Match the genes of this matrix."
        )
    tokens, first, slot = np.unique(match.tokens, return_index=True, return_inverse=True)
    if len(tokens) < len(match.tokens) and config.expression == "log":
        repeated = tokens[np.bincount(slot) > 1]
        raise ExpressionFormatError(
            f"{len(match.tokens):,} columns are {len(tokens):,} genes of the vocabulary (tokens "
            f"{list_names(repeated)} repeatedly), and logs cannot be summed. Keep one column of "
            "each gene, or give counts."
        )
    order = np.argsort(first)
    place = np.argsort(order)[slot]
    at = (match.columns, place)
    chosen = sparse.csr_array((np.ones(len(place)), at), shape=(rows.shape[1], len(tokens)))
    selected = (rows @ chosen).tocsr()
    selected.sort_indices()
    return selected, tokens[order].astype(np.int64)


def keep_cells(
    has_tokens: Bool[np.ndarray, " cell"], config: TokeniserConfig, why: str
) -> tuple[Int64[np.ndarray, " cell"], dict[str, int]]:
    """The cells that give tokens, and how many there were and were left out.

    Raises:
        ExpressionFormatError: a cell gives none, and the settings refuse that.
    """
    skipped = np.flatnonzero(~has_tokens)
    if len(skipped) and config.empty == "refuse":
        raise ExpressionFormatError(
            f"{len(skipped):,} of {len(has_tokens):,} cells {why} ({list_names(skipped)} of them). "
            "Remove them, or leave them out with empty='skip'."
        )
    report = {"cells": len(has_tokens), "skipped": len(skipped)}
    return np.flatnonzero(has_tokens).astype(np.int64), report


def take_totals(
    rows: sparse.csr_array, totals: np.ndarray | None, needed: Bool[np.ndarray, " cell"]
) -> Float[np.ndarray, " cell"]:
    """The counts of each cell, float64: those given, or the sums of the rows.

    Raises:
        ExpressionFormatError: a total that is needed is missing or not above 0.
    """
    if totals is None:
        return np.asarray(rows.sum(axis=1), np.float64).ravel()
    totals = np.asarray(totals, np.float64)
    if totals.shape != rows.shape[:1]:
        raise ExpressionFormatError(
            f"{rows.shape[0]:,} cells, and totals of shape {totals.shape}. Give one total a cell."
        )
    wrong = needed & ~((totals > 0) & np.isfinite(totals))
    if wrong.any():
        raise ExpressionFormatError(
            f"{wrong.sum():,} cells have counts, and a total that is missing or not above 0 ("
            f"{list_names(np.flatnonzero(wrong))} of the rows). Leave the totals out to have them "
            "summed."
        )
    return totals
