"""scBERT and scFoundation as backbones: models that have a place for every gene of their list."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from grnjax.foundation.backbone import (
    FoundationBackbone,
    FoundationBackboneConfig,
    Readout,
    ValueHead,
)
from grnjax.foundation.scbert import ScBertConfig
from grnjax.foundation.scfoundation import ScFoundationConfig
from grnjax.types import shapes

LN_2 = 0.6931471805599453
DEPTH = 4.0  # log10 of the total that values are normalised to


class ScBertBackbone(FoundationBackbone):
    """A gene's value is its bin, log2(1 + counts per 10,000) without its fraction.

    All tokens are read, and the last position beyond them; genes of the list that are no tokens
    are not there. What is predicted is the mean of the bins by their chances, as expression by a
    line that is learned.
    """

    config: "ScBertBackboneConfig"

    def prepare(self) -> None:
        if self.config.model.has_head:
            self.readout = Readout(LN_2, LN_2 / 2, name="readout")
        else:
            self.expression = ValueHead(self.config.width, name="expression")

    @shapes
    def embed(
        self,
        values: Float[Array, "cell token"],
        genes: Int[Array, " token"],
        is_masked: Bool[Array, "cell token"],
    ) -> Float[Array, "cell token dim"]:
        """Vectors of bins and of genes; values are ln(1 + counts per 10,000)."""
        model = self.config.model
        bins = jnp.minimum(jnp.floor(values / LN_2), model.bins).astype(jnp.int32)
        tokens = jnp.where(is_masked, model.mask, bins)
        return self.model.token_emb(tokens) + self.model.gene_vectors.value[self.rows[genes]]

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
        """The encodings of the genes; NaN in a cell with padding, which a Performer would read."""
        del genes, is_shown
        last = self.model.token_emb(jnp.zeros((len(x), 1), jnp.int32))
        last = last + self.model.gene_vectors.value[-1]
        x = jnp.concatenate([x, last], axis=1)
        states = self.model.performer(x, train=train, without_last=without_last)
        return refuse_padding(self.model.norm(states)[:, :-1], is_real)

    @shapes
    def decode(self, x: Float[Array, "cell token dim"]) -> Float[Array, "cell token"]:
        """The expression of each gene."""
        model = self.config.model
        if not model.has_head:
            return self.expression(x)
        chances = jax.nn.softmax(self.model.head(x)[..., : model.mask])
        return self.readout(chances @ jnp.arange(model.mask, dtype=jnp.float32))


def refuse_padding(
    x: Float[Array, "cell token dim"], is_real: Bool[Array, "cell token"]
) -> Float[Array, "cell token dim"]:
    """NaN where a cell has tokens that are not real, so that no fit goes on with such numbers."""
    return jnp.where(is_real.all(axis=1)[:, None, None], x, jnp.nan)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScBertBackboneConfig(FoundationBackboneConfig):
    """Settings of `ScBertBackbone`; by default, those that are published."""

    KIND = ScBertBackbone

    model: ScBertConfig = ScBertConfig()

    def read_sizes(self) -> dict[str, int]:
        """Those of the Performer."""
        return {"width": self.model.performer.width, "heads": self.model.performer.heads}

    @property
    def rows(self) -> int:
        """Genes of the list."""
        return self.model.genes


class ScFoundationBackbone(FoundationBackbone):
    """A gene's value is embedded as it is; the encoder reads what is shown, the decoder all tokens.

    T and S, the depths, are 4: the log10 of the total that values are normalised to. The states
    are those of the decoder behind both norms, narrower than what goes into the encoder.
    """

    config: "ScFoundationBackboneConfig"

    @shapes
    def embed(
        self,
        values: Float[Array, "cell token"],
        genes: Int[Array, " token"],
        is_masked: Bool[Array, "cell token"],
    ) -> Float[Array, "cell token dim"]:
        """Vectors of values and of genes; values are ln(1 + counts per 10,000)."""
        shown = jnp.where(is_masked, self.config.model.mask_value, values)
        return self.join(shown, self.rows[genes])

    def join(self, values, places):
        """Vectors of values at places."""
        return (self.model.token_emb(values) + self.model.pos_emb(places)).astype(jnp.float32)

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
    ) -> Float[Array, "cell token dim2"]:
        """The decoded genes; NaN in a cell with padding, which the decoder would read."""
        model, count = self.model, self.config.model.genes
        depths = jnp.array([count, count + 1])
        given = jnp.broadcast_to(self.join(jnp.full(2, DEPTH), depths), (len(x), 2, x.shape[-1]))
        x = jnp.concatenate([x, given], axis=1)
        is_key = jnp.concatenate([is_real & is_shown, jnp.ones((len(x), 2), bool)], axis=1)
        places = model.pos_emb(jnp.concatenate([self.rows[genes], depths]))
        x = jnp.where(is_key[..., None], model.encoder(x, is_key, train) + places, x)
        x = model.decoder_embed(x).astype(jnp.float32)
        x = model.decoder(x, train=train, without_last=without_last)
        x = model.norm(model.decoder_norm(x))
        return refuse_padding(x[:, :-2], is_real)

    @shapes
    def decode(self, x: Float[Array, "cell token dim"]) -> Float[Array, "cell token"]:
        """The expression of each gene, as the model has it."""
        return self.model.express(x)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScFoundationBackboneConfig(FoundationBackboneConfig):
    """Settings of `ScFoundationBackbone`; by default, those that are published."""

    KIND = ScFoundationBackbone

    model: ScFoundationConfig = ScFoundationConfig()

    def read_sizes(self) -> dict[str, int]:
        """Those of the decoder."""
        return {"width": self.model.decoder.width, "heads": self.model.decoder.heads}

    @property
    def rows(self) -> int:
        """Genes of the list."""
        return self.model.genes
