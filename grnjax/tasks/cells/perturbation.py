"""Gene perturbation: the change of every gene after one or two were perturbed, by GEARS' contract.

The rows that decide stand beside the model: no change, the mean shift, that with the perturbed
gene's own change, the sum of singles, the nearest perturbation by gene sets and a linear model
(Ahlmann-Eltze et al. 2025, Nature Methods: deep models do not beat them), and what any network
file predicts by propagation, beside the same degrees rewired.
"""

import dataclasses
import functools
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pandas as pd

from grnjax.baselines import perturbation_rows as rows
from grnjax.config import Positive
from grnjax.data.edges import read_edges
from grnjax.data.gene_sets import read_gene_sets
from grnjax.data.perturbation_simulator import PerturbationSimulatorConfig, simulate_perturbations
from grnjax.data.perturbation_splits import (
    ConditionSplit,
    PerturbationSplitKind,
    split_conditions,
)
from grnjax.data.perturbed_bulk import DREAM4_NAME, read_dream4
from grnjax.data.perturbed_cells import (
    CONTROL,
    Profiles,
    average_conditions,
    list_perturbed,
    read_perturbed,
)
from grnjax.errors import ConfigError
from grnjax.evaluation.perturbation_figures import (
    MOST_CHANGED,
    find_most_changed,
    score_profiles,
)
from grnjax.evidence.vectors import read_vectors, split_embedding
from grnjax.tasks.cells.perturbation_fits import (
    NetworkConfig,
    PerturbationMaterial,
    compare_sets,
    fit_perturbations,
    spread_network,
)
from grnjax.tasks.cells.study import CellPart, CellTask, Row
from grnjax.training.perturbation import PerturbationTrainingConfig

