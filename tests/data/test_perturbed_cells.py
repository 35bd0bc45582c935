"""Perturbed cells as published files have them: conditions, pairs, splits, DREAM4, bad input."""

import anndata
import numpy as np
import pandas as pd
import pytest

from grnjax.data.gene_sets import read_gene_sets, share_sets
from grnjax.data.perturbation_splits import split_conditions
from grnjax.data.perturbed_cells import (
    CONTROL,
    average_conditions,
    list_perturbed,
    name_condition,
    read_perturbed,
)
from grnjax.errors import EdgeFormatError, ExpressionFormatError, SplitError

GENES = ["A", "B", "C", "D_E", "F"]


def write(path, conditions, column="condition", **obs):
    rng = np.random.default_rng(0)
    counts = rng.poisson(5, (len(conditions), len(GENES))).astype(np.float32)
    counts[np.array(conditions) == "A+ctrl", 0] = 0
    table = pd.DataFrame({column: conditions, **obs}, index=[f"c{i}" for i in range(len(counts))])
    var = pd.DataFrame({"gene_name": GENES}, index=[f"ENSG{i:011d}" for i in range(len(GENES))])
    anndata.AnnData(counts, obs=table, var=var).write_h5ad(path)
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ctrl", "ctrl"),
        ("non-targeting", "ctrl"),
        ("control", "ctrl"),
        ("A+ctrl", "A+ctrl"),
        ("ctrl+A", "A+ctrl"),
        ("A", "A+ctrl"),
        ("B+A", "A+B"),
        ("B_A", "A+B"),
        ("D_E", "D_E+ctrl"),
        ("nan", None),
    ],
)
def test_conditions_of_all_forms_become_those_of_gears(text, expected):
    assert name_condition(text, {*GENES}) == expected


@pytest.mark.parametrize("column", ["condition", "perturbation", "gene"])
def test_a_file_is_read_by_any_of_its_columns(tmp_path, column):
    told = ["ctrl"] * 4 + ["A+ctrl"] * 3 + ["A+B"] * 2 + ["nan", "A+B+C"]
    cells = read_perturbed(write(tmp_path / "x.h5ad", told, column))
    assert sorted(cells.genes) == sorted(GENES)  # names, not ids
    assert cells.conditions.tolist() == ["ctrl"] * 4 + ["A+ctrl"] * 3 + ["A+B"] * 2
    assert (cells.conditions[cells.before] == CONTROL).all()
    assert (cells.before[:4] == np.arange(4)).all()
    assert cells.report["source"] == str(tmp_path / "x.h5ad")
    assert cells.report["without_condition"] == 1
    assert cells.report["more_than_two_genes"]["count"] == 1
    profiles = average_conditions(cells)
    assert profiles.conditions == ["A+B", "A+ctrl"] and profiles.cells.tolist() == [2, 3]
    own = cells.genes.tolist().index("A")
    np.testing.assert_allclose(profiles.changes[1, own], -profiles.control[own], rtol=1e-5)


def test_a_control_is_of_the_same_type_and_the_known_one_where_it_is_told(tmp_path):
    told, types = ["ctrl"] * 6 + ["A+ctrl"] * 6, ["x", "y"] * 6
    cells = read_perturbed(write(tmp_path / "x.h5ad", told, cell_type=types))
    assert all(types[b] == types[i] for i, b in enumerate(cells.before))
    before = ["c0"] * 6 + [f"c{5 - i}" for i in range(6)]
    cells = read_perturbed(write(tmp_path / "y.h5ad", told, before=before))
    assert cells.before[6:].tolist() == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (["A+ctrl"] * 4, "none of its 4 cells is a control"),
        (["ctrl"] * 4, "are controls, so nothing was perturbed"),
    ],
)
def test_cells_that_tell_no_change_are_refused(tmp_path, told, message):
    with pytest.raises(ExpressionFormatError, match=message):
        read_perturbed(write(tmp_path / "x.h5ad", told))


def test_a_file_without_conditions_says_which_column_is_needed(tmp_path):
    with pytest.raises(ExpressionFormatError, match="no column condition"):
        read_perturbed(write(tmp_path / "x.h5ad", ["ctrl"] * 3, column="batch"))


def make_conditions():
    singles = [f"G{i}+ctrl" for i in range(12)]
    return singles + [f"G{i}+G{j}" for i in range(12) for j in range(i + 1, 12, 3)]


@pytest.mark.parametrize("kind", ["simulation", "single", "combo"])
def test_splits_are_disjoint_and_depend_on_the_seed_alone(kind):
    names = make_conditions()
    split = split_conditions(names, kind, seed=3)
    again = split_conditions(names[::-1], kind, seed=3)
    assert split == again != split_conditions(names, kind, seed=4)
    parts = [*split.train, *split.validation, *split.test]
    assert len(parts) == len(set(parts)) and all((split.train, split.validation, split.test))


def test_the_simulation_split_tests_what_gears_tests():
    split = split_conditions(make_conditions(), "simulation", seed=0)
    seen = {g for name in (*split.train, *split.validation) for g in list_perturbed(name)}
    singles = [name for name in split.test if len(list_perturbed(name)) == 1]
    assert singles and all(list_perturbed(name)[0] not in seen for name in singles)
    assert {"single, 0 seen", "double, 1 seen", "double, 2 seen"} <= {*split.groups.values()}
    combo = split_conditions(make_conditions(), "combo", seed=0)
    assert {*combo.groups.values()} == {"double, 2 seen"}


def test_too_few_conditions_are_refused():
    with pytest.raises(SplitError, match="0 double perturbations"):
        split_conditions(["A+ctrl", "B+ctrl"], "combo", seed=0)


def test_gene_sets_are_shared_as_jaccard_s_index(tmp_path):
    path = tmp_path / "go.gmt"
    path.write_text("one\tx\tA\tB\ntwo\tx\tA\tB\tC\nthree\tx\tC\tF\nfour\tx\tA\tD_E\n")
    sets = read_gene_sets(path)
    shared = share_sets(sets, ["A", "absent"], ["B", "C", "A"])
    np.testing.assert_allclose(shared, [[2 / 3, 1 / 4, 1], [0, 0, 0]], rtol=1e-6)
    with pytest.raises(EdgeFormatError, match="none of the 1 genes"):
        share_sets(sets, ["absent"], ["absent"])
