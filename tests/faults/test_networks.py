"""Networks in the forms that users have: what is read, and what is said of it."""

import anndata
import numpy as np
import pandas as pd
import pytest

from grnjax.data.edges import read_edges, take_edges
from grnjax.errors import ConfigError, EdgeFormatError
from grnjax.tasks.evaluation import evaluate

EDGES = [
    *(("GATA1", x) for x in ("KLF1", "TAL1", "HBB")),
    *(("KLF1", x) for x in ("HBB", "HBA1")),
    *(("TAL1", x) for x in ("GATA1", "KLF1", "NKX2-1")),
]


def lines(heading, *more, mark="\t", above="", edges=EDGES):
    """A table of the edges with further fields; `more` has one value or one for each edge."""
    rows = [heading] if heading else []
    for i, edge in enumerate(edges):
        fields = [column[i % len(column)] for column in more]
        rows.append(mark.join([*edge, *fields]))
    return above + "\n".join(rows) + "\n"


@pytest.fixture
def read(tmp_path, caplog):
    """Reads a text as a network; what was said is in `caplog`."""
    caplog.set_level("INFO", "grnjax")

    def read_text(text, **settings):
        path = tmp_path / "net.txt"
        path.write_text(text, encoding="utf-8")
        return read_edges(path, **settings)

    return read_text


def pairs(frame):
    return list(frame[["tf", "target"]].itertuples(index=False, name=None))


@pytest.mark.parametrize(
    "heading",
    "from,to Node1,Node2 protein1,protein2 regulator,regulated regulatoryGene,targetGene "
    "regulatory.gene,target.gene TF_name,gene_name TF,gene tfs,targets Gene_A,Gene_B "
    "source_genesymbol,target_genesymbol TF_Symbol,Target_Symbol parent,child".split(),
)
def test_a_heading_is_no_edge_however_it_is_spelled(read, heading):
    assert pairs(read(lines(heading, mark=","))) == EDGES


def test_half_a_known_heading_is_refused_with_the_columns(read):
    with pytest.raises(EdgeFormatError, match=r"no TF and target among its 2 columns \(TF, x\)"):
        read(lines("TF,x", mark=","))


@pytest.mark.parametrize(
    "heading, more",
    [
        ("REG\tTGT", []),
        ("alpha\tbeta", []),
        ("Quelle\tZiel\tGewicht", [["0.5", "0.25"]]),
        ("Facteur\tCible", []),
        ("a\tb\tweight", [["1", "2"]]),
    ],
)
def test_a_first_line_of_other_words_is_a_heading_and_that_is_said(read, caplog, heading, more):
    assert pairs(read(lines(heading, *more))) == EDGES
    assert "is taken for a heading, for its words occur nowhere else" in caplog.text


def test_a_first_edge_is_no_heading(read, caplog):
    assert pairs(read(lines(""))) == EDGES
    assert pairs(read("A\tB\nC\tD\nE\tF\n")) == [("A", "B"), ("C", "D"), ("E", "F")]
    assert "is taken for an edge, though its names occur nowhere else" in caplog.text
    for first in (("X1", "Y1"), ("17", "18"), ("ENSG00000000001", "ENSG00000000002")):
        lonely = [first, *EDGES]
        assert pairs(read(lines("", edges=lonely))) == lonely
    lonely = [("MYC", "MAX"), *EDGES, ("SPIB", "IRF")]
    assert pairs(read(lines("", edges=lonely))) == lonely


@pytest.mark.parametrize(
    "above, said",
    [
        ("# ChIP-seq\n", "1 comment lines"),
        ("# release 12\n# (1) TF, (2) gene\n#\n", "3 comment lines"),
        ("# GATA1\tHBD\n", "1 comment lines"),
        ('"# a, b"\n', "1 comment lines"),
    ],
)
@pytest.mark.parametrize("heading", ["", "TF\ttarget", "from\tto"])
def test_comments_are_no_edges_and_are_counted(read, caplog, above, said, heading):
    assert pairs(read(lines(heading, above=above))) == EDGES
    assert f"{said} left out" in caplog.text


