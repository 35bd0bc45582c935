import gzip
import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from grnjax.data.beeline import PARTS, BeelineFolder, read_folder, read_splits
from grnjax.data.genes import build_dataset
from grnjax.errors import EdgeFormatError, GeneMismatchError, SplitError
from grnjax.types import Dataset, LabelledPairs, Split

NUMBERS = {"D": 0, "A": 3, "C": 1, "B": 4, "E": 2}  # neither row order nor alphabet
EDGES = [("A", "B"), ("A", "C"), ("A", "D"), ("B", "C"), ("B", "E")]
SPLIT = {
    "Train": [("A", "B", 1), ("B", "C", 1), ("A", "E", 0)],
    "Test": [("A", "C", 1), ("B", "A", 0)],
}


def write_table(path: Path, header: str, rows, packed: bool = False) -> None:
    lines = [f",{header}"]
    lines += [f"{i}," + ",".join(map(str, row)) for i, row in enumerate(rows)]
    text = "\n".join(lines).encode()
    if packed:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(text))
    else:
        path.write_bytes(text)


def write_split(folder: Path, part: str, rows, packed: bool = False) -> None:
    numbered = [(NUMBERS[tf], NUMBERS[target], label) for tf, target, label in rows]
    write_table(folder / f"{part}_set.csv", "TF,Target,Label", numbered, packed)


