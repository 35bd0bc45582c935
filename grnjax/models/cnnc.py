"""CNNC: a convolutional network over the image of a pair.

Yuan and Bar-Joseph 2019 (PNAS 116:27151), Methods.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from grnjax.config import DropRate, Positive, Settings, Widths
from grnjax.models.layers import Dropout
from grnjax.models.pair_images import draw_images
from grnjax.types import GeneBatch, PairBatch, shapes

START = nn.initializers.glorot_uniform()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageTowerConfig(Settings):
    """Settings of the convolutions; the defaults are the published ones."""

    channels: Widths = (32, 64, 128)
    """Of each block of two convolutions, pooling and dropout."""
    dropout: DropRate = 0.25
    """After each block, while training."""


@jax.checkpoint
def convolve(
    x: Float[Array, "image bin bin2 channel"], kernel: Float[Array, "3 3 channel channel2"]
) -> Float[Array, "image bin3 bin4 channel2"]:
    """The 3 x 3 convolution without padding, as one product of matrices.

    XLA's own convolution takes twenty times as long on a CPU inside a loop, as training is.
    """
    height, width = x.shape[1] - 2, x.shape[2] - 2
    parts = [x[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return jnp.concatenate(parts, axis=-1) @ kernel.reshape(-1, kernel.shape[-1])


class Convolution(nn.Module):
    """A 3 x 3 convolution with a bias, of an image of the same size or of what needs no padding."""

    channels: int
    padded: bool

    @nn.compact
    def __call__(self, x: Float[Array, "image bin bin2 channel"]) -> Float[Array, "image ..."]:
        kernel = self.param("kernel", START, (3, 3, x.shape[-1], self.channels))
        bias = self.param("bias", nn.initializers.zeros, (self.channels,))
        x = jnp.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)]) if self.padded else x
        return convolve(x, kernel) + bias


class ImageTower(nn.Module):
    """Blocks of a padded and an unpadded 3 x 3 convolution, ReLU, pooling by 2 and dropout."""

    config: ImageTowerConfig

    @nn.compact
    @shapes
    def __call__(
        self, x: Float[Array, "image bin bin2"], *, train: bool
    ) -> Float[Array, "image dim"]:
        x = x[..., None]  # one channel, which stands last
        for block, channels in enumerate(self.config.channels):
            for place, padded in enumerate((True, False)):
                x = nn.relu(Convolution(channels, padded, name=f"block_{block}_{place}")(x))
            x = nn.max_pool(x, (2, 2), strides=(2, 2))
            x = Dropout(self.config.dropout)(x, train=train)
        return x.reshape(len(x), -1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CNNCConfig(Settings):
    """Settings of `CNNC`; the defaults are the published ones."""

    tower: ImageTowerConfig = ImageTowerConfig()
    width: Positive = 512
    """Of the layer before the logit."""
    dropout: DropRate = 0.5
    """After that layer, while training."""


class CNNC(nn.Module):
    """Scores a pair by its image; `nodes` of the genes are the bins of their cells."""

    config: CNNCConfig

    @nn.compact
    @shapes
    def __call__(self, genes: GeneBatch, pairs: PairBatch, *, train: bool) -> Float[Array, " pair"]:
        config = self.config
        bins = jnp.asarray(genes.nodes).astype(jnp.int32)
        images = draw_images(bins, jnp.asarray(pairs.pairs))
        x = ImageTower(config.tower, name="tower")(images, train=train)
        x = nn.relu(nn.Dense(config.width, kernel_init=START, name="hidden")(x))
        x = Dropout(config.dropout)(x, train=train)
        return nn.Dense(1, kernel_init=START, name="logit")(x)[:, 0]
