"""The expression autoencoder: one vector a gene from its profile over cells, plain or variational.

A sample is a gene: its z-scored expression in every cell. GT-GRN names this stage (Teji et al.
2025, "expression embedding") and publishes neither code nor sizes, so widths, latent size and
weights here are this project's own choices.
"""

import dataclasses
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from grnjax.config import Positive, Settings
from grnjax.types import shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class AutoencoderConfig(Settings):
    """Sizes of `Autoencoder`."""

    dim: Positive = 64
    """Width of a gene's vector."""
    widths: tuple[Positive, ...] = (512, 256)
    """Hidden layers of the encoder; the decoder has them in reverse."""
    variational: bool = True
    """Whether a gene's code is a normal distribution, drawn towards the standard one; else a
    point."""


class Reconstruction(NamedTuple):
    """What the autoencoder makes of some genes."""

    profiles: Float[Array, "gene cell"]
    mean: Float[Array, "gene dim"]  # the embedding
    log_variance: Float[Array, "gene dim"] | None  # None of a plain autoencoder


class Autoencoder(nn.Module):
    """Profile -> code -> profile (Kingma and Welling 2014, section 3 and appendix C.2).

    The encoder gives the mean and log variance of a gene's code, the decoder the mean of its
    profile. Layer norm, not batch norm: a gene's vector must not depend on which other genes are
    in its batch, so equal profiles have equal vectors.
    """

    config: AutoencoderConfig
    cells: int

    def setup(self):
        config = self.config
        self.encoder = HiddenLayers(config.widths)
        self.mean = nn.Dense(config.dim)
        if config.variational:
            self.log_variance = nn.Dense(config.dim)
        self.decoder = HiddenLayers(config.widths[::-1])
        self.output = nn.Dense(self.cells)

    @shapes
    def __call__(
        self, profiles: Float[Array, "gene cell"], noise: Float[Array, "gene dim"] | None
    ) -> Reconstruction:
        """The profiles decoded again.

        Args:
            noise: standard normal numbers that place each code in its distribution; None decodes
                the mean.
        """
        mean, log_variance = self.encode(profiles)
        codes = mean
        if noise is not None and log_variance is not None:
            codes = mean + jnp.exp(0.5 * log_variance) * noise
        return Reconstruction(self.output(self.decoder(codes)), mean, log_variance)

    def encode(
        self, profiles: Float[Array, "gene cell"]
    ) -> tuple[Float[Array, "gene dim"], Float[Array, "gene dim"] | None]:
        """Mean and log variance of each gene's code."""
        x = self.encoder(profiles)
        return self.mean(x), self.log_variance(x) if self.config.variational else None


class HiddenLayers(nn.Module):
    """Dense layers, each with layer norm and ReLU."""

    widths: tuple[int, ...]

    @nn.compact
    def __call__(self, x: Float[Array, "gene dim"]) -> Float[Array, "gene dim2"]:
        for layer, width in enumerate(self.widths):
            x = nn.Dense(width, name=f"layer_{layer}")(x)
            x = nn.relu(nn.LayerNorm(name=f"norm_{layer}")(x))
        return x


@shapes
def kl_to_standard_normal(
    mean: Float[Array, "gene dim"], log_variance: Float[Array, "gene dim"]
) -> Float[Array, " gene"]:
    """KL(N(mean, variance) || N(0, 1)) of each gene, summed over the axes of its code.

    1/2 sum(variance + mean^2 - 1 - log variance): Kingma and Welling 2014, appendix B.
    """
    terms = jnp.exp(log_variance) + mean**2 - 1 - log_variance
    return 0.5 * jnp.sum(terms, axis=-1)
