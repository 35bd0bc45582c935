"""Expression after a perturbation from a control cell: GEARS on two graphs of genes.

Roohani, Huang and Leskovec 2024, Nature Biotechnology 42:927. Genes have vectors that hear their
co-expressed neighbours, perturbations have vectors that hear those with which they share gene sets;
the perturbed genes' vectors are added to every gene, and a read-out of each gene with a state that
all share gives the change. With frozen vectors of a foundation model these take the place of the
learned ones.
"""

import dataclasses
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Bool, Float, Int

from grnjax.config import Positive, Settings, Weight
from grnjax.graphs.aggregate import gcn_weights
from grnjax.models.gcn import GCNLayer
from grnjax.models.layers import normalise_batch
from grnjax.types import AnyArray, shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerturbationModelConfig(Settings):
    """Settings of `PerturbationModel`."""

    width: Positive = 64
    """Width of the vectors of genes and of perturbations."""
    position_weight: Weight = 0.2
    """Share of the vectors that hear co-expressed neighbours, beside a gene's own."""


class PerturbationGraphs(NamedTuple):
    """What the model knows of genes and of perturbations; each graph has one padding node."""

    coexpression: jraph.GraphsTuple  # of genes
    shared_sets: jraph.GraphsTuple  # of genes that are perturbed
    vectors: Float[AnyArray, "gene dim"]  # frozen, width 0 where vectors are learned


class TwoLayers(nn.Module):
    """Dense, ReLU, Dense, each Dense with batch statistics, as in the published program."""

    hidden: int
    width: int

    @nn.compact
    def __call__(self, x, *, train: bool, mask=None):
        for name, width in (("hidden", self.hidden), ("out", self.width)):
            x = nn.Dense(width, name=name)(x)
            x = normalise_batch(f"{name}_norm", train=train)(x, mask=mask)
            x = nn.relu(x) if name == "hidden" else x
        return x


class PerturbationModel(nn.Module):
    """Expression of cells after their perturbations.

    A padding perturbation, one past the last, adds nothing.
    """

    config: PerturbationModelConfig
    genes: int
    perturbations: int

    @nn.compact
    @shapes
    def __call__(
        self,
        control: Float[Array, "cell gene"],
        perturbed: Int[Array, "cell 2"],
        graphs: PerturbationGraphs,
        *,
        train: bool,
        is_real: Bool[Array, " cell"] | None = None,
    ) -> Float[Array, "cell gene"]:
        """The expression of each cell after its perturbation.

        Args:
            is_real: cells that count in batch statistics; all by default.
        """
        width, genes = self.config.width, self.genes
        start = nn.initializers.normal(1.0)

        if graphs.vectors.shape[1]:
            vectors = nn.Dense(width, name="gene_projection")(graphs.vectors)
        else:
            vectors = self.param("gene_vectors", start, (genes, width))
        base = nn.relu(normalise_batch("base_norm", train=train)(vectors))
        position = self.param("positions", start, (genes + 1, width))
        coexpression = graphs.coexpression
        weights = gcn_weights(coexpression, genes + 1)
        position = GCNLayer(width, name="coexpression")(position, coexpression, weights)[:genes]
        base = base + self.config.position_weight * position
        base = nn.relu(TwoLayers(width, width, name="base")(base, train=train))

        pushes = self.param("perturbation_vectors", start, (self.perturbations + 1, width))
        shared = graphs.shared_sets
        weights = gcn_weights(shared, self.perturbations + 1)
        pushes = GCNLayer(width, name="shared_sets")(pushes, shared, weights)
        is_push = (perturbed < self.perturbations)[..., None]
        push = jnp.sum(pushes[perturbed] * is_push, axis=1)  # [cell, dim]
        has_push = is_push.any(axis=1)  # [cell, 1]
        counts = jnp.ones((len(control), 1), bool) if is_real is None else is_real[:, None]
        push = TwoLayers(width, width, name="push")(push, train=train, mask=counts & has_push)
        push = nn.relu(push) * has_push

        state = base[None] + push[:, None]  # [cell, gene, dim]
        of_state = {"mask": counts[..., None]}
        state = nn.relu(normalise_batch("state_norm", train=train)(state, **of_state))
        state = TwoLayers(2 * width, width, name="state")(state, train=train, **of_state)
        read = self.param("read", nn.initializers.lecun_normal(), (genes, width))
        read_bias = self.param("read_bias", nn.initializers.zeros, (genes,))
        own = jnp.einsum("cgd,gd->cg", state, read) + read_bias
        cross = TwoLayers(width, width, name="cross")
        shared_state = cross(own, train=train, mask=counts)  # [cell, dim]
        last = self.param("last", nn.initializers.lecun_normal(), (genes, width + 1))
        last_bias = self.param("last_bias", nn.initializers.zeros, (genes,))
        change = own * last[:, 0] + shared_state @ last[:, 1:].T + last_bias
        return control + change
