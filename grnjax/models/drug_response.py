"""ln IC50 of a drug in a cell line: DeepCDR, and a model that only adds to means.

DeepCDR (Liu et al. 2020, Bioinformatics 36:i911): a graph convolution over the atoms of the drug, a
tower over the line's expression, and convolutions over both joined. As published, a drug is padded
to 100 atoms, and the padded ones enter batch statistics and the mean; that is a matter of the table
(`build_drug_table`), not of the model. Statistics of atoms are over all drugs here, where the
program has those of the batch's pairs.

`MeanResidualModel` starts from the drug's and the line's mean: an offset of the line that its
expression explains, and a product of what expression and the drug say.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import jraph
import numpy as np
from jaxtyping import Array, Float, Int

from grnjax.config import DropRate, Positive, Settings
from grnjax.data.drug_graphs import FEATURES, DrugGraph
from grnjax.graphs.aggregate import aggregate, gcn_weights
from grnjax.graphs.build import build_graph
from grnjax.models.layers import Dropout
from grnjax.types import AnyArray

DRUG_WIDTHS = (256, 256, 256, 100)
EPSILON = 1e-3  # of batch statistics, Keras's


class DrugTable(NamedTuple):
    """All drugs as one graph of their atoms, one padding node last."""

    graph: jraph.GraphsTuple
    features: Float[AnyArray, "atom feature"]
    drug: Int[AnyArray, " atom"]  # of each atom; one past the last for the padding node
    atoms: Float[AnyArray, " drug"]  # that the mean is over


def build_drug_table(graphs: Sequence[DrugGraph], padded_to: int | None = None) -> DrugTable:
    """The drugs as one graph.

    Args:
        padded_to: atoms that each drug is filled up to, which then count as atoms (DeepCDR as
            published: 100); None: real atoms alone.
    """
    sizes = np.array([max(len(g.features), padded_to or 0) for g in graphs])
    first = np.cumsum(sizes) - sizes
    nodes = int(sizes.sum())
    features = np.zeros((nodes + 1, FEATURES), np.float32)
    for start, graph in zip(first, graphs, strict=True):
        features[start : start + len(graph.features)] = graph.features
    edges = [graph.bonds + start for start, graph in zip(first, graphs, strict=True)]
    joined = build_graph(np.concatenate(edges), nodes, symmetric=True, self_loops=True)
    drug = np.repeat(np.arange(len(graphs) + 1), [*sizes, 1]).astype(np.int32)
    return DrugTable(joined, features, drug, sizes.astype(np.float32))


class DrugTower(nn.Module):
    """A vector of each drug: graph convolutions over its atoms, and their mean."""

    widths: tuple[int, ...]
    dropout: float

    @nn.compact
    def __call__(self, drugs: DrugTable, *, train: bool) -> Float[Array, "drug dim"]:
        x = jnp.asarray(drugs.features)
        count = len(drugs.atoms)
        is_atom = (jnp.asarray(drugs.drug) < count)[:, None]
        weights = gcn_weights(drugs.graph, len(x))
        for layer, width in enumerate(self.widths):
            x = nn.Dense(width, name=f"dense_{layer}")(x)
            x = nn.relu(aggregate(x, drugs.graph, weights))
            norm = nn.BatchNorm(not train, epsilon=EPSILON, name=f"norm_{layer}")
            x = Dropout(self.dropout)(norm(x, mask=is_atom), train=train)
        total = jax.ops.segment_sum(x * is_atom, drugs.drug, count + 1)[:count]
        return total / jnp.asarray(drugs.atoms)[:, None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResponseModelConfig(Settings):
    """A model of drug response: base of the two."""

    def make(self) -> nn.Module:
        """The module, called as (vectors, drugs, line, drug, *, train)."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeepCDRConfig(ResponseModelConfig):
    """Settings of `DeepCDR`; sizes are the published ones."""

    dropout: DropRate = 0.1
    last_dropout: DropRate = 0.2

    def make(self) -> nn.Module:
        """The module."""
        return DeepCDR(self)


