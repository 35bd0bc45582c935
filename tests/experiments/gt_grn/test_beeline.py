"""Settings of the GT-GRN study: what its published form sees, and what each ablation changes."""

import dataclasses

import numpy as np
import pytest

from experiments.gt_grn.beeline import (
    KNOWN,
    NEW,
    ablations,
    embedded_splits,
    forms,
    published,
)
from experiments.shared.studies import Variant
from grnjax.evaluation.splits import draw_split
from grnjax.methods.gt_grn.embeddings import GeneEmbeddings
from grnjax.types import Dataset, GeneTable, LabelledPairs

GENES, TFS, WIDTH = 60, 6, 12


@pytest.fixture
def dataset():
    rng = np.random.default_rng(0)
    edges = np.argwhere((rng.random((TFS, GENES)) < 0.3) & ~np.eye(TFS, GENES, dtype=bool))
    names = np.array([f"G{number:02d}" for number in range(GENES)])
    expression = rng.normal(size=(30, GENES)).astype(np.float32)
    genes = GeneTable(names, np.arange(GENES) < TFS, expression, np.ones(GENES, bool))
    return Dataset(genes, LabelledPairs(edges.astype(np.int32), np.ones(len(edges))), {})


@pytest.mark.slow
def test_the_published_form_sees_eigenvectors_alone_and_directed_edges(dataset):
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(GENES, WIDTH)).astype(np.float32)
    given = GeneEmbeddings(vectors, np.ones(GENES, bool), vectors, {})
    split = draw_split("standard", dataset.known.positives, GENES, 0)
    form = published(split, given)
    form = dataclasses.replace(form, training=dataclasses.replace(form.training, epochs=5))
    ground = embedded_splits(dataset, [split], given)
    [(_, _, fitted)] = ground.fit(Variant(method=form), [split], (0,), "published")
    data = fitted.data
    assert data.genes.eigenvectors.shape == (GENES + 1, WIDTH)
    assert data.genes.structure.shape == (GENES + 1, 0)
    assert data.genes.edge_features.shape[1] == 0
    weights = np.asarray(data.train.weights)
    labels = np.asarray(data.train.labels)
    both = [weights[labels == label].sum() for label in (0, 1)]
    assert both[0] == pytest.approx(both[1], rel=1e-3), "positives and negatives weigh the same"


@pytest.mark.parametrize("name", [KNOWN, NEW])
def test_each_ablation_changes_its_form(name):
    form, changed = Variant(method=forms()[name]), ablations(name)
    assert all(title.startswith(f"{name}, ") for title in changed)
    assert len({form, *changed.values()}) == 1 + len(changed)
    for settings in changed.values():
        assert settings.method.model.new_targets == form.method.model.new_targets
        assert settings.method.training == form.method.training
    off = changed[f"{name}, no expression"].method.model
    assert "expression" not in off.inputs and not off.coexpression
    assert dataclasses.replace(changed[f"{name}, walks permuted"], control=None) == form
