"""`grnjax infer --method=enhancer` on files as users have them, and what it says of wrong ones."""

import json

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest

from grnjax.data.multiome_files import write_multiome
from grnjax.data.multiome_simulator import MultiomeConfig, simulate_multiome

QUICK = ["--method=enhancer", "--method.tf-gene.importance=ridge"]


@pytest.fixture(scope="module")
def compile_quickly():
    """Not here: these runs compute more than they compile."""


@pytest.fixture(scope="module")
def data():
    return simulate_multiome(MultiomeConfig(), seed=0)


@pytest.fixture(scope="module")
def files(data, tmp_path_factory):
    """A multiome as 10x writes it, and as MuData, with the files beside it."""
    folder = tmp_path_factory.mktemp("multiome")
    files = write_multiome(data, folder)
    rna, atac = data.to_anndata()
    files["mudata"] = folder / "x.h5mu"
    with h5py.File(files["mudata"], "w", userblock_size=512) as file:
        anndata.io.write_elem(file, "obs", pd.DataFrame(index=rna.obs_names))
        for name, part in (("rna", rna), ("atac", atac)):
            anndata.io.write_elem(file.require_group("mod"), name, part)
    return files


def arguments(files, source="multiome", **changes):
    """The words of a run; None leaves a flag out."""
    flags = {
        "tfs": files["tfs"],
        "method.atac": files[source],
        "method.motifs": files["hits"],
        "method.sites": files["sites"],
        "method.groups": files["groups"],
    }
    flags |= {name.replace("__", "."): value for name, value in changes.items()}
    words = [f"--{name}={value}" for name, value in flags.items() if value is not None]
    return ["infer", files[source], *QUICK, *words]


