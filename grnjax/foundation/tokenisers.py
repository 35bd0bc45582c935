"""From the cells of an AnnData object or file to the padded tokens of a model, in bounded memory.

    tokeniser = geneformer_tokeniser(tokens, medians, config, renames=[ids])
    with open_rows("cells.h5ad") as rows:
        match = find_genes(rows, tokeniser, None, None, LEAST_SHARE)
        for batch in stream_tokens(rows, tokeniser, match, totals="n_counts"):
            ...

A `Tokeniser` is the rule of a model with its vocabulary; there is one function for each of the four
that makes it from what comes with the weights.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

from grnjax.data.annotated_matrix import find_name_column
from grnjax.data.cell_rows import CellRows
from grnjax.errors import ConfigError
from grnjax.foundation import (
    tokenise_geneformer,
    tokenise_scbert,
    tokenise_scfoundation,
    tokenise_scgpt,
)
from grnjax.foundation.token_stream import SHORTEST, Bucket, TokenStream, make_buckets
from grnjax.foundation.tokenise_geneformer import GeneformerTokeniserConfig, make_vocabulary
from grnjax.foundation.tokenise_scbert import ScBertTokeniserConfig
from grnjax.foundation.tokenise_scfoundation import ScFoundationTokeniserConfig
from grnjax.foundation.tokenise_scgpt import ScGPTTokeniserConfig, read_special
from grnjax.foundation.tokens import CellTokens
from grnjax.foundation.vocabulary import (
    GeneMatch,
    find_special,
    is_special,
    match_genes,
    number_genes,
)

SCFOUNDATION_PAD = 103.0  # the value by which scFoundation knows padding


@dataclasses.dataclass(frozen=True, eq=False)
class Tokeniser:
    """What turns chunks of cells into the tokens of one model."""

    vocabulary: Mapping[str, int]  # genes and special tokens
    run: Callable[..., CellTokens]  # of a chunk and match=, and totals= where they are taken
    longest: int  # most tokens of a cell
    shortest: int  # tokens of the shortest bucket
    pad_token: int
    pad_value: float
    takes_totals: bool
    renames: Sequence[Mapping[str, str]] = ()  # of the genes, before they are looked up


def geneformer_tokeniser(
    tokens: Mapping[str, int],
    medians: Mapping[str, float],
    config: GeneformerTokeniserConfig,
    *,
    renames: Sequence[Mapping[str, str]] = (),
) -> Tokeniser:
    """Of Geneformer, from its dictionaries.

    Args:
        tokens: token_dictionary.
        medians: gene_median_dictionary.
        renames: of symbols (gene_name_id_dict), of former ids (ensembl_mapping_dict).
    """
    vocabulary = make_vocabulary(tokens, medians)
    run = functools.partial(tokenise_geneformer.tokenise, vocabulary=vocabulary, config=config)
    (pad,) = find_special(tokens, "<pad>")
    return Tokeniser(tokens, run, config.length, SHORTEST, pad, 0.0, True, renames)


def scbert_tokeniser(genes: Sequence[str], config: ScBertTokeniserConfig) -> Tokeniser:
    """Of scBERT, from its list of genes."""
    run = functools.partial(tokenise_scbert.tokenise, genes=len(genes), config=config)
    length = len(genes) + 1
    return Tokeniser(number_genes(genes), run, length, length, 0, 0.0, False)


def scfoundation_tokeniser(genes: Sequence[str], config: ScFoundationTokeniserConfig) -> Tokeniser:
    """Of scFoundation, from its list of genes; `totals` stand for the sums over these."""
    run = functools.partial(tokenise_scfoundation.tokenise, genes=len(genes), config=config)
    length = len(genes) + 2
    shortest = min(SHORTEST, length)
    return Tokeniser(number_genes(genes), run, length, shortest, length, SCFOUNDATION_PAD, True)


def scgpt_tokeniser(vocabulary: Mapping[str, int], config: ScGPTTokeniserConfig) -> Tokeniser:
    """Of scGPT, from vocab.json; special tokens that it lacks are appended."""
    full = read_special(vocabulary)
    run = functools.partial(tokenise_scgpt.tokenise, vocabulary=full, config=config)
    return Tokeniser(full, run, config.length, SHORTEST, full["<pad>"], config.pad_value, False)


def stream_tokens(
    rows: CellRows,
    tokeniser: Tokeniser,
    match: GeneMatch,
    *,
    totals: str | None = None,
    buckets: tuple[Bucket, ...] | None = None,
    span: tuple[int, int] | None = None,
) -> TokenStream:
    """Cells as batches of tokens, to be read while their rows are open.

    The report of the stream has the overlap of the genes under `genes` and counts the cells.

    Args:
        rows: the cells (`data.cell_rows.open_rows`); those of an .h5ad file stay on disk.
        match: their genes (`find_genes`).
        totals: column of obs with the counts of each cell over all genes of the assay, where the
            matrix holds a part of them; None sums what there is.
        buckets: lengths and sizes of batches; None makes them.
        span: rows to read, from the first to before the second.

    Raises:
        ConfigError: totals for a model that takes none, or what `TokenStream` refuses.
    """
    if totals is not None and not tokeniser.takes_totals:
        raise ConfigError(
            f"Totals of cells (column {totals!r}) have no part in the tokens of this model; "
            "leave them out."
        )
    if buckets is None:
        buckets = make_buckets(tokeniser.longest, shortest=tokeniser.shortest)
    return TokenStream(
        rows,
        functools.partial(tokeniser.run, match=match),
        buckets,
        token=tokeniser.pad_token,
        value=tokeniser.pad_value,
        totals=None if totals is None else rows.take_column(totals),
        span=span,
        genes=match.report,
    )


def find_genes(
    rows: CellRows,
    tokeniser: Tokeniser,
    gene_column: str | None,
    orthologues: Mapping[str, str] | None,
    least_share: float,
) -> GeneMatch:
    """The genes of the rows in the vocabulary, by the column of var that has them.

    Args:
        gene_column: column of var with the names of the genes; None for the index, or for the
            column that has ten times as many genes of the vocabulary, which is told.
        orthologues: gene of the cells' species -> gene of the model's.
        least_share: of the smaller list of genes, data or vocabulary, that must match.

    Raises:
        GeneMismatchError: too few of the genes are in the vocabulary.
    """
    if gene_column is None:
        known = {name for name in tokeniser.vocabulary if not is_special(name)}
        known.update(*tokeniser.renames, orthologues or ())
        gene_column = find_name_column(rows.obs.index, rows.var, rows.name, known)
    return match_genes(
        rows.name_genes(gene_column).tolist(),
        tokeniser.vocabulary,
        source=rows.name,
        orthologues=orthologues,
        renames=tokeniser.renames,
        cells=rows.obs.index.astype(str).tolist(),
        least_share=least_share,
    )
