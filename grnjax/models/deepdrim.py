"""DeepDRIM: a pair's image beside those of each gene with the genes it goes with.

Chen, Cheong, Lan, Zhou, Liu, Lyu, Cheung and Zhang 2021 (Briefings in Bioinformatics 22(6),
bbab325), Methods.
"""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from grnjax.config import DropRate, Positive, Settings, Widths
from grnjax.models.cnnc import START, ImageTower, ImageTowerConfig
from grnjax.models.layers import Dropout
from grnjax.models.pair_images import draw_images
from grnjax.types import GeneBatch, PairBatch, shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeepDRIMConfig(Settings):
    """Settings of `DeepDRIM`; the defaults are the published ones."""

    tower: ImageTowerConfig = ImageTowerConfig()
    neighbours: Positive = 10
    """Genes of the largest covariance with the TF, and as many with the target."""
    width: Positive = 512
    """Of what the towers make of an image."""
    widths: Widths = (512, 128)
    """Of the layers after the images are joined."""
    dropout: DropRate = 0.5
    """Before each of these layers and before the logit, while training."""


@shapes
def list_images(
    pairs: Int[Array, "pair 2"], neighbours: Int[Array, "gene neighbour"]
) -> Int[Array, "pair image 2"]:
    """The pairs of genes whose images a pair is judged by: itself, its genes with themselves,
    the TF with its neighbours, and the neighbours of the target with the target.
    """
    tf, target = pairs[:, :1], pairs[:, 1:]
    of_tf, of_target = neighbours[tf[:, 0]], neighbours[target[:, 0]]
    first = jnp.concatenate([tf, tf, target, jnp.broadcast_to(tf, of_tf.shape), of_target], axis=1)
    other = [target, tf, target, of_tf, jnp.broadcast_to(target, of_target.shape)]
    return jnp.stack([first, jnp.concatenate(other, axis=1)], axis=-1)


class DeepDRIM(nn.Module):
    """Scores a pair by its image and those around it, whose tower they share.

    `nodes` of the genes are the bins of their cells, and then the places of their neighbours.
    """

    config: DeepDRIMConfig

    @nn.compact
    @shapes
    def __call__(self, genes: GeneBatch, pairs: PairBatch, *, train: bool) -> Float[Array, " pair"]:
        config, count = self.config, len(pairs.pairs)
        columns = jnp.asarray(genes.nodes).astype(jnp.int32)
        bins, neighbours = columns[:, : -config.neighbours], columns[:, -config.neighbours :]
        asked = list_images(jnp.asarray(pairs.pairs), neighbours)  # [pair, image, 2]
        images = draw_images(bins, asked.reshape(-1, 2))
        images = images.reshape(*asked.shape[:2], *images.shape[1:])
        own = ImageTower(config.tower, name="tower")(images[:, 0], train=train)
        around = images[:, 1:].reshape(-1, *images.shape[2:])
        around = ImageTower(config.tower, name="neighbour_tower")(around, train=train)
        own = nn.Dense(config.width, kernel_init=START, name="image")(own)
        around = nn.Dense(config.width, kernel_init=START, name="neighbour_image")(around)
        x = jnp.concatenate([own, around.reshape(count, -1)], axis=-1)
        for layer, width in enumerate(config.widths):
            x = Dropout(config.dropout)(x, train=train)
            x = nn.relu(nn.Dense(width, kernel_init=START, name=f"layer_{layer}")(x))
        x = Dropout(config.dropout)(x, train=train)
        return nn.Dense(1, kernel_init=START, name="logit")(x)[:, 0]
