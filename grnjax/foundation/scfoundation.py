"""scFoundation: an encoder over the expressed genes of a cell, a decoder over all of them.

Hao et al. 2024, "Large-scale foundation model on single-cell transcriptomics", Methods, and xTrimo-
Gene (Gong et al. 2023), whose asymmetric design it is. Places 0 to genes-1 are the genes of a fixed
list, then come T, the depth that is asked for, and S, the depth of the cell. With P the vectors of
places and v the values, log-normalised:

    encoder   x = autobin(v) + P of the places with v > 0; transformer blocks, a norm
    decoder   x = encoder output where there is one, autobin(v) elsewhere; x + P; a linear map;
              Performer layers; two norms. A last linear map gives the expression.

Encoded places so receive P a second time, as published. Cells are padded to a length that they
share, and the result of a cell depends neither on that length nor on its batch (`performer.py`).
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from grnjax.config import Positive, Settings
from grnjax.errors import ConfigError
from grnjax.foundation.dense import Dense
from grnjax.foundation.performer import Performer, PerformerConfig
from grnjax.foundation.performer import make_norm as make_decoder_norm
from grnjax.foundation.transformer import (
    SPREAD,
    TransformerConfig,
    make_blocks,
    make_norm,
    run_blocks,
)
from grnjax.types import AnyArray, shapes

LICENCE = (
    "scFoundation: code Apache-2.0; the published weights have a licence of their own, for "
    "non-commercial research only, which forbids passing them on, converted or not."
)
SLOPE = 0.1  # of the leaky ReLU inside the value embedding


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScFoundationConfig(Settings):
    """Settings of `ScFoundation`; the published sizes unless a checkpoint says otherwise."""

    genes: Positive = 19_264
    """Genes of the list; two places more follow them, T and S."""
    value_bins: Positive = 100
    """Vectors between which a value is placed."""
    value_alpha: float = 1.0
    """How much of a value's first layer is added to its second."""
    mask_value: float = 102.0
    """The value that stands for a masked one and has a vector of its own."""
    pad_value: float = 103.0
    """The value of padding."""
    encoder: TransformerConfig = TransformerConfig(
        layers=12, width=768, heads=12, feed_forward=3072, norm_epsilon=1e-5
    )
    decoder: PerformerConfig = PerformerConfig(
        width=512, layers=6, heads=8, feed_forward=2048, bias=True
    )

    @property
    def places(self) -> int:
        """Genes, T and S."""
        return self.genes + 2

    def make(self) -> "ScFoundation":
        """The model with these settings."""
        return ScFoundation(self)

    def init(self, key: jax.Array) -> Mapping[str, Any]:
        """Fresh variables; under `jax.eval_shape`, the form of those of a checkpoint."""
        values = jnp.zeros((1, self.places))
        places = jnp.arange(2, dtype=jnp.int32)[None] + self.genes
        is_real = jnp.ones((1, 2), bool)
        return self.make().init(key, values, places, is_real, train=False)


class AutoBin(nn.Module):
    """The vector of a value: a mixture of learned bins, whose weights the value decides.

    h = LeakyReLU(v w1 + b1), softmax(alpha h + W2 h + b2) E  (Hao et al. 2024, Methods, "value
    embedding"). A zero is a value like any other. The values of the mask and of padding have
    vectors of their own; they are told by equality, as published, so data must not hold them:
    log-normalised values never do.
    """

    config: ScFoundationConfig

    def setup(self):
        config, width = self.config, self.config.encoder.width
        small, dtype = nn.initializers.normal(SPREAD), config.encoder.dtype
        self.mlp = nn.Dense(config.value_bins, name="mlp")
        self.mlp2 = Dense((config.value_bins,), dtype, name="mlp2")
        self.bins = self.param("bins", small, (config.value_bins, width))
        self.mask = self.param("mask", small, (1, width))
        self.pad = self.param("pad", small, (1, width))

    def weigh(self, values: Float[AnyArray, "*place"]) -> Float[Array, "*place bin"]:
        """The share of each bin; what it says of the mask and of padding is not used."""
        h = nn.leaky_relu(self.mlp(values[..., None]), SLOPE)
        z = self.config.value_alpha * h + self.mlp2(h)
        return jax.nn.softmax(z.astype(jnp.float32))

    def __call__(self, values: Float[AnyArray, "*place"]) -> Float[Array, "*place dim"]:
        """The vectors."""
        config, dtype = self.config, self.config.encoder.dtype
        x = jnp.matmul(self.weigh(values).astype(dtype), self.bins.astype(dtype))
        x = jnp.where((values == config.mask_value)[..., None], self.mask[0], x)
        return jnp.where((values == config.pad_value)[..., None], self.pad[0], x)


class Encoder(nn.Module):
    """Transformer blocks over the expressed places, and a norm behind them."""

    config: TransformerConfig

    def setup(self):
        self.layers = make_blocks(self.config)
        self.norm = make_norm(self.config, "norm")

    def __call__(
        self, x: Float[Array, "cell token dim"], is_real: Bool[AnyArray, "cell token"], train: bool
    ) -> Float[Array, "cell token dim"]:
        return self.norm(run_blocks(self.layers, x, is_real, train=train)[-1])


