"""`grnjax compare`: a line a method, the same splits for all, a row at a time."""

import importlib.util
import json
import sys
from types import SimpleNamespace

import pandas as pd
import pytest

from grnjax.cli.compare import PICTURE, TABLE, write_files
from grnjax.methods.method import MethodConfig
from grnjax.storage.files import read_json_lines

NAMED = ("GNNLink", "compendium", "pearson")
SETTINGS = ("GNNLink.training.epochs=4", "GNNLink.model.widths=8")


@pytest.fixture
def few_methods(monkeypatch):
    """As if there were these methods alone; lists of no cell are known of the genes of this set."""
    monkeypatch.setattr(MethodConfig, "NAMED", {name: MethodConfig.NAMED[name] for name in NAMED})


@pytest.mark.slow
def test_all_methods_make_one_table_with_their_costs_and_a_run_resumes(
    few_methods, genelink_folder, cli, tmp_path
):
    folder, out = genelink_folder(), tmp_path / "run"
    words = ["compare", folder, "--draws", 2, "--settings", *SETTINGS, "--out", out]
    outcome = cli(*words)
    assert outcome.status == 0, outcome.err
    assert "compendium is left out: " in outcome.out
    table = pd.read_csv(out / "comparison.tsv", sep="\t", index_col="method")
    assert {"GNNLink", "pearson", "TF rate", "additive logistic"} <= {*table.index}
    costs = table.loc[["GNNLink", "pearson"], ["seconds", "cpu_seconds"]]
    assert (costs > 0).all(axis=None) and table.loc["TF rate", "seconds":].isna().all()
    assert table["average_precision"].is_monotonic_decreasing
    assert (out / "comparison.png").read_bytes()[1:4] == b"PNG"
    rows = read_json_lines(out / "metrics.jsonl")
    assert {(row["method"], row["draw"]) for row in rows} >= {("GNNLink", 0), ("GNNLink", 1)}

    lines = (out / "metrics.jsonl").read_text().splitlines(keepends=True)
    kept = [x for x in lines if (json.loads(x)["method"], json.loads(x)["draw"]) != ("GNNLink", 1)]
    (out / "metrics.jsonl").write_text("".join(kept))
    (out / "run.json").unlink()
    assert cli(*words).status == 0
    again = read_json_lines(out / "metrics.jsonl")
    assert again[: len(kept)] == [json.loads(x) for x in kept] and len(again) == len(rows)
    [before], [after] = (
        [x for x in found if (x["method"], x["draw"]) == ("GNNLink", 1)] for found in (rows, again)
    )
    costs = {"seconds", "cpu_seconds", "peak_mib"}
    assert {k: before[k] for k in before.keys() - costs} == {
        k: after[k] for k in after.keys() - costs
    }


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["--methods", "GNNLinc"], "there is no method 'GNNLinc'; choose one of"),
        (
            ["--methods", "pearson", "--settings", "GNE.model.width=3"],
            "--settings GNE.model.width=3 is of none of the methods that are compared (pearson)",
        ),
        (
            ["--methods", "GNE", "--settings", "GNE.model.widht=3"],
            "--settings has no flag --model.widht",
        ),
    ],
)
def test_what_is_no_method_or_setting_is_refused_before_anything_is_read(
    words, complaint, cli, tmp_path
):
    outcome = cli("compare", tmp_path / "no-set", *words, "--out", tmp_path / "run")
    assert outcome.status == 2 and complaint in outcome.err, outcome.err
    assert not (tmp_path / "run").exists()


def test_without_matplotlib_it_is_said_what_to_install(monkeypatch, tmp_path, caplog):
    find = importlib.util.find_spec
    for name in [name for name in sys.modules if name.startswith("grnjax.plotting")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *_: None if name == "matplotlib" else find(name)
    )
    results = SimpleNamespace(table=pd.DataFrame({"auroc": [0.5]}))
    write_files(results, SimpleNamespace(out=tmp_path))
    assert "pip install 'grnjax[plot]'" in caplog.text and "None" not in caplog.text
    assert (tmp_path / TABLE).exists() and not (tmp_path / PICTURE).exists()
