"""What GT-GRN knows of genes from expression alone, and what a fit makes of it."""

import dataclasses

import numpy as np
import pytest
from grnjax.tasks.bench import FitSettings, Request
from grnjax.tasks.gt_grn import GTGRNBench

from grnjax.baselines.neighbours import NEIGHBOURS
from grnjax.errors import CheckpointError, ConfigError
from grnjax.evaluation.splits import draw_split
from grnjax.methods.gt_grn.embeddings import (
    GeneEmbeddingConfig,
    GeneEmbeddings,
    embed_dataset,
    standardise_rows,
)
from grnjax.models.autoencoder import AutoencoderConfig
from grnjax.models.graph_transformer import GraphTransformerConfig
from grnjax.models.gt_grn import GTGRNConfig
from grnjax.models.walk_model import WalkModelConfig
from grnjax.tasks.inputs import InputConfig
from grnjax.training.expression_embedding import EmbeddingTrainingConfig
from grnjax.training.loop import TrainingConfig
from grnjax.training.recorder import FitRecorder
from grnjax.training.walk_training import WalkTrainingConfig
from grnjax.types import Dataset, GeneTable, LabelledPairs

SMALL = GeneEmbeddingConfig(
    networks=("pearson", "spearman"),
    autoencoder=AutoencoderConfig(dim=6, widths=(16,)),
    expression=EmbeddingTrainingConfig(epochs=30, warm_up=5),
    walks=WalkTrainingConfig(
        model=WalkModelConfig(layers=1, heads=2, width=8, feed_forward=8),
        walks_a_node=5,
        evaluate_every=20,
        held_out_walks=128,
        vector_walks=2,
    ),
)


@pytest.fixture(scope="module")
def split(dataset):
    return draw_split("standard", dataset.known.positives, len(dataset.genes.names), 0)


@pytest.fixture(scope="module")
def embeddings(dataset):
    return embed_dataset(dataset.genes, SMALL, seed=0)


