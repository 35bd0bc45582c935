"""The bulk study: which pairs are candidates, and that reconstruction says what it was shown."""

import os

import numpy as np
import pytest

from experiments.gt_grn import bulk
from experiments.shared import record, studies
from grnjax.data.bulk import BulkSet
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.tasks.split_fits import SplitConfig, draw_splits
from grnjax.training.pair_objective import TrainingConfig
from grnjax.types import Dataset, GeneTable, LabelledPairs

QUICK = ScRegNetMethod(
    model=ScRegNetConfig(mlp_widths=(8,), identity_rank=2),
    inputs=InputConfig(components=4),
    training=TrainingConfig(epochs=10),
)


@pytest.fixture
def make_dataset():
    """A set of 40 genes, 6 of them TFs; every fifth stands in no labelled pair."""

    def make() -> Dataset:
        rng = np.random.default_rng(3)
        names = np.array([f"G{number:02d}" for number in range(40)])
        scored = np.flatnonzero(np.arange(40) % 5 != 4)
        tfs = scored[:6]
        pairs = np.array([(tf, gene) for tf in tfs for gene in scored if tf != gene], np.int32)
        is_tf = np.zeros(40, bool)
        is_tf[[*tfs, 9]] = True  # 9 is a TF of which the gold standard says nothing
        genes = GeneTable(
            names, is_tf, rng.normal(size=(20, 40)).astype(np.float32), np.ones(40, bool)
        )
        labels = (rng.random(len(pairs)) < 0.3).astype(np.float32)
        return Dataset(genes, LabelledPairs(pairs, labels), {})

    return make


def test_genes_without_a_labelled_pair_go_and_the_rest_keep_what_is_known_of_them(make_dataset):
    before = make_dataset()
    after = bulk.keep_scored_genes(before)
    assert set(before.genes.names) - set(after.genes.names) == {
        f"G{number:02d}" for number in range(4, 40, 5)
    }
    np.testing.assert_array_equal(
        after.genes.names[after.known.pairs], before.genes.names[before.known.pairs]
    )
    np.testing.assert_array_equal(after.known.labels, before.known.labels)
    place = np.searchsorted(before.genes.names, after.genes.names)
    np.testing.assert_array_equal(after.genes.expression, before.genes.expression[:, place])
    np.testing.assert_array_equal(after.genes.is_tf, before.genes.is_tf[place])


@pytest.mark.slow
def test_candidates_of_e_coli_are_exactly_the_pairs_that_dream5_scores():
    if "GRNJAX_DATA" not in os.environ:
        pytest.skip("GRNJAX_DATA does not name the folder of the data sets")
    dataset = bulk.keep_scored_genes(BulkSet.read("ecoli", os.environ["GRNJAX_DATA"]))
    [split] = draw_splits(dataset, SplitConfig())
    parts = (split.train, split.validation, split.test)
    listed = np.concatenate([part.pairs for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    order = np.lexsort(listed.T[::-1])
    np.testing.assert_array_equal(listed[order], dataset.known.pairs)
    np.testing.assert_array_equal(labels[order], dataset.known.labels)


@pytest.mark.slow
def test_reconstruction_says_which_figures_score_train_edges(make_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    results = record.ResultsFile("study")
    dataset = bulk.keep_scored_genes(make_dataset())
    [split] = splits = draw_splits(dataset, SplitConfig())
    ground = studies.Splits(dataset, splits)
    for _ in range(2):  # the second time there is nothing left to do
        studies.measure_reconstruction(results, "small", ground, split, "model", QUICK)
        monkeypatch.setattr(studies.Splits, "fit", None)
    rows = {row["split"].removeprefix("reconstruction, "): row for row in results.rows}
    assert len(rows) == len(results.rows)
    shown = {among: (row["scores_train_edges"], row["positives"]) for among, row in rows.items()}
    edges, train = len(dataset.known.positives), len(split.train.positives)
    assert shown == {
        "all pairs": (True, edges),
        "train pairs": (True, train),
        "pairs outside train": (False, edges - train),
    }


@pytest.mark.slow
def test_the_kernel_factor_model_is_measured_once_and_by_expression_alone(
    make_dataset, tmp_path, monkeypatch
):
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    results = record.ResultsFile("study")
    dataset = bulk.keep_scored_genes(make_dataset())
    [split] = splits = draw_splits(dataset, SplitConfig(kind="target-disjoint"))
    ground = studies.Splits(dataset, splits)
    where, seen, fit = {"set": "small", "split": "target-disjoint"}, [], studies.fit_factors

    def watch(evidence, *given):
        seen.extend(item.name for item in evidence)
        return fit(evidence, *given)

    monkeypatch.setattr(bulk, "fit_factors", watch)
    for _ in range(2):  # the second time there is nothing left to do
        bulk.measure_kernel_factor(results, where, ground, split)
    assert seen == ["expression"]
    [row] = results.rows
    assert row["method"] == bulk.KERNEL_FACTOR and 0 < row["auroc"] < 1
