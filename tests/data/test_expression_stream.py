"""Expression read in chunks is what it is in memory, whatever the form of the file and chunks."""

import dataclasses
import logging
import pickle

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax.data import cell_stream, chunk_sums, columns_to_rows, expression_features
from grnjax.data import expression_survey as survey
from grnjax.data.expression import DataConfig, read_expression
from grnjax.data.expression_features import (
    coexpression_block,
    correlation,
    expression_statistics,
    find_silent,
    find_varying,
    principal_components,
)
from grnjax.data.expression_stream import open_expression
from grnjax.errors import ConfigError, ExpressionFormatError
from grnjax.methods.method import make_method
from grnjax.models import nearest_genes
from grnjax.models.nearest_genes import find_nearest
from grnjax.tasks.network_inference import InferenceConfig, estimate_run
from grnjax.types import GeneTable, StreamedExpression

CELLS, GENES = 90, 24
TFS = [f"G{i:02d}" for i in range(0, GENES, 3)]
ALWAYS = DataConfig(stream="always")


@pytest.fixture(scope="module")
def counts():
    """Counts with all that is dropped on the way: names twice, no gene, an empty cell, a sum."""
    rng = np.random.default_rng(0)
    depth = rng.gamma(2, size=(CELLS, 1))
    programme = rng.gamma(1, size=(CELLS, 3)) @ rng.gamma(0.5, size=(3, GENES))
    values = rng.poisson(depth * (0.2 + programme)).astype(np.float32)
    values[:, 5], values[:, 6] = 0, 2  # silent; raw counts that never change
    values[11] = 0
    names = [f"G{i:02d}" for i in range(GENES)]
    names[9], names[20], names[22] = names[2], names[4], "total_counts"
    values[:, 20] = values[:, 4]
    order = rng.permutation(GENES)
    cells = [f"cell{i}" for i in range(CELLS)]
    cells[30] = "Total"
    return anndata.AnnData(
        sparse.csr_matrix(values[:, order]),
        obs=pd.DataFrame({"kind": rng.choice(["a", "b"], CELLS)}, index=cells),
        var=pd.DataFrame(index=np.array(names)[order]),
    )


FORMS = {
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_matrix,
    "dense": lambda x: x.toarray(),
    "csr of whole numbers": lambda x: x.astype(np.int32),
}


def write(counts, path, form="csr"):
    data = counts.copy()
    data.X = FORMS[form](counts.X)
    data.write_h5ad(path)
    return path


def tabulate(read):
    genes = read.genes
    return GeneTable(genes, np.isin(genes, TFS), read.values, genes != "G05", read.cells)


def set_chunks(monkeypatch, values):
    for module in (cell_stream, survey, columns_to_rows):
        monkeypatch.setattr(module, "AT_ONCE", values)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("at_once", [1, 7 * GENES, 2**25], ids=["one cell", "seven cells", "all"])
def test_streamed_is_as_in_memory(counts, tmp_path, monkeypatch, form, at_once):
    set_chunks(monkeypatch, at_once)
    path = write(counts, tmp_path / "cells.h5ad", form)
    whole = read_expression(path, DataConfig(), set(TFS))
    streamed = open_expression(path, ALWAYS, set(TFS), may_stream=True)
    assert isinstance(streamed.values, StreamedExpression)
    assert streamed.report.pop("streamed") and streamed.report == whole.report
    assert streamed.report["normalised"] and streamed.report["zero_cells"] == 1
    np.testing.assert_array_equal(streamed.genes, whole.genes)
    assert sorted(streamed.cells.index) == sorted(whole.cells.index)
    place = streamed.cells.index.get_indexer(whole.cells.index)
    np.testing.assert_array_equal(np.asarray(streamed.values)[place], whole.values)

    there, here = tabulate(whole), tabulate(streamed)
    tfs = here.tfs
    for find in (find_varying, find_silent):
        np.testing.assert_array_equal(find(here), find(there))
    for find in (correlation, coexpression_block):
        np.testing.assert_allclose(find(here, tfs), find(there, tfs), atol=1e-6, rtol=2e-5)
    np.testing.assert_allclose(expression_statistics(here), expression_statistics(there), atol=1e-6)
    np.testing.assert_allclose(
        principal_components(here, 4), principal_components(there, 4), atol=2e-5
    )
    for some in (np.array([7, 2, -1, 2]), here.measured, np.zeros(0, int)):
        np.testing.assert_array_equal(here.expression[:, some][place], there.expression[:, some])
    monkeypatch.setattr(nearest_genes, "VALUES_AT_ONCE", 5 * GENES)
    nearest, expected = (find_nearest(x.expression) for x in (here, there))
    np.testing.assert_allclose(nearest.likeness, expected.likeness, atol=1e-6)
    is_apart = np.abs(np.diff(expected.likeness, axis=1)) > 1e-5  # from the next one
    is_alone = is_apart[:, 1:] & is_apart[:, :-1] & (expected.likeness[:, 1:-1] > 0)
    assert is_alone.sum() > GENES
    np.testing.assert_array_equal(
        nearest.places[:, 1:-1][is_alone], expected.places[:, 1:-1][is_alone]
    )


@pytest.mark.slow
def test_components_of_many_genes_are_those_of_the_randomised_decomposition(
    counts, tmp_path, monkeypatch
):
    monkeypatch.setattr(chunk_sums, "MOST_EXACT_GENES", 0)
    monkeypatch.setattr(expression_features, "MOST_EXACT", 0)
    path = write(counts, tmp_path / "cells.h5ad")
    there = tabulate(read_expression(path, DataConfig(), set(TFS)))
    here = tabulate(open_expression(path, ALWAYS, set(TFS), may_stream=True))
    found, expected = principal_components(here, 4), principal_components(there, 4)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("cells_a_chunk", [1, 13, 400])
