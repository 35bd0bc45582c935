"""PIDC: partial information decomposition and context (Chan, Stumpf and Babtie 2017).

Cell Systems 5:251. Of the information of a gene X on a target Y, the part that a third gene Z does
not have too is unique to X. The proportional unique contribution of a pair is the unique share of
their information, summed over all third genes and over both directions:

    u(X, Y) = sum over Z of [1 - R_Y(X, Z) / I(X; Y)] + [1 - R_X(Y, Z) / I(X; Y)],

with the redundancy R_Y(X, Z) = sum over the states y of Y of min(w(y, X), w(y, Z)) of Williams and
Beer (`information.py` has w). How large u is among those of X, and among those of Y, makes the
score: F_X(u) + F_Y(u), at most 2.

The sum over triples need not be cubic. For one state y, the sum over Z of min(w(y, X), w(y, Z)) is
the sum of all w below that of X plus w(y, X) for each one above, which a sorted row and its running
sum give for all X at once.
"""

import dataclasses
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from scipy.special import digamma, gammainc, polygamma

from grnjax.baselines.discretise import StateConfig, States, find_states
from grnjax.baselines.information import Estimator, specific_information, split_targets
from grnjax.config import Positive
from grnjax.data.batches import split_batches
from grnjax.errors import ConfigError
from grnjax.progress import ProgressBar
from grnjax.types import GeneTable

FEWEST_GENES = 3
LEAST_INFORMATION = 1e-12  # in bits; below is nothing but rounding


@dataclasses.dataclass(frozen=True, kw_only=True)
class PIDCConfig(StateConfig):
    """How PIDC finds states, probabilities and the context of a score."""

    estimator: Estimator = "maximum-likelihood"
    """Frequencies of pairs of states as counted, which the authors advise, or shrunk."""
    context: Literal["gamma", "empirical"] = "gamma"
    """What places a contribution among those of a gene: a gamma distribution fitted to them, as
    in the authors' program, or the share of them that is no larger, which ties many pairs."""
    most_genes: Positive = 5_000
    """More genes are refused, with the time and memory that they would take."""


def score_targets(
    genes: GeneTable, targets: Int[np.ndarray, " target"], config: PIDCConfig, *, seed: int
) -> Float[np.ndarray, "tf target"]:
    """How sure PIDC is of every TF with the targets, from 0 to 2; 0 for self pairs.

    The context of a pair is all genes of the table, TFs or not, so that a few targets take as long
    as all. Where batches are told apart, contributions are those in each of them, and their mean
    by cells is placed among the others. Nothing is random, so the seed does not matter.

    Raises:
        ConfigError: too many genes, or too few with two states or more.
    """
    measured = np.flatnonzero(genes.measured)
    refuse_many(len(measured), len(genes.expression), config)
    parts = split_batches(genes)
    states = [find_states(part, measured, config) for part in parts]
    used = np.unique(np.concatenate([of_batch.genes for of_batch in states]))
    if len(used) < FEWEST_GENES:
        raise ConfigError(
            f"PIDC compares genes three at a time, and {len(used):,} of {len(measured):,} "
            f"measured ones have at least two states; give more genes or cells, or "
            "--method.states=equal-width."
        )
    contributions = np.zeros((len(used), len(used)))
    for part, of_batch in zip(parts, states, strict=True):
        if len(of_batch.genes) >= FEWEST_GENES:
            at = np.searchsorted(used, of_batch.genes)
            share = len(part.expression) / len(genes.expression)
            contributions[np.ix_(at, at)] += share * unique_contributions(
                of_batch, config.estimator
            )
    place = cumulative_gamma if config.context == "gamma" else cumulative_share
    cumulative = place(contributions)
    score = cumulative + cumulative.T
    np.fill_diagonal(score, 0)
    full = np.zeros((len(genes.names), len(genes.names)), np.float32)
    full[np.ix_(used, used)] = score
    return full[np.ix_(genes.tfs, targets)]


