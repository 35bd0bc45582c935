"""Networks by lists of other cells: what is ranked, by what, and what labels may not do."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

import grnjax
from grnjax.data.compendium.folder import add_own
from grnjax.errors import ConfigError, GeneMismatchError, SplitError
from grnjax.evaluation.metrics import binary_metrics
from grnjax.methods.compendium.classes import LISTS, MOTIF, NOTHING
from grnjax.methods.compendium.method import CompendiumMethod
from grnjax.tasks.network_inference import InferenceConfig

from .planted import CELLS, GENES, TFS, make_compendium, make_lists, make_rule

LOOK_UP = CompendiumMethod(by="look-up", without=("K562",))


@pytest.fixture(scope="module")
def edges():
    return make_lists(make_rule())


@pytest.fixture
def own_lists(edges, tmp_path, monkeypatch):
    """The planted lists as those of a user."""
    monkeypatch.setenv("GRNJAX_COMPENDIUM", str(tmp_path / "compendium"))
    for source in make_compendium(edges).sources:
        add_own(source)


@pytest.fixture(scope="module")
def cells():
    """Expression that says nothing, with TFs among the genes."""
    names = [*GENES, *TFS]
    counts = np.random.default_rng(3).poisson(3.0, (40, len(names)))
    return pd.DataFrame(counts, [f"cell{i}" for i in range(40)], names)


@pytest.mark.usefixtures("own_lists")
def test_cells_without_labels_are_ranked_by_lists_of_others(cells, edges):
    network = grnjax.infer(cells, method=LOOK_UP, tfs=TFS)
    ranked = network.edges
    true = pd.MultiIndex.from_frame(edges.loc[edges["cell"] == "K562", ["tf", "target"]])
    label = pd.MultiIndex.from_frame(ranked[["tf", "target"]]).isin(true)
    of_tf = ranked.groupby("tf").indices.items()
    found = {
        tf: binary_metrics(label[at], ranked["importance"].to_numpy()[at])["auroc"]
        for tf, at in of_tf
        if label[at].any()
    }
    assert np.mean([*found.values()]) > 0.75
    assert ranked["probability"].between(0, 1).all() and "TF11" not in found
    about = network.tables["tfs"].set_index("tf")
    assert set(about.loc[["TF0", "TF11"], "rests_on"]) == {LISTS, NOTHING}
    assert "K562" not in " ".join(about["cells"])
    assert network.report["tfs"][NOTHING] == 1


@pytest.mark.slow
@pytest.mark.usefixtures("own_lists")
def test_probabilities_say_how_often_a_pair_is_listed(cells, edges):
    ranked = grnjax.infer(cells, method=LOOK_UP, tfs=TFS).edges
    true = pd.MultiIndex.from_frame(edges.loc[edges["cell"] == "K562", ["tf", "target"]])
    label = pd.MultiIndex.from_frame(ranked[["tf", "target"]]).isin(true)
    is_judged = ranked["tf"].isin(edges.loc[edges["cell"] == "K562", "tf"])
    gap = ranked["probability"][is_judged].mean() - label[is_judged].mean()
    assert abs(gap) < 0.05
    lower = dataclasses.replace(LOOK_UP, prevalence=0.01)
    assert grnjax.infer(cells, method=lower, tfs=TFS).edges["probability"].mean() < 0.1


@pytest.mark.usefixtures("own_lists")
def test_a_pair_that_a_cut_table_leaves_out_scores_as_in_the_whole_one(cells):
    whole = grnjax.infer(cells, method=LOOK_UP, tfs=TFS).edges
    cut = grnjax.infer(cells, method=LOOK_UP, tfs=TFS, config=InferenceConfig(top=20))
    assert len(cut.edges) == 20
    pairs = list(zip(whole["tf"], whole["target"], strict=True))
    found = cut.score(pairs)
    assert found["listed"].sum() == 20
    np.testing.assert_allclose(found["importance"], whole["importance"], rtol=1e-5)
    np.testing.assert_allclose(found["probability"], whole["probability"], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("own_lists")
def test_tfs_of_which_nothing_is_known_are_left_out_or_marked(cells):
    cells = cells.assign(GENE7=cells["TF11"])

    def rank(unknown):
        method = dataclasses.replace(LOOK_UP, unknown=unknown)
        network = grnjax.infer(cells, method=method, tfs=TFS)
        return network.edges[network.edges["tf"] == "TF11"]

    assert not len(rank("leave-out"))
    by_rate, by_cells = rank("rate"), rank("co-expression")
    assert set(by_rate["rests_on"]) == set(by_cells["rests_on"]) == {NOTHING}
    assert by_cells["left_out_within_tf_auroc"].isna().all()  # which were not measured of |Pearson|
    assert np.ptp(by_rate["probability"]) > 0.01 > np.ptp(by_cells["probability"])
    assert by_cells["target"].iloc[0] == "GENE7" != by_rate["target"].iloc[0]


@pytest.mark.usefixtures("own_lists")
def test_a_motif_is_less_than_lists_and_more_than_nothing(cells, edges):
    others = [cell for cell in CELLS if cell != "A549"]
    network = grnjax.infer(cells, method=dataclasses.replace(LOOK_UP, without=others), tfs=TFS)
    about = network.tables["tfs"].set_index("tf")
    in_cells = set(edges.loc[edges["cell"] == "A549", "tf"])
    has_motif = set(TFS[:6])
    for tf, what in about["rests_on"].items():
        assert what == (LISTS if tf in in_cells else MOTIF if tf in has_motif else NOTHING)
    assert {*about["cells"]} == {"A549", ""}


@pytest.mark.slow
def test_labels_under_another_name_are_refused(cells, edges, tmp_path, monkeypatch):
    monkeypatch.setenv("GRNJAX_COMPENDIUM", str(tmp_path / "leak"))
    leaking = edges.replace({"cell": {"K562": "leukaemia, mine"}})
    for source in make_compendium(leaking).sources:
        add_own(source)
    known = edges.loc[edges["cell"] == "K562", ["tf", "target"]]
    with pytest.raises(SplitError, match=r"copy.*method\.without=LEUKAEMIAMINE"):
        grnjax.infer(cells, known, method=LOOK_UP, tfs=TFS)
    way_out = dataclasses.replace(LOOK_UP, without=("K562", "leukaemia, mine"))
    assert grnjax.infer(cells, known, method=way_out, tfs=TFS).rows


@pytest.mark.slow
def test_labels_of_what_is_left_out_change_no_score(cells, edges, tmp_path, monkeypatch):
    is_own = edges["cell"] == "K562"
    fewer = edges[~is_own | (edges["target"] > "GENE13")].replace({"cell": {"K562": "K-562"}})
    found = []
    for name, lists in (("one", edges), ("other", fewer)):
        monkeypatch.setenv("GRNJAX_COMPENDIUM", str(tmp_path / name))
        for source in make_compendium(lists).sources:
            add_own(source)
        found.append(grnjax.infer(cells, method=LOOK_UP, tfs=TFS).edges)
    assert len(fewer) < len(edges)
    pd.testing.assert_frame_equal(*found)


@pytest.mark.usefixtures("own_lists")
def test_a_file_and_nothing_else(cells, tmp_path):
    network = grnjax.infer(cells)
    assert network.method == "compendium" and len(network.edges)
    with pytest.raises(ConfigError, match="species.* tells whose lists count"):
        grnjax.infer(cells, method="pearson", species="human", tfs=list(cells)[:5])


def test_other_species_and_unknown_genes_are_one_sentence(cells, monkeypatch, tmp_path):
    monkeypatch.setenv("GRNJAX_COMPENDIUM", str(tmp_path))
    bacteria = cells.rename(columns={name: f"yab{name.lower()}" for name in cells})
    for table, kind, words in (
        (bacteria, ConfigError, "neither human"),
        (cells, GeneMismatchError, "no list of human has"),
    ):
        with pytest.raises(kind, match=words) as refusal:
            grnjax.infer(table, method=CompendiumMethod(), tfs=list(table)[:5])
        assert "method='grnboost2'" in str(refusal.value)
        assert not re.search(r"\.\s+[A-Z]", str(refusal.value))
