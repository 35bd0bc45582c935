"""ULM through decoupler, and the tables of groups that `grnjax activity` writes."""

import sys

import anndata
import numpy as np
import pandas as pd
import pytest

import grnjax
from grnjax.config import replace
from grnjax.errors import ConfigError

GENES = [f"G{i}" for i in range(40)]
TABLE = pd.DataFrame(
    [("TFA", f"G{i}", 1.0) for i in range(6)] + [("TFA", f"G{i}", -1.0) for i in range(6, 12)],
    columns=["source", "target", "weight"],
)


@pytest.fixture(scope="module")
def cells():
    """In type `on` the targets of TFA that it activates are high, and the repressed ones low."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(4, (60, 40)).astype(np.float32)
    counts[:30, :6] += 12
    counts[:30, 6:12] = 0
    obs = pd.DataFrame({"type": ["on"] * 30 + ["off"] * 30}, index=[f"c{i}" for i in range(60)])
    return anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=GENES))


def ulm():
    return replace(grnjax.ActivityConfig(), {"method": "ulm", "table.signs": "ignore"})


def test_without_decoupler_one_sentence_says_what_to_install(cells, monkeypatch):
    monkeypatch.setitem(sys.modules, "decoupler", None)
    with pytest.raises(ConfigError, match="not installed: pip install decoupler"):
        grnjax.activity(cells, TABLE, config=ulm())


def test_ulm_reads_signs_and_is_that_of_decoupler(cells):
    decoupler = pytest.importorskip("decoupler", reason="the extra bench is not installed")
    found = grnjax.activity(cells, TABLE, groups="type", config=ulm())
    table = found.differences.set_index(["group", "regulon"])
    assert table.loc[("on", "TFA"), "auroc"] == 1
    logs = cells.to_df()
    logs = np.log1p(logs.div(logs.sum(axis=1), axis=0) * 10_000)
    expected, _ = decoupler.mt.ulm(logs, TABLE, tmin=1)
    np.testing.assert_allclose(found.auc["TFA"], expected["TFA"], rtol=1e-3)
    with pytest.raises(ConfigError, match="activities of 0 or more"):
        found.specificity  # noqa: B018
    again = grnjax.activity(cells, reference=found.to_anndata())
    np.testing.assert_allclose(again.auc["TFA"], found.auc["TFA"], rtol=1e-5)


def test_ulm_of_some_cells_at_a_time_is_that_of_all_and_an_empty_cell_has_0(cells, monkeypatch):
    pytest.importorskip("decoupler", reason="the extra bench is not installed")
    cells = cells.copy()
    cells.X[7] = 0
    whole = grnjax.activity(cells, TABLE, config=ulm()).auc["TFA"]
    monkeypatch.setattr("grnjax.data.linear_activity.VALUES_AT_ONCE", 5 * len(GENES))
    parts = grnjax.activity(cells, TABLE, config=ulm()).auc["TFA"]
    np.testing.assert_allclose(parts, whole, rtol=1e-5)
    assert parts.iloc[7] == 0 and abs(parts.drop(cells.obs_names[7])).min() > 0


@pytest.mark.slow
def test_tables_of_groups_are_written_and_lie_in_the_cells(cells, cli, tmp_path):
    cells.write_h5ad(tmp_path / "cells.h5ad")
    TABLE.to_csv(tmp_path / "net.tsv", sep="\t", index=False)
    words = (tmp_path / "cells.h5ad", "--regulons", tmp_path / "net.tsv", "--differences")
    words += ("--specificity", "--out", tmp_path / "on.h5ad")
    refused = cli("activity", *words)
    assert refused.status == 2 and "give --groups COLUMN" in refused.err
    outcome = cli("activity", *words, "--groups", "type", "--aucell.top-share", 0.3)
    assert outcome.status == 0, outcome.err
    assert "on: TFA(+) (1.00)" in outcome.out
    differences = pd.read_csv(tmp_path / "on.differences.tsv", sep="\t")
    best = differences.set_index(["group", "regulon"]).loc[("on", "TFA(+)")]
    assert best["q"] < 1e-5 and best["cells"] == 30
    scores = pd.read_csv(tmp_path / "on.specificity.tsv", sep="\t", index_col="group")
    assert scores.loc["on", "TFA(+)"] > scores.loc["off", "TFA(+)"]
    kept = anndata.read_h5ad(tmp_path / "on.h5ad")
    assert len(kept.uns["grn"]["differences"]) == len(differences)
    assert set(kept.uns["grn"]["specificity"]["group"]) == {"on", "off"}
    assert len(grnjax.type_network(kept, "on"))
    again = cli("activity", *words, "--groups", "type", "--aucell.top-share", 0.3)
    assert "already finished" in again.err


def test_types_are_needed_to_compare_them(cells):
    found = grnjax.activity(cells, TABLE)
    with pytest.raises(ConfigError, match="none are given: give groups"):
        found.differences  # noqa: B018
