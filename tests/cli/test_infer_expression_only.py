"""`grnjax infer` by methods that need expression alone."""

import json
import signal
import subprocess
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import grnjax
from grnjax.methods.expression_only import SpearmanMethod

DIES_AFTER_THREE_BLOCKS = """
import os, signal, sys
from grnjax.methods.expression_only import SpearmanMethod
from grnjax.cli import main
score, blocks = SpearmanMethod.SCORE, []

def score_targets(*given, **named):
    if len(blocks) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    blocks.append(score(*given, **named))
    return blocks[-1]

SpearmanMethod.SCORE = staticmethod(score_targets)
SpearmanMethod.TARGETS_A_BLOCK = 10
main(sys.argv[1:])
"""

COLUMNS = ["TF", "target", "importance", "expression_sign"]


@pytest.fixture(scope="module")
def files(small_set):
    """The expression file and the TF list with its flag."""
    expression, _, _, *tfs = small_set.arguments
    return [expression, *tfs]


@pytest.fixture(scope="module")
def ranked(cli, files, tmp_path_factory):
    """The folder of a run by Spearman's correlation without known edges, and what it printed."""
    folder = tmp_path_factory.mktemp("expression-only") / "run"
    outcome = cli("infer", *files, "--method", "spearman", "--out", folder)
    assert outcome.status == 0, outcome.err
    return folder, outcome


def read(folder):
    return pd.read_csv(folder / "edges.tsv", sep="\t")


def test_no_known_edges_are_needed(ranked, small_set):
    folder, outcome = ranked
    edges = read(folder)
    assert list(edges) == COLUMNS
    measured = set(small_set.genes) - set(small_set.unmeasured)
    assert set(edges["TF"]) == set(small_set.tfs) & measured
    assert (edges["TF"] != edges["target"]).all() and set(edges["target"]) <= measured
    assert (np.diff(edges["importance"]) <= 0).all()
    assert f"{len(edges):,} ranked pairs in {folder}/" in outcome.out
    assert f"{edges['TF'][0]} -> {edges['target'][0]}" in outcome.out
    assert "Nothing judged this ranking" in outcome.out and "times as often" not in outcome.out
    assert "1 TFs of the list that were not measured: TF04" in outcome.err


def test_every_file_holds_the_same_network(ranked):
    folder, _ = ranked
    edges = read(folder)
    beeline = pd.read_csv(folder / "rankedEdges.csv", sep="\t")
    assert list(beeline) == ["Gene1", "Gene2", "EdgeWeight"]
    np.testing.assert_array_equal(beeline.to_numpy(), edges[COLUMNS[:3]].to_numpy())
    table = anndata.read_h5ad(folder / "network.h5ad")
    tf, target = (table.var_names.get_indexer(edges[role]) for role in ("TF", "target"))
    matrix = table.varp["grn"].toarray()
    np.testing.assert_allclose(matrix[tf, target], edges["importance"], rtol=1e-6)
    assert np.count_nonzero(matrix) == len(edges) and list(table.varp) == ["grn"]


def test_tables_list_the_best_pairs_and_a_matrix_has_the_scores_of_all(
    ranked, cli, files, tmp_path
):
    words = ["infer", *files, "--method", "spearman", "--out", tmp_path / "run", "--top", 50]
    outcome = cli(*words)
    assert outcome.status == 0, outcome.err
    every = read(ranked[0])
    told = f"tables list the best 50 of {len(every):,} pairs (--top=N, --top=all)"
    assert told in outcome.err and (tmp_path / "run/scores.npz").exists()
    pd.testing.assert_frame_equal(read(tmp_path / "run"), every.head(50))
    with np.load(tmp_path / "run/scores.npz") as arrays:
        scores = pd.DataFrame(arrays["score"], arrays["tf"], arrays["target"])
    of_all = [scores.at[tf, target] for tf, target in every[["TF", "target"]].to_numpy()]
    np.testing.assert_allclose(of_all, every["importance"], rtol=1e-6)
    assert not (ranked[0] / "scores.npz").exists()
    words = [*words[:-1], "all", "--top-per-target", 3]
    words[words.index(tmp_path / "run")] = tmp_path / "each"
    outcome = cli(*words)
    assert "3 of a target at most" in outcome.err and (tmp_path / "each/scores.npz").exists()
    of_each = every.groupby("target").head(3).reset_index(drop=True)
    pd.testing.assert_frame_equal(read(tmp_path / "each"), of_each)


