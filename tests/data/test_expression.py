import gzip
import logging
import os
from importlib.util import find_spec
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from grnjax.data.expression import DataConfig, Expression, read_expression
from grnjax.data.tables import read_text_matrix
from grnjax.errors import ConfigError, ExpressionFormatError, GeneMismatchError

GENES = ["MYC", "POU5F1", "SOX2", "TP53"]
REFERENCE = set(GENES)
VALUES = np.array(
    [[0.5, 0, 2.5, 1], [1.5, 0.25, 0, 0], [0.5, 0, 0.125, 3]], np.float32
)  # [cell, gene]


def write_csv(path: Path, values: np.ndarray, genes: list[str], by_cells: bool = True) -> Path:
    cells = [f"cell{i}" for i in range(len(values))]
    table = pd.DataFrame(values, cells, genes)
    text = (table if by_cells else table.T).to_csv()
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def write_h5ad(path: Path, values, genes: list[str], by_cells: bool = True, **parts) -> Path:
    cells = [f"cell{i}" for i in range(values.shape[0])]
    rows, columns = (cells, genes) if by_cells else (genes, cells)
    data = anndata.AnnData(
        values if by_cells else values.T, pd.DataFrame(index=rows), pd.DataFrame(index=columns)
    )
    for name, part in parts.items():
        getattr(data, name).update(part) if name == "layers" else data.var.update(part)
    (data.write_zarr if path.suffix == ".zarr" else data.write_h5ad)(path)
    return path


def write_parquet(path: Path, values: np.ndarray, genes: list[str]) -> Path:
    cells = [f"cell{i}" for i in range(len(values))]
    pd.DataFrame(values.T, pd.Index(genes, name="gene"), cells).to_parquet(path)
    return path


def read(path: Path, reference: set[str] = REFERENCE, **settings) -> Expression:
    return read_expression(path, DataConfig(**settings), reference)


def bits(expression: Expression) -> tuple[list[str], bytes]:
    return expression.genes.tolist(), expression.values.tobytes()


@st.composite
def matrices(draw) -> tuple[np.ndarray, list[str]]:
    """A matrix with ties, zeros of both signs, counts or logs, and perhaps repeated genes."""
    shape = draw(st.tuples(st.integers(1, 6), st.integers(2, 5)))
    numbers = draw(st.sampled_from([[0, -0.0, 0.1, 1 / 3, 2.7], [0, -0.0, 1, 7, 12]]))
    values = draw(arrays(np.float64, shape, elements=st.sampled_from(numbers)))
    values[0, 0] = numbers[-1]  # not all cells are zero
    genes = draw(st.lists(st.sampled_from(GENES), min_size=shape[1], max_size=shape[1]))
    return values.astype(np.float32), genes


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(matrix=matrices(), data=st.data())
def test_order_orientation_and_encoding_of_the_file_change_no_bit(matrix, data, tmp_path_factory):
    values, genes = matrix
    folder = tmp_path_factory.mktemp("forms")
    expected = bits(read(write_csv(folder / "plain.csv", values, genes)))

    cells = data.draw(st.permutations(range(len(values))))
    columns = data.draw(st.permutations(range(len(genes))))
    shuffled, names = values[np.ix_(cells, columns)], [genes[i] for i in columns]
    double = shuffled.astype(np.float64)
    forms = [
        write_csv(folder / "cells.csv.gz", double, names),
        write_csv(folder / "genes.csv", shuffled, names, by_cells=False),
        write_h5ad(folder / "sparse.h5ad", sparse.csr_matrix(double), names),
        write_h5ad(folder / "turned.h5ad", sparse.csc_matrix(shuffled), names, by_cells=False),
        write_h5ad(folder / "dense.zarr", double, names),
        write_h5ad(folder / "turned.zarr", sparse.csr_matrix(shuffled), names, by_cells=False),
    ]
    if find_spec("pyarrow"):
        forms.append(write_parquet(folder / "genes.parquet", double, names))
    for path in forms:
        assert bits(read(path)) == expected, path.name


def test_genes_stand_by_name_and_values_stay_with_their_gene_and_cell(tmp_path):
    shuffled = write_csv(tmp_path / "x.csv", VALUES[[2, 0, 1]][:, [3, 1, 0, 2]], list("TPMS"))
    expression = read(shuffled, set("MPST"))
    assert expression.genes.tolist() == list("MPST")
    assert sorted(map(tuple, expression.values.tolist())) == sorted(map(tuple, VALUES.tolist()))


