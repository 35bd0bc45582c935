"""Regulons of a ranked network, written for other programs and read back by us and by theirs."""

import json

import numpy as np
import pandas as pd
import pytest

from grnjax.data.regulon_choice import RegulonChoice, choose_regulons
from grnjax.data.regulon_output import FILES
from grnjax.data.regulon_set import Regulons
from grnjax.data.regulons import RegulonConfig, read_regulons
from grnjax.errors import ConfigError, EdgeFormatError
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.types import GeneTable

ROWS = [  # tf, target, probability, sign, status
    ("GATA1", "KLF1", 0.9, 1, "known"),
    ("GATA1", "EPOR", 0.7, 1, "new"),
    ("GATA1", "SPI1", 0.6, -1, "new"),
    ("GATA1", "NA", 0.55, -1, "new"),  # a name of a gene, and no missing value
    ("SPI1", "CSF1R", 0.8, 1, "new"),
    ("SPI1", "3'x", 0.5, 1, "new"),
    ("SPI1", "KLF1", 0.49, 1, "known"),
    ("TAL1", "KLF1", 0.95, 1, "known"),
]
EDGES = pd.DataFrame(ROWS, columns=["tf", "target", "probability", "expression_sign", "status"])
EDGES = EDGES.assign(importance=EDGES["probability"] / 2)
PAIRS = RegulonChoice(min_targets=2)


def sets_of(regulons: Regulons) -> dict[str, set[str]]:
    edges = regulons.named_edges
    return {name: set(own["target"]) for name, own in edges.groupby("regulon")}


def test_a_regulon_has_the_confident_targets_of_one_sign():
    found = choose_regulons(EDGES, PAIRS)
    assert sets_of(found) == {
        "GATA1(+)": {"KLF1", "EPOR"},
        "GATA1(-)": {"SPI1", "NA"},
        "SPI1(+)": {"CSF1R", "3'x"},
    }
    assert found.report["left_out"] == 1 and found.report["edges"] == 6
    weights = found.named_edges.set_index(["tf", "target"])["weight"]
    assert weights["GATA1", "KLF1"] == np.float32(0.9), "the probability, not the importance"


def test_settings_cut_and_keep():
    both = choose_regulons(EDGES, RegulonChoice(min_targets=2, signs="ignore"))
    assert sets_of(both)["GATA1"] == {"KLF1", "EPOR", "SPI1", "NA"}
    known = choose_regulons(EDGES, RegulonChoice(min_targets=3, keep_known=True))
    assert sets_of(known) == {"SPI1(+)": {"CSF1R", "3'x", "KLF1"}}
    best = choose_regulons(EDGES, RegulonChoice(min_targets=1, top=1))
    assert {*map(len, sets_of(best).values())} == {1} and len(best.names) == 3


def test_a_ranking_without_probabilities_gives_the_best_of_each_tf(caplog):
    ranking = EDGES.drop(columns=["probability", "expression_sign", "status"])
    found = choose_regulons(ranking, PAIRS)
    assert sets_of(found)["SPI1"] == {"CSF1R", "3'x", "KLF1"} and "50 best" in found.report["cut"]
    with pytest.raises(ConfigError, match="no probabilities to cut at 0.5: give --top=50"):
        choose_regulons(ranking, RegulonChoice(probability=0.5))
    with pytest.raises(ConfigError, match="drop --keep-known"):
        choose_regulons(ranking, RegulonChoice(keep_known=True))


def test_where_no_regulon_is_left_the_figures_are_named():
    with pytest.raises(
        ConfigError, match=r"no regulon has 10 .* among the 7 of 8 .* largest has 2"
    ):
        choose_regulons(EDGES)
    with pytest.raises(ConfigError, match="none has any"):
        choose_regulons(EDGES, RegulonChoice(probability=0.99))


