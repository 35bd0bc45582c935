"""`grnjax data compendium`: lists of one's own added, listed and removed; nothing is fetched."""

import pytest

from grnjax.data.compendium.folder import list_own, load_compendium, user_folder
from grnjax.errors import EdgeFormatError

TABLE = "TF\tcell\ttarget\nGATA1\tmy cells\tACTB\nGATA1\tmy cells\tTP53\nMYC\thESC\tACTB\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRNJAX_COMPENDIUM", str(tmp_path / "own"))
    return tmp_path / "own"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "lists.tsv"
    path.write_text(TABLE)
    return path


def add(cli, *arguments):
    return cli("data", "compendium", "add", *arguments)


@pytest.mark.slow
def test_lists_are_added_used_and_removed(cli, table, folder):
    before = load_compendium().digest
    outcome = add(cli, table, "--species", "human", "--licence", "CC0", "--origin", "our lab")
    assert outcome.status == 0, outcome.err
    assert "2 lists of 2 TFs in 2 cell types, 3 targets" in outcome.out
    assert [path.name for path in folder.iterdir()] == ["lists.npz"]
    compendium = load_compendium()
    assert compendium.digest != before and "MYCELLS" in compendium.cells
    assert compendium.without("H1").sources[-1].cells.tolist() == ["my cells"]
    assert load_compendium(with_own=False).digest == before
    shown = cli("data", "compendium", "list").out
    assert "lists (your own)" in shown and "our lab" in shown and "encode (comes with" in shown
    asked = cli("data", "compendium", "list", "--tf", "gata1", "--cell", "My-Cells").out
    assert "MYCELLS" in asked and "CC0" in asked and len(asked.splitlines()) == 2
    assert cli("data", "compendium", "remove", "lists").status == 0
    assert not list_own() and load_compendium().digest == before


def test_names_are_not_taken_twice(cli, table):
    assert add(cli, table, "--species", "human").status == 0
    outcome = add(cli, table, "--species", "human")
    assert outcome.status == 2 and "has a source lists already: --name" in outcome.err
    assert add(cli, table, "--species", "human", "--name", "two").status == 0
    for name, message in (("ENCODE", "a source encode already"), ("../x", "no name for a source")):
        outcome = add(cli, table, "--species", "human", "--name", name)
        assert outcome.status == 2 and message in outcome.err
    assert [*list_own()] == ["lists", "two"]


def test_a_bad_table_leaves_nothing_behind(cli, table, folder):
    table.write_text("TF\ttarget\nA\tB\n")
    outcome = add(cli, table, "--species", "human")
    assert outcome.status == 2 and "--cell" in outcome.err and outcome.err.count("\n") == 1
    assert not folder.exists()
    outcome = add(cli, folder / "none.tsv", "--species", "human")
    assert outcome.status == 2 and "no such file" in outcome.err


def test_what_cannot_be_removed_stays(cli):
    for name, message in (("encode", "comes with grnjax"), ("mine", "no source mine")):
        outcome = cli("data", "compendium", "remove", name)
        assert outcome.status == 2 and message in outcome.err


def test_damage_is_said_and_the_remedy(cli, table, folder):
    add(cli, table, "--species", "human")
    path = folder / "lists.npz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(EdgeFormatError, match=r"lists\.npz"):
        load_compendium()
    assert cli("data", "compendium", "list").status == 2
    assert cli("data", "compendium", "remove", "lists").status == 0


def test_the_folder_is_that_of_the_users_data(monkeypatch, tmp_path):
    monkeypatch.delenv("GRNJAX_COMPENDIUM")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert user_folder() == tmp_path / "grnjax" / "compendium" and not list_own()


def test_unknown_commands_name_the_known_ones(cli):
    outcome = cli("data", "compendium", "fetch")
    assert outcome.status == 2 and "list, add, remove" in outcome.err
    assert "GRNJAX_COMPENDIUM" in cli("data", "compendium", "add", "--help").out
    assert "remove" in cli("data", "compendium").out
