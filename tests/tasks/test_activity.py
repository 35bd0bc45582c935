"""Activity from regulons and cells: planted patterns, what is counted, and other cells."""

import logging

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.metrics import roc_auc_score

import grnjax
from grnjax.data.regulon_store import read_activity
from grnjax.errors import ConfigError, ExpressionFormatError, GeneMismatchError
from grnjax.tasks.activity import ActivityConfig
from grnjax.tasks.reference_mapping import MappingConfig, find_neighbours

GENES, CELLS, SIZE = 600, 240, 25
TYPES = np.repeat(["one", "three", "two"], 80)


@pytest.fixture(scope="module")
def planted():
    """Counts in which R0 is on in type one, R1 in types one and two, R2 in a third of all cells."""
    rng = np.random.default_rng(0)
    on = np.stack([TYPES == "one", TYPES != "three", rng.random(CELLS) < 0.33], axis=1)
    targets = rng.permutation(GENES)[: 4 * SIZE].reshape(4, SIZE)  # R3 is on nowhere
    rate = np.tile(rng.gamma(0.6, 0.5, GENES) + 0.05, (CELLS, 1))
    for regulon in range(3):
        rate[np.ix_(on[:, regulon], targets[regulon])] += 6
    depth = rng.lognormal(0, 0.3, (CELLS, 1))
    counts = rng.poisson(rate * depth).astype(np.float32)
    names = np.array([f"G{i}" for i in range(GENES)])
    adata = anndata.AnnData(
        sparse.csr_matrix(counts),
        obs=pd.DataFrame({"type": TYPES}, index=[f"cell{i}" for i in range(CELLS)]),
        var=pd.DataFrame(index=names),
    )
    adata.obsm["X_pca"] = np.eye(3)[np.unique(TYPES, return_inverse=True)[1]] + rng.normal(
        0, 0.01, (CELLS, 3)
    )
    return adata, {f"R{i}": names[genes].tolist() for i, genes in enumerate(targets)}, on


@pytest.fixture(scope="module")
def found(planted):
    adata, sets, _ = planted
    return grnjax.activity(adata, sets, groups="type", seed=3)


def test_a_planted_pattern_is_recovered(planted, found):
    _, _, on = planted
    for regulon in range(3):
        assert roc_auc_score(on[:, regulon], found.auc[f"R{regulon}"]) > 0.99
        agree = (found.active[f"R{regulon}"] == on[:, regulon]).mean()
        assert agree > 0.95, f"R{regulon}: {agree}"
    assert found.thresholds["is_bimodal"][["R0", "R1", "R2"]].all()
    assert found.thresholds["threshold"]["R3"] < 0.2 * found.thresholds["threshold"]["R0"]
    in_type = pd.DataFrame(
        found.stored.type_active, found.stored.type_names, found.stored.regulons.names
    )
    assert in_type["R0"].to_dict() == {"one": True, "two": False, "three": False}
    assert in_type["R1"].to_dict() == {"one": True, "two": True, "three": False}


def test_the_order_of_genes_and_cells_changes_nothing(planted, found):
    adata, sets, _ = planted
    rng = np.random.default_rng(9)
    order = rng.permutation(CELLS)
    other = adata[order][:, rng.permutation(GENES)].copy()
    other.X = other.X.toarray().astype(np.float64)
    shuffled = {name: rng.permutation(genes).tolist() for name, genes in reversed(sets.items())}
    again = grnjax.activity(other, shuffled, groups="type", seed=3)
    pd.testing.assert_frame_equal(again.auc.loc[found.auc.index], found.auc)
    pd.testing.assert_frame_equal(again.active.loc[found.auc.index], found.active)
    pd.testing.assert_frame_equal(again.thresholds, found.thresholds)
    np.testing.assert_array_equal(again.stored.type_share, found.stored.type_share)


def test_a_copy_of_the_cells_gets_it_and_they_stay_as_they_are(planted, found):
    adata, _, _ = planted
    made = found.to_anndata(adata[::-1])
    assert "grn" not in adata.uns and not {"ereg_auc", "ereg_active"} & {*adata.obsm}
    assert made.obs_names.tolist() == adata.obs_names[::-1].tolist()
    np.testing.assert_array_equal(made.obsm["ereg_auc"], found.stored.activity[::-1])
    network = grnjax.cell_network(made, "cell7")
    assert set(network["regulon"]) == set(found.active.columns[found.active.loc["cell7"]])
    assert set(grnjax.type_network(made, "three")["regulon"]) <= {"R2", "R3"}
    with pytest.raises(ConfigError, match="the object has 239 cells, and not the 240"):
        found.to_anndata(adata[1:])


