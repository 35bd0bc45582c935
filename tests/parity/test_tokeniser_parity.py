"""Tokens of the four foundation models against those of the original tokenisers."""

import csv

import numpy as np
import pytest
from scipy import sparse

from grnjax.foundation import (
    tokenise_geneformer,
    tokenise_scbert,
    tokenise_scfoundation,
    tokenise_scgpt,
)
from grnjax.foundation.reader import read_dictionary
from grnjax.foundation.tokenise_geneformer import GeneformerTokeniserConfig
from grnjax.foundation.tokenise_scbert import ScBertTokeniserConfig
from grnjax.foundation.tokenise_scfoundation import ScFoundationTokeniserConfig
from grnjax.foundation.tokenise_scgpt import ScGPTTokeniserConfig
from grnjax.foundation.vocabulary import match_genes, number_genes

TOLERANCE = 1e-6  # of values, relative


def load(path):
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


VERSIONS = ["geneformer_v1", "geneformer_v2"]
DICTIONARIES = ("token_dictionary", "gene_median_dictionary", "ensembl_mapping_dict")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", DICTIONARIES)
def test_dictionaries_of_geneformer_are_the_same_in_both_forms(parity_folder, version, name):
    path = parity_folder("tokenizers") / version / name
    pickled = read_dictionary(path.with_suffix(".pkl"))
    assert pickled and pickled == read_dictionary(path.with_suffix(".json"))


@pytest.fixture(scope="module", params=VERSIONS)
def geneformer(parity_folder, request):
    """Inputs, wanted arrays and the vocabulary of one version."""
    folder = parity_folder("tokenizers") / request.param
    tables = [read_dictionary(folder / f"{name}.pkl") for name in DICTIONARIES]
    vocabulary = tokenise_geneformer.make_vocabulary(*tables[:2])
    inputs, wanted = load(folder / "inputs.npz"), load(folder / "expected.npz")
    match = match_genes(
        inputs["ensembl_ids"].tolist(), tables[0], source=request.param, renames=[tables[2]]
    )
    return inputs, wanted, vocabulary, match


def run_geneformer(geneformer, length):
    inputs, _, vocabulary, match = geneformer
    config = GeneformerTokeniserConfig(length=length)
    return tokenise_geneformer.tokenise(
        sparse.csr_array(inputs["counts"]), match, vocabulary, config, totals=inputs["n_counts"]
    )


def assert_equal_within_ties(actual, wanted, groups):
    """Every group has the same tokens; of one that the cut crosses, any of its members remain."""
    kept = groups[: len(actual)]
    assert len(kept) == len(actual) > 0
    for group in np.unique(kept):
        members, ours = wanted[groups == group].tolist(), actual[kept == group].tolist()
        assert len(set(ours)) == len(ours) == min((kept == group).sum(), len(members))
        assert set(ours) <= set(members)


def test_geneformer_ranks(geneformer):
    inputs, wanted, vocabulary, _ = geneformer
    tokens = run_geneformer(geneformer, 10**6)
    assert tokens.cells.tolist() == wanted["kept_cells"].tolist()
    assert tokens.report["skipped"] == len(inputs["counts"]) - len(tokens)
    edge = 1 if vocabulary.ends else 0
    for place, cell in enumerate(tokens.cells):
        own, values = (array[edge : len(array) - edge] for array in tokens.list_of(place))
        np.testing.assert_allclose(values, wanted[f"cell{cell}_values"], rtol=TOLERANCE)
        assert len(own) == len(wanted[f"cell{cell}_tokens"])
        groups = wanted[f"cell{cell}_tie_group"]
        assert_equal_within_ties(own, wanted[f"cell{cell}_tokens"], groups)


def test_geneformer_input_is_cut_and_has_its_special_tokens(geneformer):
    inputs, wanted, vocabulary, _ = geneformer
    length = int(inputs["max_length"])
    tokens = run_geneformer(geneformer, length)
    edge = 1 if vocabulary.ends else 0
    assert tokens.report["cut"] == sum(
        len(wanted[f"cell{cell}_tokens"]) > length - 2 * edge for cell in tokens.cells
    )
    for place, cell in enumerate(tokens.cells):
        own, target = tokens.list_of(place)[0], wanted[f"cell{cell}_input_ids"]
        assert len(own) == len(target) <= length
        if edge:
            assert [own[0], own[-1]] == [target[0], target[-1]] == list(vocabulary.ends)
        ranked = own[edge : len(own) - edge]
        groups = wanted[f"cell{cell}_tie_group"]
        assert_equal_within_ties(ranked, wanted[f"cell{cell}_tokens"], groups)


