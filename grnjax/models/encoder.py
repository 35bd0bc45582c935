"""What a graph encoder must offer, so that any of them serves any model."""

import dataclasses
from typing import ClassVar

import flax.linen as nn

from grnjax.config import Settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderConfig(Settings):
    """Settings that make a graph encoder; subclass it beside the encoder, with its settings.

    An encoder is any Flax module called as `(nodes [node, dim], graph, *, train)` that returns
    [node, dim2]. The command line takes one that stands elsewhere by its place,
    `--method.model.encoder=package.module:Class`.
    """

    NAMED: ClassVar = {
        "GCN": "grnjax.models.gcn:GCNConfig",
        "SAGE": "grnjax.models.sage:SAGEConfig",
        "GAT": "grnjax.models.gat:GATConfig",
        "GraphTransformer": "grnjax.models.graph_transformer:GraphTransformerConfig",
    }

    def make(self, name: str) -> nn.Module:
        """The encoder with these settings, under this parameter name."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to make its encoder")
