"""Names as exporters rewrite them: what is joined, what is not, and what is said of either."""

import numpy as np
import pandas as pd
import pytest

from grnjax.data.edges import read_edges
from grnjax.data.expression import DataConfig, read_expression
from grnjax.data.genes import build_dataset
from grnjax.data.names import match_names
from grnjax.evidence.curated import read_curated
from grnjax.evidence.motifs import read_motifs
from grnjax.evidence.vectors import read_vectors
from grnjax.tasks.evaluation import evaluate

GENES = [f"ENSG{i:011d}" for i in range(12)]
SYMBOLS = ["NKX2-1", "HLA-DRA", "SOX2", "MYC", *(f"G{i}" for i in range(8))]


def write_expression(path, genes):
    values = np.random.default_rng(0).poisson(5, (len(genes), 9))
    pd.DataFrame(values, genes, [f"c{i}" for i in range(9)]).to_csv(path)
    return path


def write_network(path, genes):
    """The first three genes regulate the next eight each."""
    rows = [(tf, gene, 1 + i) for i, tf in enumerate(genes[:3]) for gene in genes[3:11]]
    pd.DataFrame(rows, columns=["TF", "target", "importance"]).to_csv(path, index=False, sep="\t")
    return path


def join(tmp_path, measured, known, tfs=None):
    """The data set of an expression file and a network file with these names."""
    edges = read_edges(write_network(tmp_path / "net.tsv", known))
    expression = read_expression(
        write_expression(tmp_path / "expr.csv", measured), DataConfig(), set(known)
    )
    return build_dataset(expression, edges, tfs=tfs, universe=None, source="run")


def in_r(name):
    return name.replace("-", ".")


REWRITTEN = {
    "Ensembl versions": (GENES, [f"{x}.{i + 1}" for i, x in enumerate(GENES)], "version"),
    "half of them": (
        GENES,
        [f"{x}.{i + 1}" * (i % 2) or x for i, x in enumerate(GENES)],
        "version",
    ),
    "mouse": (
        [x.replace("ENSG", "ENSMUSG") for x in GENES],
        [x.replace("ENSG", "ENSMUSG") + ".7" for x in GENES],
        "version",
    ),
    "on the Y chromosome": (GENES, [*GENES[:-2], GENES[-2] + ".5_PAR_Y", GENES[-1]], "_PAR_Y"),
    "dots of R": (SYMBOLS, list(map(in_r, SYMBOLS)), "as R and Seurat"),
    "X before digits": (["7SK", *SYMBOLS[1:]], ["X7SK", *SYMBOLS[1:]], "as R and Seurat"),
    "R, and another case": (SYMBOLS, [in_r(x).title() for x in SYMBOLS], "as R and Seurat"),
    "hyphens of a text": (SYMBOLS, [x.replace("-", "\u2011") for x in SYMBOLS], "hyphens"),
    "minus signs": (SYMBOLS, [x.replace("-", "\u2212") for x in SYMBOLS], "hyphens"),
    "blanks without width": (SYMBOLS, [f"\u200b{x}" for x in SYMBOLS], "hyphens or blanks"),
    "decimal numbers": (
        [str(1000 + i) for i in range(12)],
        [f"{1000 + i}.0" for i in range(12)],
        "decimal point",
    ),
    "a bar and a number": (SYMBOLS, [f"{x}|{7000 + i}" for i, x in enumerate(SYMBOLS)], "7157"),
    "an id behind": (SYMBOLS, [f"{x}_ENSG{i:011}.2" for i, x in enumerate(SYMBOLS)], "identifier"),
    "a genome": (SYMBOLS, [f"GRCh38_{x}" for x in SYMBOLS], "genome"),
    "two genomes": (SYMBOLS, [f"mm10___{x}" for x in SYMBOLS], "genome"),
}


@pytest.mark.parametrize("kind", REWRITTEN)
@pytest.mark.parametrize("swapped", [False, True], ids=["expression", "network"])
def test_rewritten_names_join_and_the_rewriting_is_said(tmp_path, caplog, kind, swapped):
    caplog.set_level("INFO", "grnjax")
    known, measured, word = REWRITTEN[kind]
    if swapped:
        known, measured = measured, known
    dataset = join(tmp_path, measured, known)
    assert len(dataset.genes.names) == 12 and dataset.genes.measured.all()
    assert dataset.report["tfs"] == 3 and len(dataset.known.positives) == 24
    assert dataset.report["case_rule"] == "rewritten"
    assert any(word in what for what in dataset.report["names_joined"])
    assert "names joined that differ by" in caplog.text and word in caplog.text


@pytest.mark.parametrize("kind", REWRITTEN)
def test_a_tf_list_joins_as_well(tmp_path, kind):
    known, measured, _ = REWRITTEN[kind]
    dataset = join(tmp_path, measured, known, tfs=known[:3])
    assert dataset.report["tfs"] == 3 and dataset.report["tfs_not_found"]["count"] == 0


