"""What Python users pass is taken as what it is, or refused in the words of a call."""

import logging
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import grnjax
from grnjax.data.expression import DataConfig
from grnjax.errors import ConfigError, EdgeFormatError, ExpressionFormatError
from grnjax.tasks.network_inference import InferenceConfig
from grnjax.tasks.python_words import in_python
from tests.faults.expression_files import CELLS, COUNTS, GENES, TFS, make_annotated

KNOWN = [("GATA1", "CD4"), ("GATA1", "MYC"), ("SOX2", "NANOG"), ("SOX2", "POU5F1"), ("SOX2", "CD4")]
FRAME = pd.DataFrame(COUNTS, CELLS, GENES)
TF_LIST = sorted(TFS)


@pytest.fixture(scope="module")
def expected():
    """The edges of an AnnData object in memory."""
    return grnjax.infer(make_annotated(), method="pearson", tfs=TF_LIST).edges


def expect_edges(edges, expected):
    pd.testing.assert_frame_equal(edges, expected)


class Modalities(dict):
    """As MuData is: AnnData by name, and obs of all."""

    obs = pd.DataFrame(index=CELLS)

    @property
    def mod(self):
        return dict(self)


class Graph:
    """As networkx.DiGraph is."""

    def __init__(self, edges, directed=True, **data):
        self.listed, self.directed, self.data = edges, directed, data

    def is_directed(self):
        return self.directed

    def edges(self, data):
        return [(*edge, self.data) for edge in self.listed]


class PolarsFrame:
    """As polars has data frames: without an index."""

    def to_pandas(self):
        return FRAME.rename_axis("cell").reset_index()


@pytest.mark.parametrize(
    "given",
    [
        FRAME,
        FRAME.T,
        FRAME.astype(np.float64).sample(frac=1, random_state=0),
        FRAME.reset_index(drop=True),
        PolarsFrame(),
        make_annotated(sparse.csc_matrix(COUNTS.astype(np.float32))),
        Modalities(rna=make_annotated(), atac=make_annotated(7 * COUNTS)),
        Modalities(cells=make_annotated()),
    ],
    ids=["frame", "turned", "shuffled", "no names", "polars", "sparse", "MuData", "one modality"],
)
def test_expression_of_any_kind_gives_the_same_ranking(given, expected):
    expect_edges(grnjax.infer(given, method="pearson", tfs=TF_LIST).edges, expected)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix, np.asarray])
def test_what_is_backed_by_a_file_is_read(kind, expected, tmp_path):
    make_annotated(kind(COUNTS.astype(np.float32))).write_h5ad(tmp_path / "x.h5ad")
    backed = anndata.read_h5ad(tmp_path / "x.h5ad", backed="r")
    expect_edges(grnjax.infer(backed, method="pearson", tfs=TF_LIST).edges, expected)


def test_without_tfs_a_data_frame_is_cells_by_genes_as_for_arboreto():
    whole = grnjax.infer(make_annotated(), method="pearson").edges
    expect_edges(grnjax.infer(FRAME, method="pearson").edges, whole)


@pytest.mark.parametrize(
    "given, what",
    [
        (COUNTS, "ndarray"),
        (sparse.csr_matrix(COUNTS), "csr_matrix"),
        ([[1, 2], [3, 4]], "list"),
        (None, "NoneType"),
    ],
)
def test_numbers_without_names_are_refused(given, what):
    with pytest.raises(ExpressionFormatError, match=f"cannot be a {what}, .*give an AnnData"):
        grnjax.infer(given, method="pearson", tfs=TF_LIST)


def test_a_frame_with_words_and_modalities_without_rna_are_refused():
    with pytest.raises(ExpressionFormatError, match="column kind holds .*, not numbers"):
        grnjax.infer(FRAME.assign(kind="a"), method="pearson", tfs=TF_LIST)
    with pytest.raises(ExpressionFormatError, match=r"MuData of a, b, none .*mdata\['NAME'\]"):
        two = Modalities(a=make_annotated(), b=make_annotated())
        grnjax.infer(two, method="pearson", tfs=TF_LIST)


@pytest.mark.parametrize(
    "known",
    [
        KNOWN,
        tuple(map(list, KNOWN)),
        np.array(KNOWN),
        set(KNOWN),
        iter(KNOWN),
        [(tf, target, 0.5) for tf, target in KNOWN],
        Graph(KNOWN),
        Graph(KNOWN, weight=2),
    ],
)
def test_known_edges_are_pairs_or_a_directed_graph(known):
    frame = pd.DataFrame(KNOWN, columns=["tf", "target"])
    expected = grnjax.read(FRAME, frame, TF_LIST)
    dataset = grnjax.read(FRAME, known, TF_LIST)
    np.testing.assert_array_equal(dataset.known.pairs, expected.known.pairs)
    assert len(dataset.known) == len(KNOWN)


