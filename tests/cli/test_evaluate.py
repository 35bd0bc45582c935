"""`grnjax evaluate` judges any program's network file, and what it cannot judge it says."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.metrics import average_precision_score, roc_auc_score

import grnjax
from grnjax.data.compendium.folder import load_compendium
from grnjax.methods.method import MethodConfig

GENES = ["A", "B", "C", "D", "E", "F"]
TRUE = {("A", "B"), ("A", "C"), ("B", "C"), ("B", "D"), ("C", "A")}
TFS = ["A", "B", "C"]


@pytest.fixture
def truth(tmp_path):
    """True edges without labels; E and F are in no edge, so they are no candidates."""
    path = tmp_path / "truth.csv"
    pd.DataFrame(sorted(TRUE), columns=["Gene1", "Gene2"]).to_csv(path, index=False)
    return path


@pytest.fixture
def weights():
    """A weight for every ordered pair of genes, no two alike; some are negative."""
    pairs = [(tf, gene) for tf in GENES for gene in GENES if tf != gene]
    values = np.random.default_rng(4).permutation(len(pairs)) - 12.5
    return pd.Series(values, pd.MultiIndex.from_tuples(pairs))


def candidates(exclude=()):
    genes = {gene for pair in TRUE for gene in pair}
    pairs = [(tf, gene) for tf in TFS for gene in sorted(genes) if tf != gene]
    return [pair for pair in pairs if pair not in exclude]


def write_tsv(weights, path):
    frame = weights.rename_axis(["TF", "target"]).reset_index(name="importance")
    frame.to_csv(path, sep="\t", index=False)


def write_ranked_edges(weights, path):
    frame = weights.rename_axis(["Gene1", "Gene2"]).reset_index(name="EdgeWeight")
    frame.to_csv(path, sep="\t", index=False)


def write_without_header(weights, path):
    weights.reset_index().to_csv(path, index=False, header=False)


def write_h5ad(weights, path):
    matrix = weights.unstack(fill_value=0).loc[GENES, GENES]
    table = anndata.AnnData(np.zeros((1, len(GENES))), var=pd.DataFrame(index=GENES))
    table.varp["grn"] = sparse.csr_matrix(matrix.to_numpy())
    table.write_h5ad(path)


@pytest.mark.parametrize(
    "write, name",
    [
        (write_tsv, "network.tsv"),
        (write_ranked_edges, "rankedEdges.csv"),
        (write_without_header, "network.csv"),
        (write_h5ad, "network.h5ad"),
    ],
)
def test_files_of_other_programs_are_judged_alike(write, name, weights, truth, cli, tmp_path):
    write(weights, tmp_path / name)
    outcome = cli("evaluate", tmp_path / name, "--truth", truth, "--out", tmp_path / "out")
    assert outcome.status == 0, outcome.err
    [row] = json.loads((tmp_path / "out" / "evaluation.json").read_text())["rows"]
    pairs = candidates()
    labels, scores = [pair in TRUE for pair in pairs], weights.abs()[pairs]
    assert row["pairs"] == 9 and row["positives"] == 5
    assert row["auroc"] == pytest.approx(roc_auc_score(labels, scores))
    assert row["average_precision"] == pytest.approx(average_precision_score(labels, scores))
    assert "this network" in outcome.out and "Early precision ratio by BEELINE" in outcome.out


def test_labels_of_the_truth_name_the_candidates(weights, cli, tmp_path):
    write_tsv(weights, tmp_path / "network.tsv")
    pairs = [("A", "B", 1), ("A", "E", 0), ("B", "D", 1), ("F", "C", 0)]
    truth = pd.DataFrame(pairs, columns=["TF", "Target", "Label"])
    truth.to_csv(tmp_path / "truth.csv", index=False)
    files = [tmp_path / "network.tsv", "--truth", tmp_path / "truth.csv"]
    outcome = cli("evaluate", *files, "--out", tmp_path / "out")
    assert outcome.status == 0, outcome.err
    [row] = json.loads((tmp_path / "out" / "evaluation.json").read_text())["rows"]
    scores = weights.abs()[[pair[:2] for pair in pairs]]
    assert row["pairs"] == 4
    assert row["auroc"] == roc_auc_score(truth["Label"], scores)


def test_pairs_trained_on_are_left_out_and_make_the_trivial_rows(weights, truth, cli, tmp_path):
    write_tsv(weights, tmp_path / "network.tsv")
    trained = [("A", "B"), ("B", "C")]
    pd.DataFrame(trained, columns=["TF", "target"]).to_csv(tmp_path / "train.csv", index=False)
    files = [tmp_path / "network.tsv", "--truth", truth, "--train", tmp_path / "train.csv"]
    outcome = cli("evaluate", *files, "--out", tmp_path / "out")
    assert outcome.status == 0, outcome.err
    assert "2 candidates were trained on and are left out" in outcome.err
    rows = json.loads((tmp_path / "out" / "evaluation.json").read_text())["rows"]
    rows = {row["method"]: row for row in rows}
    rates = ["TF rate", "target rate", "degree product", "Adamic-Adar", "nearest TF profile"]
    assert list(rows) == ["this network", *rates, "additive logistic"]
    pairs = candidates(exclude=trained)
    labels = [pair in TRUE for pair in pairs]
    assert all(row["pairs"] == len(pairs) == 7 for row in rows.values())
    ours = roc_auc_score(labels, weights.abs()[pairs])
    assert rows["this network"]["auroc"] == pytest.approx(ours)
    degree = [{"A": 1, "B": 1}.get(tf, 0) for tf, _ in pairs]
    assert rows["TF rate"]["auroc"] == pytest.approx(roc_auc_score(labels, degree))
    beeline = json.loads((tmp_path / "out" / "evaluation.json").read_text())["beeline"]
    assert beeline is None and "BEELINE's own figures are left out" in outcome.out


def test_an_additive_network_of_probabilities_has_a_swap_of_one_half(cli, tmp_path):
    """Importances between 0 and 1 count as probabilities: additive on the logit scale."""
    tfs, targets = [f"TF{i}" for i in range(4)], [f"G{i}" for i in range(8)]
    rng = np.random.default_rng(0)
    of_tf, of_target = rng.normal(size=4), rng.normal(size=8)
    lines, labels = [], []
    for tf, a in zip(tfs, of_tf, strict=True):
        for target, b in zip(targets, of_target, strict=True):
            lines.append((tf, target, 1 / (1 + np.exp(-a - b))))
            labels.append((tf, target, int(rng.random() < 0.5)))
    columns = ["TF", "target"]
    pd.DataFrame(lines, columns=[*columns, "importance"]).to_csv(tmp_path / "n.csv", index=False)
    pd.DataFrame(labels, columns=[*columns, "label"]).to_csv(tmp_path / "t.csv", index=False)
    files = [tmp_path / "n.csv", "--truth", tmp_path / "t.csv", "--out", tmp_path / "out"]
    outcome = cli("evaluate", *files)
    assert outcome.status == 0, outcome.err
    [row] = json.loads((tmp_path / "out" / "evaluation.json").read_text())["rows"]
    assert row["swap_quadruples"] > 0 and row["swap_micro"] == 0.5


def test_names_that_differ_in_case_are_joined_and_it_is_said(weights, truth, cli, tmp_path):
    lower = weights.rename(index=str.lower)
    write_tsv(weights, tmp_path / "upper.tsv")
    write_tsv(lower, tmp_path / "lower.tsv")
    tables = []
    for name in ("upper", "lower"):
        outcome = cli("evaluate", tmp_path / f"{name}.tsv", "--truth", truth)
        assert outcome.status == 0, outcome.err
        tables.append(outcome.out)
        assert ("names joined by upper-case spelling" in outcome.err) == (name == "lower")
    assert tables[0] == tables[1]


def test_pairs_that_are_not_ranked_share_the_last_place(weights, truth, cli, tmp_path):
    kept = weights[[("A", "B"), ("A", "C"), ("B", "A")]]
    write_tsv(kept, tmp_path / "network.tsv")
    outcome = cli("evaluate", tmp_path / "network.tsv", "--truth", truth, "--out", tmp_path / "out")
    assert outcome.status == 0
    assert "6 of 9 candidates are not ranked" in outcome.err
    [row] = json.loads((tmp_path / "out" / "evaluation.json").read_text())["rows"]
    pairs = candidates()
    scores = kept.abs().reindex(pairs, fill_value=0)
    expected = roc_auc_score([pair in TRUE for pair in pairs], scores)
    assert row["auroc"] == pytest.approx(expected)


def test_networks_that_rank_nothing_are_refused(weights, truth, cli, tmp_path):
    write_tsv(weights.rename(index=lambda gene: f"X{gene}"), tmp_path / "strange.tsv")
    write_tsv(weights[[("D", "E"), ("D", "A"), ("E", "B")]], tmp_path / "beside.tsv")
    weights.rename_axis(["TF", "target"]).reset_index()[["TF", "target"]].to_csv(
        tmp_path / "bare.csv", index=False
    )
    for name, words in (
        ("strange.tsv", "is among the 6 of the other network"),
        ("beside.tsv", "it ranks none of the 9 candidate pairs"),
        ("bare.csv", "has no column of weights"),
    ):
        outcome = cli("evaluate", tmp_path / name, "--truth", truth, "--out", tmp_path / "out")
        assert outcome.status == 2
        assert outcome.err.count("\n") == 1 and words in outcome.err
        assert not (tmp_path / "out").exists()


def test_run_twice_it_gives_the_same_and_another_network_needs_another_folder(
    weights, truth, cli, tmp_path
):
    write_tsv(weights, tmp_path / "network.tsv")
    write_tsv(-weights[::-1], tmp_path / "other.tsv")
    out = tmp_path / "out"
    first = cli("evaluate", tmp_path / "network.tsv", "--truth", truth, "--out", out)
    content = (out / "evaluation.json").read_bytes()
    second = cli("evaluate", tmp_path / "network.tsv", "--truth", truth, "--out", out)
    assert first.status == second.status == 0 and first.out == second.out
    assert (out / "evaluation.json").read_bytes() == content
    other = cli("evaluate", tmp_path / "other.tsv", "--truth", truth, "--out", out)
    assert other.status == 2 and "inputs.edges was" in other.err
    assert (out / "evaluation.json").read_bytes() == content


@pytest.mark.slow
def test_every_file_of_a_run_is_judged_alike(inferred, small_set, cli):
    judged = {
        cli("evaluate", inferred / name, "--truth", small_set.folder / "truth.csv").out
        for name in ("edges.tsv", "rankedEdges.csv", "network.h5ad")
    }
    assert len(judged) == 1
    assert "this network" in judged.pop()


@pytest.fixture
def ranking(small_set, other_lists, cli, tmp_path):
    """Runs `infer` by lists of other cells, and gives the path of its edges."""

    def run(*words):
        files = small_set.arguments
        out = tmp_path / f"run{len(words)}"
        outcome = cli("infer", files[0], "--tfs", files[4], *words, "--out", out)
        assert outcome.status == 0, outcome.err
        return out / "edges.tsv"

    return run


def write_lists(path, cell):
    """The lists of a cell type as a true network."""
    [source] = [x for x in load_compendium().sources if x.about.name == "small"]
    lists = source.lists.take(source.lists.cells == cell)
    row, gene = np.nonzero(lists.labels)
    frame = pd.DataFrame({"tf": lists.tfs[row], "target": lists.genes[gene]})
    frame.to_csv(path, sep="\t", index=False)
    return path


@pytest.mark.slow
def test_a_truth_among_the_lists_of_the_ranking_is_named(ranking, small_set, cli, tmp_path):
    edges = ranking()
    copy = write_lists(tmp_path / "theirs.tsv", "K562")
    outcome = cli("evaluate", edges, "--truth", copy, "--out", tmp_path / "copy")
    assert outcome.status == 0, outcome.err
    assert outcome.err.count("the ranking knows this truth") == 1
    assert "in K562 1.00" in outcome.err and "its scorer was trained on" in outcome.err
    assert "--method.without K562" in outcome.err and "by lists of K562" in outcome.out
    seen = json.loads((tmp_path / "copy/evaluation.json").read_text())["seen"]
    assert seen["by_name"] == [] and {x["cell_type"] for x in seen["by_content"]} == {"K562"}
    assert {x["tf"] for x in seen["by_content"]} == set(small_set.tfs)

    other = tmp_path / "truth.tsv"
    small_set.truth[["tf", "target"]].to_csv(other, sep="\t", index=False)
    outcome = cli("evaluate", edges, "--truth", other, "--out", tmp_path / "other")
    assert outcome.status == 0 and "knows this truth" not in outcome.err + outcome.out
    assert "seen" not in json.loads((tmp_path / "other/evaluation.json").read_text())

    named = other.rename(tmp_path / "hESC-network.tsv")  # H1 is among the lists that ship
    outcome = cli("evaluate", edges, "--truth", named)
    assert "by its name it is of H1" in outcome.err and "labels agree" not in outcome.err


@pytest.mark.slow
def test_lists_that_were_left_out_are_not_known_to_the_ranking(ranking, cli, tmp_path):
    copy = write_lists(tmp_path / "K562.tsv", "K562")
    edges = ranking("--method=compendium", "--method.without", "K562")
    outcome = cli("evaluate", edges, "--truth", copy)
    assert outcome.status == 0 and "knows this truth" not in outcome.err + outcome.out
    moved = tmp_path / "edges.tsv"  # of which nothing is known
    moved.write_bytes(edges.read_bytes())
    assert cli("evaluate", moved, "--truth", copy).status == 0


@pytest.mark.slow
def test_a_ranking_in_memory_knows_its_lists_too(small_set, other_lists, tmp_path, caplog):
    files = small_set.arguments
    copy = write_lists(tmp_path / "theirs.tsv", "HEPG2")
    for settings, knows in (({}, True), ({"by": "look-up", "without": ("HepG2",)}, False)):
        caplog.clear()
        method = MethodConfig.find("compendium")(**settings)
        network = grnjax.infer(files[0], tfs=files[4], method=method)
        found = grnjax.evaluate(network, copy)
        assert ("knows this truth" in caplog.text) == (found.seen is not None) == knows
    method = MethodConfig.find("compendium")(by="look-up")
    found = grnjax.evaluate(grnjax.infer(files[0], tfs=files[4], method=method), copy)
    assert not any(row["trained_on"] for row in found.seen["by_content"])
    assert "which it has read" in caplog.text
    assert grnjax.evaluate(network.edges, copy).seen is None