def test_covered_rows_are_standardised_and_the_others_stay_zero():
    vectors = np.random.default_rng(0).normal(3, 2, size=(9, 4)).astype(np.float32)
    vectors[:, 3] = 1
    covered = np.arange(9) % 3 > 0
    result = standardise_rows(vectors, covered)
    assert not result[~covered].any() and not result[:, 3].any()
    np.testing.assert_allclose(result[covered][:, :3].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(result[covered][:, :3].std(axis=0), 1, atol=1e-5)


def test_embeddings_are_kept_and_read_back(dataset, embeddings, tmp_path):
    for _ in range(2):
        again = embed_dataset(dataset.genes, SMALL, seed=0, folder=tmp_path)
        np.testing.assert_array_equal(again.expression, embeddings.expression)
        np.testing.assert_array_equal(again.walks, embeddings.walks)
        assert again.report == embeddings.report
    assert embeddings.expression.shape == (len(dataset.genes.names), 6)
    assert not embeddings.expression[~dataset.genes.measured].any()


def settings(**changes):
    given = {
        "model": GTGRNConfig(transformer=GraphTransformerConfig(width=8, heads=2, layers=1)),
        "inputs": InputConfig(messages="symmetric"),
        "training": TrainingConfig(epochs=10, evaluate_every=5),
    }
    return FitSettings(**(given | changes))


def test_positions_are_those_in_the_train_edges_of_each_fit(dataset, embeddings):
    splits = [
        draw_split("standard", dataset.known.positives, len(dataset.genes.names), draw)
        for draw in (0, 1)
    ]
    bench = GTGRNBench(dataset, splits, embeddings)
    one, other = (bench._build(Request(split, settings(), 0, "model")) for split in splits)
    assert not np.allclose(one.genes.structure, other.genes.structure)
    np.testing.assert_array_equal(one.genes.global_embedding, other.genes.global_embedding)
    assert one.genes.expression_embedding.shape == other.genes.expression_embedding.shape


OF_EXPRESSION = {"expression_embedding", "statistics"}
PLACES = {"structure", "eigenvectors"}


@pytest.mark.parametrize(
    "control, moved",
    [
        ("expression-permuted", OF_EXPRESSION),
        ("global-permuted", {"global_embedding"}),
        ("embeddings-permuted", OF_EXPRESSION | {"global_embedding"}),
        ("positions-permuted", PLACES),
    ],
)
def test_a_control_deals_out_its_inputs_anew_and_no_others(
    dataset, split, embeddings, control, moved
):
    """Genes that lack an input lack it in the control, too; co-expression goes with expression."""
    unplaced = dataclasses.replace(embeddings, walks=embeddings.walks.copy())
    unplaced.walks[::5] = 0
    bench = GTGRNBench(dataset, [split], unplaced)
    plain, altered = (
        bench._build(Request(split, settings(control=c), 0, "model")) for c in (None, control)
    )
    for name in OF_EXPRESSION | PLACES | {"global_embedding", "measured"}:
        one, two = (np.asarray(getattr(data.genes, name)) for data in (plain, altered))
        assert np.array_equal(one, two) == (name not in moved)
        sums = [np.sort(x.reshape(len(x), -1).sum(axis=1)) for x in (one, two)]
        np.testing.assert_allclose(*sums, atol=1e-4)
        if name not in PLACES:
            one, two = (x.reshape(len(x), -1).any(axis=1) for x in (one, two))
            np.testing.assert_array_equal(one, two)
    same = np.array_equal(np.asarray(plain.train.features), np.asarray(altered.train.features))
    assert same == (not moved & OF_EXPRESSION)


def test_only_the_form_for_new_targets_hears_of_co_expressed_ones(dataset, split, embeddings):
    """What they say depends on expression and on train labels, of both kinds of pairs alike."""
    bench = GTGRNBench(dataset, [split], embeddings)

    def features(control=None, labels=split.train.labels, **model):
        form = settings(control=control, model=GTGRNConfig(**model))
        train = LabelledPairs(split.train.pairs, labels)
        data = bench._build(Request(dataclasses.replace(split, train=train), form, 0, "model"))
        return [np.asarray(batch.features) for batch in (data.train, data.validation)]

    known, new = features(), features(new_targets=True)
    labels = np.random.default_rng(0).permutation(split.train.labels)
    relabelled = features(new_targets=True, labels=labels)
    permuted = features(new_targets=True, control="expression-permuted")
    for at in range(2):
        width = known[at].shape[1]
        assert new[at].shape[1] == width + len(NEIGHBOURS)
        np.testing.assert_array_equal(known[at], new[at][:, :width])
        np.testing.assert_array_equal(known[at], relabelled[at][:, :width])
        for other in (relabelled, permuted):
            assert not np.allclose(other[at][:, width:], new[at][:, width:])
    assert features(new_targets=True, coexpression=False)[0].shape[1] == 0


def test_messages_both_ways_know_which_way_an_edge_regulates(dataset, split, embeddings):
    bench = GTGRNBench(dataset, [split], embeddings)
    for messages, width in (("symmetric", 2), ("directed", 0)):
        wanted = settings(inputs=InputConfig(messages=messages))
        genes = bench._build(Request(split, wanted, 0, "model")).genes
        assert genes.edge_features.shape[1] == width
    both = bench._build(Request(split, settings(), 0, "model")).genes
    ends = np.stack([both.graph.senders, both.graph.receivers], axis=1)
    there = set(map(tuple, split.train.positives.tolist()))
    wanted = [[tuple(e) in there, tuple(e[::-1]) in there] for e in ends.tolist()]
    np.testing.assert_array_equal(both.edge_features, np.float32(wanted))


def test_pairs_outside_train_can_be_weak_negatives(dataset, embeddings):
    edges, genes = dataset.known.positives, len(dataset.genes.names)
    split = draw_split("balanced", edges, genes, 0, tfs=dataset.genes.tfs)
    bench = GTGRNBench(dataset, [split], embeddings)
    weak = settings(inputs=InputConfig(unlabelled_weight=0.25))
    train = bench._build(Request(split, weak, 0, "model")).train
    assert (np.asarray(train.weights) == 0.25).sum() > len(split.train)


@pytest.mark.slow
def test_it_learns_what_base_rates_cannot():
    """Which target is whose was planted in the genes' vectors, the same share for every TF."""
    rng = np.random.default_rng(0)
    genes, tfs = 150, 12
    vectors = rng.normal(size=(genes, 6)).astype(np.float32)
    wish = rng.normal(size=(tfs, 6)) @ vectors.T
    np.put_along_axis(wish, np.arange(tfs)[:, None], -np.inf, axis=1)
    edges = np.argwhere(wish > np.quantile(wish, 0.8, axis=1, keepdims=True))
    expression = (rng.normal(size=(60, 6)) @ vectors.T).astype(np.float32)
    names = np.array([f"G{number:03d}" for number in range(genes)])
    table = GeneTable(names, np.arange(genes) < tfs, expression, np.ones(genes, bool))
    planted = Dataset(table, LabelledPairs(edges.astype(np.int32), np.ones(len(edges))), {})
    nothing = np.zeros((genes, 0), np.float32)
    given = GeneEmbeddings(vectors, np.ones(genes, bool), nothing, {})
    split = draw_split("target-disjoint", planted.known.positives, genes, 0)
    bench = GTGRNBench(planted, [split], given)
    form = settings(
        model=GTGRNConfig(new_targets=True), inputs=InputConfig(), training=TrainingConfig()
    )
    permuted = dataclasses.replace(form, control="expression-permuted")
    requests = [Request(split, wanted, 0, "model") for wanted in (form, permuted)]
    with FitRecorder(None, 2, form.training.epochs, "fitting") as recorder:
        learned, control = (
            bench.judge("GT-GRN", split, 0, bench.score(fitted, split.test))
            for fitted in bench.fit_all(recorder, requests)
        )
    assert learned["within_tf_auroc"] > 0.85 and learned["swap_micro"] > 0.85
    assert control["within_tf_auroc"] < 0.65 and control["swap_micro"] < 0.65


def test_a_folder_of_other_embeddings_is_refused(dataset, tmp_path):
    embed_dataset(dataset.genes, SMALL, seed=0, folder=tmp_path)
    fewer = dataclasses.replace(SMALL, networks=("pearson",))
    for config, seed in ((fewer, 0), (SMALL, 1)):
        with pytest.raises(CheckpointError, match="embeddings of other expression, settings"):
            embed_dataset(dataset.genes, config, seed=seed, folder=tmp_path)


def test_tfs_that_never_vary_leave_nothing_to_walk_on(dataset):
    flat = dataset.genes.expression.copy()
    flat[:, dataset.genes.tfs] = 1
    genes = dataclasses.replace(dataset.genes, expression=flat)
    with pytest.raises(ConfigError, match=r"None of the 2 networks .* 0 have expression that"):
        embed_dataset(genes, SMALL, seed=0)
