"""GRNFormer: networks of the cell and of its type inside an RNA foundation model (Qiu et al. 2025).

z = backbone.embed(values, masked)            gene and shown value
h = backbone.encode(z)                        expression
s = structure(z, cell network) + structure(z, cell type network)
prediction = backbone.decode(h + beta * attention(h, s, s))
"""

import dataclasses
from typing import NamedTuple

import flax.linen as nn
from jaxtyping import Array, Bool, Float, Int

from grnjax.config import Settings
from grnjax.graphs.sampling import Neighbours
from grnjax.models.masked_expression import BackboneConfig, MaskedExpressionConfig
from grnjax.models.structure_encoder import StructureConfig, StructureEncoder
from grnjax.models.topology_adapter import AdapterConfig, TopologyAdapter
from grnjax.types import shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class GRNFormerConfig(Settings):
    """Settings of `GRNFormer`."""

    backbone: BackboneConfig = MaskedExpressionConfig()
    structure: StructureConfig = StructureConfig()
    adapter: AdapterConfig = AdapterConfig()


class CellBatch(NamedTuple):
    """Cells as the model sees them; their tokens are the same genes in the same order."""

    values: Float[Array, "cell token"]  # on a log scale; the true ones, masked in the model
    genes: Int[Array, " token"]  # rows of the backbone's table
    is_masked: Bool[Array, "cell token"]
    is_real: Bool[Array, "cell token"]  # False of padding
    cell: Neighbours | None  # in the cell's own network, as places among the tokens
    cell_type: Neighbours | None
    keys: Int[Array, " key"]  # the tokens that the adapter may read


class GRNFormer(nn.Module):
    """Predicts masked expression from the other genes of a cell and from its networks.

    Without networks (`structure.networks="none"`) it is the backbone.
    """

    config: GRNFormerConfig
    genes: int

    def setup(self):
        config = self.config
        self.backbone = config.backbone.make(self.genes, "backbone")
        self.structure = StructureEncoder(config.structure, self.genes, name="structure")
        self.adapter = TopologyAdapter(config.adapter, config.backbone.heads, name="adapter")

    @shapes
    def __call__(self, batch: CellBatch, *, train: bool) -> Float[Array, "cell token"]:
        """The expression of every gene, masked or not."""
        return self.backbone.decode(self.encode(batch, train=train))

    @shapes
    def encode(self, batch: CellBatch, *, train: bool) -> Float[Array, "cell token dim"]:
        """The vectors of the genes in their cells, with their networks."""
        config = self.config
        has_networks = config.structure.networks != "none"
        x = self.backbone.embed(batch.values, batch.genes, batch.is_masked)
        replaced = has_networks and config.adapter.place == "last"
        h = self.backbone.encode(
            x,
            batch.is_real,
            genes=batch.genes,
            is_shown=(batch.values > 0) & ~batch.is_masked,
            train=train,
            without_last=replaced,
        )
        if not has_networks:
            return h
        structure = self.structure(x, batch.genes, batch.cell, batch.cell_type)
        is_key = batch.is_real
        if config.adapter.keys == "regulated":
            structure, is_key = structure[:, batch.keys], self.find_regulated(batch)
        return self.adapter(h, structure, is_key, batch.is_real, train=train)

    def find_regulated(self, batch: CellBatch) -> Bool[Array, "cell key"]:
        """Which keys have a neighbour in one of the networks of their cell."""
        is_key = batch.is_real[:, batch.keys]
        degrees = [x.degree for x in (batch.cell, batch.cell_type) if x is not None]
        if not degrees:  # a constant in place of structure has no edges
            return is_key
        return is_key & (sum(degrees)[:, batch.keys] > 0)
