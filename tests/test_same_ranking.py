"""The form of the input files never reaches the ranking: `infer` writes the same bytes."""

import gzip
import re

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

QUICK = ["--repeats", 1, "--folds", 2]
SCREGNET = ["--method=scRegNet", "--method.training.epochs", 10]
SCREGNET += ["--method.inputs.messages", "symmetric"]


@pytest.fixture(scope="module")
def values(small_set):
    """Log values [gene, cell] in float64, which float32 holds only after rounding."""
    return np.log1p(small_set.counts * 0.7)


@pytest.fixture(scope="module", params=["kernel-factor", "scRegNet"])
def method(request, quick_factors):
    """Settings of a short run by each method."""
    return SCREGNET if request.param == "scRegNet" else ["--explain", *quick_factors]


@pytest.fixture(scope="module")
def rank(cli, small_set, method, tmp_path_factory):
    """Runs `infer` on an expression file and gives the bytes of edges.tsv."""

    def run(expression, network=None, tfs=None):
        folder = tmp_path_factory.mktemp("ranking") / "run"
        network = network or small_set.folder / "network.csv"
        tfs = tfs or small_set.folder / "tfs.txt"
        files = [expression, "--network", network, "--tfs", tfs]
        outcome = cli("infer", *files, *QUICK, *method, "--out", folder)
        assert outcome.status == 0, outcome.err
        return (folder / "edges.tsv").read_bytes()

    return run


@pytest.fixture(scope="module")
def expected(rank, values, tmp_path_factory):
    """The ranking from a table of genes x cells."""
    path = tmp_path_factory.mktemp("genes-by-cells") / "expression.csv"
    values.to_csv(path)
    return rank(path)


def shuffle(values, seed):
    """The same table with genes and cells in another order."""
    return values.sample(frac=1, random_state=seed).sample(frac=1, axis=1, random_state=seed + 1)


@pytest.mark.slow
def test_transposed_tab_separated_and_gzipped(values, rank, expected, tmp_path):
    path = tmp_path / "expression.tsv.gz"
    path.write_bytes(gzip.compress(values.T.to_csv(sep="\t").encode()))
    assert rank(path) == expected


@pytest.mark.slow
def test_genes_cells_edges_and_tfs_in_another_order(values, small_set, rank, expected, tmp_path):
    shuffle(values, 1).to_csv(tmp_path / "expression.csv")
    small_set.known.sample(frac=1, random_state=2).to_csv(tmp_path / "network.csv", index=False)
    (tmp_path / "tfs.txt").write_text("\n".join(reversed(small_set.tfs)))
    files = (tmp_path / name for name in ("expression.csv", "network.csv", "tfs.txt"))
    assert rank(*files) == expected


@pytest.mark.slow
def test_other_gene_names_in_the_same_order(values, small_set, rank, expected, tmp_path):
    def rename(name):
        return f"Q{name}"

    values.rename(index=rename).to_csv(tmp_path / "expression.csv")
    small_set.known.map(rename).to_csv(tmp_path / "network.csv", index=False)
    (tmp_path / "tfs.txt").write_text("\n".join(map(rename, small_set.tfs)))
    ranked = rank(*(tmp_path / name for name in ("expression.csv", "network.csv", "tfs.txt")))
    assert ranked != expected
    assert re.sub(rb"Q(TF|G)", rb"\1", ranked) == expected


def write_dense_float32(table, path):
    anndata.AnnData(table.T.astype(np.float32)).write_h5ad(path)


def write_sparse_float64(table, path):
    matrix = sparse.csr_matrix(table.T.to_numpy(np.float64))
    axes = {"obs": pd.DataFrame(index=table.columns), "var": pd.DataFrame(index=table.index)}
    anndata.AnnData(matrix, **axes).write_h5ad(path)


def write_sparse_columns_of_transposed(table, path):
    matrix = sparse.csc_matrix(table.to_numpy(np.float32))
    axes = {"obs": pd.DataFrame(index=table.index), "var": pd.DataFrame(index=table.columns)}
    anndata.AnnData(matrix, **axes).write_h5ad(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "write", [write_dense_float32, write_sparse_float64, write_sparse_columns_of_transposed]
)
def test_h5ad_dense_or_sparse_in_any_number_type(write, values, rank, expected, tmp_path):
    write(shuffle(values, 5), tmp_path / "expression.h5ad")
    assert rank(tmp_path / "expression.h5ad") == expected


@pytest.mark.slow
def test_raw_counts_rank_alike_as_integers_and_floats(small_set, rank, expected, tmp_path):
    from_text = rank(small_set.folder / "expression.csv")
    counts = shuffle(small_set.counts, 7)
    anndata.AnnData(counts.T.astype(np.int32)).write_h5ad(tmp_path / "integers.h5ad")
    assert rank(tmp_path / "integers.h5ad") == from_text
    write_sparse_float64(counts, tmp_path / "floats.h5ad")
    assert rank(tmp_path / "floats.h5ad") == from_text
    assert from_text != expected


@pytest.mark.slow
def test_another_value_gives_another_ranking(values, rank, expected, tmp_path):
    changed = values.copy()
    changed.iloc[3] = changed.iloc[3].to_numpy()[::-1]
    changed.to_csv(tmp_path / "expression.csv")
    assert rank(tmp_path / "expression.csv") != expected
