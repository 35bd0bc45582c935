"""Layers that several models share."""

import math
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from grnjax.types import shapes


class Dropout(nn.Module):
    """Zeros this share of the numbers and scales the others up, as `nn.Dropout` does.

    Which ones is decided by a hash of their place under a random seed: drawing a random word for
    each was a third of a training step. Rows that stand for some of many, such as genes, can say
    which: then what is dropped of a gene does not depend on which others are there.
    """

    share: float

    @nn.compact
    def __call__(
        self, x: jax.Array, *, train: bool, rows: Int[Array, " row"] | None = None
    ) -> jax.Array:
        if not train or not self.share:
            return x
        places = jax.lax.iota(jnp.uint32, math.prod(x.shape)).reshape(x.shape)
        if rows is not None:
            places = rows[:, None].astype(jnp.uint32) * x.shape[1] + places[:1]
        return drop(x, self.share, jax.random.bits(self.make_rng("dropout"), (3,)), places)


def drop(
    x: Float[Array, "..."], share: float, seeds: UInt32[Array, "3"], places: UInt32[Array, "..."]
) -> Float[Array, "..."]:
    """The numbers, this share of them 0 and the others scaled up, as hashes of their places say."""
    kept = hash_places(seeds, places) >= jnp.uint32(share * 2**32)
    return jnp.where(kept, x * (1 / (1 - share)), 0.0)


def hash_places(seeds: UInt32[Array, "3"], words: UInt32[Array, "..."]) -> UInt32[Array, "..."]:
    """A random word for each number: multiply and shift, three times, with a seed in each."""
    for seed, shift, factor in zip(seeds, (17, 11, 15), (0xED5AD4BB, 0xAC4C1B51, 0x31848BAB)):
        words = words + seed
        words = (words ^ (words >> shift)) * jnp.uint32(factor)
    return words ^ (words >> 14)


def normalise_batch(name: str, *, train: bool) -> nn.BatchNorm:
    """Batch statistics that run as PyTorch's do, whose momentum of .1 is .9 here."""
    return nn.BatchNorm(use_running_average=not train, momentum=0.9, name=name)


class JoinedDense(nn.Module):
    """A dense layer over [frozen, x], two matrices of the same rows.

    It equals `nn.Dense` on the joined matrix, but its backward pass computes no gradient for the
    frozen part, which a join would ask for and then throw away.
    """

    width: int

    @nn.compact
    @shapes
    def __call__(
        self, frozen: Float[Array, "row dim"], x: Float[Array, "row dim2"]
    ) -> Float[Array, "row dim3"]:
        dim = frozen.shape[-1]
        shape = (dim + x.shape[-1], self.width)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.width,))
        product = jnp.matmul(x, kernel[dim:]) + bias
        return product + jnp.matmul(frozen, kernel[:dim]) if dim else product


class LeakyMLP(nn.Module):
    """Dense layers on [frozen, x], each followed by LeakyReLU(0.01), dropout between them.

    scRegNet's gene network (Kommu et al. 2025, Methods): one network for TFs and targets alike.
    The paper writes ReLU; the authors' runs use LeakyReLU, after the last layer too.
    `dropout_at_evaluation` restores their dropout that stays on when the model is evaluated.
    `rows` are the genes that dropout goes by, where rows are some of the genes.
    """

    widths: Sequence[int]
    dropout: float = 0.0
    dropout_at_evaluation: bool = False

    @nn.compact
    @shapes
    def __call__(
        self,
        frozen: Float[Array, "row dim"],
        x: Float[Array, "row dim2"],
        *,
        train: bool,
        rows: Int[Array, " row"] | None = None,
    ) -> Float[Array, "row dim3"]:
        drops = train or self.dropout_at_evaluation
        x = nn.leaky_relu(JoinedDense(self.widths[0], name="layer_0")(frozen, x), 0.01)
        for layer, width in enumerate(self.widths[1:], start=1):
            x = Dropout(self.dropout)(x, train=drops, rows=rows)
            x = nn.leaky_relu(nn.Dense(width, name=f"layer_{layer}")(x), 0.01)
        return x


def fill_missing(
    model: nn.Module, table: Float[Array, "node dim"], measured: Float[Array, " node"]
) -> Float[Array, "node dim2"]:
    """The table with a vector that `model` learns where nothing was measured, and a mask column."""
    stand_in = model.param("missing", nn.initializers.zeros, (table.shape[-1],))
    filled = table + (1 - measured[:, None]) * stand_in
    return jnp.concatenate([filled, measured[:, None]], axis=-1)
