"""What each model makes of a batch of cells: a vector of every cell, and one of every token.

One class a model, below `Encoder`: how its cells are tokenised, which tokens are genes, and which
states and which pooling are the published ones. Layers are named, as the authors' numbers have been
read in two ways: `penultimate` is the state before the last block, `last` the one after it.
"""

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Int

from grnjax.errors import ConfigError
from grnjax.foundation.convert import LoadedModel
from grnjax.foundation.encoder_config import EncoderConfig
from grnjax.foundation.layout import lay_out_model, split_cells
from grnjax.foundation.pooling import average_tokens, mark_tokens
from grnjax.foundation.scfoundation import pool_all
from grnjax.foundation.scgpt import normalise_cells
from grnjax.foundation.token_stream import TokenBatch
from grnjax.foundation.tokenise_geneformer import GeneformerTokeniserConfig
from grnjax.foundation.tokenise_scbert import ScBertTokeniserConfig
from grnjax.foundation.tokenise_scfoundation import ScFoundationTokeniserConfig, fill_places
from grnjax.foundation.tokenise_scgpt import ScGPTTokeniserConfig
from grnjax.foundation.tokenisers import (
    Tokeniser,
    geneformer_tokeniser,
    scbert_tokeniser,
    scfoundation_tokeniser,
    scgpt_tokeniser,
)
from grnjax.foundation.transformer import count_blocks
from grnjax.foundation.vocabulary import is_special
from grnjax.training.sharding import wait_on_cpu

SCGPT_SETTINGS = {"n_bins": "bins", "max_seq_len": "length", "pad_value": "pad_value"}
"""Settings of args.json that are those of its tokeniser, and what they are called there."""


class Encoder:
    """A converted model as what turns batches into vectors.

    Args:
        mesh: devices of this process that share each batch, and perhaps the model; None for one.

    Raises:
        ConfigError: a layer or setting that the model has not, or a checkpoint without what
            tokenising needs.
    """

    default_layer: ClassVar[str] = "last"
    needs: ClassVar[tuple[str, ...]]
    """Roles of the vocabulary without which cells cannot be tokenised."""
    takes: ClassVar[tuple[str, ...]] = ()
    """Of the settings of single models, those of this one."""

    def __init__(self, model: LoadedModel, config: EncoderConfig, mesh: Mesh | None = None):
        given = {"least_genes": config.least_genes, "depth": config.depth}
        self.given = {name: value for name, value in given.items() if value is not None}
        foreign = [name for name in self.given if name not in self.takes]
        if foreign:
            raise ConfigError(f"{model.name} has no setting {foreign[0]}; leave it out.")
        lacking = [role for role in self.needs if role not in model.vocabulary]
        if lacking:
            raise ConfigError(
                f"the model was converted without its {' and '.join(lacking)}, so that cells "
                "cannot be tokenised; convert it again with "
                f"{' '.join(f'--files {role}=FILE' for role in lacking)}."
            )
        self.model, self.config = model, config
        self.layer = config.layer or self.default_layer
        self.check_layer()
        self.tokeniser = self.make_tokeniser()
        self.mesh, self.variables, self.run = mesh, model.variables, jax.jit(self.encode)
        if mesh is not None:
            self.variables = jax.device_put(self.variables, lay_out_model(self.variables, mesh))
            self.run = wait_on_cpu(self.run)

    def check_layer(self) -> None:
        """Refuses a layer that the model has not."""
        if self.layer not in ("last", "penultimate"):
            raise ConfigError(
                f"there is no layer {self.layer}: of {self.model.name} it is last or penultimate."
            )

    def make_tokeniser(self) -> Tokeniser:
        """The published rule with the vocabulary of the checkpoint."""
        raise NotImplementedError

    def take_inputs(self, batch: TokenBatch) -> tuple[np.ndarray, ...]:
        """What `encode` needs of a batch."""
        raise NotImplementedError

    def encode(self, variables: dict, *inputs: Any) -> tuple[jax.Array, jax.Array]:
        """The vector of each cell, and of each of its tokens: [cell, dim], [cell, token, dim2]."""
        raise NotImplementedError

    def name_tokens(
        self, batch: TokenBatch
    ) -> tuple[Int[np.ndarray, "cell token"], Bool[np.ndarray, "cell token"]]:
        """The vocabulary's number of what each vector is of, and which of them count.

        What is no gene of the matrix is left out anyhow.
        """
        raise NotImplementedError

    def embed(self, batch: TokenBatch) -> tuple[jax.Array, jax.Array]:
        """The vectors of cells and of tokens; products in float32 are exact on any device."""
        inputs = self.take_inputs(batch)
        if self.mesh is not None:
            inputs = split_cells(inputs, self.mesh)
        with jax.default_matmul_precision("highest"):
            return self.run(self.variables, *inputs)


class BlockEncoder(Encoder):
    """Of a model whose tokens are the detected genes, and whose blocks can be cut short."""

    def check_layer(self) -> None:
        self.blocks = count_blocks(self.model.config.layers, self.layer)

    def name_tokens(self, batch: TokenBatch):
        return batch.tokens, batch.is_real