def test_moments_are_those_of_float64(cells_a_chunk):
    rng = np.random.default_rng(1)
    values = rng.poisson(0.5, (400, 6)) * rng.gamma(1, size=(400, 6)) + [0, 0, 0, 1e4, 0, 0]
    values[:, 4], values[:, 5] = 0, 3.1
    values = values.astype(np.float32)
    rows = sparse.csr_array(values)
    starts = range(0, 400, cells_a_chunk)
    chunks = chunk_sums.Chunks(400, 6, lambda: (rows[i : i + cells_a_chunk] for i in starts))
    moments = chunk_sums.sum_moments(chunks)
    exact = values.astype(np.float64)
    np.testing.assert_allclose(moments.mean, exact.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.deviation, exact.std(axis=0), rtol=1e-10, atol=1e-15)
    np.testing.assert_array_equal(moments.detected, (exact > 0).mean(axis=0))
    np.testing.assert_array_equal(moments.least, exact.min(axis=0))
    np.testing.assert_array_equal(moments.largest, exact.max(axis=0))
    scale = chunk_sums.find_scale(moments)
    assert scale[4] == scale[5] == 0, "rounding makes no profile of a constant"
    assert scale[3] > 0


def test_what_it_is_does_not_depend_on_chunks_but_on_values(counts, tmp_path, monkeypatch):
    path = write(counts, tmp_path / "cells.h5ad")

    def digest(source, **settings):
        config = DataConfig(stream="always", **settings)
        return open_expression(source, config, set(TFS), may_stream=True).values.digest

    whole = digest(path)
    assert digest(counts) == whole != digest(path, normalise="never")
    set_chunks(monkeypatch, 7 * GENES)
    assert digest(path) == whole
    other = counts.copy()
    other.X[0, 3] += 1
    assert digest(write(other, tmp_path / "other.h5ad")) != whole


def test_single_cells_are_written_out_with_a_word(counts, tmp_path, caplog, monkeypatch):
    path = write(counts, tmp_path / "cells.h5ad")
    values = open_expression(path, ALWAYS, set(TFS), may_stream=True).values
    with caplog.at_level(logging.WARNING, "grnjax"):
        dense = values[:, :2]
        assert dense.shape == (len(values), 2) and values.T.shape == values.shape[::-1]
    said = [line for line in caplog.messages if "GiB of memory, as single ones are read" in line]
    assert len(said) == 1
    monkeypatch.setattr(cell_stream, "find_free", lambda: 10)
    again = open_expression(path, ALWAYS, set(TFS), may_stream=True).values
    with pytest.raises(
        ExpressionFormatError, match="--method=pearson, which reads cells in chunks"
    ):
        again.mean(axis=0)
    with pytest.raises(ExpressionFormatError, match="and 0.0 are free"):
        again[:, np.arange(again.shape[1])]
    with pytest.raises(ExpressionFormatError, match="cannot be pickled; give grnjax.infer a fold"):
        pickle.dumps(again)
    with pytest.raises(AttributeError, match="no attribute 'mine'"):
        again.mine  # noqa: B018


@pytest.mark.parametrize("wrong", [np.nan, -1, np.inf])
def test_what_is_refused_in_memory_is_refused(counts, tmp_path, monkeypatch, wrong):
    set_chunks(monkeypatch, 7 * GENES)
    bad = counts.copy()
    bad.X[45, 3] = wrong
    path = write(bad, tmp_path / "cells.h5ad")
    gene = bad.var_names[3]
    with pytest.raises(
        ExpressionFormatError, match=rf"cells 43 to 49: 1 of .*{gene} in cell cell45"
    ):
        open_expression(path, ALWAYS, set(TFS), may_stream=True)


def test_memory_of_a_run_on_a_stream_does_not_grow_with_cells_it_does_not_hold(counts, tmp_path):
    path = write(counts, tmp_path / "cells.h5ad")
    genes = tabulate(open_expression(path, ALWAYS, set(TFS), may_stream=True))
    many = dataclasses.replace(genes.stream)
    many.__dict__["shape"] = 10**6, 20_000
    names = np.char.mod("G%05d", np.arange(20_000))
    atlas = GeneTable(names, np.arange(20_000) < 1_500, many, np.ones(20_000, bool))

    def estimate(method):
        return estimate_run(InferenceConfig(method=make_method(method)), 1_500, atlas)

    assert estimate("kernel-factor").bytes < 10e9 and estimate("kernel-factor").seconds > 3600
    assert estimate("grnboost2").bytes > 4e6 * (1_500 + 1_024)


def test_genes_in_rows_and_other_kinds_of_files_are_read_whole(counts, tmp_path):
    counts.T.copy().write_h5ad(tmp_path / "turned.h5ad")
    text = counts.to_df().iloc[:, :5].to_csv(tmp_path / "cells.csv") or tmp_path / "cells.csv"
    for path in (tmp_path / "turned.h5ad", text):
        with pytest.raises(ConfigError, match=r"--data\.stream=always"):
            open_expression(path, ALWAYS, set(TFS), may_stream=True)
        auto = open_expression(path, DataConfig(), set(TFS), may_stream=True)
        assert isinstance(auto.values, np.ndarray)


def test_small_files_are_read_into_memory(counts, tmp_path, monkeypatch):
    path = write(counts, tmp_path / "cells.h5ad")

    def streams(**settings):
        config = DataConfig(**settings)
        found = open_expression(path, config, set(TFS), may_stream=settings != {"layer": "X"})
        return isinstance(found.values, StreamedExpression)

    assert not streams()
    monkeypatch.setattr("grnjax.data.expression_stream.MOST_IN_MEMORY", 100)
    assert streams() and not streams(stream="never") and not streams(layer="X")
