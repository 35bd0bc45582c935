"""The kernel factor model with the compendium that comes with grnjax (README.md).

Run:     python -m experiments.kernel_factor.compendium
         python -m experiments.kernel_factor.compendium --kinds standard --sets Specific/mDC/TFs+500
Cost:    21 CPU minutes for five sets, five draws and four variants on unseen targets (2 cores),
         some 40 on the standard split
Expect:  unseen targets, swap in the mean of five sets against today's .717: with the compendium
         +.006, permissive sources and the compendium -.017, the compendium alone -.048;
         standard split, against .775: +.005, -.012, -.047
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np

from experiments.kernel_factor.beeline import (
    ABLATED,
    MEASURED_ONLY,
    MODEL,
    clear,
    judge,
)
from experiments.shared.beeline_evidence import (
    FULL_NETWORKS,
    OTHER_NETWORKS,
    add_expression,
    choose_genes,
    other_networks,
    read_evidence,
    species_of,
)
from experiments.shared.record import ResultsFile
from experiments.shared.studies import GridConfig, begin, fit_factors, run_program
from grnjax.data.benchmark import BenchmarkSet
from grnjax.data.data_set import find_root
from grnjax.evaluation.splits import SplitKind, draw_split
from grnjax.evidence.leak_check import check_leaks
from grnjax.evidence.other_networks import merge_networks, read_other_network
from grnjax.evidence.types import Evidence
from grnjax.methods.kernel_factor.fit import KernelFactorSettings
from grnjax.progress import logger
from grnjax.tasks.compendium_evidence import ListsConfig, gather_lists
from grnjax.types import Dataset, Split

TODAY = f"{MODEL}, nearest genes"
ALL = f"{MODEL}, with the compendium"
OPEN = f"{MODEL}, permissive sources and the compendium"
SHIPPED = f"{MODEL}, the compendium alone"
PERMISSIVE = ("expression", "STRING", "dispersion")  # of the sources that have one table
LISTS = ListsConfig(own_lists=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompendiumStudy(GridConfig):
    """The kernel factor model with and without the lists that come with grnjax; first seed."""

    kinds: tuple[SplitKind, ...] = ("target-disjoint", "standard")
    kernel_factor: KernelFactorSettings = KernelFactorSettings()


@dataclasses.dataclass(frozen=True, eq=False)
class Ground:
    """A set with its splits, and the evidence of each variant before it is cleared of copies."""

    name: str
    dataset: Dataset
    tfs: np.ndarray
    splits: list[Split]
    variants: dict[str, list[Evidence]]


def main() -> None:
    """Measures what has not been measured yet, draw by draw over all sets."""
    study, results = begin(CompendiumStudy, "kernel_factor_compendium")
    root = find_root(study.data.root)
    for kind in study.kinds:
        grounds = [
            prepare(found, dataset, kind, study.draws, root) for found, dataset in study.find()
        ]
        for place, ground in itertools.product(range(len(study.draws)), grounds):
            measure(ground, ground.splits[place], study.kernel_factor, results)


def prepare(
    found: BenchmarkSet, dataset: Dataset, kind: SplitKind, draws: tuple[int, ...], root: Path
) -> Ground:
    """The evidence of a set, as `experiments.kernel_factor.beeline` reads it, and the lists."""
    is_partial = kind == "target-disjoint" and found.cell in MEASURED_ONLY
    dataset = choose_genes(dataset, measured_only=is_partial)
    tfs, names = np.unique(dataset.known.positives[:, 0]), dataset.genes.names
    splits = [draw_split(kind, dataset.known.positives, len(names), draw) for draw in draws]
    today = add_expression(dataset, read_evidence(found, root, names, tfs), tfs)
    check_leaks(today, tfs, dataset, splits)
    species = species_of(found.cell)
    where = {"species": species, "set_name": found.name, "splits": splits}
    lists = gather_lists(dataset, tfs, LISTS, **where)
    permissive = [item for item in today if item.name in PERMISSIVE]
    permissive.append(read_permissive_networks(found, root, names, tfs))
    expression = [item for item in today if item.kind == "expression"]
    variants = {
        TODAY: today,
        OPEN: [*permissive, *lists],
        SHIPPED: [*expression, *lists],
        ALL: [*today, *lists],
    }
    if kind in ABLATED and not expression:
        del variants[TODAY]  # nothing to ask: `experiments.kernel_factor.beeline` has the same
    return Ground(found.name, dataset, tfs, splits, variants)


def read_permissive_networks(
    found: BenchmarkSet, root: Path, names: np.ndarray, tfs: np.ndarray
) -> Evidence:
    """The networks of other cells whose copies state a licence (MIT): hESC, hHEP and mDC."""
    parts = [
        read_other_network(
            path,
            names,
            tfs,
            species_differs=species_of(other) != species_of(found.cell),
            name=other,
        )
        for path, other in other_networks(found, root)
        if other in FULL_NETWORKS
    ]
    return merge_networks(parts, OTHER_NETWORKS)


def measure(
    ground: Ground, split: Split, settings: KernelFactorSettings, results: ResultsFile
) -> None:
    """Fits each variant once, unless it was measured before."""
    where, names = {"set": ground.name, "split": split.kind}, ground.dataset.genes.names
    for method, evidence in ground.variants.items():
        if results.has(method=method, draw=split.draw, **where):
            continue
        cleared = clear(evidence, split, ground.tfs, names)
        for seed, fit, _ in fit_factors(cleared, ground.tfs, len(names), split, settings):
            row = judge(method, split, seed, fit.logits(), ground.tfs)
            results.add([{**row, "step": int(fit.learned.step)}], **where)
    logger.info("%s, %s, draw %d: done", ground.name, split.kind, split.draw)


if __name__ == "__main__":
    run_program(main)