@pytest.mark.parametrize("kind", REWRITTEN)
def test_truth_and_prediction_join_as_well(tmp_path, kind):
    known, measured, _ = REWRITTEN[kind]
    plain = evaluate(
        write_network(tmp_path / "a.tsv", known), write_network(tmp_path / "b.tsv", known)
    )
    other = evaluate(tmp_path / "a.tsv", write_network(tmp_path / "c.tsv", measured))
    assert other.rows[0]["auroc"] == plain.rows[0]["auroc"] == 1
    assert other.rows[0]["pairs"] == plain.rows[0]["pairs"]


@pytest.mark.parametrize("kind", REWRITTEN)
def test_evidence_joins_as_well(tmp_path, kind):
    names, there, word = REWRITTEN[kind]
    table = pd.DataFrame(np.arange(24.0).reshape(12, 2), there, ["x", "y"])
    table.to_csv(tmp_path / "vectors.csv")
    read = read_vectors(tmp_path / "vectors.csv", np.array(names), np.arange(3))
    assert read.report["found"] == 12
    assert any(word in what for what in read.report["names_joined"])
    write_network(tmp_path / "curated.tsv", there)
    read = read_curated(tmp_path / "curated.tsv", np.array(names), np.arange(3))
    assert read.report["tfs_found"] == 3 and read.report["pairs"] == 24
    hits = pd.DataFrame(np.eye(12, 3), there, there[:3]).rename_axis("gene")
    hits.to_csv(tmp_path / "motifs.csv")
    read = read_motifs(tmp_path / "motifs.csv", np.array(names), np.arange(3))
    assert read.report["found"] == 12 and read.report["tfs_found"] == 3


@pytest.mark.parametrize(
    "queries, names, word",
    [
        (["NKX2-1"], ["NKX2.1", "NKX2_1"], "R and Seurat"),
        (["HLA-A", "HLA_A"], ["HLA.A"], "R and Seurat"),
        (["ENSG00000000001"], ["ENSG00000000001.1", "ENSG00000000001.2"], "version"),
        (["GATA1"], ["GATA1(+)", "GATA1(-)"], "regulon"),
    ],
)
def test_what_may_be_several_is_not_joined_but_named(caplog, queries, names, word):
    match = match_names(queries, names)
    assert (match.positions < 0).all()
    report = match.report("file")
    assert [word in what for what in report["names_not_joined"]] == [True]
    assert "--data.gene-names=TABLE" in caplog.text and queries[0] in caplog.text


def test_an_exact_name_goes_before_every_rewriting():
    match = match_names(["NKX2-1", "ENSG00000000001"], ["NKX2.1", "NKX2-1", "ENSG00000000001"])
    assert match.positions.tolist() == [1, 2] and match.rule == "exact"
    assert match.joined == match.apart == {} and match.report("file") == {}


DATES = ["1-Mar", "1-Mar", "2-Sep", "7-Sep", "1-Dec", "4-Oct"]


@pytest.mark.parametrize(
    "dates, said",
    [
        (DATES, "5 names in 6 rows (1-Mar, 2-Sep, 7-Sep, 1-Dec, 4-Oct)"),
        (["Mar-01", "Sep-02"], "2 names in 2 rows (Mar-01, Sep-02)"),
        (["2023-03-01 00:00:00", "2023-09-02"], "2 names in 2 rows"),
        (["01-Mar-2023", "2/Sep/23"], "2 names in 2 rows"),
        (["44256", "44441"], "2 names in 2 rows"),
        (["X1.Mar", "X2.Sep"], "2 names in 2 rows"),
    ],
)
def test_dates_are_named_with_the_remedy_and_never_joined(tmp_path, caplog, dates, said):
    known = ["SOX2", "MYC", "GATA1", "MTARC1", "SEPTIN2", *(f"G{i}" for i in range(8))]
    measured = [*dates, *(x for x in known if x not in ("MTARC1", "SEPTIN2"))]
    dataset = join(tmp_path, measured, known)
    assert said in caplog.text and "spreadsheet" in caplog.text
    assert "--data.gene-names=TABLE" in caplog.text
    assert ("1-Mar stands 2 times" in caplog.text) == (dates is DATES)
    assert "2 names not joined that differ by a date" in caplog.text
    assert not dataset.genes.measured[np.isin(dataset.genes.names, ["MTARC1", "SEPTIN2"])].any()


@pytest.mark.parametrize("name", ["DEC1", "OCT4", "SEP15", "MARCH1", "7157", "H2-D1", "NOV", "MAR"])
def test_genes_are_no_dates(tmp_path, caplog, name):
    known = ["SOX2", "MYC", "GATA1", name, *(f"G{i}" for i in range(8))]
    assert join(tmp_path, known, known).genes.measured.all()
    assert "spreadsheet" not in caplog.text


def test_regulons_are_read_as_their_tfs(tmp_path, caplog):
    caplog.set_level("INFO", "grnjax")
    path = tmp_path / "net.csv"
    path.write_text("TF,target,importance\nGATA1(+),KLF1,2\nGATA1(-),TAL1,1\nMYC_(12g),KLF1,1\n")
    edges = read_edges(path)
    assert edges["tf"].tolist() == ["GATA1", "GATA1", "MYC"]
    assert edges["sign"].tolist() == [1, -1, 0]
    assert "3 regulons are read as their TFs: GATA1(+) as GATA1" in caplog.text