def test_long_tables_are_gzipped_and_read_back_as_the_plain_ones(
    ranked, cli, files, tmp_path, monkeypatch
):
    monkeypatch.setattr("grnjax.data.edges.MOST_PLAIN", 10)
    folders = [tmp_path / name for name in ("run", "again")]
    for folder in folders:
        outcome = cli("infer", *files, "--method", "spearman", "--out", folder)
        assert outcome.status == 0, outcome.err
    names = {path.name for path in folders[0].iterdir()}
    assert {"edges.tsv.gz", "rankedEdges.csv.gz"} <= names and "edges.tsv" not in names
    bytes_of = [(folder / "edges.tsv.gz").read_bytes() for folder in folders]
    assert bytes_of[0] == bytes_of[1]  # no time and no name of a process in it
    ours, plain = (grnjax.read(folder).edges for folder in (folders[0], ranked[0]))
    pd.testing.assert_frame_equal(ours, plain, check_exact=True)
    outcome = cli("report", folders[0])
    assert outcome.status == 0, outcome.err


def test_the_record_says_what_was_read_and_ranked(ranked, small_set):
    record = json.loads((ranked[0] / "run.json").read_text())
    assert record["method"] == "spearman" and record["metrics"] == {}
    assert set(record["inputs"]) == {"expression", "tfs"}
    assert record["data"]["tfs"] == len(small_set.tfs) - 1
    assert record["data"]["tfs_not_found"] == {"count": 1, "first": ["TF04"]}
    assert {"without_expression", "constant"} <= set(record["data"])


@pytest.mark.slow
def test_known_edges_judge_and_never_change_the_ranking(cli, ranked, small_set, tmp_path):
    folder = tmp_path / "run"
    outcome = cli("infer", *small_set.arguments, "--method=spearman", "--folds=3", "--out", folder)
    assert outcome.status == 0, outcome.err
    edges, alone = read(folder), read(ranked[0])
    assert list(edges) == [*COLUMNS, "status"]
    pd.testing.assert_frame_equal(edges[list(alone)], alone, check_exact=True)
    known = pd.MultiIndex.from_frame(small_set.known)
    is_known = pd.MultiIndex.from_frame(edges[["TF", "target"]]).isin(known)
    np.testing.assert_array_equal(edges["status"] == "known", is_known)
    rows = pd.DataFrame(json.loads((folder / "run.json").read_text())["metrics"]["rows"])
    assert {"spearman", "TF rate", "additive logistic", "ID-only ensemble"} <= set(rows["method"])
    assert (rows.groupby("method")["draw"].agg(set) == {0, 1, 2}).all()
    ours = rows.loc[rows["method"] == "spearman", "auroc"].mean()
    told = edges[edges["TF"] != small_set.silent_tf]
    assert ours == pytest.approx(
        roc_auc_score(told["status"] == "known", told["importance"]), abs=0.05
    )
    assert "Finds known edges" in outcome.out and "strongest trivial row" in outcome.out


