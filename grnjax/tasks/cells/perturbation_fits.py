"""What predicts perturbations from gene sets, from a network file, and by the fitted model."""

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float

from grnjax.baselines.network_effects import (
    choose_signs,
    place_network,
    rewire_weights,
    sign_weights,
)
from grnjax.baselines.perturbation_rows import Genes, KnownChanges, predict_by_network
from grnjax.config import Count, Settings, Share
from grnjax.data.gene_sets import share_sets
from grnjax.data.perturbation_splits import ConditionSplit
from grnjax.data.perturbed_cells import CONTROL, PerturbedCells, Profiles, list_perturbed
from grnjax.evaluation.perturbation_figures import (
    MOST_CHANGED,
    find_most_changed,
    standardise_rows,
)
from grnjax.graphs.build import build_graph
from grnjax.graphs.propagation import propagate
from grnjax.models.perturbation import PerturbationGraphs
from grnjax.training.loop import make_trainer
from grnjax.training.perturbation import (
    PerturbationData,
    PerturbationObjective,
    PerturbationTrainingConfig,
)
from grnjax.training.recorder import FitRecorder, derive_seed

NEIGHBOURS, LEAST_CORRELATION, LEAST_SHARED = 20, 0.4, 0.1
REFERENCES = 64  # control cells that predictions are averaged over
EDGES_A_GENE = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkConfig(Settings):
    """How a network file becomes a predictor."""

    damping: Share = 0.5
    """What is left of an effect after one edge."""
    top: Count = 0
    """Strongest edges that are taken of a ranked network; 0: as many as ten a gene."""


@dataclasses.dataclass(frozen=True, eq=False)
class PerturbationMaterial:
    """What a source holds, and what stands beside it."""

    cells: PerturbedCells
    profiles: Profiles
    spread: np.ndarray  # [gene], deviation among control cells
    sets: Mapping[str, list[str]] | None
    networks: dict[str, pd.DataFrame]  # by name: tf, target and maybe sign and weight
    vectors: np.ndarray | None  # [gene, dim]


def compare_sets(
    sets: Mapping[str, list[str]], wanted: Sequence[Genes], known: Sequence[Genes]
) -> Float[np.ndarray, "wanted known"]:
    """How alike conditions are: the mean of what each gene shares with its best partner."""
    genes = sorted({gene for condition in (*wanted, *known) for gene in condition})
    shared, place = share_sets(sets, genes, genes), {gene: at for at, gene in enumerate(genes)}
    found = np.zeros((len(wanted), len(known)))
    for row, one in enumerate(wanted):
        for column, other in enumerate(known):
            table = shared[np.ix_([place[g] for g in one], [place[g] for g in other])]
            found[row, column] = (table.max(axis=1).mean() + table.max(axis=0).mean()) / 2
    return found


def spread_network(
    known: KnownChanges,
    wanted: Sequence[Genes],
    edges: pd.DataFrame,
    cells: Float[np.ndarray, "cell gene"],
    config: NetworkConfig,
    *,
    rewired: int | None = None,
) -> np.ndarray:
    """What a network file predicts, or with a seed one of its degrees whose targets were traded.

    Args:
        cells: control and train cells, whose correlation gives signs where edges have none.
    """
    top = config.top or EDGES_A_GENE * len(known.genes)
    table, tfs = place_network(edges, known.genes, top)
    signs, _ = choose_signs(table, tfs, edges, cells)
    if rewired is not None:
        table = rewire_weights(table, tfs, seed=rewired)
    table = sign_weights(table, signs)
    effects = np.asarray(propagate(jnp.asarray(table), jnp.asarray(tfs), config.damping))
    return predict_by_network(known, wanted, effects, [str(known.genes[tf]) for tf in tfs])


