"""The cells of a file or an object as tokens, opened and matched in one go."""

import contextlib

from grnjax.data.cell_rows import open_rows
from grnjax.foundation.tokenisers import find_genes, stream_tokens
from grnjax.foundation.vocabulary import LEAST_SHARE


@contextlib.contextmanager
def open_tokens(source, tokeniser, *, gene_column=None, orthologues=None, **settings):
    """The stream of the cells, to be read while the context lasts."""
    with open_rows(source) as rows:
        match = find_genes(rows, tokeniser, gene_column, orthologues, LEAST_SHARE)
        yield stream_tokens(rows, tokeniser, match, **settings)
