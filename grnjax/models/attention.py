"""Attention between the tokens of cells, in blocks of queries, scores computed twice not kept."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt32

from grnjax.models.layers import drop
from grnjax.types import shapes

SCORES_AT_ONCE = 2**24
"""Numbers of one head of one cell; 4,096 queries of as many keys."""
SCORES_IN_CACHE = 2**20
"""Likewise on a CPU: 600 queries of 1,200 keys, a tenth faster on two cores than 200 of them."""
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
    queries. The backward pass computes the scores of a block again.

    Args:
        dropout: the share of attention weights that are 0, the others scaled up.
        rng: a random key, where weights are dropped.
    """
    on_cpu, (queries, keys) = jax.default_backend() == "cpu", (query.shape[1], key.shape[1])
    size = max(1, SCORES_AT_ONCE // keys)
    if on_cpu:
        size = min(size, max(LEAST_QUERIES, SCORES_IN_CACHE // keys))
    if not on_cpu and not dropout and queries <= size:
        return jax.nn.dot_product_attention(query, key, value, mask=is_key[:, None, None])
    return attend_by_head(query, key, value, is_key, dropout, rng, size=size, in_turn=on_cpu)


def attend_by_head(
    query, key, value, is_key, dropout=0.0, rng=None, *, size: int | None = None, in_turn=True
):
    """The same, head by head of cell by cell, one after the other or all at once.

    Args:
        size: queries of a block at most; all by default.
    """

    def merge(x):
        return jnp.moveaxis(x, 2, 1).reshape(-1, x.shape[1], x.shape[3])

    blocks = -(-query.shape[1] // (size or query.shape[1]))
    heads, size = query.shape[2], -(-query.shape[1] // blocks)  # as even as can be
    merged, count = map(merge, (query, key, value)), len(query) * heads
    seeds = jax.random.bits(rng, (count, 3)) if dropout else jnp.zeros((count, 3), jnp.uint32)
    turns = (*merged, (jnp.repeat(is_key, heads, axis=0), seeds))
    one = functools.partial(attend_one, (dropout, size))
    read = jax.lax.map(lambda turn: one(*turn), turns) if in_turn else jax.vmap(one)(*turns)
    return jnp.moveaxis(read.reshape(len(query), heads, *read.shape[1:]), 1, 2)


class Head(NamedTuple):
    """What the backward pass of one head of one cell needs."""

    query: Float[Array, "query dim"]
    key: Float[Array, "key dim"]
    value: Float[Array, "key dim"]
    marks: tuple[Bool[Array, " key"], UInt32[Array, "3"]]  # which keys count; seeds of dropout
    read: Float[Array, "query dim"]
    total: Float[Array, " query"]  # log of the sum of exponentiated scores


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def attend_one(form: tuple[float, int], query, key, value, marks):
    """One head of one cell; `form` is the share of dropout and how many queries a block has."""
    return _attend_one(form, query, key, value, marks)[0]


def _attend_one(form: tuple[float, int], query, key, value, marks):
    (dropout, size), (is_key, seeds) = form, marks
    shift = jnp.where(is_key, 0.0, -jnp.inf)

    def attend_block(block):
        query, first = block
        scores = _multiply(query / query.shape[-1] ** 0.5, key.T) + shift
        most = scores.max(axis=1, keepdims=True)
        weights = jnp.exp(scores - most)
        total = weights.sum(axis=1, keepdims=True)
        if dropout:
            weights = drop(weights, dropout, seeds, _number(weights.shape, first, 0))
        read = _multiply(weights.astype(value.dtype), value) / total
        return read.astype(value.dtype), (most + jnp.log(total))[:, 0]

    count, (blocks,) = len(query), _cut((query,), size)
    read, total = jax.lax.map(attend_block, (blocks, jnp.arange(len(blocks)) * size))
    read, total = (x.reshape(-1, *x.shape[2:])[:count] for x in (read, total))
    return read, Head(query, key, value, marks, read, total)


def _pull_back(form: tuple[float, int], head: Head, slope):
    """Slopes of query, key and value (Dao et al. 2022, appendix B.2); scores are [key, query]."""
    _, key, value, (is_key, seeds), read, _ = head
    (dropout, size), kind = form, value.dtype
    shift = jnp.where(is_key, 0.0, -jnp.inf)[:, None]
    mean = jnp.sum(slope.astype(jnp.float32) * read, axis=1)

    def pull_block(sums, block):
        query, total, slope, mean, first = block
        query = query / key.shape[-1] ** 0.5
        weights = jnp.exp(_multiply(key, query.T) + shift - total)
        kept, of_kept = weights, _multiply(value, slope.T)
        if dropout:
            places = _number(weights.shape, first, 1)
            kept, of_kept = (drop(x, dropout, seeds, places) for x in (weights, of_kept))
        of_scores = (weights * (of_kept - mean)).astype(kind)
        of_key, of_value = _multiply(of_scores, query), _multiply(kept.astype(kind), slope)
        of_query = _multiply(of_scores.T, key) / key.shape[-1] ** 0.5
        return (sums[0] + of_key, sums[1] + of_value), of_query

    blocks = _cut((head.query, head.total, slope, mean), size)
    starts = jnp.arange(len(blocks[0])) * size
    sums = (jnp.zeros(key.shape, jnp.float32), jnp.zeros(value.shape, jnp.float32))
    sums, of_query = jax.lax.scan(pull_block, sums, (*blocks, starts))
    of_query = of_query.reshape(-1, key.shape[1])[: len(head.query)]
    slopes = (x.astype(kind) for x in (of_query, *sums))
    return *slopes, None


attend_one.defvjp(_attend_one, _pull_back)


def _multiply(x, y):
    return jnp.matmul(x, y, preferred_element_type=jnp.float32)


def _cut(arrays, size: int) -> list[jax.Array]:
    """Each in blocks of so many rows, the last filled up with zeros."""
    blocks = -(-len(arrays[0]) // size)
    rows = blocks * size - len(arrays[0])
    padded = [jnp.pad(x, [(0, rows), *[(0, 0)] * (x.ndim - 1)]) for x in arrays]
    return [x.reshape(blocks, size, *x.shape[1:]) for x in padded]


def _number(shape: tuple[int, int], first, axis: int) -> UInt32[Array, "row column"]:
    """The number of each pair of query (`axis`, from the first on) and key, in any block alike."""
    of_query = jax.lax.broadcasted_iota(jnp.uint32, shape, axis) + first.astype(jnp.uint32)
    of_key = jax.lax.broadcasted_iota(jnp.uint32, shape, 1 - axis)
    return of_query * jnp.uint32(shape[1 - axis]) + of_key


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
