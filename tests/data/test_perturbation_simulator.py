"""Simulated perturbations do to their genes, and to those below, what their names say."""

import os

import numpy as np
import pytest

from grnjax.data.perturbation_simulator import PerturbationSimulatorConfig, simulate_perturbations
from grnjax.data.perturbed_bulk import read_dream4
from grnjax.data.perturbed_cells import CONTROL, average_conditions, list_perturbed, read_perturbed
from grnjax.data.simulator import SimulatorConfig

SIZE = SimulatorConfig(
    genes=60, tfs=10, master_regulators=4, cells=150, cell_types=1, tfs_per_programme=4, steps=100
)


def make(kind, seed=0):
    config = PerturbationSimulatorConfig(
        simulator=SIZE, kind=kind, singles=8, doubles=5, cells_a_condition=40
    )
    return simulate_perturbations(config, seed=seed)


@pytest.fixture(scope="module")
def knocked_out():
    return make("knock-out")


def test_a_knocked_out_gene_is_gone_and_its_targets_move_as_the_signs_say(knocked_out):
    cells, edges = knocked_out.cells, knocked_out.edges
    profiles = average_conditions(cells)
    place = {name: at for at, name in enumerate(cells.genes)}
    moved = {1: [], -1: []}
    for condition, change in zip(profiles.conditions, profiles.changes, strict=True):
        genes = list_perturbed(condition)
        for gene in genes:
            assert change[place[gene]] <= -0.9 * profiles.control[place[gene]]
        for edge in edges[edges["tf"].isin(genes) & ~edges["target"].isin(genes)].itertuples():
            moved[edge.sign].append(change[place[edge.target]])
    assert np.mean(moved[1]) < -0.05 and np.mean(moved[-1]) > 0.05
    assert len(profiles.conditions) == 13


def test_a_knock_down_leaves_some_and_over_expression_adds():
    down, over = (
        average_conditions(make(kind).cells) for kind in ("knock-down", "over-expression")
    )
    place = {name: at for at, name in enumerate(down.genes)}

    def own(profiles):
        return np.array(
            [
                change[place[list_perturbed(name)[0]]]
                for name, change in zip(profiles.conditions, profiles.changes, strict=True)
            ]
        )

    assert own(down).mean() < -0.1 and own(over).mean() > 0.3


def test_the_same_seed_gives_the_same_bytes_and_the_file_reads_back(knocked_out, tmp_path):
    again = make("knock-out")
    assert again.counts.tobytes() == knocked_out.counts.tobytes()
    assert again.sets == knocked_out.sets
    path = tmp_path / "x.h5ad"
    knocked_out.to_anndata().write_h5ad(path)
    read = read_perturbed(path)
    assert (read.conditions == knocked_out.cells.conditions).all()
    perturbed = read.conditions != CONTROL
    assert (read.before[perturbed] == knocked_out.cells.before[perturbed]).all()
    np.testing.assert_allclose(read.expression, knocked_out.cells.expression, rtol=1e-5)


@pytest.mark.skipif("GRNJAX_DATA" not in os.environ, reason="no folder of the data sets")
def test_dream4_has_each_gene_once_beside_ten_controls():
    cells, truth = read_dream4(1)
    assert len(cells.controls) == 10 and len(truth) == 176
    profiles = average_conditions(cells)
    assert len(profiles.conditions) == 100
    place = {name: at for at, name in enumerate(cells.genes)}
    own = [
        change[place[list_perturbed(name)[0]]]
        for name, change in zip(profiles.conditions, profiles.changes, strict=True)
    ]
    assert np.mean(np.array(own) < 0) > 0.85
