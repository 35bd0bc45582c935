"""What the settings of every foundation model offer, so that one code serves all of them."""

from collections.abc import Mapping
from typing import Any, Protocol

import jax


class ModelConfig(Protocol):
    """Settings that make a foundation model; each class of them stands beside its model."""

    def make(self) -> Any:
        """The module, whose results Flax does not type."""

    def init(self, key: jax.Array) -> Mapping[str, Any]:
        """Fresh variables; under `jax.eval_shape`, the form of those of a checkpoint."""
