"""What a graph encoder must offer, so that any of them serves any model."""

import dataclasses

import flax.linen as nn


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Settings that make a graph encoder; subclass it beside the encoder, with its settings.

    An encoder is any Flax module called as `(nodes [node, dim], graph, *, train)` that returns
    [node, dim2]. Nothing else has to be told about a new one.
    """

    def make(self, name: str) -> nn.Module:
        """The encoder with these settings, under this parameter name."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to make its encoder")
