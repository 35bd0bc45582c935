"""What reads the outputs of other commands notices damage, links and folders of another kind."""

import shutil

import pytest

from grnjax.data.compendium.folder import VARIABLE, load_compendium
from grnjax.data.compendium.source import make_source, write_source
from grnjax.data.layouts import write_layout
from grnjax.errors import ConfigError
from grnjax.report.contents import Contents
from grnjax.report.group_activity import AbsentError, find_expression
from grnjax.tasks.record import digest_inputs
from tests.data.compendium.small import CHIP, make_about, make_edges
from tests.faults.commands import train_model, write_inputs
from tests.faults.damage import flip
from tests.faults.good_files import edges, write_market

pytestmark = pytest.mark.slow  # runs and a model are made first


@pytest.mark.parametrize("name", ["run.json", "edges.tsv"])
@pytest.mark.parametrize("command", [("report",), ("plot", "network"), ("regulons",)])
def test_a_damaged_run_is_refused_by_what_reads_it(name, command, inferred, cli, tmp_path):
    run, out = shutil.copytree(inferred, tmp_path / "run"), tmp_path / "out.png"
    flip(run / name)
    outcome = cli(command[0], run, *command[1:], "--out", out)
    assert outcome.status == 2 and str(run / name) in outcome.err, outcome.err
    assert "makes it again" in outcome.err and not out.exists()


def test_a_report_that_was_changed_is_written_over_and_that_is_said(inferred, cli, tmp_path):
    pytest.importorskip("plotly")
    page = tmp_path / "page.html"
    assert "written over" not in cli("report", inferred, "--out", page).err
    whole = page.read_bytes()
    assert "written over" not in cli("report", inferred, "--out", page).err
    flip(page)
    assert f"{page} was there and held something else" in cli("report", inferred, "--out", page).err
    assert page.read_bytes() == whole


def test_a_network_is_not_written_over_another_file(tmp_path):
    table = edges().rename(columns={"TF": "tf", "importance": "weight"})
    write_layout(table, tmp_path / "x.tsv", "scenic")
    write_layout(table, tmp_path / "x.tsv", "scenic")  # the same again
    flip(tmp_path / "x.tsv")
    with pytest.raises(ConfigError, match="x.tsv exists and holds something else"):
        write_layout(table, tmp_path / "x.tsv", "scenic")
    (tmp_path / "link.tsv").symlink_to(tmp_path / "x.tsv")
    with pytest.raises(ConfigError, match="link.tsv is a link"):
        write_layout(table, tmp_path / "link.tsv", "scenic")


def test_a_link_among_the_lists_of_the_user_is_refused(tmp_path, monkeypatch):
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv(VARIABLE, str(own))
    write_source(make_source(make_edges(CHIP), make_about("mine")), own / "mine.npz")
    (own / "mine.npz").rename(tmp_path / "elsewhere.npz")
    (own / "mine.npz").symlink_to(tmp_path / "elsewhere.npz")
    with pytest.raises(ConfigError, match="mine.npz is a link"):
        load_compendium()
    load_compendium(with_own=False)


def test_a_folder_of_10x_is_found_again_by_the_report(tmp_path):
    folder = tmp_path / "sample"
    folder.mkdir()
    write_market(folder / "matrix.mtx")
    inputs = digest_inputs({"expression": folder})
    contents = Contents(
        record={"config": {"expression": str(folder)}, "inputs": inputs}, edges=None
    )
    assert find_expression(contents) == folder
    (folder / "barcodes.tsv").write_text("other\n")
    with pytest.raises(AbsentError, match="sample has changed since the run"):
        find_expression(contents)


def test_a_run_that_holds_no_model_is_named_as_such(inferred, cli, tmp_path):
    words = ("pretrain", tmp_path / "cells.h5ad", "--model", inferred, "--out", tmp_path / "run")
    outcome = cli(*words)
    assert outcome.status == 2
    assert f"{inferred} is a folder of a run, but holds no converted model" in outcome.err


def test_sizes_that_no_memory_holds_or_the_genes_decide_are_refused_before_training(cli, tmp_path):
    write_inputs(tmp_path)
    words = [*train_model(tmp_path), "--out", tmp_path / "run"]

    def train_with(setting):
        return cli(*(setting if word == "width=8" else word for word in words))

    outcome = train_with("width=99999998")
    assert outcome.status == 2 and "GB to train before any cell" in outcome.err, outcome.err
    assert "smaller --settings" in outcome.err and not (tmp_path / "run").exists()
    outcome = train_with("vocabulary=3")
    assert outcome.status == 2 and "vocabulary is counted and no choice" in outcome.err
