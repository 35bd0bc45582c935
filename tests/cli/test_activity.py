"""`grnjax activity` end to end: what is written, what a second run does, what is refused."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import grnjax
from grnjax.data.regulon_store import read_activity
from tests.data.test_regulon_store import write_multimodal

GENES = [f"G{i}" for i in range(200)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Cells, their eRegulons and sets, in files."""
    folder, rng = tmp_path_factory.mktemp("cells"), np.random.default_rng(0)
    is_on = np.arange(80) < 40
    rate = rng.gamma(0.5, 1.0, 200) * np.ones((80, 1))
    rate[np.ix_(is_on, np.arange(20))] += 5
    adata = anndata.AnnData(
        sparse.csr_matrix(rng.poisson(rate).astype(np.float32)),
        obs=pd.DataFrame({"kind": np.where(is_on, "a", "b")}, index=[f"c{i}" for i in range(80)]),
        var=pd.DataFrame(index=GENES),
    )
    adata.obsm["X_pca"] = np.asarray(adata.X[:, :5].toarray() + rng.random((80, 5)))
    adata.write_h5ad(folder / "cells.h5ad")
    write_multimodal(adata, folder / "cells.h5mu")
    pd.DataFrame(adata.X.toarray().T, GENES, adata.obs_names).to_csv(folder / "cells.csv")
    table = pd.DataFrame({"TF": "G0", "Gene": GENES[:20], "Region": "chr1:1-2"})
    other = pd.DataFrame({"TF": "G7", "Gene": GENES[50:90], "Region": "chr1:7-9"})
    table = pd.concat([table, other]).assign(importance_TF2G=1.0, regulation=1, rho_R2G=0.4)
    table["eRegulon_name"] = table["TF"] + "_direct_+/+"
    table.to_csv(folder / "eregulons.tsv", sep="\t", index=False)
    return folder


@pytest.fixture(scope="module")
def written(folder, cli):
    words = ["--regulons", folder / "eregulons.tsv", "--groups", "kind", "--csv"]
    words += [folder / "auc.csv", "--out", folder / "out.h5ad", "--seed", 4]
    outcome = cli("activity", folder / "cells.h5ad", *words)
    assert outcome.status == 0, outcome.err
    return words, outcome


@pytest.mark.slow
def test_the_file_has_what_python_computes(folder, written):
    adata = anndata.read_h5ad(folder / "cells.h5ad")
    expected = grnjax.activity(adata, folder / "eregulons.tsv", groups="kind", seed=4)
    found = anndata.read_h5ad(folder / "out.h5ad")
    stored = read_activity(found)
    np.testing.assert_array_equal(stored.activity, expected.stored.activity)
    np.testing.assert_array_equal(stored.active, expected.stored.active)
    np.testing.assert_array_equal(stored.thresholds, expected.stored.thresholds)
    np.testing.assert_array_equal(found.X.toarray(), adata.X.toarray())
    assert set(grnjax.type_network(found, "a")["target"]) >= set(GENES[:20])
    assert "G0_direct_+/+" not in set(grnjax.type_network(found, "b")["regulon"])
    table = pd.read_csv(folder / "auc.csv", index_col="cell")
    np.testing.assert_allclose(table, expected.auc, rtol=1e-6)
    assert table.columns.tolist() == ["G0_direct_+/+", "G7_direct_+/+"]


def test_the_record_and_the_summary_say_what_was_done(folder, written):
    record = json.loads((folder / "out.json").read_text())
    assert record["command"] == "activity" and record["config"]["seed"] == 4
    assert set(record["inputs"]) >= {"regulons"} and set(record["outputs"]) == {
        "out.h5ad",
        "auc.csv",
    }
    assert record["report"]["types"]["a"] == {"cells": 40, "regulons": 1}
    assert [row["regulon"] for row in record["regulons"]] == ["G0_direct_+/+", "G7_direct_+/+"]
    out = written[1].out
    assert "80 cells, 2 regulons" in out and "a: 40 cells, 1 regulons" in out


def test_a_second_run_does_nothing_and_makes_again_what_was_damaged(folder, written, cli):
    words = ["activity", folder / "cells.h5ad", *written[0]]
    before = (folder / "out.h5ad").read_bytes()
    assert "has already finished; nothing to do" in cli(*words).err
    (folder / "auc.csv").write_text("damaged")
    outcome = cli(*words)
    assert outcome.status == 0 and "auc.csv is not as this command wrote it" in outcome.err
    assert (folder / "auc.csv").read_text().startswith("cell,G0_direct_+/+")
    again = anndata.read_h5ad(folder / "out.h5ad")
    assert len(before) and again.n_obs == 80