class ScFoundation(nn.Module):
    """Reads the expressed genes of a cell with its depths, and writes vectors of all genes."""

    config: ScFoundationConfig

    def setup(self):
        config, small = self.config, nn.initializers.normal(SPREAD)
        self.token_emb = AutoBin(config, name="token_emb")
        self.pos_emb = nn.Embed(  # the last row is that of padding
            config.places + 1, config.encoder.width, embedding_init=small, name="pos_emb"
        )
        self.encoder = Encoder(config.encoder, name="encoder")
        dtype = config.decoder.dtype
        self.decoder_embed = Dense((config.decoder.width,), dtype, name="decoder_embed")
        self.decoder = Performer(config.decoder, name="decoder")
        self.decoder_norm = make_decoder_norm("decoder_norm")
        self.norm = make_decoder_norm("norm")
        self.to_final = nn.Dense(1, name="to_final")

    @shapes
    def __call__(
        self,
        values: Float[AnyArray, "cell place"],
        places: Int[AnyArray, "cell token"],
        is_real: Bool[AnyArray, "cell token"],
        *,
        train: bool,
    ) -> Float[Array, "cell place"]:
        """The expression of every place, from the values at those that are to be encoded."""
        shown = jnp.take_along_axis(
            jnp.asarray(values), jnp.minimum(places, self.config.places - 1), axis=1
        )
        encoded = self.encode(shown, places, is_real, train=train)
        return self.express(self.decode(values, encoded, places, is_real, train=train))

    def embed_values(self, values: Float[AnyArray, "*place"]) -> Float[Array, "*place dim"]:
        """The vectors of values, without those of their places."""
        return self.token_emb(values)

    def weigh_bins(self, values: Float[AnyArray, "*place"]) -> Float[Array, "*place bin"]:
        """The shares of the bins in the vectors of values."""
        return self.token_emb.weigh(values)

    @shapes
    def encode(
        self,
        values: Float[AnyArray, "cell token"],
        places: Int[AnyArray, "cell token"],
        is_real: Bool[AnyArray, "cell token"],
        *,
        train: bool,
    ) -> Float[Array, "cell token dim"]:
        """The encoder's output for the places of each cell; that of padding means nothing.

        Args:
            values: log-normalised, above 0; of T and S, their depths.
            places: genes of the list, T (`config.genes`) and S (one more), in any order.
            is_real: false for padding, which stands anywhere and is not read.
        """
        config = self.config
        places = jnp.where(is_real, places, config.places)
        values = jnp.where(is_real, values, config.pad_value)
        x = self.token_emb(values) + self.pos_emb(places)
        return self.encoder(x.astype(jnp.float32), is_real, train)

    @shapes
    def decode(
        self,
        values: Float[AnyArray, "cell place"],
        encoded: Float[AnyArray, "cell token dim"],
        places: Int[AnyArray, "cell token"],
        is_real: Bool[AnyArray, "cell token"],
        *,
        train: bool,
        without_last: bool = False,
    ) -> Float[Array, "cell place dim2"]:
        """The vectors of all places behind both norms; those of the genes are their embeddings.

        Args:
            values: of all places, 0 where a gene was not detected; where there is an encoded
                token, it takes the place of the value.
            without_last: leaves out the last layer, as where another takes its place.
        """
        config = self.config
        if values.shape[1] != config.places:
            raise ConfigError(
                f"{values.shape[1]:,} values a cell, and the decoder needs {config.places:,}: one "
                f"for each of its {config.genes:,} genes in their order, T and S; align the genes."
            )
        x = self.token_emb(values).astype(jnp.float32)
        places = jnp.where(is_real, places, config.places)  # beyond the last one: left out
        x = jax.vmap(lambda x, place, token: x.at[place].set(token, mode="drop"))(
            x, places, encoded
        )
        x = self.decoder_embed(x + self.pos_emb.embedding[:-1]).astype(jnp.float32)
        x = self.decoder(x, train=train, without_last=without_last)
        return self.norm(self.decoder_norm(x))

    @shapes
    def express(self, decoded: Float[AnyArray, "cell place dim"]) -> Float[Array, "cell place"]:
        """The expression of every place, on the scale of the values."""
        return self.to_final(decoded)[..., 0]


@shapes
def pool_all(
    encoded: Float[AnyArray, "cell token dim"],
    places: Int[AnyArray, "cell token"],
    is_real: Bool[AnyArray, "cell token"],
    *,
    genes: int,
) -> Float[Array, "cell dim4"]:
    """The published embedding of a cell, four times the width: S, T, largest and mean of genes.

    S and T are found by their places, not by where they stand. What a cell lacks is 0.
    """

    def pick(place):
        chosen = is_real & (places == place)
        return jnp.sum(jnp.where(chosen[..., None], encoded, 0.0), axis=1)

    is_gene = is_real & (places < genes)
    total = jnp.sum(jnp.where(is_gene[..., None], encoded, 0.0), axis=1)
    mean = total / jnp.maximum(is_gene.sum(axis=1), 1)[:, None]
    return jnp.concatenate(
        [pick(genes + 1), pick(genes), find_largest(encoded, is_gene), mean], axis=1
    )


@shapes
def find_largest(
    encoded: Float[AnyArray, "cell token dim"], is_counted: Bool[AnyArray, "cell token"]
) -> Float[Array, "cell dim"]:
    """The largest of each number over the tokens that count; 0 for a cell without any.

    Over all real tokens, T and S with them, it is the published pooling `max`.
    """
    is_counted = jnp.asarray(is_counted)
    largest = jnp.where(is_counted[..., None], encoded, -jnp.inf).max(axis=1)
    return jnp.where(is_counted.any(axis=1)[:, None], largest, 0.0)