def test_networks_of_cells_are_what_models_read(found):
    networks = found.networks
    np.testing.assert_array_equal(networks.active, found.stored.active)
    np.testing.assert_array_equal(networks.type_active, found.stored.type_active)
    assert found.stored.type_names[networks.cell_type].tolist() == TYPES.tolist()


def test_regulons_without_enough_genes_are_named_and_low_ones_scored(planted, caplog):
    adata, sets, _ = planted
    sets = {
        "few": sets["R0"][:3],
        "low": sets["R0"] + [f"absent{i}" for i in range(20)],
        "whole": sets["R0"],
    }
    with caplog.at_level(logging.INFO, logger="grnjax"):
        found = grnjax.activity(adata, sets)
    assert found.auc.columns.tolist() == ["low", "whole"]
    np.testing.assert_array_equal(found.auc["low"], found.auc["whole"])
    assert "left out: 1 of 3 regulons" in caplog.text and "few" in caplog.text
    assert "1 regulons have less than 80% of their targets among the genes: low 56%" in caplog.text
    as_ctxcore = grnjax.activity(adata, sets, config=ActivityConfig(min_share=0.8))
    assert (as_ctxcore.auc["low"] == 0).all() and not as_ctxcore.active["low"].any()
    np.testing.assert_array_equal(as_ctxcore.auc["whole"], found.auc["whole"])
    with pytest.raises(GeneMismatchError, match="no regulon has 5 targets among its 600 genes"):
        grnjax.activity(adata, {"x": [f"ENSG{i:011d}" for i in range(30)]})


def test_cells_with_fewer_genes_than_ranks_are_counted(planted, caplog):
    adata, sets, _ = planted
    poor = adata.copy()
    poor.X = sparse.csr_matrix(poor.X.toarray() * (np.arange(CELLS) % 4 > 0)[:, None])
    with caplog.at_level(logging.WARNING, logger="grnjax"):
        found = grnjax.activity(poor, sets)
    assert found.report["cells_below_cut"] == 60
    assert "60 of 240 cells have fewer detected genes" in caplog.text


def test_other_cells_are_called_by_the_thresholds_of_the_reference(planted, found, tmp_path):
    adata, _, on = planted
    path = tmp_path / "reference.h5ad"
    found.to_anndata().write_h5ad(path)
    other = adata[10:90, np.random.default_rng(2).permutation(GENES)].copy()
    again = grnjax.activity(other, reference=path, groups="type")
    np.testing.assert_array_equal(again.stored.activity, found.stored.activity[10:90])
    np.testing.assert_array_equal(again.stored.active, found.stored.active[10:90])
    np.testing.assert_array_equal(again.stored.thresholds, found.stored.thresholds)
    assert again.stored.settings["thresholds"] == "reference"
    assert again.report["share_on_in_reference"] == pytest.approx(found.stored.active.mean())
    in_file = read_activity(again.to_anndata())
    assert set(in_file.universe) == set(adata.var_names)


def test_missing_genes_of_the_reference_count_as_zero_and_are_counted(planted, found, caplog):
    adata, _, _ = planted
    part = adata[:, :400].copy()
    extra = anndata.AnnData(
        np.full((CELLS, 50), 99, np.float32), var=pd.DataFrame(index=[f"new{i}" for i in range(50)])
    )
    extra.obs_names = part.obs_names
    other = anndata.concat([part, extra], axis=1)
    with caplog.at_level(logging.WARNING, logger="grnjax"):
        again = grnjax.activity(other, reference=found.to_anndata())
    assert "67% of the 600 genes of the reference were measured" in caplog.text
    zeroed = adata.copy()
    zeroed.X = sparse.csr_matrix(zeroed.X.toarray() * (np.arange(GENES) < 400))
    expected = grnjax.activity(zeroed, reference=found.to_anndata())
    np.testing.assert_array_equal(again.stored.activity, expected.stored.activity)
    foreign = adata.copy()
    foreign.var_names = [f"X{i}" for i in range(GENES)]
    with pytest.raises(GeneMismatchError, match="none of the 600 genes of the reference"):
        grnjax.activity(foreign, reference=found.to_anndata())


def test_thresholds_that_do_not_fit_are_said(planted, found, caplog):
    adata, _, _ = planted
    with caplog.at_level(logging.WARNING, logger="grnjax"):
        grnjax.activity(adata[TYPES == "one"].copy(), reference=found.to_anndata())
    assert "so the thresholds may not fit these cells" in caplog.text


