"""A small simulated network, and a model that has everything a fit must carry yet compiles fast."""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.data.expression_features import coexpression_block, principal_components
from grnjax.data.simulator import SimulatorConfig, simulate
from grnjax.evaluation.splits import draw_split
from grnjax.graphs.aggregate import aggregate
from grnjax.models.heads import BilinearHead
from grnjax.training.batches import ModelInputs, build_fit_data, shared_sizes
from grnjax.training.pair_objective import TrainingConfig, make_pair_trainer
from grnjax.types import GeneTable, Split

SIZE = SimulatorConfig(genes=60, tfs=10, master_regulators=4, cells=120, steps=100)


@dataclasses.dataclass(frozen=True)
class Problem:
    """Inputs that serve every split of one network."""

    inputs: ModelInputs
    edges: np.ndarray
    splits: list[Split]

    def build(self, split=None, inputs=None, **options):
        """The arrays of a fit, by default on the first split."""
        split = split or self.splits[0]
        largest = max(len(s.validation) for s in self.splits)
        settings = {"folds": 0, "seed": 0, "validation_size": largest} | options
        return build_fit_data(inputs or self.inputs, split.train, split.validation, **settings)


@pytest.fixture(scope="module", autouse=True)
def optimise_little(optimise_little):
    """What these tests ask of a program holds at any optimisation, and they compile many."""


@pytest.fixture(scope="session")
def problem():
    return make_problem(SIZE)


def make_problem(size):
    """A network of this size, and two splits of it."""
    data = simulate(size, seed=0)
    order = np.argsort(data.genes)
    names = data.genes[order]
    depth = data.counts.sum(axis=1, keepdims=True)
    expression = np.log1p(1e4 * data.counts / depth)[:, order].astype(np.float32)
    genes = GeneTable(names, np.isin(names, data.tfs), expression, np.ones(len(names), bool))
    edges = np.stack([np.searchsorted(names, data.edges[end]) for end in ("tf", "target")], axis=1)
    splits = [draw_split("standard", edges, len(names), draw) for draw in (0, 1)]
    sizes = shared_sizes([split.train for split in splits], len(names), batch_size=64)
    nodes, block = principal_components(genes, 12), coexpression_block(genes, genes.tfs)
    inputs = ModelInputs(genes, nodes, None, block, genes.tfs, sizes.pairs, sizes.edges)
    return Problem(inputs, edges, splits)


class TinyModel(nn.Module):
    """One message, dropout, a running mean in a collection of its own, a bilinear score."""

    @nn.compact
    def __call__(self, genes, pairs, *, train):
        x = nn.Dense(6, name="message")(genes.nodes)
        x = jnp.tanh(aggregate(x, genes.graph, genes.graph.edges))
        x = nn.Dropout(0.2, deterministic=not train)(x) * (1 + genes.seen[:, :1])
        mean = self.variable("statistics", "mean", jnp.zeros, x.shape[1])
        if train:
            mean.value = 0.9 * mean.value + 0.1 * x.mean(axis=0)
        return BilinearHead(name="head")(x - mean.value, pairs.pairs, train=train)


@pytest.fixture(scope="session")
def tiny_model():
    return TinyModel()


@pytest.fixture(scope="session")
def make_tiny_trainer(tiny_model):
    """Makes a trainer of the tiny model that checkpoints after every evaluation."""

    def make(**options):
        settings = {"epochs": 25, "evaluate_every": 5, "patience": 100, "checkpoint_seconds": 0.0}
        return make_pair_trainer(tiny_model, TrainingConfig(**(settings | options)))

    return make


@pytest.fixture(scope="session")
def tiny_trainer(make_tiny_trainer):
    return make_tiny_trainer()
