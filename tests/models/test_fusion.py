import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.errors import ConfigError
from grnjax.models.fusion import CrossAttentionConfig, CrossModalFusion

GENES, FROZEN, ENCODED = 6, 7, 5
CONFIG = CrossAttentionConfig(layers=2, tokens=3, width=8, heads=2, dropout=0.3)
MODEL = CrossModalFusion(CONFIG)
UNKNOWN = 2
HALF = CONFIG.tokens * CONFIG.width  # of the result; the frozen embedding's tokens stand first


@pytest.fixture(scope="module")
def frozen():
    values = np.random.default_rng(0).normal(size=(GENES, FROZEN)).astype(np.float32)
    values[UNKNOWN] = 0
    return jnp.asarray(values)


@pytest.fixture(scope="module")
def encoded():
    return jax.random.normal(jax.random.key(1), (GENES, ENCODED))


@pytest.fixture(scope="module")
def variables(frozen, encoded):
    """Random parameters, those that start at zero too."""
    start = functools.partial(MODEL.init, train=False)
    shapes = jax.eval_shape(start, jax.random.key(0), frozen, encoded)
    rng = np.random.default_rng(2)
    return jax.tree.map(lambda s: rng.normal(size=s.shape, scale=0.5).astype(np.float32), shapes)


@jax.jit
def fuse(variables, frozen, encoded):
    return MODEL.apply(variables, frozen, encoded, train=False)


@pytest.fixture(scope="module")
def influence(variables, frozen, encoded):
    """How strongly [half, gene] of the result follows each gene's frozen and graph embedding."""

    @jax.jit
    @functools.partial(jax.jacobian, argnums=(0, 1))
    def slopes(frozen, encoded):
        return fuse(variables, frozen, encoded).reshape(GENES, 2, HALF)

    return [np.abs(slope).sum(axis=(2, 4)) for slope in slopes(frozen, encoded)]


def test_each_embedding_reads_the_other(influence):
    by_frozen, by_graph = (np.diagonal(slope, axis1=0, axis2=2) for slope in influence)
    known = np.arange(GENES) != UNKNOWN  # [half, gene]
    assert (by_frozen[:, known] > 1e-2).all() and (by_graph[:, known] > 1e-2).all()


def test_a_gene_reads_no_other_gene(influence):
    for slope in influence:
        assert not slope.sum(axis=1)[~np.eye(GENES, dtype=bool)].any()


def test_nothing_attends_to_a_gene_that_is_not_in_the_table(variables, frozen, encoded):
    """Its graph half is what it would be if the frozen half said something else altogether."""
    loud = jax.tree.map(np.copy, variables)
    bias = loud["params"]["frozen_tokens"]["linear"]["bias"]
    bias *= -3
    one, other = (fuse(v, frozen, encoded) for v in (variables, loud))
    change = np.abs(one - other).reshape(GENES, 2, HALF).max(axis=2)
    assert change[UNKNOWN, 1] == 0
    assert change[UNKNOWN, 0] > 0.01, "its frozen tokens are the biases"
    assert (np.delete(change, UNKNOWN, axis=0) > 0.01).all()
    louder = fuse(variables, frozen, encoded.at[UNKNOWN].multiply(-1))
    assert np.abs(louder - one)[UNKNOWN, :HALF].max() > 0.01, "and read the graph embedding"


@pytest.mark.slow
def test_attention_has_something_to_choose_from(variables, frozen, encoded):
    """Softmax over one vector is 1 whatever the query; over several tokens the query counts."""
    for tokens, matters in ((CONFIG.tokens, True), (1, False)):
        model = CrossModalFusion(CrossAttentionConfig(layers=1, tokens=tokens, width=8))
        run = jax.jit(functools.partial(model.apply, train=False))
        start = jax.jit(functools.partial(model.init, train=False))(
            jax.random.key(0), frozen, encoded
        )
        asked = jax.tree.map(jnp.copy, start)
        query = asked["params"]["layer_0"]["graph_reads_frozen"]["query"]
        query["kernel"] = query["kernel"] * 5
        one, other = (run(v, frozen, encoded) for v in (start, asked))
        assert (np.abs(one - other).max() > 0.01) == matters


def test_relabelling_genes_permutes_their_vectors(variables, frozen, encoded):
    new = np.random.default_rng(3).permutation(GENES)
    permuted = fuse(variables, frozen[new], encoded[new])
    np.testing.assert_allclose(permuted, fuse(variables, frozen, encoded)[new], atol=1e-5)


def test_the_scale_of_the_embeddings_does_not_matter(variables, frozen, encoded):
    """Tables of foundation models come in any unit."""
    result = fuse(variables, frozen, encoded)
    np.testing.assert_allclose(fuse(variables, 50 * frozen, encoded / 7), result, atol=1e-3)
    assert not np.allclose(fuse(variables, -frozen, encoded), result, atol=1e-1)


@pytest.mark.slow
def test_gradients_are_finite_where_a_gene_has_nothing(variables, frozen, encoded):
    def loss(variables, frozen, encoded):
        return jnp.sum(jnp.sin(fuse(variables, frozen, encoded)))

    gradient = jax.grad(loss, argnums=(0, 1, 2))(variables, frozen, encoded.at[UNKNOWN].set(0))
    assert all(np.isfinite(array).all() for array in jax.tree.leaves(gradient))


@pytest.mark.slow
def test_dropout_is_random_in_training_only(variables, frozen, encoded):
    run = jax.jit(MODEL.apply, static_argnames="train")

    def draw(seed, train=True):
        rngs = {"dropout": jax.random.key(seed)}
        return np.asarray(run(variables, frozen, encoded, train=train, rngs=rngs))

    np.testing.assert_array_equal(draw(0), draw(0))
    assert not np.allclose(draw(0), draw(1))
    np.testing.assert_array_equal(draw(0, train=False), draw(1, train=False))


def test_without_a_table_there_is_nothing_to_fuse(frozen, encoded):
    with pytest.raises(ConfigError, match="needs frozen gene embeddings: give --data.embedding"):
        MODEL.init(jax.random.key(0), frozen[:, :0], encoded, train=False)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"layers": 0}, "layers must be at least 1, got 0"),
        ({"width": 9}, "width 9 cannot be divided among 2 heads"),
        ({"dropout": 1.0}, r"\[0, 1\), got 1.0"),
    ],
)
def test_settings_without_meaning_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        CrossAttentionConfig(**settings)
