import json

import pytest

from experiments.bench import line as lines
from experiments.bench import tables
from experiments.shared import record


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A bench whose lines are kept in a temporary folder."""
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    return lines.BenchFile("things")


def test_a_ratio_above_one_means_that_ours_is_faster(bench, capsys):
    bench.add("case", "s", 2.0, 5.0, 12.34, compile_s=1.0)
    printed = json.loads(capsys.readouterr().out)
    assert printed["ratio"] == 2.5 and printed["peak_mib"] == 12
    run = record.read_runs()[printed["run"]]
    assert run["hardware"] and run["versions"]["jax"]


def test_a_new_run_replaces_the_lines_of_the_last_one(bench):
    bench.add("old", "s", 1.0, 2.0, None)
    again = lines.BenchFile("things")
    again.add("new", "s", 1.0, 2.0, None)
    assert [row["case"] for row in record.read_rows("bench_things")] == ["new"]


def test_the_table_has_claims_alone_and_marks_what_is_extrapolated(bench):
    bench.add("fast", "ms", 2.0, 1234.5, None, compile_s=0.25)
    bench.add("whole", "s", 2.0, 4.0, None, compile_s=3.0, extrapolated=True)
    bench.add("context", "ms", 9.0, 9.0, None, info=True)
    text = str(tables.bench_table("things"))
    assert "| fast | 2 ms | 1,234 ms | 617 |" in text
    assert "| whole | 2 s | 4 s* | 2 |" in text
    assert "context" not in text
    assert "0.2 to 3.0 s, is counted" in text


def test_the_time_to_quality_is_that_of_the_first_score_that_reaches_it():
    run = lines.Run([1.0], [(1.0, 0.2), (2.0, 0.4), (3.0, 0.3), (4.0, 0.5)], 0.0)
    assert run.until(0.3) == 2.0
    assert run.until(0.6) == float("inf")


def test_agreement_of_rankings_stands_beside_the_times(bench):
    more = {"genes": 821, "ours_theirs": 0.94, "theirs_theirs": 0.93}
    bench.add("mDC", "s", 2.0, 30.0, None, peer_targets=821, **more)
    bench.add("large", "s", 2.0, 30.0, None, peer_targets=821, **{**more, "genes": 2000})
    record.write_rows("bench_unsupervised", record.read_rows("bench_things"))
    text = str(tables.inference_table())
    assert "| mDC | 2 s | 30 s | 15 | .940 | .930 |" in text
    assert "| large | 2 s | 30 s* |" in text


def test_walks_and_their_model_share_a_table(bench):
    bench.add("walk", "us", 0.05, None, None, steps_a_second=2e7)
    bench.add("fit", "s", 50.0, None, None, held_out_loss=6.27, unigram_entropy=6.45)
    record.write_rows("bench_walks", record.read_rows("bench_things"))
    text = str(tables.walks_table())
    assert "| walk | 0.05 us | 20.0 |  |  |" in text and "| fit | 50 s |  | 6.27 | 6.45 |" in text
