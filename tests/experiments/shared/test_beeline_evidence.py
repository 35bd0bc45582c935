import dataclasses

import numpy as np
import pytest

from experiments.shared.beeline_evidence import add_expression, choose_genes, species_of
from grnjax.types import Dataset, GeneTable, LabelledPairs

NAMES = np.array(["A", "B", "C", "D", "ERCC-00002"])


def make_dataset(measured):
    genes = GeneTable(
        NAMES,
        np.array([True, True, False, False, False]),
        np.arange(15, dtype=np.float32).reshape(3, 5),
        np.array(measured),
    )
    pairs = np.array([[0, 2], [0, 4], [1, 3]], np.int32)
    return Dataset(genes, LabelledPairs(pairs, np.ones(3, np.float32)), {})


def named(dataset):
    return {tuple(dataset.genes.names[pair]) for pair in dataset.known.pairs}


def test_spike_ins_go_and_their_edges_with_them():
    whole = make_dataset([True] * 5)
    kept = choose_genes(whole, measured_only=False)
    assert kept.genes.names.tolist() == ["A", "B", "C", "D"]
    assert named(kept) == {("A", "C"), ("B", "D")}
    np.testing.assert_array_equal(kept.genes.expression, whole.genes.expression[:, :4])


def test_partial_expression_goes_where_all_genes_stay():
    kept = choose_genes(make_dataset([True, True, False, True, True]), measured_only=False)
    assert kept.genes.names.tolist() == ["A", "B", "C", "D"]
    assert not kept.genes.measured.any() and kept.genes.expression.shape == (0, 4)
    assert add_expression(kept, [], np.array([0, 1])) == []


def test_a_few_genes_without_expression_do_not_take_it_from_the_others(caplog):
    whole = make_dataset([True] * 5)
    names = np.array([f"G{i:03d}" for i in range(560)])
    measured = np.arange(560) != 7
    values = np.random.default_rng(0).normal(size=(30, 560)).astype(np.float32) * measured
    genes = GeneTable(names, np.arange(560) < 2, values, measured)
    kept = choose_genes(dataclasses.replace(whole, genes=genes), measured_only=False)
    assert kept.genes.measured.sum() == 559
    np.testing.assert_array_equal(kept.genes.expression, values)
    [expression] = add_expression(kept, [], np.array([0, 1]))
    assert expression.report["found"] == 559 and not caplog.text


def test_expression_that_goes_is_announced(caplog):
    choose_genes(make_dataset([True, True, False, True, True]), measured_only=False)
    assert "expression goes: 3 of 4 genes have it" in caplog.text


def test_measured_genes_alone_keep_their_expression():
    kept = choose_genes(make_dataset([True, True, False, True, True]), measured_only=True)
    assert kept.genes.names.tolist() == ["A", "B", "D"] and named(kept) == {("B", "D")}
    assert kept.genes.measured.all() and kept.genes.expression.shape == (3, 3)
    [expression] = add_expression(kept, [], np.array([0, 1]))
    assert expression.report["kind"] == "expression"


@pytest.mark.parametrize("cell, species", [("hESC", "human"), ("mHSC-E", "mouse")])
def test_species_by_the_name_of_the_cell(cell, species):
    assert species_of(cell) == species
