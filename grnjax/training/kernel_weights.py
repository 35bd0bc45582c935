"""Kernel weights learned on genes held out of the train genes (kernel factor model, stage 1).

Each episode hides a quarter of the train genes as targets and predicts their labels from those
of the others in closed form: is this gene like the known targets of the TF, and of TFs like it?
Weights learned on the training loss itself would overfit; these are judged on unseen genes.

The episodes do not run on the training loop: they are one short compiled scan around closed-form
solutions, with no evaluation to stop by and the last state as its result.
"""

import dataclasses
import functools
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from threadpoolctl import threadpool_limits

from grnjax.config import Count, Positive, Range, Rate, Settings
from grnjax.data.label_matrix import LabelMatrix


@dataclasses.dataclass(frozen=True, kw_only=True)
class KernelWeightConfig(Settings):
    """How kernel weights are learned."""

    episodes: Count = 30
    """Gradient steps, each on another quarter of hidden genes."""
    pool: Annotated[int, Range(8)] = 1024
    """Train genes that episodes draw from; of more a random part."""
    genes_an_episode: Annotated[int, Range(8)] = 512
    """Genes that an episode looks at."""
    learning_rate: Rate = 0.1
    tf_components: Positive = 12
    """Leading components of the similarity of TFs."""
    ridge: Rate = 6.0
    """Ridge that the closed-form prediction starts from; it is learned, too."""


def learn_kernel_weights(
    kernels: Float[np.ndarray, "kernel gene gene"],
    train: LabelMatrix,
    config: KernelWeightConfig,
    seed: int,
) -> Float[np.ndarray, " kernel"]:
    """A positive weight for each kernel, mean 1; equal ones without episodes.

    Args:
        kernels: between the train genes.
        train: labels of some TFs over the same genes.
        config: how they are learned.
        seed: draws which genes each episode hides.
    """
    genes = kernels.shape[1]
    used = min(genes, config.genes_an_episode)
    if config.episodes == 0 or used < 4:
        return np.ones(len(kernels), np.float32)
    rng = np.random.default_rng(seed)
    drawn = np.stack([rng.permutation(genes)[:used] for _ in range(config.episodes)])
    # small eigendecompositions: by one thread of LAPACK, as many of them wait for each other longer
    # than they compute wherever cores are shared, and the last digits depend on their number
    with threadpool_limits(1, user_api="blas"):
        theta = np.asarray(
            _learn(
                jnp.asarray(kernels),
                train.labels,
                train.observed,
                drawn,
                hidden=used // 4,
                components=min(config.tf_components, len(train.tfs)),
                learning_rate=config.learning_rate,
                ridge=config.ridge,
            )
        )
    weights = np.exp(theta.astype(np.float64))
    return (weights / weights.mean()).astype(np.float32)


@functools.partial(jax.jit, static_argnames=("hidden", "components", "learning_rate", "ridge"))
def _learn(kernels, labels, observed, drawn, *, hidden, components, learning_rate, ridge):
    optimizer = optax.adam(learning_rate)
    start = {"kernel": jnp.zeros(len(kernels)), "ridge": jnp.log(jnp.float32(ridge))}

    def step(carry, genes):
        parameters, state = carry
        given = kernels, labels, observed, genes[:hidden], genes[hidden:]
        loss = functools.partial(episode_loss, *given, components=components)
        updates, state = optimizer.update(jax.grad(loss)(parameters), state)
        return (optax.apply_updates(parameters, updates), state), None

    (learned, _), _ = jax.lax.scan(step, (start, optimizer.init(start)), drawn)
    return learned["kernel"]


def episode_loss(
    kernels, labels, observed, hidden, context, parameters: dict, *, components: int
) -> Float[Array, ""]:
    """Mean cross-entropy of the hidden genes' labels, predicted from the context genes'."""
    weights = jax.nn.softmax(parameters["kernel"])
    kernel = jnp.tensordot(weights, kernels, axes=1)
    among, across = kernel[context][:, context], kernel[hidden][:, context]
    seen, known = labels[:, context], observed[:, context]
    rate = ((seen * known).sum(axis=1) + 0.5) / (known.sum(axis=1) + 1)
    deviation = jnp.sqrt(rate * (1 - rate))
    residual = (seen - rate[:, None]) / deviation[:, None] * known  # [tf, context]
    importance, direction = tf_components(residual, components)
    towards = direction.T @ residual  # [component, context]

    solved = solve_systems(among, jnp.exp(parameters["ridge"]), importance, towards)
    parts = importance[:, None] * solved @ across.T  # [component, hidden]
    logits = jax.scipy.special.logit(rate)[:, None] + (direction @ parts) / deviation[:, None]
    losses = optax.sigmoid_binary_cross_entropy(logits, labels[:, hidden])
    known = observed[:, hidden]
    return (losses * known).sum() / jnp.maximum(known.sum(), 1)


@jax.custom_vjp
def solve_systems(
    matrix: Float[Array, "row row"],
    ridge: Float[Array, ""],
    strengths: Float[Array, " system"],
    right: Float[Array, "system row"],
) -> Float[Array, "system row"]:
    """Solutions x of (strength matrix + ridge I) x = right, of each strength and its right side.

    One eigendecomposition of the symmetric matrix serves all systems and their gradients, none of
    which differentiates it: the derivative of a solution needs the same systems only.
    """
    return solve_forward(matrix, ridge, strengths, right)[0]


def solve_forward(matrix, ridge, strengths, right):
    """The solutions, and what their gradients need."""
    values, vectors = jnp.linalg.eigh(matrix)
    shrunk = 1 / (strengths[:, None] * values + ridge)
    x = ((right @ vectors) * shrunk) @ vectors.T
    return x, (values, vectors, shrunk, strengths, x)


def solve_backward(kept, slope):
    """The gradients, through y of (strength matrix + ridge I) y = slope."""
    values, vectors, shrunk, strengths, x = kept
    y = ((slope @ vectors) * shrunk) @ vectors.T
    by_matrix = -(strengths[:, None] * y).T @ x
    by_strength = -jnp.sum(y * (((x @ vectors) * values) @ vectors.T), axis=1)
    return (by_matrix + by_matrix.T) / 2, -jnp.sum(x * y), by_strength, y


solve_systems.defvjp(solve_forward, solve_backward)


def tf_components(residual, count: int) -> tuple[Array, Array]:
    """Leading eigenvalues and vectors of .7 corr(R R') + .2 + .1 I over TFs."""
    norm = jnp.sqrt((residual**2).sum(axis=1)) + 1e-6
    alike = (residual @ residual.T) / norm[:, None] / norm
    values, vectors = jnp.linalg.eigh(0.7 * alike + 0.2 + 0.1 * jnp.eye(len(alike)))
    return values[::-1][:count], vectors[:, ::-1][:, :count]
