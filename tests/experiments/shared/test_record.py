"""Results files: rows come back as they went in, and how they were measured stands once a run."""

import json

import pytest

from experiments.shared import record

ROWS = [
    {
        "method": "a",
        "auroc": 0.1 + 0.2,
        "pairs": 7,
        "blocks": [{"x": 1, "y": None}, {"x": 2, "y": []}],
    },
    {"method": "b", "auroc": None, "pairs": 7, "blocks": []},
    {"method": "c", "auroc": 1, "pairs": 8},
]


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    return record.ResultsFile("study")


def test_rows_come_back_to_the_last_digit(results):
    for split in ("one", "two"):
        for row in ROWS:
            results.add([row], set="s", split=split, draw=0, seed=0)
    expected = [
        {"set": "s", "split": split, "draw": 0, "seed": 0, **row, "run": results.run}
        for split in ("one", "two")
        for row in ROWS
    ]
    assert record.read_rows("study") == expected == results.rows
    assert json.dumps(record.read_rows("study", split="two")) == json.dumps(
        [
            {key: row[key] for key in found}
            for row, found in zip(expected[3:], record.read_rows("study")[3:])
        ]
    )


def test_a_study_goes_on_where_it_was_cut_off(results):
    where = {"set": "s", "split": "one", "draw": 0, "seed": 0}
    results.add(ROWS[:2], **where)
    with open(results.path, "a") as file:
        file.write("[0.5, ")  # a line that a kill cut short
    again = record.ResultsFile("study")
    assert again.has(method="b", **where) and not again.has(method="c", **where)
    again.add(ROWS, **where)
    assert [row["method"] for row in record.read_rows("study")] == ["a", "b", "c"]
    assert record.read_rows("study") == again.rows


def test_provenance_stands_once_a_run(results):
    for row in ROWS:
        results.add([row], set="s", split="one", draw=0, seed=0)
    [(run, about)] = record.read_runs().items()
    assert {row["run"] for row in record.read_rows("study")} == {run}
    assert set(about) == {"commit", "command", "hardware", "versions"}
    assert record.record_run(about) == run and len(record.read_runs()) == 1


def test_every_measured_row_has_its_run():
    runs = record.read_runs()
    studies = [path.stem for path in record.RESULTS.glob("*.jsonl") if path.stem != record.RUNS]
    assert len(studies) > 20 and len(runs) > 50
    for study in studies:
        rows = record.read_rows(study)
        assert rows and {row["run"] for row in rows} <= set(runs), study
