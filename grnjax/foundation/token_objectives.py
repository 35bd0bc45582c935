"""What each foundation model hides of a cell, and how its predictions are judged."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from grnjax.errors import ConfigError
from grnjax.foundation.convert import LoadedModel
from grnjax.foundation.encoders import make_encoder
from grnjax.foundation.geneformer import GeneformerConfig
from grnjax.foundation.masking import choose_tokens, gather_chosen, replace_chosen
from grnjax.foundation.published_training import (
    GeneformerTraining,
    ScBertTraining,
    ScFoundationTraining,
    ScGPTTraining,
)
from grnjax.foundation.scbert import ScBertConfig
from grnjax.foundation.scfoundation import ScFoundationConfig
from grnjax.foundation.scgpt import ScGPTConfig
from grnjax.foundation.thinning import thin_cells
from grnjax.foundation.token_training import Cells, HiddenBatch, TokenObjective, TokenTrainingConfig
from grnjax.foundation.vocabulary import is_special


def run(objective: TokenObjective, variables: dict, *inputs, key, method=None, **more):
    """What the module makes of inputs; with a key, as in training."""
    rngs = None if key is None else {"dropout": key}
    module, train = objective.model.make(), key is not None
    return module.apply(variables, *inputs, train=train, rngs=rngs, method=method, **more)


@dataclasses.dataclass(frozen=True)
class GeneformerObjective(TokenObjective):
    """Cross-entropy of which gene stands at a hidden rank, in nats."""

    unit = "nats"

    model: GeneformerConfig
    mask: int = 1
    special: tuple[int, ...] = (0, 1)  # tokens that are no genes

    @classmethod
    def of(cls, model: LoadedModel, config: TokenTrainingConfig, steps: int):
        """For a model with the vocabulary that it comes with."""
        words = model.vocabulary["tokens"]
        if "<mask>" not in words:
            raise ConfigError("the token dictionary has no <mask>, so that no gene can be hidden.")
        special = tuple(words[name] for name in words if is_special(name))
        return cls(config, model.config, steps, words["<mask>"], special)

    def find_eligible(self, cells: Cells) -> Bool[Array, "cell token"]:
        return cells.is_real & ~jnp.isin(cells.tokens, jnp.array(self.special))

    def hide(self, cells: Cells, is_hidden, key):
        role_key, word_key = (None, None) if key is None else jax.random.split(key)
        is_masked, is_other = replace_chosen(
            is_hidden, self.config.replaced, self.config.others, role_key
        )
        tokens = jnp.where(is_masked, self.mask, cells.tokens)
        if word_key is not None:
            words = jax.random.randint(word_key, tokens.shape, 0, self.model.vocabulary)
            tokens = jnp.where(is_other, words, tokens)
        return tokens

    def measure(self, variables, batch: HiddenBatch, key):
        tokens, cells = batch.inputs, batch.cells
        states = run(self, variables, tokens, cells.is_real, key=key, method="hidden_states")[-1]
        most = math.ceil(max(self.config.masked_shares) * tokens.shape[1])
        places, counts = gather_chosen(batch.is_hidden, most)  # logits of these alone
        states = jnp.take_along_axis(states, places[..., None], axis=1)
        logits = self.model.make().apply(variables, states, method="logits")
        labels = jnp.take_along_axis(cells.tokens, places, axis=1)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels), counts


@dataclasses.dataclass(frozen=True)
class ScBertObjective(TokenObjective):
    """Cross-entropy of the bin of a hidden gene, in nats; only detected genes are hidden."""

    unit = "nats"

    model: ScBertConfig

    @classmethod
    def of(cls, model: LoadedModel, config: TokenTrainingConfig, steps: int):
        """For a model that has its head."""
        if not model.config.has_head:
            raise ConfigError("this scBERT was read without the head that predicts bins.")
        return cls(config, model.config, steps)

    def find_eligible(self, cells: Cells) -> Bool[Array, "cell token"]:
        return cells.tokens > 0

    def hide(self, cells: Cells, is_hidden, key):
        role_key, bin_key = (None, None) if key is None else jax.random.split(key)
        is_masked, is_other = replace_chosen(
            is_hidden, self.config.replaced, self.config.others, role_key
        )
        tokens = jnp.where(is_masked, self.model.mask, cells.tokens)
        if bin_key is not None:
            bins = jax.random.randint(bin_key, tokens.shape, 0, self.model.mask)
            tokens = jnp.where(is_other, bins, tokens)
        return tokens

    def measure(self, variables, batch: HiddenBatch, key):
        logits = run(self, variables, batch.inputs, key=key)
        labels = batch.cells.tokens
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return losses, batch.is_hidden


@dataclasses.dataclass(frozen=True)
class ScGPTObjective(TokenObjective):
    """Squared error of the bin of a hidden gene.

    Training adds that of the prediction from the cell's state, where the model has such a head;
    held-out cells are judged by the prediction from the gene's own state alone.
    """

    model: ScGPTConfig
    cls: int = 0
    mask_value: float = -1.0

    @classmethod
    def of(cls, model: LoadedModel, config: TokenTrainingConfig, steps: int):
        """For a model that has its head of expression."""
        if not model.config.expression_head:
            raise ConfigError("this scGPT has no head for expression (decoder.fc), and needs one.")
        vocabulary = make_encoder(model).tokeniser.vocabulary
        mask_value = float(model.about["settings"].get("mask_value", -1))
        return cls(config, model.config, steps, vocabulary["<cls>"], mask_value)

    def find_eligible(self, cells: Cells) -> Bool[Array, "cell token"]:
        return cells.is_real & (cells.tokens != self.cls)

    def hide(self, cells: Cells, is_hidden, key):
        is_masked, is_other = replace_chosen(
            is_hidden, self.config.replaced, self.config.others, key
        )
        assert cells.values is not None  # the model reads them
        values = jnp.where(is_masked, self.mask_value, cells.values)
        if key is not None:
            drawn = draw_values(cells.values, cells.is_real.sum(axis=1), key, first=1)
            values = jnp.where(is_other, drawn, values)
        return values

    def measure(self, variables, batch: HiddenBatch, key):
        cells = batch.cells
        found = run(self, variables, cells.tokens, batch.inputs, cells.is_real, key=key)
        losses = (found.expression - cells.values) ** 2
        if key is not None and found.cell_expression is not None:
            losses += (found.cell_expression - cells.values) ** 2
        return losses, batch.is_hidden


def draw_values(
    values: Float[Array, "cell token"],
    stops: Int[Array, " cell"],
    key: jax.Array,
    *,
    first: int = 0,
) -> Float[Array, "cell token"]:
    """For each token the value of a random one of its cell, from the first to before the stop."""
    drawn = jax.random.uniform(jax.random.fold_in(key, 1), values.shape)
    places = first + jnp.int32(drawn * (stops[:, None] - first))
    return jnp.take_along_axis(values, places, axis=1)


@dataclasses.dataclass(frozen=True)
class ScFoundationObjective(TokenObjective):
    """Squared error of the value of a hidden gene; genes that a cell has not are hidden, too.

    While training some of the cells are thinned, and what they had before is predicted
    (`thinning.py`); held-out ones are judged as they are.

    Tokens are the places that the encoder may read, and what is hidden are places of the list: the
    encoder does not see them, and the decoder sees the mask.
    """

    config: ScFoundationTraining
    model: ScFoundationConfig

    @classmethod
    def of(cls, model: LoadedModel, config: ScFoundationTraining, steps: int):
        """For any of the three models."""
        return cls(config, model.config, steps)

    def fill(self, cells: Cells) -> Float[Array, "cell place"]:
        """The values of all places, 0 where a gene was not detected."""
        places = jnp.where(cells.is_real, cells.tokens, self.model.places)
        empty = jnp.zeros((len(places), self.model.places))
        return jax.vmap(lambda x, place, value: x.at[place].set(value, mode="drop"))(
            empty, places, cells.values
        )

    def alter(self, cells: Cells, key):
        if not self.config.thinned:
            return cells
        assert cells.values is not None  # the model reads them
        genes, config = self.model.genes, self.config
        how = {"share": config.thinned, "least": config.thin_above}
        values = thin_cells(cells.values, cells.tokens, cells.is_real, key, genes=genes, **how)
        return cells._replace(values=values)

    def choose(self, cells: Cells, key):
        filled = self.fill(cells)
        is_gene = jnp.arange(self.model.places) < self.model.genes
        share_key, key, zero_key = jax.random.split(key, 3)
        chosen = choose_tokens((filled > 0) & is_gene, self.draw_shares(cells, share_key), key)
        zeros = self.config.masked_zeros
        is_zero = jax.random.uniform(zero_key, filled.shape) < zeros
        return chosen | (is_zero & (filled == 0) & is_gene)

    def hide(self, cells: Cells, is_hidden, key):
        filled = self.fill(cells)
        is_masked, is_other = replace_chosen(
            is_hidden, self.config.replaced, self.config.others, key
        )
        shown = jnp.where(is_masked, self.model.mask_value, filled)
        if key is not None:
            drawn = draw_values(filled, jnp.full(len(filled), self.model.genes), key)
            shown = jnp.where(is_other, drawn, shown)
        places = jnp.minimum(cells.tokens, self.model.places - 1)
        hidden, values = (jnp.take_along_axis(x, places, axis=1) for x in (is_masked, shown))
        return shown, values, cells.is_real & ~hidden & (values > 0)

    def measure(self, variables, batch: HiddenBatch, key):
        (shown, values, is_read), places = batch.inputs, batch.cells.tokens
        encoded = run(self, variables, values, places, is_read, key=key, method="encode")
        inputs = shown, encoded, places, is_read
        decoded = run(self, variables, *inputs, key=key, method="decode")
        module: Any = self.model.make()  # whose results Flax does not type
        found = module.apply(variables, decoded, method="express")
        return (found - self.fill(batch.cells)) ** 2, batch.is_hidden


OBJECTIVES: dict[str, type[TokenObjective]] = {
    "geneformer": GeneformerObjective,
    "scbert": ScBertObjective,
    "scfoundation": ScFoundationObjective,
    "scgpt": ScGPTObjective,
}
TRAININGS: dict[str, type[TokenTrainingConfig]] = {
    "geneformer": GeneformerTraining,
    "scbert": ScBertTraining,
    "scfoundation": ScFoundationTraining,
    "scgpt": ScGPTTraining,
}
"""How each was trained, as published."""
