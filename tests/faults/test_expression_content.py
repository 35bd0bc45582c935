"""Which part of a file is expression, under which names, on which scale: found, said or asked."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax import infer
from grnjax.errors import ExpressionFormatError, GeneMismatchError
from tests.faults import expression_files as files
from tests.faults.expression_files import (
    CELLS,
    COUNTS,
    GENES,
    IDS,
    LOGS,
    SCALED,
    expect_counts,
    make_annotated,
    read,
)

# Places: X, layers and .raw


@pytest.mark.slow
def test_scaled_or_empty_x_names_the_places_that_hold_expression(tmp_path):
    data = make_annotated(COUNTS)
    data.raw = make_annotated(LOGS)
    data.layers["counts"] = COUNTS
    data.X = SCALED.astype(np.float32)
    path = files.write_annotated(tmp_path / "x.h5ad", data)
    words = r"X is scaled: \d+ of its values are negative. Read --data.layer=counts \(8 genes, "
    words += r"counts up to \d+\) or --data.layer=raw \(8 genes, values up to .*--data.scaled"
    with pytest.raises(ExpressionFormatError, match=words):
        read(path)
    expect_counts(read(path, layer="counts"))
    expect_counts(read(path, layer="raw", normalise="never"), counts=LOGS)
    assert read(path, scaled=True).values.min() < 0
    data.X[0, 0] = np.nan
    with pytest.raises(ExpressionFormatError, match="X has 1 values that are missing or infinite"):
        read(data)
    data.X = sparse.csr_matrix(data.shape, dtype=np.float32)
    with pytest.raises(ExpressionFormatError, match="X is zero everywhere. Read --data.layer="):
        read(data)
    data.X = None
    with pytest.raises(ExpressionFormatError, match="X is empty. Read --data.layer=counts"):
        read(data)
    with pytest.raises(ExpressionFormatError, match="no layer 'count'; it has counts, raw"):
        read(data, layer="count")


def test_raw_may_have_more_genes_and_their_names_and_kinds_are_its_own(caplog):
    data = make_annotated(COUNTS[:, :4], GENES[:4])
    values, names, types = files.with_antibodies()
    data.raw = make_annotated(values, [*IDS, "a", "b"], feature_types=types, symbol=names)
    assert len(read(data).genes) == 4
    assert "X has 4 genes and .raw 10: --data.layer=raw reads those" in caplog.text
    expect_counts(read(data, layer="raw"))
    assert "named by .var column symbol" in caplog.text


# Names


@pytest.mark.parametrize("column", ["feature_name", "gene_symbols", "whatever"])
@pytest.mark.parametrize("kind", [object, "category", "string"])
def test_the_column_that_has_the_known_genes_names_them(column, kind, caplog):
    data = make_annotated(genes=IDS, **{column: GENES, "chromosome": ["1"] * 8, "number": range(8)})
    data.var[column] = data.var[column].astype(kind)
    expression = read(data)
    expect_counts(expression)
    assert expression.report["gene_column"] == column
    assert f"by .var column {column}, which has 3 of 3 known genes" in caplog.text


def test_without_a_tf_list_the_lists_that_come_along_tell_names_and_orientation(tmp_path, caplog):
    ids = infer(make_annotated(genes=IDS, feature_name=GENES), method="pearson")
    assert "by .var column feature_name" in caplog.text
    pd.DataFrame(COUNTS.T, GENES, CELLS).to_csv(tmp_path / "x.csv")
    text = infer(tmp_path / "x.csv", method="pearson")
    assert "genes-by-cells by 6 names of well-known TFs" in caplog.text
    symbols = infer(make_annotated(), method="pearson")
    for network in (ids, text):
        pd.testing.assert_frame_equal(network.edges, symbols.edges)
    pd.DataFrame(COUNTS.T, [f"Y{i}" for i in range(8)], CELLS).to_csv(tmp_path / "y.csv")
    with pytest.raises(ExpressionFormatError, match="no network or TF list shows which axis"):
        infer(tmp_path / "y.csv", method="pearson")


def test_ids_are_found_beside_symbols_for_a_network_of_ids():
    expect_counts(read(make_annotated(gene_ids=IDS), IDS[:3]), genes=IDS)


def test_two_columns_that_fit_as_well_are_left_to_the_user():
    others = [GENES[1], GENES[0], *GENES[2:]]
    data = make_annotated(genes=IDS, name=GENES, alias=others, copy=GENES)
    with pytest.raises(GeneMismatchError, match="--data.gene-column=name or --data.gene-column=al"):
        read(data)
    expect_counts(read(make_annotated(genes=IDS, name=GENES, copy=GENES)))


@pytest.mark.parametrize("nothing", [None, np.nan, "nan", "", " ", "NA", "---", "-"])
def test_genes_without_a_symbol_keep_their_ids(nothing, caplog):
    symbols = [gene if i not in (2, 4) else nothing for i, gene in enumerate(GENES)]
    expression = read(make_annotated(genes=IDS, symbol=symbols), gene_column="symbol")
    expected = {IDS[2], IDS[4], *(GENES[i] for i in range(8) if i not in (2, 4))}
    assert set(expression.genes) == expected
    assert expression.report["nameless"] == {"count": 2, "first": [IDS[2], IDS[4]]}
    assert f"2 genes without a name in .var column symbol keep their ids: {IDS[2]}" in caplog.text


@pytest.mark.parametrize("nothing", ["", "nan", None])
@pytest.mark.parametrize("column", ["gene_ids", "ensembl_id"])
def test_a_column_of_ids_names_those_whose_symbol_is_missing(nothing, column, caplog):
    names = [gene if i not in (2, 4) else nothing for i, gene in enumerate(GENES)]
    expression = read(make_annotated(genes=names, **{column: IDS}))
    assert set(expression.genes) == {IDS[2], IDS[4], *(set(GENES) - {GENES[2], GENES[4]})}
    assert "2 genes without a name" in caplog.text and "keep their ids" in caplog.text


def test_a_table_of_names_may_lack_some(tmp_path):
    symbols = [gene if i not in (2, 4) else "nan" for i, gene in enumerate(GENES)]
    (tmp_path / "names.tsv").write_text("\n".join(map("\t".join, zip(IDS, symbols, strict=True))))
    expression = read(pd.DataFrame(COUNTS, CELLS, IDS), gene_names=str(tmp_path / "names.tsv"))
    assert {IDS[2], IDS[4]} < set(expression.genes) and len(expression.genes) == 8


@pytest.mark.parametrize("nothing", ["", "nan", "---"])
def test_genes_without_any_name_are_counted_and_not_one_gene(nothing, tmp_path, caplog):
    names = [gene if i not in (2, 4) else nothing for i, gene in enumerate(GENES)]
    table = pd.DataFrame(COUNTS.T, names, CELLS)
    table.to_csv(tmp_path / "x.csv")
    expression = read(tmp_path / "x.csv")
    assert expression.genes.tolist() == [GENES[i] for i in (0, 1, 3, 5, 6, 7)]
    assert "left out: 2 genes without a name" in caplog.text
    lone = read(pd.DataFrame(COUNTS, CELLS, ["nan", *GENES[1:]]))  # a gene of the fruit fly
    assert "nan" in lone.genes


# Kinds of column


@pytest.mark.parametrize("column", ["feature_types", "feature_type", "modality"])
@pytest.mark.parametrize("kind", ["Antibody Capture", "Peaks", "CRISPR Guide Capture"])
def test_only_genes_are_genes(column, kind, caplog):
    values, names, types = files.with_antibodies()
    types = [kind if x.startswith("Anti") else x for x in types]
    expression = read(make_annotated(values, names, **{column: types}))
    expect_counts(expression)
    assert expression.report["not_genes"] == {kind: 2}
    assert f"left out, no gene expression by .var column {column}: 2 {kind}" in caplog.text


def test_types_of_another_meaning_drop_nothing_and_peaks_alone_are_refused():
    expect_counts(read(make_annotated(feature_type=["protein_coding", *["lncRNA"] * 7])))
    with pytest.raises(ExpressionFormatError, match="no gene expression: .* has 8 Peaks"):
        read(make_annotated(feature_types=["Peaks"] * 8))


def test_regions_and_antibodies_are_known_by_their_names(tmp_path, caplog):
    others = ["chr1:1000-2000", "chrX_100_2500", "12-100500-101000", "CD3_TotalSeqB", "HTO-1"]
    others += ["Hashtag_1-TotalSeqB", "Hashtag2"]
    values = np.hstack([COUNTS, np.ones((len(CELLS), len(others)), int)])
    pd.DataFrame(values, CELLS, [*GENES, *others]).to_csv(tmp_path / "x.csv")
    expect_counts(read(tmp_path / "x.csv"))
    assert "left out: 7 regions or antibodies by their names: chr1:1000-2000" in caplog.text
    kept = [
        "RP11-34P13.7",
        "HLA-DRB1-2",
        "YAL001C",
        "AC002321.2",
        "KRTAP10-11",
        "mt-Nd1",
        "X1",
        "H2",
    ]
    assert len(read(pd.DataFrame(COUNTS, CELLS, kept), kept[:3]).genes) == 8


# Scales


@pytest.mark.parametrize("total", [1e6, 1e4, 100, 1])
def test_equal_totals_are_no_logs(total, tmp_path, caplog):
    rates = COUNTS / COUNTS.sum(axis=1, keepdims=True) * total
    pd.DataFrame(rates.T.round(6), GENES, CELLS).to_csv(tmp_path / "x.csv")
    expression = read(tmp_path / "x.csv")
    assert not expression.report["normalised"]
    assert (
        "no logs but look like TPM, CPM or shares" in caplog.text
        and "normalise=always" in caplog.text
    )
    caplog.clear()
    read(tmp_path / "x.csv", normalise="never")
    assert "no logs" not in caplog.text
    normalised = read(tmp_path / "x.csv", normalise="always")
    np.testing.assert_allclose(np.expm1(normalised.values).sum(axis=1), 1e4, rtol=1e-4)


def test_other_large_values_are_no_logs_and_logs_are(caplog):
    read(pd.DataFrame(COUNTS * 1.7, CELLS, GENES))
    assert "look like TPM, FPKM or estimated counts" in caplog.text
    caplog.clear()
    ranks = LOGS.argsort(axis=1).argsort(axis=1) + 0.5  # quantile-normalised: equal totals
    for values in (LOGS, ranks, np.log2(1 + COUNTS * 1e3)):
        read(pd.DataFrame(values, CELLS, GENES))
    assert "no logs" not in caplog.text


# Names of cells


@pytest.mark.parametrize("mark", [",", "\t", ";"])
@pytest.mark.parametrize("first", ["NKX2-1", "CD4"])
@pytest.mark.parametrize("dtype", [int, float])
def test_without_names_of_cells_the_first_gene_stays_a_gene(mark, first, dtype, tmp_path, caplog):
    genes = [first, *(gene for gene in GENES if gene != first)]
    counts = COUNTS.copy()
    counts[:, 0] = np.random.default_rng(1).permutation(2000)[: len(CELLS)]
    counts = counts if dtype is int else np.log1p(counts) / 8  # as of DREAM5, or all zeros
    pd.DataFrame(counts, CELLS, genes).to_csv(tmp_path / "x.csv", sep=mark, index=False)
    expression = read(tmp_path / "x.csv")
    expect_counts(expression, genes, counts)
    assert f"the first column, {first}, holds measurements" in caplog.text
    assert "the 12 cells are numbered" in caplog.text


def test_numbers_that_name_cells_or_genes_stay_names(tmp_path):
    for heading, numbers in (("", range(12)), ("cell", range(12, 0, -1)), ("nr", range(3, 15))):
        table = pd.DataFrame(COUNTS, pd.Index(numbers, name=heading), GENES)
        table.to_csv(tmp_path / "x.csv")
        assert read(tmp_path / "x.csv").genes.tolist() == GENES, heading
    entrez = ["920", "2623", "3122", "4609", "79923", "7080", "5460", "6657"]
    table = pd.DataFrame(COUNTS.T, pd.Index(entrez, name="NCBI"), CELLS)
    table.to_csv(tmp_path / "x.csv")
    assert set(read(tmp_path / "x.csv", entrez[:3]).genes) == set(entrez)
