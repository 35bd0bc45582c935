"""Rank-value tokens of Geneformer (Theodoris et al. 2023, Methods, "rank value encoding").

The value of a gene in a cell is v = count / total * 10,000 / median, the total over all genes of
the assay and the median that of the gene's non-zero values in the pretraining corpus. The tokens of
a cell are its genes with v > 0 by falling v, cut to the length of the model; V2 models stand
`<cls>` before and `<eos>` behind them, within that length.

Ties: of equal v the smaller token comes first. So the order of the columns, of the cells and of the
chunks changes nothing. (The reference sorts unstably, and so leaves ties to the machine.)
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from grnjax.config import Positive
from grnjax.data.names import list_names
from grnjax.errors import ConfigError
from grnjax.foundation.tokens import (
    CellTokens,
    TokeniserConfig,
    join_lists,
    keep_cells,
    select_genes,
    take_rows,
    take_totals,
)
from grnjax.foundation.vocabulary import GeneMatch, find_special, is_special

SCALE = 10_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneformerTokeniserConfig(TokeniserConfig):
    """How cells become ranked genes.

    Of log values no total is taken, as that changes no rank; they are divided by the medians, which
    is not what the model was trained on.
    """

    length: Positive = 2048
    """Most tokens of a cell, special ones too: 2,048 of V1 models and 4,096 of the others; the
    positions of the model."""


@dataclasses.dataclass(frozen=True, eq=False)
class GeneformerVocabulary:
    """The token of each gene, its median, and the special tokens."""

    tokens: Mapping[str, int]  # Ensembl id -> token, special names too
    medians: Mapping[str, float]  # Ensembl id -> non-zero median
    ends: tuple[int, int] | None  # <cls> and <eos>; None where the vocabulary has neither
    median_of: Float[np.ndarray, " token"]  # NaN for special tokens


def make_vocabulary(
    tokens: Mapping[str, int], medians: Mapping[str, float]
) -> GeneformerVocabulary:
    """The vocabulary of a model from its two dictionaries.

    Raises:
        ConfigError: a gene has a token and no positive median, or tokens repeat.
    """
    genes = [name for name in tokens if not is_special(name)]
    lacking = [name for name in genes if not 0 < float(medians.get(name, 0)) < np.inf]
    if lacking:
        raise ConfigError(
            f"{len(lacking):,} of {len(genes):,} genes of the token dictionary have no positive "
            f"median ({list_names(lacking)}). Take both dictionaries of the same release."
        )
    numbers = np.array([int(token) for token in tokens.values()], np.int64)
    if len(np.unique(numbers)) < len(numbers) or numbers.min(initial=0) < 0:
        raise ConfigError(
            f"The {len(numbers):,} names of the token dictionary have "
            f"{len(np.unique(numbers)):,} different tokens from {numbers.min(initial=0):,}; every "
            "name needs one of its own, from 0."
        )
    median_of = np.full(numbers.max(initial=0) + 1, np.nan)
    for name in genes:
        median_of[int(tokens[name])] = float(medians[name])
    ends = None
    if "<cls>" in tokens or "<eos>" in tokens:
        first, last = find_special(tokens, "<cls>", "<eos>")
        ends = first, last
    return GeneformerVocabulary(tokens, medians, ends, median_of)


def tokenise(
    values,
    match: GeneMatch,
    vocabulary: GeneformerVocabulary,
    config: GeneformerTokeniserConfig = GeneformerTokeniserConfig(),
    *,
    totals: np.ndarray | None = None,
) -> CellTokens:
    """The ranked genes of each cell, and beside each its value v; special tokens have 0.

    Args:
        values: [cell, gene] of a chunk, CSR or dense.
        match: of the columns with `vocabulary.tokens`.
        totals: [cell] counts over all genes of the assay; None for the sums of these rows.

    Raises:
        ExpressionFormatError: values that are not what the settings say, or a cell without any gene
            of the vocabulary where these are refused.
        ConfigError: no room for a gene beside the special tokens.
    """
    room = config.length - (2 if vocabulary.ends else 0)
    if room < 1:
        raise ConfigError(f"length {config.length} leaves no room beside <cls> and <eos>.")
    rows = take_rows(values, config)
    selected, tokens = select_genes(rows, match, config)
    sizes = np.diff(selected.indptr)
    cells, report = keep_cells(sizes > 0, config, "have no gene of the vocabulary")
    owner = np.repeat(np.arange(len(sizes)), sizes)
    own = tokens[selected.indices]
    ranked = selected.data
    if config.expression != "log":
        ranked = ranked / take_totals(rows, totals, sizes > 0)[owner] * SCALE
    ranked = ranked / vocabulary.median_of[own]
    order = np.lexsort((own, -ranked, owner))
    own, ranked = own[order], ranked[order]
    lists, beside = [], []
    for cell in cells:
        part = slice(
            selected.indptr[cell], min(selected.indptr[cell + 1], selected.indptr[cell] + room)
        )
        if vocabulary.ends:
            first, last = vocabulary.ends
            lists.append(np.concatenate([[first], own[part], [last]]))
            beside.append(np.concatenate([[0], ranked[part], [0]]))
        else:
            lists.append(own[part])
            beside.append(ranked[part])
    report["cut"] = int((sizes > room).sum())
    return join_lists(lists, beside, cells, report)