@pytest.fixture(scope="module")
def scbert(parity_folder):
    folder = parity_folder("tokenizers") / "scbert"
    genes = (folder / "genes.txt").read_text().split()
    inputs, wanted = load(folder / "inputs.npz"), load(folder / "expected.npz")
    match = match_genes(inputs["gene_names"].tolist(), number_genes(genes), source="scbert")
    return genes, inputs, wanted, match


def test_scbert_bins(scbert):
    genes, inputs, wanted, match = scbert
    compared = 0
    for bins in range(1, 20):
        if f"tokens_bin{bins}" not in wanted:
            continue
        config = ScBertTokeniserConfig(bins=bins, least_genes=int(inputs["min_genes"]))
        rows = sparse.csr_array(inputs["counts"])
        tokens = tokenise_scbert.tokenise(rows, match, len(genes), config)
        assert tokens.cells.tolist() == wanted["kept_cells"].tolist()
        dense = tokens.tokens.reshape(len(tokens), -1)
        np.testing.assert_array_equal(dense, wanted[f"tokens_bin{bins}"])
        logs = tokens.values.reshape(dense.shape)[:, :-1]
        np.testing.assert_allclose(logs, wanted["log2_values"], rtol=TOLERANCE)
        compared += 1
    assert compared


def align(counts, match, genes):
    aligned = np.zeros((len(counts), genes), counts.dtype)
    np.add.at(aligned, (slice(None), match.tokens), counts[:, match.columns])
    return aligned


def test_scbert_genes_are_aligned(scbert):
    genes, inputs, wanted, match = scbert
    aligned = align(inputs["counts"], match, len(genes))
    np.testing.assert_array_equal(aligned, wanted["aligned_counts"])


@pytest.fixture(scope="module")
def scfoundation(parity_folder):
    folder = parity_folder("tokenizers") / "scfoundation"
    with open(folder / "gene_index.tsv") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [int(row["index"]) for row in rows] == list(range(len(rows)))
    genes = [row["gene_name"] for row in rows]
    inputs, wanted = load(folder / "inputs.npz"), load(folder / "expected.npz")
    match = match_genes(inputs["gene_names"].tolist(), number_genes(genes), source="scfoundation")
    return genes, inputs, wanted, match


def test_scfoundation_genes_are_aligned(scfoundation):
    genes, inputs, wanted, match = scfoundation
    aligned = align(inputs["counts"], match, len(genes))
    np.testing.assert_array_equal(aligned, wanted["aligned_counts"])
    np.testing.assert_array_equal(aligned.sum(axis=1), wanted["totals"])
    np.testing.assert_array_equal(
        np.isin(np.arange(len(genes)), match.tokens), wanted["gene_found"]
    )


def test_scfoundation_values_of_each_depth(scfoundation):
    genes, inputs, wanted, match = scfoundation
    depths = [name.removeprefix("values_") for name in wanted if name.startswith("values_")]
    assert depths
    for depth in depths:
        config = ScFoundationTokeniserConfig(depth=depth)
        rows = sparse.csr_array(inputs["counts"])
        tokens = tokenise_scfoundation.tokenise(rows, match, len(genes), config)
        assert tokens.cells.tolist() == wanted["valid_cells"].tolist()
        length = int(tokens.lengths.max())
        padded = tokens.pad(np.arange(len(tokens)), length, token=len(genes) + 2, value=103)
        filled = tokenise_scfoundation.fill_places(*padded, len(genes))
        np.testing.assert_allclose(filled, wanted[f"values_{depth}"], rtol=TOLERANCE)


