"""What GT-GRN knows of genes from expression alone, and that no held-out edge is in it."""

import numpy as np
import pandas as pd
import pytest

from grnjax.errors import SplitError
from grnjax.evaluation.splits import draw_split
from grnjax.graphs.walks import InferredNetwork
from grnjax.models.autoencoder import AutoencoderConfig
from grnjax.models.graph_transformer import GraphTransformerConfig
from grnjax.models.gt_grn import GTGRNConfig
from grnjax.models.walk_model import WalkModelConfig
from grnjax.tasks.bench import FitSettings, Request
from grnjax.tasks.gene_embeddings import (
    GeneEmbeddingConfig,
    check_networks,
    drop_held_out,
    embed_dataset,
    read_network,
    standardise_rows,
)
from grnjax.tasks.gt_grn import GTGRNBench
from grnjax.tasks.inputs import InputConfig
from grnjax.training.expression_embedding import EmbeddingTrainingConfig
from grnjax.training.loop import TrainingConfig
from grnjax.training.study import Study
from grnjax.training.walk_training import WalkTrainingConfig

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


def as_network(pairs):
    return InferredNetwork(np.asarray(pairs, np.int32), np.ones(len(pairs), np.float32))


@pytest.fixture(scope="module")
def split(dataset):
    return draw_split("standard", dataset.known.positives, len(dataset.genes.names), 0)


@pytest.fixture(scope="module")
def embeddings(dataset):
    return embed_dataset(dataset.genes, SMALL, seed=0)


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize("flipped", [False, True])
def test_a_network_with_one_planted_held_out_edge_is_refused(dataset, split, part, flipped):
    """Walks go both ways along an edge, so the pair the other way round is a leak, too."""
    harmless = as_network(split.train.positives)
    check_networks({"train edges": harmless}, [split], dataset.genes)
    planted = getattr(split, part).positives[:1]
    edges = np.concatenate([split.train.positives, planted[:, ::-1] if flipped else planted])
    with pytest.raises(SplitError, match="network copy holds 1 of the"):
        check_networks({"copy": as_network(edges)}, [split], dataset.genes)


def test_without_held_out_pairs_a_network_says_nothing_of_their_labels(dataset, split):
    everything = np.concatenate([split.train.pairs, split.validation.pairs, split.test.pairs])
    kept = drop_held_out(as_network(everything), split, dataset.genes)
    check_networks({"kept": kept}, [split], dataset.genes)
    held_out = {frozenset(pair) for pair in everything[len(split.train.pairs):].tolist()}
    left = [pair for pair in split.train.pairs.tolist() if frozenset(pair) not in held_out]
    assert kept.edges.tolist() == left


def test_a_network_is_joined_by_gene_name(dataset, caplog):
    names = dataset.genes.names
    edges = pd.DataFrame({
        "tf": [names[5], "UNKNOWN", names[0]],
        "target": [names[2], names[1], names[3]],
        "importance": [0.5, 1.0, 0.0],
    })
    network = read_network(edges, dataset.genes)
    assert network.edges.tolist() == [[5, 2]] and network.weights.tolist() == [0.5]
    assert "2 of 3 edges are dropped" in caplog.text


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


@pytest.mark.parametrize(
    "control, field",
    [
        ("expression-permuted", "expression_embedding"),
        ("global-permuted", "global_embedding"),
        ("positions-permuted", "structure"),
    ],
)
def test_a_control_deals_out_one_input_anew_and_no_other(
    dataset, split, embeddings, control, field
):
    bench = GTGRNBench(dataset, [split], embeddings)
    plain, altered = (
        bench._build(Request(split, settings(control=c), 0, "model")).genes
        for c in (None, control)
    )
    for name in ("expression_embedding", "global_embedding", "structure", "eigenvectors"):
        one, two = (np.asarray(getattr(genes, name)) for genes in (plain, altered))
        same = np.array_equal(one, two)
        assert same == (name != field and (name, field) != ("eigenvectors", "structure"))
        np.testing.assert_allclose(np.sort(one.sum(axis=1)), np.sort(two.sum(axis=1)), atol=1e-4)


@pytest.mark.slow
def test_it_learns_from_all_of_it(dataset, split, embeddings):
    bench = GTGRNBench(dataset, [split], embeddings)
    long = settings(training=TrainingConfig(epochs=150, evaluate_every=10))
    with Study(None, 1, 150, "fitting") as study:
        [fitted] = bench.fit_all(study, [Request(split, long, 0, "model")])
    row = bench.judge("GT-GRN", split, 0, bench.score(fitted, split.test))
    assert row["auroc"] > 0.65
