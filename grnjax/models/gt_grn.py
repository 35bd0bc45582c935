"""GT-GRN: gene embeddings and positions, fused, then a graph transformer and a pair decoder.

Teji, Roy, Bhandari and Kalita 2025 (Briefings in Bioinformatics 26(6), bbaf584); `faithful()` gives
the form of their published code. The default adds what scRegNet's default does: a head with a
bilinear interaction, learned identity vectors and the co-expression of the pair, so that the
identity-only and the Pearson rows are special cases of the model.
"""

import dataclasses
from typing import Annotated, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Float, Int

from grnjax.config import Count, Items, Weight
from grnjax.errors import ConfigError
from grnjax.graphs.positional import flip_signs, settle_signs
from grnjax.models.graph_transformer import GraphTransformerConfig, TransformerLayers
from grnjax.models.heads import make_head
from grnjax.models.layers import fill_missing
from grnjax.models.terms import LinearTerm, PairModel, PairModelConfig, Term, TermInputs
from grnjax.types import PairBatch, shapes

Source = Literal["expression", "global", "positions"]


class GTGRNInputs(NamedTuple):
    """What GT-GRN sees of the genes; one padding node stands last.

    It takes the place of a `GeneBatch` in a fit. A table of width 0 is an input that is not there.
    """

    expression_embedding: Float[Array, "node dim"]  # zeros where not measured
    statistics: Float[Array, "node statistic"]  # of expression, which its embedding has lost
    measured: Float[Array, " node"]  # 1 where the gene has expression
    global_embedding: Float[Array, "node dim2"]  # of walks over several networks
    eigenvectors: Float[Array, "node dim3"]  # each column known up to its sign
    structure: Float[Array, "node dim4"]  # return probabilities and degrees
    seen: Float[Array, "node 2"]  # 1 where the gene has train pairs as TF, as target
    tfs: Int[Array, " tf"]  # every gene that stands first in a pair, ascending
    graph: jraph.GraphsTuple  # message-passing edges; `edges` holds their weights [edge]
    edge_features: Float[Array, "edge feature"]

    @property
    def nodes(self) -> Float[Array, "node dim"]:
        """The first table, by which a fit counts the genes."""
        return self.expression_embedding


@dataclasses.dataclass(frozen=True, kw_only=True)
class GTGRNConfig(PairModelConfig):
    """Settings of `GTGRN`; the defaults are the interacting form."""

    inputs: Annotated[tuple[Source, ...], Items(different=True)] = ("expression", "global")
    """What is known of a gene; an input that is left out has no influence. Positions are, by
    default, as where they acted they cost precision (experiments/gt_grn/README.md)."""
    fusion: Literal["sum", "gate"] = "sum"
    """How the inputs are joined: their projections added, as published, or each times a gate that
    all of them set, for every dimension of a gene."""
    transformer: GraphTransformerConfig = GraphTransformerConfig(dropout=0.5)
    signs: Literal["random", "fixed"] = "random"
    """Signs of the eigenvectors: drawn at each training step and settled by a rule for evaluation,
    or as they are, the published way, in which a model can learn one draw by heart."""
    head: Literal["pair", "bilinear", "hadamard"] = "bilinear"
    """How two gene vectors become a logit; `pair` is the published one."""
    missing: Literal["learned", "zeros"] = "learned"
    """What stands for the expression embedding of a gene without any: one learned vector and a
    mask column, or zeros."""
    identity_rank: Count = 16
    """Width of the learned per-gene vectors; 0 leaves them and the learned biases out."""
    statistics: bool = True
    """Whether five statistics stand beside the embedding of a gene's expression: profiles are
    standardised before they are embedded, and mean and detection rate are lost there."""
    new_targets: bool = False
    """For targets without train pairs, whose identity is not learned: their part of the identity
    term is also mapped from their vectors, their expression has linear weights for each TF, and
    what is known of co-expressed targets is a feature of the pair. On targets with train pairs that
    may cost precision in single cells; it gains much in bacteria (experiments/gt_grn/README.md)."""
    linear_ridge: Weight = 30.0
    """Ridge of the linear weights, per summed loss."""

    def make_terms(self) -> list[Term]:
        """Identity, linear for new targets, and co-expression, those that the settings ask for."""
        if not self.new_targets:
            return super().make_terms()
        is_linear = "expression" in self.inputs
        linear = [LinearTerm(self.linear_ridge, name="linear")] if is_linear else []
        return super().make_terms(*linear, maps=True)


