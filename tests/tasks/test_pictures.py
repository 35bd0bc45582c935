"""`grnjax.pl`: every kind draws a network, on its own axes or on yours, and says what it lacks."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import grnjax
from grnjax.config import Settings
from grnjax.errors import ConfigError, GrnjaxError
from grnjax.tasks import pictures

pytest.importorskip("matplotlib", reason="the extra plot is not installed")
SIGNATURES = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.fixture(scope="module")
def edges():
    rng = np.random.default_rng(0)
    rows = [(f"TF{i}", f"G{j}") for i in range(6) for j in range(20)]
    table = pd.DataFrame(rows, columns=["tf", "target"])
    table["importance"] = rng.random(len(table)) ** 2
    table["probability"] = table["importance"]
    table["status"] = np.where(rng.random(len(table)) < table["importance"], "known", "new")
    table["logit: base"], table["logit: motifs"] = -1.0, rng.normal(size=len(table))
    return table.sort_values("importance", ascending=False, ignore_index=True)


@pytest.fixture(scope="module")
def drawable(edges):
    figures = {"auroc": 0.8, "average_precision": 0.3, "swap_micro": 0.7, "within_tf_auroc": 0.6}
    rows = [{"method": name, "draw": 0, **figures} for name in ("own", "TF rate")]
    worth = [{"name": "motifs", "kind": "pairs", "weight": None}]
    worth[0] |= {"drop_average_precision": 0.1, "drop_swap_micro": 0.2}
    return pictures.Drawable("own", edges, rows, worth_of_inputs=worth)


@pytest.mark.slow
@pytest.mark.parametrize("name", dir(grnjax.pl))
def test_every_kind_draws_on_its_own_axes_and_on_yours(name, drawable, tmp_path):
    from matplotlib.figure import Figure

    kind = "svg" if name == "network" else "png"
    picture = getattr(grnjax.pl, name)
    own = picture(drawable, save=tmp_path / f"a.{kind}")
    assert (tmp_path / f"a.{kind}").read_bytes().startswith(SIGNATURES[kind])
    yours = Figure(layout="constrained")
    left, right = yours.subplots(1, 2)
    assert picture(drawable, ax=right) is yours and own is not yours
    assert right.has_data() or right.texts or right.child_axes, "it is drawn on the axes given"
    assert not left.has_data() and not left.texts and not yours.texts and not yours.legends
    assert picture.__doc__ and picture.__name__ == name


@pytest.mark.slow
def test_the_same_picture_has_the_same_bytes_and_its_letters_stay(drawable, tmp_path):
    for number in (1, 2):
        grnjax.pl.regulators(drawable, save=tmp_path / f"{number}.svg")
        grnjax.pl.regulators(drawable, save=tmp_path / f"{number}.pdf")
    for kind in ("svg", "pdf"):
        one, two = ((tmp_path / f"{number}.{kind}").read_bytes() for number in (1, 2))
        assert one == two and one.startswith(SIGNATURES[kind])
    assert ">TF0<" in (tmp_path / "1.svg").read_text()


def test_regulators_are_those_with_most_confident_targets(drawable, edges):
    figure = grnjax.pl.regulators(drawable, top=3)
    counts = edges.loc[edges["probability"] >= 0.5, "tf"].value_counts()
    names = [name.get_text() for name in figure.axes[0].get_yticklabels()]
    assert [counts[name] for name in names] == sorted(counts, reverse=True)[:3]
    ends = {round(patch.get_x() + patch.get_width()) for patch in figure.axes[0].patches}
    assert set(counts[names]) <= ends
    ranking = edges.drop(columns="probability")
    with pytest.raises(ConfigError, match="ranks by importance alone"):
        grnjax.pl.regulators(ranking)
    with pytest.raises(ConfigError, match=r"no edge has a probability of 0\.5"):
        grnjax.pl.regulators(edges.assign(probability=0.1))


def test_the_edge_and_the_tf_that_are_asked_for_are_drawn(drawable, edges):
    figure = grnjax.pl.contributions(drawable, tf="TF3", target="G5")
    assert figure.axes[0].get_title(loc="left").startswith("Why TF3")
    best = edges[edges["status"] == "new"].iloc[0]
    title = grnjax.pl.contributions(drawable).axes[0].get_title(loc="left")
    assert title.endswith(best["target"]) and best["tf"] in title
    assert grnjax.pl.network(edges, tf="TF2").axes[0].get_title(loc="left").endswith("TF2")
    with pytest.raises(GrnjaxError, match="no ranked edge TF3 -> KLF1"):
        grnjax.pl.contributions(drawable, tf="TF3", target="KLF1")


def test_what_cannot_be_drawn_is_said_in_one_sentence(drawable, edges, tmp_path):
    bare = edges[["tf", "target", "importance"]]
    for name, words in {
        "contributions": "grnjax infer --explain",
        "precision_recall": "no status",
        "worth": "did not measure",
        "comparison": "nothing was known",
    }.items():
        with pytest.raises(GrnjaxError, match=words):
            getattr(grnjax.pl, name)(bare)
    with pytest.raises(ConfigError, match="end the name so"):
        grnjax.pl.network(drawable, save=tmp_path / "a.gif")
    with pytest.raises(ConfigError, match="there is no setting tff"):
        grnjax.pl.network(drawable, tff="TF1")
    with pytest.raises(ConfigError, match="cannot be drawn"):
        grnjax.pl.network(3)
    with pytest.raises(AttributeError, match="has no 'pie'"):
        grnjax.pl.pie  # noqa: B018


@pytest.mark.slow
def test_matplotlib_is_imported_when_a_picture_is_drawn_and_not_before():
    code = "import grnjax, sys; dir(grnjax.pl); assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib_one_sentence_names_the_extra(monkeypatch, edges):
    for name in [name for name in sys.modules if name.startswith("grnjax.plotting")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # as if it were not installed
    assert dir(grnjax.pl) == []
    with pytest.raises(ConfigError, match=r"pip install 'grnjax\[plot\]'"):
        grnjax.pl.network(edges)


def test_a_kind_of_your_own_is_one_file(drawable, tmp_path, monkeypatch):
    code = (
        "import dataclasses\n"
        "from grnjax.plotting.picture import PictureConfig, take_edges\n"
        "from grnjax.plotting.style import begin\n\n\n"
        "@dataclasses.dataclass(frozen=True, kw_only=True)\n"
        "class Histogram(PictureConfig):\n"
        '    """How scores are spread."""\n\n'
        "    bins: int = 10\n\n"
        "    def draw(self, network, ax=None):\n"
        "        figure, axes = begin(ax, 4, 3)\n"
        "        axes.hist(take_edges(network)['importance'], self.bins)\n"
        "        return figure\n"
    )
    (tmp_path / "my_picture.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    figure = pictures.draw("my_picture:Histogram", drawable, bins=4)
    assert len(figure.axes[0].patches) == 4
    assert issubclass(pictures.find_kind("my_picture:Histogram"), Settings)
