"""Sets of every family by one name each, and what is said where a name means none or several."""

import os

import pytest

from grnjax.data.benchmark import BenchmarkSet
from grnjax.data.bulk import BulkSet
from grnjax.data.expression import DataConfig
from grnjax.data.labelled_cells import CellSet
from grnjax.data.sets import FAMILIES, find_set, find_sets, load_set
from grnjax.errors import ConfigError
from grnjax.types import Dataset, LabelledCells

NETWORKS = ["Perturbed/axolotl/TFs+7", "Perturbed/axolotl/TFs+30"]
FOLDERS = [f"beeline_labels/{name}" for name in NETWORKS]
FOLDERS += ["bsubtilis_bulk", "dream4_size100", "pbmc68k_reduced"]
NAMES = [*NETWORKS, "bsubtilis", "dream4-1", "dream4-2", "dream4-3", "pbmc68k"]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A root with the folders of some sets of each family; the environment names none."""
    monkeypatch.delenv("GRNJAX_DATA", raising=False)
    for folder in FOLDERS:
        (tmp_path / "root" / folder).mkdir(parents=True)
    return tmp_path / "root"


def test_every_family_is_listed_with_the_sets_that_are_there(root):
    found = find_sets(root)
    assert [one.name for one in found] == NAMES
    kinds = [BenchmarkSet] * 2 + [BulkSet] * 4 + [CellSet]
    assert [type(one) for one in found] == kinds
    assert all(one.describe() for one in found if not isinstance(one, BenchmarkSet))


@pytest.mark.parametrize(
    "pattern, names",
    [
        ("Perturbed/*", NETWORKS),
        ("bulk/*-[12]", NAMES[3:5]),
        ("b*", NAMES[2:3]),
        ("cells/*", NAMES[6:]),
    ],
)
def test_a_pattern_selects_among_all_or_in_one_family(root, pattern, names):
    assert [one.name for one in find_sets(root, pattern)] == names


def test_a_name_stands_alone_or_behind_its_family(root):
    for family, name in (("beeline", NAMES[1]), ("bulk", "dream4-2"), ("cells", "pbmc68k")):
        found = find_set(name, root)
        assert found.name == name and found == find_set(f"{family}/{name}", str(root))


def test_the_environment_names_the_root(root, monkeypatch):
    with pytest.raises(ConfigError, match="No root of data sets: give --data.root.* GRNJAX_DATA"):
        find_sets(None)
    monkeypatch.setenv("GRNJAX_DATA", str(root))
    assert find_sets(None) == find_sets(root)
    assert find_set("bsubtilis") == find_set("bsubtilis", root)


def test_a_missing_set_is_answered_with_the_nearest_names_of_all_families(root):
    for search in (find_sets, lambda root, name: find_set(name, root)):
        with pytest.raises(
            ConfigError, match=f"no such set under .*nearest are {NAMES[0][:-1]}.7,"
        ):
            search(root, "perturbed/axolotl/TFs+7")
        with pytest.raises(ConfigError, match="nearest are bsubtilis, "):
            search(root, "bsubtilus")
        with pytest.raises(ConfigError, match="nearest are pbmc68k"):
            search(root, "pbmc3k")  # its folder is not there
    with pytest.raises(ConfigError, match="no such set"):
        find_set("Perturbed/*/TFs+30", root)  # a pattern is no name
    with pytest.raises(ConfigError, match="; there are none"):
        find_sets(root / "beeline_labels")
    with pytest.raises(ConfigError, match="absent: no such folder: give --data.root"):
        find_sets("absent")


def test_a_root_that_is_not_there_is_no_matter_for_a_folder(root, monkeypatch):
    monkeypatch.setenv("GRNJAX_DATA", str(root / "absent"))
    assert find_set(root).labels == root
    with pytest.raises(ConfigError, match="root/absent: no such folder: give --data.root"):
        find_set("bsubtilis")


def test_a_missing_folder_without_root_says_both(root):
    with pytest.raises(ConfigError, match=r"^absent: no such folder.*--data.root=FOLDER.*DATA\.$"):
        find_set("absent")


def test_a_name_that_means_a_folder_and_a_set_is_refused(root, tmp_path, monkeypatch):
    (tmp_path / "bsubtilis").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_set("bsubtilis").labels.is_dir(), "no root, so no other set is known"
    monkeypatch.setenv("GRNJAX_DATA", str(root))
    with pytest.raises(ConfigError, match="bsubtilis may be any of bulk/bsubtilis, ./bsubtilis;"):
        find_set("bsubtilis")
    assert isinstance(find_set("./bsubtilis"), BenchmarkSet)
    assert isinstance(find_set("bulk/bsubtilis"), BulkSet)
    monkeypatch.chdir(root / "beeline_labels")
    assert find_set(NETWORKS[0]).name == NETWORKS[0], "folder and set are the same"


class Twin(BulkSet):
    SETS = {"pbmc68k": BulkSet.SETS["bsubtilis"]}


def test_a_name_that_two_families_have_is_refused(root, monkeypatch):
    monkeypatch.setitem(FAMILIES, "twins", f"{__name__}:Twin")
    with pytest.raises(ConfigError, match="may be any of cells/pbmc68k, twins/pbmc68k; write"):
        find_set("pbmc68k", root)


@pytest.mark.parametrize(
    "name, message",
    [
        ("no.such.module:Sets", "no.such.module:Sets cannot be imported: No module named"),
        ("grnjax.data.sets:Sets/x", "grnjax.data.sets:Sets cannot be imported"),
        ("grnjax.data.expression:DataConfig", "DataConfig is no DataSet"),
    ],
)
def test_a_class_that_is_no_family_is_refused(root, name, message):
    with pytest.raises(ConfigError, match=message):
        find_set(name, root)


def test_settings_that_a_published_set_does_not_read_are_refused(root):
    for settings in ({"layer": "raw"}, {"scaled": True}, {"split": "scRegNet"}):
        with pytest.raises(ConfigError, match="bsubtilis is read as it was published: of"):
            find_set("bsubtilis", root).load(DataConfig(**settings))


@pytest.mark.slow
def test_published_sets_of_all_families_hold_what_their_lines_say():
    if "GRNJAX_DATA" not in os.environ:
        pytest.skip("GRNJAX_DATA does not name the folder of the data sets")
    for name in ("Specific/mDC/TFs+500", "bsubtilis", "ecoli", "dream4-3", "pbmc68k", "pbmc3k"):
        loaded, size = load_set(name, DataConfig(split="draw")), find_set(name).describe()
        assert all(path.exists() for path in loaded.list_inputs().values())
        if isinstance(loaded.data, LabelledCells):
            cells, genes = loaded.data.expression.shape
            figures = f"{cells:,} cells, {genes:,} genes, {len(set(loaded.data.types))} types"
            assert size == figures
        else:
            assert isinstance(loaded.data, Dataset)
            assert f"{len(loaded.data.genes.names):,} genes" in size
            if name != "Specific/mDC/TFs+500":  # there the line counts rows, as the file has them
                assert f"{len(loaded.data.known.positives):,} edges" in size
                assert f"{len(loaded.data.genes.expression):,} " in size