@pytest.mark.parametrize("above", ["#TF\ttarget\tweight\n", "# made by x\n# node1\tnode2\tscore\n"])
def test_a_heading_may_begin_like_a_comment(read, above):
    frame = read(lines("", ["3", "2"], above=above) + "# end\n")
    assert pairs(frame) == EDGES and frame["weight"].tolist()[:2] == [3, 2]


@pytest.mark.parametrize(
    "text, weights",
    [
        (lines("TF;target;importance", ["0,5", "2"], mark=";"), [0.5, 2]),
        (lines("", ["0,5", "0,25"], mark=";"), [0.5, 0.25]),
        (lines("TF\ttarget\tweight", ["0,5", "-1,25e-3"]), [0.5, -0.00125]),
        (lines("TF;target;weight", ["1", "2"], mark=";", above="sep=;\n"), [1, 2]),
        (lines('"TF";"target";"weight"', ['"1,5"', '"2"'], mark=";"), [1.5, 2]),
        (lines("TF|target|weight", ["1", "2"], mark="|"), [1, 2]),
    ],
)
def test_semicolons_and_decimal_commas_are_read(read, text, weights):
    frame = read(text)
    assert pairs(frame) == EDGES and frame["weight"].tolist()[:2] == weights


def test_semicolons_inside_fields_and_thousands_stay(read):
    frame = read(lines("", ["Activation"], ["229;230", "1;2"], mark=","))
    assert pairs(frame) == EDGES and set(frame["sign"]) == {1}
    with pytest.raises(EdgeFormatError, match="'1,234' in row 1"):
        read(lines("TF\ttarget\tweight", ["1,234"]))


@pytest.mark.parametrize(
    "words, signs",
    [
        (["activator", "repressor"], [1, -1]),
        (["Activation", "Inhibition"], [1, -1]),
        (["1", "-1"], [1, -1]),
        (["positive", "unknown"], [1, 0]),
        (["+", "-"], [1, -1]),
        (["up", "down"], [1, -1]),
    ],
)
@pytest.mark.parametrize("heading", ["effect", "regulation", "Mode of regulation", "interaction"])
def test_words_for_signs_are_signs(read, heading, words, signs):
    assert read(lines(f"TF\tgene_name\t{heading}", words))["sign"].tolist() == signs * 4


def test_words_that_tell_no_sign_are_counted(read, caplog):
    read(lines("TF\ttarget\tsign", ["+", "odd"]))
    assert "4 of 8 signs are words that tell none (odd)" in caplog.text


LINKS = lines("source\ttarget\tcoef_mean\tcoef_abs\tp", ["-2", "1"], ["2", "1"], ["0.1", "0.2"])


def test_weights_under_other_headings_are_found_named_and_chosen(read, caplog, tmp_path):
    assert read(LINKS)["weight"].tolist() == [-2, 1] * 4
    assert "columns not read: coef_abs, p; weights are those of coef_mean" in caplog.text
    assert read(LINKS, weight_column="coef_abs")["weight"].tolist() == [2, 1] * 4
    with pytest.raises(ConfigError, match="no column 'x'; it has source, target, coef_mean"):
        read(LINKS, weight_column="x")
    (tmp_path / "own.tsv").write_text(lines("TF\ttarget\tbeta\tnote", ["3", "1"], ["x"]))
    with pytest.raises(ConfigError, match=r"no column of weights.*--weight-column=NAME.*beta"):
        evaluate(tmp_path / "own.tsv", tmp_path / "own.tsv")
    (tmp_path / "truth.tsv").write_text(lines("TF\ttarget", edges=EDGES[::2]))
    found = evaluate(tmp_path / "own.tsv", tmp_path / "truth.tsv", weight_column="beta")
    assert found.rows[0]["auroc"] > 0.5


