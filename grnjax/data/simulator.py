"""Simulated single-cell expression under a known network: the embedded data set.

Each gene's mRNA follows a chemical Langevin equation (Dibaeinia and Sinha 2020, Cell Systems
11:252, SERGIO; equations 1-6): production is a sum of Hill terms of its regulators, decay is
first order, and both make noise. Cells are read at steady state, then go through the platform:
outlier genes, library size, dropout, Poisson counts.

Where the ranges come from. They were fixed before any model was tuned on these data.

- Kinetics: SERGIO's published steady-state sets. Interaction strength K ~ U(1, 5), Hill
  coefficient 2, decay 0.8, noise amplitude 1; a master regulator produces at U(0.2, 0.5) or
  U(0.7, 1.0) in each cell type; half response = mean expression of the regulator.
- Platform: SERGIO's fit to 10x Chromium data. Outlier genes 1 %, log-normal(3, 1); library size
  per 100 genes log-normal(6, 0.3); dropout logistic with shape 8 at percentile 45 (fitted
  range 45-82), which leaves 47 % zeros; the real BEELINE matrices have 12-42 %.
- Signs: TRRUST v2 human (Han 2018, NAR 46:D380) lists 3,149 activations and 1,922 repressions.
- Degrees: TRRUST v2 human, 8,427 pairs. Share of targets with k regulators falls as k^-1.25
  (mean 3.4); TF out-degree falls with its rank as rank^-0.7.
- Programmes: TFs act in combinations. A gene prefers the TFs of its programme tenfold, which
  puts the swap concordance of an identity-only factor model between .57 and .82, where
  ChIP-seq networks of five cell types have it.
- Motif hits: added later and set by what real promoter scans reach; see `simulate_motifs`.
"""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from grnjax.config import Count, Positive, Range, Settings

CELLS_A_BLOCK = 256  # that run side by side; what comes out depends on it


@dataclasses.dataclass(frozen=True, kw_only=True)
class SimulatorConfig(Settings):
    """Size of a simulated data set and the ranges its parameters are drawn from."""

    genes: Positive = 400
    tfs: Positive = 40
    master_regulators: Positive = 12
    cells: Positive = 1000
    cell_types: Positive = 5
    programmes: Positive = 8
    tfs_per_programme: Positive = 8
    programme_preference: float = 10.0
    in_degree_exponent: float = 1.25
    max_in_degree: Positive = 12
    out_degree_exponent: float = 0.7
    activation_share: Annotated[float, Range(0, 1)] = 3149 / (3149 + 1922)
    strength: tuple[float, float] = (1.0, 5.0)
    hill: float = 2.0
    decay: float = 0.8
    noise: float = 1.0
    low_rate: tuple[float, float] = (0.2, 0.5)
    high_rate: tuple[float, float] = (0.7, 1.0)
    time_step: float = 0.05
    steps: Positive = 200
    outlier_share: Annotated[float, Range(0, 1)] = 0.01
    outlier_log: tuple[float, float] = (3.0, 1.0)
    library_log: tuple[float, float] = (6.0, 0.3)
    dropout_shape: float = 8.0
    dropout_percentile: float = 45.0

    def __post_init__(self):
        super().__post_init__()
        if not self.master_regulators <= self.tfs < self.genes:
            raise ValueError(
                f"need master_regulators <= tfs < genes, got {self.master_regulators}, "
                f"{self.tfs}, {self.genes}"
            )
        if self.tfs_per_programme > self.tfs:
            raise ValueError(
                f"need tfs_per_programme <= tfs, got {self.tfs_per_programme}, {self.tfs}"
            )


@dataclasses.dataclass(frozen=True, eq=False)
class SimulatedData:
    """Counts, the network that made them, and what a promoter scan might say of it."""

    counts: np.ndarray  # [cell, gene] int32
    genes: np.ndarray  # [gene] str: TF001 .. then G001 ..
    tfs: np.ndarray  # [tf] str
    cell_types: np.ndarray  # [cell] int
    edges: pd.DataFrame  # columns tf, target, sign: the whole truth
    motifs: pd.DataFrame  # [gene, tf] 0 or 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbeddedConfig(Settings):
    """The data set that is used when no expression is given."""

    seed: Count = 0
    """Seed of the simulation; every seed is another network."""
    known_share: Annotated[float, Range(0, 1, ends="(]")] = 0.6
    """Share of the true edges that count as known; the others are hidden, to be found."""
    simulator: SimulatorConfig = SimulatorConfig()

    def make(self) -> tuple[SimulatedData, pd.DataFrame]:
        """The simulated data, and the part of its edges that is known."""
        data = simulate(self.simulator, seed=self.seed)
        rng = np.random.default_rng([self.seed, 1])
        known = rng.permutation(len(data.edges))[: round(self.known_share * len(data.edges))]
        return data, data.edges.iloc[np.sort(known)].reset_index(drop=True)


