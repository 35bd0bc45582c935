"""`grnjax regulons`: from a run folder to files that `grnjax activity` and other programs read."""

import shutil

import numpy as np
import pandas as pd
import pytest

import grnjax
from grnjax.data.regulons import read_regulons
from grnjax.errors import ConfigError

FEW = ("--probability", 0.05, "--min-targets", 2)


@pytest.mark.slow
def test_a_folder_holds_all_forms_and_again_is_the_same(inferred, cli, tmp_path):
    first = cli("regulons", inferred, "--out", tmp_path / "out", *FEW)
    assert first.status == 0, first.err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"regulons.gmt", "regulons.json", "regulons.csv", "regulons.tsv"}
    every = [set(read_regulons(tmp_path / "out" / name).names) for name in sorted(names)]
    assert every[0] and all(one == every[0] for one in every)
    again = cli("regulons", inferred, "--out", tmp_path / "out", *FEW)
    assert (again.status, again.out) == (0, first.out)
    assert "probability >= 0.05" in first.out and "Written to" in first.out
    other = cli("regulons", inferred, "--out", tmp_path / "out", "--probability", 0.2)
    assert other.status == 2 and "holds something else" in other.err


@pytest.mark.slow
def test_a_file_has_the_form_of_its_name_or_the_one_asked_for(inferred, cli, tmp_path):
    assert cli("regulons", inferred, "--out", tmp_path / "a.gmt", *FEW).status == 0
    form = ("--form", "decoupler")
    assert cli("regulons", inferred, "--out", tmp_path / "a.csv", *form, *FEW).status == 0
    assert (tmp_path / "a.csv").read_text().startswith("source\ttarget\tweight\n")
    python = grnjax.read(inferred).regulons(probability=0.05, min_targets=2)
    assert read_regulons(tmp_path / "a.gmt").names.tolist() == python.names.tolist()
    missing = cli("regulons", inferred, "--out", tmp_path / "no/a.gmt", *FEW)
    assert missing.status == 2 and "is no folder" in missing.err


@pytest.mark.slow
def test_activity_takes_the_regulons(inferred, cli, small_set, tmp_path):
    assert cli("regulons", inferred, "--out", tmp_path / "a.json", *FEW).status == 0
    cells = small_set.arguments[0]
    files = ("--regulons", tmp_path / "a.json", "--out", tmp_path / "on.h5ad")
    outcome = cli("activity", cells, *files, "--min-targets", 2)
    assert outcome.status == 0, outcome.err


def test_a_run_is_read_back_whole(inferred, small_set):
    network = grnjax.read(inferred)
    edges = pd.read_csv(inferred / "edges.tsv", sep="\t")
    assert network.edges["target"].tolist() == edges["target"].tolist()
    np.testing.assert_allclose(network.edges["probability"], edges["probability"])
    assert network.method == "kernel-factor" and network.folder == inferred
    assert {row["method"] for row in network.rows} > {"kernel-factor", "TF rate"}
    assert network.calibration["slope"] and network.worth and network.about["seed"] == 5
    tfs = set(network.genes.names[network.genes.is_tf])
    assert tfs >= set(network.edges["tf"]) and "TF04" not in tfs - set(small_set.tfs)


def test_a_run_that_is_damaged_or_unfinished_is_refused(inferred, cli, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(inferred, run, ignore=shutil.ignore_patterns("checkpoints"))
    with open(run / "edges.tsv", "a") as file:
        file.write("TF00\tG1\t1\n")
    outcome = cli("regulons", run, "--out", tmp_path / "a.gmt")
    assert outcome.status == 2 and "edges.tsv is not as it was written" in outcome.err
    (run / "run.json").unlink()
    with pytest.raises(ConfigError, match="has not finished"):
        grnjax.read(run)
    outcome = cli("regulons", tmp_path, "--out", tmp_path / "a.gmt")
    assert outcome.status == 2 and "has no run.json" in outcome.err
    assert not (tmp_path / "a.gmt").exists()


def test_what_is_no_group_is_named(inferred, cli, tmp_path):
    outcome = cli("regulons", inferred, "--group", "B", "--out", tmp_path / "a.gmt")
    assert outcome.status == 2 and "holds one network and no groups" in outcome.err