def test_the_axis_that_names_known_genes_is_the_axis_of_the_genes(tmp_path, caplog):
    caplog.set_level(logging.INFO, "grnjax")
    upright = read(write_h5ad(tmp_path / "upright.h5ad", VALUES, GENES))
    assert upright.report["orientation"] == "cells-by-genes"
    assert "transposed" not in caplog.text
    turned = read(write_h5ad(tmp_path / "turned.h5ad", VALUES, GENES, by_cells=False))
    assert turned.report["orientation"] == "genes-by-cells"
    assert "turned.h5ad: the genes stand in obs, not in var" in caplog.text


def test_the_axis_is_found_whatever_the_case(tmp_path):
    path = write_csv(tmp_path / "x.csv", VALUES, [gene.title() for gene in GENES], by_cells=False)
    assert read(path).report["orientation"] == "genes-by-cells"


def test_a_matrix_of_genes_by_genes_needs_to_be_told(tmp_path):
    square = np.arange(1.5, 17.5).reshape(4, 4).astype(np.float32)
    path = tmp_path / "square.csv"
    pd.DataFrame(square, GENES, GENES).to_csv(path)
    with pytest.raises(
        ExpressionFormatError, match="4 row names and 4 column names .*--data.orientation="
    ):
        read(path)
    told = read(path, orientation="genes-by-cells")
    assert sorted(told.values[:, 0]) == square[0].tolist()  # the row of MYC


def test_without_a_network_the_orientation_must_be_told(tmp_path):
    path = write_csv(tmp_path / "x.csv", VALUES, GENES)
    with pytest.raises(ExpressionFormatError, match="no network or TF list"):
        read(path, set())
    assert read(path, set(), orientation="cells-by-genes").genes.tolist() == GENES


def test_a_wrong_orientation_is_refused(tmp_path):
    path = write_csv(tmp_path / "x.csv", VALUES, GENES)
    with pytest.raises(GeneMismatchError, match="Check --data.orientation"):
        read(path, orientation="genes-by-cells")


ENSEMBL = [f"ENSG0000000000{i}.2" for i in range(4)]


def test_ensembl_ids_against_symbols_are_refused_with_the_way_out(tmp_path):
    path = write_csv(tmp_path / "x.csv", VALUES, ENSEMBL, by_cells=False)
    with pytest.raises(GeneMismatchError) as caught:
        read(path)
    message = str(caught.value)
    assert "of the 4 genes of network and TF list (MYC, POU5F1, SOX2, TP53: symbols)" in message
    assert "0 are among the 4 rows (ENSG00000000000.2" in message
    assert "Ensembl ids" in message
    assert "--data.gene-column=COLUMN (.h5ad) or --data.gene-names=TABLE" in message


def test_a_few_symbols_among_ensembl_ids_do_not_hide_the_mismatch(tmp_path):
    ids = [f"ENSG{i:011d}" for i in range(30)] + ["MYC"]
    path = write_csv(tmp_path / "x.csv", np.ones((2, 31)), ids)
    reference = {"MYC"} | {f"TF{i}" for i in range(30)}
    with pytest.raises(GeneMismatchError, match="1 among the 31 columns .*Ensembl ids"):
        read(path, reference)


def test_a_table_of_names_translates_identifiers(tmp_path):
    table = tmp_path / "names.tsv"
    pairs = [f"{ENSEMBL[i].partition('.')[0]}\t{GENES[i]}" for i in range(4)]
    table.write_text("gene_id\tgene_name\n" + "\n".join(pairs))
    expected = bits(read(write_csv(tmp_path / "symbols.csv", VALUES, GENES)))
    renamed = read(write_csv(tmp_path / "ids.csv", VALUES, ENSEMBL), gene_names=str(table))
    assert bits(renamed) == expected
    assert renamed.report["renamed"] == 4


def test_a_table_that_names_nothing_is_refused(tmp_path):
    table = tmp_path / "names.tsv"
    table.write_text("ENSMUSG00000000001\tGnai3\n")
    with pytest.raises(GeneMismatchError, match="names none of the genes"):
        read(write_csv(tmp_path / "ids.csv", VALUES, ENSEMBL), gene_names=str(table))


