"""scRegNet: frozen gene embedding + graph encoder + shared MLP + edge scorer.

Kommu, Wang, Wang and Wang 2025 (bioRxiv 2024.12.16.628715), Methods; `faithful()` gives the
published form. The default adds what that form cannot express: a head in which TF and target
interact, learned identity vectors, and the co-expression of the pair, so that the additive, the
identity-only and the Pearson rows are special cases of the model.
"""

import dataclasses
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from grnjax.config import DropRate, Widths
from grnjax.models.encoder import EncoderConfig
from grnjax.models.fusion import CrossAttentionConfig, CrossModalFusion
from grnjax.models.gcn import GCNConfig
from grnjax.models.heads import make_head
from grnjax.models.layers import LeakyMLP, fill_missing
from grnjax.models.terms import PairModel, PairModelConfig, Term, TermInputs, TopologyTerm
from grnjax.types import GeneBatch, PairBatch, shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScRegNetConfig(PairModelConfig):
    """Settings of `ScRegNet`; the defaults are the interacting form."""

    encoder: EncoderConfig = GCNConfig()
    """The graph encoder; the command line takes another by its name, --method.model.encoder=GAT."""
    fusion: Literal["concatenate", "cross-attention"] = "concatenate"
    """How the frozen embedding and the graph embedding of a gene are joined; `concatenate` is
    the published way."""
    cross_attention: CrossAttentionConfig = CrossAttentionConfig()
    """Used if they are joined by cross-attention."""
    mlp_widths: Widths = (64,)
    """Widths of the MLP that TF and target share."""
    dropout: DropRate = 0.5
    """Dropout between MLP layers, of which one alone has none, and in the Hadamard head."""
    head: Literal["additive", "bilinear", "hadamard"] = "bilinear"
    """How two gene vectors become a logit; `additive` is the published one."""
    topology: bool = False
    """Whether the score sees the pair's degrees, shared neighbours and paths in the train graph."""
    missing: Literal["learned", "zeros"] = "learned"
    """What stands for the expression of a gene without any: one learned vector and a mask
    column, or zeros."""
    dropout_at_evaluation: bool = False
    """The published code leaves MLP dropout on at evaluation; True restores that."""

    def make_terms(self) -> list[Term]:
        """Identity, co-expression and topology, those that the settings ask for."""
        terms = super().make_terms()
        return [*terms, TopologyTerm(name="topology")] if self.topology else terms


def faithful(encoder: EncoderConfig, mlp_widths: tuple[int, ...], dropout: float) -> ScRegNetConfig:
    """The published model: additive head, no learned vectors, zeros for missing expression."""
    return ScRegNetConfig(
        encoder=encoder,
        mlp_widths=mlp_widths,
        dropout=dropout,
        head="additive",
        identity_rank=0,
        coexpression=False,
        missing="zeros",
    )


class ScRegNet(PairModel):
    """Scores TF-target pairs from expression, known edges and frozen gene embeddings."""

    config: ScRegNetConfig

    @nn.compact
    @shapes
    def __call__(self, genes: GeneBatch, pairs: PairBatch, *, train: bool) -> Float[Array, " pair"]:
        config = self.config
        frozen, encoded = self.encode(genes, train=train)
        mlp = LeakyMLP(config.mlp_widths, config.dropout, config.dropout_at_evaluation, name="mlp")
        ends, tfs = pairs.pairs, len(genes.tfs)
        rows = None
        if tfs + len(ends) < len(encoded):  # a small batch asks for few of the genes
            rows = jnp.concatenate([genes.tfs, ends[:, 1]])
            frozen, encoded = frozen[rows], encoded[rows]
            first = jnp.searchsorted(genes.tfs, ends[:, 0])
            ends = jnp.stack([first, tfs + jnp.arange(len(ends))], axis=1)
        vectors = mlp(frozen, encoded, train=train, rows=rows)
        head = make_head(config.head, width=config.mlp_widths[-1], dropout=config.dropout)
        logits = head(vectors, ends, train=train)
        return self.add_terms(logits, TermInputs(genes.seen, pairs))

    def encode(
        self, genes: GeneBatch, *, train: bool
    ) -> tuple[Float[Array, "node dim"], Float[Array, "node dim2"]]:
        """Of each gene, what is frozen and what the encoder made of it; the MLP joins both."""
        config, nodes = self.config, genes.nodes
        if config.missing == "learned":
            nodes = fill_missing(self, nodes, genes.measured)
        encoded = config.encoder.make("encoder")(nodes, genes.graph, train=train)
        if config.fusion == "cross-attention":
            fuse = CrossModalFusion(config.cross_attention, name="fusion")
            return genes.embedding[:, :0], fuse(genes.embedding, encoded, train=train)
        return genes.embedding, encoded
