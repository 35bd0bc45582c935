import gzip
import os
from pathlib import Path

import pytest

from grnjax.data.beeline import BeelineFolder, read_folder
from grnjax.errors import EdgeFormatError


def list_pairs(beeline: BeelineFolder) -> list[tuple[str, str]]:
    return list(zip(beeline.edges["tf"], beeline.edges["target"], strict=True))


def test_numbers_mean_the_index_column_and_never_the_row(genelink, packed):
    for path in genelink.path.iterdir():
        path.unlink()
    genelink.write_all(packed)
    beeline = read_folder(genelink.path)
    assert beeline.genes == list(genelink.NUMBERS)
    assert beeline.tfs == list(genelink.TFS)
    assert list_pairs(beeline) == genelink.EDGES
    assert (beeline.path, beeline.splits, beeline.expression) == (genelink.path, (), None)


def test_a_folder_with_train_pairs_is_one_draw(genelink, packed):
    genelink.write_split("Train", [("A", "B", 1)], packed)
    assert read_folder(genelink.path).splits == (genelink.path,)


def write_network(folder: Path, edges) -> None:
    rows = [f"{tf},{target}" for tf, target in edges]
    (folder / "BL--network.csv").write_text("\n".join(["Gene1,Gene2", *rows]))


def test_a_network_of_names_replaces_label_csv(genelink):
    (genelink.path / "Label.csv").unlink()
    write_network(genelink.path, genelink.EDGES)
    assert list_pairs(read_folder(genelink.path)) == genelink.EDGES


def test_a_network_that_differs_from_label_csv_is_announced(genelink, caplog):
    write_network(genelink.path, genelink.EDGES)
    read_folder(genelink.path)
    assert not caplog.text
    write_network(genelink.path, [*genelink.EDGES[1:], ("C", "A"), ("C", "B")])
    beeline = read_folder(genelink.path)
    assert "1 edges stand in Label.csv only, 2 in the network only" in caplog.text
    assert beeline.edges.attrs["report"]["only_in_network"] == 2
    assert len(beeline.edges) == len(genelink.EDGES)


def test_a_beeline_folder_has_a_network_and_an_expression_file(tmp_path):
    (tmp_path / "ExpressionData.csv.gz").write_bytes(gzip.compress(b",c1\nA,1.5\n"))
    (tmp_path / "refNetwork.csv").write_text("Gene1,Gene2,Type\nA,B,+\nB,C,-\n")
    beeline = read_folder(tmp_path)
    assert (beeline.genes, beeline.tfs, beeline.splits) == (None, None, ())
    assert beeline.expression == tmp_path / "ExpressionData.csv.gz"
    assert beeline.edges["sign"].tolist() == [1, -1]


def test_what_a_folder_lacks_is_named(genelink):
    with pytest.raises(EdgeFormatError, match="nowhere: no such folder"):
        read_folder(genelink.path / "nowhere")
    (genelink.path / "Target.csv").unlink()
    with pytest.raises(EdgeFormatError, match="no network.*Target.csv.*holds Label.csv, TF.csv"):
        read_folder(genelink.path)


def test_files_of_different_gene_lists_are_refused(genelink):
    genelink.write("TF.csv", "TF,index", [("A", 3), ("B", 1)])
    with pytest.raises(EdgeFormatError, match=r"1 of 2 TFs have another number .*\(B\)"):
        read_folder(genelink.path)


@pytest.mark.parametrize(
    "rows, complaint",
    [
        ([("A", 0), ("B", 0)], "2 rows name 1 genes"),
        ([("A", 0), ("A", 1)], "2 rows name 1 genes"),
        ([("A", 0), ("B", "x")], r"row 2 \(1,B,x\) has no gene number"),
        ([], "0 rows name 0 genes"),
    ],
)
def test_a_gene_list_needs_one_number_a_gene(genelink, rows, complaint):
    genelink.write("Target.csv", "Gene,index", rows)
    with pytest.raises(EdgeFormatError, match=f"Target.csv: {complaint}"):
        read_folder(genelink.path)


@pytest.fixture(scope="module")
def data_folder() -> Path:
    data = os.environ.get("GRNJAX_DATA")
    if not data:
        pytest.skip("GRNJAX_DATA is not set: no real data")
    return Path(data)


@pytest.mark.parametrize(
    "network, genes, tfs, edges, columns",
    [
        ("Specific/mDC/TFs+500", 821, 323, 756, {"tf", "target"}),
        ("Non-Specific/hESC/TFs+1000", 1410, 410, 4617, {"tf", "target"}),
        ("STRING/mESC/TFs+500", 1120, 620, 7762, {"tf", "target"}),
    ],
)
def test_every_kind_of_network_is_read_alike(
    data_folder, network, genes, tfs, edges, columns, caplog
):
    beeline = read_folder(data_folder / "beeline_labels" / network)
    assert (len(beeline.genes), len(beeline.tfs), len(beeline.edges)) == (genes, tfs, edges)
    assert set(beeline.edges.columns) == columns
    assert "differ" not in caplog.text


def test_a_boolean_model_has_signs(data_folder):
    boolean = read_folder(data_folder / "beeline_GSD_example")
    assert boolean.expression.name == "ExpressionData.csv.gz"
    assert set(boolean.edges["sign"]) == {-1, 1}
