"""The first screen says whether to trust a network, in few lines and without inventing anything."""

import dataclasses

import numpy as np
import pytest

from grnjax.evaluation.trust import compare_rows
from grnjax.report.contents import Contents, read_contents
from grnjax.report.screen import write_screen
from grnjax.report.trust import tell_trust
from tests.report.conftest import make_edges, make_record, make_rows


@pytest.fixture(scope="module")
def contents(run_folder):
    return read_contents(run_folder)


def test_the_screen_fits_25_lines_of_100_columns(contents, run_folder):
    lines = write_screen(contents, run_folder, run_folder / "report.html").splitlines()
    assert len(lines) <= 25 and max(map(len, lines)) <= 100
    long = contents.edges.assign(target=contents.edges["target"] + "x" * 200)
    lines = write_screen(dataclasses.replace(contents, edges=long), run_folder, None).splitlines()
    assert len(lines) <= 25 and max(map(len, lines)) <= 100


def test_it_names_tfs_new_edges_grounds_and_the_report(contents, run_folder):
    text = write_screen(contents, run_folder, run_folder / "report.html")
    edges = contents.edges
    confident = edges[edges["probability"] >= 0.5]
    top = confident["tf"].value_counts()
    assert f"{top.iloc[0]} targets" in text and text.index("TF00") < text.index("TF01")
    new = edges[edges["status"] == "new"].iloc[0]
    assert f"{new['tf']} -> " in text and "motifs (by 0.200)" in text and "report.html" in text


def test_pairs_that_look_sure_are_counted_among_known_ones(contents):
    edges = contents.edges.assign(probability=0.2)
    edges.loc[edges.index[:40], "probability"] = 0.8
    edges["status"] = np.where(np.arange(len(edges)) < 10, "known", "new")
    told = tell_trust(dataclasses.replace(contents, edges=edges))
    expected = "Of 40 pairs of probability 0.5 or more, 25% are known, where 80% were expected."
    assert expected in told
    few = edges.assign(probability=0.2)
    assert not any("expected" in x for x in tell_trust(dataclasses.replace(contents, edges=few)))
    assumed = {"reliability_error": 0.1, "prevalence_assumed": 0.3, "prevalence_known": 0.1}
    metrics = {**contents.metrics, "calibration": assumed}
    record = {**contents.record, "metrics": metrics}
    told = tell_trust(dataclasses.replace(contents, edges=edges, record=record))
    assert any("0.100" in x for x in told) and not any("expected" in x for x in told)


def test_the_ratio_is_to_the_strongest_trivial_row_and_the_best_base_rate():
    found = compare_rows(make_rows("m", 6.0), "m", "known edges")
    assert found.strongest == "absolute Pearson" and found.base_rate == "degree product"
    assert found.times_strongest == pytest.approx(1.5, abs=0.05)
    assert found.times_base_rate == pytest.approx(2.0, abs=0.05)
    assert "6.0 times as often as chance" in found.sentence and found.is_clear


def test_a_method_that_a_trivial_row_beats_is_said_to_be_beaten():
    assert "trust that row more" in compare_rows(make_rows("m", 2.5), "m", "edges").sentence
    assert "chance could make" in compare_rows(make_rows("m", 4.0), "m", "edges").sentence


def test_no_trust_is_invented_where_nothing_judged():
    edges = make_edges()[["tf", "target", "importance"]]
    contents = Contents(record=make_record(method="pearson"), edges=edges)
    [told] = tell_trust(contents)
    assert told.startswith("Nothing judged this ranking") and "times" not in told
    text = write_screen(contents, contents.folder, None)
    assert "targets in the best 720" in text and " p 0" not in text


def test_files_of_the_method_itself_are_among_the_grounds():
    edges = make_edges()[["tf", "target", "importance"]]
    about = {"method": "enhancer", "evidence": {}, "blocks": []}
    inputs = {"expression": "0", "method/atac": "1", "method/motifs": "2"}
    own = Contents(record=make_record(**about, inputs=inputs), edges=edges)
    assert "expression in 100 cells with atac, motifs, by enhancer" in write_screen(
        own, own.folder, None
    )
    none = Contents(record=make_record(**about, inputs={"expression": "0"}), edges=edges)
    assert "expression in 100 cells alone, by enhancer" in write_screen(none, none.folder, None)