def test_networkx_itself_where_it_is_there():
    networkx = pytest.importorskip("networkx")
    dataset = grnjax.read(FRAME, networkx.DiGraph(KNOWN), TF_LIST)
    assert len(dataset.known) == len(KNOWN)


@pytest.mark.parametrize(
    "known, words",
    [
        (Graph(KNOWN, directed=False), "no directions"),
        (5, r"what is given \(int\) is no network; give a data frame"),
        (["GATA1", "CD4"], r"what is given \(list\) is no network"),
        ([("GATA1",), ("SOX2", "CD4")], "is no network"),
        ([], "no edges"),
    ],
)
def test_other_things_are_no_network(known, words):
    with pytest.raises(EdgeFormatError, match=f"^network: .*{words}"):
        grnjax.read(FRAME, known, TF_LIST)


def test_a_network_to_be_judged_is_taken_as_one_to_learn_from_and_refused_likewise():
    ranked = [(tf, target, 3 - i) for i, (tf, target) in enumerate(KNOWN[:3])]
    frame = pd.DataFrame(ranked, columns=["tf", "target", "weight"])
    expected = grnjax.evaluate(frame, pd.DataFrame(KNOWN, columns=["tf", "target"])).rows
    assert grnjax.evaluate(ranked, KNOWN).rows == expected
    assert grnjax.evaluate(frame, Graph(KNOWN)).rows == expected
    with pytest.raises(EdgeFormatError, match=r"^network: what is given \(int\) is no network"):
        grnjax.evaluate(5, KNOWN)


# Words


def test_errors_and_messages_name_arguments_and_not_flags(caplog):
    data = make_annotated(COUNTS - 3)
    data.layers["counts"] = COUNTS
    with pytest.raises(ExpressionFormatError, match=r"data=DataConfig\(layer='counts'\)") as caught:
        grnjax.infer(data, method="pearson", tfs=TF_LIST)
    assert "data=DataConfig(scaled=True)" in str(caught.value) and "--" not in str(caught.value)
    with pytest.raises(ConfigError, match="give known=EDGES.* as with method='grnboost2'"):
        grnjax.infer(FRAME, method="scRegNet", tfs=TF_LIST)
    caplog.set_level(logging.INFO, "grnjax")
    layer = DataConfig(layer="counts")
    grnjax.infer(data, method="pearson", tfs=TF_LIST, data=layer)
    assert "(data=DataConfig(normalise='never') leaves" in caplog.text and "--" not in caplog.text


@pytest.mark.parametrize(
    "flags, words",
    [
        ("Check --data.orientation.", "Check DataConfig.orientation."),
        ("--data.gene-column=COLUMN (.h5ad)", "data=DataConfig(gene_column=COLUMN) (.h5ad)"),
        ("Pass --data.split=draw, or not.", "Pass data=DataConfig(split='draw'), or not."),
        ("pass --data.scaled if so", "pass data=DataConfig(scaled=True) if so"),
        ("fewer --folds, --repeats=2.", "fewer config.folds, config.repeats=2."),
        ("choose another --out.", "choose another folder."),
        ("a - b -- c", "a - b -- c"),
    ],
)
def test_flags_become_arguments(flags, words):
    assert in_python(flags) == words


def test_the_command_line_keeps_its_flags(cli, tmp_path):
    data = make_annotated(COUNTS - 3)
    data.layers["counts"] = COUNTS
    data.write_h5ad(tmp_path / "x.h5ad")
    (tmp_path / "tfs.txt").write_text("\n".join(TF_LIST))
    arguments = ("--tfs", tmp_path / "tfs.txt", "--method=pearson", "--out", tmp_path / "run")
    outcome = cli("infer", tmp_path / "x.h5ad", *arguments)
    assert outcome.status == 2 and "--data.layer=counts" in outcome.err


# Names of version 0.1.0


def test_old_names_still_work_and_say_the_new_ones(expected, capsys):
    assert InferenceConfig(members=1, folds=2) == InferenceConfig(repeats=1, folds=2)
    assert "InferenceConfig(members=...) is now repeats=...." in capsys.readouterr().err
    sys.modules.pop("grnjax.tasks.unsupervised", None)
    from grnjax.tasks.unsupervised import infer_unsupervised

    assert "grnjax.tasks.unsupervised is now grnjax.infer." in capsys.readouterr().err
    expect_edges(infer_unsupervised(FRAME, TF_LIST, "pearson"), expected)
    with pytest.raises(TypeError, match="member"):
        InferenceConfig(member=1)
