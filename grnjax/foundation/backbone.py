"""The four foundation models as backbones of GRNFormer, which reads and predicts log expression.

GRNFormer's tokens are the same genes in every cell, detected or not. Each backbone turns their log
values into what its model was trained on, with the vectors and special tokens of the model, and
reads what the model reads: Geneformer and scGPT only genes that are shown, which also keeps hidden
genes from telling each other that they are hidden; scFoundation's encoder those, its decoder all
tokens; scBERT all tokens. Of a cell in which nothing is hidden the states of its detected genes are
then those of the model itself, as far as it has no other genes
(`tests/foundation/test_backbones.py`).

The arrays of the model stand under `model`, those that no model has beside it. Published dropout
acts while training, but for that of scGPT's value vectors, of which the interface does not tell
whether a step trains.
"""

import dataclasses
from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from grnjax.config import Settings
from grnjax.errors import ConfigError
from grnjax.foundation.model_config import ModelConfig
from grnjax.models.masked_expression import BackboneConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoundationBackboneConfig(BackboneConfig):
    """Settings of a backbone that is a foundation model; width and heads are the model's."""

    KIND: ClassVar[type[nn.Module]]

    @property
    def model(self) -> ModelConfig:
        """The settings of the model, a field of each class below this one."""
        raise NotImplementedError(f"{type(self).__name__} does not say which model it has")

    def __post_init__(self):
        Settings.__post_init__(self)  # the model is one
        for name, value in self.read_sizes().items():
            default = next(x.default for x in dataclasses.fields(self) if x.name == name)
            if getattr(self, name) not in (default, value):
                raise ConfigError(
                    f"{name} is {getattr(self, name)}, and that of the model is {value}; change "
                    "the model's, or leave it out."
                )
            object.__setattr__(self, name, value)
        super().__post_init__()

    def read_sizes(self) -> dict[str, int]:
        """Width and heads of the states that the adapter reads."""
        return {}

    @property
    def rows(self) -> int:
        """Rows of the table of genes, special tokens counted."""
        raise NotImplementedError(f"{type(self).__name__} does not say how many genes it has")

    def make(self, genes: int, name: str) -> nn.Module:
        """The backbone over so many genes.

        Raises:
            ConfigError: the model has fewer.
        """
        if genes > self.rows:
            raise ConfigError(f"{genes:,} tokens, and the model has {self.rows:,}; choose fewer.")
        return self.KIND(self, genes, name=name)


class ValueHead(nn.Module):
    """The expression of each gene from its state, for a model that predicts none."""

    width: int

    @nn.compact
    def __call__(self, x: Float[Array, "cell token dim"]) -> Float[Array, "cell token"]:
        inner = nn.gelu(nn.Dense(self.width, name="inner")(x))
        return nn.Dense(1, name="outer")(inner)[..., 0]


class Readout(nn.Module):
    """Predictions on the scale of the model as log expression: a line, which is learned."""

    slope: float
    height: float

    @nn.compact
    def __call__(self, x: Float[Array, "cell token"]) -> Float[Array, "cell token"]:
        slope = self.param("slope", nn.initializers.constant(self.slope), ())
        return slope * x + self.param("height", nn.initializers.constant(self.height), ())


class FoundationBackbone(nn.Module):
    """What the backbones share: the model, and which row of its table each gene is.

    The rows are a buffer, the first ones unless a checkpoint says otherwise.
    """

    config: FoundationBackboneConfig
    size: int  # genes

    def setup(self):
        self.model = self.config.model.make()
        self.rows = self.variable("buffers", "rows", lambda: jnp.arange(self.size)).value
        self.prepare()

    def prepare(self) -> None:
        """Makes what the model lacks."""
