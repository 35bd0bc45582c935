import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grnjax.data.beeline import read_folder
from grnjax.data.expression import DataConfig, Expression, read_expression
from grnjax.data.genes import build_dataset
from grnjax.data.tf_lists import read_tf_list
from grnjax.errors import EdgeFormatError, GeneMismatchError
from grnjax.types import Dataset

MEASURED = ["Klf4", "Myc", "Pou5f1", "Sox2"]  # one gene a column: 1, 2, 3 and 4 times the cell


@pytest.fixture
def expression() -> Expression:
    values = np.outer([0.5, 1, 2], [1, 2, 3, 4]).astype(np.float32)
    report = {"orientation": "genes-by-cells", "raw_counts": False}
    return Expression(values, np.array(MEASURED), report)


def edges_of(*pairs: str, **columns) -> pd.DataFrame:
    frame = pd.DataFrame([pair.split(">") for pair in pairs], columns=["tf", "target"])
    return frame.assign(**columns)


def build(expression, edges, *, tfs=None, universe=None) -> Dataset:
    return build_dataset(expression, edges, tfs=tfs, universe=universe, source="toy")


def named_pairs(dataset: Dataset) -> list[tuple[str, str, float]]:
    pairs, names = dataset.known.pairs, dataset.genes.names
    labels = dataset.known.labels.tolist()
    return [(names[a], names[b], c) for (a, b), c in zip(pairs, labels, strict=True)]


NETWORK = edges_of("SOX2>POU5F1", "POU5F1>SOX2", "SOX2>NANOG", "MYC>SOX2")


def test_names_are_joined_whatever_their_case_and_spelled_as_measured(expression):
    dataset = build(expression, NETWORK)
    assert dataset.genes.names.tolist() == ["Klf4", "Myc", "NANOG", "Pou5f1", "Sox2"]
    assert dataset.report["case_rule"] == "upper-case"
    assert named_pairs(dataset) == [
        ("Myc", "Sox2", 1),
        ("Pou5f1", "Sox2", 1),
        ("Sox2", "NANOG", 1),
        ("Sox2", "Pou5f1", 1),
    ]


def test_genes_without_expression_stay_as_zeros_and_are_counted(expression):
    dataset = build(expression, NETWORK)
    genes = dataset.genes
    assert genes.names[~genes.measured].tolist() == ["NANOG"]
    np.testing.assert_array_equal(genes.expression[2], [2, 4, 0, 6, 8])
    assert genes.expression.dtype == np.float32
    assert dataset.report["unmeasured"] == {"count": 1, "first": ["NANOG"]}


def test_two_genes_that_differ_in_case_only_are_never_merged():
    values = np.ones((2, 3), np.float32)
    expression = Expression(values, np.array(["Myc", "SOX2", "myc"]), {})
    dataset = build(expression, edges_of("SOX2>MYC", "MYC>SOX2"))
    assert dataset.genes.names.tolist() == ["MYC", "Myc", "SOX2", "myc"]
    assert dataset.report["case_ambiguous"] == {"count": 1, "first": ["MYC"]}


def test_without_expression_the_network_alone_makes_the_genes():
    dataset = build(None, NETWORK)
    assert dataset.genes.names.tolist() == ["MYC", "NANOG", "POU5F1", "SOX2"]
    assert dataset.genes.expression.shape == (0, 4)
    assert not dataset.genes.measured.any()


def test_the_order_of_the_edges_changes_nothing(expression):
    labelled = NETWORK.assign(label=[1, 0, 1, 1])
    one = build(expression, labelled)
    other = build(expression, labelled.sample(frac=1, random_state=3))
    assert named_pairs(one) == named_pairs(other)
    assert ("Pou5f1", "Sox2", 0) in named_pairs(one)


def test_a_universe_is_taken_exactly_and_the_rest_is_counted(expression):
    dataset = build(expression, NETWORK, universe=["POU5F1", "SOX2", "TET1", "MYC"])
    assert dataset.genes.names.tolist() == ["Myc", "Pou5f1", "Sox2", "TET1"]
    report = dataset.report
    assert report["measured_outside_the_gene_list"] == {"count": 1, "first": ["Klf4"]}
    assert report["unknown_genes"] == {"count": 1, "first": ["NANOG"]}
    assert (report["edges"]["unknown"], report["edges"]["kept"]) == (1, 3)