@pytest.mark.parametrize("name", FILES)
def test_each_form_reads_back_as_the_same_regulons(name, tmp_path):
    found = choose_regulons(EDGES, PAIRS)
    found.write(tmp_path / name)
    read = read_regulons(tmp_path / name, RegulonConfig())
    assert sets_of(read) == sets_of(found) and read.tfs.tolist() == found.tfs.tolist()
    for column in ("sign", "weight") if FILES[name] != "gmt" else ("sign",):
        if (column, FILES[name]) == ("weight", "json"):
            continue
        own, other = (
            x.named_edges.set_index(["regulon", "target"])[column].abs() for x in (found, read)
        )
        np.testing.assert_allclose(own, other[own.index], rtol=1e-5)
    signs = read.named_edges.groupby("regulon")["sign"].first().to_dict()
    assert signs == {"GATA1(+)": 1, "GATA1(-)": -1, "SPI1(+)": 1}


def test_decoupler_reads_the_network_and_the_sets(tmp_path):
    decoupler = pytest.importorskip("decoupler", reason="the extra bench is not installed")
    found = choose_regulons(EDGES, PAIRS)
    found.write(tmp_path / "regulons.tsv")
    found.write(tmp_path / "regulons.gmt")
    network = pd.read_csv(tmp_path / "regulons.tsv", sep="\t", keep_default_na=False)
    genes = [*EDGES["target"].unique(), *(f"other{i}" for i in range(20))]
    noise = np.random.default_rng(0).random((1, len(genes)))
    cells = pd.DataFrame(noise, ["cell"], genes).assign(KLF1=9.0, EPOR=8.0, SPI1=0.0)
    scores, _ = decoupler.mt.ulm(cells, network, tmin=2)
    assert scores.loc["cell", "GATA1"] > 0 > scores.loc["cell", "SPI1"]
    sets = decoupler.pp.read_gmt(str(tmp_path / "regulons.gmt"))
    assert sets.groupby("source")["target"].agg(set).to_dict() == sets_of(found)


def test_the_weight_of_decoupler_has_the_sign_of_the_regulation(tmp_path):
    choose_regulons(EDGES, PAIRS).write(tmp_path / "regulons.tsv")
    lines = (tmp_path / "regulons.tsv").read_text().splitlines()
    assert lines[0] == "source\ttarget\tweight" and "GATA1\tSPI1\t-0.6" in lines


def test_names_that_break_a_table_are_refused_before_anything_is_written(tmp_path):
    edges = EDGES.assign(target=EDGES["target"].replace("EPOR", "E\tPOR"))
    with pytest.raises(EdgeFormatError, match="1 names of a target hold tabs"):
        choose_regulons(edges, PAIRS).write(tmp_path / "regulons.gmt")
    with pytest.raises(ConfigError, match=r"regulons.txt: regulons are written as .gmt"):
        choose_regulons(EDGES, PAIRS).write(tmp_path / "regulons.txt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ['{"GATA1": "KLF1"}', '{"GATA1": ["KLF1"', "{}", '{"a": [1]}'])
def test_json_of_anything_else_is_refused_in_one_sentence(text, tmp_path):
    path = tmp_path / "regulons.json"
    path.write_text(text)
    with pytest.raises(EdgeFormatError, match="regulons.json: JSON"):
        read_regulons(path)


def test_a_set_that_stands_twice_in_json_is_refused(tmp_path):
    path = tmp_path / "regulons.json"
    path.write_text('{"GATA1": ["KLF1"], "GATA1": ["EPOR"]}')
    with pytest.raises(EdgeFormatError, match="the set GATA1 stands twice"):
        read_regulons(path)
    path.write_text(json.dumps({"GATA1(-)": ["KLF1"]}))
    assert read_regulons(path).edges["sign"].tolist() == [-1]


def test_a_network_in_memory_gives_its_regulons():
    genes = np.unique(EDGES[["tf", "target"]])
    table = GeneTable(genes, np.isin(genes, EDGES["tf"]), np.zeros((0, 7)), genes != "")
    network = RankedNetwork(method="own", genes=table, edges=EDGES, rows=[])
    assert sets_of(network.regulons(min_targets=2)) == sets_of(choose_regulons(EDGES, PAIRS))
    with pytest.raises(ConfigError):
        network.regulons(probability=2)
