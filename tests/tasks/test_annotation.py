"""A network inside the cells it came from, as HTML, pair by pair, and a bar in notebooks."""

import sys
import types

import anndata
import numpy as np
import pandas as pd
import pytest

import grnjax
from grnjax import progress
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.tasks import annotation
from grnjax.tasks.network_inference import InferenceConfig
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.types import GeneTable


@pytest.fixture
def cells(small_set):
    return anndata.AnnData(small_set.counts.T.astype(np.float32))


@pytest.fixture(scope="module")
def learned():
    names = np.array(["A", "B", "C", "D"])
    genes = GeneTable(names, names < "C", np.zeros((0, 4), np.float32), names != "")
    edges = pd.DataFrame({"tf": ["A", "B"], "target": ["B", "C"], "importance": [0.9, 0.2]})
    edges = edges.assign(probability=[0.8, 0.1], status=["new", "known"])
    rows = [
        {"method": name, "seed": 0, "draw": draw, "ap_ratio": x, "early_precision_ratio": 2 * x}
        for name, ratios in (("own", (2.1, 2.3)), ("<b>", (1.4, 1.6)))
        for draw, x in enumerate(ratios)
    ]
    every = pd.DataFrame([[np.nan, 0.9, 0.1, 0.1], [0.1, np.nan, 0.2, 0.5]], names[:2], names)
    calibration = {"slope": 1.0, "offset": -1.0, "reliability_error": 0.01}
    kept = {"calibration": calibration, "every_score": every}
    return RankedNetwork(method="own", genes=genes, edges=edges, rows=rows, **kept)


def test_infer_writes_the_network_into_the_cells_and_returns_it(cells, tmp_path):
    tfs = list(cells.var_names[:6])
    network = grnjax.infer(cells, method="pearson", tfs=tfs)
    matrix, about = cells.varp["grnjax"], cells.uns["grnjax"]
    edges = network.edges
    row, column = (cells.var_names.get_indexer(edges[x]) for x in ("tf", "target"))
    np.testing.assert_allclose(np.ravel(matrix[row, column]), edges["importance"], rtol=1e-6)
    assert matrix.nnz == len(edges) == about["edges"] and about["value"] == "importance"
    assert about["method"] == "pearson" and about["version"] == grnjax.__version__
    cells.write_h5ad(tmp_path / "cells.h5ad")
    assert anndata.read_h5ad(tmp_path / "cells.h5ad").uns["grnjax"]["method"] == "pearson"


def test_a_copy_a_name_and_nothing_at_all(cells, small_set):
    tfs = list(cells.var_names[:3])
    network = grnjax.infer(cells, method="pearson", tfs=tfs, key_added="mine", copy=True)
    assert "mine" in network.adata.varp and not cells.varp and not cells.uns
    network = grnjax.infer(cells, method="pearson", tfs=tfs, key_added=None)
    assert network.adata is None and not cells.varp and not cells.uns
    assert len(grnjax.infer(small_set.counts.T, method="pearson", tfs=tfs).edges)


def test_the_rna_of_mudata_gets_the_network(cells):
    multiome = types.SimpleNamespace(mod={"rna": cells, "atac": None}, obs=cells.obs)
    assert annotation.find_table(multiome) is cells
    assert annotation.find_table(cells.to_df()) is None


def test_the_best_edges_are_kept_and_genes_that_are_not_there_are_told(
    learned, monkeypatch, caplog
):
    table = anndata.AnnData(np.zeros((1, 3), np.float32), var=pd.DataFrame(index=["A", "B", "D"]))
    assert annotation.annotate(table, learned, "grnjax", InferenceConfig(), 0)
    assert "leaves out 1 of 2 edges" in caplog.text and "C" in caplog.text
    assert table.varp["grnjax"].toarray()[0, 1] == np.float32(0.8), "the probability"
    trust = table.uns["grnjax"]["trust"]
    assert trust["ap_ratio"] == pytest.approx(2.2) and trust["reliability_error"] == 0.01
    assert trust["ap_ratio_of_best_trivial_row"] == 1.5
    monkeypatch.setattr(annotation, "MOST_EDGES", 1)
    full = anndata.AnnData(np.zeros((1, 4), np.float32), var=pd.DataFrame(index=list("ABCD")))
    annotation.annotate(full, learned, "grnjax", InferenceConfig(), 0)
    assert full.uns["grnjax"]["edges"] == 1 and full.uns["grnjax"]["of_edges"] == 2


def test_a_notebook_shows_a_table_with_a_line_of_trust_and_nothing_of_it_is_markup(learned):
    edges = learned.edges.assign(target=["<script>x</script>", "C"])
    html = RankedNetwork(method="own", genes=learned.genes, edges=edges, rows=learned.rows)
    text = html._repr_html_()
    assert (
        "4.4 times as often as chance" in text
        and "1.5 times" in text
        and "2 edges of 2 TFs" in text
    )
    assert "<script" not in text and "&lt;script&gt;" in text and "&lt;b&gt;" in text
    assert text.count("<tr>") == 3 and len(text) < 4000
    bare = RankedNetwork(method="own", genes=learned.genes, edges=edges, rows=[])
    assert "times" not in bare._repr_html_()
    shown = repr(bare).splitlines()
    assert shown[0] == "Ranked network by own" and shown[1] in text and len(shown) < 9


def test_any_pair_of_the_run_has_a_score(learned):
    found = learned.score([("A", "B"), ("B", "D"), ("B", "C")])
    assert found["listed"].tolist() == [True, False, True]
    assert found["probability"].tolist() == pytest.approx([0.8, 1 / (1 + np.e), 0.1])
    assert found["importance"].tolist() == pytest.approx([0.9, 0.5, 0.2])
    for pairs, words in (
        ([("C", "A")], "not among the 2 TFs"),
        ([("A", "Z")], "not among the 4 genes"),
        ([("A", "A")], "its own target"),
    ):
        with pytest.raises(GeneMismatchError, match=words):
            learned.score(pairs)
    for wrong in ([], ["AB"], [("A",)]):
        with pytest.raises(ConfigError, match="give pairs of names"):
            learned.score(wrong)


@pytest.mark.slow
def test_a_pair_of_a_run_folder_is_scored_in_three_lines(inferred):
    network = grnjax.read(inferred)
    first = network.edges.iloc[0]
    [row] = network.score([(first["tf"], first["target"])]).to_dict("records")
    assert row["probability"] == first["probability"] and row["listed"]


def test_a_notebook_has_a_bar_of_text(monkeypatch, capsys):
    shell = type("ZMQInteractiveShell", (), {})
    for found, name in ((True, shell), (False, type("TerminalInteractiveShell", (), {}))):
        fake = types.SimpleNamespace(get_ipython=name)
        monkeypatch.setitem(sys.modules, "IPython", fake)
        assert progress.is_notebook() == found
        with progress.ProgressBar(2, "inferring", unit="fit") as bar:
            bar.update(2)
            bar.bar.refresh()
        assert ("inferring: 100%" in capsys.readouterr().out) == found
    monkeypatch.delitem(sys.modules, "IPython")
    assert not progress.is_notebook()