# The nearest cells of a reference


def test_the_nearest_cells_lend_their_networks_and_types(planted, found, caplog):
    adata, _, on = planted
    reference = found.to_anndata()
    other = anndata.AnnData(obs=pd.DataFrame(index=["a", "b", "c"]), var=adata.var)
    other.X = np.ones((3, GENES), np.float32)
    other.obsm["X_pca"] = np.eye(3)
    with caplog.at_level(logging.INFO, logger="grnjax"):
        lent = grnjax.activity(other, reference=reference, groups="type", mapping=MappingConfig())
    assert lent.groups.tolist() == ["one", "three", "two"]
    made = lent.to_anndata()
    for cell in ("a", "b", "c"):
        lender = made.obs.loc[cell, "reference_cell"]
        expected = found.active.loc[lender]
        assert lent.active.loc[cell].tolist() == expected.tolist()
    assert lent.report["assigned"] == "nearest" and lent.report["median_similarity"] > 0.99
    assert lent.stored.settings["assigned"] == "nearest"
    assert lent.stored.settings["neighbours"] == 1
    several = grnjax.activity(
        other, reference=reference, groups="type", mapping=MappingConfig(neighbours=21)
    )
    assert several.active.loc["a", ["R0", "R1"]].all() and not several.active.loc["b", "R0"]
    assert several.groups.tolist() == ["one", "three", "two"]


def test_neighbours_are_those_of_a_brute_force_search_in_any_order():
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(size=(7, 4)), rng.normal(size=(30, 4)) + 3
    theirs[11] = theirs[3]  # two that are equally near
    names = np.array([f"n{i:02d}" for i in range(30)])
    places, similarity = find_neighbours(ours, theirs, 3, names=names)
    for cell in range(7):
        a, b = ours[cell] - theirs.mean(axis=0), theirs - theirs.mean(axis=0)
        cosine = b @ a / np.linalg.norm(b, axis=1) / np.linalg.norm(a)
        np.testing.assert_allclose(similarity[cell], np.sort(cosine)[::-1][:3], atol=1e-9)
        np.testing.assert_allclose(cosine[places[cell]], similarity[cell], atol=1e-9)
    assert find_neighbours(theirs[[3]], theirs, 1, names=names)[0].tolist() == [[3]]
    order = rng.permutation(30)
    again, _ = find_neighbours(ours, theirs[order], 3, names=names[order])
    np.testing.assert_array_equal(names[order][again], names[places])


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda a: a.obsm.clear(), "reference: .obsm has no 'X_pca'|.obsm has no 'X_pca'"),
        (lambda a: a.obsm.update(X_pca=np.ones((CELLS, 5))), "has 5 dimensions in"),
        (lambda a: a.obsm.update(X_pca=np.full((CELLS, 3), np.nan)), "no matrix of finite"),
    ],
)
def test_embeddings_that_do_not_fit_are_refused(change, words, planted, found):
    other = planted[0].copy()
    change(other)
    with pytest.raises(ConfigError, match=words):
        grnjax.activity(other, reference=found.to_anndata(), mapping=MappingConfig())


@pytest.mark.parametrize(
    "settings, words",
    [
        ({}, "either regulons or a reference"),
        ({"regulons": {"A": ["G1"]}, "reference": 1}, "either regulons or a reference"),
        ({"regulons": {"A": ["G1"]}, "mapping": MappingConfig()}, "mapping needs a reference"),
        ({"regulons": {"A": ["G1"]}, "seed": -1}, "seed=-1 is no whole number"),
        ({"regulons": {"R": "G1 G2".split()}, "groups": "kind"}, "no column 'kind'"),
    ],
)
def test_calls_that_cannot_be_meant_are_refused(settings, words, planted):
    with pytest.raises(ConfigError, match=words):
        grnjax.activity(planted[0], **settings)


def test_values_without_ranks_are_refused(planted):
    adata, sets, _ = planted
    scaled = adata.copy()
    scaled.X = scaled.X.toarray() - 1
    with pytest.raises(ExpressionFormatError, match="negative.*DataConfig"):
        grnjax.activity(scaled, sets)
    assert len(grnjax.activity(scaled, sets, data=grnjax.DataConfig(scaled=True)).auc) == CELLS
    scaled.X[0, 0] = np.nan
    with pytest.raises(ExpressionFormatError, match="1 values are missing"):
        grnjax.activity(scaled, sets, data=grnjax.DataConfig(scaled=True))
