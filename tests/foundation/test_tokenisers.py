"""The tokenisers on cells small enough to work out by hand."""

import numpy as np
import pytest

from grnjax.errors import ConfigError, ExpressionFormatError
from grnjax.foundation import (
    tokenise_geneformer,
    tokenise_scgpt,
)
from grnjax.foundation.tokenise_geneformer import GeneformerTokeniserConfig, make_vocabulary
from grnjax.foundation.tokenise_scfoundation import ScFoundationTokeniserConfig
from grnjax.foundation.tokenise_scgpt import (
    ScGPTTokeniserConfig,
    bin_values,
    find_edges,
    read_special,
)
from grnjax.foundation.vocabulary import number_genes
from tests.foundation.tokenised import (
    GENES,
    MEDIANS,
    PLAIN,
    SCGPT,
    WITH_ENDS,
    lists_of,
    match,
    scbert,
    scfoundation,
    scgpt,
    values_of,
)

# Geneformer


def test_ranks_are_of_counts_by_total_and_median():
    tokens = tokenise_geneformer.tokenise([[4, 4, 4, 4, 0, 4]], match(), PLAIN)
    assert lists_of(tokens) == [[5, 2, 7, 3, 4]]  # GD by its low median, then GA, GF, GB, GC
    assert values_of(tokens) == [[4000, 2000, 2000, 1000, 500]]


def test_the_total_is_of_all_genes_of_the_assay():
    found = match([*GENES, "OTHER"])
    tokens = tokenise_geneformer.tokenise([[1, 0, 0, 0, 0, 0, 3]], found, PLAIN)
    assert values_of(tokens) == [[2500]]
    tokens = tokenise_geneformer.tokenise([[1, 0, 0, 0, 0, 0, 3]], found, PLAIN, totals=[8])
    assert values_of(tokens) == [[1250]]


def test_a_tie_goes_to_the_smaller_token_whatever_the_order_of_columns():
    cell = np.array([[3, 6, 0, 0, 3, 3]])
    expected = lists_of(tokenise_geneformer.tokenise(cell, match(), PLAIN))
    assert expected == [[2, 3, 6, 7]]
    for order in (range(5, -1, -1), [4, 1, 0, 5, 3, 2]):
        found = match([GENES[place] for place in order])
        assert (
            lists_of(tokenise_geneformer.tokenise(cell[:, list(order)], found, PLAIN)) == expected
        )


@pytest.mark.parametrize("length, genes", [(2, 2), (3, 3), (100, 6)])
def test_a_list_is_cut_to_the_length(length, genes):
    config = GeneformerTokeniserConfig(length=length)
    tokens = tokenise_geneformer.tokenise([[6, 5, 4, 3, 2, 1]], match(), PLAIN, config)
    assert tokens.lengths.tolist() == [genes]
    assert tokens.report == {"cells": 1, "skipped": 0, "cut": int(genes < 6)}


def test_special_tokens_stand_at_the_ends_and_count():
    found, config = match(vocabulary=WITH_ENDS.tokens), GeneformerTokeniserConfig(length=4)
    tokens = tokenise_geneformer.tokenise([[9, 0, 0, 9, 1, 0]], found, WITH_ENDS, config)
    assert lists_of(tokens) == [[2, 7, 4, 3]]
    assert tokens.report["cut"] == 1
    with pytest.raises(ConfigError, match="no room"):
        short = GeneformerTokeniserConfig(length=2)
        tokenise_geneformer.tokenise([[1] * 6], found, WITH_ENDS, short)


def test_counts_of_columns_of_one_gene_are_summed():
    found = match(["GA", "GB", "GA", "ga"])
    tokens = tokenise_geneformer.tokenise([[1, 6, 2, 5]], found, PLAIN)
    assert found.report["columns_summed"] == 1  # "ga" could be either of two columns
    assert values_of(tokens) == [[pytest.approx(3e4 / 14), pytest.approx(3e4 / 14)]]


def test_logs_are_ranked_by_themselves_and_cannot_be_summed():
    config = GeneformerTokeniserConfig(expression="log")
    tokens = tokenise_geneformer.tokenise([[1.5, 0.5, 0, 1, 0, 0]], match(), PLAIN, config)
    assert values_of(tokens) == [[2, 1.5, 0.25]]
    with pytest.raises(ExpressionFormatError, match="logs cannot be summed"):
        tokenise_geneformer.tokenise([[1.5, 0.5]], match(["GA", "GA"]), PLAIN, config)


def test_dictionaries_of_different_releases_are_refused():
    with pytest.raises(ConfigError, match="1 of 2 genes .*no positive median .GB"):
        make_vocabulary({"GA": 0, "GB": 1}, {"GA": 1.0})
    with pytest.raises(ConfigError, match="1 different tokens"):
        make_vocabulary({"GA": 1, "GB": 1}, MEDIANS)
    with pytest.raises(ConfigError, match="lacks <eos>"):
        make_vocabulary({"<cls>": 0, "GA": 1}, MEDIANS)


# scBERT


def test_bins_begin_at_whole_logarithms():
    scaled = np.array([0, 1, 3, 6, 31, 9959])  # of 10,000: 2^1 - 1, 2^2 - 1, below 2^3 - 1, 2^5 - 1
    assert lists_of(scbert([scaled], bins=7)) == [[0, 1, 2, 2, 5, 7, 0]]
    assert lists_of(scbert([scaled])) == [[0, 1, 2, 2, 5, 5, 0]]


