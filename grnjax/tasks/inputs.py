"""Model, inputs and controls: what the tasks hand to the training loop."""

import dataclasses
from typing import Literal

import numpy as np
from jax.sharding import Mesh

from grnjax.config import Settings
from grnjax.data.expression_features import (
    coexpression_block,
    expression_statistics,
    principal_components,
    standardise,
)
from grnjax.models.scregnet import ScRegNet, ScRegNetConfig
from grnjax.training.batches import ModelInputs, Sizes
from grnjax.training.loop import Trainer
from grnjax.training.pair_objective import TrainingConfig, make_pair_trainer
from grnjax.types import GeneTable

Control = Literal[
    "expression-permuted",
    "features-random",
    "features-one-hot",
    "embedding-zero",
    "embedding-random",
    "embedding-permuted",
    "labels-rewired",
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputConfig(Settings):
    """What the graph encoder is given."""

    nodes: Literal["components", "profile", "statistics"] = "components"
    """Features of a gene: statistics and principal components of its expression, the whole
    standardised profile over cells, as scRegNet has it, or the statistics alone, the only ones
    that mean the same in another data set."""
    components: int = 64
    """How many principal components."""
    messages: Literal["symmetric", "directed", "none"] = "none"
    """Whether messages pass both ways along a train edge, as published, from TF to target, or not
    at all: each gene then has its own features only, and labels act through the identity term.
    `none` is the default: where messages made a difference they cost precision (README)."""
    negative_weight: float = 1.0
    """Weight of a pair labelled 0 in the loss; below 1 where 0 only means unlabelled."""
    unlabelled_weight: float = 0.0
    """Above 0, every pair outside the train pairs counts as a negative of this weight; for labels
    with few negatives, such as the balanced ones of Non-Specific and STRING networks."""

    def __post_init__(self):
        super().__post_init__()
        if self.components < 1:
            raise ValueError(f"components must be at least 1, got {self.components}")
        if not 0 < self.negative_weight <= 1:
            raise ValueError(f"negative_weight must be in (0, 1], got {self.negative_weight}")
        if not 0 <= self.unlabelled_weight <= 1:
            raise ValueError(f"unlabelled_weight must be in [0, 1], got {self.unlabelled_weight}")


def make_scregnet_trainer(
    model: ScRegNetConfig, training: TrainingConfig, mesh: Mesh | None = None
) -> Trainer:
    """The trainer of scRegNet with these settings, on one device or on a mesh of them."""
    return make_pair_trainer(ScRegNet(model), training, mesh)


def model_inputs(
    genes: GeneTable,
    embedding: np.ndarray | None,
    tfs: np.ndarray,
    config: InputConfig,
    sizes: Sizes,
    *,
    coexpression: bool,
    control: Control | None = None,
    seed: int = 0,
) -> ModelInputs:
    """The arrays that every fit of a run shares, altered by `control` if one is named.

    Args:
        tfs: gene indices of the TFs whose pairs will be scored, ascending.
        coexpression: whether the model reads pair features.
        seed: draws the permutation or the random numbers of a control.
    """
    rng = np.random.default_rng(seed)
    if control == "expression-permuted":
        genes = permute_expression(genes, rng)
    if control is not None and control.startswith("embedding"):
        embedding = alter_embedding(embedding, control, rng)
    nodes = node_features(genes, config)
    block = coexpression_block(genes, tfs) if coexpression else None
    if control in ("features-random", "features-one-hot"):
        if control == "features-random":
            nodes = rng.normal(size=nodes.shape).astype(np.float32)
        else:
            nodes = np.eye(len(nodes), dtype=np.float32)
        block = None if block is None else np.zeros_like(block)
    return ModelInputs(
        genes, nodes, embedding, block, tfs, sizes.pairs, sizes.edges, config.messages
    )


def node_features(genes: GeneTable, config: InputConfig) -> np.ndarray:
    """Features [gene, dim] of the graph encoder; zeros for a gene that was not measured."""
    if not genes.measured.any():
        return np.zeros((len(genes.names), 1), np.float32)
    if config.nodes == "profile":
        return standardise(genes.expression).T
    statistics = expression_statistics(genes)
    if config.nodes == "statistics":
        return statistics
    return np.concatenate([statistics, principal_components(genes, config.components)], axis=1)


def permute_expression(genes: GeneTable, rng: np.random.Generator) -> GeneTable:
    """The table with the profiles of the measured genes dealt out anew among them."""
    measured = np.flatnonzero(genes.measured)
    expression = genes.expression.copy()
    expression[:, measured] = genes.expression[:, rng.permutation(measured)]
    return dataclasses.replace(genes, expression=expression)


def alter_embedding(
    embedding: np.ndarray | None, control: Control, rng: np.random.Generator
) -> np.ndarray:
    """Zeros, normal numbers of the same scale, or the rows dealt out anew, for genes that have one.

    Genes the table lacks keep their zeros, so coverage is the same in every control.
    """
    if embedding is None:
        raise ValueError(f"the control {control} needs an embedding: give --data.embedding")
    found = np.flatnonzero(embedding.any(axis=1))
    altered = np.zeros_like(embedding)
    if control == "embedding-random":
        drawn = rng.normal(size=(len(found), embedding.shape[1]))
        altered[found] = drawn * embedding[found].std()
    elif control == "embedding-permuted":
        altered[found] = embedding[rng.permutation(found)]
    return altered
