"""A small compendium: two sources of human cells, one of mouse, one of footprints."""

import pandas as pd

from grnjax.data.compendium.compendium import Compendium
from grnjax.data.compendium.source import About, make_source

CHIP = {
    ("A", "H1"): "G0 G1 G2 G7",
    ("A", "K562"): "G0 G1",
    ("A", "GM12878"): "G1",
    ("A", "GM18505"): "G3",
    ("NRSF", "HepG2"): "G1 G4",
    ("B", "K562"): "G5 G6",
}
MORE = {("A", "hESC"): "G1 G2", ("B", "K-562"): "G0 G5", ("C", "hHEP"): "G4"}
FOOTPRINTS = {("A", "hESCT0-DS11909"): "B C", ("B", "K562-DS9767"): "A C", ("C", "NB4-DS1"): "A"}
MOUSE = {("A", "mESC"): "M0 M1", ("B", "ZhBTc4-DS15236"): "M5"}


def make_edges(lists):
    """A row a target of lists as text."""
    rows = [(tf, cell, x) for (tf, cell), text in lists.items() for x in text.split()]
    return pd.DataFrame(rows, columns=["tf", "cell", "target"])


def make_about(name, **more):
    """What a source is, with little said of it."""
    facts = {"title": "a test", "origin": "here", "licence": "CC0", "species": "human"}
    return About(name=name, **(facts | more))


def make_compendium(chip=None, more=None):
    """The small compendium, or one with other lists."""
    universe = [f"G{i}" for i in range(6)]
    sources = (
        make_source(make_edges(CHIP if chip is None else chip), make_about("chip")),
        make_source(
            make_edges(MORE if more is None else more), make_about("more"), universe=universe
        ),
        make_source(
            make_edges(FOOTPRINTS),
            make_about("footprints", kind="footprints"),
            universe=["A", "B", "C"],
        ),
        make_source(make_edges(MOUSE), make_about("mouse", species="mouse")),
    )
    orthologues = {f"G{i}": f"M{i}" for i in range(5)} | {"A": "A", "REST": "Rest"}
    return Compendium(sources, orthologues)
