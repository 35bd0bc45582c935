"""`grnjax data` from end to end: an archive is served, verified, built and read; files convert."""

import hashlib
import http.server
import io
import json
import os
import threading
import zipfile
from functools import partial

import numpy as np
import pandas as pd
import pytest

from grnjax.data.beeline import read_folder
from grnjax.data.edges import read_edges
from grnjax.data.sets import find_sets

GENES = ["SOX2", "MYC", *(f"G{i}" for i in range(6))]
RECORD = 3701939


def pack(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


@pytest.fixture
def site(tmp_path):
    """A folder laid out as Zenodo's addresses are: a record and two archives, of mDC alone."""
    values = np.random.default_rng(0).random((len(GENES), 5)).round(4)
    matrix = pd.DataFrame(values, GENES, [f"c{i}" for i in range(5)])
    ordering = pd.DataFrame({"VGAMpValue": 1e-9, "Variance": range(len(GENES))}, GENES)
    folder = "BEELINE-data/inputs/scRNA-Seq/mDC"
    archives = {
        "BEELINE-data.zip": pack(
            {
                f"{folder}/ExpressionData.csv": matrix.to_csv(),
                f"{folder}/GeneOrdering.csv": ordering.to_csv(),
                f"{folder}/PseudoTime.csv": ",PseudoTime\nc0,0\n",
            }
        ),
        "BEELINE-Networks.zip": pack(
            {
                "mouse-tfs.csv": "TF,Sources\nSOX2,x\nMYC,x\n",
                "Networks/mouse/mDC-ChIP-seq-network.csv": "Gene1,Gene2\nSOX2,G1\nMYC,G2\n",
                "Networks/mouse/Non-Specific-ChIP-seq-network.csv": "Gene1,Gene2\nMYC,G3\n",
                "Networks/mouse/STRING-network.csv": "Gene1,Gene2\nMYC,SOX2\n",
            }
        ),
    }
    root = tmp_path / "site"
    files = root / f"records/{RECORD}/files"
    files.mkdir(parents=True)
    (root / "api/records").mkdir(parents=True)
    stated = []
    for name, content in archives.items():
        (files / name).write_bytes(content)
        checksum = f"md5:{hashlib.md5(content).hexdigest()}"
        stated.append({"key": name, "size": len(content), "checksum": checksum})
    (root / f"api/records/{RECORD}").write_text(json.dumps({"files": stated, "metadata": {}}))
    return root


@pytest.fixture
def served(site, monkeypatch):
    """The address at which the folder is served."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=site))
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_set_is_fetched_verified_built_and_read(served, cli, tmp_path):
    out = tmp_path / "data"
    outcome = cli("data", "fetch", "beeline", "--out", out, "--server", served)
    assert outcome.status == 0, outcome.err
    assert "beeline_labels/Specific/mDC/TFs+500: 8 genes, 2 tfs, 2 edges" in outcome.out
    assert f"--data.root={out}" in outcome.out
    folder = read_folder(out / "beeline_labels/Specific/mDC/TFs+500")
    assert folder.genes == sorted(GENES) and folder.tfs == ["MYC", "SOX2"]
    sets = find_sets(out, "*/mDC/TFs+500")
    assert [found.network for found in sets] == ["Non-Specific", "STRING", "Specific"]
    assert all([path.name for path in found.expression] == ["mDC_full.csv.gz"] for found in sets)
    assert sorted(os.listdir(out)) == [
        "archives",
        "beeline_expression",
        "beeline_labels",
        "built.json",
    ]
    again = cli("data", "fetch", "beeline", "--out", out, "--server", "http://127.0.0.1:9")
    assert again.status == 0, again.err  # all is there, so no server is asked
    assert "7 files and folders were there already and are unchanged" in again.out


def test_a_wrong_checksum_is_refused_and_nothing_is_left(served, site, cli, tmp_path):
    path = site / f"records/{RECORD}/files/BEELINE-data.zip"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    outcome = cli("data", "fetch", "beeline", "--out", tmp_path / "data", "--server", served)
    assert outcome.status == 2
    [message] = [line for line in outcome.err.splitlines() if "grnjax data: " in line]
    assert "do not have the md5 that the record states" in message
    assert [path for path in (tmp_path / "data").rglob("*") if path.is_file()] == []


def test_archives_on_a_disk_are_taken_instead(site, cli, tmp_path):
    archives = sorted(site.rglob("*.zip"))
    outcome = cli("data", "fetch", "beeline", "--out", tmp_path / "data", "--archive", *archives)
    assert outcome.status == 0, outcome.err
    assert (tmp_path / "data/beeline_expression/mDC_full.csv.gz").is_file()
    assert "13 files are not in the archives" in outcome.err
    built = json.loads((tmp_path / "data/built.json").read_text())
    assert built["archives"] == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in archives
    }


def test_the_catalogue_and_the_help_say_what_there_is(cli):
    listed = cli("data", "list").out
    assert "beeline" in listed and "BEELINE-data.zip (262 MB)" in listed and "3701939" in listed
    for args in ([], ["--help"]):
        shown = cli("data", *args)
        assert shown.status == 0 and "grnjax data fetch NAME" in shown.out
    assert "stay in" in cli("data", "fetch", "--help").out
    assert "always tab separated" in " ".join(cli("data", "convert", "--help").out.split())


@pytest.mark.parametrize(
    "args, message",
    [
        (["fetch", "x"], "grnjax data fetch knows no set x; it knows beeline."),
        (["fetch"], "grnjax data fetch needs NAME"),
        (
            ["send"],
            "grnjax data has no command send; it has list, fetch, convert, motifs, compendium.",
        ),
        (["fetch", "beeline", "--archive", "absent.zip"], "absent.zip: No such file"),
        (["convert", "absent.csv", "x.tsv"], "absent.csv: cannot be read (No such file"),
    ],
)
def test_mistakes_get_one_sentence(args, message, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = cli("data", *args)
    assert outcome.status == 2 and message in outcome.err
    assert outcome.err.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_networks_are_converted_there_and_back(cli, tmp_path):
    source = tmp_path / "regulons.csv"
    source.write_bytes(b"source,target,weight\r\nA,B,-0.5\r\nA,C,2\r\nA,A,3\r\nA,C,1\r\n")
    outcome = cli("data", "convert", source, tmp_path / "x.h5ad", "--method-id", "mine")
    assert outcome.status == 0, outcome.err
    assert ": 2 edges" in outcome.err
    assert "1 self loops of" in outcome.out and "1 repeated pairs of" in outcome.out
    outcome = cli("data", "convert", tmp_path / "x.h5ad", tmp_path / "y.csv", "--layout=beeline")
    assert outcome.status == 0, outcome.err
    assert (tmp_path / "y.csv").read_text() == ("Gene1\tGene2\tEdgeWeight\nA\tC\t2.0\nA\tB\t-0.5\n")
    outcome = cli("data", "convert", tmp_path / "y.csv", tmp_path / "z.tsv")
    assert "z.tsv: 2 edges, 1 signs left out" in outcome.err
    assert list(pd.read_csv(tmp_path / "z.tsv", sep="\t")) == ["TF", "target", "importance"]
    assert read_edges(tmp_path / "z.tsv")["weight"].tolist() == [2.0, 0.5]
