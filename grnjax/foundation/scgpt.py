"""scGPT: a transformer over the detected genes of a cell and their binned values (Cui et al. 2024).

    x = LN(gene[id]) + LN(W2 relu(W1 min(v, 512))), then post-norm blocks, no positions

(Cui et al. 2024, Methods, "input embeddings" and "scGPT transformer"). The first token is <cls>,
whose state is the cell's vector c. Three heads read the states: the expression of each gene from
its own state; that of any gene from c alone, c^T W sigmoid(Q g) with the gene's input vector g
("gene expression prediction for cell modelling", MVC in the code); and classes from c. Sizes are
those of args.json and vocab.json beside the weights.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from grnjax.config import Count, Positive
from grnjax.errors import ConfigError
from grnjax.foundation.published import take_settings
from grnjax.foundation.tokenise_scgpt import read_special
from grnjax.foundation.transformer import (
    SPREAD,
    TransformerConfig,
    make_blocks,
    make_dense,
    make_norm,
    run_blocks,
)
from grnjax.foundation.weights import Flat, Ignored, Linear, Rule, list_dense_rules, list_norm_rules
from grnjax.models.layers import Dropout
from grnjax.types import AnyArray, shapes

LICENCE = (
    "scGPT: code MIT (Cui et al. 2024, doi:10.1038/s41592-024-02201-0); the authors state no "
    "licence for the weights."
)
LARGEST_VALUE = 512.0
MOST_CLASS_LAYERS = 16
PUBLISHED = {
    "nlayers": "layers",
    "embsize": "width",
    "nheads": "heads",
    "d_hid": "feed_forward",
    "dropout": "dropout",
    "n_layers_cls": "class_layers",
}
"""Settings of args.json and what they are called here."""
FIXED = {
    "input_emb_style": "continuous",
    "cell_emb_style": "cls",
    "pre_norm": False,
    "explicit_zero_prob": False,
    "use_batch_labels": False,
    "domain_spec_batchnorm": False,
}
"""Settings of args.json that have one value wherever they stand; others make another model."""


SIZES: Mapping[str, Any] = {
    "layers": 12,
    "width": 512,
    "heads": 8,
    "feed_forward": 512,
    "norm_epsilon": 1e-5,
}
"""Published settings of `ScGPTConfig`."""
MASK_VALUE = -1  # what stands in the place of a hidden value


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScGPTConfig(TransformerConfig):
    """Settings of `ScGPT`."""

    vocabulary: Positive
    """Tokens: genes and special ones."""
    class_layers: Positive = 3
    """Dense layers of the head of classes."""
    classes: Count = 1
    """Classes of a cell; 0 for no such head."""
    expression_head: bool = True
    """Whether there is a head for the expression of genes from their own states."""
    cell_head: bool = True
    """Whether there is one for the expression of genes from the state of the cell."""

    def make(self) -> "ScGPT":
        """The model with these settings."""
        return ScGPT(self)

    def init(self, key: jax.Array) -> Mapping[str, Any]:
        """Fresh variables of all heads; under `jax.eval_shape`, the form of a checkpoint's."""
        tokens, is_real = jnp.zeros((1, 1), jnp.int32), jnp.ones((1, 1), bool)
        return self.make().init(key, tokens, jnp.zeros((1, 1)), is_real, train=False)

    def __post_init__(self):
        super().__post_init__()
        if self.class_layers > MOST_CLASS_LAYERS:
            raise ConfigError(f"class_layers is {self.class_layers}, above {MOST_CLASS_LAYERS}.")


def read_config(
    published: Mapping[str, Any], vocabulary: Mapping[str, int], **choices: Any
) -> ScGPTConfig:
    """The settings of a model, from its args.json and vocab.json.

    Args:
        vocabulary: as it is in the file; special tokens that it lacks are counted.
        choices: what the files do not decide, such as dtype and `find_heads` of the weights.

    Raises:
        ConfigError: a setting is missing, or has a value for which this is another model.
    """
    values = take_settings(published, PUBLISHED, FIXED, model="scGPT", file="args.json")
    size = len(read_special(vocabulary))
    values |= {f"{part}_dropout": values["dropout"] for part in ("attention", "inner")}
    return ScGPTConfig(vocabulary=size, norm_epsilon=1e-5, activation="relu", **values, **choices)


