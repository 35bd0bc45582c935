"""Batches of cells, in an order of each epoch; the last is filled up by cells of no weight."""

from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Tree = TypeVar("Tree")


def divide_cells(
    train: Int[Array, " cell"], steps: int, size: int, key: jax.Array, epoch: Int[Array, ""] | int
) -> tuple[Int[Array, "step place"], Float[Array, "step place"]]:
    """Batches of train cells, in an order drawn by (seed, epoch), and their weights, 1 or 0."""
    cells = len(train)
    order = jax.random.permutation(jax.random.fold_in(key, epoch), cells)
    place = jnp.arange(steps * size)  # the last batch is filled up with cells of weight 0
    weights = (place < cells).astype(jnp.float32)
    shape = steps, size
    return train[order[place % cells]].reshape(shape), weights.reshape(shape)


def pad_cells(batch: Tree, missing: int) -> Tree:
    """Arrays whose rows are cells, with the last one so many times more."""

    def pad(x):
        return jnp.pad(x, [(0, missing)] + [(0, 0)] * (x.ndim - 1), mode="edge")

    return jax.tree.map(pad, batch)
