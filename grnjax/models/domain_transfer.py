"""Sensitive or resistant single cells from labelled bulk samples: SCAD's adversarial transfer.

Zheng et al. 2023 (SCAD, Advanced Science 10:2204113): a feature extractor that a predictor of the
class reads, and a discriminator that tells bulk from single cells behind a reversal of gradients,
so that the extractor makes the two alike.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from grnjax.config import DropRate, Positive, Settings
from grnjax.models.layers import Dropout, normalise_batch


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
        bulk: int | None = None,
        is_real: Bool[Array, " row"] | None = None,
    ) -> tuple[Float[Array, " labelled"], Float[Array, " row"]]:
        """Both logits; that of the class for bulk rows alone, where these are told apart.

        Args:
            bulk: how many rows, the first ones, are bulk. The two domains have batch statistics of
                their own then, and running ones are of both, as the published program calls its
                extractor on one after the other.
            is_real: rows that count in batch statistics; all by default.
        """
        config, bulk = self.config, len(rows) if bulk is None else bulk

        def drop(x):
            return Dropout(config.dropout)(x, train=train)

        features = nn.Dense(config.hidden, name="feature")(rows)
        counts = jnp.ones(len(rows), bool) if is_real is None else is_real
        normalise = normalise_batch("feature_norm", train=train)
        parts = [
            normalise(features[part], mask=counts[part, None])
            for part in (slice(bulk), slice(bulk, None))
            if len(features[part])
        ]
        features = drop(nn.relu(jnp.concatenate(parts)))

        x = nn.Dense(config.width, name="predictor_0")(features[:bulk])
        norm = normalise_batch("predictor_norm", train=train)
        x = nn.relu(drop(norm(x, mask=counts[:bulk, None])))
        for layer in (1, 2, 3):
            x = nn.leaky_relu(drop(nn.Dense(config.width, name=f"predictor_{layer}")(x)), 0.01)
        label = nn.Dense(1, name="predictor_out")(x)[:, 0]

        y = reverse(features)
        for layer in (0, 1, 2):
            y = nn.leaky_relu(drop(nn.Dense(config.hidden, name=f"domain_{layer}")(y)), 0.01)
        domain = drop(nn.Dense(1, name="domain_out")(y))[:, 0]
        return label, domain
