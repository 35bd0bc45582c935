"""What GT-GRN knows of genes from expression alone, and what a fit makes of it."""

import numpy as np
import pytest

from grnjax.evaluation.splits import draw_split
from grnjax.models.autoencoder import AutoencoderConfig
from grnjax.models.graph_transformer import GraphTransformerConfig
from grnjax.models.gt_grn import GTGRNConfig
from grnjax.models.walk_model import WalkModelConfig
from grnjax.tasks.bench import FitSettings, Request
from grnjax.tasks.gene_embeddings import GeneEmbeddingConfig, embed_dataset, standardise_rows
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


def test_pairs_outside_train_can_be_weak_negatives(dataset, embeddings):
    edges, genes = dataset.known.positives, len(dataset.genes.names)
    split = draw_split("balanced", edges, genes, 0, tfs=dataset.genes.tfs)
    bench = GTGRNBench(dataset, [split], embeddings)
    weak = settings(inputs=InputConfig(unlabelled_weight=0.25))
    train = bench._build(Request(split, weak, 0, "model")).train
    assert (np.asarray(train.weights) == 0.25).sum() > len(split.train)


@pytest.mark.slow
def test_it_learns_from_all_of_it(dataset, split, embeddings):
    bench = GTGRNBench(dataset, [split], embeddings)
    long = settings(training=TrainingConfig(epochs=150, evaluate_every=10))
    with Study(None, 1, 150, "fitting") as study:
        [fitted] = bench.fit_all(study, [Request(split, long, 0, "model")])
    row = bench.judge("GT-GRN", split, 0, bench.score(fitted, split.test))
    assert row["auroc"] > 0.65
