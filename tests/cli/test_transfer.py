"""`grnjax transfer` from one set to another: what it leaves behind, and what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest

QUICK = ["--method.training.epochs=20"]
GROUPS = ["all TFs", "shared TFs", "unseen TFs"]
TRIVIAL_ROWS = {
    "TF rate",
    "target rate",
    "degree product",
    "additive logistic",
    "ID-only rank 4",
    "absolute Pearson",
    "linear statistics",
}


@pytest.fixture
def transfer(cli, genelink_folder, other_folder, tmp_path):
    """Runs `grnjax transfer` between the two sets and gives run.json and the outcome."""
    source = genelink_folder()

    def run(*flags, out="run", fails=False):
        outcome = cli("transfer", source, other_folder, *flags, "--out", tmp_path / out)
        if fails:
            assert outcome.status == 2 and not (tmp_path / out).exists()
            return outcome.err.splitlines()[-1]
        assert outcome.status == 0, outcome.err
        return json.loads((tmp_path / out / "run.json").read_text()), outcome

    return run


@pytest.mark.slow
def test_every_method_is_judged_on_each_group_of_tfs(transfer, small_set, tmp_path):
    record, outcome = transfer(*QUICK, "--seeds", 0, 1, "--controls", "expression-permuted")
    assert list(record["metrics"]["rows"]) == GROUPS
    rows = pd.DataFrame(record["metrics"]["rows"]["all TFs"])
    ours = {"scRegNet", "scRegNet, expression permuted"}
    assert TRIVIAL_ROWS <= set(rows["method"]) and ours <= set(rows["method"])
    assert rows.groupby("method")["seed"].agg(list)["scRegNet"] == [0, 1]
    assert rows["auroc"].between(0, 1).all()
    assert record["metrics"]["rows"]["unseen TFs"] == []
    assert "all TFs:" in outcome.out and "unseen TFs: no TF with both labels" in outcome.out
    joined = record["data"]["joined"]
    assert joined["genes_in_both"] == len(small_set.genes) - 10
    assert joined["only_in_source"]["count"] == 10 and joined["only_in_target"]["count"] == 0
    assert {line["tf"] for line in record["audit"]} <= set(small_set.tfs)
    assert {"source/folder/Label.csv", "target/folder/refNetwork.csv"} <= set(record["inputs"])
    assert record["command"] == "transfer"
    assert record["config"]["method"]["inputs"]["nodes"] == "statistics"
    fits = {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()}
    assert fits == {
        f"draw0-{label}-seed{seed}" for label in ("model", "expression-permuted") for seed in (0, 1)
    }


@pytest.mark.slow
def test_a_cut_off_run_is_resumed_and_a_finished_one_is_done(transfer, tmp_path):
    record, _ = transfer(*QUICK)
    path = tmp_path / "run" / "run.json"
    before = path.stat().st_mtime_ns
    assert "already finished; nothing to do." in transfer(*QUICK)[1].err
    assert path.stat().st_mtime_ns == before
    path.unlink()
    again, outcome = transfer(*QUICK)
    assert "resuming an unfinished run" in outcome.err and ": read back" in outcome.err
    assert again["metrics"] == record["metrics"]


@pytest.mark.slow
def test_what_was_learned_serves_the_other_set(transfer):
    record, _ = transfer("--method=kernel-factor", "--method.training.steps=60")
    rows = pd.DataFrame(record["metrics"]["rows"]["all TFs"]).set_index("method")
    assert rows.loc["kernel-factor", "auroc"] > 0.7
    assert np.isfinite(rows.loc["kernel-factor", "average_precision"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags, message",
    [
        (["--method=GT-GRN"], "GT-GRN cannot be transferred"),
        (["--method=pidc"], "pidc learns from no known edge, so it has nothing to transfer"),
        (["--method=scRegNet", "--method.inputs.nodes=profile"], "nodes=statistics"),
        (["--method.inputs.unlabelled-weight=0.1"], "leave it at 0"),
        (["--reconstruct"], "Transfer cannot have reconstruct: leave it out."),
        (["--split.kind=balanced"], "Transfer cannot have split.kind=balanced"),
        (["--controls", "embedding-zero"], "embedding-zero needs an embedding"),
        (["--evidence", "motifs=x"], "has no flag --evidence"),
        (["--target-embedding", "absent.npz"], "absent.npz: not a readable .npz file"),
        (["--data.split=folder"], "--data.split"),
    ],
)
def test_what_transfer_cannot_have_is_one_sentence_and_leaves_nothing(flags, message, transfer):
    complaint = transfer(*flags, fails=True)
    assert complaint.startswith("grnjax transfer") and message in complaint


def test_expression_of_one_set_alone_is_refused(cli, genelink_folder, other_folder, tmp_path):
    source = genelink_folder(expression=False)
    outcome = cli("transfer", source, other_folder, "--out", tmp_path / "run")
    assert outcome.status == 2 and not (tmp_path / "run").exists()
    assert f"{source} has no expression and the other data set has" in outcome.err
