"""Sensitive or resistant single cells from labelled bulk samples: SCAD's adversarial transfer.

Zheng et al. 2023 (SCAD, Advanced Science 10:2204113): a feature extractor that a predictor of the
class reads, and a discriminator that tells bulk from single cells behind a reversal of gradients,
so that the extractor makes the two alike.
"""

import dataclasses

import flax.linen as nn
import jax
from jaxtyping import Array, Bool, Float

from grnjax.config import DropRate, Positive, Settings
from grnjax.models.layers import Dropout


@dataclasses.dataclass(frozen=True, kw_only=True)
class DomainTransferConfig(Settings):
    """Settings of `DomainTransfer`."""

    hidden: Positive = 512
    """Width of the features."""
    width: Positive = 128
    """Width of the predictor's layers."""
    dropout: DropRate = 0.5


@jax.custom_vjp
def reverse(x: Float[Array, "*axis"]) -> Float[Array, "*axis"]:
    """The same; its gradient is that with the other sign."""
    return x


reverse.defvjp(lambda x: (x, None), lambda _, slope: (-slope,))


class DomainTransfer(nn.Module):
    """Logits that a row is sensitive, and that it is bulk."""

    config: DomainTransferConfig

    @nn.compact
    def __call__(
        self,
        rows: Float[Array, "row gene"],
        *,
        train: bool,
        is_source: Bool[Array, " row"] | None = None,
        is_real: Bool[Array, " row"] | None = None,
    ) -> tuple[Float[Array, " row"], Float[Array, " row"]]:
        """Both logits.

        Args:
            is_source: rows that the predictor's batch statistics are over; all by default. The
                features' own are over all real rows of a batch, bulk and single cells.
            is_real: rows that count at all; all by default.
        """
        config = self.config

        def norm(name):
            return nn.BatchNorm(use_running_average=not train, name=name)

        def drop(x):
            return Dropout(config.dropout)(x, train=train)

        features = nn.Dense(config.hidden, name="feature")(rows)
        counts = None if is_real is None else is_real[:, None]
        features = drop(nn.relu(norm("feature_norm")(features, mask=counts)))

        x = nn.Dense(config.width, name="predictor_0")(features)
        mask = None if is_source is None else is_source[:, None]
        x = nn.relu(drop(norm("predictor_norm")(x, mask=mask)))
        for layer in (1, 2, 3):
            x = nn.leaky_relu(drop(nn.Dense(config.width, name=f"predictor_{layer}")(x)), 0.01)
        label = nn.Dense(1, name="predictor_out")(x)[:, 0]

        y = reverse(features)
        for layer in (0, 1, 2):
            y = nn.leaky_relu(drop(nn.Dense(config.hidden, name=f"domain_{layer}")(y)), 0.01)
        domain = drop(nn.Dense(1, name="domain_out")(y))[:, 0]
        return label, domain