def test_scfoundation_encoder_reads_what_the_original_reads(scfoundation):
    genes, inputs, wanted, match = scfoundation
    tokens = tokenise_scfoundation.tokenise(inputs["counts"], match, len(genes))
    for place, cell in enumerate(tokens.cells):
        places, values = tokens.list_of(place)
        np.testing.assert_array_equal(places, wanted[f"cell{cell}_encoder_positions_f2"])
        np.testing.assert_allclose(values, wanted[f"cell{cell}_encoder_values_f2"], rtol=TOLERANCE)
    length = int(tokens.lengths.max())
    rows = tokens.pad(np.arange(len(tokens)), length, token=len(genes) + 2, value=103)
    np.testing.assert_array_equal(rows[0], wanted["batch_positions_f2"])
    np.testing.assert_allclose(rows[1], wanted["batch_values_f2"], rtol=TOLERANCE)
    np.testing.assert_array_equal(~rows[2], wanted["batch_padding_f2"])


@pytest.fixture(scope="module")
def scgpt(parity_folder):
    folder = parity_folder("tokenizers") / "scgpt"
    vocabulary = tokenise_scgpt.read_special(read_dictionary(folder / "vocab.json"))
    inputs, wanted = load(folder / "inputs.npz"), load(folder / "expected.npz")
    match = match_genes(inputs["gene_names"].tolist(), vocabulary, source="scgpt")
    return vocabulary, inputs, wanted, match


def run_scgpt(scgpt, **settings):
    vocabulary, inputs, _, match = scgpt
    config = ScGPTTokeniserConfig(
        bins=int(inputs["n_bins"]), pad_value=float(inputs["pad_value"]), **settings
    )
    return tokenise_scgpt.tokenise(inputs["counts"], match, vocabulary, config)


def test_scgpt_genes(scgpt):
    vocabulary, inputs, wanted, match = scgpt
    np.testing.assert_array_equal(match.columns, wanted["genes_kept"])
    np.testing.assert_array_equal(match.tokens, wanted["gene_vocab_ids"])
    tokens = run_scgpt(scgpt)
    for place, cell in enumerate(tokens.cells):
        own, values = tokens.list_of(place)
        np.testing.assert_array_equal(own, wanted[f"cell{cell}_gene_ids"])
        assert values[0] == wanted[f"cell{cell}_raw_values"][0] == inputs["pad_value"]
    left = sorted(set(range(len(inputs["counts"]))) - set(tokens.cells.tolist()))
    assert all(len(wanted[f"cell{cell}_gene_ids"]) == 1 for cell in left)


def test_scgpt_bins(scgpt):
    _, inputs, wanted, _ = scgpt
    upper, random = run_scgpt(scgpt), run_scgpt(scgpt, ties="random", seed=3)
    has_ties = False
    for place, cell in enumerate(upper.cells):
        binned = upper.list_of(place)[1][1:]
        np.testing.assert_array_equal(binned, wanted[f"cell{cell}_bin_left_digit"])
        np.testing.assert_array_equal(binned, wanted[f"cell{cell}_log_bin_left_digit"])
        raw = wanted[f"cell{cell}_raw_values"][1:].astype(np.float64)
        edges = tokenise_scgpt.find_edges(raw, int(inputs["n_bins"]))
        np.testing.assert_allclose(edges, wanted[f"cell{cell}_bin_edges"], rtol=TOLERANCE)
        lowest, highest = tokenise_scgpt.bin_range(raw, edges)
        np.testing.assert_array_equal(lowest, wanted[f"cell{cell}_bin_min"])
        np.testing.assert_array_equal(highest, wanted[f"cell{cell}_bin_max"])
        drawn, reference = random.list_of(place)[1][1:], wanted[f"cell{cell}_bin_reference_draw"]
        for one in (drawn, reference):
            assert ((lowest <= one) & (one <= highest)).all()
        has_ties |= bool((drawn != highest).any())
    assert has_ties


def test_scgpt_bins_do_not_change_with_the_logarithm(scgpt):
    vocabulary, inputs, wanted, match = scgpt
    counts = inputs["counts"].astype(float)
    logs = np.log1p(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) * 1e4)
    config = ScGPTTokeniserConfig(bins=int(inputs["n_bins"]), expression="log")
    tokens = tokenise_scgpt.tokenise(logs, match, vocabulary, config)
    for place, cell in enumerate(tokens.cells):
        np.testing.assert_array_equal(
            tokens.list_of(place)[1][1:], wanted[f"cell{cell}_log_bin_left_digit"]
        )