def test_a_column_of_var_translates_identifiers_and_a_layer_replaces_x(tmp_path):
    path = tmp_path / "x.h5ad"
    data = anndata.AnnData(VALUES * 0, pd.DataFrame(index=list("abc")))
    data.var_names = ENSEMBL
    data.var["symbol"] = pd.Categorical([*GENES[:3], None])
    data.layers["logs"] = VALUES
    data.write_h5ad(path)
    expression = read(path, gene_column="symbol", layer="logs")
    assert expression.genes.tolist() == [ENSEMBL[3], *GENES[:3]]
    np.testing.assert_array_equal(np.sort(expression.values[:, 0]), np.sort(VALUES[:, 3]))
    with pytest.raises(ExpressionFormatError, match="no column 'name'; it has symbol"):
        read(path, gene_column="name", layer="logs")
    with pytest.raises(ExpressionFormatError, match="no layer 'counts'; it has logs"):
        read(path, layer="counts")


def test_settings_of_h5ad_files_are_refused_for_text(tmp_path):
    with pytest.raises(ConfigError, match="--data.gene-column applies to .h5ad files"):
        read(write_csv(tmp_path / "x.csv", VALUES, GENES), gene_column="symbol")


@pytest.mark.parametrize(
    "bad, complaint",
    [
        (np.nan, r"2 of 12 values are missing \(NaN\), the first for gene SOX2 in cell cell0"),
        (np.inf, "2 of 12 values are infinite .* the first for gene SOX2 in cell cell0"),
        (1e300, "2 of 12 values are infinite .* the first for gene SOX2 in cell cell0"),
        (-0.5, "2 of 12 values are negative, the first for gene SOX2 in cell cell0.*data.scaled"),
    ],
)
def test_values_that_cannot_be_expression_are_counted_and_placed(tmp_path, bad, complaint):
    values = VALUES.astype(np.float64)
    values[0, 2] = values[1, 0] = bad
    for path in (
        write_csv(tmp_path / "x.csv", values, GENES, by_cells=False),
        write_h5ad(tmp_path / "x.h5ad", sparse.csr_matrix(values), GENES),
    ):
        with pytest.raises(ExpressionFormatError, match=f"{path.name}: {complaint}"):
            read(path)


def test_scaled_values_may_be_negative_and_are_left_alone(tmp_path):
    path = write_csv(tmp_path / "x.csv", np.round(VALUES - 1) * 20, GENES)
    expression = read(path, scaled=True)
    assert expression.values.min() == -20
    assert not expression.report["normalised"]
    with pytest.raises(ConfigError, match="contradict"):
        DataConfig(scaled=True, normalise="always")


def test_cells_without_expression_are_dropped_and_counted(tmp_path):
    values = np.concatenate([VALUES, np.zeros((2, 4), np.float32)])
    expression = read(write_csv(tmp_path / "x.csv", values, GENES))
    assert len(expression.values) == 3
    assert expression.report["zero_cells"] == 2
    with pytest.raises(ExpressionFormatError, match="all 3 cells are zero"):
        read(write_csv(tmp_path / "zero.csv", VALUES * 0, GENES))


COUNTS = np.array([[12, 0, 3, 5], [1, 0, 0, 1]], np.float32)


def test_raw_counts_become_logs_of_ten_thousand_a_cell(tmp_path, caplog):
    expression = read(write_csv(tmp_path / "x.csv", COUNTS, GENES))
    totals = np.expm1(expression.values.astype(np.float64)).sum(axis=1)
    np.testing.assert_allclose(totals, 10_000, rtol=1e-5)
    assert expression.values.max() == pytest.approx(np.log1p(10_000 * 12 / 20))
    assert expression.report["raw_counts"] and expression.report["normalised"]
    assert "x.csv: raw counts: scaled to 10,000 a cell" in caplog.text


@pytest.mark.parametrize(
    "values, setting, changes",
    [
        (COUNTS, "never", False),
        (COUNTS / 2, "auto", False),  # not whole
        (COUNTS.clip(max=9), "auto", False),  # whole, but within the range of logs
        (COUNTS.clip(max=9), "always", True),
    ],
)
def test_other_values_are_normalised_on_demand_only(tmp_path, values, setting, changes):
    expression = read(write_csv(tmp_path / "x.csv", values, GENES), normalise=setting)
    assert (expression.values.max() != values.max()) == changes


