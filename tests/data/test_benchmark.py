"""Benchmark sets of invented names, found by where their files lie."""

import gzip
from pathlib import Path

import pytest

from grnjax.data.benchmark import choose_expression, choose_splits
from grnjax.data.sets import find_set, find_sets
from grnjax.errors import ConfigError, ExpressionFormatError

SETS = ["Guessed/axolotl/TFs+7", "Perturbed/axolotl/TFs+7", "Perturbed/axolotl/TFs+30"]
SETS += ["Perturbed/axolotl_limb/TFs+7"]
GENES = ["Abc", "DEF", "C1orf2", "XYZ"]


def touch(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def write_matrix(path: Path, genes, cells=("c1", "c2", "c3")) -> Path:
    rows = ["," + ",".join(cells), *(gene + ",0.5" * len(cells) for gene in genes)]
    return touch(path, "\n".join(rows))


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A root with the label folders alone; the environment names none."""
    monkeypatch.delenv("GRNJAX_DATA", raising=False)
    for name in SETS:
        (tmp_path / "beeline_labels" / name).mkdir(parents=True)
    touch(tmp_path / "beeline_labels/README.md")
    (tmp_path / "beeline_labels/.cache/axolotl/TFs+7").mkdir(parents=True)
    return tmp_path


def test_sets_are_the_folders_three_levels_down(root):
    sets = find_sets(root)
    assert [found.name for found in sets] == SETS  # TFs+7 before TFs+30
    last = sets[-1]
    assert (last.network, last.cell, last.size) == ("Perturbed", "axolotl_limb", "TFs+7")
    assert last.labels == root / "beeline_labels" / SETS[-1]
    assert (last.expression, last.splits) == ((), {})


@pytest.mark.parametrize(
    "pattern, places",
    [("Perturbed/*/TFs+7", [1, 3]), ("*/axolotl/*", [0, 1, 2]), (SETS[2], [2])],
)
def test_a_pattern_selects_among_them(root, pattern, places):
    assert [found.name for found in find_sets(root, pattern)] == [SETS[i] for i in places]


def test_a_folder_of_the_layout_knows_its_root(root, monkeypatch, tmp_path_factory):
    expected = find_sets(root)[1]
    assert find_set(expected.labels, None) == expected
    monkeypatch.chdir(expected.labels.parent)
    assert find_set("TFs+7", None).name == expected.name
    assert find_set("../axolotl/TFs+7/", str(root)).name == expected.name
    monkeypatch.setenv("GRNJAX_DATA", str(tmp_path_factory.mktemp("another")))
    assert find_set(expected.labels, None) == expected


def test_a_folder_elsewhere_is_no_set(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for folder in (elsewhere, "/"):
        found = find_set(folder, None)
        assert (found.name, found.cell, found.splits) == (str(folder), "", {})
    with pytest.raises(ConfigError, match="is a folder outside .*Drop --data.root"):
        find_set(elsewhere, str(root))
    (elsewhere / "beeline_labels").mkdir()
    with pytest.raises(ConfigError, match="is a folder outside .*Drop --data.root"):
        find_set(find_sets(root)[0].labels, str(elsewhere))


def test_files_belong_to_the_cell_type_before_the_underscore(root):
    folder = root / "beeline_expression"
    for name in ("axolotl_10x.csv", "axolotl_8.csv.gz", "axolotl_limb_9.csv", "axolotl2_x.csv"):
        touch(folder / name)
    for name in (
        "axolotl.csv",
        "axolotl_notes.txt",
        "axolotl_GeneOrdering.csv",
        "axolotl_PseudoTime.csv",
        "axolotl_refNetwork.csv.gz",
        "Axolotl_5.csv",
        "pseudotime/axolotl_5.csv",
    ):
        touch(folder / name)
    (folder / "axolotl_splits.csv").mkdir()
    files = {found.name: [path.name for path in found.expression] for found in find_sets(root)}
    assert files[SETS[0]] == files[SETS[1]] == ["axolotl_10x.csv", "axolotl_8.csv.gz"]
    assert files[SETS[3]] == ["axolotl_limb_9.csv"]


def test_the_file_that_covers_most_genes_is_chosen(root, caplog):
    caplog.set_level("INFO", logger="grnjax")
    folder = root / "beeline_expression"
    write_matrix(folder / "axolotl_a.csv", ["ABC", "other1", "other2", "other3", "other4"])
    packed = write_matrix(folder / "axolotl_b.csv", ["abc", "Def", "C1ORF2"]).read_bytes()
    (folder / "axolotl_b.csv").unlink()
    (folder / "axolotl_b.csv.gz").write_bytes(gzip.compress(packed))
    write_matrix(folder / "axolotl_c.csv", ["ABC", "DEF", "XYZ"])  # as many, later in the alphabet
    write_matrix(folder / "axolotl_d.csv", ["cell1", "cell2"], cells=("XYZ", "DEF", "QQQ"))
    path, coverage = choose_expression(find_sets(root)[0], GENES)
    assert path == folder / "axolotl_b.csv.gz"
    assert coverage == {
        "axolotl_a.csv": 1,
        "axolotl_b.csv.gz": 3,
        "axolotl_c.csv": 3,
        "axolotl_d.csv": 2,
    }
    assert "expression of 3 of 4 genes in axolotl_b.csv.gz (others: axolotl_a.csv 1" in caplog.text


def test_no_expression_is_said(root, caplog):
    assert choose_expression(find_sets(root)[0], GENES) == (None, {})
    assert "no expression: no axolotl_*.csv in" in caplog.text


def test_a_damaged_file_is_named(root):
    touch(root / "beeline_expression/axolotl_a.csv.gz", "")
    with pytest.raises(ExpressionFormatError, match="axolotl_a.csv.gz: the file is empty"):
        choose_expression(find_sets(root)[0], GENES)


@pytest.fixture
def published(root):
    """The first set with two sources, one of them in samples."""
    for where in ("Cave", "Lake/sample10", "Lake/sample2"):
        source, _, sample = where.partition("/")
        touch(root / "beeline_splits" / source / SETS[0] / sample / "Train_set.csv.gz")
    touch(root / "beeline_splits/Cave" / SETS[1] / "notes.txt")
    return find_sets(root)[0]


def test_splits_are_named_by_source_and_sample(published, root):
    folder = root / "beeline_splits"
    assert list(published.splits.items()) == [
        ("Cave", folder / "Cave" / SETS[0]),
        ("Lake/sample2", folder / "Lake" / SETS[0] / "sample2"),
        ("Lake/sample10", folder / "Lake" / SETS[0] / "sample10"),
    ]
    assert find_sets(root)[1].splits == {}


def test_a_source_without_sample_means_all_of_them(published):
    splits = published.splits
    assert choose_splits("Cave", published) == (splits["Cave"],)
    assert choose_splits("Lake", published) == (splits["Lake/sample2"], splits["Lake/sample10"])
    assert choose_splits("Lake/sample10", published) == (splits["Lake/sample10"],)


def test_a_path_names_splits_too(published):
    lake = published.splits["Lake/sample2"].parent
    for found in (published, find_set("/", None)):
        assert choose_splits(str(lake), found) == choose_splits("Lake", published)
        assert choose_splits(str(lake / "sample2"), found) == (lake / "sample2",)


@pytest.mark.parametrize(
    "place, words",
    [
        (0, r"TFs\+7 has Cave, Lake/sample2, Lake/sample10\.$"),
        (1, r"no pairs of Perturbed/axolotl/TFs\+7 are published; --data.split=draw draws some\.$"),
        (None, r"no pairs of / are published; --data.split=draw draws some\.$"),
    ],
)
def test_a_missing_split_is_answered_with_those_there_are(published, root, place, words):
    found = find_set("/") if place is None else find_sets(root)[place]
    for setting in ("Lak", "Lake/sample3"):
        with pytest.raises(ConfigError, match=f"^--data.split={setting}: neither .*{words}"):
            choose_splits(setting, found)
