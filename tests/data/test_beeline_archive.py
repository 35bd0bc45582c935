import gzip
import json
import stat
import zipfile

import numpy as np
import pandas as pd
import pytest

from grnjax.data import beeline_archive
from grnjax.data.beeline import read_folder
from grnjax.data.beeline_archive import build_sets
from grnjax.data.expression import DataConfig, read_expression
from grnjax.errors import ExpressionFormatError, GeneMismatchError, GrnjaxError

TFS = ["TF1", "TF2", "TF3"]
MESC_GENES = [*(name.title() for name in TFS), *(f"Gene{i}" for i in range(1, 7))]


def make_data(cells: dict[str, list[str]]) -> dict[str, str]:
    """The files of BEELINE-data.zip for cell types with these genes; the last one never varies."""
    files = {}
    for cell, genes in cells.items():
        values = np.random.default_rng(len(genes)).random((len(genes), 4)).round(3)
        columns = [f"c{i}" for i in range(4)]
        matrix = pd.DataFrame(values, genes, columns)
        ordering = pd.DataFrame(
            {"VGAMpValue": [1e-9] * (len(genes) - 1) + [0.5], "Variance": range(len(genes))}, genes
        )
        folder = f"BEELINE-data/inputs/scRNA-Seq/{cell}"
        files[f"{folder}/ExpressionData.csv"] = matrix.to_csv()
        files[f"{folder}/GeneOrdering.csv"] = ordering.to_csv()
    return files


NETWORKS = {
    "human-tfs.csv": "TF,Sources\nTF1,x\n",
    "mouse-tfs.csv": "TF,Sources\r\nTF1,x\r\nTF2,x|y\r\nTF3,x\r\n",
    "Networks/mouse/mESC-ChIP-seq-network.csv": (
        "Gene1,Gene2,Score\nTF1,GENE1,3\nTF1,TF1,3\nTF1,GENE1,3\nGENE2,TF2,9\nTF2,GENE6,5\n"
    ),
    "Networks/mouse/Non-Specific-ChIP-seq-network.csv": "Gene1,Gene2\nTF2,GENE3\nTF9,GENE3\n",
    "Networks/mouse/STRING-network.csv": "Gene1,Gene2\nTF3,GENE4\nTF1,GENE5\n",
    "Networks/mouse/mESC-lofgof-network.csv": "Gene1,Gene2,Type\nTF1,GENE2,-\n",
}


@pytest.fixture
def write_zip(tmp_path):
    """Writes an archive of text files."""

    def write(name: str, files: dict[str, str]):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, text in files.items():
                archive.writestr(path, text)
        return tmp_path / name

    return write


@pytest.fixture
def archives(write_zip):
    """Both archives, with mESC alone."""
    data = make_data({"mESC": MESC_GENES})
    return [write_zip("BEELINE-data.zip", data), write_zip("BEELINE-Networks.zip", NETWORKS)]