class DeepCDR(nn.Module):
    """ln IC50 of pairs of a line and a drug."""

    config: DeepCDRConfig

    @nn.compact
    def __call__(
        self,
        vectors: Float[Array, "line feature"],
        drugs: DrugTable,
        line: Int[Array, " pair"],
        drug: Int[Array, " pair"],
        *,
        train: bool,
    ) -> Float[Array, " pair"]:
        share = self.config.dropout
        of_drug = DrugTower(DRUG_WIDTHS, share, name="drug")(drugs, train=train)[drug]

        x = nn.tanh(nn.Dense(256, name="gene_hidden")(vectors[line]))
        x = nn.BatchNorm(not train, epsilon=EPSILON, name="gene_norm")(x)
        x = nn.relu(nn.Dense(100, name="gene")(Dropout(share)(x, train=train)))

        x = nn.tanh(nn.Dense(300, name="fuse")(jnp.concatenate([of_drug, x], axis=1)))
        x = Dropout(share)(x, train=train)[..., None]  # a signal of one channel
        for name, channels, width, pool in (("a", 30, 150, 2), ("b", 10, 5, 3), ("c", 5, 5, 3)):
            x = nn.Conv(channels, (width,), padding="VALID", name=f"convolution_{name}")(x)
            x = nn.max_pool(nn.relu(x), (pool,), (pool,))
        x = Dropout(share)(x, train=train).reshape(len(x), -1)
        x = Dropout(self.config.last_dropout)(x, train=train)
        return nn.Dense(1, name="out")(x)[:, 0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeanResidualConfig(ResponseModelConfig):
    """Settings of `MeanResidualModel`."""

    width: Positive = 64
    """Numbers whose product expression and drug make."""
    hidden: Positive = 256
    """Width of the tower over expression."""
    drug_widths: tuple[Positive, ...] = (64, 64)
    """Widths of the graph convolutions over atoms; none leaves drugs without their structure."""
    dropout: DropRate = 0.3

    def make(self) -> nn.Module:
        """The module."""
        return MeanResidualModel(self)


class MeanResidualModel(nn.Module):
    """What is beyond the drug's mean: an offset of the line, and a product with the drug.

    A drug's factors are those of its structure and its own, which is 0 for a drug that was not
    seen: its own are learned from 0 and decay.
    """

    config: MeanResidualConfig

    @nn.compact
    def __call__(
        self,
        vectors: Float[Array, "line feature"],
        drugs: DrugTable,
        line: Int[Array, " pair"],
        drug: Int[Array, " pair"],
        *,
        train: bool,
    ) -> Float[Array, " pair"]:
        config, zeros = self.config, nn.initializers.zeros
        x = Dropout(config.dropout)(vectors, train=train)
        x = nn.gelu(nn.Dense(config.hidden, name="hidden")(x))
        x = Dropout(config.dropout)(x, train=train)
        offset = nn.Dense(1, kernel_init=zeros, name="offset")(x)[:, 0]
        factors = nn.Dense(config.width, name="factors")(x)  # [line, dim]

        count = len(drugs.atoms)
        own = self.param("own_factors", zeros, (count, config.width))
        own_offset = self.param("own_offset", zeros, (count,))
        if config.drug_widths:
            tower = DrugTower(config.drug_widths, 0.0, name="drug")(drugs, train=train)
            own = own + nn.Dense(config.width, kernel_init=zeros, name="of_structure")(tower)
            of_structure = nn.Dense(1, kernel_init=zeros, name="offset_of_structure")(tower)
            own_offset = own_offset + of_structure[:, 0]
        product = jnp.sum(factors[line] * own[drug], axis=1) / np.sqrt(config.width)
        return offset[line] + own_offset[drug] + product
