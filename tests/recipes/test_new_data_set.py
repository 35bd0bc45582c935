"""A new data set is a BEELINE folder, or a class; no file of grnjax has to know of it."""

import json

import pytest

import grnjax
from grnjax.data.expression import DataConfig
from grnjax.data.sets import find_set, find_sets
from grnjax.errors import ConfigError
from grnjax.tasks.loading import load_folder

SCREENS = "my_data_set:Screens"
QUICK = (
    "--method.training.epochs=4",
    "--method.model.mlp-widths=8",
    "--split.draws=0",
)


@pytest.fixture
def root(recipe, small_set, tmp_path, monkeypatch):
    """The small set as two screens, and as a set in BEELINE's layout."""
    folders = [tmp_path / "screens" / name for name in ("hela", "k562")]
    folders.append(tmp_path / "beeline_labels/Screened/hela/All")
    names = [("counts.csv", "hits.csv")] * 2 + [("ExpressionData.csv", "refNetwork.csv")]
    for folder, (counts, hits) in zip(folders, names, strict=True):
        folder.mkdir(parents=True)
        small_set.counts.to_csv(folder / counts)
        small_set.known.to_csv(folder / hits, index=False)
    monkeypatch.setenv("GRNJAX_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("name", [f"{SCREENS}/hela", "Screened/hela/All"])
def test_it_is_trained_on_by_its_name(name, root, small_set, shown, cli, tmp_path):
    shown(f"grnjax train {SCREENS}/hela --out run")
    outcome = cli("train", name, *QUICK, "--out", tmp_path / "run")
    assert outcome.status == 0, outcome.err
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert len(record["inputs"]) == 2, "both files are digested"
    assert record["data"]["edges"]["kept"] == len(small_set.known)


def test_it_holds_what_the_same_files_hold(root, small_set):
    one, other = (load_folder(x, DataConfig())[0] for x in (f"{SCREENS}/hela", "Screened/hela/All"))
    assert (one.known.pairs == other.known.pairs).all()
    assert (one.genes.expression == other.genes.expression).all()


@pytest.mark.slow
def test_python_takes_the_name_too(root, shown):
    shown(f'grnjax.train("{SCREENS}/hela")')
    results = grnjax.train(f"{SCREENS}/hela", method="pearson")
    assert "pearson" in {row["method"] for row in results.rows}


def test_it_is_listed(root, cli):
    listed = cli("data", "list", f"{SCREENS}/*").out
    assert "Screens of our lab" in listed and "k562" in listed
    assert [one.name for one in find_sets(None, f"{SCREENS}/k*")] == ["k562"]
    assert "Screened/hela/All" in cli("data", "list").out


def test_of_several_sets_one_must_be_named(root):
    with pytest.raises(
        ConfigError, match="may be any of .*Screens/hela, .*Screens/k562; write one"
    ):
        find_set(SCREENS)
    with pytest.raises(ConfigError, match="nearest are hela, k562"):
        find_set(f"{SCREENS}/helo")
