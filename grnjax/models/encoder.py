"""What a graph encoder must offer, so that any of them serves any model."""

import dataclasses
import importlib
import pkgutil

import flax.linen as nn

import grnjax.models
from grnjax.config import Settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderConfig(Settings):
    """Settings that make a graph encoder; subclass it beside the encoder, with its settings.

    An encoder is any Flax module called as `(nodes [node, dim], graph, *, train)` that returns
    [node, dim2]. Nothing else has to know of a new one.
    """

    def __post_init__(self):
        super().__post_init__()
        if not getattr(self, "widths", True):
            raise ValueError("widths must be one or more positive numbers, got ()")

    def make(self, name: str) -> nn.Module:
        """The encoder with these settings, under this parameter name."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to make its encoder")


def import_encoders() -> None:
    """Imports every file of `grnjax.models`, so that settings can name any encoder's config."""
    for module in pkgutil.iter_modules(grnjax.models.__path__, "grnjax.models."):
        importlib.import_module(module.name)
