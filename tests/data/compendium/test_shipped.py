"""What comes with grnjax: whole, small, with source and licence, and worth having."""

import configparser
import os
import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from grnjax.baselines.other_lists import occupancy_rate, rate_and_residual_same
from grnjax.data.compendium.folder import SHIPPED, load_compendium, read_shipped_orthologues
from grnjax.data.orthologues import read_orthologues
from grnjax.data.tf_lists import read_own_list
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.storage.files import digest_file

FOLDER = Path(str(resources.files("grnjax") / "shipped"))
MAY_BE_SHIPPED = {"MIT", "CC0"}


@pytest.fixture(scope="module")
def compendium():
    return load_compendium(with_own=False)


def test_each_file_stands_in_the_page_with_licence_and_digest():
    page = (FOLDER / "README.md").read_text()
    rows = re.findall(r"^\| `(.+?)` \|.*\| ([^|]+) \| ([\d,]+) \| (\w{64}) \|$", page, re.MULTILINE)
    told = {name: (licence, size, digest) for name, licence, size, digest in rows}
    others = {"README.md", "MIT-LICENCES.txt", "scorer", "compendium-classes.json"}
    paths = [path for path in FOLDER.iterdir() if path.name not in others]
    assert {path.name for path in paths} == {*told} >= {f"{name}.npz" for name in SHIPPED}
    for path in paths:
        licence, size, digest = told[path.name]
        assert digest_file(path) == digest and f"{path.stat().st_size:,}" == size
        assert licence in MAY_BE_SHIPPED or path.name.startswith("orthologues")
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) < 6_000_000
    assert page.count(" MIT |") == 3 and "Kalfon" in (FOLDER / "MIT-LICENCES.txt").read_text()


def test_the_package_takes_the_files_along():
    config = configparser.ConfigParser()
    config.read(FOLDER.parents[1] / "setup.cfg")
    patterns = config["options.package_data"]["grnjax"].replace(" ", "").split(",")
    taken = {path for pattern in patterns for path in FOLDER.parent.glob(pattern)}
    assert {path for path in FOLDER.rglob("*") if path.is_file()} <= taken


def test_sources_say_where_they_are_from(compendium):
    assert [source.about.name for source in compendium.sources] == [*SHIPPED]
    for source in compendium.sources:
        about = source.about
        assert about.licence in MAY_BE_SHIPPED and len(about.origin) > 10
    kinds = {source.about.name: source.about.kind for source in compendium.sources}
    assert kinds["encode"] == "binding" and kinds["marbach2016"] == "motifs"
    assert len(read_own_list("human")) == 1563 and len(read_own_list("mouse")) == 1479


@pytest.mark.slow
def test_leaving_a_cell_type_out_leaves_its_footprints_out_too(compendium):
    for names in (("H1", "hESC", "hESCT0"), ("HepG2", "hHEP"), ("GM12878", "GM06990")):
        lefts = {compendium.without(name).digest for name in names}
        assert len(lefts) == 1
        left = compendium.without(names[0])
        given = {cell for source in left.sources for cell in source.cells.tolist()}
        assert not any(re.match(f"({'|'.join(names)})", cell, re.IGNORECASE) for cell in given)
        fewer = [len(x.tfs) - len(y.tfs) for x, y in zip(compendium.sources, left.sources)]
        assert fewer[0] > 0 and fewer[1] > 0 and fewer[2:] == [0, 0]


@pytest.mark.slow
def test_lists_of_other_cells_rank_h1_without_its_labels(compendium):
    genes = compendium.sources[0].genes
    own = compendium.over(genes, species="human", carry=False)
    others = compendium.without("hESC").over(genes, species="human", carry=False)
    own = own.take((own.cells == "H1") & (own.counts >= 100))
    labels, pairs = own.labels, np.argwhere(np.ones(own.labels.shape, bool))
    found = {}
    for name, row in (
        ("rate", np.broadcast_to(occupancy_rate(others), labels.shape)),
        ("look-up", rate_and_residual_same(others, own.tfs.tolist())),
    ):
        found[name] = evaluate_pairs(pairs, labels.ravel(), row.ravel())
    assert found["rate"]["swap_micro"] == 0.5 and found["look-up"]["swap_micro"] > 0.75
    gain = found["look-up"]["within_tf_auroc"] - found["rate"]["within_tf_auroc"]
    assert gain > 0.03


def test_lists_are_carried_to_mouse(compendium):
    genes = ["Pou5f1", "Sox2", "Nanog", "Gata1", "Actb", "Stat1", "Egr1", "Xist"]
    lists = compendium.over(genes, species="mouse")
    assert lists.carried.all() and lists.genes.tolist() == genes
    assert read_shipped_orthologues()["TP53"] == "Trp53"


@pytest.mark.slow
@pytest.mark.skipif("GRNJAX_DATA" not in os.environ, reason="needs the folder of public data")
def test_files_are_those_of_the_data_folder(compendium):
    from experiments.compendium.build_shipped import PAIRS, make_readme, make_sources

    root = Path(os.environ["GRNJAX_DATA"])
    made = {source.about.name: source.digest for source in make_sources(root)}
    assert made == {source.about.name: source.digest for source in compendium.sources}
    assert read_orthologues(root / PAIRS, "human", "mouse") == read_shipped_orthologues()
    assert (FOLDER / "README.md").read_text() == make_readme()
