"""Members of the kernel-informed factor model, trained on blocks of genes where pairs are many.

A step on all pairs costs what there are of them. Here a step sees all TFs with some genes, the
same ones for all members, and what it says of them counts for all; every epoch deals the genes out
anew. TFs and the maps of coordinates learn in every step, a gene once an epoch, as often as without
blocks by the same number of pairs. The learning rate falls to a tenth in the second half, as a step
tells less than all pairs do.
"""

import dataclasses
import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from grnjax.config import Positive, Settings
from grnjax.models.kernel_factor import (
    KernelFactorConfig,
    PairGrid,
    member_ridges,
    pair_logits,
    start_members,
)
from grnjax.training.factor_ensemble import EnsembleConfig, hide_identities
from grnjax.training.factor_sharding import (
    PER_TARGET,
    GenePairs,
    gather_members,
    spread_genes,
    spread_members,
)

LEAST_RATE = 0.1  # of the learning rate, at the end


@dataclasses.dataclass(frozen=True, kw_only=True)
class BlockConfig(Settings):
    """When and how members are trained on blocks of genes."""

    above: Positive = 2**19
    """TFs times genes above which they are."""
    pairs: Positive = 2**18
    """Pairs of a block."""
    most_blocks: Positive = 32
    """Blocks of an epoch; of more pairs, blocks are larger."""
    epochs: Positive = 24
    """Times that each pair is seen, or more where these are fewer steps than without blocks."""

    def plan(self, tfs: int, genes: int, steps: int, snapshots: int) -> "BlockPlan":
        """Sizes and numbers for so many TFs and genes.

        Args:
            steps: without blocks.
            snapshots: that are to be compared.
        """
        blocks = min(math.ceil(tfs * genes / self.pairs), self.most_blocks, genes)
        every = math.ceil(max(steps, self.epochs * blocks) / snapshots)
        return BlockPlan(math.ceil(genes / blocks), every, snapshots)


class BlockPlan(NamedTuple):
    """What is trained in which order."""

    genes: int  # of a block
    every: int  # steps between snapshots
    snapshots: int

    @property
    def steps(self) -> int:
        """All of them."""
        return self.every * self.snapshots


def deal_genes(genes: int, plan: BlockPlan, seed: int) -> Iterator[Int[np.ndarray, " gene"]]:
    """The genes of each step, ascending: epoch by epoch each gene once, in an order of its own."""
    rng, left = np.random.default_rng(seed), np.zeros(0, np.int64)
    for _ in range(plan.steps):
        if len(left) < plan.genes:  # those at the end of an epoch are joined by some of the next
            following = rng.permutation(genes)
            among = np.isin(following, left, invert=True)
            left = np.concatenate([left, following[among], following[~among]])
        yield np.sort(left[: plan.genes])
        left = left[plan.genes :]


def train_on_blocks(
    model: KernelFactorConfig,
    config: EnsembleConfig,
    plan: BlockPlan,
    grid: PairGrid,
    labels: Float[np.ndarray, "tf gene"],
    observed: Float[np.ndarray, "tf gene"],
    *,
    seed: int,
    mesh: Mesh | None = None,
) -> Iterator[dict[str, Float[np.ndarray, "member ..."]]]:
    """Parameters of every member at one snapshot after the other.

    The loss estimates that of `train_members`: the sum over a block's observed pairs, times genes
    over genes of a block, plus the ridges. Randomness depends on the seed, the member and the step.

    Args:
        grid: of arrays on the host, of which blocks are taken.
        mesh: devices that have some of a block's genes each; by default one has all.
    """
    start_key, train_key = jax.random.split(jax.random.key(seed))
    shapes = tuple(None if x is None else np.shape(x) for x in grid)
    members = spread_members(_start(start_key, model=model, shapes=shapes), mesh)
    state = jax.jit(jax.vmap(optax.adam(1.0).init))(members)
    keys = jax.random.split(train_key, model.members)
    told = (observed + observed * labels).astype(np.int8)  # 0 not seen, 1 labelled 0, 2 labelled 1
    for number, genes in enumerate(deal_genes(len(grid.z), plan, seed)):
        taken = GenePairs(take_genes(grid, genes), told.take(genes, axis=1))
        block, of_block, _ = spread_genes(taken, mesh)
        genes = np.pad(genes, (0, of_block.shape[1] - len(genes)))
        jax.block_until_ready(members)  # one block is prepared beside the one that is computed
        members, state = _step(
            members,
            state,
            block,
            of_block,
            genes,
            np.int32(number),
            keys=keys,
            model=model,
            config=config,
            plan=plan,
        )
        if (number + 1) % plan.every == 0:
            yield gather_members(members, len(grid.z))


def take_genes(grid: PairGrid, genes: Int[np.ndarray, " some"]) -> PairGrid:
    """The grid of some genes."""
    return grid._replace(
        z=grid.z[genes],
        features=grid.features.take(genes, axis=2),
        attention=grid.attention.take(genes, axis=2),
        known_target=grid.known_target[genes],
        neighbours=None if grid.neighbours is None else grid.neighbours.take(genes, axis=2),
    )


def take_targets(p: dict, genes: Array | np.ndarray, axis: int = 0) -> dict:
    """The parameters for some genes, which are on this axis of theirs."""
    return {name: x.take(genes, axis=axis) if name in PER_TARGET else x for name, x in p.items()}


@functools.partial(jax.jit, static_argnames=("model", "shapes"))
def _start(key, *, model, shapes):
    empty = PairGrid(*(None if shape is None else jnp.zeros(shape) for shape in shapes))
    return start_members(model, empty, key)  # of their shapes alone: the arrays are never made


@functools.partial(
    jax.jit, static_argnames=("model", "config", "plan"), donate_argnames=("members", "state")
)
def _step(members, state, block, told, genes, number, *, keys, model, config, plan):
    scale = members["target_bias"].shape[1] / plan.genes
    half = plan.steps // 2
    progress = jnp.maximum(number - half, 0) / max(plan.steps - half, 1)
    falling = LEAST_RATE + (1 - LEAST_RATE) * (1 + jnp.cos(jnp.pi * progress)) / 2
    optimizer = optax.adam(config.learning_rate * falling)
    label, weight = (told == 2).astype(jnp.float32), scale * (told > 0)

    def train_one(p, own_state, ridges, key):
        known = hide_identities(block, config, jax.random.fold_in(key, number), number % 2)
        hidden = block._replace(known_tf=known[0], known_target=known[1])
        logits, pull = jax.vjp(lambda p: pair_logits(take_targets(p, genes), hidden), p)
        (slope,) = pull(weight * (jax.nn.sigmoid(logits) - label))  # of the cross-entropy
        slope = {name: slope[name] + ridges[name] * values for name, values in p.items()}
        updates, own_state = optimizer.update(slope, own_state)
        return optax.apply_updates(p, updates), own_state

    # All members at once, so that a pair's features are read once for all of them.
    return jax.vmap(train_one)(members, state, member_ridges(model), keys)
