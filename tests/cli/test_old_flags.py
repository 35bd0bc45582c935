"""Flags, Python names and run folders of version 0.1.0 work for one version, with a line each."""

import json
import re
import shutil

import anndata
import numpy as np
import pandas as pd
import pytest

import grnjax
from grnjax import config as settings
from grnjax.cli.infer import InferCommand
from grnjax.cli.old_flags import translate, translate_record
from grnjax.cli.train import TrainCommand
from grnjax.config.fields import walk
from grnjax.methods.method import MethodConfig
from grnjax.storage.files import read_json_lines
from tests.faults.earlier import forget_digests

NEWER = ("enhancer", "compendium", "GENELink", "GNNLink", "GNE", "CNNC", "DeepDRIM", "STGRNS")
NEWER += ("scGREAT", "GRN-Transformer", "regdiffusion")  # than the flags of today
NEWER_FLAGS = re.compile(r"--(embedding$|embed\.)")  # of scRegNet, than these
BESIDE_THE_RUN = ("scRegNet", "GT-GRN")  # whose settings had no name of a method before them


@pytest.mark.parametrize("name", [name for name in MethodConfig.NAMED if name not in NEWER])
def test_every_setting_of_a_method_has_its_old_flag(name, capsys):
    flags = [flag for x in walk(MethodConfig.find(name)()) for flag in x.flags]
    flags = [flag for flag in flags if not NEWER_FLAGS.match(flag)]
    before = "" if name in BESIDE_THE_RUN else f"{name}."
    old = [flag.replace("--", f"--{before}", 1) for flag in flags]
    new = [flag.replace("--", "--method.", 1) for flag in flags]
    assert translate("infer", [f"{flag}=1" for flag in old]) == [f"{flag}=1" for flag in new]
    said = capsys.readouterr().err
    assert said.count("\n") == bool(flags) and all(flag in said for flag in old)


@pytest.mark.parametrize(
    "old, new",
    [
        ("--members 3 --folds 2", "--repeats 3 --folds 2"),
        ("--members=3", "--repeats=3"),
        ("--blocks motifs=a.csv network=b.csv", "--evidence motifs=a.csv network=b.csv"),
        ("--method=auto --explain", "--explain"),
        ("--method auto", ""),
        (
            "--method scRegNet --model.encoder=GAT --model.encoder.heads 3 1",
            "--method=scRegNet --method.model.encoder=GAT --method.model.encoder.heads 3 1",
        ),
        ("--kernel_factor.most_genes=9", "--method.most-genes=9"),
    ],
)
def test_old_flags_of_infer_are_those_of_today(old, new, capsys):
    expect_same_settings(InferCommand, "infer", old.split(), new.split(), capsys)


@pytest.mark.parametrize(
    "old, new",
    [
        ("--model=GT-GRN --networks a.csv b.csv", "--method=GT-GRN --walk-on a.csv b.csv"),
        ("--model GT-GRN --positions.walks 3", "--method=GT-GRN --method.positions.walks 3"),
        (
            "--model=GT-GRN --embeddings.networks pearson --model.transformer.layers=1",
            "--method=GT-GRN --method.embeddings.networks pearson "
            "--method.model.transformer.layers=1",
        ),
        ("--model.no-coexpression", "--method.model.no-coexpression"),
        (
            "--inputs.nodes=profile --training.epochs=9",
            "--method.inputs.nodes=profile --method.training.epochs=9",
        ),
    ],
)
def test_old_flags_of_train_are_those_of_today(old, new, capsys):
    command = ["folder", "--out", "run"]
    expect_same_settings(
        TrainCommand, "train", [*command, *old.split()], [*command, *new.split()], capsys
    )


def expect_same_settings(kind, command, old, new, capsys):
    before, today = (
        settings.to_json(settings.parse(kind, words, program="grnjax"))
        for words in (translate(command, old), new)
    )
    assert before == today
    said = capsys.readouterr().err
    assert said.startswith(f"grnjax {command}: --") and said.count("\n") == 1
    assert translate(command, new) == new and capsys.readouterr().err == ""


def test_words_that_are_no_old_flags_stay_as_they_are(capsys):
    words = ["a.csv", "--modell=3", "--network", "x", "--out", "--", "-h", "--method", "pidc"]
    assert translate("infer", words) == words and capsys.readouterr().err == ""


