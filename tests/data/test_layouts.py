import gzip
import sys

import anndata
import pandas as pd
import pytest

from grnjax.data.edges import read_edges
from grnjax.data.layouts import MOST_EDGES, write_layout
from grnjax.errors import ConfigError

EDGES = pd.DataFrame(
    {
        "tf": ["B", "A", "A", "NA"],
        "target": ["C", "D", "B", "A"],
        "weight": [0.1, -2.0, 2.0, 1 / 3],
    }
)
BEST_FIRST = [("A", "B", 2.0), ("A", "D", -2.0), ("NA", "A", 1 / 3), ("B", "C", 0.1)]


def rows_of(frame: pd.DataFrame) -> list[tuple]:
    return list(frame[["tf", "target", "weight"]].itertuples(index=False, name=None))


@pytest.mark.parametrize("layout", ["beeline", "decoupler", "scenic"])
@pytest.mark.parametrize("suffix", ["csv", "tsv", "txt.gz", "csv.gz", "parquet"])
def test_what_is_written_is_read_again(tmp_path, layout, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"network.{suffix}"
    write_layout(EDGES, path, layout)
    expected = [(tf, gene, abs(w) if layout == "scenic" else w) for tf, gene, w in BEST_FIRST]
    assert rows_of(read_edges(path)) == expected


def test_the_form_of_genernib_is_read_again(tmp_path):
    path = tmp_path / "network.h5ad"
    write_layout(EDGES, path, "genernib", dataset_id="op", method_id="mine")
    assert rows_of(read_edges(path)) == BEST_FIRST
    uns = anndata.read_h5ad(path).uns
    assert (uns["dataset_id"], uns["method_id"]) == ("op", "mine")
    assert list(uns["prediction"]) == ["source", "target", "weight"]
    assert all(isinstance(weight, str) for weight in uns["prediction"]["weight"])


@pytest.mark.parametrize(
    "layout, name, first",
    [
        ("scenic", "x.tsv", "TF\ttarget\timportance"),
        ("scenic", "x.csv", "TF,target,importance"),
        ("beeline", "rankedEdges.csv", "Gene1\tGene2\tEdgeWeight"),
        ("decoupler", "x.csv", "source,target,weight"),
    ],
)
def test_headings_and_separators_are_those_of_the_program(tmp_path, layout, name, first):
    write_layout(EDGES, tmp_path / name, layout)
    assert (tmp_path / name).read_text().splitlines()[0] == first


def test_scenic_gets_importances_and_what_goes_is_counted(tmp_path):
    edges = pd.concat([EDGES, pd.DataFrame({"tf": ["C"], "target": ["A"], "weight": [0.0]})])
    report = write_layout(edges, tmp_path / "x.tsv", "scenic")
    assert report == {"edges": 4, "signs_left_out": 1, "weights_of_0_left_out": 1}


def test_known_signs_become_those_of_the_weights(tmp_path):
    edges = EDGES.assign(sign=[-1, 1, 0, 1])
    write_layout(edges, tmp_path / "x.csv", "decoupler")
    weights = read_edges(tmp_path / "x.csv").set_index(["tf", "target"])["weight"]
    assert weights.to_dict() == {
        ("B", "C"): -0.1,
        ("A", "D"): 2.0,
        ("A", "B"): 2.0,
        ("NA", "A"): 1 / 3,
    }


def test_signs_alone_become_weights_and_survive_the_round(tmp_path):
    (tmp_path / "signs.csv").write_text("Gene1,Gene2,Type\nA,B,+\nB,C,-\n")
    write_layout(read_edges(tmp_path / "signs.csv"), tmp_path / "x.csv", "decoupler")
    assert read_edges(tmp_path / "x.csv")["sign"].tolist() == [1, -1]


def test_pairs_that_are_no_edges_are_left_out(tmp_path):
    edges = EDGES.drop(columns="weight").assign(label=[1, 0, 1, 0])
    report = write_layout(edges, tmp_path / "x.csv", "decoupler")
    assert report == {"edges": 2, "pairs_labelled_0_left_out": 2}
    assert rows_of(read_edges(tmp_path / "x.csv")) == [("A", "B", 1.0), ("B", "C", 1.0)]


@pytest.mark.slow
def test_genernib_gets_the_edges_it_judges(tmp_path):
    count = MOST_EDGES + 3
    genes = [f"G{i}" for i in range(count)]
    edges = pd.DataFrame({"tf": "A", "target": genes, "weight": [i + 1.0 for i in range(count)]})
    report = write_layout(edges, tmp_path / "x.h5ad", "genernib")
    assert report == {"edges": MOST_EDGES, "weaker_edges_left_out": 3}
    assert read_edges(tmp_path / "x.h5ad")["weight"].min() == 4


def test_the_order_of_the_edges_reaches_no_byte(tmp_path):
    for name, edges in (("one.csv.gz", EDGES), ("other.csv.gz", EDGES[::-1])):
        write_layout(edges, tmp_path / name, "decoupler")
    packed = (tmp_path / "one.csv.gz").read_bytes()
    assert packed == (tmp_path / "other.csv.gz").read_bytes()
    assert gzip.decompress(packed).startswith(b"source,target,weight\n")


@pytest.mark.parametrize(
    "layout, name, complaint",
    [
        ("scenic", "x.h5ad", "layout scenic is written as .csv, .tsv, .txt, .parquet"),
        ("genernib", "x.csv", "layout genernib is written as .h5ad; name"),
        ("decoupler", "x.xlsx", "layout decoupler is written as"),
        ("decoupler", "x.parquet.gz", "layout decoupler is written as"),
        ("decoupler", "x", "layout decoupler is written as"),
    ],
)
def test_a_suffix_that_does_not_fit_is_refused(tmp_path, layout, name, complaint):
    with pytest.raises(ConfigError, match=f"{name}: {complaint}"):
        write_layout(EDGES, tmp_path / name, layout)
    assert not list(tmp_path.iterdir())


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"x.parquet: .*pip install 'grnjax\[formats\]'"):
        write_layout(EDGES, tmp_path / "x.parquet", "scenic")
    assert not list(tmp_path.iterdir())