def test_bins_at_thresholds_hold_for_every_total():
    totals = np.array([n for n in range(2, 10_001) if 10_000 % n == 0])
    for total in totals:
        for bins in range(1, 6):
            count, rest = divmod((2**bins - 1) * total, 10_000)
            if count and not rest:
                cell = [[count, total - count, 0, 0, 0, 0]]
                assert scbert(cell).tokens[0] == bins


def test_scbert_fills_missing_genes_and_leaves_others_out():
    tokens = scbert([[5, 1, 2]], ["OTHER", "GF", "GB"])
    assert lists_of(tokens) == [[0, 5, 0, 0, 0, 5, 0]]
    expected = np.log2(1 + 1e4 * np.array([2, 1]) / 3)  # the total is of genes of the model
    assert tokens.values[[1, 5]] == pytest.approx(expected, rel=1e-6)


def test_scbert_leaves_out_cells_with_few_genes():
    tokens = scbert([[1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0], [0] * 6], least_genes=3)
    assert tokens.cells.tolist() == [1]
    assert tokens.report == {"cells": 3, "skipped": 2}


# scFoundation


@pytest.mark.parametrize("depth, target", [("t4", 4), ("f2", np.log10(200)), ("a1", 3)])
def test_depths_stand_behind_the_genes(depth, target):
    tokens = scfoundation([[0, 25, 0, 75, 0, 0]], depth=depth)
    assert lists_of(tokens) == [[1, 3, 6, 7]]
    values = [np.log(1 + 2500), np.log(1 + 7500), target, 2]
    assert values_of(tokens)[0] == pytest.approx(values, rel=1e-6)


@pytest.mark.parametrize("depth", ["f0", "x3", "4", "t", "t-1", "f2 "])
def test_a_depth_that_is_none_is_refused(depth):
    with pytest.raises(ConfigError, match="none of tX, fX and aX"):
        ScFoundationTokeniserConfig(depth=depth)


def test_a_depth_that_the_encoder_would_drop_is_refused():
    with pytest.raises(ConfigError, match="above 0"):
        scfoundation([[1, 1, 0, 0, 0, 0]], depth="t0")


def test_a_total_of_one_has_no_depth():
    tokens = scfoundation([[1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0]])
    assert tokens.cells.tolist() == [1]
    assert tokens.report == {"cells": 2, "skipped": 1}


# scGPT


def test_the_first_token_is_cls_and_has_no_bin():
    tokens = scgpt([[0, 7, 0, 1, 3, 0]], bins=4)
    assert lists_of(tokens) == [[SCGPT["<cls>"], 1, 3, 4]]
    assert values_of(tokens) == [[-2, 3, 1, 2]]  # the edges are 1, 3 and 7


def test_a_constant_cell_is_in_the_highest_bin_or_in_any():
    assert set(bin_values(np.full(9, 4.0), 51)) == {50}
    drawn = bin_values(np.full(5_000, 4.0), 51, np.random.default_rng(0))
    assert set(drawn) == set(range(1, 51))


@pytest.mark.parametrize("genes", [1, 2, 3, 50, 51, 400])
def test_edges_are_quantiles(genes):
    rng = np.random.default_rng(genes)
    for values in (rng.poisson(2, genes) + 1.0, rng.gamma(1, 1, genes), np.full(genes, 0.1)):
        for bins in (3, 7, 51):
            expected = np.quantile(values, np.linspace(0, 1, bins - 1))
            np.testing.assert_array_equal(find_edges(values, bins), expected)


def test_every_bin_is_used_and_no_zero_bin():
    binned = bin_values(np.arange(1.0, 501), 51)
    assert set(binned) == set(range(1, 51))
    assert (np.diff(binned) >= 0).all()


def test_large_cells_keep_a_sample_that_belongs_to_them():
    rng = np.random.default_rng(1)
    genes = [f"GENE{number}" for number in range(200)]
    vocabulary = read_special(number_genes(genes))
    counts, config = rng.poisson(2, (5, 200)), ScGPTTokeniserConfig(length=40)

    def run(counts, genes, seed=0, length=40, ties="upper"):
        config = ScGPTTokeniserConfig(length=length, seed=seed, ties=ties)
        found = match(genes, vocabulary)
        return tokenise_scgpt.tokenise(counts, found, vocabulary, config)

    tokens = run(counts, genes)
    assert (tokens.lengths == config.length).all() and tokens.report["sampled"] == 5
    full = run(counts, genes, length=1200)
    columns = rng.permutation(200)
    for ties in ("upper", "random"):
        tokens, other = run(counts, genes, ties=ties), run(counts, genes, seed=1, ties=ties)
        shuffled = run(counts[::-1][:, columns], [genes[place] for place in columns], ties=ties)
        for place in range(5):
            own, binned = tokens.list_of(place)
            assert own[0] == vocabulary["<cls>"] and len(set(own)) == 40
            pairs = set(zip(own.tolist(), binned.tolist()))
            if ties == "upper":  # bins are of the whole cell, before the sample
                assert pairs <= set(zip(*(array.tolist() for array in full.list_of(place))))
            assert pairs == set(zip(*(array.tolist() for array in shuffled.list_of(4 - place))))
            assert set(own) != set(other.list_of(place)[0])


def test_special_tokens_that_lack_are_appended():
    assert SCGPT == number_genes(GENES) | {"<pad>": 6, "<cls>": 7, "<eoc>": 8}
    assert read_special({"<pad>": 0, "G": 1}) == {"<pad>": 0, "G": 1, "<cls>": 2, "<eoc>": 3}
    with pytest.raises(ConfigError, match="not 0 to 1"):
        read_special({"A": 0, "B": 2})
