"""Cells as padded batches: each once, wherever it stands, in memory that does not grow."""

import functools
import tracemalloc

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax.data.cell_rows import CellRows, open_rows
from grnjax.errors import ConfigError, ExpressionFormatError
from grnjax.foundation import tokenise_geneformer
from grnjax.foundation.token_stream import Bucket, TokenStream, make_buckets
from grnjax.foundation.tokenise_geneformer import GeneformerTokeniserConfig, make_vocabulary
from grnjax.foundation.vocabulary import match_genes

GENES = [f"GENE{number}" for number in range(60)]
MEDIANS = dict(zip(GENES, np.random.default_rng(3).uniform(0.5, 5, 60)))
VOCABULARY = make_vocabulary({"<pad>": 0} | {g: i + 1 for i, g in enumerate(GENES)}, MEDIANS)
BUCKETS = (Bucket(8, 5), Bucket(16, 3), Bucket(40, 2))


def make_tokenise():
    config = GeneformerTokeniserConfig(length=40)
    match = match_genes(GENES, VOCABULARY.tokens, source="cells")
    return functools.partial(
        tokenise_geneformer.tokenise, match=match, vocabulary=VOCABULARY, config=config
    )


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(1)
    counts = rng.poisson(rng.gamma(0.5, 0.8, (41, 1)), (41, 60))
    counts[[4, 17]] = 0
    return counts


@pytest.fixture(scope="module")
def path(counts, tmp_path_factory):
    data = anndata.AnnData(sparse.csr_matrix(counts), var=pd.DataFrame(index=GENES))
    data.obs["n_counts"] = counts.sum(axis=1) + 7
    path = tmp_path_factory.mktemp("cells") / "cells.h5ad"
    data.write_h5ad(path)
    return path


def collect(stream):
    """Tokens and values of each row; every row once, in a batch of a bucket's own shape."""
    found = {}
    shapes = {(bucket.cells, bucket.length) for bucket in stream.buckets}
    for batch in stream:
        assert batch.tokens.shape in shapes
        assert batch.tokens.shape == batch.values.shape == batch.is_real.shape
        assert batch.is_real.any(axis=1).all(), "a row without any token would give NaN"
        for tokens, values, is_real, cell in zip(*batch):
            assert (tokens[~is_real] == 0).all() and (values[~is_real] == 0).all()
            if cell >= 0:
                assert cell not in found
                found[int(cell)] = tokens[is_real].tolist(), values[is_real].tolist()
    return found


def stream_of(rows, **settings):
    return TokenStream(rows, make_tokenise(), BUCKETS, token=0, value=0.0, **settings)


def expect(counts, totals=None):
    tokens = make_tokenise()(counts, totals=totals)
    lists = map(tokens.list_of, range(len(tokens)))
    return {
        int(cell): (own.tolist(), values.tolist())
        for cell, (own, values) in zip(tokens.cells, lists)
    }


@pytest.mark.parametrize("rows_at_once", [1, 6, 41, 1000])
def test_every_cell_leaves_once_whatever_the_chunks(counts, path, rows_at_once):
    with open_rows(path) as rows:
        stream = stream_of(rows, rows_at_once=rows_at_once)
        assert collect(stream) == expect(counts)
        assert stream.report["cells"] == 41 and stream.report["skipped"] == 41 - len(expect(counts))
        report = dict(stream.report)
        assert collect(stream) == expect(counts)  # again
        assert stream.report == report


def test_a_cell_is_in_the_shortest_bucket_that_holds_it(path):
    with open_rows(path) as rows:
        for batch in stream_of(rows):
            shorter = max(
                (b.length for b in BUCKETS if b.length < batch.tokens.shape[1]), default=0
            )
            assert (batch.is_real.sum(axis=1) > shorter).all()


def test_totals_follow_their_cells(counts, path):
    with open_rows(path) as rows:
        totals = rows.take_column("n_counts")
        found = collect(stream_of(rows, totals=totals, rows_at_once=6))
    assert found == expect(counts, counts.sum(axis=1) + 7)
    assert found != expect(counts)


def test_spans_divide_the_cells(counts, path):
    with open_rows(path) as rows:
        parts = [collect(stream_of(rows, span=span)) for span in [(0, 13), (13, 13), (13, 41)]]
        assert not parts[1] and parts[0] | parts[2] == expect(counts)
        with pytest.raises(ConfigError, match="rows 0 to 42 are asked for, and it has 41"):
            stream_of(rows, span=(0, 42))


def test_a_cell_longer_than_the_buckets_is_an_error(path):
    with open_rows(path) as rows:
        stream = TokenStream(rows, make_tokenise(), BUCKETS[:1], token=0, value=0.0)
        with pytest.raises(ConfigError, match="longest bucket 8"):
            list(stream)
        with pytest.raises(ConfigError, match="ascending"):
            TokenStream(rows, make_tokenise(), BUCKETS[::-1], token=0, value=0.0)


def test_an_error_names_the_file_and_the_rows(counts, path):
    def refuse(chunk):
        return tokenise_geneformer.tokenise(chunk, match, VOCABULARY, config)

    config = GeneformerTokeniserConfig(empty="refuse")
    match = match_genes(GENES, VOCABULARY.tokens, source="cells")
    with open_rows(path) as rows:
        stream = TokenStream(rows, refuse, BUCKETS, token=0, value=0.0, rows_at_once=41)
        number = int((counts.sum(axis=1) == 0).sum())
        with pytest.raises(
            ExpressionFormatError, match=f"cells.h5ad, rows 0 to 40: {number} of 41"
        ):
            list(stream)


def test_buckets_double_and_hold_about_as_many_tokens():
    buckets = make_buckets(2048, tokens_at_once=4096)
    assert [bucket.length for bucket in buckets] == [128, 256, 512, 1024, 2048]
    assert [bucket.cells for bucket in buckets] == [32, 16, 8, 4, 2]
    assert make_buckets(100) == (Bucket(100, 163),)
    assert [bucket.length for bucket in make_buckets(1200)] == [128, 256, 512, 1024, 1200]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_cells():
    def block(start, stop):
        return sparse.random_array((stop - start, 60), density=0.3, format="csr", rng=start).ceil()

    def measure(cells):
        rows = CellRows(
            "made up", pd.DataFrame(index=range(cells)), pd.DataFrame(index=GENES), block
        )
        stream = TokenStream(rows, make_tokenise(), BUCKETS, token=0, value=0.0, rows_at_once=100)
        tracemalloc.start()
        left = sum(int((batch.cells >= 0).sum()) for batch in stream)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert left == cells
        return peak

    measure(100)  # imports and caches
    few, many = measure(1_000), measure(10_000)
    assert many < 1.5 * few, f"{many:,} bytes for ten times the cells of {few:,}"
