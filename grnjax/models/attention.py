"""Attention between the tokens of cells, in blocks of queries where the tokens are many."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from grnjax.models.layers import drop
from grnjax.types import shapes

SCORES_AT_ONCE = 2**24
"""Numbers of one head of one cell; 4,096 queries of as many keys."""
SCORES_IN_CACHE = 2**20
"""Likewise on a CPU: 512 queries of 2,048 keys, a fifth faster than all 2,048 of them at once."""
LEAST_QUERIES = 256
"""That a CPU takes at once all the same, however many the keys: fewer are slower again."""


@shapes
def attend(
    query: Float[Array, "cell query head dim"],
    key: Float[Array, "cell key head dim"],
    value: Float[Array, "cell key head dim"],
    is_key: Bool[Array, "cell key"],
    *,
    dropout: float = 0.0,
    rng: jax.Array | None = None,
) -> Float[Array, "cell query head dim"]:
    """softmax(Q K^T / sqrt(dim)) V over the keys of each cell, softmax in float32.

    A cell needs one key at least. On a CPU the heads of cells come one after the other: the scores
    of one stay in its cache, which took a third of the time of all at once with 1,200 tokens.
    All of 18,984 tokens against each other are 1.4 GB a head: so many are taken in blocks of
    queries. The backward pass computes the scores of a turn or block again.

    Args:
        dropout: the share of attention weights that are 0, the others scaled up.
        rng: a random key, where weights are dropped.
    """
    on_cpu, (queries, keys) = jax.default_backend() == "cpu", (query.shape[1], key.shape[1])
    size = max(1, SCORES_AT_ONCE // keys)
    if on_cpu:
        size = min(size, max(LEAST_QUERIES, SCORES_IN_CACHE // keys))
    if queries > size:
        blocks = -(-queries // size)
        size = -(-queries // blocks)  # as even as can be
        padded = jnp.pad(query, [(0, 0), (0, blocks * size - queries), (0, 0), (0, 0)])
        padded = padded.reshape(len(query), blocks, size, *query.shape[2:])
        rngs = None if rng is None else jax.random.split(rng, blocks)

        def one(block):
            query, rng = block
            return attend(query, key, value, is_key, dropout=dropout, rng=rng)

        read = jax.lax.map(jax.checkpoint(one), (jnp.moveaxis(padded, 1, 0), rngs))
        return jnp.moveaxis(read, 0, 1).reshape(len(query), -1, *query.shape[2:])[:, :queries]
    if on_cpu or dropout:
        return attend_by_head(query, key, value, is_key, dropout, rng, in_turn=on_cpu)
    return jax.nn.dot_product_attention(query, key, value, mask=is_key[:, None, None])


def attend_by_head(query, key, value, is_key, dropout=0.0, rng=None, *, in_turn=True):
    """The same, head by head of cell by cell, one after the other or all at once."""

    def one(turn):
        query, key, value, is_key, seeds = turn
        query = query / query.shape[-1] ** 0.5
        scores = jnp.matmul(query, key.T, preferred_element_type=jnp.float32)
        weights = jax.nn.softmax(jnp.where(is_key, scores, -jnp.inf))
        if dropout:
            places = jax.lax.iota(jnp.uint32, weights.size).reshape(weights.shape)
            weights = drop(weights, dropout, seeds, places)
        return jnp.matmul(weights.astype(value.dtype), value)

    def merge(x):
        return jnp.moveaxis(x, 2, 1).reshape(-1, x.shape[1], x.shape[3])

    heads = query.shape[2]
    turns = *map(merge, (query, key, value)), jnp.repeat(is_key, heads, axis=0)
    seeds = jax.random.bits(rng, (len(turns[0]), 3)) if dropout else None
    one = jax.checkpoint(one)
    run = functools.partial(jax.lax.map, one) if in_turn else jax.vmap(one)
    read = run((*turns, seeds))
    return jnp.moveaxis(read.reshape(len(query), heads, *read.shape[1:]), 1, 2)


@shapes
def mean_attention(
    query: Float[Array, "cell query head dim"],
    key: Float[Array, "cell key head dim"],
    is_key: Bool[Array, "cell key"],
    is_query: Bool[Array, "cell query"],
) -> Float[Array, "cell key"]:
    """The attention that each key receives: the mean over heads and over the queries that count."""
    scores = jnp.einsum("cqhd,ckhd->chqk", query, key) / query.shape[-1] ** 0.5
    scores = jnp.where(is_key[:, None, None], scores.astype(jnp.float32), -jnp.inf)
    shares = jax.nn.softmax(scores).mean(axis=1)  # [cell, query, key]
    counted = is_query[..., None] / jnp.maximum(is_query.sum(axis=1), 1)[:, None, None]
    return jnp.sum(shares * counted, axis=1)
