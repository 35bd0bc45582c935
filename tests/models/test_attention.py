"""Attention weights are dropped alike however attention is computed, and in both passes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.models import attention
from grnjax.models.attention import attend, attend_by_head

SHARE = 0.25


def draw(queries=40, keys=50, heads=2, dim=4):
    rng = np.random.default_rng(0)
    arrays = [jnp.float32(rng.normal(size=(2, n, heads, dim))) for n in (queries, keys, keys)]
    is_key = jnp.asarray(np.arange(keys) < np.array([[keys], [keys - 20]]))
    return *arrays, is_key


def read_weights(seed, **changes):
    """The weights of a cell's first head that are kept: what is read of a value that is one key."""
    query, key, _, is_key = draw(dim=50)
    value = jnp.broadcast_to(jnp.eye(50)[None, :, None], (2, 50, 2, 50))
    drops = {"dropout": SHARE, "rng": jax.random.key(seed)} | changes
    return attend(query, key, value, is_key, **drops)


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [2**24, 500], ids=["whole", "blocks"])
def test_a_share_of_the_weights_is_dropped_and_the_others_scaled_up(monkeypatch, at_once):
    monkeypatch.setattr(attention, "SCORES_AT_ONCE", at_once)
    whole, dropped = read_weights(0, dropout=0.0), read_weights(0)
    kept = dropped > 0
    np.testing.assert_allclose(dropped, jnp.where(kept, whole / (1 - SHARE), 0), rtol=1e-5)
    assert abs(1 - kept[0].mean() - SHARE) < 0.03
    assert (dropped[1, ..., 30:] == 0).all()  # padding, which had no weight
    patterns = kept[0].transpose(1, 0, 2).reshape(2, 4, 10, 50)  # [head, block, query, key]
    other = read_weights(1)[0].transpose(1, 0, 2).reshape(2, 4, 10, 50) > 0
    for x, y in ((patterns[0], patterns[1]), (patterns[:, 0], patterns[:, 1]), (patterns, other)):
        assert abs((x & y).mean() - (1 - SHARE) ** 2) < 0.04  # as independent draws


@pytest.mark.slow
def test_heads_in_turn_and_at_once_drop_the_same():
    given = *draw(), SHARE, jax.random.key(3)
    in_turn, at_once = (attend_by_head(*given, in_turn=x) for x in (True, False))
    np.testing.assert_allclose(at_once, in_turn, atol=1e-6)


@pytest.mark.slow
def test_the_backward_pass_drops_what_the_forward_pass_did(monkeypatch):
    """What is read is linear in the values, so their slope times them is the result itself."""
    monkeypatch.setattr(attention, "SCORES_AT_ONCE", 500)
    query, key, value, is_key = draw()
    rng, slope = jax.random.key(5), np.random.default_rng(1).normal(size=query.shape)

    def total(value):
        return jnp.sum(slope * attend(query, key, value, is_key, dropout=SHARE, rng=rng))

    np.testing.assert_allclose(jnp.sum(jax.grad(total)(value) * value), total(value), rtol=1e-4)


@pytest.mark.parametrize("dropout", [0.0, SHARE])
@pytest.mark.parametrize("size", [None, 16], ids=["whole", "blocks"])
def test_slopes_are_those_of_a_softmax_that_is_written_out(size, dropout):
    """Blocks divide neither the queries nor the keys, and some keys are padding."""
    query, key, value, is_key = draw()
    rng, slope = jax.random.key(5), np.random.default_rng(1).normal(size=query.shape)
    kept = 1.0
    if dropout:  # the pattern of each head, read by values that are one key each
        ones = jnp.broadcast_to(jnp.eye(50)[None, :, None], (2, 50, 2, 50))
        read = attend_by_head(query, key, ones, is_key, dropout, rng, size=size)
        kept = jnp.moveaxis(read > 0, 2, 1) / (1 - dropout)

    def plain(query, key, value):
        scores = jnp.einsum("cqhd,ckhd->chqk", query, key) / 2.0
        weights = jax.nn.softmax(jnp.where(is_key[:, None, None], scores, -jnp.inf))
        return jnp.sum(slope * jnp.einsum("chqk,ckhd->cqhd", weights * kept, value))

    def ours(query, key, value):
        return jnp.sum(slope * attend_by_head(query, key, value, is_key, dropout, rng, size=size))

    for x, y in zip(
        *(jax.grad(f, (0, 1, 2))(query, key, value) for f in (ours, plain)), strict=True
    ):
        np.testing.assert_allclose(x, y, atol=2e-5)


def test_bfloat16_has_scores_and_softmax_in_float32():
    query, key, value, is_key = draw()
    coarse = attend(*(x.astype(jnp.bfloat16) for x in (8 * query, key, value)), is_key)
    assert coarse.dtype == jnp.bfloat16
    rounded = [x.astype(jnp.bfloat16).astype(jnp.float32) for x in (8 * query, key, value)]
    whole = attend(*rounded, is_key)
    assert np.abs(coarse.astype(jnp.float32) - whole).max() < 0.02  # two roundings of 2^-8