def find_heads(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Which heads a file of weights has, and of how many classes, as choices of `read_config`."""
    out = arrays.get("cls_decoder.out_layer.weight")
    return {
        "classes": 0 if out is None else int(out.shape[0]),
        "expression_head": any(name.startswith("decoder.fc.") for name in arrays),
        "cell_head": any(name.startswith("mvc_decoder.") for name in arrays),
    }


class ScGPTOutput(NamedTuple):
    """What the model says of cells; None where it has no such head."""

    hidden: Float[Array, "cell token dim"]
    cell: Float[Array, "cell dim"]  # the state of <cls>
    expression: Float[Array, "cell token"] | None  # bins, of each gene by its own state
    cell_expression: Float[Array, "cell token"] | None  # bins, of each gene by the cell's
    classes: Float[Array, "cell class"] | None  # log-odds


class GeneEncoder(nn.Module):
    """The vectors of genes, each normalised."""

    config: ScGPTConfig

    def setup(self):
        config = self.config
        shape, small = (config.vocabulary, config.width), nn.initializers.normal(SPREAD)
        self.embedding = self.param("embedding", small, shape)
        self.norm = make_norm(config, "norm")

    def __call__(self, genes: Int[AnyArray, "cell token"]) -> Float[Array, "cell token dim"]:
        return self.norm(self.embedding[genes])

    def table(self) -> Float[Array, "token dim"]:
        """The vectors of the whole vocabulary."""
        return self.norm(self.embedding)


class ValueEncoder(nn.Module):
    """The vectors of values, which are bins: numbers, and no rows of a table."""

    config: ScGPTConfig

    @nn.compact
    def __call__(
        self, values: Float[AnyArray, "cell token"], *, train: bool
    ) -> Float[Array, "cell token dim"]:
        config = self.config
        shown = jnp.minimum(values, LARGEST_VALUE)[..., None]
        inner = nn.relu(nn.Dense(config.width, name="inner")(shown))  # float32 keeps bins apart
        x = make_norm(config, "norm")(make_dense(config, config.width, "outer")(inner))
        return Dropout(config.dropout)(x, train=train)


class ExpressionHead(nn.Module):
    """The value of each gene from its state."""

    config: ScGPTConfig

    @nn.compact
    def __call__(self, x: Float[Array, "cell token dim"]) -> Float[Array, "cell token"]:
        width = self.config.width
        for name in ("inner", "outer"):
            x = nn.leaky_relu(make_dense(self.config, width, name)(x), 0.01)
        return make_dense(self.config, 1, "value")(x)[..., 0].astype(jnp.float32)


class CellHead(nn.Module):
    """The value of any gene from the state of the cell and the input vector of the gene."""

    config: ScGPTConfig

    @nn.compact
    def __call__(
        self, cell: Float[Array, "cell dim"], genes: Float[Array, "cell token dim"]
    ) -> Float[Array, "cell token"]:
        config = self.config
        query = nn.sigmoid(make_dense(config, config.width, "query")(genes))
        small = nn.initializers.normal(SPREAD)
        weigh = nn.Dense(
            config.width, use_bias=False, dtype=config.dtype, kernel_init=small, name="weigh"
        )
        products = weigh(query).astype(jnp.float32) * cell[:, None].astype(jnp.float32)
        return products.sum(axis=-1)


class ClassHead(nn.Module):
    """The log-odds of classes from the state of the cell."""

    config: ScGPTConfig

    @nn.compact
    def __call__(self, cell: Float[Array, "cell dim"]) -> Float[Array, "cell class"]:
        config = self.config
        for i in range(config.class_layers - 1):
            cell = nn.relu(make_dense(config, config.width, f"dense_{i}")(cell))
            cell = make_norm(config, f"norm_{i}")(cell)
        return make_dense(config, config.classes, "out")(cell).astype(jnp.float32)


class ScGPT(nn.Module):
    """Reads a cell as its detected genes and their bins, in any order."""

    config: ScGPTConfig

    def setup(self):
        config = self.config
        self.genes = GeneEncoder(config)
        self.values = ValueEncoder(config)
        self.layers = make_blocks(config)
        self.expression = ExpressionHead(config) if config.expression_head else None
        self.cell_expression = CellHead(config) if config.cell_head else None
        self.classes = ClassHead(config) if config.classes else None

    @shapes
    def embed(
        self,
        genes: Int[AnyArray, "cell token"],
        values: Float[AnyArray, "cell token"],
        *,
        train: bool,
    ) -> tuple[Float[Array, "cell token dim"], Float[Array, "cell token dim"]]:
        """The vectors of genes and of their values, whose sum goes into the first block."""
        return self.genes(genes), self.values(values, train=train)

    def gene_table(self) -> Float[Array, "token dim"]:
        """The vector of every gene of the vocabulary, of no cell: its row, normalised."""
        return self.genes.table()

    @shapes
    def hidden_states(
        self,
        genes: Int[AnyArray, "cell token"],
        values: Float[AnyArray, "cell token"],
        is_real: Bool[AnyArray, "cell token"],
        *,
        train: bool,
        blocks: int | None = None,
    ) -> list[Float[Array, "cell token dim"]]:
        """The embedded tokens and what comes out of each block, `blocks` of them or all.

        Args:
            genes: tokens, the first <cls>.
            values: bins, the pad value at <cls> and the mask value at genes to be predicted.
            is_real: False at padding, which no token reads.
        """
        gene_vectors, value_vectors = self.embed(genes, values, train=train)
        x = gene_vectors + value_vectors
        return run_blocks(self.layers[:blocks], x, jnp.asarray(is_real), train=train)

    def __call__(
        self,
        genes: Int[AnyArray, "cell token"],
        values: Float[AnyArray, "cell token"],
        is_real: Bool[AnyArray, "cell token"],
        *,
        train: bool,
    ) -> ScGPTOutput:
        """The states of the last block and what the heads say of them."""
        hidden = self.hidden_states(genes, values, is_real, train=train)[-1]
        cell = hidden[:, 0]
        return ScGPTOutput(
            hidden,
            cell,
            self.expression(hidden) if self.expression else None,
            self.cell_expression(cell, self.genes(genes)) if self.cell_expression else None,
            self.classes(cell) if self.classes else None,
        )


@shapes
def normalise_cells(cells: Float[AnyArray, "cell dim"]) -> Float[Array, "cell dim"]:
    """The vectors with length 1, as the published embeddings of cells have it."""
    cells = jnp.asarray(cells)
    return cells / jnp.maximum(jnp.linalg.norm(cells, axis=-1, keepdims=True), 1e-12)


LAYER = "transformer_encoder.layers.{i}"


def _make_rules() -> tuple[Rule | Ignored, ...]:
    """Where each array of a published file stands; attention has had three names for its arrays."""
    rules: list[Rule | Ignored] = []

    rules.append(Rule("encoder.embedding.weight", "genes/embedding"))
    rules += list_norm_rules("encoder.enc_norm", "genes/norm")
    rules += list_dense_rules("value_encoder.linear1", "values/inner")
    rules += list_dense_rules("value_encoder.linear2", "values/outer")
    rules += list_norm_rules("value_encoder.norm", "values/norm")
    for kind, here, turn in (("weight", "kernel", Linear()), ("bias", "bias", Flat())):
        joined = [f"layer_{{i}}/attention/{part}/{here}" for part in ("query", "key", "value")]
        names = (f"self_attn._impl.Wqkv.{kind}", f"self_attn.in_proj_{kind}")
        also = tuple(f"{LAYER}.{name}" for name in names)
        rules.append(Rule(f"{LAYER}.self_attn.Wqkv.{kind}", tuple(joined), turn, also=also))
        out = Linear(2) if kind == "weight" else Flat()
        wrapped = (f"{LAYER}.self_attn._impl.out_proj.{kind}",)
        ours = f"layer_{{i}}/attention/out/{here}"
        rules.append(Rule(f"{LAYER}.self_attn.out_proj.{kind}", ours, out, also=wrapped))
    rules += list_dense_rules(f"{LAYER}.linear1", "layer_{i}/ffn_in")
    rules += list_dense_rules(f"{LAYER}.linear2", "layer_{i}/ffn_out")
    rules += list_norm_rules(f"{LAYER}.norm1", "layer_{i}/attention_norm")
    rules += list_norm_rules(f"{LAYER}.norm2", "layer_{i}/ffn_norm")
    for number, name in ((0, "inner"), (2, "outer"), (4, "value")):
        rules += list_dense_rules(f"decoder.fc.{number}", f"expression/{name}")
    rules += list_dense_rules("mvc_decoder.gene2query", "cell_expression/query")
    rules.append(Rule("mvc_decoder.W.weight", "cell_expression/weigh/kernel", Linear()))
    for i in range(MOST_CLASS_LAYERS - 1):  # dense, activation, norm
        rules += list_dense_rules(f"cls_decoder._decoder.{3 * i}", f"classes/dense_{i}")
        rules += list_norm_rules(f"cls_decoder._decoder.{3 * i + 2}", f"classes/norm_{i}")
    rules += list_dense_rules("cls_decoder.out_layer", "classes/out")
    rules += [
        Ignored("flag_encoder.weight", "no part of what the model computes"),
        Ignored("grad_reverse_discriminator.{}", "of a task that the model was fine-tuned for"),
    ]
    return tuple(rules)


RULES = _make_rules()
