"""Binned tokens of scBERT (Yang et al. 2022, Methods, "expression embedding").

Counts are aligned to the genes of the model, 0 for a gene that was not measured, and cells with few
detected genes are left out. Then x = log2(1 + 10,000 * count / total), the total after the
alignment, and the token is x without its fraction, at most `bins`. Every gene has a token, in the
order of the list; one token 0 stands behind them, in the place of a token for the cell.

Bins begin at whole x: a value exactly at one belongs to the upper bin. 2^k is compared with
1 + 10,000 * count / total, so that no rounding of a logarithm decides it.
"""

import dataclasses

import numpy as np

from grnjax.config import Count, Positive
from grnjax.errors import ConfigError
from grnjax.foundation.tokens import (
    CellTokens,
    TokeniserConfig,
    keep_cells,
    select_genes,
    take_rows,
)
from grnjax.foundation.vocabulary import GeneMatch

SCALE = 10_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScBertTokeniserConfig(TokeniserConfig):
    """How cells become bins. Log values are taken for log2(1 + counts per 10,000)."""

    bins: Positive = 5
    """The highest bin; the rows of the model's token table minus 2."""
    least_genes: Count = 200
    """Detected genes of the model that a cell needs; one at least in any case."""


def tokenise(
    values,
    match: GeneMatch,
    genes: int,
    config: ScBertTokeniserConfig = ScBertTokeniserConfig(),
) -> CellTokens:
    """The bin of every gene of the model and the last 0, and beside each its x.

    All lists have the same length, genes + 1, so that a chunk takes 8 bytes a gene and cell.

    Args:
        values: [cell, gene] of a chunk, CSR or dense.
        match: of the columns with `vocabulary.number_genes` of the list of the model.
        genes: length of that list.

    Raises:
        ExpressionFormatError: values that are not what the settings say, or a cell with too few
            detected genes where these are refused.
        ConfigError: the match has genes beyond the list.
    """
    if len(match.tokens) and match.tokens.max() >= genes:
        raise ConfigError(
            f"The match has a gene in place {match.tokens.max():,} and the list {genes:,} genes; "
            "match the columns with the list of this model."
        )
    rows = take_rows(values, config)
    selected, tokens = select_genes(rows, match, config)
    detected, least = np.diff(selected.indptr), max(config.least_genes, 1)
    why = f"have fewer than {least:,} detected genes of the vocabulary"
    cells, report = keep_cells(detected >= least, config, why)
    selected = selected[cells]
    if config.expression == "log":
        logs, bins = selected.data, np.trunc(selected.data)
    else:
        totals = np.asarray(selected.sum(axis=1)).ravel()
        per_cell = np.repeat(totals, np.diff(selected.indptr))
        scaled = 1 + selected.data * SCALE / per_cell
        logs = np.log2(scaled)
        bins = np.searchsorted(2.0 ** np.arange(1, config.bins + 1), scaled, side="right")
    shape = len(cells), genes + 1
    at = np.repeat(np.arange(len(cells)), np.diff(selected.indptr)), tokens[selected.indices]
    dense = np.zeros(shape, np.int32)
    dense[at] = np.minimum(bins, config.bins)
    beside = np.zeros(shape, np.float32)
    beside[at] = logs
    starts = np.arange(len(cells) + 1, dtype=np.int64) * shape[1]
    return CellTokens(dense.ravel(), beside.ravel(), starts, cells, report)