@dataclasses.dataclass(frozen=True, eq=False)
class SimulatedLevels:
    """What is in the cells before they are sequenced."""

    mrna: np.ndarray  # [cell, gene] float32
    half: np.ndarray  # [tf], the level of each TF at which it does half of what it can
    cell_types: np.ndarray  # [cell] int
    genes: np.ndarray  # [gene] str: TF001 .. then G001 ..
    edges: pd.DataFrame  # columns tf, target, sign


def simulate(config: SimulatorConfig, *, seed: int) -> SimulatedData:
    """Counts of `config.cells` cells under a random signed network; same seed, same bytes."""
    rng = np.random.default_rng(seed)
    levels = simulate_levels(config, rng)
    counts, tfs = sequence(config, rng, levels.mrna), levels.genes[: config.tfs]
    motifs = simulate_motifs(levels.edges, levels.genes, tfs, seed=seed)
    return SimulatedData(counts, levels.genes, tfs, levels.cell_types, levels.edges, motifs)


def simulate_levels(config: SimulatorConfig, rng: np.random.Generator) -> SimulatedLevels:
    """A random signed network, and mRNA of cells under it."""
    adjacency, sign = draw_network(config, rng)
    strength = sign * rng.uniform(*config.strength, size=adjacency.shape) * adjacency
    cell_types = np.sort(rng.integers(config.cell_types, size=config.cells))
    basal = draw_basal_rates(config, rng)
    steady, half = mean_field(config, strength, basal)
    mrna = run_kinetics(config, rng, strength, basal[cell_types], steady[cell_types], half)
    width = len(str(config.genes))
    names = np.array(
        [f"TF{i + 1:0{width}d}" for i in range(config.tfs)]
        + [f"G{i + 1:0{width}d}" for i in range(config.genes - config.tfs)]
    )
    tf, target = np.nonzero(adjacency)
    edges = pd.DataFrame({"tf": names[tf], "target": names[target], "sign": sign[tf, target]})
    return SimulatedLevels(mrna, half, cell_types, names, edges)


def draw_network(config: SimulatorConfig, rng: np.random.Generator) -> tuple:
    """Adjacency [tf, gene] of 0/1 and signs of +1/-1; no cycles, master regulators have no TF."""
    appeal = rng.permutation(np.arange(1, config.tfs + 1.0) ** -config.out_degree_exponent)
    members = np.zeros((config.programmes, config.tfs), bool)
    for programme in members:
        programme[rng.choice(config.tfs, config.tfs_per_programme, replace=False)] = True
    programme = rng.integers(config.programmes, size=config.genes)

    degrees = np.arange(1, config.max_in_degree + 1)
    degree_share = degrees**-config.in_degree_exponent
    in_degree = rng.choice(degrees, size=config.genes, p=degree_share / degree_share.sum())

    adjacency = np.zeros((config.tfs, config.genes), np.int8)
    for gene in range(config.master_regulators, config.genes):
        candidates = min(gene, config.tfs)  # a TF is regulated by earlier TFs only: no cycles
        weight = np.where(members[programme[gene]], config.programme_preference, 1.0) * appeal
        weight = weight[:candidates] / weight[:candidates].sum()
        chosen = rng.choice(candidates, min(in_degree[gene], candidates), replace=False, p=weight)
        adjacency[chosen, gene] = 1
    sign = np.where(rng.random(adjacency.shape) < config.activation_share, 1, -1)
    return adjacency, sign


def draw_basal_rates(config: SimulatorConfig, rng: np.random.Generator) -> np.ndarray:
    """Basal production [cell type, gene]: low or high for master regulators, zero for the rest."""
    shape = (config.cell_types, config.master_regulators)
    rates = np.where(
        rng.random(shape) < 0.5,
        rng.uniform(*config.low_rate, size=shape),
        rng.uniform(*config.high_rate, size=shape),
    )
    basal = np.zeros((config.cell_types, config.genes))
    basal[:, : config.master_regulators] = rates
    return basal


def mean_field(config: SimulatorConfig, strength: np.ndarray, basal: np.ndarray) -> tuple:
    """Steady state [cell type, gene] without noise, and half responses [tf].

    TFs are solved in their order, which is topological; a half response is its TF's mean over
    cell types (SERGIO, section "estimating half response").
    """
    steady = np.zeros_like(basal)
    half = np.zeros(config.tfs)
    hill = np.zeros((config.cell_types, config.tfs))
    for tf in range(config.tfs):
        steady[:, tf] = production(strength[:, tf : tf + 1], basal[:, tf : tf + 1], hill)[:, 0]
        steady[:, tf] /= config.decay
        half[tf] = steady[:, tf].mean()
        hill[:, tf] = hill_response(steady[:, tf], half[tf], config.hill)
    steady[:, config.tfs :] = production(strength, basal, hill)[:, config.tfs :] / config.decay
    return steady, half