def unique_contributions(states: States, estimator: Estimator) -> Float[np.ndarray, "gene gene"]:
    """The u of every pair, symmetric; 0 on the diagonal and for genes that share no information."""
    count = len(states.genes)
    directed = np.zeros((count, count))  # row: the target
    with ProgressBar(count, "decomposing information", unit="target") as bar:
        for places, about in split_targets(states, np.arange(count)):
            of_states = specific_information(about, states, estimator)
            itself = np.repeat(places, about.sizes)
            of_states[np.arange(len(itself)), itself] = 0  # a target is no source of itself
            information = np.add.reduceat(of_states, about.starts, axis=0)
            redundancy = np.add.reduceat(sum_of_minima(of_states), about.starts, axis=0)
            informs = information > LEAST_INFORMATION
            shared = redundancy / np.where(informs, information, 1)
            directed[places] = np.where(informs, np.maximum(count - 2 - shared, 0), 0)
            bar.update(len(places))
    np.fill_diagonal(directed, 0)
    return directed + directed.T


def sum_of_minima(rows: Float[np.ndarray, "row gene"]) -> Float[np.ndarray, "row gene"]:
    """For each entry x of a row, the sum of min(x, z) over the other entries z of the row."""
    order = np.argsort(rows, axis=1, kind="stable")
    ordered = np.take_along_axis(rows, order, axis=1)
    above = np.arange(rows.shape[1])[::-1]  # entries after each one
    sums = np.cumsum(ordered, axis=1) - ordered + above * ordered
    result = np.empty_like(sums)
    np.put_along_axis(result, order, sums, axis=1)
    return result


def cumulative_share(scores: Float[np.ndarray, "gene gene"]) -> Float[np.ndarray, "gene gene"]:
    """For each gene (row), the share of its scores with other genes that are no larger than one."""
    others = len(scores) - 1
    off_diagonal = ~np.eye(len(scores), dtype=bool)
    result = np.zeros_like(scores)
    for row, among in enumerate(off_diagonal):
        ordered = np.sort(scores[row, among])
        result[row] = np.searchsorted(ordered, scores[row], side="right") / others
    return result


def cumulative_gamma(scores: Float[np.ndarray, "gene gene"]) -> Float[np.ndarray, "gene gene"]:
    """For each gene (row), where a score lies in the gamma distribution fitted to those above 0.

    Maximum likelihood: the shape a solves log a - digamma(a) = log mean - mean log, by Minka's
    Newton steps on 1 / a, and the scale is mean / a. A score of 0 lies at 0.
    """
    is_positive = scores > 0
    np.fill_diagonal(is_positive, False)
    count = np.maximum(is_positive.sum(axis=1), 1)
    mean = np.where(is_positive, scores, 0).sum(axis=1) / count
    mean = np.where(mean > 0, mean, 1)
    mean_log = np.log(np.where(is_positive, scores, 1)).sum(axis=1) / count
    gap = np.maximum(np.log(mean) - mean_log, 1e-9)  # 0 where all scores are equal
    shape = (3 - gap + np.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap)
    for _ in range(8):
        miss = np.log(shape) - digamma(shape) - gap
        shape = 1 / (1 / shape + miss / (shape**2 * (1 / shape - polygamma(1, shape))))
    return gammainc(shape[:, None], scores * (shape / mean)[:, None])


def refuse_many(genes: int, cells: int, config: PIDCConfig) -> None:
    """Refuses more genes than the settings allow, and says what they would cost.

    The estimate is for one core, fitted to 300 to 3,000 genes and 400 to 10,000 cells.
    """
    if genes <= config.most_genes:
        return
    seconds = (2e-6 + 2e-9 * cells) * genes**2
    if config.states == "bayesian-blocks":
        seconds += (5e-6 + 2e-9 * cells) * cells * genes
    gigabytes = (50 * genes**2 + 60 * genes * cells) / 1e9
    raise ConfigError(
        f"PIDC on {genes:,} genes in {cells:,} cells takes about {seconds / 60:,.0f} minutes and "
        f"{gigabytes:,.1f} GB, and it stops at {config.most_genes:,} genes; keep those that vary "
        "most, or raise --method.most-genes."
    )
