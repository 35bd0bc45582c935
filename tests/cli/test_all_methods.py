"""Every method runs by `infer`, `train` and `transfer`, or says in one sentence why it cannot."""

import json

import pytest

from grnjax.methods.method import MethodConfig

STATES = dict.fromkeys(("mutual-information", "pidc"), ("states=equal-width",))
CANNOT = {  # of `transfer`
    **{
        name: f"{name} cannot be transferred: what it makes of genes belongs to the cells"
        for name in ("GT-GRN", "GENELink", "GNNLink", "GNE", "STGRNS", "scGREAT")
        + ("GRN-Transformer",)
    },
    **{
        name: f"{name} learns from no known edge, so it has nothing to transfer"
        for name in ("pearson", "spearman", "mutual-information", "pidc", "genie3", "grnboost2")
        + ("regdiffusion", "enhancer", "compendium")
    },
}
# long to compile, and `train` fits them as `transfer` does on its first set
NOT_BY_TRAIN = ("GNNLink", "GNE", "CNNC", "DeepDRIM", "STGRNS", "scGREAT")
pytestmark = pytest.mark.usefixtures("other_lists")
RANKING = {"edges.tsv", "rankedEdges.csv", "network.h5ad"}


@pytest.fixture
def arguments(small_set, genelink_folder, other_folder):
    """What each command takes, with little to fit."""
    folder = genelink_folder()
    return {
        "infer": [*small_set.arguments, "--folds", 2],
        "train": [folder],
        "transfer": [folder, other_folder],
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "command, name",
    [
        (command, name)
        for command in ("infer", "train", "transfer")
        for name in MethodConfig.NAMED
        if command != "train" or name not in NOT_BY_TRAIN
    ],
)
def test_every_method_runs_by_every_command(command, name, arguments, quick_methods, cli, tmp_path):
    words, folder = [command, *arguments[command], f"--method={name}"], tmp_path / "run"
    words += [f"--method.{item}" for item in (quick_methods | STATES).get(name, ())]
    if command == "infer" and "labels" in MethodConfig.find(name).READS:
        words += ["--repeats", 1]
    outcome = cli(*words, "--out", folder)
    if command == "transfer" and name in CANNOT:
        assert outcome.status == 2 and not folder.exists()
        [complaint] = [x for x in outcome.err.splitlines() if x.startswith("grnjax ")]
        assert complaint.startswith(f"grnjax transfer: {CANNOT[name]}")
        return
    assert outcome.status == 0, outcome.err
    assert {path.name for path in folder.iterdir()} >= {"record.json", "run.json"}
    assert command != "infer" or {path.name for path in folder.iterdir()} >= RANKING
    record = json.loads((folder / "run.json").read_text())
    assert record["config"]["method"]["class"] == MethodConfig.find(name).__name__
    rows = record["metrics"]["rows"]
    rows = rows["all TFs"] if command == "transfer" else rows
    methods = [row["method"] for row in rows]
    assert name in methods and "TF rate" in methods
    assert all(0 <= row["auroc"] <= 1 for row in rows if row["method"] == name)


def test_quick_settings_are_of_methods_that_there_are(quick_methods):
    assert {*quick_methods, *STATES, *CANNOT} <= {*MethodConfig.NAMED}
    assert {*MethodConfig.NAMED} == {*CANNOT, "kernel-factor", "scRegNet", "CNNC", "DeepDRIM"}