def test_the_command_takes_the_weights_and_keeps_the_signs(cli, tmp_path):
    text = lines("TF\tGene\timportance_TF2G\tregulation\trho", ["2", "1"], ["-1", "1"], ["0.1"])
    (tmp_path / "eregulons.tsv").write_text(text)
    path, other, last = (tmp_path / name for name in ("out.csv", "other.csv", "last.csv"))
    outcome = cli("data", "convert", tmp_path / "eregulons.tsv", path, "--layout=decoupler")
    assert outcome.status == 0 and "columns not read: rho" in outcome.err
    assert "--weight-column=NAME (weight_column in Python) takes rho" in outcome.err
    assert sorted(set(pd.read_csv(path)["weight"])) == [-2, 1]
    again = cli(
        "data", "convert", tmp_path / "eregulons.tsv", other, "--layout=decoupler",
        "--weight-column=rho",
    )  # fmt: skip
    assert again.status == 0 and set(pd.read_csv(other)["weight"]) == {-0.1, 0.1}
    (tmp_path / "plain.tsv").write_text(lines("TF\ttarget"))
    outcome = cli("data", "convert", tmp_path / "plain.tsv", last, "--layout=decoupler")
    assert "no column of weights, so each edge weighs 1" in outcome.err
    assert "the sign of 8 of 8 edges is unknown" in outcome.err


def test_the_sign_of_expression_survives_a_conversion_and_is_said_to_be_that(cli, tmp_path):
    text = lines("TF\ttarget\timportance\texpression_sign", ["2", "1"], ["-1", "1"])
    (tmp_path / "edges.tsv").write_text(text)
    path = tmp_path / "x.csv"
    outcome = cli("data", "convert", tmp_path / "edges.tsv", path, "--layout=decoupler")
    assert outcome.status == 0 and "signs are those of expression_sign" in outcome.err
    assert sorted(pd.read_csv(path)["weight"]) == [-2] * 4 + [1] * 4


@pytest.mark.parametrize(
    "heading, values", [("cell_type", "BTN"), ("condition", "xy"), ("cluster", "012")]
)
def test_several_networks_in_one_table_are_named_and_one_is_taken(
    read, caplog, cli, tmp_path, heading, values
):
    rows = [f"{tf}\t{g}\t{i + 1}\t{x}" for i, x in enumerate(values) for tf, g in EDGES]
    text = "\n".join([f"TF\ttarget\tweight\t{heading}", *rows]) + "\n"
    assert set(read(text)["weight"]) == {len(values)}
    repeats = 8 * (len(values) - 1)
    assert (
        f"{repeats} of {8 * len(values)} rows repeat a pair, once for each {heading}" in caplog.text
    )
    only = f"{heading}={values[0]}"
    assert set(read(text, only=only)["weight"]) == {1}
    out = tmp_path / "one.tsv"
    assert cli("data", "convert", tmp_path / "net.txt", out, "--only", only).status == 0
    assert set(read_edges(out)["weight"]) == {1}
    with pytest.raises(
        ConfigError, match=f"no row has 'Z' in column {heading}; it has {values[0]}"
    ):
        read(text, only=f"{heading}=Z")


def test_regions_are_no_networks(read, caplog):
    edges = [edge for edge in EDGES for _ in range(2)]
    regions = [f"chr1:{i}-{i + 9}" for i in range(len(edges))]
    read(lines("TF\ttarget\tRegion", regions, edges=edges))
    assert "columns not read: Region" in caplog.text and "repeat a pair" not in caplog.text


@pytest.mark.parametrize(
    "text, sign",
    [
        (lines("").replace("\t", "\tactivates\t"), 1),
        (lines("").replace("\t", " -| "), -1),
        (lines("").replace("\t", "\tpp\t") + "HBD\n", 0),
        (lines("").replace("\t", "\tphysically_binds\t"), 0),
        ("GATA1 + KLF1 TAL1 HBB\nKLF1 + HBB HBA1\nTAL1 + GATA1 KLF1 NKX2-1\n", 1),
    ],
)
def test_sif_is_read(read, caplog, text, sign):
    frame = read(text)
    assert pairs(frame) == EDGES and set(frame["sign"]) == {sign}
    assert "SIF" in caplog.text


