"""Performer layers: attention whose work and memory grow with the tokens, not with their square.

The softmax kernel exp(q.k) is approximated by products of positive random features (FAVOR+;
Choromanski et al. 2021, "Rethinking attention with Performers", Section 2.3, Lemma 1), as scBERT
and the decoder of scFoundation use it. With d the width of a head, Omega the random directions and
e = `KERNEL_EPSILON`:

    u(x)  = Omega x d^-1/4                       g(x) = |x|^2 / (2 sqrt(d))
    phi_q = exp(u(q) - g(q) - max u(q)) + e      one maximum a query, over its features
    phi_k = exp(u(k) - g(k) - M) + e             one maximum M a cell, over heads, tokens, features
    out   = phi_q (sum phi_k V) / (phi_q . sum phi_k)

Both published programs take M over the whole batch. As e does not scale with it, what they give a
cell depends on the cells beside it; `key_maximum="batch"` does the same. With the default it
depends on nothing but the cell, and equals theirs where they are given one cell at a time.

The directions are part of a trained model and mean nothing when drawn anew, but they are not
learned. So they stand in a collection of their own, `buffers`, and not among the parameters: there
weight decay would shrink them even where no gradient reaches them.
"""

import dataclasses
import functools
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from grnjax.config import DropRate, Positive, Settings
from grnjax.foundation.dense import Dense
from grnjax.models.layers import Dropout
from grnjax.types import shapes

