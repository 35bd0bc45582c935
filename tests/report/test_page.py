"""report.html is one small file made from the folder alone, with everything from data escaped."""

import json
import re
import shutil
import sys

import pytest

from grnjax.errors import ConfigError
from grnjax.report import page
from grnjax.report.contents import read_contents
from grnjax.report.payload import Payload, Regulon
from grnjax.storage.outputs import find_damage, write_result
from tests.report.conftest import EVIL, make_edges

pytest.importorskip("plotly", reason="the extra report is not installed")
pytest.importorskip("jinja2", reason="the extra report is not installed")


@pytest.fixture(scope="module")
def html(run_folder):
    return page.write_report(run_folder).read_text()


def test_it_is_under_6_mb_and_names_no_other_file(html):
    assert len(html.encode()) < 6_000_000
    own = html.replace(str(page.read_plotly()), "")
    assert (
        not re.search(r"""<\w[^<>]*\s(?:src|href)=(?!"#|"data:)""", own) and "url(http" not in own
    )


def test_what_comes_from_data_is_escaped(html):
    assert EVIL not in html and "&lt;img src=x" in html and "\\u003cimg src=x" in html


def test_the_sections_say_what_the_folder_holds(html):
    assert "strongest trivial row (absolute Pearson)" in html
    for title in ("How far to trust it", "Regulators", "What it rests on", "Data", "How to cite"):
        assert f">{title}</h2>" in html
    assert "grnjax infer cells.h5ad --method=kernel-factor --explain" in html
    assert "is not where the run found it" in html  # the cells


def test_the_run_stays_whole_and_the_report_comes_out_the_same(run_folder, html):
    assert find_damage(run_folder) == {}
    assert page.write_report(run_folder).read_text() == html


def test_another_file_and_what_is_refused(run_folder, cli, tmp_path, monkeypatch):
    outcome = cli("report", run_folder, "--out", tmp_path / "x.html")
    assert outcome.status == 0 and (tmp_path / "x.html").exists()
    refused = cli("report", tmp_path)
    assert refused.status == 2 and "no run.json" in refused.err
    monkeypatch.setitem(sys.modules, "plotly", None)
    refused = cli("report", run_folder)
    assert refused.status == 2 and "pip install 'grnjax[report]'" in refused.err
    assert refused.err.count("\n") == 1


def test_groups_that_lie_outside_of_the_run_are_not_read(group_folder, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(group_folder, folder)
    record = json.loads((folder / "run.json").read_text())
    record["groups"]["folders"]["B"] = "../elsewhere"
    told = {key: x for key, x in record.items() if key not in ("outputs", "digest", "run")}
    write_result(folder, told)
    with pytest.raises(ConfigError, match="outside of the run"):
        page.render_report(read_contents(folder))


def test_as_many_targets_as_there_is_room_for():
    edges = make_edges()
    own = [Regulon("", tf, part) for tf, part in edges.groupby("tf")]
    payload = Payload(regulons=own, terms=["motifs"])
    large, small = payload.fit(10**6), payload.fit(20_000)
    assert len(json.dumps(small, separators=(",", ":"))) <= 20_000
    counts = [len(value["regulons"][""]["TF00"]["edges"]) for value in (large, small)]
    assert counts[0] == 60 > counts[1] >= 1 and small["regulons"][""]["TF00"]["of"] == 60


def test_without_the_extra_infer_says_in_one_line_what_to_install(run_folder, monkeypatch, caplog):
    from grnjax.cli.report import make_report

    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert make_report(run_folder) is None
    assert "pip install 'grnjax[report]'" in caplog.text and caplog.text.count("\n") == 1
