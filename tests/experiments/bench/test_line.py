import json

import pytest

from experiments.bench import line as lines
from experiments.bench import tables


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A bench whose lines are kept in a temporary folder."""
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    return lines.BenchFile("things")


def test_a_ratio_above_one_means_that_ours_is_faster(bench, capsys):
    bench.add("case", "s", 2.0, 5.0, 12.34, compile_s=1.0)
    printed = json.loads(capsys.readouterr().out)
    assert printed["ratio"] == 2.5 and printed["peak_mib"] == 12
    assert printed["hardware"] and printed["versions"]["jax"]


def test_a_new_run_replaces_the_lines_of_the_last_one(bench):
    bench.add("old", "s", 1.0, 2.0, None)
    again = lines.BenchFile("things")
    again.add("new", "s", 1.0, 2.0, None)
    assert [json.loads(x)["case"] for x in again.path.read_text().splitlines()] == ["new"]


def test_the_table_has_claims_alone_and_marks_what_is_extrapolated(bench):
    bench.add("fast", "ms", 2.0, 1234.5, None, compile_s=0.25)
    bench.add("whole", "s", 2.0, 4.0, None, compile_s=3.0, extrapolated=True)
    bench.add("context", "ms", 9.0, 9.0, None, info=True)
    text = tables.bench_table("things")
    assert "| fast | 2 ms | 1,234 ms | 617 |" in text
    assert "| whole | 2 s | 4 s* | 2 |" in text
    assert "context" not in text
    assert "0.2 to 3.0 s, is counted" in text


def test_the_time_to_quality_is_that_of_the_first_score_that_reaches_it():
    run = lines.Run([1.0], [(1.0, 0.2), (2.0, 0.4), (3.0, 0.3), (4.0, 0.5)], 0.0)
    assert run.until(0.3) == 2.0
    assert run.until(0.6) == float("inf")