SIMULATED = "simulated"
WITH_VECTORS = "GEARS with gene vectors"
PERMUTATIONS = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Perturbation(CellTask):
    """Predict the expression change after gene perturbations, beside the rows that decide."""

    SHOWN: ClassVar[dict[str, str]] = {
        "pcc_delta": "PCC delta",
        "pcc_beyond_shift": "beyond shift",
        "rank": "rank",
        "pcc_delta_de": "PCC delta DE",
        "mse_de": "MSE DE",
    }

    splits: tuple[PerturbationSplitKind, ...] = ("simulation",)
    """Kinds of split; `simulation` tests unseen genes and doubles."""
    models: tuple[Literal["GEARS", "GEARS with gene vectors"], ...] = ("GEARS",)
    """Models that are fitted; none with --task.models alone."""
    training: PerturbationTrainingConfig = PerturbationTrainingConfig()
    sets: Path | None = None
    """Gene sets (GMT, such as GO) that join perturbations; simulated data bring noisy ones."""
    gene_vectors: str | None = None
    """Frozen vectors of genes, .npz, FILE.h5ad:KEY or a table, as `grnjax embed` writes them."""
    networks: tuple[str, ...] = ()
    """NAME=FILE or FILE of networks that predict by propagation."""
    network: NetworkConfig = NetworkConfig()
    least_cells: Positive = 1
    """Cells of a condition at least; others are left out and counted."""
    simulated: PerturbationSimulatorConfig = PerturbationSimulatorConfig()
    """Of the source `simulated:SEED`."""

    def list_inputs(self, source: str) -> dict[str, str | Path | None]:
        """The file of cells, the sets, the vectors and the networks."""
        found: dict[str, str | Path | None] = {"source": source, "sets": self.sets}
        if self.gene_vectors is not None:
            found["gene_vectors"] = split_embedding(self.gene_vectors)[0]
        return found | {f"network {name}": path for name, path in name_files(self.networks).items()}

    def read(self, source: str) -> tuple[PerturbationMaterial, dict]:
        """The cells of an .h5ad file, `simulated:SEED`, or `dream4-N` of the data root."""
        sets = None if self.sets is None else read_gene_sets(self.sets)
        networks = {name: read_edges(path) for name, path in name_files(self.networks).items()}
        if (dream4 := DREAM4_NAME.fullmatch(source)) is not None:
            cells, truth = read_dream4(dream4[1])
            networks |= {"true network": truth}
        elif source.partition(":")[0] == SIMULATED:
            simulated = simulate_perturbations(self.simulated, seed=read_seed(source))
            cells, sets = simulated.cells, sets or simulated.sets
            networks |= {"true network": simulated.edges}
        else:
            cells = read_perturbed(source, least=self.least_cells)
        vectors = None
        if self.gene_vectors is not None:
            none = np.zeros(0, np.int32)
            vectors = read_vectors(self.gene_vectors, cells.genes, none).genes[0].values
        elif WITH_VECTORS in self.models:
            raise ConfigError(f"{WITH_VECTORS!r} needs --task.gene-vectors FILE.")
        spread = cells.expression[cells.controls].std(axis=0, dtype=np.float64)
        profiles = average_conditions(cells)
        return PerturbationMaterial(cells, profiles, spread, sets, networks, vectors), cells.report

    def list_parts(self, material: PerturbationMaterial) -> list[CellPart]:
        """A split of the conditions for each kind and seed."""
        conditions = material.profiles.conditions
        return [
            CellPart(f"{kind}-{seed}", kind, seed, split_conditions(conditions, kind, seed=seed))
            for kind in self.splits
            for seed in self.seeds
        ]

    def list_rows(self, material: PerturbationMaterial, part: CellPart) -> list[Row]:
        """Trivial rows, a linear model, networks, models."""
        split: ConditionSplit = part.content
        known = learn_from(material.profiles, split)
        told = np.isin(material.cells.conditions, [CONTROL, *split.train, *split.validation])
        learned = material.cells.expression[told]
        wanted = [list_perturbed(name) for name in split.test]

        def row(name: str, kind, predict, **values) -> Row:
            return Row(name, kind, lambda _: predict(known, wanted, **values))

        found = [
            row("no change", "trivial", rows.predict_no_change),
            row("mean shift", "trivial", rows.predict_shift),
            row("mean shift, own gene", "trivial", rows.predict_own_gene),
            row("sum of singles", "trivial", rows.predict_sum),
        ]
        if material.sets is not None:
            likeness = compare_sets(material.sets, wanted, known.perturbed)
            nearest = functools.partial(rows.predict_nearest, likeness=likeness)
            found.append(row("nearest by sets", "trivial", nearest))
        found.append(row("ridge on perturbed genes", "baseline", rows.predict_own_and_genes))
        found.append(row("linear", "baseline", rows.predict_linear))
        if material.vectors is not None:
            vectors = material.vectors
            found.append(
                row("linear, gene vectors", "baseline", rows.predict_linear, vectors=vectors)
            )
        for name, edges in material.networks.items():
            spread = functools.partial(
                spread_network, edges=edges, cells=learned, config=self.network
            )
            found.append(row(name, "network", spread))
            found.append(row(f"{name}, rewired", "control", spread, rewired=part.seed))
        for model in self.models:
            fit = functools.partial(
                fit_perturbations,
                material,
                split,
                self.training,
                vectors=material.vectors if model == WITH_VECTORS else None,
                name=f"{part.name}-{'vectors' if model == WITH_VECTORS else 'gears'}",
                seed=part.seed,
            )
            found.append(Row(model, "model", fit))
        return found

    def judge(self, material: PerturbationMaterial, part: CellPart, predicted) -> pd.DataFrame:
        """The figures of each test condition."""
        split, profiles = part.content, material.profiles
        place = locate(profiles, split.test)
        true = profiles.changes[place]
        scored = score_profiles(
            predicted,
            true,
            shift=learn_from(profiles, split).shift,
            others=profiles.changes,
            place=place,
            most_changed=find_most_changed(true, material.spread, MOST_CHANGED),
        )
        groups = [split.groups[name] for name in split.test]
        return pd.DataFrame({"unit": split.test, "group": groups, **scored})

    def describe(self, material: PerturbationMaterial, part: CellPart, predicted) -> dict:
        """The band of the main figures when predictions are dealt to other test conditions."""
        rng = np.random.default_rng([part.seed, 13])
        names = ["pcc_delta", "pcc_beyond_shift"]
        drawn = [
            self.judge(material, part, predicted[rng.permutation(len(predicted))])[names].mean()
            for _ in range(PERMUTATIONS)
        ]
        high = pd.DataFrame(drawn).quantile(0.95)
        return {f"{name}_permuted_95": float(high[name]) for name in names}

    def epochs(self) -> int:
        """Of a fit at most."""
        return self.training.epochs if self.models else 1


def name_files(networks: tuple[str, ...]) -> dict[str, Path]:
    """NAME=FILE or FILE by name."""
    parts = [text.rpartition("=") for text in networks]
    return {name or Path(path).name: Path(path) for name, _, path in parts}


def read_seed(source: str) -> int:
    """The seed of `simulated:SEED`; 0 without one."""
    text = source.partition(":")[2] or "0"
    if not text.isdigit():
        raise ConfigError(f"{source}: {text!r} is no seed; give simulated:0 or another number.")
    return int(text)


def locate(profiles: Profiles, names) -> np.ndarray:
    """The rows of conditions."""
    place = {name: row for row, name in enumerate(profiles.conditions)}
    return np.array([place[name] for name in names])


def learn_from(profiles: Profiles, split: ConditionSplit) -> rows.KnownChanges:
    """Changes of the train and validation conditions, which averages need not keep apart."""
    names = [*split.train, *split.validation]
    changes = profiles.changes[locate(profiles, names)]
    perturbed = [list_perturbed(name) for name in names]
    return rows.KnownChanges(perturbed, changes, profiles.genes, profiles.control)
