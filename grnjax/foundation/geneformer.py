"""Geneformer: BERT over the genes of a cell in the order of their rank values (Theodoris 2023).

    x = LN(word[id] + type[0] + position[0..L-1]), then post-norm blocks

(Theodoris et al. 2023, Methods, "Geneformer architecture"; Devlin et al. 2019). Sizes, activation
and epsilon are those of the config.json beside the weights, so every published variant, and any
other, is read alike. Masked genes are predicted by LN(act(W x)) against the table of words.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from grnjax.config import Count, Positive
from grnjax.errors import ConfigError
from grnjax.foundation.published import take_settings
from grnjax.foundation.transformer import (
    ACTIVATIONS,
    SPREAD,
    TransformerConfig,
    make_blocks,
    make_dense,
    make_norm,
    run_blocks,
)
from grnjax.foundation.weights import Flat, Ignored, Linear, Rule
from grnjax.models.layers import Dropout
from grnjax.types import AnyArray, shapes

LICENCE = (
    "Geneformer: code and weights Apache-2.0 (Theodoris et al. 2023, doi:10.1038/s41586-023-06139-9"
    "); keep its notice with copies of the weights."
)
PUBLISHED = {
    "num_hidden_layers": "layers",
    "hidden_size": "width",
    "num_attention_heads": "heads",
    "intermediate_size": "feed_forward",
    "layer_norm_eps": "norm_epsilon",
    "hidden_act": "activation",
    "hidden_dropout_prob": "dropout",
    "attention_probs_dropout_prob": "attention_dropout",
    "vocab_size": "vocabulary",
    "max_position_embeddings": "positions",
    "type_vocab_size": "token_types",
    "pad_token_id": "padding",
}
"""Settings of config.json and what they are called here."""
FIXED = {"model_type": "bert", "position_embedding_type": "absolute"}
"""Settings of config.json that have one value wherever they stand."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneformerConfig(TransformerConfig):
    """Settings of `Geneformer`."""

    vocabulary: Positive
    """Tokens: genes and special ones."""
    positions: Positive
    """Tokens that a cell may have."""
    token_types: Positive = 2
    """Rows of a table of which only the first is used."""
    padding: Count = 0
    """The token that fills cells up."""

    def make(self) -> "Geneformer":
        """The model with these settings."""
        return Geneformer(self)

    def init(self, key: jax.Array) -> Mapping[str, Any]:
        """Fresh variables; under `jax.eval_shape`, the form of those of a checkpoint."""
        tokens, is_real = jnp.zeros((1, 1), jnp.int32), jnp.ones((1, 1), bool)
        return self.make().init(key, tokens, is_real, train=False)


def read_config(published: Mapping[str, Any], **choices: Any) -> GeneformerConfig:
    """The settings of a model, from its config.json.

    Args:
        choices: what the file does not decide, such as dtype.

    Raises:
        ConfigError: a setting is missing, or has a value for which this is another model.
    """
    values = take_settings(published, PUBLISHED, FIXED, model="Geneformer", file="config.json")
    return GeneformerConfig(**values, **choices)


class Embeddings(nn.Module):
    """The vectors of tokens at their positions, normalised."""

    config: GeneformerConfig

    def setup(self):
        config, small = self.config, nn.initializers.normal(SPREAD)

        def make(rows: int, name: str) -> nn.Embed:
            return nn.Embed(rows, config.width, embedding_init=small, name=name)

        self.word = make(config.vocabulary, "word")
        self.position = make(config.positions, "position")
        self.token_type = make(config.token_types, "token_type")
        self.norm = make_norm(config, "norm")
        self.dropout = Dropout(config.dropout)

    def __call__(
        self, tokens: Int[AnyArray, "cell token"], *, train: bool
    ) -> Float[Array, "cell token dim"]:
        places = self.position(jnp.arange(tokens.shape[1]))
        first = self.token_type(jnp.zeros((), jnp.int32))
        return self.dropout(self.norm(self.word(tokens) + first + places), train=train)


class MaskedHead(nn.Module):
    """What the table of words is compared with to name a masked gene."""

    config: GeneformerConfig

    @nn.compact
    def __call__(
        self, x: Float[Array, "cell token dim"], words: Float[Array, "word dim"]
    ) -> Float[Array, "cell token word"]:
        config = self.config
        x = ACTIVATIONS[config.activation](make_dense(config, config.width, "dense")(x))
        x = make_norm(config, "norm")(x).astype(config.dtype)
        bias = self.param("bias", nn.initializers.zeros, (config.vocabulary,))
        words = words.astype(config.dtype)
        return jnp.matmul(x, words.T, preferred_element_type=jnp.float32) + bias