@pytest.fixture(scope="module")
def ran(cli, files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("enhancer") / "run"
    outcome = cli(*arguments(files), "--out", folder)
    assert outcome.status == 0, outcome.err
    return folder, outcome


def test_one_file_of_10x_gives_regulons_and_a_ranking(ran, data):
    folder, outcome = ran
    edges = pd.read_csv(folder / "edges.tsv", sep="\t")
    regulons = pd.read_csv(folder / "eregulons.tsv", sep="\t")
    assert regulons["eRegulon_name"].nunique() >= 10
    assert set(regulons["evidence"]) == {"rna+atac, paired"}
    truth = pd.MultiIndex.from_frame(data.edges[["tf", "target"]])
    best = pd.MultiIndex.from_frame(edges[["TF", "target"]].head(100))
    assert best.isin(truth).mean() > 0.3 > 3 * len(truth) / len(edges) / 2
    record = json.loads((folder / "run.json").read_text())
    found, settings = record["found"], record["config"]["method"]
    assert found["cells"]["shared_cells"] == 1000 and found["seed"] == 0
    assert found["regulons"]["triplets"] == len(regulons)
    cuts = {"permutations": 1000, "most_p": 0.05, "most_q": 0.01, "fewest_targets": 10}
    assert cuts.items() <= settings["leading_edge"].items()
    assert {"method/atac", "method/motifs", "method/sites", "method/groups"} <= {*record["inputs"]}
    assert "eregulons.tsv" in record["outputs"] and "Report: " in outcome.out


@pytest.mark.slow
def test_mudata_gives_the_same_bytes(ran, cli, files, tmp_path):
    folder, _ = ran
    outcome = cli(
        *arguments(files, "mudata", method__groups="cell_type"), "--out", tmp_path / "run"
    )
    assert outcome.status == 0, outcome.err
    for name in ("edges.tsv", "eregulons.tsv"):
        assert (tmp_path / "run" / name).read_bytes() == (folder / name).read_bytes()


def test_the_same_command_has_finished_and_other_motifs_are_another_run(ran, cli, files, tmp_path):
    folder, _ = ran
    assert "already finished" in cli(*arguments(files), "--out", folder).err
    moved = tmp_path / "moved.tsv"
    moved.write_bytes(files["hits"].read_bytes())
    outcome = cli(*arguments(files, method__motifs=moved), "--out", folder)
    assert outcome.status == 0 and "already finished" in outcome.err
    moved.write_text("".join(moved.read_text().splitlines(True)[:-1]))
    outcome = cli(*arguments(files, method__motifs=moved), "--out", folder)
    assert outcome.status == 2 and "holds another run" in outcome.err


@pytest.mark.slow
def test_known_edges_judge_it(cli, files, data, tmp_path, monkeypatch):
    monkeypatch.setattr("grnjax.tasks.judging.MOST_TRIVIAL_CANDIDATES", 0)
    data.edges[["tf", "target"]].to_csv(tmp_path / "known.tsv", sep="\t", index=False)
    words = [f"--network={tmp_path / 'known.tsv'}", "--folds=2", f"--out={tmp_path / 'run'}"]
    outcome = cli(*arguments(files), *words)
    assert outcome.status == 0, outcome.err
    rows = json.loads((tmp_path / "run/run.json").read_text())["metrics"]["rows"]
    assert np.mean([row["auroc"] for row in rows if row["method"] == "enhancer"]) > 0.85


def wrong_sites(files, folder):
    (folder / "other.bed").write_text("chr1\t10\t11\tNOBODY\n")
    return {"method__sites": folder / "other.bed"}


def far_sites(files, folder):
    far = pd.read_csv(files["sites"], sep="\t", header=None).assign(**{"0": "chr9"})
    far[0] = "chr9"
    far[[0, 1, 2, 3]].to_csv(folder / "far.bed", sep="\t", index=False, header=False)
    return {"method__sites": folder / "far.bed"}


WRONG = {
    "no sites": (
        lambda *_: {"method__sites": None},
        "enhancer with --method.atac needs --method.s",
    ),
    "no motifs": (lambda *_: {"method__motifs": None}, "with --method.atac needs --method.motifs"),
    "sites alone": (
        lambda files, _: {"method__atac": None, "method__motifs": None},
        "--method.sites says nothing without --method.atac",
    ),
    "factors alone": (
        lambda files, _: {
            "method__atac": None,
            "method__motifs": None,
            "method__sites": None,
            "method__factors": files["tfs"],
        },
        "--method.factors says nothing without --method.motifs",
    ),
    "pairing alone": (
        lambda files, _: {
            "method__atac": None,
            "method__motifs": None,
            "method__sites": None,
            "method__pairing": "paired",
        },
        "--method.pairing=paired says how RNA and ATAC go together",
    ),
    "no column": (
        lambda *_: {"method__groups": "cell_tpye"},
        "--method.groups=cell_tpye is neither a file nor a column of .obs, which has none",
    ),
    "other groups": (
        lambda files, _: {"method__groups": files["truth"]},
        "names a group for none of the 1,000 cells of the expression",
    ),
    "unpaired without groups": (
        lambda *_: {"method__pairing": "unpaired", "method__groups": None},
        "unpaired cells are brought together by their types: give --method.groups=COLUMN",
    ),
    "sites of nobody": (wrong_sites, "name none of the 600 genes of the run"),
    "sites elsewhere": (far_sites, "lies within 150,000 bases of a start site of 600 genes (chr9)"),
    "text as atac": (
        lambda files, _: {"method__atac": files["hits"]},
        "text is not read as accessibility",
    ),
    "no file": (lambda *_: {"method__atac": "nowhere.h5"}, "nowhere.h5: cannot be read"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_in_one_sentence(what, cli, files, tmp_path):
    change, words = WRONG[what]
    outcome = cli(*arguments(files, **change(files, tmp_path)), "--out", tmp_path / "run")
    assert outcome.status == 2 and not (tmp_path / "run").exists()
    complaint = outcome.err.splitlines()[-1]
    assert complaint.startswith("grnjax infer: ") and words in complaint, outcome.err


@pytest.mark.slow
def test_a_column_of_rna_and_of_atac_names_the_groups_of_unpaired_cells(cli, tmp_path):
    data = simulate_multiome(MultiomeConfig(paired=False), seed=0)
    rna, atac = data.to_anndata()
    rna.write_h5ad(tmp_path / "rna.h5ad")
    atac.write_h5ad(tmp_path / "atac.h5ad")
    (tmp_path / "tfs.txt").write_text("\n".join(data.tfs))
    for name, table, headed in (("hits", data.hits, True), ("sites", data.sites, False)):
        table.to_csv(tmp_path / name, sep="\t", index=False, header=headed)
    words = [
        f"--method.{name}={tmp_path / path}"
        for name, path in (("atac", "atac.h5ad"), ("motifs", "hits"), ("sites", "sites"))
    ]
    outcome = cli(
        "infer",
        tmp_path / "rna.h5ad",
        f"--tfs={tmp_path / 'tfs.txt'}",
        *QUICK,
        *words,
        "--method.groups",
        "cell_type",
        "--out",
        tmp_path / "run",
    )
    assert outcome.status == 0, outcome.err
    assert "cells are taken as unpaired (0 barcodes shared)" in outcome.err
    regulons = pd.read_csv(tmp_path / "run/eregulons.tsv", sep="\t")
    assert set(regulons["evidence"]) == {"rna+atac, unpaired"}
