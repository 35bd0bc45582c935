"""Simulated perturbations: knock-outs, knock-downs and over-expression, cells before and after.

Unperturbed cells are those of `simulator.py`. Each perturbed cell goes on from the levels of mRNA
in a control cell, so that what it was before is known, and its kinetics run as long again with the
production of the perturbed genes changed: none of it (knock-out), a share of it (knock-down), or
as much added as holds a multiple of the gene's steady mean (over-expression). Both are sequenced as
one experiment. Signs and strengths of edges act through the same Hill terms as in control cells, so
that doubles need not be sums of singles.

The gene sets that stand in the place of GO are processes: a gene with its regulators, of which
members were dropped and to which others were added at random. They know of the network as GO
does, in part and with errors, and say nothing of signs.
"""

import dataclasses
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from grnjax.config import AtLeastTwo, Count, Positive, Rate, Settings, Share
from grnjax.data.canonical import normalise_counts
from grnjax.data.perturbed_cells import CONTROL, PerturbedCells, list_perturbed
from grnjax.data.simulator import (
    SimulatorConfig,
    draw_basal_rates,
    draw_network,
    mean_field,
    run_kinetics,
    sequence,
)

if TYPE_CHECKING:
    from anndata import AnnData

PerturbationKind = Literal["knock-out", "knock-down", "over-expression"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerturbationSimulatorConfig(Settings):
    """What is perturbed, and how many cells are read."""

    simulator: SimulatorConfig = SimulatorConfig(genes=200, tfs=40, cells=1000, cell_types=1)
    """The unperturbed cells. One cell type, as screens have one line."""
    kind: PerturbationKind = "knock-out"
    """What is done to a gene; the same to both of a double."""
    singles: Count = 40
    """TFs that are perturbed alone, at most all."""
    doubles: Count = 60
    """Pairs of these that are perturbed together."""
    cells_a_condition: Positive = 100
    """Cells of each condition."""
    left: Share = 0.3
    """Share of production that a knock-down leaves."""
    fold: Rate = 3.0
    """Multiple of a gene's mean production that over-expression adds."""
    least_set: AtLeastTwo = 2
    """Genes of a gene set at least."""
    dropped_members: Share = 0.5
    """Chance of a true member of a gene set to be missing."""
    added_members: float = 1.0
    """Random members of a gene set for each that is left."""


@dataclasses.dataclass(frozen=True, eq=False)
class SimulatedPerturbations:
    """Cells, the network that made them and noisy gene sets."""

    cells: PerturbedCells
    counts: np.ndarray  # [cell, gene] int32
    edges: pd.DataFrame  # tf, target, sign: the whole truth
    sets: dict[str, list[str]]

    def to_anndata(self) -> "AnnData":
        """The cells in the form of GEARS, counts in .X, with `obs.before` of perturbed cells."""
        import anndata

        names = np.array([f"cell{i:06d}" for i in range(len(self.counts))])
        obs = pd.DataFrame(
            {
                "condition": self.cells.conditions,
                "cell_type": "simulated",
                "before": names[self.cells.before],
            },
            index=names,
        )
        var = pd.DataFrame({"gene_name": self.cells.genes}, index=self.cells.genes)
        return anndata.AnnData(self.counts.astype(np.float32), obs=obs, var=var)


def simulate_perturbations(
    config: PerturbationSimulatorConfig, *, seed: int
) -> SimulatedPerturbations:
    """Control cells, and cells of every condition; the same seed, the same bytes."""
    rng, size = np.random.default_rng([seed, 11]), config.simulator
    adjacency, sign = draw_network(size, rng)
    strength = sign * rng.uniform(*size.strength, size=adjacency.shape) * adjacency
    types = np.sort(rng.integers(size.cell_types, size=size.cells))
    basal = draw_basal_rates(size, rng)
    steady, half = mean_field(size, strength, basal)
    control = run_kinetics(size, rng, strength, basal[types], steady[types], half)

    names = name_genes(size)
    conditions = draw_conditions(names[: size.tfs], config, rng)
    of_cell = np.repeat(np.arange(len(conditions)), config.cells_a_condition)
    before = rng.integers(size.cells, size=len(of_cell))
    kept, added = change_production(conditions, names, steady.mean(axis=0) * size.decay, config)
    after = run_kinetics(
        size,
        rng,
        strength,
        basal[types[before]],
        control[before],
        half,
        kept=kept[of_cell].astype(np.float32),
        added=added[of_cell].astype(np.float32),
    )
    counts = sequence(size, rng, np.concatenate([control, after]))
    values = counts.astype(np.float32)
    normalise_counts(values)
    told = np.array([CONTROL] * size.cells + [conditions[i] for i in of_cell])
    pairs = np.concatenate([np.arange(size.cells), before])
    tf, target = np.nonzero(adjacency)
    edges = pd.DataFrame({"tf": names[tf], "target": names[target], "sign": sign[tf, target]})
    report = {"source": "simulated", "kind": config.kind, "seed": seed}
    cells = PerturbedCells(values, names, told, pairs, report)
    return SimulatedPerturbations(cells, counts, edges, draw_sets(adjacency, names, config, rng))


def name_genes(size: SimulatorConfig) -> np.ndarray:
    """TF001 .. then G001 .., as `simulator.py` has them."""
    width = len(str(size.genes))
    return np.array(
        [f"TF{i + 1:0{width}d}" for i in range(size.tfs)]
        + [f"G{i + 1:0{width}d}" for i in range(size.genes - size.tfs)]
    )


def draw_conditions(
    tfs: np.ndarray, config: PerturbationSimulatorConfig, rng: np.random.Generator
) -> list[str]:
    """Singles of random TFs, and different pairs of these."""
    chosen = np.sort(rng.permutation(tfs)[: config.singles])
    first, second = np.triu_indices(len(chosen), 1)
    pairs = rng.permutation(len(first))[: config.doubles]
    doubles = sorted(f"{chosen[first[i]]}+{chosen[second[i]]}" for i in pairs)
    return [*(f"{tf}+{CONTROL}" for tf in chosen), *doubles]


def change_production(
    conditions: list[str],
    names: np.ndarray,
    production: np.ndarray,
    config: PerturbationSimulatorConfig,
) -> tuple[np.ndarray, np.ndarray]:
    """What each condition leaves of a gene's production and adds to it, [condition, gene]."""
    kept = np.ones((len(conditions), len(names)))
    added = np.zeros_like(kept)
    place = {name: at for at, name in enumerate(names)}
    for row, condition in enumerate(conditions):
        for gene in map(place.__getitem__, list_perturbed(condition)):
            if config.kind == "over-expression":
                added[row, gene] = config.fold * production[gene]
            else:
                kept[row, gene] = config.left if config.kind == "knock-down" else 0.0
    return kept, added


def draw_sets(
    adjacency: np.ndarray,
    names: np.ndarray,
    config: PerturbationSimulatorConfig,
    rng: np.random.Generator,
) -> dict[str, list[str]]:
    """A noisy gene set for each gene that has regulators."""
    sets = {}
    for gene in range(len(names)):
        members = np.union1d(np.flatnonzero(adjacency[:, gene]), [gene])
        if len(members) < 2:
            continue
        left = members[rng.random(len(members)) >= config.dropped_members]
        others = rng.choice(len(names), rng.poisson(config.added_members * len(left)))
        found = np.union1d(left, others).astype(int)
        if len(found) >= config.least_set:
            sets[f"process {names[gene]}"] = names[found].tolist()
    return sets
