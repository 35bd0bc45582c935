"""scBERT: a Performer over one token for each gene of a fixed list, the bin of its expression.

Yang et al. 2022, "scBERT as a large-scale pretrained deep language model for cell type annotation
of single-cell RNA-seq data", Methods. A gene's token is the vector of its bin plus its own vector
(gene2vec, never learned); a last position beyond the genes, whose token is always 0, stands in the
place of a token for the cell. Six Performer layers and a norm make the encodings, of which a head
predicts the bins of masked genes.

The published file holds the weights, gene2vec and the random directions of the layers, but no names
of genes: position i is gene i of the authors' list. Nor does it hold settings: all sizes are read
from the shapes of its arrays.

Written from the description; the authors' code is under GPL-3.0.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from grnjax.config import Positive, Settings
from grnjax.errors import CheckpointError
from grnjax.foundation.performer import Performer, PerformerConfig, make_norm
from grnjax.foundation.performer_weights import (
    COUNTER,
    list_rules,
    read_performer_config,
)
from grnjax.foundation.weights import (
    Ignored,
    Rule,
    Rules,
    list_dense_rules,
    list_norm_rules,
    strip_prefix,
    to_torch,
)
from grnjax.types import AnyArray, shapes

LICENCE = (
    "scBERT: the authors' code is under GPL-3.0, and none of it is used here; for the weights no "
    "licence is stated, so ask the authors before passing them on, converted or not."
)
CHECKED = {"dim": "width", "depth": "layers", "heads": "heads", "dim_head": "head_width"}
"""Sizes of the layers by the names that the authors give them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScBertConfig(Settings):
    """Settings of `ScBert`; the published sizes unless a checkpoint says otherwise."""

    genes: Positive = 16_906
    """Genes of the list; there is one position more."""
    bins: Positive = 5
    """The highest bin; tokens 0 to it are expression, the one after it is the mask."""
    performer: PerformerConfig = PerformerConfig()
    has_head: bool = True
    """Whether it predicts bins; fine-tuned models have another head, which is not read."""

    @property
    def mask(self) -> int:
        """The token of a masked gene."""
        return self.bins + 1

    def make(self) -> "ScBert":
        """The model with these settings."""
        return ScBert(self)

    def init(self, key: jax.Array) -> Mapping[str, Any]:
        """Fresh variables; under `jax.eval_shape`, the form of those of a checkpoint."""
        tokens = jnp.zeros((1, self.genes + 1), jnp.int32)
        method = None if self.has_head else "encode"
        return self.make().init(key, tokens, train=False, method=method)


class ScBert(nn.Module):
    """Encodes cells whose genes are bins, and predicts the bins from the encodings."""

    config: ScBertConfig

    def setup(self):
        config, width = self.config, self.config.performer.width
        self.token_emb = nn.Embed(config.bins + 2, width, name="token_emb")
        small = nn.initializers.normal(0.02)
        self.gene_vectors = self.variable(
            "buffers",
            "pos_emb",
            lambda: small(self.make_rng("params"), (config.genes + 1, width)),
        )
        self.performer = Performer(config.performer, name="performer")
        self.norm = make_norm("norm")
        if config.has_head:
            self.head = nn.Dense(config.bins + 2, name="head")

    @shapes
    def __call__(
        self, tokens: Int[AnyArray, "cell token"], *, train: bool
    ) -> Float[Array, "cell token bin"]:
        """The logits of every bin for every gene and the last position."""
        return self.decode(self.encode(tokens, train=train))

    @shapes
    def encode(
        self,
        tokens: Int[AnyArray, "cell token"],
        *,
        train: bool,
        without_last: bool = False,
    ) -> Float[Array, "cell token dim"]:
        """The encodings of the genes in the order of the list, and of the last position.

        Args:
            tokens: bins of all genes, 0 at the last position; the mask is `config.mask`.
            without_last: leaves out the last layer, as where another takes its place.
        """
        expected = self.config.genes + 1
        if tokens.shape[1] != expected:
            raise ValueError(
                f"{tokens.shape[1]} tokens a cell, and scBERT needs {expected}: one for each of "
                f"its {expected - 1} genes in their order, and a last 0; align the genes first."
            )
        x = self.token_emb(tokens) + self.gene_vectors.value
        return self.norm(self.performer(x, train=train, without_last=without_last))

    @shapes
    def decode(
        self, encodings: Float[AnyArray, "cell token dim"]
    ) -> Float[Array, "cell token bin"]:
        """The logits of every bin from the encodings."""
        if not self.config.has_head:
            raise ValueError("this scBERT was read without the head that predicts bins")
        return self.head(encodings)


RULES: Rules = (
    Rule("token_emb.weight", "token_emb/embedding"),
    Rule("pos_emb.emb.weight", "pos_emb", collection="buffers"),
    *list_rules("performer", "performer"),
    *list_norm_rules("norm", "norm"),
    *list_dense_rules("to_out", "head"),
    *(Ignored(f"to_out.{x}.{{}}", "a head for cell types") for x in ("conv1", "fc1", "fc2", "fc3")),
)


def to_published(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a `model_state_dict` of the authors' program, from variables of `ScBert`."""
    return to_torch(variables, RULES) | {f"performer.{COUNTER}": np.zeros((), np.int64)}


def find_arrays(checkpoint: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The weights in what a file of scBERT holds; what training left beside them is not used."""
    arrays = checkpoint.get("model_state_dict", checkpoint)
    if not isinstance(arrays, Mapping) or not any(
        isinstance(array, np.ndarray) for array in arrays.values()
    ):
        raise CheckpointError(
            f"no weights of scBERT among {', '.join(map(str, list(checkpoint)[:10]))}; they are "
            "arrays by name, under model_state_dict or at the top."
        )
    return strip_prefix(arrays, "module.")


def read_config(
    arrays: Mapping[str, np.ndarray], stated: Mapping[str, int] | None = None, **choices: Any
) -> ScBertConfig:
    """The sizes of the model that these weights are of.

    Args:
        arrays: as `find_arrays` gives them.
        stated: dim, depth, heads, dim_head, num_tokens, max_seq_len, or some of them, as a file
            beside the weights states them; they must agree.
        choices: what the weights do not decide: key_maximum, dtype, recompute.

    Raises:
        CheckpointError: an array that tells a size is not there, or a stated size differs.
    """
    names = "token_emb.weight", "pos_emb.emb.weight"
    tables = [arrays[name] for name in names if np.ndim(arrays.get(name, 0)) == 2]
    if len(tables) < len(names):
        raise CheckpointError(
            "token_emb.weight and pos_emb.emb.weight are not both there as tables; the file must "
            "be that of the pretrained scBERT, whole."
        )
    config = ScBertConfig(
        genes=len(tables[1]) - 1,
        bins=len(tables[0]) - 2,
        performer=read_performer_config(arrays, "performer", **choices),
        has_head="to_out.weight" in arrays,
    )
    found = {name: getattr(config.performer, field) for name, field in CHECKED.items()}
    found |= {"num_tokens": config.bins + 2, "max_seq_len": config.genes + 1}
    stated = stated or {}
    differing = [name for name in found if stated.get(name, found[name]) != found[name]]
    if differing:
        shown = "; ".join(f"{name} is {found[name]}, not {stated[name]}" for name in differing)
        raise CheckpointError(
            f"the weights are not of the sizes stated beside them ({shown}); take both from one "
            "model."
        )
    return config
