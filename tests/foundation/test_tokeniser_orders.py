"""What must change no token: other cells, chunks, forms of the matrix and orders; and ties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from grnjax.errors import ConfigError, ExpressionFormatError
from grnjax.foundation import (
    tokenise_geneformer,
    tokenise_scbert,
    tokenise_scfoundation,
    tokenise_scgpt,
)
from grnjax.foundation.tokenise_geneformer import GeneformerTokeniserConfig
from grnjax.foundation.tokenise_scbert import ScBertTokeniserConfig
from grnjax.foundation.tokenise_scfoundation import ScFoundationTokeniserConfig
from grnjax.foundation.tokenise_scgpt import ScGPTTokeniserConfig
from grnjax.foundation.tokens import TokeniserConfig
from grnjax.foundation.vocabulary import number_genes
from tests.foundation.tokenised import (
    GENES,
    PLAIN,
    SCGPT,
    WITH_ENDS,
    lists_of,
    match,
    scbert,
    scgpt,
    values_of,
)

# All of them


def run_all(counts, settings):
    """The tokens of every model, by name."""
    counts = np.asarray(counts) if not sparse.issparse(counts) else counts
    found, places = match(vocabulary=WITH_ENDS.tokens), match(GENES, number_genes(GENES))
    geneformer = GeneformerTokeniserConfig(**settings)
    least = ScBertTokeniserConfig(least_genes=1, **settings)
    return {
        "geneformer": tokenise_geneformer.tokenise(counts, found, WITH_ENDS, geneformer),
        "scbert": tokenise_scbert.tokenise(counts, places, len(GENES), least),
        "scfoundation": tokenise_scfoundation.tokenise(
            counts, places, len(GENES), ScFoundationTokeniserConfig(**settings)
        ),
        "scgpt": tokenise_scgpt.tokenise(
            counts, match(GENES, SCGPT), SCGPT, ScGPTTokeniserConfig(**settings)
        ),
    }


@pytest.fixture
def counts():
    counts = np.random.default_rng(5).poisson(1.5, (12, 6))
    counts[[2, 7]] = 0
    counts[4] = [0, 0, 0, 0, 9, 0]
    return counts


def test_cells_are_tokenised_alone_whatever_the_order_and_the_chunks(counts):
    whole, order = run_all(counts, {}), np.random.default_rng(0).permutation(12)
    shuffled = run_all(counts[order], {})
    chunks = [run_all(counts[start : start + 5], {}) for start in (0, 5, 10)]
    for name, tokens in whole.items():
        assert tokens.cells.tolist() == [0, 1, 3, 4, 5, 6, 8, 9, 10, 11]
        assert tokens.report["skipped"] == 2
        lists = dict(zip(tokens.cells.tolist(), zip(lists_of(tokens), values_of(tokens))))
        again = shuffled[name]
        cells = order[again.cells].tolist()
        assert lists == dict(zip(cells, zip(lists_of(again), values_of(again))))
        parts = [chunk[name] for chunk in chunks]
        assert lists_of(tokens) == sum(map(lists_of, parts), [])
        assert sum(part.report["skipped"] for part in parts) == 2


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_array, np.float32, np.uint8])
def test_every_form_of_a_matrix_gives_the_same(counts, form):
    expected, actual = run_all(counts, {}), run_all(form(counts), {})
    for name, tokens in expected.items():
        assert lists_of(tokens) == lists_of(actual[name])
        assert values_of(tokens) == values_of(actual[name])


def test_stored_zeros_and_repeated_entries_are_no_tokens():
    rows = sparse.csr_matrix(([2, 0, 1, 1, 3], [3, 1, 4, 4, 0], [0, 5]), shape=(1, 6))
    expected = run_all([[3, 0, 0, 2, 2, 0]], {})
    before = rows.data.copy()
    for name, tokens in run_all(rows, {}).items():
        assert lists_of(tokens) == lists_of(expected[name])
    np.testing.assert_array_equal(rows.data, before)


@pytest.mark.parametrize(
    "counts, settings, problem",
    [
        ([[1, np.nan, 0, 0, 0, 0]], {}, "missing or infinite"),
        ([[1, -0.5, 0, 0, 0, 0]], {"expression": "log"}, "negative"),
        ([[1, 0.5, 0, 0, 0, 0]], {}, "no whole numbers"),
        ([[1, 700, 0, 0, 0, 0]], {"expression": "log"}, "no logs"),
        ([[1] * 6, [0] * 6], {"empty": "refuse"}, "1 of 2 cells"),
        ([[1] * 5], {}, "6 genes were matched"),
    ],
)
def test_values_that_are_not_what_was_said_are_refused(counts, settings, problem):
    with pytest.raises(ExpressionFormatError, match=problem):
        run_all(counts, settings)


def test_estimated_counts_may_be_fractions():
    assert len(run_all([[0.5, 2.25, 0, 1, 0, 0]], {"expression": "estimated"})["geneformer"]) == 1


def test_totals_that_cannot_be_are_refused():
    with pytest.raises(ExpressionFormatError, match="not above 0"):
        tokenise_geneformer.tokenise([[1] * 6], match(), PLAIN, totals=[0])
    with pytest.raises(ExpressionFormatError, match="One total|one total"):
        tokenise_geneformer.tokenise([[1] * 6], match(), PLAIN, totals=[6, 6])


def test_padding_holds_the_lists_and_nothing_else(counts):
    tokens = run_all(counts, {})["geneformer"]
    places = np.array([3, 0, 3])
    ids, values, is_real = tokens.pad(places, 9, token=77, value=-1)
    for row, place in enumerate(places):
        assert ids[row][is_real[row]].tolist() == lists_of(tokens)[place]
        assert values[row][is_real[row]].tolist() == values_of(tokens)[place]
    assert (ids[~is_real] == 77).all() and (values[~is_real] == -1).all()
    with pytest.raises(ConfigError, match="longer rows"):
        tokens.pad(places, 2, token=0, value=0)


def test_no_cell_left_is_no_error():
    for tokens in run_all(np.zeros((2, 6)), {}).values():
        assert len(tokens) == 0 and tokens.tokens.dtype == np.int32
        assert tokens.pad(np.zeros(0, int), 4, token=0, value=0)[0].shape == (0, 4)
    assert TokeniserConfig().empty == "skip"


# Ties, by counts that have many


few_counts = arrays(np.int64, st.tuples(st.integers(1, 5), st.just(6)), elements=st.integers(0, 3))


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(few_counts, st.permutations(range(6)), st.randoms(use_true_random=False))
def test_no_order_of_cells_or_columns_changes_a_token(counts, columns, random):
    rows = random.sample(range(len(counts)), len(counts))
    genes = [GENES[place] for place in columns]
    shuffled = counts[np.ix_(rows, columns)]
    pairs = {
        "geneformer": (
            tokenise_geneformer.tokenise(counts, match(), PLAIN),
            tokenise_geneformer.tokenise(shuffled, match(genes), PLAIN),
        ),
        "scbert": (scbert(counts), scbert(shuffled, genes)),
    }
    for ties in ("upper", "random"):
        how = {"ties": ties, "length": 4, "bins": 4}
        pairs[ties] = scgpt(counts, **how), scgpt(shuffled, genes, **how)
    for name, (one, other) in pairs.items():
        lists = dict(zip(one.cells.tolist(), zip(lists_of(one), values_of(one))))
        moved = zip(lists_of(other), values_of(other))
        for cell, (tokens, values) in zip(other.cells.tolist(), moved):
            expected = lists.pop(rows[cell])
            if name in ("upper", "random"):  # a set of genes, in the order of the columns
                assert sorted(zip(tokens, values)) == sorted(zip(*expected))
            else:
                assert (tokens, values) == expected
        assert not lists


@settings(deadline=None, max_examples=60)
@given(few_counts)
def test_ranks_fall_and_ties_rise_by_token(counts):
    tokens = tokenise_geneformer.tokenise(counts, match(), PLAIN)
    assert tokens.cells.tolist() == np.flatnonzero(counts.any(axis=1)).tolist()
    for place, cell in enumerate(tokens.cells):
        own, values = tokens.list_of(place)
        assert set(own) == set(np.flatnonzero(counts[cell]) + 2)
        keys = list(zip(-values, own))
        assert keys == sorted(keys)
