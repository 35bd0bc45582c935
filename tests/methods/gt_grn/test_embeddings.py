"""What GT-GRN knows of genes from expression alone: two embeddings, kept and read back."""

import dataclasses

import numpy as np
import pytest

from grnjax.errors import CheckpointError, ConfigError
from grnjax.methods.gt_grn.embeddings import (
    GeneEmbeddingConfig,
    embed_dataset,
    standardise_rows,
)
from grnjax.models.autoencoder import AutoencoderConfig
from grnjax.models.walk_model import WalkModelConfig
from grnjax.training.expression_embedding import EmbeddingTrainingConfig
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


@pytest.mark.slow
def test_embeddings_are_kept_and_read_back(dataset, embeddings, tmp_path):
    for _ in range(2):
        again = embed_dataset(dataset.genes, SMALL, seed=0, folder=tmp_path)
        np.testing.assert_array_equal(again.expression, embeddings.expression)
        np.testing.assert_array_equal(again.walks, embeddings.walks)
        assert again.report == embeddings.report
    assert embeddings.expression.shape == (len(dataset.genes.names), 6)
    assert not embeddings.expression[~dataset.genes.measured].any()


@pytest.mark.slow
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
