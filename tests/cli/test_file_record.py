"""The record beside an output that is a file: damage of either is noticed."""

import json

import pytest

from grnjax.cli.file_record import begin_record, has_finished, write_record

ABOUT = {"command": "activity", "config": {"seed": 0}, "inputs": {"cells": "ab"}}


@pytest.fixture
def run(tmp_path):
    """A record, and the outputs of its finished run."""
    record, outputs = tmp_path / "out.json", [tmp_path / "out.h5ad"]
    with begin_record(record, ABOUT, outputs):
        outputs[0].write_text("cells")
    assert not has_finished(record, ABOUT, outputs)
    write_record(record, ABOUT, outputs, report={"share": 0.25})
    return record, outputs


def test_a_finished_run_is_known_and_one_of_an_earlier_version_too(run):
    record, outputs = run
    assert has_finished(record, ABOUT, outputs)
    told = json.loads(record.read_text())
    del told["digest"]
    record.write_text(json.dumps(told))
    assert has_finished(record, ABOUT, outputs)


def change_report(record, output):
    record.write_text(record.read_text().replace("0.25", "0.75"))


def add_a_blank(record, output):
    record.write_text(record.read_text() + " ")


def link(record, output):
    record.rename(record.with_name("moved"))
    record.symlink_to("moved")


def change_output(record, output):
    output.write_text("cellz")


@pytest.mark.parametrize(
    "harm, named", [(change_report, 0), (add_a_blank, 0), (link, 0), (change_output, 1)]
)
def test_damage_is_named(run, harm, named, caplog):
    record, [output] = run
    harm(record, output)
    assert not has_finished(record, ABOUT, [output])
    assert f"{(record, output)[named]} is not as this command wrote it" in caplog.text


def test_a_run_with_other_settings_is_told_of(run, caplog):
    record, outputs = run
    assert not has_finished(record, {**ABOUT, "config": {"seed": 1}}, outputs)
    assert f"{record} tells of a run with other config, and is written again" in caplog.text