def hill_response(expression: np.ndarray, half: np.ndarray, exponent: float) -> np.ndarray:
    """x^n / (h^n + x^n): 0 without regulator, 1/2 at the half response."""
    power = expression**exponent
    return power / (half**exponent + power)


def production(strength: np.ndarray, basal: np.ndarray, hill: np.ndarray) -> np.ndarray:
    """Production rate: basal + sum K hill over activators + sum |K| (1 - hill) over repressors."""
    return basal + hill @ strength - np.minimum(strength, 0).sum(axis=0)


def run_kinetics(config, rng, strength, basal, start, half, *, kept=None, added=None) -> np.ndarray:
    """Levels of mRNA [cell, gene] at the end of an Euler-Maruyama run from the state `start`.

    Production and decay are independent Poisson-like channels, so their noise terms add in
    variance: dx = (P - d x) dt + q sqrt(P + d x) dW. A cell does not depend on the others, so
    blocks of them run side by side, each with a random stream of its own.

    Args:
        kept: share of a gene's production that a perturbation leaves, [cell, gene]; None: all.
        added: production that a perturbation adds, [cell, gene]; None: nothing.
    """
    strength, basal, start, half = (np.float32(a) for a in (strength, basal, start, half))

    def run(block: slice, stream: np.random.Generator) -> np.ndarray:
        state, constant = start[block].copy(), basal[block]
        shock = np.empty_like(state)
        for _ in range(config.steps):
            hill = hill_response(state[:, : config.tfs], half, config.hill)
            made, lost = production(strength, constant, hill), config.decay * state
            made = made if kept is None else made * kept[block]
            made = made if added is None else made + added[block]
            state += (made - lost) * np.float32(config.time_step)
            stream.standard_normal(dtype=np.float32, out=shock)
            spread = np.sqrt((made + lost) * np.float32(config.noise**2 * config.time_step))
            state += shock * spread
            np.maximum(state, 0, out=state)
        return state

    blocks = [slice(first, first + CELLS_A_BLOCK) for first in range(0, len(start), CELLS_A_BLOCK)]
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor() as threads:
        return np.concatenate(list(threads.map(run, blocks, rng.spawn(len(blocks)))))


def sequence(config: SimulatorConfig, rng: np.random.Generator, mrna: np.ndarray) -> np.ndarray:
    """UMI counts [cell, gene] int32 of mRNA levels, through SERGIO's four platform effects."""
    outlier = rng.random(config.genes) < config.outlier_share
    factor = np.where(outlier, rng.lognormal(*config.outlier_log, size=config.genes), 1.0)
    level = mrna.astype(np.float64) * factor
    library = rng.lognormal(*config.library_log, size=(len(level), 1)) * config.genes / 100
    level *= library / level.sum(axis=1, keepdims=True)
    log_level = np.log1p(level)
    midpoint = np.percentile(log_level, config.dropout_percentile)
    detection = 1 / (1 + np.exp(-config.dropout_shape * (log_level - midpoint)))
    kept = rng.random(level.shape) < detection
    return rng.poisson(level * kept).astype(np.int32)


def simulate_motifs(
    edges: pd.DataFrame,
    genes: np.ndarray,
    tfs: np.ndarray,
    *,
    seed: int,
    sensitivity: float = 0.4,
    false_positive_rate: float = 0.15,
) -> pd.DataFrame:
    """Motif hits, one row a gene and one column a TF, 1 where the promoter has the TF's motif.

    A caricature of a promoter scan: each pair is one toss of a coin, with one chance for all true
    edges and one for all others. Real scans err by TF and by promoter: families share a motif, some
    motifs hit anywhere, and open promoters collect hits.

    A scan is a weak sign. For the TFs of five ChIP-seq networks that have a motif, a scan of mouse
    promoters hits .25 to .38 of the edges and .17 to .27 of the other pairs. The defaults are
    kinder because 40 motifs have to do here what about 1,000 do there: with them, kernel ridge on
    the genes' profiles alone reaches a swap concordance of .61 on unseen targets, where the real
    scan reaches .58 to .66; .6 and .1 would give .81. The price is that a TF's own motif says more
    here than in a real scan. Hits come from a random stream of their own, so that no other part
    of the data depends on them.
    """
    for name, share in (("sensitivity", sensitivity), ("false_positive_rate", false_positive_rate)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {share}")
    chance = np.full((len(genes), len(tfs)), false_positive_rate)
    rows, columns = pd.Index(genes), pd.Index(tfs)
    chance[rows.get_indexer(edges["target"]), columns.get_indexer(edges["tf"])] = sensitivity
    hits = np.random.default_rng([seed, 2]).random(chance.shape) < chance
    return pd.DataFrame(hits.astype(np.uint8), index=rows.rename("gene"), columns=columns)
