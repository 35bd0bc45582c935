"""Attention between the tokens of cells, in blocks of queries where the tokens are many."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from grnjax.types import shapes

SCORES_AT_ONCE = 2**24
"""Numbers of one head of one cell; 4,096 queries of as many keys."""


@shapes
def attend(
    query: Float[Array, "cell query head dim"],
    key: Float[Array, "cell key head dim"],
    value: Float[Array, "cell key head dim"],
    is_key: Bool[Array, "cell key"],
) -> Float[Array, "cell query head dim"]:
    """softmax(Q K^T / sqrt(dim)) V over the keys of each cell, softmax in float32.

    A cell needs one key at least. On a CPU the heads of cells come one after the other: the scores
    of one stay in its cache, which took a third of the time of all at once with 1,200 tokens.
    All of 18,984 tokens against each other are 1.4 GB a head: so many are taken in blocks of
    queries. The backward pass computes the scores of a turn or block again.
    """
    queries, size = query.shape[1], max(1, SCORES_AT_ONCE // key.shape[1])
    if queries > size:
        blocks = -(-queries // size)
        padded = jnp.pad(query, [(0, 0), (0, blocks * size - queries), (0, 0), (0, 0)])
        padded = padded.reshape(len(query), blocks, size, *query.shape[2:])
        read = jax.lax.map(
            jax.checkpoint(lambda block: attend(block, key, value, is_key)),
            jnp.moveaxis(padded, 1, 0),
        )
        return jnp.moveaxis(read, 0, 1).reshape(len(query), -1, *query.shape[2:])[:, :queries]
    if jax.default_backend() == "cpu":
        return attend_in_turn(query, key, value, is_key)
    return jax.nn.dot_product_attention(query, key, value, mask=is_key[:, None, None])


def attend_in_turn(query, key, value, is_key):
    """The same, head by head of cell by cell."""

    def one(turn):
        query, key, value, is_key = turn
        scores = jnp.matmul(query / query.shape[-1] ** 0.5, key.T)
        scores = jnp.where(is_key, scores.astype(jnp.float32), -jnp.inf)
        return jnp.matmul(jax.nn.softmax(scores).astype(value.dtype), value)

    def merge(x):
        return jnp.moveaxis(x, 2, 1).reshape(-1, x.shape[1], x.shape[3])

    heads = query.shape[2]
    turns = *map(merge, (query, key, value)), jnp.repeat(is_key, heads, axis=0)
    read = jax.lax.map(jax.checkpoint(one), turns)
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