def matrix():
    """The edges as a frame, TFs x genes."""
    tfs, genes = (list(dict.fromkeys(x)) for x in zip(*EDGES, strict=True))
    frame = pd.DataFrame(0, tfs, [*genes, "OTHER"])
    for tf, gene in EDGES:
        frame.loc[tf, gene] = 1
    return frame


@pytest.mark.parametrize(
    "frame, settings",
    [
        (matrix(), {}),
        (matrix().T, {}),
        (matrix(), {"sep": "\t"}),
        (matrix() * 0.5, {"sep": ";", "decimal": ","}),
        (matrix().T.rename_axis("gene"), {}),
        (matrix()[["KLF1", "HBB", "GATA1"]], {}),
        (matrix().loc[["GATA1", "KLF1"]].T, {}),
    ],
    ids=["TF x gene", "gene x TF", "tabs", "semicolons", "corner", "square", "two TFs"],
)
def test_matrices_are_read_from_their_shorter_side(read, caplog, frame, settings):
    edges = read(frame.to_csv(**settings))
    flat = frame.T if "GATA1" in frame and "HBB" not in frame.columns else frame
    expected = {(tf, g) for tf in flat.index for g in flat if flat.loc[tf, g]}
    assert set(pairs(edges)) == expected and "a matrix of" in caplog.text


def test_a_matrix_whose_sides_share_no_name_is_refused(read):
    with pytest.raises(EdgeFormatError, match="no TF and target.*if a TF is among its genes"):
        read(",GATA1,KLF1\nx1,0,1\nx2,1,0\n")


def write_annotated(path, varp=(), uns=(), tables=(), frames=()):
    genes = sorted({name for edge in EDGES for name in edge})
    data = anndata.AnnData(np.zeros((2, len(genes)), np.float32), var=pd.DataFrame(index=genes))
    weights = np.zeros((len(genes),) * 2)
    for i, (tf, gene) in enumerate(EDGES, start=1):
        weights[genes.index(tf), genes.index(gene)] = i
    for key in varp:
        data.varp[key] = weights
    for key in uns:
        data.uns[key] = weights
    for key in tables:
        data.uns[key] = pd.DataFrame(EDGES, columns=["source", "target"])
    for key in frames:
        data.uns[key] = matrix()
    data.write_h5ad(path)
    return path


@pytest.mark.parametrize(
    "held, place",
    [
        ({"varp": ["GRN"]}, ".varp['GRN']"),
        ({"varp": ["scenic_weights"]}, ".varp['scenic_weights']"),
        ({"uns": ["adjacency"]}, ".uns['adjacency']"),
        ({"varp": ["GRN", "other"]}, ".varp['GRN']"),
        ({"tables": ["links"]}, ".uns['links']"),
        ({"frames": ["adjacency"]}, ".uns['adjacency']"),
    ],
)
def test_a_network_in_anndata_is_found_by_its_form(tmp_path, caplog, held, place):
    caplog.set_level("INFO", "grnjax")
    edges = read_edges(write_annotated(tmp_path / "x.h5ad", **held))
    assert sorted(pairs(edges)) == sorted(EDGES)
    assert f"the network is {place}" in caplog.text


def test_one_of_several_networks_in_anndata_is_chosen(tmp_path):
    path = write_annotated(tmp_path / "x.h5ad", varp=["one", "two"], uns=["three"])
    with pytest.raises(EdgeFormatError, match=r"3 places may hold.*'one'.*--weight-column=KEY"):
        read_edges(path)
    assert sorted(pairs(read_edges(path, weight_column="two"))) == sorted(EDGES)
    with pytest.raises(EdgeFormatError, match="3 places may hold"):
        read_edges(path, weight_column="four")


