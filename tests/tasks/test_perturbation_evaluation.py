"""Networks judged by perturbed cells: the true one beats its degrees, and these alone do not."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest

from grnjax.data.perturbed_cells import PerturbedCells, pair_cells
from grnjax.errors import GeneMismatchError
from grnjax.tasks.perturbation_evaluation import (
    PerturbationJudgeConfig,
    evaluate_by_perturbations,
)

TFS, GENES, EACH = 12, 60, 4
CONFIG = PerturbationJudgeConfig(rewirings=120)


@pytest.fixture(scope="module")
def planted():
    """Cells in which a knocked-out TF moves its targets by the signs of a random network."""
    rng = np.random.default_rng(0)
    names = np.array([f"G{i:02d}" for i in range(GENES)])
    table = rng.choice([-1, 0, 1], (TFS, GENES), p=[0.08, 0.8, 0.12])
    table[np.arange(TFS), np.arange(TFS)] = 0
    table[:, TFS:] *= rng.random(GENES - TFS) < 0.9
    conditions = ["ctrl"] * 40 + [f"{names[i]}+ctrl" for i in range(TFS) for _ in range(EACH)]
    values = rng.normal(2, 0.4, (len(conditions), GENES))
    for row, name in enumerate(conditions):
        if name != "ctrl":
            tf = names.tolist().index(name[:3])
            values[row] -= 0.8 * table[tf]
            values[row, tf] = 0
    cells = PerturbedCells(
        np.maximum(values, 0).astype(np.float32), names, np.array(conditions), np.zeros(0, int), {}
    )
    tf, target = np.nonzero(table)
    edges = pd.DataFrame({"tf": names[tf], "target": names[target], "sign": table[tf, target]})
    return pair_cells(cells, "planted"), edges


@pytest.mark.slow
def test_the_true_network_beats_its_degrees(planted):
    cells, edges = planted
    found = evaluate_by_perturbations(edges, cells, CONFIG)
    assert found.p_value < 0.01 and found.correlation > 0.5
    assert abs(found.rewired.mean()) < 0.1
    assert len(found.perturbations) == TFS
    again = evaluate_by_perturbations(edges, cells, CONFIG)
    assert again.summarise() == found.summarise()


def test_degrees_alone_do_not(planted):
    cells, edges = planted
    out, into = edges["tf"].value_counts(), edges["target"].value_counts()
    pairs = [(a, b, n * m) for a, n in out.items() for b, m in into.items() if a != b]
    ranked = pd.DataFrame(pairs, columns=["tf", "target", "weight"])
    config = PerturbationJudgeConfig(rewirings=120, top=len(edges))
    assert evaluate_by_perturbations(ranked, cells, config).p_value > 0.01


def test_wrong_signs_are_told_from_right_ones(planted):
    cells, edges = planted
    turned = edges.assign(sign=-edges["sign"])
    assert evaluate_by_perturbations(turned, cells, CONFIG).correlation < -0.5


def test_a_network_of_other_genes_is_refused(planted):
    cells, _ = planted
    other = pd.DataFrame({"tf": ["G50", "G51"], "target": ["G01", "G02"]})
    with pytest.raises(GeneMismatchError, match="0 of the 12 genes"):
        evaluate_by_perturbations(other, cells, CONFIG)
    with pytest.raises(GeneMismatchError, match="none of the 1 edges"):
        evaluate_by_perturbations(pd.DataFrame({"tf": ["x"], "target": ["y"]}), cells, CONFIG)


def test_the_command_prints_and_writes_it(planted, cli, tmp_path):
    cells, edges = planted
    index = [f"c{i}" for i in range(len(cells.conditions))]
    obs = pd.DataFrame({"condition": cells.conditions}, index)
    table = anndata.AnnData(cells.expression, obs=obs, var=pd.DataFrame(index=cells.genes))
    table.write_h5ad(tmp_path / "cells.h5ad")
    edges.to_csv(tmp_path / "edges.tsv", sep="\t", index=False)
    words = ("evaluate", tmp_path / "edges.tsv", "--perturbations", tmp_path / "cells.h5ad")
    words = (*words, "--judge.rewirings=120", "--out", tmp_path / "out")
    outcome = cli(*words)
    assert outcome.status == 0, outcome.err
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert found["p_value"] < 0.01 and "same degrees rewired" in outcome.out
    neither = cli("evaluate", tmp_path / "edges.tsv")
    assert neither.status == 2 and "needs --truth NETWORK" in neither.err
