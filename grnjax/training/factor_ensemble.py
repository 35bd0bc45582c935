"""Members of the kernel-informed factor model, trained side by side in one compiled program.

They do not run on the training loop, which keeps the best state: every snapshot of every member is
kept, as validation chooses among their combinations.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh
from jaxtyping import Array, Float

from grnjax.config import DropRate, Positive, Rate, Settings
from grnjax.models.kernel_factor import (
    KernelFactorConfig,
    PairGrid,
    member_ridges,
    pair_logits,
    ridge_penalty,
    start_members,
)
from grnjax.training.factor_sharding import GenePairs, gather_members, spread_genes


@dataclasses.dataclass(frozen=True, kw_only=True)
class EnsembleConfig(Settings):
    """How the members are trained."""

    steps: Positive = 240
    """Full-batch steps at most; validation chooses among the snapshots."""
    evaluate_every: Positive = 30
    """Steps between snapshots."""
    learning_rate: Rate = 0.03
    hidden_targets: DropRate = 0.5
    """Share of targets that every second step treats as never seen."""
    hidden_tfs: DropRate = 0.3
    """Share of TFs that every second step treats as never seen."""

    def __post_init__(self):
        super().__post_init__()
        if self.evaluate_every > self.steps:
            raise ValueError(f"evaluate_every must be at most {self.steps}, the steps")

    @property
    def snapshots(self) -> int:
        """How many snapshots there are."""
        return self.steps // self.evaluate_every


def train_members(
    model: KernelFactorConfig,
    config: EnsembleConfig,
    grid: PairGrid,
    labels: Float[np.ndarray, "tf gene"],
    observed: Float[np.ndarray, "tf gene"],
    seed: int,
    *,
    mesh: Mesh | None = None,
) -> dict[str, Float[np.ndarray, "snapshot member ..."]]:
    """Parameters of every member at every snapshot.

    The loss is the cross-entropy summed over the observed pairs plus the ridges; Adam; members
    vmapped, steps scanned. Randomness depends on the seed, the member and the step alone.

    Args:
        mesh: devices that have some of the genes each; by default one has all.
    """
    pairs = spread_genes(GenePairs(grid, labels, observed), mesh)
    members = _train(*pairs, jax.random.key(seed), model=model, config=config)
    return gather_members(jax.block_until_ready(members), len(grid.z))


@functools.partial(jax.jit, static_argnames=("model", "config"))
def _train(grid, labels, observed, key, *, model, config):
    optimizer = optax.adam(config.learning_rate)

    def loss_of(p, ridges, known_tf, known_target):
        hidden = grid._replace(known_tf=known_tf, known_target=known_target)
        losses = optax.sigmoid_binary_cross_entropy(pair_logits(p, hidden), labels)
        return jnp.sum(losses * observed) + ridge_penalty(p, ridges)

    def train_one(start, ridges, key):
        def step(carry, number):
            p, state = carry
            known = hide_identities(grid, config, jax.random.fold_in(key, number), number % 2)
            updates, state = optimizer.update(jax.grad(loss_of)(p, ridges, *known), state)
            return (optax.apply_updates(p, updates), state), None

        def until_snapshot(carry, number):
            numbers = number * config.evaluate_every + jnp.arange(config.evaluate_every)
            carry, _ = jax.lax.scan(step, carry, numbers)
            return carry, carry[0]

        carry = start, optimizer.init(start)
        _, snapshots = jax.lax.scan(until_snapshot, carry, jnp.arange(config.snapshots))
        return snapshots

    start_key, train_key = jax.random.split(key)
    starts = start_members(model, grid, start_key)
    keys = jax.random.split(train_key, model.members)
    return jax.vmap(train_one, out_axes=1)(starts, member_ridges(model), keys)


def hide_identities(
    grid: PairGrid, config: EnsembleConfig, key: jax.Array, is_on: Array
) -> tuple[Float[Array, " tf"], Float[Array, " gene"]]:
    """Which TFs and targets may use their identity in a step; all of them where `is_on` is 0."""
    tf_key, target_key = jax.random.split(key)
    hidden_tf = jax.random.bernoulli(tf_key, config.hidden_tfs, grid.known_tf.shape)
    hidden_target = jax.random.bernoulli(target_key, config.hidden_targets, grid.known_target.shape)
    return grid.known_tf * (1 - is_on * hidden_tf), grid.known_target * (1 - is_on * hidden_target)


@jax.jit
def score_members(members: dict, grid: PairGrid) -> Float[Array, "member tf gene"]:
    """Logits of all pairs by each member of one snapshot."""
    return jax.lax.map(lambda p: pair_logits(p, grid), members)