def test_whole_numbers_that_may_be_counts_are_mentioned(tmp_path, caplog):
    read(write_csv(tmp_path / "x.csv", COUNTS.clip(max=9), GENES))
    assert "whole numbers, taken as they are" in caplog.text


def test_repeated_genes_collapse_or_the_highest_total_stays(tmp_path):
    values = np.array([[1.5, 1.5, 0.5, 2.0, 0.25], [0.5, 0.5, 2.5, 0.0, 0.75]], np.float32)
    path = write_csv(tmp_path / "x.csv", values, ["MYC", "MYC", "SOX2", "SOX2", "TP53"])
    expression = read(path)
    assert expression.genes.tolist() == ["MYC", "SOX2", "TP53"]
    assert sorted(expression.values[:, 1]) == [0.5, 2.5]
    assert expression.report["duplicate_genes"] == {
        "identical": {"count": 1, "first": ["MYC"]},
        "different": {"count": 1, "first": ["SOX2"]},
    }


def test_spike_ins_are_counted_and_kept(tmp_path):
    genes = ["ERCC-00145", "ERCC1", "MYC", "SOX2"]
    expression = read(write_csv(tmp_path / "x.csv", VALUES, genes))
    assert expression.report["ercc_spike_ins"] == 1
    assert expression.genes.tolist() == genes


def write_damaged(folder: Path, kind: str) -> Path:
    whole = write_h5ad(folder / "whole.h5ad", VALUES, GENES).read_bytes()
    content = {
        "text": b"gene,cell\nMYC,1\n",
        "truncated": whole[: len(whole) // 2],
        "empty": b"",
    }[kind]
    path = folder / f"{kind}.h5ad"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", ["text", "truncated", "empty"])
def test_a_file_that_is_no_h5ad_is_refused_by_name(tmp_path, kind):
    with pytest.raises(ExpressionFormatError, match=f"{kind}.h5ad: not a readable .h5ad file"):
        read(write_damaged(tmp_path, kind))


def test_an_hdf5_file_of_something_else_is_refused(tmp_path):
    import h5py

    with h5py.File(tmp_path / "matrix.h5ad", "w") as file:
        file["matrix"] = VALUES
    with pytest.raises(ExpressionFormatError, match="without obs and var"):
        read(tmp_path / "matrix.h5ad")


@pytest.mark.parametrize("name", ["absent.h5ad", "absent.csv"])
def test_a_missing_file_is_refused_by_name(tmp_path, name):
    with pytest.raises(ExpressionFormatError, match=name):
        read(tmp_path / name)


def test_empty_and_truncated_text_is_refused_by_name(tmp_path):
    (tmp_path / "empty.csv").touch()
    with pytest.raises(ExpressionFormatError, match="empty.csv: the file is empty"):
        read(tmp_path / "empty.csv")
    rng = np.random.default_rng(0)
    whole = write_csv(tmp_path / "x.csv.gz", rng.random((200, 4)), GENES).read_bytes()
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ExpressionFormatError, match="cut.csv.gz: the gzip file is truncated"):
        read(tmp_path / "cut.csv.gz")


@pytest.fixture(scope="module")
def mdc() -> tuple[Path, set[str]]:
    data = os.environ.get("GRNJAX_DATA")
    if not data:
        pytest.skip("GRNJAX_DATA is not set: no real expression data")
    labels = Path(data) / "beeline_labels/Specific/mDC/TFs+500/BL--network.csv"
    names = pd.read_csv(labels)[["Gene1", "Gene2"]].to_numpy().ravel()
    return Path(data) / "beeline_expression/mDC_TFs500.csv.gz", set(names)


def test_a_real_matrix_survives_shuffling_turning_and_encoding(mdc, tmp_path):
    path, reference = mdc
    expected = read(path, reference)
    assert expected.values.shape == (383, 821)
    assert expected.report["orientation"] == "genes-by-cells"
    assert not expected.report["raw_counts"]
    matrix = read_text_matrix(path, ExpressionFormatError)
    table = pd.DataFrame(matrix.values.T, columns=matrix.rows).sample(frac=1, random_state=0)
    table = table.sample(frac=1, axis=1, random_state=0)
    again = write_h5ad(tmp_path / "x.h5ad", sparse.csc_matrix(table.to_numpy()), list(table))
    assert bits(read(again, reference)) == bits(expected)
