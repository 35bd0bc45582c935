"""A denoiser of cells through a network of genes, by the idea of RegDiffusion.

Zhu and Slonim 2024 (Journal of Computational Biology 31:1087): noise is added to expression in many
steps; a network that predicts it from the noisy values of all genes must pass through the matrix of
regulation, whose entries are what is wanted.
"""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from grnjax.config import Positive, Settings, Widths
from grnjax.models.pair_encoder import sinusoids
from grnjax.types import shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class DenoiserConfig(Settings):
    """Settings of `Denoiser`."""

    widths: Widths = (16, 16, 16)
    """Of the layers that each gene passes, the same for all; the first is that of its own vector,
    too."""
    steps: Positive = 1_000
    """Of noise."""
    least_noise: float = 1e-4
    most_noise: float = 0.02
    """Share of the variance that is noise, in the first step and in the last."""


def remaining_signal(config: DenoiserConfig) -> Float[Array, " step"]:
    """Product of 1 - noise over all steps so far (Ho et al. 2020, equation 4)."""
    return jnp.cumprod(1 - jnp.linspace(config.least_noise, config.most_noise, config.steps))


class Denoiser(nn.Module):
    """noise = w . (h - A^T h_tf) + b, with h the layers of a gene's noisy value, vector and step.

    A is [tf, gene], with nothing for a gene on itself.
    """

    config: DenoiserConfig

    @nn.compact
    @shapes
    def __call__(
        self, x: Float[Array, "cell gene"], step: Int[Array, " cell"], tfs: Int[Array, " tf"]
    ) -> Float[Array, "cell gene"]:
        widths, genes = self.config.widths, x.shape[1]
        start = nn.initializers.constant(1 / max(len(tfs) - 1, 1))
        matrix = self.param("adjacency", start, (len(tfs), genes))
        matrix = jnp.where(tfs[:, None] == jnp.arange(genes), 0.0, matrix)
        vectors = self.param("genes", nn.initializers.normal(1.0), (genes, widths[0]))
        time = sinusoids(self.config.steps, 2 * widths[0])[step]
        h = nn.Dense(widths[0], name="value")(x[..., None]) + vectors
        for layer, width in enumerate(widths):
            at = nn.tanh(nn.Dense(width, name=f"step_{layer}")(time))[:, None]
            h = nn.tanh(nn.Dense(width, name=f"layer_{layer}")(h)) + at
        # w comes before A, as they commute, and A meets one number a gene where h has many
        u = nn.Dense(1, use_bias=False, name="noise")(h)[..., 0]
        return u - u[:, tfs] @ matrix + self.param("bias", nn.initializers.zeros, ())
