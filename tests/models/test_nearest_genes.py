"""Genes of one operon answer for each other, and nobody for himself."""

import numpy as np
import pytest

from grnjax.baselines.neighbours import NEIGHBOURS, ask_neighbours
from grnjax.data.label_matrix import LabelMatrix, label_matrix
from grnjax.models import nearest_genes
from grnjax.models.nearest_genes import ask_nearest, find_nearest
from grnjax.types import GeneTable, LabelledPairs

GENES, OPERON = 60, 5
TFS = np.array([0, 1, 2])
SILENT = 2  # a TF without train pairs


@pytest.fixture(scope="module")
def expression():
    """Operons of five genes each; the last one is not measured."""
    rng = np.random.default_rng(0)
    operon = np.arange(GENES) // OPERON
    values = rng.normal(size=(80, GENES // OPERON))[:, operon]
    values = values + 0.3 * rng.normal(size=values.shape)
    values[:, operon == operon.max()] = 0
    return values.astype(np.float32)


@pytest.fixture(scope="module")
def train():
    """TF 0 regulates every other operon; two genes of each have no train pair at all."""
    shown = np.flatnonzero(np.arange(GENES) % OPERON < 3)
    pairs = np.array([(tf, gene) for tf in (0, 1) for gene in shown if tf != gene])
    labels = np.random.default_rng(1).random(len(pairs)) < 0.3
    labels[pairs[:, 0] == 0] = pairs[pairs[:, 0] == 0, 1] // OPERON % 2
    return label_matrix(LabelledPairs(pairs, labels.astype(np.float32)), TFS, GENES)


def ask(expression, train, counts=(3, 10)):
    return ask_nearest(find_nearest(expression), train, counts)


def test_a_planted_operon_tells_of_its_genes_without_train_pairs(expression, train):
    nearest = ask(expression, train)[0, 0]
    new = np.flatnonzero((np.arange(GENES) % OPERON >= 3) & expression.any(axis=0))
    is_regulated = new // OPERON % 2 == 1
    assert nearest[new][is_regulated].min() > nearest[new][~is_regulated].max() + 0.5


def test_the_votes_are_those_of_the_trivial_row_on_another_scale(expression, train):
    names = np.array([f"G{i}" for i in range(GENES)])
    genes = GeneTable(names, np.isin(np.arange(GENES), TFS), expression, expression.any(axis=0))
    expected = np.moveaxis(ask_neighbours(genes, train), -1, 0)
    for found, row in zip(ask(expression, train, NEIGHBOURS), expected, strict=True):
        measured = genes.measured
        assert np.corrcoef(found[:SILENT, measured].ravel(), row[:SILENT, measured].ravel())[
            0, 1
        ] > (0.999)


def test_own_labels_of_a_gene_do_not_speak_for_it(expression, train):
    labels = train.labels.copy()
    labels[0, [11, 16]] = labels[0, [16, 11]]  # the TF's share stays as it was
    assert not np.array_equal(labels, train.labels)
    changed = LabelMatrix(TFS, labels, train.observed)
    before, after = (ask(expression, x, (3,))[0, 0] for x in (train, changed))
    shift = abs(after - before)
    assert shift[[12, 17]].min() > 0.3, "their operons hear of it"
    assert shift[[11, 16]].max() < 0.1, "they do not"


def test_a_tf_without_train_pairs_and_genes_not_measured_hear_nothing(expression, train):
    found = ask(expression, train)
    assert found.shape == (2, 3, GENES) and not found[:, SILENT].any()
    silent = found[:, :SILENT, -OPERON:]
    np.testing.assert_array_equal(silent, np.broadcast_to(silent[..., :1], silent.shape))


def test_answers_that_tell_nothing_are_not_given(expression, train):
    nearest, rng = find_nearest(expression), np.random.default_rng(3)
    mixed = np.zeros_like(train.labels)
    for row, (labels, known) in enumerate(zip(train.labels, train.observed > 0, strict=True)):
        mixed[row, known] = rng.permutation(labels[known])
    shuffled = LabelMatrix(TFS, mixed, train.observed)
    assert ask_nearest(nearest, train, (3,), least=0.25).any()
    assert ask_nearest(nearest, shuffled, (3,), least=-1.0).any()
    assert not ask_nearest(nearest, shuffled, (3,), least=0.25).any()


def test_in_steps_or_at_once_the_same_genes_are_nearest(expression, monkeypatch):
    whole = find_nearest(expression)
    monkeypatch.setattr(nearest_genes, "AT_ONCE", 7)
    for found, expected in zip(find_nearest(expression), whole, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)
