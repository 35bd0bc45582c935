"""GNNLink as a method: graph convolutions over directed train edges, full batches, a masked error.

Mao, Pang, Zhou, Liu and Pan 2023 (Briefings in Bioinformatics 24(6), bbad414); the model is
`models/gnnlink.py`.
"""

import dataclasses
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from grnjax.methods.pair_models import PairInputConfig
from grnjax.methods.profiles import ProfileMethod
from grnjax.models.gnnlink import GNNLink, GNNLinkConfig
from grnjax.training.losses import sum_over
from grnjax.training.objective import BatchLoss
from grnjax.training.pair_objective import Model
from grnjax.training.scheduled import ScheduledConfig, ScheduledObjective
from grnjax.types import GeneTable


@dataclasses.dataclass(frozen=True, kw_only=True)
class GNNLinkTraining(ScheduledConfig):
    """How GNNLink is trained."""

    loss: Literal["masked-error", "cross-entropy"] = "masked-error"
    """The published root of the mean squared error, in which pairs outside train count as fitted,
    or the cross-entropy of the scores as logits."""

    def make_objective(self, model: Model) -> ScheduledObjective:
        kind = MaskedError if self.loss == "masked-error" else ScheduledObjective
        return kind(model, self)


class MaskedError(ScheduledObjective):
    """The root of the sum of (score - label)^2 over train pairs, divided by genes squared."""

    def loss(self, state, batch, data, key, *, axis=None) -> BatchLoss:
        """GNNLink's loss; the mean is over all pairs of genes, and the mask is train."""
        logits = self.model.apply(
            {"params": state.parameters}, data.genes, batch, train=True, rngs={"dropout": key}
        )
        error = jnp.sum(batch.weights * (logits - batch.labels) ** 2)
        total = jax.lax.stop_gradient(jnp.maximum(sum_over(axis, error), 1e-12))
        part = error / (jnp.sqrt(total) * (len(data.genes.nodes) - 1))
        # the slope of a root is half of that of what stands below it, over the root
        loss = part / 2 + jax.lax.stop_gradient(part / 2)
        return BatchLoss(loss, state.collections, sum_over(axis, jnp.sum(batch.weights)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class GNNLinkMethod(ProfileMethod):
    """GNNLink with its published settings, except that validation pairs choose the epoch."""

    PAPER: ClassVar[str] = "Mao et al. 2023, Brief. Bioinform. 24(6), bbad414"
    PASSES_MESSAGES: ClassVar[bool] = True

    model: GNNLinkConfig = GNNLinkConfig()
    inputs: PairInputConfig = PairInputConfig(messages="directed")
    training: GNNLinkTraining = GNNLinkTraining(epochs=100, learning_rate=1e-3)

    def make_module(self) -> GNNLink:
        """The convolutions and the product."""
        return GNNLink(self.model)

    def make_nodes(self, genes: GeneTable) -> Float[np.ndarray, "gene cell"]:
        """Profiles that are standardised over cells and then scaled to length 1."""
        nodes = super().make_nodes(genes)
        length = np.linalg.norm(nodes, axis=1, keepdims=True)
        return (nodes / np.where(length > 0, length, 1)).astype(np.float32)