def test_a_run_by_old_flags_is_the_run_by_those_of_today(cli, small_set, tmp_path):
    expression, _, _, *tfs = small_set.arguments
    command = ["infer", expression, *tfs, "--method=pidc", "--out", tmp_path / "run"]
    assert cli(*command, "--method.bins=4", "--method.states=equal-width").status == 0
    outcome = cli(*command, "--pidc.bins=4", "--pidc.states=equal-width")
    assert outcome.status == 0 and "already finished" in outcome.err
    said = outcome.err.splitlines()[0]
    assert said == (
        "grnjax infer: --pidc.bins is now --method.bins, --pidc.states is now --method.states; "
        "the old words go with the next version."
    )


# Python names


@pytest.fixture(scope="module")
def adata(small_set):
    return anndata.AnnData(small_set.counts.T.astype(np.float32))


@pytest.mark.slow
def test_infer_network_is_infer(adata, small_set, capsys):
    config = settings.replace(
        grnjax.InferenceConfig(),
        {
            "repeats": 1,
            "folds": 2,
            "method.training.steps": 60,
            "method.kernels.episodes": 4,
        },
    )
    given = {"config": config, "seed": 3}
    old = grnjax.infer_network(adata, small_set.known, small_set.tfs, **given)
    lines = capsys.readouterr().err.splitlines()
    assert lines.count("grnjax.infer_network is now grnjax.infer.") == 1
    new = grnjax.infer(adata, small_set.known, tfs=small_set.tfs, **given)
    pd.testing.assert_frame_equal(old.edges, new.edges, check_exact=True)
    assert "is now" not in capsys.readouterr().err


def test_infer_unsupervised_gives_the_edges_of_infer(adata, small_set, capsys):
    from grnjax.baselines.pidc import PIDCConfig

    config = PIDCConfig(states="equal-width", bins=4)
    old = grnjax.infer_unsupervised(adata, small_set.tfs, "pidc", config=config)
    lines = capsys.readouterr().err.splitlines()
    assert lines.count("grnjax.infer_unsupervised is now grnjax.infer.") == 1
    method = MethodConfig.find("pidc")(states="equal-width", bins=4)
    new = grnjax.infer(adata, tfs=small_set.tfs, method=method)
    pd.testing.assert_frame_equal(old, new.edges, check_exact=True)


# Run folders

SCREGNET = {
    "model": {"class": "ScRegNetConfig", "head": "additive"},
    "inputs": {"class": "InputConfig", "nodes": "profile", "components": 64},
    "training": {"class": "TrainingConfig", "epochs": 9},
}
OWN = {
    "pidc": {"class": "PIDCConfig", "bins": 4},
    "kernel_factor": {"class": "KernelFactorSettings", "most_genes": 9},
}


@pytest.mark.parametrize(
    "command, config, flags",
    [
        ("infer", {"method": "auto"}, ["--method.most-genes=9"]),
        ("infer", {"method": "pidc", "members": 5}, ["--method=pidc", "--method.bins=4"]),
        ("infer", {"method": "spearman"}, ["--method=spearman"]),
        (
            "infer",
            {"method": "scRegNet", "members": 3, "blocks": [], **SCREGNET},
            ["--method=scRegNet", "--repeats=3", "--method.model.head=additive"]
            + ["--method.inputs.nodes=profile", "--method.training.epochs=9"],
        ),
        (
            "train",
            {"folder": "x", "networks": [], "choose": ["model.head=pair"], **SCREGNET}
            | {"embeddings": {"class": "GeneEmbeddingConfig"}},
            ["x", "--choose", "model.head=pair", "--method.model.head=additive"]
            + ["--method.inputs.nodes=profile", "--method.training.epochs=9"],
        ),
        (
            "train",
            {"folder": "x", "networks": ["a.csv"], **SCREGNET}
            | {"model": {"class": "GTGRNConfig", "fusion": "gate"}}
            | {"embeddings": {"class": "GeneEmbeddingConfig", "networks": ["pearson"]}}
            | {"positions": {"class": "PositionConfig", "walks": 3}},
            ["x", "--method=GT-GRN", "--walk-on", "a.csv", "--method.model.fusion=gate"]
            + ["--method.embeddings.networks", "pearson", "--method.positions.walks=3"]
            + ["--method.training.epochs=9"],
        ),
    ],
)
def test_an_old_record_has_the_settings_of_today(command, config, flags, capsys, tmp_path):
    kind = {"infer": InferCommand, "train": TrainCommand}[command]
    today = settings.parse(kind, [*flags, "--out", str(tmp_path)], program="grnjax")
    own = OWN if command == "infer" else {}
    record = {"command": command, "config": {"class": kind.__name__, **own, **config}, "inputs": {}}
    translated = translate_record(record, today)
    values = settings.to_json(today)
    assert translated == {**record, "config": {k: values[k] for k in translated["config"]}}
    assert values.keys() - translated["config"].keys() == {"out", "devices", "verbose"} & {*values}
    said = capsys.readouterr().err
    assert said == (
        f"grnjax {command}: {tmp_path} was begun by version 0.1.0, which the next version will not "
        "read.\n"
    )
    assert translate_record(translated, today) == translated and capsys.readouterr().err == ""


