"""Few cells make strong correlations by chance: as strong as said; too few are refused."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import grnjax
from grnjax.errors import ConfigError
from grnjax.methods.few_cells import strongest_by_chance, tell_few_cells
from grnjax.methods.method import make_method
from grnjax.tasks.split_fits import LinkPredictionConfig, build_problems
from grnjax.types import CellBatches

GENES = [f"G{i}" for i in range(30)]


def draw(cells):
    """Genes that have nothing to do with each other, as logs."""
    values = np.random.default_rng(cells).normal(5, 1, (cells, len(GENES)))
    return pd.DataFrame(values, [f"c{i}" for i in range(cells)], GENES)


def infer(cells, **more):
    return grnjax.infer(draw(cells), tfs=GENES[:5], method="pearson", **more)


@pytest.mark.parametrize("cells", [5, 12, 60])
def test_one_pair_of_independent_genes_is_as_strong_as_said(cells):
    said = strongest_by_chance(cells, 200)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 40_000, cells))
    x, y = (v - v.mean(axis=1, keepdims=True) for v in (x, y))
    r = (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    assert (np.abs(r) >= said).mean() == pytest.approx(1 / 200, rel=0.35)


@pytest.mark.parametrize("cells", [2, 3])
def test_two_and_three_cells_are_refused(cells):
    with pytest.raises(ConfigError, match=f"{cells} cells: .* give 4 cells at least"):
        infer(cells)


def test_few_cells_are_told_and_many_are_not(caplog):
    caplog.set_level("WARNING", "grnjax")
    infer(80)
    assert "by chance" not in caplog.text
    infer(8)
    assert "8 cells are few: of 145 pairs of genes" in caplog.text and "0.8" in caplog.text


def test_what_learns_from_known_edges_is_warned_and_not_refused(dataset, caplog):
    caplog.set_level("WARNING", "grnjax")
    few = dataclasses.replace(dataset.genes, expression=dataset.genes.expression[:2])
    tell_few_cells(make_method("kernel-factor"), few)
    assert "2 cells are few" in caplog.text
    with pytest.raises(ConfigError, match="2 cells: "):
        tell_few_cells(make_method("grnboost2"), few)
    batches = CellBatches(np.arange(80) % 60, dataset.genes.expression[:80])
    centred = dataclasses.replace(
        dataset.genes, expression=dataset.genes.expression[:80], batches=batches
    )
    tell_few_cells(make_method("kernel-factor"), centred)
    assert "21 cells are few" in caplog.text


def test_a_benchmark_set_of_two_cells_is_refused_too(dataset):
    few = dataclasses.replace(dataset.genes, expression=dataset.genes.expression[:2])
    config = LinkPredictionConfig(method=make_method("pearson"))
    with pytest.raises(ConfigError, match="2 cells: "):
        build_problems(dataclasses.replace(dataset, genes=few), [], config)