@pytest.mark.slow
def test_multimodal_files_and_tables_of_text_give_the_same(folder, written, cli, tmp_path):
    words = ["--regulons", folder / "eregulons.tsv", "--seed", 4, "--out"]
    outcome = cli("activity", folder / "cells.h5mu", *words, tmp_path / "out.h5mu")
    assert outcome.status == 0, outcome.err
    import h5py
    from anndata.io import read_elem

    with h5py.File(tmp_path / "out.h5mu") as file:
        rna, atac = read_elem(file["mod/rna"]), read_elem(file["mod/atac"])
    expected = read_activity(anndata.read_h5ad(folder / "out.h5ad"))
    np.testing.assert_array_equal(read_activity(rna).activity, expected.activity)
    assert atac.shape == (80, 3)
    outcome = cli("activity", folder / "cells.csv", *words, tmp_path / "text.h5ad")
    assert outcome.status == 0, outcome.err
    text = anndata.read_h5ad(tmp_path / "text.h5ad")
    assert text.obs_names.tolist() == rna.obs_names.tolist()
    np.testing.assert_array_equal(read_activity(text).activity, expected.activity)


@pytest.mark.slow
def test_a_reference_calls_other_cells_by_both_ways(folder, written, cli, tmp_path):
    words = ["--reference", folder / "out.h5ad", "--groups", "kind", "--out"]
    outcome = cli("activity", folder / "cells.h5ad", *words, tmp_path / "again.h5ad")
    assert outcome.status == 0, outcome.err
    expected = read_activity(anndata.read_h5ad(folder / "out.h5ad"))
    again = read_activity(anndata.read_h5ad(tmp_path / "again.h5ad"))
    np.testing.assert_array_equal(again.active, expected.active)
    outcome = cli(
        "activity", folder / "cells.h5ad", *words, tmp_path / "lent.h5ad", "--assign", "nearest"
    )
    assert outcome.status == 0, outcome.err
    lent = anndata.read_h5ad(tmp_path / "lent.h5ad")
    assert lent.obs["reference_cell"].tolist() == lent.obs_names.tolist()
    assert lent.obs["reference_type"].tolist() == lent.obs["kind"].tolist()
    np.testing.assert_array_equal(read_activity(lent).active, expected.active)
    assert json.loads((tmp_path / "lent.json").read_text())["report"]["assigned"] == "nearest"


@pytest.mark.slow
@pytest.mark.parametrize(
    "words, message",
    [
        ([], "give either --regulons TABLE, or --reference FILE"),
        (["--regulons", "eregulons.tsv", "--reference", "out.h5ad"], "give either --regulons"),
        (["--regulons", "eregulons.tsv", "--assign=nearest"], "--assign=nearest needs --reference"),
        (["--reference", "out.h5ad", "--mapping.neighbours=3"], "--mapping settings are those of"),
        (["--reference", "out.h5ad", "--aucell.cut=ceil"], "are those of the reference"),
        (["--regulons", "eregulons.tsv", "--out", "x.tsv"], "is no .h5ad or .h5mu"),
        (["--regulons", "eregulons.tsv", "--out", "cells.h5ad"], "is an input of this run"),
        (["--regulons", "eregulons.tsv", "--out", "cells.h5mu"], "was not written by this command"),
        (["--regulons", "eregulons.tsv", "--csv", "cells.csv"], "was not written by this command"),
        (["--regulons", "eregulons.tsv", "--out", "x.h5mu"], "only what was read from an .h5mu"),
        (["--regulons", "absent.tsv"], "absent.tsv: cannot be read"),
        (["--regulons", "cells.h5ad"], "no network"),
        (["--reference", "cells.h5ad"], "no activity of regulons"),
        (["--regulons", "eregulons.tsv", "--groups=type"], "has no column 'type' for --groups"),
        (["--regulons", "eregulons.tsv", "--min-targets=99"], "no regulon has 99 targets"),
        (["--regulons", "eregulons.tsv", "--aucell.top-share=0.005"], "1 ranks, and AUCell needs"),
        (
            [
                "--regulons",
                "eregulons.tsv",
                "--aucell.weighted",
                "--aucell.normalisation=decoupler",
            ],
            "weighted=true needs normalisation=ctxcore",
        ),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(words, message, folder, written, cli, monkeypatch):
    monkeypatch.chdir(folder)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    if "--out" not in words:
        words = [*words, "--out", "new.h5ad"]
    outcome = cli("activity", "cells.h5ad", *words)
    assert outcome.status == 2 and message in outcome.err.splitlines()[-1], outcome.err
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_help_shows_every_setting(cli):
    outcome = cli("activity", "--help-all")
    assert outcome.status == 0
    for flag in ("--regulons", "--aucell.normalisation", "--table.top", "--mapping.neighbours"):
        assert flag in outcome.out