def faithful(width: int = 80, heads: int = 4, layers: int = 6) -> GTGRNConfig:
    """The model of the published code, in its sizes by default.

    It is meant for a directed graph with self loops. The positions of that code are not available:
    its Laplacian is not symmetric (`grnjax.graphs.positional`).
    """
    transformer = GraphTransformerConfig(
        width=width,
        heads=heads,
        layers=layers,
        dropout=0.0,
        attends_to="targets",
        values="keys",
        scaled=False,
        norm="batch",
    )
    return GTGRNConfig(
        inputs=("expression", "global", "positions"),
        transformer=transformer,
        signs="fixed",
        head="pair",
        identity_rank=0,
        coexpression=False,
        missing="zeros",
        statistics=False,
    )


class GTGRN(PairModel):
    """Scores TF-target pairs from gene embeddings, positions and known edges.

    In training it draws signs of eigenvectors and dropout from the "dropout" stream, so that both
    depend on (key, step) as everything random of a fit does.
    """

    config: GTGRNConfig

    @nn.compact
    @shapes
    def __call__(
        self, genes: GTGRNInputs, pairs: PairBatch, *, train: bool
    ) -> Float[Array, " pair"]:
        config = self.config
        fused = self.fuse(self.project(genes, train=train))
        layers = TransformerLayers(config.transformer, name="transformer")
        vectors = layers(fused, genes.graph, genes.edge_features, train=train)
        width, dropout = config.transformer.width, config.transformer.dropout
        head = make_head(config.head, width=width, dropout=dropout)
        logits = head(vectors, pairs.pairs, train=train)
        return self.add_terms(logits, TermInputs(genes.seen, pairs, vectors, self.describe(genes)))

    def project(self, genes: GTGRNInputs, *, train: bool) -> list[Float[Array, "node dim"]]:
        """Each input that is there, in the width of the transformer."""
        inputs, width = self.config.inputs, self.config.transformer.width
        tables, expression = {}, self.describe(genes)
        if "expression" in inputs and expression.shape[1]:
            if self.config.missing == "learned":
                expression = fill_missing(self, expression, genes.measured)
            tables["expression"] = expression
        if "global" in inputs:
            tables["global"] = genes.global_embedding
        if "positions" in inputs:
            tables["positions"] = self.place(genes, train=train)
        used = {name: table for name, table in tables.items() if table.shape[1]}
        if not used:
            raise ConfigError(f"GT-GRN has no input: none of {', '.join(inputs)} was given.")
        return [nn.Dense(width, name=f"from_{name}")(table) for name, table in used.items()]

    def describe(self, genes: GTGRNInputs) -> Float[Array, "node dim"]:
        """What is known of the genes' expression; zeros for those without."""
        if not self.config.statistics:
            return genes.expression_embedding
        return jnp.concatenate([genes.expression_embedding, genes.statistics], axis=1)

    def place(self, genes: GTGRNInputs, *, train: bool) -> Float[Array, "node dim"]:
        """Eigenvectors, with signs as the settings say, and structure.

        A gene without train pairs, or that a training step hides, has no place: it would have none
        if it were new.
        """
        vectors = genes.eigenvectors
        if self.config.signs == "random":
            if train:
                vectors = flip_signs(vectors, self.make_rng("dropout"))
            else:
                vectors = settle_signs(vectors)
        known = genes.seen.max(axis=1, keepdims=True)
        return known * jnp.concatenate([vectors, genes.structure], axis=1)

    def fuse(self, projected: list[Float[Array, "node dim"]]) -> Float[Array, "node dim"]:
        """The sum of the projections; with gates, which are 1 before they have learned anything."""
        if self.config.fusion == "sum":
            return sum(projected)
        joined = jnp.concatenate(projected, axis=1)
        gates = nn.Dense(joined.shape[1], kernel_init=nn.initializers.zeros, name="gate")(joined)
        gated = joined * 2 * jax.nn.sigmoid(gates)
        return gated.reshape(len(joined), len(projected), -1).sum(axis=1)
