"""A cell of a matrix has one vector, whatever batch and bucket it comes in."""

import functools

import anndata
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax.foundation.geneformer import Geneformer, GeneformerConfig
from grnjax.foundation.performer import PerformerConfig
from grnjax.foundation.scbert import ScBertConfig
from grnjax.foundation.scfoundation import ScFoundationConfig
from grnjax.foundation.token_stream import Bucket
from grnjax.foundation.tokenise_geneformer import GeneformerTokeniserConfig
from grnjax.foundation.tokenise_scbert import ScBertTokeniserConfig
from grnjax.foundation.tokenise_scfoundation import ScFoundationTokeniserConfig, fill_places
from grnjax.foundation.tokenisers import (
    geneformer_tokeniser,
    scbert_tokeniser,
    scfoundation_tokeniser,
)
from grnjax.foundation.transformer import TransformerConfig
from tests.foundation.opened import open_tokens

GENES = [f"GENE{place}" for place in range(20)]
BLOCKS = {"layers": 1, "width": 8, "heads": 2, "feed_forward": 8}
PERFORMER = PerformerConfig(**BLOCKS, head_width=4, features=6, bias=True)


def fill(variables):
    """Random numbers in the place of every array."""
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0.2, 0.4, leaf.shape), "f4"), variables)


def make_geneformer():
    config = GeneformerConfig(**BLOCKS, norm_epsilon=1e-12, vocabulary=22, positions=20)
    model = Geneformer(config)
    start = np.zeros((1, 2), np.int32), np.ones((1, 2), bool)
    init = functools.partial(model.init, train=False)
    variables = fill(jax.eval_shape(lambda: init(jax.random.key(0), *start)))

    @jax.jit
    def run(*args):
        return model.apply(variables, *args, train=False, method="hidden_states")[-1][:, 0]

    def embed(batch):
        return run(batch.tokens, batch.is_real)

    tokens = {"<pad>": 0, "<mask>": 1} | {name: place + 2 for place, name in enumerate(GENES)}
    config = GeneformerTokeniserConfig(length=20)
    return geneformer_tokeniser(tokens, dict.fromkeys(GENES, 1.0), config), embed, 20


def make_scbert():
    config = ScBertConfig(genes=20, performer=PERFORMER)
    variables = fill(jax.eval_shape(lambda: config.init(jax.random.key(0))))

    @jax.jit
    def run(tokens):
        return config.make().apply(variables, tokens, train=False, method="encode")[:, 3]

    def embed(batch):
        return run(batch.tokens)

    return scbert_tokeniser(GENES, ScBertTokeniserConfig(least_genes=1)), embed, 21


def make_scfoundation():
    encoder = TransformerConfig(**BLOCKS, norm_epsilon=1e-5)
    config = ScFoundationConfig(genes=20, value_bins=5, encoder=encoder, decoder=PERFORMER)
    variables = fill(jax.eval_shape(lambda: config.init(jax.random.key(0))))

    @jax.jit
    def run(*args):
        return config.make().apply(variables, *args, train=False)

    def embed(batch):
        values = fill_places(batch.tokens, batch.values, batch.is_real, 20)
        return run(values, batch.tokens, batch.is_real)

    return scfoundation_tokeniser(GENES, ScFoundationTokeniserConfig()), embed, 22


@pytest.mark.slow
@pytest.mark.parametrize("make", [make_geneformer, make_scbert, make_scfoundation])
def test_a_cell_has_one_vector_in_every_batch(make, tmp_path):
    counts = np.random.default_rng(7).poisson(0.5, (7, 20))
    data = anndata.AnnData(sparse.csr_matrix(counts), var=pd.DataFrame(index=GENES))
    data.write_h5ad(tmp_path / "cells.h5ad")
    tokeniser, embed, longest = make()

    def collect(buckets):
        cells = {}
        with open_tokens(tmp_path / "cells.h5ad", tokeniser, buckets=buckets) as stream:
            for batch in stream:
                for cell, vector in zip(batch.cells.tolist(), np.asarray(embed(batch))):
                    if cell >= 0:
                        cells[cell] = vector
        return cells

    alone = collect((Bucket(longest, 1),))
    together = collect((Bucket(longest // 2, 2), Bucket(longest + 2 * (longest < 20), 4)))
    assert sorted(alone) == sorted(together) == list(range(7))
    for cell, vector in alone.items():
        assert np.isfinite(vector).all() and vector.std() > 1e-3
        np.testing.assert_allclose(together[cell], vector, atol=1e-5, rtol=0)
    assert np.abs(alone[0] - alone[1]).max() > 1e-3