def files_in(root) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_the_sets_built_are_what_the_readers_take(archives, tmp_path):
    root = tmp_path / "root"
    report = build_sets(archives, root)
    folder = read_folder(root / "beeline_labels/Specific/mESC/TFs+500")
    assert folder.genes == ["GENE1", "GENE2", "GENE3", "GENE4", "GENE5", *TFS]  # GENE6 never varies
    assert folder.tfs == ["GENE2", *TFS]  # every source of the network, as GENELink has it
    edges = folder.edges[["tf", "target"]].to_numpy().tolist()
    assert edges == [["TF1", "GENE1"], ["GENE2", "TF2"]]
    assert folder.edges.attrs["report"]["only_in_labels"] == 0
    assert folder.edges.attrs["report"]["only_in_network"] == 0

    packed = root / "beeline_expression/mESC_full.csv.gz"
    expected = make_data({"mESC": MESC_GENES})[
        "BEELINE-data/inputs/scRNA-Seq/mESC/ExpressionData.csv"
    ]
    assert gzip.decompress(packed.read_bytes()).decode() == expected
    expression = read_expression(packed, DataConfig(), set(folder.genes))
    assert expression.values.shape == (4, 9)

    name = "beeline_labels/Specific/mESC/TFs+500"
    assert report["built"][name] == {"genes": 8, "tfs": 4, "edges": 2}
    assert json.loads((root / "built.json").read_text())["built"] == report["built"]
    assert sorted({path.split("/")[1] for path in report["built"] if "labels" in path}) == [
        "LOFGOF",
        "Non-Specific",
        "STRING",
        "Specific",
    ]
    signed = read_folder(root / "beeline_labels/LOFGOF/mESC/TFs+1000")
    assert pd.read_csv(root / "beeline_labels/LOFGOF/mESC/TFs+1000/BL--network.csv").to_dict(
        "list"
    ) == {"Gene1": ["TF1"], "Gene2": ["GENE2"], "Type": [-1]}
    assert signed.tfs == TFS
    assert not list(root.rglob(".partial*"))


def test_the_size_limits_the_genes_that_are_no_tfs(write_zip, tmp_path):
    genes = [*TFS, *(f"G{i}" for i in range(700)), "LAST"]
    networks = NETWORKS | {"Networks/mouse/STRING-network.csv": "Gene1,Gene2\nTF1,G1\nTF1,G699\n"}
    archive = write_zip("x.zip", make_data({"mESC": genes}) | networks)
    report = build_sets([archive], tmp_path / "root")
    for size, count, edges in ((500, 503, 1), (1000, 703, 2)):
        folder = read_folder(tmp_path / f"root/beeline_labels/STRING/mESC/TFs+{size}")
        assert folder.genes == sorted(folder.genes) and len(folder.genes) == count
        assert len(folder.edges) == edges
    assert "beeline_labels/Specific/mESC/TFs+500" in report["without_edges"]
    assert not (tmp_path / "root/beeline_labels/Specific").exists()


def test_what_is_missing_is_named_and_the_rest_is_built(archives, tmp_path, caplog):
    report = build_sets(archives, tmp_path / "root")
    assert "mDC/ExpressionData.csv" in report["missing"]
    assert "mESC/ExpressionData.csv" not in report["missing"]
    assert "human/HepG2-ChIP-seq-network.csv" not in report["missing"]  # nobody asked for it
    assert "files are not in the archives" in caplog.text and "mDC/GeneOrd" in caplog.text


def test_archives_of_something_else_are_refused_with_the_names_of_what_is_missing(
    write_zip, tmp_path
):
    networks = write_zip("BEELINE-Networks.zip", NETWORKS)
    with pytest.raises(GrnjaxError, match="Networks.zip: nothing can be built; 14 files .*hESC/E"):
        build_sets([networks], tmp_path / "root")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(GrnjaxError, match="text.zip: not a readable zip archive"):
        build_sets([tmp_path / "text.zip"], tmp_path / "root")


@pytest.mark.slow
def test_depth_case_and_separators_of_the_paths_do_not_matter(archives, write_zip, tmp_path):
    files = make_data({"mESC": MESC_GENES}) | NETWORKS
    moved = {
        "deep/er/" + name.replace("Non-Specific", "Non-specific"): text
        for name, text in files.items()
    }
    moved["__MACOSX/mESC/._ExpressionData.csv"] = "junk"
    build_sets(archives, tmp_path / "one")
    build_sets([write_zip("moved.zip", moved)], tmp_path / "other")
    one, other = files_in(tmp_path / "one"), files_in(tmp_path / "other")
    del one["built.json"], other["built.json"]
    assert one == other