class Geneformer(nn.Module):
    """Reads a cell as the ranked list of its genes, and names genes that are masked in it."""

    config: GeneformerConfig

    def setup(self):
        self.embeddings = Embeddings(self.config)
        self.layers = make_blocks(self.config)
        self.mlm = MaskedHead(self.config)

    @shapes
    def hidden_states(
        self,
        tokens: Int[AnyArray, "cell token"],
        is_real: Bool[AnyArray, "cell token"],
        *,
        train: bool,
        blocks: int | None = None,
    ) -> list[Float[Array, "cell token dim"]]:
        """The embedded tokens and what comes out of each block, `blocks` of them or all.

        The state of the penultimate block is the last one of `blocks = layers - 1`.

        Raises:
            ConfigError: more tokens than the model has positions.
        """
        if tokens.shape[1] > self.config.positions:
            raise ConfigError(
                f"cells of {tokens.shape[1]:,} tokens, and the model has {self.config.positions:,} "
                "positions; cut them to that length."
            )
        x = self.embeddings(tokens, train=train)
        return run_blocks(self.layers[:blocks], x, is_real, train=train)

    @shapes
    def logits(self, x: Float[Array, "cell token dim"]) -> Float[Array, "cell token word"]:
        """The log-odds of each token of the vocabulary, from the state of the last block."""
        return self.mlm(x, self.embeddings.word.embedding)

    def __call__(
        self,
        tokens: Int[AnyArray, "cell token"],
        is_real: Bool[AnyArray, "cell token"],
        *,
        train: bool,
    ) -> Float[Array, "cell token word"]:
        """`logits` of the tokens of cells."""
        return self.logits(self.hidden_states(tokens, is_real, train=train)[-1])


LAYER = "bert.encoder.layer.{i}"


def _make_rules() -> tuple[Rule | Ignored, ...]:
    """Where each array of a published file stands (`BertForMaskedLM` of transformers)."""
    rules: list[Rule | Ignored] = []

    def add_norm(theirs: str, ours: str) -> None:
        for name, old, here in (("weight", "gamma", "scale"), ("bias", "beta", "bias")):
            rules.append(Rule(f"{theirs}.{name}", f"{ours}/{here}", also=(f"{theirs}.{old}",)))

    def add_dense(theirs: str, ours: str, inputs: int = 1) -> None:
        rules.append(Rule(f"{theirs}.weight", f"{ours}/kernel", Linear(inputs)))
        rules.append(Rule(f"{theirs}.bias", f"{ours}/bias", Flat()))

    for kind in ("word", "position", "token_type"):
        table = f"bert.embeddings.{kind}_embeddings.weight"
        rules.append(Rule(table, f"embeddings/{kind}/embedding"))
    add_norm("bert.embeddings.LayerNorm", "embeddings/norm")
    for part in ("query", "key", "value"):
        add_dense(f"{LAYER}.attention.self.{part}", f"layer_{{i}}/attention/{part}")
    add_dense(f"{LAYER}.attention.output.dense", "layer_{i}/attention/out", inputs=2)
    add_norm(f"{LAYER}.attention.output.LayerNorm", "layer_{i}/attention_norm")
    add_dense(f"{LAYER}.intermediate.dense", "layer_{i}/ffn_in")
    add_dense(f"{LAYER}.output.dense", "layer_{i}/ffn_out")
    add_norm(f"{LAYER}.output.LayerNorm", "layer_{i}/ffn_norm")
    add_dense("cls.predictions.transform.dense", "mlm/dense")
    add_norm("cls.predictions.transform.LayerNorm", "mlm/norm")
    rules.append(Rule("cls.predictions.bias", "mlm/bias"))
    words, bias = "bert.embeddings.word_embeddings.weight", "cls.predictions.bias"
    rules += [
        Ignored("cls.predictions.decoder.weight", "tied to the table of words", equals=words),
        Ignored("cls.predictions.decoder.bias", "tied to the bias of the head", equals=bias),
        Ignored("bert.embeddings.position_ids", "numbers from 0 on"),
        Ignored("bert.pooler.{}", "of a task that the model was fine-tuned for"),
        Ignored("classifier.{}", "of a task that the model was fine-tuned for"),
    ]
    return tuple(rules)


RULES = _make_rules()
