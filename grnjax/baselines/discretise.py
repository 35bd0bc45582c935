"""Expression cut into a few states a gene, for methods that count how often states meet.

Bayesian blocks (Scargle et al. 2013, Astrophysical Journal 764:167, section 3.3) is the default
here because it is that of PIDC's authors: a gene gets as many states as its histogram supports, and
the cells without any count become a state of their own. Equal widths are quicker where cells are
many, since the blocks take a time that grows with their square.
"""

import dataclasses
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from grnjax.config import AtLeastTwo, Settings
from grnjax.progress import ProgressBar
from grnjax.types import GeneTable

FALSE_POSITIVES = 0.05  # how often pure noise may be cut (Scargle et al. 2013, equation 21)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StateConfig(Settings):
    """How expression is cut into states."""

    states: Literal["bayesian-blocks", "equal-width"] = "bayesian-blocks"
    """As many as the histogram of a gene supports, or `bins` between its extremes."""
    bins: AtLeastTwo = 10
    """States of equal width."""


@dataclasses.dataclass(frozen=True, eq=False)
class States:
    """Which state each of some genes is in, one column a state, a gene's columns side by side."""

    genes: Int[np.ndarray, " gene"]  # those with two states or more, ascending
    sizes: Int[np.ndarray, " gene"]  # how many states
    is_in: Float[np.ndarray, "cell state"]  # float32, 1 where the cell is in the state, else 0

    @property
    def starts(self) -> Int[np.ndarray, " gene"]:
        """The first column of each gene."""
        return np.cumsum(self.sizes) - self.sizes

    def take(self, places: np.ndarray) -> "States":
        """The genes at these places, ascending; at least one."""
        is_taken = np.zeros(len(self.genes), bool)
        is_taken[places] = True
        columns = np.repeat(is_taken, self.sizes)
        return States(self.genes[is_taken], self.sizes[is_taken], self.is_in[:, columns])


def find_states(genes: GeneTable, among: np.ndarray, config: StateConfig) -> States:
    """The states of the genes `among` (indices) that have more than one.

    A gene without expression, a constant one, and one whose histogram supports no cut tell nothing.
    """
    kept, sizes, columns = [], [], []
    with ProgressBar(len(among), "finding the states of genes", unit="gene") as bar:
        for gene in np.sort(among):
            values = genes.expression[:, gene].astype(np.float64)
            state = cut(values, config) if genes.measured[gene] else np.zeros(0, int)
            levels, state = np.unique(state, return_inverse=True)
            if len(levels) > 1:
                kept.append(gene)
                sizes.append(len(levels))
                columns.append(np.eye(len(levels), dtype=np.float32)[state])
            bar.update()
    none = np.zeros((len(genes.expression), 0), np.float32)
    is_in = np.concatenate([none, *columns], axis=1)
    return States(np.array(kept, np.int64), np.array(sizes, np.int64), is_in)


def cut(values: Float[np.ndarray, " cell"], config: StateConfig) -> Int[np.ndarray, " cell"]:
    """The number of the state that each value is in."""
    if not len(values) or values.min() == values.max():
        return np.zeros(len(values), int)
    if config.states == "equal-width":
        edges = np.linspace(values.min(), values.max(), config.bins + 1)
    else:
        edges = bayesian_blocks(values)
    return np.searchsorted(edges[1:-1], values, side="right")


def bayesian_blocks(values: Float[np.ndarray, " cell"]) -> Float[np.ndarray, " edge"]:
    """The edges of the best piecewise constant histogram of some values that are not all equal.

    A block of n values over a width w adds n log(n / w) to the fitness (equation 19) and costs
    4 - log(73.53 p0 k^-0.478) (equation 21). As in the program of PIDC's authors, k counts the
    distinct values up to the end of the block, not all of them. Edges lie halfway between values.
    """
    distinct, counts = np.unique(values, return_counts=True)
    edges = np.concatenate([distinct[:1], (distinct[1:] + distinct[:-1]) / 2, distinct[-1:]])
    below = np.append(0, np.cumsum(counts))  # values below each edge
    log_count = np.log(np.arange(1, len(values) + 1))
    size = np.arange(1, len(distinct) + 1)
    cost = 4 - np.log(73.53 * FALSE_POSITIVES * size**-0.478)
    best, start = np.zeros(len(edges)), np.zeros(len(edges), int)
    for end in range(1, len(edges)):  # the best histogram up to this edge, by where it last cuts
        inside = below[end] - below[:end]
        density = log_count[inside - 1] - np.log(edges[end] - edges[:end])
        fitness = best[:end] + inside * density - cost[end - 1]
        start[end] = fitness.argmax()
        best[end] = fitness[start[end]]
    chosen = [len(edges) - 1]
    while chosen[-1]:
        chosen.append(start[chosen[-1]])
    return edges[chosen[::-1]]