def test_what_is_there_already_stays_and_only_the_rest_is_built(archives, tmp_path):
    root = tmp_path / "root"
    own = root / "beeline_labels/Specific/mESC/TFs+500"
    own.mkdir(parents=True)
    (own / "Target.csv").write_text("mine")
    report = build_sets(archives, root)
    assert (own / "Target.csv").read_text() == "mine"
    assert report["kept"] == ["beeline_labels/Specific/mESC/TFs+500"]
    assert "beeline_labels/Specific/mESC/TFs+1000" in report["built"]
    before = files_in(root)
    again = build_sets(archives, root)
    assert again["built"] == {} and len(again["kept"]) == 9
    after = files_in(root)
    del before["built.json"], after["built.json"]
    assert before == after


def test_an_interrupted_build_leaves_whole_folders_and_is_completed(
    archives, tmp_path, monkeypatch
):
    whole, calls = beeline_archive.write_set, []

    def interrupt(*args):
        calls.append(args)
        if len(calls) == 3:
            with monkeypatch.context() as patch:
                patch.setattr(beeline_archive.os, "rename", stop)
                return whole(*args)
        return whole(*args)

    def stop(*args):
        raise KeyboardInterrupt

    root = tmp_path / "root"
    with monkeypatch.context() as patch:
        patch.setattr(beeline_archive, "write_set", interrupt)
        with pytest.raises(KeyboardInterrupt):
            build_sets(archives, root)
    assert len(list(root.rglob("Target.csv"))) == len(list(root.rglob("BL--network.csv"))) == 2
    assert not list(root.rglob(".partial*"))
    build_sets(archives, root)
    build_sets(archives, tmp_path / "straight")
    one, other = files_in(root), files_in(tmp_path / "straight")
    del one["built.json"], other["built.json"]
    assert one == other


def test_no_path_of_an_archive_is_ever_written_to(write_zip, tmp_path):
    files = make_data({"mESC": MESC_GENES}) | NETWORKS
    evil = {"../" * 3 + name: text for name, text in files.items()} | {"/etc/evil": "x"}
    build_sets([write_zip("evil.zip", evil)], tmp_path / "in" / "root")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.zip", "in"]
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["root"]


def test_links_and_bombs_are_refused(archives, tmp_path, monkeypatch):
    link = zipfile.ZipInfo("scRNA-Seq/mESC/ExpressionData.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(GrnjaxError, match="link.zip: .*ExpressionData.csv is a link"):
        build_sets([tmp_path / "link.zip"], tmp_path / "root")
    monkeypatch.setattr(beeline_archive, "LARGEST", 100)
    with pytest.raises(GrnjaxError, match="ExpressionData.csv would unpack to [0-9,]+ bytes"):
        build_sets(archives, tmp_path / "root")
    assert files_in(tmp_path / "root") == {}


def test_a_damaged_member_is_refused_by_name(archives, tmp_path):
    packed = bytearray(archives[0].read_bytes())
    packed[120] ^= 0xFF
    (tmp_path / "damaged.zip").write_bytes(packed)
    with pytest.raises(GrnjaxError, match="damaged.zip: .*/ExpressionData.csv cannot be unpack"):
        build_sets([tmp_path / "damaged.zip", archives[1]], tmp_path / "root")


@pytest.mark.parametrize(
    "name, text, error, complaint",
    [
        ("GeneOrdering.csv", ",VGAMpValue\nA,1\n", ExpressionFormatError, "has the columns gene"),
        ("GeneOrdering.csv", ",VGAMpValue,Variance\nQ,1,1\n", GeneMismatchError, "none of the 1"),
        ("ExpressionData.csv", "", ExpressionFormatError, "the file is empty"),
    ],
)
def test_tables_of_the_wrong_kind_are_refused_by_name(
    write_zip, tmp_path, name, text, error, complaint
):
    files = make_data({"mESC": MESC_GENES}) | NETWORKS
    files[f"BEELINE-data/inputs/scRNA-Seq/mESC/{name}"] = text
    with pytest.raises(error, match=f"mESC-.*{complaint}"):
        build_sets([write_zip("x.zip", files)], tmp_path / "root")