class GeneformerEncoder(BlockEncoder):
    """A cell is the mean over its genes, without <cls> and <eos> (Theodoris et al. 2023)."""

    default_layer = "penultimate"
    needs = ("tokens", "medians")

    def make_tokeniser(self) -> Tokeniser:
        words = self.model.vocabulary
        config = GeneformerTokeniserConfig(
            length=self.model.config.positions, expression=self.config.expression
        )
        renames = [words[role] for role in ("gene_names", "gene_ids") if role in words]
        return geneformer_tokeniser(words["tokens"], words["medians"], config, renames=renames)

    @functools.cached_property
    def special(self) -> list[int]:
        """Tokens that are no genes."""
        tokens = self.tokeniser.vocabulary
        return [tokens[name] for name in tokens if is_special(name)]

    def take_inputs(self, batch: TokenBatch):
        is_gene = batch.is_real & mark_tokens(batch.tokens, self.special)
        return batch.tokens, batch.is_real, is_gene

    def encode(self, variables: dict, *inputs: Any):
        tokens, is_real, is_gene = inputs
        states = self.model.module.apply(
            variables, tokens, is_real, train=False, blocks=self.blocks, method="hidden_states"
        )[-1]
        return average_tokens(states, is_gene), states


class ScGPTEncoder(BlockEncoder):
    """A cell is the state of <cls>, of length 1 (Cui et al. 2024)."""

    needs = ("tokens",)

    def make_tokeniser(self) -> Tokeniser:
        settings = self.model.about["settings"]
        stated = {ours: settings[x] for x, ours in SCGPT_SETTINGS.items() if x in settings}
        config = ScGPTTokeniserConfig(**stated, expression=self.config.expression)
        return scgpt_tokeniser(self.model.vocabulary["tokens"], config)

    def take_inputs(self, batch: TokenBatch):
        return batch.tokens, batch.values, batch.is_real

    def encode(self, variables: dict, *inputs: Any):
        states = self.model.module.apply(
            variables, *inputs, train=False, blocks=self.blocks, method="hidden_states"
        )[-1]
        return normalise_cells(states[:, 0]), states


class ListEncoder(Encoder):
    """Of a model that gives a vector to every gene of its list, detected or not."""

    needs = ("genes",)

    @property
    def genes(self) -> Sequence[str]:
        """The list."""
        return self.model.vocabulary["genes"]

    def find_detected(self, batch: TokenBatch) -> Bool[np.ndarray, "cell gene"]:
        """Which genes of the list each cell has."""
        raise NotImplementedError

    def name_tokens(self, batch: TokenBatch):
        shape = len(batch.cells), len(self.genes)
        places = np.broadcast_to(np.arange(shape[1], dtype=np.int32), shape)
        if self.config.average == "published":
            return places, np.ones(shape, bool)
        return places, self.find_detected(batch)


class ScBertEncoder(ListEncoder):
    """A gene is what comes out of the final norm; a cell is the mean over the genes of the list.

    Of a cell the authors have no vector (Yang et al. 2022).
    """

    takes = ("least_genes",)

    def make_tokeniser(self) -> Tokeniser:
        config = ScBertTokeniserConfig(
            bins=self.model.config.bins, expression=self.config.expression, **self.given
        )
        return scbert_tokeniser(self.genes, config)

    def find_detected(self, batch: TokenBatch) -> Bool[np.ndarray, "cell gene"]:
        return batch.values[:, : len(self.genes)] > 0

    def take_inputs(self, batch: TokenBatch):
        return (batch.tokens,)

    def encode(self, variables: dict, *inputs: Any):
        without_last = self.layer == "penultimate"
        states = self.model.module.apply(
            variables, *inputs, train=False, without_last=without_last, method="encode"
        )
        states = states[:, : len(self.genes)]
        return average_tokens(states, jnp.ones(states.shape[:2], bool)), states


class ScFoundationEncoder(ListEncoder):
    """A gene is what comes out of the decoder, a cell the published pooling of the encoder.

    (Hao et al. 2024.) The layer that is named is that of the decoder.
    """

    takes = ("depth",)

    def make_tokeniser(self) -> Tokeniser:
        config = ScFoundationTokeniserConfig(expression=self.config.expression, **self.given)
        return scfoundation_tokeniser(self.genes, config)

    def fill(self, batch: TokenBatch) -> Float[np.ndarray, "cell place"]:
        """The values of all places."""
        return fill_places(batch.tokens, batch.values, batch.is_real, len(self.genes))

    def find_detected(self, batch: TokenBatch) -> Bool[np.ndarray, "cell gene"]:
        return self.fill(batch)[:, : len(self.genes)] > 0

    def take_inputs(self, batch: TokenBatch):
        return self.fill(batch), batch.tokens, batch.values, batch.is_real

    def encode(self, variables: dict, *inputs: Any):
        filled, places, values, is_real = inputs
        apply, genes = self.model.module.apply, len(self.genes)
        encoded = apply(variables, values, places, is_real, train=False, method="encode")
        last, inputs = self.layer == "penultimate", (filled, encoded, places, is_real)
        decoded = apply(variables, *inputs, train=False, without_last=last, method="decode")
        return pool_all(encoded, places, is_real, genes=genes), decoded[:, :genes]


ENCODERS: dict[str, type[Encoder]] = {
    "geneformer": GeneformerEncoder,
    "scbert": ScBertEncoder,
    "scfoundation": ScFoundationEncoder,
    "scgpt": ScGPTEncoder,
}


def make_encoder(
    model: LoadedModel, config: EncoderConfig | None = None, mesh: Mesh | None = None
) -> Encoder:
    """The encoder of a converted model, on one device or on those of a mesh.

    Raises:
        ConfigError: a model that has none, or what `Encoder` refuses.
    """
    if model.name not in ENCODERS:
        raise ConfigError(f"{model.name} cannot embed cells; {', '.join(ENCODERS)} can.")
    return ENCODERS[model.name](model, config or EncoderConfig(), mesh)