KERNEL_EPSILON = 1e-4  # added to every feature, of queries and of keys
NORM_EPSILON = 1e-5
FEATURES_AT_ONCE = 2**22
"""Features of queries or keys that stand in memory: 16 MB. All of a cell of 19,266 tokens with 8
heads of 266 features would be 164 MB, for queries and for keys."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerformerConfig(Settings):
    """Settings of `Performer`."""

    width: Positive = 200
    """Numbers in the vector of a token."""
    layers: Positive = 6
    heads: Positive = 10
    head_width: Positive = 64
    """Numbers a head reads; heads times this need not be the width."""
    features: Positive = 266
    """Random directions of a layer, which its heads share; as published, head_width times its
    logarithm."""
    feed_forward: Positive = 800
    """Width inside the feed-forward part of a layer."""
    bias: bool = False
    """Whether queries, keys and values have a bias."""
    key_maximum: Literal["cell", "batch"] = "cell"
    """What the largest score of keys is taken over. With the batch, as published, a cell's result
    depends on the cells beside it."""
    dropout: DropRate = 0.0
    """Of what each part adds, and inside the feed-forward part, while training. The published files
    name none; attention by features has no weights that could be dropped."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """What products are computed in; parameters, norms, random features and sums are float32."""
    recompute: bool = False
    """Whether the backward pass computes the layers again, one at a time: less memory for a third
    more time."""
    scan: bool = False
    """Whether the program is one layer, run with the variables of each in turn, instead of all
    layers: a small program for a second copy of them. So it is where layers are recomputed."""


class Performer(nn.Module):
    """The layers one after the other, without a norm behind the last."""

    config: PerformerConfig

    def setup(self):
        names = [f"layer_{i}" for i in range(self.config.layers)]
        self.layers = [PerformerLayer(self.config, name=name) for name in names]

    @shapes
    def __call__(
        self, x: Float[Array, "cell token dim"], *, train: bool, without_last: bool = False
    ) -> Float[Array, "cell token dim"]:
        """The tokens after the layers, or after all but the last."""
        layers, config = self.layers[: len(self.layers) - without_last], self.config
        if (config.recompute or config.scan) and layers and not self.is_initializing():
            rng = self.make_rng("dropout") if train and config.dropout else None
            return run_in_a_loop(config, [layer.variables for layer in layers], x, rng)
        for layer in layers:
            x = layer(x, train=train)
        return x


def run_in_a_loop(
    config: PerformerConfig,
    layers: list[Any],
    x: Float[Array, "cell token dim"],
    rng: jax.Array | None = None,
) -> Float[Array, "cell token dim"]:
    """The tokens after layers with these variables.

    A backward pass that computes layers again keeps their inputs alone. It needs the loop, as the
    compiler for CPUs would otherwise compute all of them at once, and keep them. Intermediates are
    not to be had from it.

    Args:
        rng: a random key, where something is dropped.
    """

    def run(x, turn):
        variables, rng = turn
        rngs = {} if rng is None else {"dropout": rng}
        layer = PerformerLayer(config, parent=None)
        return layer.apply(variables, x, train=rng is not None, rngs=rngs), None

    stacked = jax.tree.map(lambda *arrays: jnp.stack(arrays), *layers)
    rngs = None if rng is None else jax.random.split(rng, len(layers))
    run = jax.checkpoint(run) if config.recompute else run
    return jax.lax.scan(run, x, (stacked, rngs))[0]


class PerformerLayer(nn.Module):
    """Attention and a feed-forward network; both read normalised tokens and add to them.

    The tokens between the two can be had as the intermediate `after_attention`.
    """

    config: PerformerConfig

    @nn.compact
    @shapes
    def __call__(
        self, x: Float[Array, "cell token dim"], *, train: bool
    ) -> Float[Array, "cell token dim"]:
        config, drop = self.config, functools.partial(Dropout(self.config.dropout), train=train)
        projection = self.variable("buffers", "projection", self._draw).value
        normed = make_norm("attention_norm")(x)
        x = x + drop(PerformerAttention(config, name="attention")(normed, projection))
        self.sow("intermediates", "after_attention", x)
        inner = make_norm("ffn_norm")(x)
        inner = Dense((config.feed_forward,), config.dtype, name="ffn_in")(inner)
        inner = drop(nn.gelu(inner, approximate=False))
        return x + drop(Dense((config.width,), config.dtype, name="ffn_out")(inner))

    def _draw(self) -> Float[Array, "feature dim"]:
        """The directions of a model that is to be trained from the start."""
        config = self.config
        return draw_directions(self.make_rng("params"), config.features, config.head_width)


class PerformerAttention(nn.Module):
    """Queries, keys and values of the heads, what they attend to, and its way back to the width."""

    config: PerformerConfig

    @nn.compact
    @shapes
    def __call__(
        self, x: Float[Array, "cell token dim"], directions: Float[Array, "feature dim2"]
    ) -> Float[Array, "cell token dim"]:
        config = self.config

        def project(name):
            shape = config.heads, config.head_width
            return Dense(shape, config.dtype, use_bias=config.bias, name=name)(x)

        read = attend_by_features(
            project("query"),
            project("key"),
            project("value"),
            directions,
            over_batch=config.key_maximum == "batch",
        )
        return Dense((config.width,), config.dtype, axes=2, name="out")(read)


def make_norm(name: str) -> nn.LayerNorm:
    """Layer normalisation in float32 with the epsilon of both models."""
    return nn.LayerNorm(epsilon=NORM_EPSILON, use_fast_variance=False, dtype=jnp.float32, name=name)


@shapes
def attend_by_features(
    query: Float[Array, "cell token head dim"],
    key: Float[Array, "cell token head dim"],
    value: Float[Array, "cell token head dim"],
    directions: Float[Array, "feature dim"],
    *,
    over_batch: bool = False,
) -> Float[Array, "cell token head dim"]:
    """FAVOR+ attention of every token to all tokens of its cell, in the dtype of the values.

    The features are computed in float32, for as many tokens at once as `FEATURES_AT_ONCE` allows:
    of keys twice, for their largest score and for their sums. The factor features^-1/2 of the
    published kernel divides out and is left out. Directions and maxima are constants of the
    gradient.
    """
    directions = jax.lax.stop_gradient(directions)
    blocks = split_tokens((query, key, value), query.shape[2] * len(directions))
    query_blocks, key_blocks, value_blocks, is_real = blocks

    def largest(block):
        key, is_real = block
        return jnp.where(is_real, score(key, directions)[0], -jnp.inf).max(axis=(1, 2, 3))

    constant = jax.lax.stop_gradient(key_blocks)
    most = jax.lax.map(largest, (constant, is_real)).max(axis=0)
    most = jnp.full_like(most, most.max()) if over_batch else most  # [cell]

    def add_keys(sums, block):
        key, value, is_real = block
        scores, half_norm = score(key, directions)
        scores = jnp.where(is_real, scores - half_norm - most[:, None, None, None], 0.0)
        features = jnp.where(is_real, jnp.exp(scores) + KERNEL_EPSILON, 0.0)
        seen = jnp.einsum("chtm,chtd->chmd", features, value.astype(jnp.float32))
        return (sums[0] + seen, sums[1] + features.sum(axis=2)), None

    cells, _, heads, dim = query.shape
    start = (
        jnp.zeros((cells, heads, len(directions), dim)),
        jnp.zeros((cells, heads, len(directions))),
    )
    (seen, total), _ = jax.lax.scan(
        jax.checkpoint(add_keys), start, (key_blocks, value_blocks, is_real)
    )

    def read(query):
        scores, half_norm = score(query, directions)
        largest = jax.lax.stop_gradient(scores.max(axis=-1, keepdims=True))
        features = jnp.exp(scores - half_norm - largest) + KERNEL_EPSILON
        above = jnp.einsum("chtm,chmd->chtd", features, seen)
        return (above / jnp.einsum("chtm,chm->cht", features, total)[..., None]).astype(value.dtype)

    out = jax.lax.map(jax.checkpoint(read), query_blocks)  # [block, cell, head, token, dim]
    out = jnp.transpose(out, (1, 0, 3, 2, 4)).reshape(cells, -1, heads, dim)
    return out[:, : query.shape[1]]


def split_tokens(arrays: tuple[jax.Array, ...], features: int) -> tuple[jax.Array, ...]:
    """The arrays [cell, token, head, dim] as [block, cell, head, token, dim], and what is real.

    The last block is filled up with tokens that are not.

    Args:
        features: Numbers a token takes while its block is worked on.
    """
    cells, tokens = arrays[0].shape[:2]
    size = min(tokens, max(1, FEATURES_AT_ONCE // (cells * features)))
    blocks = -(-tokens // size)
    size = -(-tokens // blocks)  # as even as can be

    def split(x):
        x = jnp.pad(x, [(0, 0), (0, blocks * size - tokens), (0, 0), (0, 0)])
        x = x.reshape(cells, blocks, size, *x.shape[2:])
        return jnp.transpose(x, (1, 0, 3, 2, 4))

    is_real = (jnp.arange(blocks * size) < tokens).reshape(blocks, 1, 1, size, 1)
    return *map(split, arrays), is_real


def score(
    x: Float[Array, "cell head token dim"], directions: Float[Array, "feature dim"]
) -> tuple[Float[Array, "cell head token feature"], Float[Array, "cell head token 1"]]:
    """u(x) and g(x) of the module's formulas, in float32."""
    x, dim = x.astype(jnp.float32), x.shape[-1]
    half_norm = jnp.sum(x**2, axis=-1, keepdims=True) / (2 * dim**0.5)
    return jnp.einsum("chtd,md->chtm", x * dim**-0.25, directions), half_norm


def draw_directions(key: jax.Array, features: int, dim: int) -> Float[Array, "feature dim"]:
    """Random directions that are orthogonal by blocks, each as long as a Gaussian vector is.

    Choromanski et al. 2021, Section 2.4: rows of random orthogonal matrices, whose norms are drawn
    as those of independent Gaussian vectors.
    """
    turns, norms = jax.random.split(key)
    turned = jax.random.orthogonal(turns, dim, (-(-features // dim),)).reshape(-1, dim)[:features]
    lengths = jnp.linalg.norm(jax.random.normal(norms, (features, dim)), axis=1)
    return turned * lengths[:, None]
