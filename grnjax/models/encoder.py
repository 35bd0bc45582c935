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
    [node, dim2]. Nothing else has to be told about a new one.
    """

    def make(self, name: str) -> nn.Module:
        """The encoder with these settings, under this parameter name."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to make its encoder")


def check_widths(widths: tuple[int, ...]) -> None:
    """Refuses an encoder without layers, or with one of no width."""
    if not widths or min(widths) < 1:
        raise ValueError(f"widths must be one or more positive numbers, got {widths}")


def check_share(name: str, share: float) -> None:
    """Refuses a dropout that is no share, or is all."""
    if not 0 <= share < 1:
        raise ValueError(f"{name} must be in [0, 1), got {share}")


def import_encoders() -> None:
    """Imports every file of `grnjax.models`, so that settings can name any encoder's config."""
    for module in pkgutil.iter_modules(grnjax.models.__path__, "grnjax.models."):
        importlib.import_module(module.name)