@pytest.mark.parametrize("method, repeats", [("pearson", 2), ("kernel-factor", 5)])
def test_repeats_that_a_method_does_not_read_are_those_of_today(method, repeats, tmp_path):
    words = [f"--method={method}", "--out", str(tmp_path)]
    today = settings.parse(InferCommand, words, program="grnjax")
    record = {"command": "infer", "config": {**settings.to_json(today), "repeats": 5}}
    assert translate_record(record, today)["config"]["repeats"] == repeats


@pytest.fixture
def begun(inferred, tmp_path):
    """The finished run of `inferred` as version 0.1.0 would have left it."""
    folder = tmp_path / "run"
    shutil.copytree(inferred, folder)
    forget_digests(folder)
    record = json.loads((folder / "record.json").read_text())
    config = record["config"]
    method = {**config.pop("method"), "class": "KernelFactorSettings"}
    config |= {"method": "auto", "kernel_factor": method, "members": config.pop("repeats")}
    config |= {"blocks": config.pop("evidence"), **OWN, **SCREGNET, "kernel_factor": method}
    del config["walk_on"], config["drop_held_out"]
    (folder / "record.json").write_text(json.dumps(record))
    for fit in (folder / "checkpoints").iterdir():
        fit.rename(fit.with_name(fit.name.replace("repeat", "member")))
    lines = (folder / "metrics.jsonl").read_text()
    (folder / "metrics.jsonl").write_text(lines.replace('"repeat', '"member'))
    return folder


@pytest.fixture
def resume(cli, small_set, begun):
    """The command of `inferred` in the flags of version 0.1.0, on the folder of that version."""
    flags = ["--members", 2, "--folds", 3, "--seed", 5]
    flags += ["--kernel-factor.training.steps=60", "--kernel-factor.kernels.episodes=4"]
    return lambda *more: cli("infer", *small_set.arguments, *flags, *more, "--out", begun)


def test_a_finished_run_of_the_old_version_is_found_finished(resume, begun):
    outcome = resume()
    assert outcome.status == 0, outcome.err
    old_flags, old_folder, finished = outcome.err.splitlines()
    assert "--members is now --repeats" in old_flags
    assert old_folder.startswith(f"grnjax infer: {begun} was begun by version 0.1.0")
    assert finished == (
        f"{begun}: this run has already finished by an earlier version, without digests to verify "
        "it by; nothing to do."
    )


@pytest.mark.slow
def test_an_unfinished_run_of_the_old_version_is_resumed(resume, begun, inferred):
    (begun / "run.json").unlink()
    shutil.rmtree(begun / "checkpoints" / "member1-fold2")
    outcome = resume()
    assert outcome.status == 0, outcome.err
    assert outcome.err.count("was begun by version 0.1.0") == 1
    assert "resuming an unfinished run" in outcome.err
    fits = [f"member{member}-fold{fold}" for fold in range(3) for member in range(2)]
    assert [name for name in fits if f"{name}: read back" in outcome.err] == fits[:-1]
    for name in ("edges.tsv", "rankedEdges.csv"):
        assert (begun / name).read_bytes() == (inferred / name).read_bytes()
    lines = [line["fit"] for line in read_json_lines(begun / "metrics.jsonl")]
    assert sorted(lines) == sorted(2 * fits)


def test_another_run_of_the_old_version_is_refused_by_what_differs(resume):
    outcome = resume("--seed", 6)
    assert outcome.status == 2
    assert "holds another run: 1 of its settings and inputs differ (config.seed" in outcome.err
