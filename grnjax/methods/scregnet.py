"""scRegNet as a method: frozen gene embeddings, features of expression, known edges.

Kommu, Wang, Wang and Wang 2025 (bioRxiv 2024.12.16.628715); the model is `models/scregnet.py`.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from grnjax.config import Positive
from grnjax.data.expression_features import (
    coexpression_block,
    expression_statistics,
    principal_components,
    standardise,
)
from grnjax.errors import ConfigError
from grnjax.foundation.encoder_config import SetEncoderConfig
from grnjax.methods.controls import alter_embedding, permute_expression, rewire
from grnjax.methods.frozen_vectors import add_vectors, is_model, name_file
from grnjax.methods.method import Control, Problem
from grnjax.methods.pair_models import PairInputConfig, PairMethod, PairScorer, put_features
from grnjax.models.scregnet import ScRegNet, ScRegNetConfig
from grnjax.training.batches import ModelInputs, Sizes
from grnjax.types import GeneTable


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputConfig(PairInputConfig):
    """What the graph encoder is given."""

    nodes: Literal["components", "profile", "statistics"] = "components"
    """Features of a gene: statistics and principal components of its expression, the whole
    standardised profile over cells, as scRegNet has it, or the statistics alone, the only ones
    that mean the same in another data set."""
    components: Positive = 64
    """How many principal components."""


class Features(NamedTuple):
    """What stands for expression."""

    nodes: Float[np.ndarray, "gene dim"]
    pairs: Float[np.ndarray, "tf gene feature"] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScRegNetMethod(PairMethod):
    """scRegNet; by default the interacting form (`models.scregnet.faithful` is the published)."""

    PAPER: ClassVar[str] = "Kommu, Wang, Wang and Wang 2025, bioRxiv 2024.12.16.628715"
    FORM: ClassVar[str] = "interacting form"
    READS: ClassVar[frozenset[str]] = frozenset({"labels", "expression", "embedding"})

    model: ScRegNetConfig = ScRegNetConfig()
    inputs: InputConfig = InputConfig()
    embedding: str | None = None
    """Frozen gene vectors: a table, as --data.embedding takes it, or the folder of a converted
    model (`grnjax convert`), by which the expression of the data set is embedded."""
    embed: SetEncoderConfig = SetEncoderConfig()
    """How that model does it."""

    def files(self) -> dict[str, str | None]:
        """The table, or what tells the model from others."""
        table = self.embed.orthologues
        tables = {} if table is None else {"orthologues": str(table)}
        return {"embedding": name_file(self.embedding), **tables}

    def make_module(self) -> ScRegNet:
        """Encoder, fusion with the frozen embedding, MLP and head."""
        return ScRegNet(self.model)

    def check(self, problem: Problem) -> None:
        super().check(problem)
        has_vectors = problem.embedding is not None or self.embedding is not None
        if not has_vectors and self.model.fusion == "cross-attention":
            raise ConfigError(
                "--method.model.fusion cross-attention needs frozen gene embeddings: give "
                "--method.embedding, or leave it at concatenate."
            )
        if self.embedding is None and self.embed != SetEncoderConfig():
            raise ConfigError(
                "--method.embed says how a model embeds the data set, and none is given: give "
                "--method.embedding FOLDER."
            )
        if self.embedding and not is_model(self.embedding) and self.embed != SetEncoderConfig():
            raise ConfigError(
                f"{self.embedding} is a table of vectors, which --method.embed does not change; "
                "leave that out, or give the folder of a model."
            )

    def prepare(self, problem: Problem) -> Problem:
        """The problem with the vectors that the settings name.

        Raises:
            ConfigError: other ones were given, or what `frozen_vectors.add_vectors` refuses.
        """
        if self.embedding is None:
            return problem
        if problem.embedding is not None:
            raise ConfigError(
                "--method.embedding and --data.embedding both give vectors of genes; leave one out."
            )
        return add_vectors(problem, self.embedding, self.embed)

    def check_transfer(self, problem: Problem) -> None:
        if self.embedding is not None:
            raise ConfigError(
                "--method.embedding is of one data set; a transfer takes a table for each: "
                "--data.embedding and --target-embedding."
            )
        if problem.dataset.genes.measured.any() and self.inputs.nodes != "statistics":
            raise ConfigError(
                f"inputs.nodes={self.inputs.nodes} means something else in each data set: choose "
                "--method.inputs.nodes=statistics."
            )
        if self.inputs.unlabelled_weight:
            raise ConfigError(
                "transfer labels every pair of a split, so inputs.unlabelled_weight has no pairs "
                "to weigh: leave it at 0."
            )

    def controls(self) -> Mapping[str, Control]:
        """Expression, features or the embedding altered, and labels rewired."""
        return {
            "expression-permuted": permute_expression,
            "features-random": functools.partial(self.replace_features, one_hot=False),
            "features-one-hot": functools.partial(self.replace_features, one_hot=True),
            "embedding-zero": functools.partial(alter_embedding, how="zero"),
            "embedding-random": functools.partial(alter_embedding, how="random"),
            "embedding-permuted": functools.partial(alter_embedding, how="permuted"),
            "labels-rewired": rewire,
        }

    def make_features(self, problem: Problem) -> Features:
        """Features of genes and of pairs by expression."""
        genes = problem.dataset.genes
        block = coexpression_block(genes, problem.tfs) if self.model.coexpression else None
        return Features(node_features(genes, self.inputs), block)

    def replace_features(self, problem: Problem, seed: int, *, one_hot: bool) -> Problem:
        """The control: normal numbers or one column a gene for its features, none of pairs."""
        nodes, block = self.make_features(problem)
        if one_hot:
            nodes = np.eye(len(nodes), dtype=np.float32)
        else:
            nodes = np.random.default_rng(seed).normal(size=nodes.shape).astype(np.float32)
        block = None if block is None else np.zeros_like(block)
        return dataclasses.replace(problem, prepared=Features(nodes, block))

    def make_inputs(self, problem: Problem, sizes: Sizes) -> ModelInputs:
        nodes, block = problem.prepared or self.make_features(problem)
        return ModelInputs(
            genes=problem.dataset.genes,
            nodes=nodes,
            embedding=problem.embedding,
            coexpression=block,
            tfs=problem.tfs,
            padded_pairs=sizes.pairs,
            padded_edges=sizes.edges,
            messages=self.inputs.messages,
        )

    def transfer(self, scorer: PairScorer, problem: Problem) -> PairScorer:
        """The fit with another data set's features; what it learned of genes stays as it is."""
        padded = Sizes(scorer.inputs.padded_pairs, scorer.inputs.padded_edges)
        return put_features(scorer, self.make_inputs(problem, padded))


def node_features(genes: GeneTable, config: InputConfig) -> Float[np.ndarray, "gene dim"]:
    """Features of the graph encoder; zeros for a gene that was not measured."""
    if not genes.measured.any():
        return np.zeros((len(genes.names), 1), np.float32)
    if config.nodes == "profile":
        return standardise(genes.in_memory).T
    statistics = expression_statistics(genes)
    if config.nodes == "statistics":
        return statistics
    return np.concatenate([statistics, principal_components(genes, config.components)], axis=1)
