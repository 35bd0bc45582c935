import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grnjax.data.edges import read_edges
from grnjax.data.selection import filter_network, read_ordering, select_genes
from grnjax.data.tf_lists import read_tf_list
from grnjax.errors import ExpressionFormatError, GeneMismatchError

ORDERING = pd.DataFrame(
    [
        ("T1", 1e-9, 0.5),
        ("T2", 1e-9, 9.0),
        ("T3", 0.002, 99.0),  # above .01 / 7
        ("C1orf2", 1e-9, 3.0),
        ("G2", 1e-9, 5.0),
        ("G3", 0.001, 4.0),  # below .01 / 7, above .01 / 10
        ("G4", np.nan, 50.0),
    ],
    columns=["gene", "VGAMpValue", "Variance"],
)
TFS = ["T1", "T2", "T3", "T9"]


def test_varying_tfs_are_all_taken_and_others_by_variance():
    assert select_genes(ORDERING, TFS, 0) == ["T1", "T2"]
    assert select_genes(ORDERING, TFS, 1) == ["G2", "T1", "T2"]
    assert select_genes(ORDERING, TFS, 2) == ["G2", "G3", "T1", "T2"]
    assert select_genes(ORDERING, TFS, 500) == ["C1orf2", "G2", "G3", "T1", "T2"]


def test_more_genes_make_the_threshold_stricter():
    more = pd.DataFrame({"gene": ["X", "Y", "Z"], "VGAMpValue": 1.0, "Variance": 100.0})
    assert "G3" not in select_genes(pd.concat([ORDERING, more]), TFS, 500)


def test_the_order_of_the_rows_changes_nothing_even_with_ties():
    ties = ORDERING.assign(Variance=1.0)
    for seed in range(5):
        shuffled = ties.sample(frac=1, random_state=seed)
        assert select_genes(shuffled, TFS, 1) == ["C1orf2", "T1", "T2"]


def test_names_are_put_in_upper_case_only_where_that_finds_more_tfs():
    mouse = ORDERING.assign(gene=ORDERING["gene"].str.replace("T", "t"))
    assert select_genes(mouse, TFS, 500) == ["C1ORF2", "G2", "G3", "T1", "T2"]


def test_lists_of_other_names_and_repeated_genes_are_refused():
    with pytest.raises(GeneMismatchError, match="none of the 1 TFs .ENSG1. is among the 7 genes"):
        select_genes(ORDERING, ["ENSG1"], 5)
    twice = pd.concat([ORDERING, ORDERING[:2]])
    with pytest.raises(GeneMismatchError, match="2 of 9 genes are named twice .T1, T2."):
        select_genes(twice, TFS, 5)


def test_edges_stay_if_both_ends_are_in_the_set():
    edges = pd.DataFrame(
        {"tf": ["T1", "T1", "T9", "t1"], "target": ["G2", "G9", "G2", "G2"], "sign": [1, 1, 1, -1]}
    )
    kept = filter_network(edges, ["T1", "G2"])
    assert kept.to_dict("list") == {"tf": ["T1"], "target": ["G2"], "sign": [1]}


@pytest.mark.parametrize(
    "text, complaint",
    [
        (",Variance\nA,1\n", "has the columns gene, VGAMpValue, Variance; this one has"),
        (",VGAMpValue,Variance\nA,1,2\nB,1\n", r"row 2 \(B,1\) has no p-value and variance"),
        (",VGAMpValue,Variance\nA,1,high\n", r"row 1 \(A,1,high\) has no p-value"),
        (",VGAMpValue,Variance\n", "a header and no genes"),
    ],
)
def test_a_damaged_ordering_is_refused_with_the_row(tmp_path, text, complaint):
    (tmp_path / "GeneOrdering.csv").write_text(text)
    with pytest.raises(ExpressionFormatError, match=f"GeneOrdering.csv: .*{complaint}"):
        read_ordering(tmp_path / "GeneOrdering.csv")


def test_an_ordering_may_have_windows_line_ends_and_quotes(tmp_path):
    text = '"","VGAMpValue","Variance"\r\n"NA",1e-300,2.5\r\n'
    (tmp_path / "x.csv").write_bytes(text.encode())
    assert read_ordering(tmp_path / "x.csv").to_dict("list") == {
        "gene": ["NA"],
        "VGAMpValue": [1e-300],
        "Variance": [2.5],
    }


CELLS = {"hESC": "human", "hHEP": "human", "mDC": "mouse", "mESC": "mouse", "mHSC-E": "mouse"}
WHOLE_NETWORKS = [  # those of which the whole file is at hand
    *((cell, "STRING", f"{species}_STRING") for cell, species in CELLS.items()),
    *((cell, "Non-Specific", "mouse_Non-Specific-ChIP-seq") for cell in ("mDC", "mESC", "mHSC-E")),
    ("hHEP", "Specific", "human_HepG2-ChIP-seq"),
    ("mDC", "Specific", "mouse_mDC-ChIP-seq"),
]


@pytest.fixture(scope="module")
def data() -> Path:
    folder = os.environ.get("GRNJAX_DATA")
    if not folder:
        pytest.skip("GRNJAX_DATA is not set: no published gene sets")
    return Path(folder)


def select_published(data: Path, cell: str, size: int) -> list[str]:
    ordering = data / f"beeline_expression/gene_ordering/{cell}_GeneOrdering.csv.gz"
    tfs = read_tf_list(data / f"tf_lists/beeline_{CELLS[cell]}-tfs.csv")
    return select_genes(read_ordering(ordering), tfs, size)


@pytest.mark.slow
@pytest.mark.parametrize("size", [500, 1000])
@pytest.mark.parametrize("cell", CELLS)
def test_the_published_gene_sets_come_out_gene_for_gene(data, cell, size):
    genes = select_published(data, cell, size)
    for kind in ("Specific", "Non-Specific", "STRING"):
        path = data / f"beeline_labels/{kind}/{cell}/TFs+{size}/Target.csv"
        assert genes == sorted(pd.read_csv(path, keep_default_na=False)["Gene"]), kind


@pytest.mark.slow
@pytest.mark.parametrize("cell, kind, name", WHOLE_NETWORKS)
def test_the_published_networks_come_out_edge_for_edge(data, cell, kind, name):
    whole = read_edges(data / f"beeline_full_networks/{name}-network.csv.gz")
    for size in (500, 1000):
        kept = filter_network(whole, select_published(data, cell, size))
        published = read_edges(data / f"beeline_labels/{kind}/{cell}/TFs+{size}/BL--network.csv")
        edges = [set(zip(frame["tf"], frame["target"], strict=True)) for frame in (kept, published)]
        assert edges[0] == edges[1]