@pytest.fixture(params=[False, True], ids=["plain", "gzip"])
def packed(request) -> bool:
    return request.param


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder as GENELink writes it, with train and test pairs."""
    write_folder(tmp_path)
    return tmp_path


def write_folder(folder: Path, packed: bool = False) -> None:
    write_table(folder / "Target.csv", "Gene,index", NUMBERS.items(), packed)
    tfs = [(tf, NUMBERS[tf]) for tf in ("B", "A", "C")]
    write_table(folder / "TF.csv", "TF,index", tfs, packed)
    numbered = [(NUMBERS[tf], NUMBERS[target]) for tf, target in EDGES]
    write_table(folder / "Label.csv", "TF,Target", numbered, packed)
    for part, rows in SPLIT.items():
        write_split(folder, part, rows, packed)


def build(beeline: BeelineFolder) -> Dataset:
    genes, tfs = beeline.genes, beeline.tfs
    return build_dataset(None, beeline.edges, tfs=tfs, universe=genes, source="toy")


def load(folder: Path) -> Split:
    beeline = read_folder(folder)
    return read_splits(folder, beeline, build(beeline))


def named(labelled: LabelledPairs, names: str = "ABCDE") -> set[tuple[str, str, int]]:
    pairs = zip(labelled.pairs.tolist(), labelled.labels.tolist(), strict=True)
    return {(names[tf], names[target], int(label)) for (tf, target), label in pairs}


def test_numbers_mean_the_index_column_and_never_the_row(tmp_path, packed):
    write_folder(tmp_path, packed)
    beeline = read_folder(tmp_path)
    assert beeline.genes == list(NUMBERS)
    assert beeline.tfs == ["B", "A", "C"]
    assert list(zip(beeline.edges["tf"], beeline.edges["target"], strict=True)) == EDGES
    assert beeline.splits == tmp_path
    assert beeline.expression is None
    split = read_splits(tmp_path, beeline, build(beeline))
    assert named(split.train) == set(SPLIT["Train"])
    assert named(split.test) == set(SPLIT["Test"])


def test_shuffled_files_give_the_same_split(folder, tmp_path_factory):
    expected = load(folder)
    other = tmp_path_factory.mktemp("shuffled")
    for path in folder.iterdir():
        header, *rows = path.read_text().split("\n")
        (other / path.name).write_text("\n".join([header, *rows[::-1]]))
    again = load(other)
    for part in PARTS:
        np.testing.assert_array_equal(getattr(again, part).pairs, getattr(expected, part).pairs)


def test_a_missing_validation_set_is_the_rest_of_the_tfs_of_the_files(folder):
    split = load(folder)
    used = {pair[:2] for rows in SPLIT.values() for pair in rows}
    rest = {
        (tf, target, int((tf, target) in EDGES))
        for tf, target in itertools.product("AB", "ABCDE")
        if tf != target and (tf, target) not in used
    }
    assert named(split.validation) == rest
    assert (split.kind, split.draw) == ("published", 0)


def test_a_given_validation_set_is_taken_as_it_is(folder):
    rows = [("A", "D", 1), ("B", "D", 0), ("C", "A", 0)]
    write_split(folder, "Validation", rows)
    assert named(load(folder).validation) == set(rows)


def test_a_network_of_names_replaces_label_csv(folder):
    (folder / "Label.csv").unlink()
    (folder / "BL--network.csv").write_text(
        "Gene1,Gene2\n" + "\n".join(f"{tf},{target}" for tf, target in EDGES)
    )
    assert named(load(folder).train) == set(SPLIT["Train"])


def test_a_network_that_differs_from_label_csv_is_announced(folder, caplog):
    network = folder / "BL--network.csv"
    rows = [f"{tf},{target}" for tf, target in EDGES]
    network.write_text("Gene1,Gene2\n" + "\n".join(rows))
    assert not caplog.text
    read_folder(folder)
    assert not caplog.text
    network.write_text("Gene1,Gene2\n" + "\n".join([*rows[1:], "C,A", "C,B"]))
    beeline = read_folder(folder)
    assert "1 edges stand in Label.csv only, 2 in the network only" in caplog.text
    assert beeline.edges.attrs["report"]["only_in_network"] == 2
    assert len(beeline.edges) == len(EDGES)


def test_a_beeline_folder_has_a_network_and_an_expression_file(tmp_path):
    (tmp_path / "ExpressionData.csv.gz").write_bytes(gzip.compress(b",c1\nA,1.5\n"))
    (tmp_path / "refNetwork.csv").write_text("Gene1,Gene2,Type\nA,B,+\nB,C,-\n")
    beeline = read_folder(tmp_path)
    assert (beeline.genes, beeline.tfs, beeline.splits) == (None, None, None)
    assert beeline.expression == tmp_path / "ExpressionData.csv.gz"
    assert beeline.edges["sign"].tolist() == [1, -1]


def test_what_a_folder_lacks_is_named(tmp_path, folder):
    with pytest.raises(EdgeFormatError, match="nowhere: no such folder"):
        read_folder(tmp_path / "nowhere")
    (folder / "Target.csv").unlink()
    with pytest.raises(EdgeFormatError, match="no network.*Target.csv.*holds Label.csv, TF.csv"):
        read_folder(folder)


def test_files_of_different_gene_lists_are_refused(folder):
    write_table(folder / "TF.csv", "TF,index", [("A", 3), ("B", 1)])
    with pytest.raises(EdgeFormatError, match=r"1 of 2 TFs have another number .*\(B\)"):
        read_folder(folder)


@pytest.mark.parametrize(
    "rows, complaint",
    [
        ([("A", 0), ("B", 0)], "2 rows name 1 genes"),
        ([("A", 0), ("A", 1)], "2 rows name 1 genes"),
        ([("A", 0), ("B", "x")], r"row 2 \(1,B,x\) has no gene number"),
        ([], "0 rows name 0 genes"),
    ],
)
def test_a_gene_list_needs_one_number_a_gene(folder, rows, complaint):
    write_table(folder / "Target.csv", "Gene,index", rows)
    with pytest.raises(EdgeFormatError, match=f"Target.csv: {complaint}"):
        read_folder(folder)


@pytest.mark.parametrize(
    "part, rows, kind, complaint",
    [
        ("Train", [("A", "B", 2)], EdgeFormatError, "labels must be 0 or 1"),
        ("Test", [("A", "B", 1), ("A", "E", 0)], SplitError, "2 pairs are in train and in test"),
        ("Test", [("B", "A", 1)], SplitError, "1 pairs labelled 1 are no edges .*0 labelled 0"),
        ("Test", [("A", "C", 0)], SplitError, "0 pairs labelled 1 .*1 labelled 0 are"),
        ("Validation", [("B", "A", 0)], SplitError, "1 pairs are in validation and in test"),
        ("Validation", [("C", "A", 0)], SplitError, r"no positives in validation \(1 pairs\)"),
        ("Validation", [("A", "D", 1)], SplitError, r"no negatives in validation \(1 pairs\)"),
    ],
)
def test_a_split_that_leaks_or_cannot_be_judged_is_refused(folder, part, rows, kind, complaint):
    write_split(folder, part, rows)
    with pytest.raises(kind, match=complaint):
        load(folder)


def test_a_split_that_leaves_nothing_to_validate_on_is_refused(folder):
    everything = [
        (tf, target, int((tf, target) in EDGES))
        for tf, target in itertools.product("AB", "ABCDE")
        if tf != target and (tf, target, 0) not in SPLIT["Test"]
    ]
    write_split(folder, "Train", [row for row in everything if row not in SPLIT["Test"]])
    with pytest.raises(SplitError, match=r"no positives in validation \(0 pairs\)"):
        load(folder)


def test_copies_and_self_pairs_of_a_split_are_dropped_aloud(folder, caplog):
    write_split(folder, "Test", [*SPLIT["Test"], ("B", "A", 0), ("A", "A", 0)])
    assert named(load(folder).test) == set(SPLIT["Test"])
    assert "Test_set.csv: 1 duplicates dropped" in caplog.text
    assert "Test_set.csv: 1 self loops dropped" in caplog.text


def test_a_number_outside_the_gene_list_is_refused(folder):
    write_table(folder / "Test_set.csv", "TF,Target,Label", [(3, 1, 1), (4, 5, 0), (4, -1, 0)])
    with pytest.raises(EdgeFormatError, match=r"2 of 3 target numbers.*from 0 to 4 \(5, -1\)"):
        load(folder)


def test_missing_parts_and_labels_are_named(folder):
    write_table(folder / "Test_set.csv", "TF,Target", [(3, 1)])
    with pytest.raises(EdgeFormatError, match="Test_set.csv: no column Label"):
        load(folder)
    (folder / "Test_set.csv").unlink()
    with pytest.raises(EdgeFormatError, match=r"no Test_set.csv \(or .csv.gz\)"):
        load(folder)


def test_a_data_set_of_other_genes_is_refused(folder):
    beeline = read_folder(folder)
    other = build_dataset(None, beeline.edges, tfs=None, universe=list("ABC"), source="toy")
    with pytest.raises(GeneMismatchError, match=r"2 of 5 genes of Target.csv .*\(D, E\)"):
        read_splits(folder, beeline, other)


@pytest.fixture(scope="module")
def data_folder() -> Path:
    data = os.environ.get("GRNJAX_DATA")
    if not data:
        pytest.skip("GRNJAX_DATA is not set: no real data")
    return Path(data)


def read_real(data_folder: Path, cell: str, genes: int, source: str) -> Split:
    beeline = read_folder(data_folder / f"beeline_labels/Specific/{cell}/TFs+{genes}")
    splits = data_folder / f"beeline_splits/{source}/Specific/{cell}/TFs+{genes}"
    return read_splits(splits, beeline, build(beeline))


def test_the_rest_of_scregnets_split_is_genelinks_validation_set(data_folder):
    ours = read_real(data_folder, "hESC", 500, "scRegNet")
    theirs = read_real(data_folder, "hESC", 500, "GENELink")
    assert [len(getattr(ours, part)) for part in PARTS] == [20677, 3087, 7142]
    for part in PARTS:
        np.testing.assert_array_equal(getattr(ours, part).pairs, getattr(theirs, part).pairs)
        np.testing.assert_array_equal(getattr(ours, part).labels, getattr(theirs, part).labels)
    assert sum(len(getattr(ours, part).positives) for part in PARTS) == 4545


@pytest.mark.parametrize(
    "cell, sizes", [("hHEP", [19002, 2845, 6563]), ("mESC", [65897, 9839, 22736])]
)
def test_published_splits_have_their_published_sizes(data_folder, cell, sizes):
    split = read_real(data_folder, cell, 500, "scRegNet")
    assert [len(getattr(split, part)) for part in PARTS] == sizes


def test_real_folders_hold_what_is_written_about_them(data_folder, caplog):
    beeline = read_folder(data_folder / "beeline_labels/Specific/mDC/TFs+500")
    assert (len(beeline.genes), len(beeline.tfs), len(beeline.edges)) == (821, 323, 756)
    assert "differ" not in caplog.text
    boolean = read_folder(data_folder / "beeline_GSD_example")
    assert boolean.expression.name == "ExpressionData.csv.gz"
    assert set(boolean.edges["sign"]) == {-1, 1}


def test_a_contaminated_published_split_is_refused(data_folder):
    network = "Non-Specific/hESC/TFs+1000"
    beeline = read_folder(data_folder / "beeline_labels" / network)
    splits = data_folder / "beeline_splits/EnhanceForGCLink" / network / "sample1"
    with pytest.raises(SplitError):
        read_splits(splits, beeline, build(beeline))
