"""Mutual information of TF and target, from how often their states of expression meet.

Everything is computed from one block of numbers for two sets of genes. For a state y of a target
and a source X,

    w(y, X) = sum over x of p(x, y) log2 [p(x, y) / (p(x) p(y))],

which is p(y) times the specific information of X about y, never negative; its sum over the states
of the target is the mutual information of the two genes. PIDC starts from the same block.
"""

import dataclasses
from collections.abc import Iterator
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from scipy.special import rel_entr

from grnjax.baselines.discretise import StateConfig, States, find_states
from grnjax.data.batches import split_batches
from grnjax.types import GeneTable

MOST_ENTRIES = 4_000_000  # of a table of state pairs at a time: 32 MB as float64

Estimator = Literal["maximum-likelihood", "shrinkage"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MutualInformationConfig(StateConfig):
    """How the mutual information of two genes is estimated."""

    estimator: Estimator = "maximum-likelihood"
    """Frequencies of pairs of states as counted, or shrunk towards equal ones."""


def score_targets(
    genes: GeneTable,
    targets: Int[np.ndarray, " target"],
    config: MutualInformationConfig,
    *,
    seed: int,
) -> Float[np.ndarray, "tf target"]:
    """Mutual information, in bits, of every TF with the targets; 0 for self pairs.

    Where batches are told apart, it is that of cells of one batch: the mean over the batches, by
    their cells. Nothing is random, so the seed does not matter.
    """
    del seed
    parts = split_batches(genes)
    found = [score_batch(part, targets, config) for part in parts]
    return np.average(found, axis=0, weights=[len(part.expression) for part in parts]).astype(
        np.float32
    )


def score_batch(
    genes: GeneTable, targets: Int[np.ndarray, " target"], config: MutualInformationConfig
) -> Float[np.ndarray, "tf target"]:
    """Mutual information in bits over cells of one batch."""
    tfs = genes.tfs
    states = find_states(genes, np.union1d(tfs, targets), config)
    sources = np.flatnonzero(np.isin(states.genes, tfs))
    full = np.zeros((len(tfs), len(genes.names)), np.float32)
    if len(sources):
        rows = np.searchsorted(tfs, states.genes[sources])
        wanted = np.flatnonzero(np.isin(states.genes, targets))
        for places, about in split_targets(states, wanted):
            of_states = specific_information(about, states.take(sources), config.estimator)
            information = np.add.reduceat(of_states, about.starts, axis=0)
            full[np.ix_(rows, states.genes[places])] = information.T
    full[np.arange(len(tfs)), tfs] = 0
    return full[:, targets]


def split_targets(states: States, places: np.ndarray) -> Iterator[tuple[np.ndarray, States]]:
    """The genes at these places a few at a time, so that their tables of state pairs stay small."""
    most = max(1, MOST_ENTRIES // max(states.is_in.shape[1], 1))  # states at a time
    group = (np.cumsum(states.sizes[places]) - 1) // most
    for number in np.unique(group):
        part = places[group == number]
        yield part, states.take(part)


def specific_information(
    targets: States, sources: States, estimator: Estimator
) -> Float[np.ndarray, "state gene"]:
    """w(y, X) in bits for the states y of the targets, a row each, and the source genes X."""
    count = targets.is_in.T @ sources.is_in  # whole numbers, exact in float32
    cells = len(targets.is_in)
    both = count.astype(np.float64) / cells
    of_target = targets.is_in.mean(axis=0, dtype=np.float64)[:, None]
    of_source = sources.is_in.mean(axis=0, dtype=np.float64)[None, :]
    if estimator == "shrinkage":
        share = shrinkage(both, targets, sources, cells)
        own = np.repeat(targets.sizes, targets.sizes)[:, None]
        other = np.repeat(sources.sizes, sources.sizes)[None, :]
        both = share / (own * other) + (1 - share) * both
        of_target = share / own + (1 - share) * of_target
        of_source = share / other + (1 - share) * of_source
    terms = rel_entr(both, of_target * of_source)
    information = np.add.reduceat(terms, sources.starts, axis=1) / np.log(2)
    return np.maximum(information, 0)  # it can fall below by rounding only


def shrinkage(
    both: Float[np.ndarray, "state state2"], targets: States, sources: States, cells: int
) -> Float[np.ndarray, "state state2"]:
    """How much of each pair's table equal frequencies take, repeated over the entries of the table.

    The share (1 - sum p^2) / ((n - 1) sum (p - 1/K)^2) of Hausser and Strimmer 2009 (Journal of
    Machine Learning Research 10:1469, section 2), between 0 and 1, for n cells and K pairs of
    states.
    """
    squares = np.add.reduceat(both**2, targets.starts, axis=0)
    squares = np.add.reduceat(squares, sources.starts, axis=1)
    spread = (cells - 1) * (squares - 1 / np.outer(targets.sizes, sources.sizes))
    share = np.where(spread > 0, (1 - squares) / np.maximum(spread, 1e-300), 1).clip(0, 1)
    return share.repeat(targets.sizes, axis=0).repeat(sources.sizes, axis=1)