def fit_perturbations(
    material: PerturbationMaterial,
    split: ConditionSplit,
    config: PerturbationTrainingConfig,
    recorder: FitRecorder,
    *,
    vectors: np.ndarray | None,
    name: str,
    seed: int,
) -> np.ndarray:
    """Changes of the test conditions by the model, [condition, gene]."""
    data, conditions, perturbations = build_data(material, split, vectors, seed)
    steps = -(-len(data.train) // config.batch_size)
    objective = PerturbationObjective(config, steps, perturbations)
    fitted = recorder.fit(make_trainer(objective), data, name=name, seed=derive_seed(seed, 19))
    place = jnp.array([conditions.index(x) for x in split.test])
    predicted = jax.jit(objective.predict)(fitted.variables, data, data.perturbed[place])
    return np.asarray(predicted) - np.asarray(data.expression[data.references].mean(axis=0))


def build_data(
    material: PerturbationMaterial, split: ConditionSplit, vectors: np.ndarray | None, seed: int
) -> tuple[PerturbationData, list[str], int]:
    """The arrays of a fit, the names of its conditions, and how many genes are perturbed."""
    cells, profiles = material.cells, material.profiles
    conditions, of_cell = np.unique(cells.conditions, return_inverse=True)
    names = [str(x) for x in conditions]
    genes = sorted({gene for x in names for gene in list_perturbed(x)})
    perturbed = np.full((len(names), 2), len(genes), np.int32)
    counted = np.ones((len(names), len(cells.genes)), bool)
    for row, condition in enumerate(names):
        own = [genes.index(gene) for gene in list_perturbed(condition)]
        perturbed[row, : len(own)] = own
        if condition != CONTROL:
            counted[row] = (cells.expression[of_cell == row] > 0).any(axis=0)
    rng = np.random.default_rng([seed, 23])
    train = np.flatnonzero(np.isin(cells.conditions, [CONTROL, *split.train]))
    changes = profiles.changes[[profiles.conditions.index(x) for x in split.validation]]
    data = PerturbationData(
        expression=jnp.asarray(cells.expression),
        before=jnp.asarray(cells.before),
        condition=jnp.asarray(of_cell),
        perturbed=jnp.asarray(perturbed),
        counted=jnp.asarray(counted),
        control=jnp.asarray(profiles.control),
        graphs=build_graphs(material, split, genes, vectors),
        train=jnp.asarray(train),
        references=jnp.asarray(np.sort(rng.permutation(cells.controls)[:REFERENCES])),
        validation=jnp.asarray([names.index(x) for x in split.validation]),
        validation_mean=jnp.asarray(changes + profiles.control),
        most_changed=jnp.asarray(find_most_changed(changes, material.spread, MOST_CHANGED)),
    )
    return data, names, len(genes)


def build_graphs(
    material: PerturbationMaterial,
    split: ConditionSplit,
    genes: list[str],
    vectors: np.ndarray | None,
) -> PerturbationGraphs:
    """Co-expression over train conditions, and shared gene sets of what is perturbed."""
    cells = material.cells
    learned = np.isin(cells.conditions, [CONTROL, *split.train])
    unit = standardise_rows(cells.expression[learned].T)
    edges, weights = take_nearest(np.abs(unit @ unit.T), LEAST_CORRELATION)
    coexpression = build_graph(edges, len(unit), symmetric=False, self_loops=True, weights=weights)
    shared = np.zeros((len(genes), len(genes)))
    if material.sets is not None:
        shared = share_sets(material.sets, genes, genes)
    edges, weights = take_nearest(shared, LEAST_SHARED)
    sets = build_graph(edges, len(genes), symmetric=False, self_loops=True, weights=weights)
    table = np.zeros((len(unit), 0)) if vectors is None else vectors
    return PerturbationGraphs(coexpression, sets, jnp.asarray(table, jnp.float32))


def take_nearest(
    likeness: Float[np.ndarray, "node node"], least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Edges from each node's nearest ones to it, those above `least`, and their weights."""
    likeness = likeness.copy()
    np.fill_diagonal(likeness, 0)
    senders = np.argsort(-likeness, axis=1, kind="stable")[:, :NEIGHBOURS]
    receivers = np.repeat(np.arange(len(likeness)), senders.shape[1])
    weights = likeness[receivers, senders.ravel()]
    there = weights > least
    return np.stack([senders.ravel(), receivers], axis=1)[there], weights[there]