def test_tables_in_memory_are_read_like_files():
    assert set(pairs(take_edges(matrix(), "network"))) == set(EDGES)
    assert pairs(take_edges(pd.DataFrame(EDGES), "network")) == EDGES
    assert pairs(take_edges(pd.DataFrame(EDGES, columns=["from", "to"]), "network")) == EDGES


NAMES = ["SOX2", "GATA1", "MYC"]


@pytest.mark.slow
def test_the_commands_see_the_same_network_under_any_heading(cli, tmp_path):
    edges = [(tf, f"G{i}") for i in range(18) for n, tf in enumerate(NAMES) if i % 3 != n]
    genes = sorted({name for edge in edges for name in edge})
    counts = np.random.default_rng(0).poisson(5, (30, len(genes)))
    frame = pd.DataFrame(counts, [f"c{i}" for i in range(30)], genes)
    frame.to_csv(tmp_path / "cells.csv", sep=";")
    (tmp_path / "tfs.txt").write_text("SOX2;GATA1;MYC\n")
    tables = []
    for heading in ("TF;target", "from;to", "alpha;beta"):
        (tmp_path / "net.csv").write_text(
            lines(heading, mark=";", above="# ChIP-seq\n", edges=edges)
        )
        out = tmp_path / heading.replace(";", "-")
        outcome = cli(
            "infer", tmp_path / "cells.csv", "--network", tmp_path / "net.csv", "--method=pearson",
            "--folds=2", "--tfs", tmp_path / "tfs.txt", "--out", out,
        )  # fmt: skip
        assert outcome.status == 0, outcome.err
        assert "3 TFs (3 with targets, 0 with one), 36 known pairs" in outcome.err
        assert "1 comment lines left out" in outcome.err
        tables.append((out / "edges.tsv").read_text())
        outcome = cli("evaluate", out / "edges.tsv", "--truth", tmp_path / "net.csv")
        assert outcome.status == 0 and "net.csv: 36 edges of 3 TFs" in outcome.err
    assert tables[0] == tables[1] == tables[2]


def test_a_network_of_self_loops_alone_is_refused_with_their_number(cli, tmp_path):
    """Also where TFs are given, and where another method is judged by it."""
    genes = [f"G{i}" for i in range(8)]
    values = np.random.default_rng(0).poisson(4, (20, 8))
    pd.DataFrame(values, [f"c{i}" for i in range(20)], genes).to_csv(tmp_path / "x.csv")
    (tmp_path / "loops.tsv").write_text("TF\ttarget\n" + "".join(f"{x}\t{x}\n" for x in genes[:4]))
    (tmp_path / "tfs.txt").write_text("G0\nG1\n")
    words = ["infer", tmp_path / "x.csv", "--network", tmp_path / "loops.tsv"]
    words += ["--data.orientation=cells-by-genes"]
    for more in (["--tfs", tmp_path / "tfs.txt", "--method=pearson"], ["--method=kernel-factor"]):
        outcome = cli(*words, *more, "--out", tmp_path / "run")
        assert outcome.status == 2 and "4 self_loops" in outcome.err, outcome.err


def test_a_network_whose_columns_stand_the_other_way_round_is_told(tmp_path, caplog):
    (tmp_path / "truth.csv").write_text("Gene1,Gene2\nA,D\nB,E\nA,B\n")
    rows = [(tf, target) for target in "AB" for tf in "ABDE" if tf != target]
    table = pd.DataFrame(rows, columns=["TF", "target"]).assign(importance=range(len(rows)))
    evaluate(table, tmp_path / "truth.csv")
    assert "6 of 6 candidates are there as target and TF, and 2 as TF and target" in caplog.text
    caplog.clear()
    evaluate(table.rename(columns={"TF": "target", "target": "TF"}), tmp_path / "truth.csv")
    assert "other way round" not in caplog.text
