import dataclasses

import numpy as np
import pandas as pd
import pytest

from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.tasks.cell_type import (
    CellTypeConfig,
    GeneVectors,
    annotate_cells,
    average_vectors,
    make_model,
)
from grnjax.types import LabelledCells

GENES, CELLS, DIM = 60, 150, 3
CONFIG = CellTypeConfig(folds=3, neighbours=5)


@pytest.fixture(scope="module")
def cells():
    """Three types, each with twenty genes that are up in it."""
    rng = np.random.default_rng(0)
    kind = np.repeat([0, 1, 2], CELLS // 3)
    own = np.arange(GENES) // (GENES // 3)
    rate = np.where(own == kind[:, None], 1.5, 1.0)
    expression = rng.gamma(2.0, rate).astype(np.float32)
    names = np.array([f"G{place:02d}" for place in range(GENES)])
    return LabelledCells(expression, names, np.array(["B", "NK", "T"])[kind])


@pytest.fixture(scope="module")
def informed(cells):
    """Vectors that say in which type a gene is up."""
    return GeneVectors(cells.genes, np.eye(DIM)[np.arange(GENES) // (GENES // 3)])


@pytest.fixture(scope="module")
def rows(cells, informed):
    return pd.DataFrame(annotate_cells(cells, informed, CONFIG, seed=0))


def test_vectors_that_say_what_a_gene_does_beat_random_and_permuted_ones(rows):
    means = rows.groupby(["classifier", "features"])[["accuracy", "macro_f1"]].mean()
    for classifier in ("logistic regression", "nearest neighbours"):
        of = means.loc[classifier]
        assert (of.loc["gene vectors"] > 0.8).all()
        for control in ("random vectors", "permuted vectors"):
            assert (of.loc["gene vectors"] > of.loc[control] + 0.15).all()


def test_there_is_a_row_a_fold_features_and_classifier(rows):
    assert len(rows) == 3 * 5 * 2
    assert not rows.duplicated(["features", "classifier", "fold"]).any()
    width = rows.groupby("features")["width"].first()
    assert width["gene vectors"] == width["principal components"] == DIM
    assert width["expression"] == GENES


def test_the_order_of_the_table_and_the_case_of_its_names_do_not_matter(cells, informed, rows):
    order = np.random.default_rng(1).permutation(GENES)
    names = np.array([name.lower() for name in informed.genes[order]])
    other = GeneVectors(names, informed.vectors[order])
    again = pd.DataFrame(annotate_cells(cells, other, CONFIG, seed=0))
    pd.testing.assert_frame_equal(again, rows)


def test_genes_without_a_vector_are_left_out_and_counted(cells, informed):
    found = np.arange(GENES) % 2 == 0
    zeroed = GeneVectors(informed.genes, np.where(found[:, None], informed.vectors, 0))
    shorter = GeneVectors(informed.genes[found], informed.vectors[found])
    tables = [pd.DataFrame(annotate_cells(cells, t, CONFIG, seed=0)) for t in (zeroed, shorter)]
    pd.testing.assert_frame_equal(*tables)
    genes = tables[0].groupby("features")["genes"].first()
    assert (genes["gene vectors"], genes["expression"]) == (GENES // 2, GENES)


def test_labels_that_mean_nothing_are_told_at_chance(cells, informed):
    shuffled = np.random.default_rng(0).permutation(cells.types)
    blind = dataclasses.replace(cells, types=shuffled)
    rows = pd.DataFrame(annotate_cells(blind, informed, CONFIG, seed=0))
    assert rows.groupby(["features", "classifier"])["accuracy"].mean().max() < 0.5


def test_a_cell_is_the_mean_of_its_genes_weighted_by_expression():
    expression = np.array([[1, 3], [0, 2], [0, 0]], np.float32)
    vectors = np.array([[1.0, 0.0], [5.0, 4.0]])
    expected = [[4, 3], [5, 4], [0, 0]]
    np.testing.assert_allclose(average_vectors(expression, vectors), expected)


def test_components_and_scales_are_those_of_the_train_cells():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 6)) * [1, 2, 3, 4, 5, 6]
    types = np.array(["a", "b"] * 20)
    model = make_model("logistic regression", 2, values[:30].shape, CONFIG, seed=0)
    model.fit(values[:30], types[:30])
    np.testing.assert_allclose(model[0].mean_, values[:30].mean(axis=0))
    assert model[1].n_components_ == 2 and len(model) == 3
    assert make_model("nearest neighbours", 9, (30, 6), CONFIG, seed=0)[0].n_components == 6


def test_a_type_too_rare_for_the_folds_and_foreign_genes_are_refused(cells, informed):
    types = cells.types.copy()
    types[:-2] = "B"
    with pytest.raises(ConfigError, match=r"the rarest \(T\) with 2 cells"):
        annotate_cells(dataclasses.replace(cells, types=types), informed, CONFIG, seed=0)
    foreign = GeneVectors(np.char.add("X", informed.genes), informed.vectors)
    with pytest.raises(GeneMismatchError, match="None of the 60 genes"):
        annotate_cells(cells, foreign, CONFIG, seed=0)


@pytest.mark.parametrize("wrong", [{"folds": 1}, {"neighbours": 0}, {"inverse_ridge": 0.0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        CellTypeConfig(**wrong)