def test_settings_of_the_method_count_and_the_same_command_is_done_already(cli, files, tmp_path):
    command = [
        "infer",
        *files,
        "--method=pidc",
        "--method.states=equal-width",
        "--method.bins=4",
        "--out",
        tmp_path / "run",
    ]
    assert cli(*command).status == 0
    assert json.loads((tmp_path / "run/run.json").read_text())["config"]["method"]["bins"] == 4
    assert "already finished" in cli(*command).err
    other = cli(*command[:-1], tmp_path / "run", "--seed=1")
    assert other.status == 2 and "seed was 0 and is now 1" in other.err


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_files(cli, files, ranked, tmp_path, monkeypatch):
    command = list(map(str, ["infer", *files, "--method=spearman", "--out", tmp_path / "run"]))
    killed = subprocess.run(
        [sys.executable, "-c", DIES_AFTER_THREE_BLOCKS, *command], capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert len(list(tmp_path.rglob("*.block"))) == 3
    score, parts = SpearmanMethod.SCORE, []

    def score_targets(genes, targets, settings, *, seed):
        parts.append(targets)
        return score(genes, targets, settings, seed=seed)

    monkeypatch.setattr(SpearmanMethod, "SCORE", staticmethod(score_targets))
    monkeypatch.setattr(SpearmanMethod, "TARGETS_A_BLOCK", 10)
    outcome = cli(*command)
    assert outcome.status == 0 and "resuming an unfinished run" in outcome.err
    assert len(parts) == 5 and not set(range(30)) & set(np.concatenate(parts))
    for name in ("edges.tsv", "rankedEdges.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (ranked[0] / name).read_bytes()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--method=pearson", "--method.bins=4"], "grnjax infer has no flag --method.bins"),
        (["--method=pidc", "--repeats=3"], "--repeats is no setting of pidc"),
        (["--method=pidc", "--devices.model=2"], "--devices is no setting of pidc"),
        (["--method=pidc", "--folds=3"], "--folds is no setting of pidc without --network"),
        (["--method=pidc", "--method.training.epochs=5"], "no flag --method.training.epochs"),
        (
            ["--method=pidc", "--evidence", "motifs=EXPRESSION"],
            "pidc does not read --evidence; leave it out, or take a method that does: kernel-",
        ),
        (["--method=pidc", "--data.embedding=x.npz"], "pidc does not read --data.embedding; leave"),
        (["--method=pidc", "--method.most-genes=5"], "stops at 5 genes"),
        (["--method=grnboost3"], "--method cannot be 'grnboost3'"),
        ([], "or rank by expression alone, as with --method=grnboost2"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(cli, files, tmp_path, arguments, message):
    arguments = [argument.replace("EXPRESSION", str(files[0])) for argument in arguments]
    outcome = cli("infer", *files, *arguments, "--out", tmp_path / "run")
    assert outcome.status == 2 and message in outcome.err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_a_method_that_learns_has_no_settings_of_one_that_does_not(cli, small_set, tmp_path):
    outcome = cli("infer", *small_set.arguments, "--method.bins=4", "--out", tmp_path / "run")
    assert outcome.status == 2
    assert "grnjax infer has no flag --method.bins" in outcome.err


def test_python_gives_the_ranking_of_the_command_line(ranked, small_set):
    counts = small_set.counts.sample(frac=1, random_state=3).T.sample(frac=1, random_state=4)
    data = anndata.AnnData(counts.astype(np.float32))
    edges = grnjax.infer(data, tfs=small_set.tfs[::-1], method="spearman").edges
    written = read(ranked[0]).rename(columns={"TF": "tf"}).astype({"importance": np.float32})
    pd.testing.assert_frame_equal(edges, written, check_exact=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        ["--method", "grnboost2", "--method.rounds=30"],
        ["--method", "genie3", "--method.trees=20"],
    ],
)
def test_trees_rank_true_edges_above_others(cli, files, small_set, tmp_path, settings):
    outcome = cli("infer", *files, *settings, "--out", tmp_path / "run")
    assert outcome.status == 0, outcome.err
    edges = read(tmp_path / "run")
    assert list(edges) == COLUMNS and edges["importance"].min() > 0
    truth = pd.MultiIndex.from_frame(small_set.truth)
    is_true = pd.MultiIndex.from_frame(edges[["TF", "target"]]).isin(truth)
    assert is_true[: len(edges) // 10].mean() > 1.2 * is_true.mean()


def test_every_gene_may_regulate_without_a_list(cli, files, small_set, tmp_path):
    outcome = cli(
        "infer",
        files[0],
        "--method=pearson",
        "--data.orientation=genes-by-cells",
        "--out",
        tmp_path / "run",
    )
    assert outcome.status == 0, outcome.err
    edges = read(tmp_path / "run")
    assert edges["TF"].nunique() == edges["target"].nunique() > 70
    unclear = cli("infer", files[0], "--method=pearson", "--out", tmp_path / "other")
    assert unclear.status == 2 and "--data.orientation" in unclear.err
