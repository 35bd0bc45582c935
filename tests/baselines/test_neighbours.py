"""Genes that move together are asked for each other's regulators, and nobody for his own."""

import numpy as np
import pytest

from grnjax.baselines.neighbours import NEIGHBOURS, ask_neighbours
from grnjax.data.label_matrix import label_matrix
from grnjax.types import GeneTable, LabelledPairs

GENES, OPERON = 60, 5
TFS = np.array([0, 1, 2])


@pytest.fixture(scope="module")
def genes():
    """Operons of five genes each; the genes of the last one are not measured."""
    rng = np.random.default_rng(0)
    operon = np.arange(GENES) // OPERON
    values = rng.normal(size=(80, GENES // OPERON))[:, operon]
    values = values + 0.3 * rng.normal(size=values.shape)
    measured = operon < GENES // OPERON - 1
    values[:, ~measured] = 0
    names = np.array([f"G{i:02d}" for i in range(GENES)])
    return GeneTable(names, np.isin(np.arange(GENES), TFS), values.astype(np.float32), measured)


@pytest.fixture(scope="module")
def train():
    """TF 0 regulates every other operon; two genes of each operon have no train pair at all."""
    shown = np.flatnonzero(np.arange(GENES) % OPERON < 3)
    pairs = np.array([(tf, gene) for tf in TFS for gene in shown if tf != gene])
    labels = np.random.default_rng(1).random(len(pairs)) < 0.3
    of_first = pairs[:, 0] == 0
    labels[of_first] = pairs[of_first, 1] // OPERON % 2
    return LabelledPairs(pairs, labels.astype(np.float32))


def ask(genes, train):
    return ask_neighbours(genes, label_matrix(train, TFS, GENES))


def test_an_operon_tells_of_genes_without_train_pairs(genes, train):
    nearest, *_, widest = np.moveaxis(ask(genes, train)[0], -1, 0)
    new = np.flatnonzero((np.arange(GENES) % OPERON >= 3) & genes.measured)
    regulated = new // OPERON % 2 == 1
    assert nearest[new][regulated].min() > nearest[new][~regulated].max() + 0.3
    assert abs(widest[new]).max() < abs(nearest[new]).max() / 2, "a hundred dilute three"


def test_a_gene_is_no_neighbour_of_its_own(genes, train):
    before = ask(genes, train)
    of_gene = train.pairs[:, 1] == 12
    flipped = np.where(of_gene, 1 - train.labels, train.labels)
    # As many positives as before, so that the TFs' shares stay what they were.
    for tf in TFS:
        others = np.flatnonzero((train.pairs[:, 0] == tf) & ~of_gene & (train.pairs[:, 1] >= 40))
        gained = int((flipped - train.labels)[(train.pairs[:, 0] == tf) & of_gene][0])
        swapped = others[train.labels[others] == (gained > 0)][0]
        flipped[swapped] -= gained
    after = ask(genes, LabelledPairs(train.pairs, flipped))
    np.testing.assert_allclose(after[:, 12, 0], before[:, 12, 0], atol=1e-6)
    assert not np.allclose(after[:, 13, 0], before[:, 13, 0]), "its neighbour hears of it"


def test_relabelling_genes_permutes_the_votes(genes, train):
    order = np.random.default_rng(2).permutation(GENES)
    place = np.argsort(order)
    moved = GeneTable(
        genes.names[order], genes.is_tf[order], genes.expression[:, order], genes.measured[order]
    )
    tfs = np.sort(place[TFS])
    matrix = label_matrix(LabelledPairs(place[train.pairs], train.labels), tfs, GENES)
    rows = np.searchsorted(tfs, place[TFS])
    votes = ask_neighbours(moved, matrix)[rows][:, place]
    np.testing.assert_allclose(votes, ask(genes, train), atol=1e-5)


def test_genes_that_are_not_measured_neither_ask_nor_speak(genes, train):
    before = ask(genes, train)
    assert before.shape == (len(TFS), GENES, len(NEIGHBOURS)) and before.dtype == np.float32
    assert not before[:, ~genes.measured].any()
    unmeasured = ~genes.measured[train.pairs[:, 1]]
    without = ask(genes, LabelledPairs(train.pairs[~unmeasured], train.labels[~unmeasured]))
    assert np.corrcoef(before[0, genes.measured, 0], without[0, genes.measured, 0])[0, 1] > 0.99


def test_fewer_targets_than_are_asked_are_all_asked(genes):
    few = LabelledPairs(np.array([[0, 6], [0, 11]]), np.array([1.0, 0]))
    votes = ask(genes, few)
    np.testing.assert_array_equal(votes[..., 0], votes[..., -1])
    assert votes[0, 7, 0] > 0 > votes[0, 12, 0] and not votes[1:].any()