def test_without_a_list_the_sources_are_the_tfs(expression):
    dataset = build(expression, NETWORK)
    assert dataset.genes.names[dataset.genes.tfs].tolist() == ["Myc", "Pou5f1", "Sox2"]
    assert (dataset.report["tfs_with_targets"], dataset.report["tfs_with_one_target"]) == (3, 2)


def test_a_tf_list_decides_who_regulates(expression):
    dataset = build(expression, NETWORK, tfs=["Sox2", "KLF4", "MYC", "GATA1"])
    assert dataset.genes.names[dataset.genes.tfs].tolist() == ["Klf4", "Myc", "Sox2"]
    assert dataset.report["tfs_not_found"] == {"count": 1, "first": ["GATA1"]}
    assert dataset.report["edges"]["source_not_a_tf"] == 1
    assert all(tf != "Pou5f1" for tf, _, _ in named_pairs(dataset))


def test_edges_made_by_hand_are_cleaned_as_read_ones(expression):
    dataset = build(expression, edges_of("SOX2>MYC", "SOX2>SOX2", "SOX2>MYC", "MYC>SOX2"))
    edges = dataset.report["edges"]
    assert (edges["read"], edges["self_loops"], edges["duplicates"], edges["kept"]) == (4, 1, 1, 2)


def test_no_tf_found_is_refused_with_both_lists(expression):
    with pytest.raises(GeneMismatchError) as caught:
        build(expression, NETWORK, tfs=["ENSG00000000001", "ENSG00000000002"])
    message = str(caught.value)
    assert "none of the 2 TFs of the list (ENSG00000000001, ENSG00000000002: ensembl)" in message
    assert "among the 5 genes (Klf4, Myc, NANOG, Pou5f1, Sox2: symbol)" in message


def test_too_few_edges_are_refused_with_the_reasons(expression):
    with pytest.raises(GeneMismatchError, match="fewer than 2 known edges.*4 read.*4 unknown"):
        build(expression, NETWORK, universe=["KLF4", "GATA1"])


def test_a_network_without_measured_genes_is_refused(expression):
    with pytest.raises(GeneMismatchError, match="none of the 3 genes of the network .*expression"):
        build(expression, edges_of("A>B", "B>C"))


@pytest.mark.parametrize(
    "text, names",
    [
        ("SOX2\nMYC\nSOX2\n", ["SOX2", "MYC"]),
        ("TF,Sources\nAATF,RegNetwork|TRRUST\nABL1,x\n", ["AATF", "ABL1"]),
        (",TF,index\n0,CTBP1,1\n1,HMG20B,8\n", ["CTBP1", "HMG20B"]),
        ('"YAL001C"\n"YAL015C"\n', ["YAL001C", "YAL015C"]),
        ("gene\tspecies\nNA\thuman\n", ["NA"]),
    ],
)
def test_tf_lists_are_lines_or_tables(tmp_path, text, names):
    (tmp_path / "tfs.txt").write_text(text)
    assert read_tf_list(tmp_path / "tfs.txt") == names


@pytest.mark.parametrize("text", ["", "\n\n", "TF\n"])
def test_an_empty_tf_list_is_refused(tmp_path, text):
    (tmp_path / "tfs.txt").write_text(text)
    with pytest.raises(EdgeFormatError, match="tfs.txt: (the file is empty|a header and no names)"):
        read_tf_list(tmp_path / "tfs.txt")


@pytest.fixture(scope="module")
def data_folder() -> Path:
    data = os.environ.get("GRNJAX_DATA")
    if not data:
        pytest.skip("GRNJAX_DATA is not set: no real data")
    return Path(data)


@pytest.mark.slow
def test_a_real_mouse_matrix_in_mgi_case_meets_labels_in_upper_case(data_folder):
    folder = read_folder(data_folder / "beeline_labels/Specific/mESC/TFs+500")
    path = data_folder / "beeline_expression/mESC_642genes.csv.gz"
    expression = read_expression(path, DataConfig(), set(folder.genes))
    dataset = build_dataset(
        expression, folder.edges, tfs=folder.tfs, universe=folder.genes, source="mESC"
    )
    report = dataset.report
    assert report["case_rule"] == "upper-case"
    assert (report["genes"], report["measured"]) == (1120, 588)
    assert (report["tfs"], report["tfs_with_targets"]) == (627, 88)
    assert report["edges"]["kept"] == len(folder.edges) == 29613
    assert "Sox2" in dataset.genes.names
