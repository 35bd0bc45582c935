"""Lists of other cells join the evidence, those of the cells of the run under no name."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from grnjax.data.expression import DataConfig
from grnjax.errors import ConfigError
from grnjax.evaluation.splits import draw_split
from grnjax.methods.method import make_method
from grnjax.tasks import compendium_evidence, inputs
from grnjax.tasks.compendium_evidence import ListsConfig, gather_lists
from grnjax.tasks.split_fits import LinkPredictionConfig, build_problems
from grnjax.types import Dataset, GeneTable, LabelledPairs

from .planted import GENES, TFS, make_compendium, make_lists, make_rule, take_labels

CELL = "K562"
SEEN = ListsConfig(without=(CELL,))


@pytest.fixture(scope="module")
def edges():
    return make_lists(make_rule())


@pytest.fixture
def dataset(edges):
    """The network of one of the cell types, known."""
    names = np.array(sorted([*TFS, *GENES]))
    place = {name: index for index, name in enumerate(names.tolist())}
    tfs, labels = take_labels(edges, CELL, GENES)
    row, column = np.nonzero(labels)
    pairs = [(place[tfs[i]], place[GENES[j]]) for i, j in zip(row, column)]
    known = LabelledPairs(np.array(pairs, np.int32), np.ones(len(pairs), np.float32))
    cells = np.random.default_rng(0).normal(size=(30, len(names))).astype(np.float32)
    genes = GeneTable(names, np.isin(names, TFS), cells, np.ones(len(names), bool))
    return Dataset(genes, known, {})


@pytest.fixture
def find(dataset):
    def run(compendium, config=SEEN, **options):
        tfs = np.unique(dataset.known.positives[:, 0])
        found = gather_lists(dataset, tfs, config, compendium=compendium, **options)
        return {item.name: item for item in found}

    return run


def sources_of(item):
    return {source.removeprefix("lists of ") for source in item.report["columns"]}


def rename(edges, cell, tfs=None):
    """The lists with one cell type under another name, and perhaps its TFs, too."""
    is_copy = edges["cell"] == cell
    copied = edges.assign(cell=edges["cell"].where(~is_copy, "NOBODY"))
    if tfs:
        copied["tf"] = copied["tf"].where(~is_copy, copied["tf"].map(tfs))
    return copied


def test_lists_of_other_cells_join_and_say_so(find, dataset, edges):
    found = find(make_compendium(edges), keep_own=True)
    assert list(found) == ["compendium", "compendium motifs"]
    report = dataset.report["compendium"]
    assert report["left_out"] == [CELL] and report["dropped_as_copies"] == []
    assert sources_of(found["compendium"]) == set(report["cell_types"]) > set()
    assert CELL not in report["cell_types"]
    block = found["compendium"].genes[0]
    np.testing.assert_allclose(block.values[block.covered].sum(axis=0), 0, atol=1e-3)
    assert not block.covered[dataset.genes.tfs].any(), "the universe are the genes looked at"


def test_cells_of_a_set_are_left_out_by_any_of_their_names(find, dataset, edges):
    find(make_compendium(edges), ListsConfig(), set_name="Specific/hHEP/TFs+500")
    assert dataset.report["compendium"]["left_out"] == ["HEPG2"]
    assert "HEPG2" not in dataset.report["compendium"]["cell_types"]


@pytest.mark.parametrize("renames_tfs", [False, True])
def test_a_renamed_copy_of_the_known_network_is_left_out(find, dataset, edges, renames_tfs, caplog):
    others = dict(zip(TFS, [*TFS[1:], TFS[0]])) if renames_tfs else None
    compendium = make_compendium(rename(edges, CELL, others))
    find(compendium, ListsConfig(), keep_own=True)
    report = dataset.report["compendium"]
    assert report["dropped_as_copies"] == ["NOBODY"] and "NOBODY" not in report["cell_types"]
    assert {"HEPG2", "A549"} < set(report["cell_types"]), "the other cell types stay"
    assert "lists of NOBODY: a copy of the network under test" in caplog.text


def test_a_copy_of_test_labels_alone_is_left_out(find, dataset, edges):
    known = dataset.known.positives
    split = draw_split("target-disjoint", known, len(dataset.genes.names), 0)
    tested = set(dataset.genes.names[np.unique(split.test.pairs[:, 1])])
    copied = rename(edges, CELL)
    copied = copied[(copied["cell"] != "NOBODY") | copied["target"].isin(tested)]
    find(make_compendium(copied), ListsConfig(), splits=[split])
    assert dataset.report["compendium"]["dropped_as_copies"] == ["NOBODY"]


def test_own_lists_of_tfs_are_for_users_and_not_for_benchmarks(find, dataset, edges):
    compendium = make_compendium(edges)
    users = find(compendium, keep_own=True)["compendium"]
    benchmarks = find(compendium)
    own = set(dataset.genes.names[np.unique(dataset.known.positives[:, 0])])
    assert own & set(sum(users.report["columns"].values(), []))
    assert users.pairs[0].name == "compendium: same TF" and users.pairs[0].values.any()
    assert not own & set(sum(benchmarks["compendium"].report["columns"].values(), []))
    assert not benchmarks["compendium"].pairs
    assert benchmarks["compendium motifs"].genes[0].values.any(), "motifs are no labels"


def test_where_lists_cannot_join_there_is_a_reason_and_no_error(find, dataset, edges, caplog):
    caplog.set_level("INFO")
    compendium = make_compendium(edges)
    assert find(compendium, ListsConfig(use="off")) == {}
    assert "compendium" not in dataset.report
    others = np.array([f"b{i:04d}a" for i in range(len(dataset.genes.names))])
    strange = dataclasses.replace(dataset.genes, names=others)
    strange = dataclasses.replace(dataset, genes=strange, report={})
    assert gather_lists(strange, strange.genes.tfs, ListsConfig(), compendium=compendium) == []
    assert strange.report["compendium"]["lists"] == 0 and strange.report["compendium"]["reason"]
    assert "no lists of other cells join the evidence" in caplog.text


def test_infer_and_train_read_them_for_methods_that_learn(dataset, edges, monkeypatch):
    monkeypatch.setattr(
        compendium_evidence, "load_compendium", lambda with_own: make_compendium(edges)
    )
    method, data = make_method("kernel-factor"), DataConfig()
    load = inputs.load_extras
    names = [item.name for item in load(method, dataset, data, lists=SEEN).evidence]
    assert names == ["expression", "compendium", "compendium motifs"]
    alone = load(method, dataset, data, lists=ListsConfig(use="off")).evidence
    assert [item.name for item in alone] == ["expression"]
    assert not load(make_method("scRegNet"), dataset, data, lists=ListsConfig()).evidence
    with pytest.raises(ConfigError, match="--lists says .* scRegNet reads none"):
        load(make_method("scRegNet"), dataset, data, lists=SEEN)


def test_columns_of_one_experiment_with_train_labels_go(find, dataset, edges):
    """One list of another cell type that is a list of the run: no copy of a network, and gone."""
    own = edges[(edges["cell"] == CELL) & (edges["tf"] == "TF0")].assign(cell="A549", tf="TFX")
    found = find(make_compendium(pd.concat([edges, own], ignore_index=True)), keep_own=True)
    split = draw_split("standard", dataset.known.positives, len(dataset.genes.names), 0)
    config = LinkPredictionConfig(method=make_method("kernel-factor"))
    before = found["compendium"]
    assert "TFX" in before.report["columns"]["lists of A549"]
    problems = build_problems(dataset, [split], config, evidence=list(found.values()))
    after = next(x for x in problems[0].evidence if x.name == "compendium")
    assert "TFX" not in after.report["columns"]["lists of A549"]
    assert any(text.startswith("TFX (TF0 1.00)") for text in after.report["dropped_copies"])
