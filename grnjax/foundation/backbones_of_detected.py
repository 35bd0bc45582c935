"""Geneformer and scGPT as backbones: models that read the detected genes of a cell."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float, Int

from grnjax.config import Count
from grnjax.errors import ConfigError
from grnjax.foundation.backbone import (
    FoundationBackbone,
    FoundationBackboneConfig,
    Readout,
    ValueHead,
)
from grnjax.foundation.geneformer import GeneformerConfig
from grnjax.foundation.scgpt import MASK_VALUE, SIZES, ScGPTConfig
from grnjax.foundation.tokenise_scgpt import ScGPTTokeniserConfig
from grnjax.foundation.transformer import SPREAD, run_blocks
from grnjax.types import shapes


class GeneformerBackbone(FoundationBackbone):
    """A gene's value is its rank among the genes that are shown, as a position.

    In its place hidden and undetected genes have a learned vector each; they read, and are not
    read. Expression is predicted by a head that starts afresh, as Geneformer names genes only.
    """

    config: "GeneformerBackboneConfig"

    def prepare(self) -> None:
        width, small = self.config.width, nn.initializers.normal(SPREAD)
        self.medians = self.variable("buffers", "medians", lambda: jnp.ones(self.size)).value
        self.masked = self.param("masked", small, (width,))
        self.undetected = self.param("undetected", small, (width,))
        self.expression = ValueHead(width, name="expression")

    @shapes
    def embed(
        self,
        values: Float[Array, "cell token"],
        genes: Int[Array, " token"],
        is_masked: Bool[Array, "cell token"],
    ) -> Float[Array, "cell token dim"]:
        """Vectors of genes and ranks, normalised; values are ln(1 + counts per 10,000)."""
        is_shown = (values > 0) & ~is_masked
        scaled = jnp.expm1(jnp.where(is_shown, values, 0.0)) / self.medians[genes]
        rows = self.rows[genes]
        order = jax.vmap(lambda x: jnp.lexsort((rows, -x)))(scaled)  # ties by token
        places = self.config.first + jnp.argsort(order, axis=1)
        embeddings = self.model.embeddings
        ranked = embeddings.position(jnp.minimum(places, self.config.model.positions - 1))
        absent = jnp.where(is_masked[..., None], self.masked, self.undetected)
        place = jnp.where(is_shown[..., None], ranked, absent)
        return self.finish(embeddings.word(rows), place)

    def finish(self, words, places):
        """What goes into the first block, but for dropout."""
        embeddings = self.model.embeddings
        return embeddings.norm(words + embeddings.token_type(jnp.zeros((), jnp.int32)) + places)

    @shapes
    def encode(
        self,
        x: Float[Array, "cell token dim"],
        is_real: Bool[Array, "cell token"],
        *,
        genes: Int[Array, " token"],
        is_shown: Bool[Array, "cell token"],
        train: bool,
        without_last: bool = False,
    ) -> Float[Array, "cell token dim"]:
        """The states after the blocks; <cls> and <eos> stand about the genes, where there are."""
        del genes
        tokens, is_key = x.shape[1], is_real & is_shown
        if self.config.ends:
            last = self.config.first + is_key.sum(axis=1)
            places = jnp.stack([jnp.zeros_like(last), last], axis=1)
            words = self.model.embeddings.word(jnp.array(self.config.ends))
            ends = self.finish(words, self.model.embeddings.position(places))
            x = jnp.concatenate([x, ends], axis=1)
            is_key = jnp.concatenate([is_key, jnp.ones_like(is_key[:, :2])], axis=1)
        x = self.model.embeddings.dropout(x, train=train)
        layers = self.model.layers
        states = run_blocks(layers[: len(layers) - without_last], x, is_key, train=train)
        return states[-1][:, :tokens]

    @shapes
    def decode(self, x: Float[Array, "cell token dim"]) -> Float[Array, "cell token"]:
        """The expression of each gene."""
        return self.expression(x)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneformerBackboneConfig(FoundationBackboneConfig):
    """Settings of `GeneformerBackbone`; by default, of the smallest published model."""

    KIND = GeneformerBackbone

    model: GeneformerConfig = GeneformerConfig(
        layers=6,
        width=256,
        heads=4,
        feed_forward=512,
        vocabulary=25_426,
        positions=2048,
        norm_epsilon=1e-12,
    )
    ends: tuple[Count, ...] = ()
    """Tokens of <cls> and <eos>; none of models that have neither."""

    def read_sizes(self) -> dict[str, int]:
        """Those of its blocks."""
        return {"width": self.model.width, "heads": self.model.heads}

    @property
    def rows(self) -> int:
        """Its vocabulary."""
        return self.model.vocabulary

    @property
    def first(self) -> int:
        """The position of the gene of the highest rank."""
        return len(self.ends) // 2

    def make(self, genes: int, name: str) -> nn.Module:
        """The backbone; all tokens must have positions."""
        if genes + len(self.ends) > self.model.positions:
            raise ConfigError(
                f"{genes + len(self.ends):,} tokens, and the model has "
                f"{self.model.positions:,} positions; choose fewer tokens."
            )
        return super().make(genes, name)


class ScGPTBackbone(FoundationBackbone):
    """A gene's value is its bin among the genes of its cell that are shown; <cls> is read, too.

    Hidden genes have the value of the mask and undetected ones bin 0; they read, and are not read,
    as unknown genes in the published generative attention. The bins that the model predicts become
    expression by a line, which is learned.
    """

    config: "ScGPTBackboneConfig"

    def prepare(self) -> None:
        self.readout = Readout(0.1, 0.0, name="readout")

    @shapes
    def embed(
        self,
        values: Float[Array, "cell token"],
        genes: Int[Array, " token"],
        is_masked: Bool[Array, "cell token"],
    ) -> Float[Array, "cell token dim"]:
        """Vectors of genes and of bins; any scale of values that keeps their order will do."""
        is_shown = (values > 0) & ~is_masked
        bins = bin_shown(values, is_shown, self.config.bins)
        shown = jnp.where(is_masked, self.config.mask_value, bins)
        rows = jnp.broadcast_to(self.rows[genes], values.shape)
        return sum(self.model.embed(rows, shown, train=False))

    @shapes
    def encode(
        self,
        x: Float[Array, "cell token dim"],
        is_real: Bool[Array, "cell token"],
        *,
        genes: Int[Array, " token"],
        is_shown: Bool[Array, "cell token"],
        train: bool,
        without_last: bool = False,
    ) -> Float[Array, "cell token dim"]:
        """The states of the genes after the blocks."""
        del genes
        shape, config = (len(x), 1), self.config
        cls = sum(
            self.model.embed(
                jnp.full(shape, config.cls), jnp.full(shape, config.pad_value), train=False
            )
        )
        x = jnp.concatenate([cls, x], axis=1)
        is_key = jnp.concatenate([jnp.ones(shape, bool), is_real & is_shown], axis=1)
        layers = self.model.layers
        states = run_blocks(layers[: len(layers) - without_last], x, is_key, train=train)
        return states[-1][:, 1:]

    @shapes
    def decode(self, x: Float[Array, "cell token dim"]) -> Float[Array, "cell token"]:
        """The expression of each gene."""
        return self.readout(self.model.expression(x))


def bin_shown(
    values: Float[Array, "cell token"], is_shown: Bool[Array, "cell token"], bins: int
) -> Float[Array, "cell token"]:
    """The bin of each value that is shown among those of its cell; 0 of the others.

    As `tokenise_scgpt.bin_values` has it, ties above all edges that they equal.
    """
    count = is_shown.sum(axis=1, keepdims=True)
    ordered = jnp.sort(jnp.where(is_shown, values, jnp.inf), axis=1)
    places = jnp.linspace(0, 1, bins - 1) * jnp.maximum(count - 1, 0)
    below = places.astype(jnp.int32)
    above = jnp.minimum(below + 1, jnp.maximum(count - 1, 0))
    low, high = (jnp.take_along_axis(ordered, x, axis=1) for x in (below, above))
    share, step = places - below, high - low
    edges = jnp.where(share < 0.5, low + step * share, high - step * (1 - share))
    binned = jax.vmap(lambda edges, x: jnp.searchsorted(edges, x, side="right"))(edges, values)
    return jnp.where(is_shown, binned, 0).astype(jnp.float32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScGPTBackboneConfig(FoundationBackboneConfig):
    """Settings of `ScGPTBackbone`; by default, those that are published."""

    KIND = ScGPTBackbone

    model: ScGPTConfig = ScGPTConfig(**SIZES, vocabulary=60_697)
    bins: Count = ScGPTTokeniserConfig.bins
    pad_value: float = ScGPTTokeniserConfig.pad_value
    """What stands in the place of a value at <cls>."""
    mask_value: float = float(MASK_VALUE)
    cls: Count = 60_695
    """The token of <cls>."""

    def read_sizes(self) -> dict[str, int]:
        """Those of its blocks."""
        return {"width": self.model.width, "heads": self.model.heads}

    @property
    def rows(self) -> int:
        """Its vocabulary."""
        return self.model.vocabulary

    def __post_init__(self):
        super().__post_init__()
        if not self.model.expression_head:
            raise ConfigError("this scGPT has no head for expression (decoder.fc), and needs one.")
