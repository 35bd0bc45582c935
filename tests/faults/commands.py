"""Short runs of every command that leaves a run folder, to be damaged, killed and resumed."""

import contextlib
import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

RESULTS = ("edges.tsv", "rankedEdges.csv", "network.h5ad", "evaluation.json")
UNLIKE = ("seconds", "outputs", "digest")  # of run.json, from run to run
SIZE = {"genes": 40, "tfs": 6, "master-regulators": 3, "cells": 60, "tfs-per-programme": 3}
EMBEDDED = [f"--embedded.simulator.{name}={value}" for name, value in SIZE.items()]
FITS = ["--repeats=1", "--folds=2"]
SCREGNET = ["--method.training.epochs=20", "--method.training.checkpoint-seconds=0"]
CLOSED = ["--method=tests.faults.closed_form:ClosedForm"]
FACTORS = ["--method=kernel-factor", "--method.training.steps=30", "--method.kernels.episodes=2"]


@dataclasses.dataclass(frozen=True)
class Command:
    """The words of a command on inputs in a folder, and where others are to be different."""

    words: Callable[[Path], list]
    reseed: Callable[[list], list] = lambda words: [*words, "--seed=1"]


def infer(*words) -> Command:
    return Command(lambda _: ["infer", *EMBEDDED, *FITS, *words])


def on_set(*words) -> Command:
    return Command(
        lambda inputs: ["train", inputs / "set", "--split.draws=0", "--bootstrap=0", *words],
        lambda words: [*words, "--seeds=1"],
    )


def transfer(inputs: Path) -> list:
    words = ["transfer", inputs / "set", inputs / "other", "--split.draws=0", "--bootstrap=0"]
    return [*words, *SCREGNET]


COMMANDS = {
    "infer pearson": Command(
        lambda inputs: [
            "infer", inputs / "expression.csv", "--tfs", inputs / "tfs.txt", "--method=pearson"
        ],
    ),
    "infer genie3": Command(
        lambda inputs: [
            "infer", inputs / "expression.csv", "--tfs", inputs / "tfs.txt", "--method=genie3",
            "--method.trees=10",
        ],
    ),
    "infer closed form": infer(*CLOSED),
    "train closed form": on_set(*CLOSED),
    "infer kernel-factor": infer(*FACTORS),
    "infer scRegNet": infer("--method=scRegNet", *SCREGNET),
    "train scRegNet": on_set("--method=scRegNet", *SCREGNET),
    "train kernel-factor": on_set(*FACTORS),
    "transfer scRegNet": Command(transfer, lambda words: [*words, "--seeds=1"]),
    "evaluate": Command(
        lambda inputs: ["evaluate", inputs / "network.tsv", "--truth", inputs / "truth.csv"],
        lambda words: words,
    ),
}  # fmt: skip


def write_inputs(folder: Path) -> None:
    """A simulated set as files, and two sets of GENELink's kind that share most genes."""
    from grnjax.data.simulator import EmbeddedConfig, SimulatorConfig

    sizes = {name.replace("-", "_"): value for name, value in SIZE.items()}
    data, _ = EmbeddedConfig(simulator=SimulatorConfig(**sizes)).make()
    folder.mkdir(parents=True, exist_ok=True)
    cells = [f"cell{i}" for i in range(len(data.counts))]

    def write(path: Path, counts: np.ndarray, genes: list) -> None:
        path.parent.mkdir(exist_ok=True)
        rows = [f"{gene},{','.join(map(str, row))}" for gene, row in zip(genes, counts.T)]
        path.write_text("\n".join([f",{','.join(cells)}", *rows]) + "\n")

    genes = list(data.genes)
    write(folder / "expression.csv", data.counts, genes)
    (folder / "tfs.txt").write_text("\n".join(data.tfs) + "\n")
    edges = data.edges[["tf", "target"]]
    for name, most in (("set", len(genes)), ("other", len(genes) - 5)):
        write(folder / name / "ExpressionData.csv", data.counts[:, :most], genes[:most])
        inside = edges[edges.isin(genes[:most]).all(axis=1)]
        inside.set_axis(["Gene1", "Gene2"], axis=1).to_csv(
            folder / name / "refNetwork.csv", index=False
        )
    edges.to_csv(folder / "truth.csv", index=False)
    ranked = [f"{tf}\t{target}\t{i}" for i, (tf, target) in enumerate(edges.to_numpy())]
    (folder / "network.tsv").write_text("\n".join(["TF\ttarget\timportance", *ranked]) + "\n")


def run(words: list) -> tuple[int, str]:
    """Status and standard error of a command in this process."""
    from grnjax.cli import main

    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        status = main([str(word) for word in words])
    return status, err.getvalue()


def read_results(folder: Path) -> dict:
    """All that a finished run is for: the bytes of its outputs, and run.json but for its times."""
    found = {name: (folder / name).read_bytes() for name in RESULTS if (folder / name).is_file()}
    log = folder / "metrics.jsonl"
    if log.exists():
        found["log"] = sorted(log.read_bytes().splitlines())
    if (folder / "run.json").exists():
        result = json.loads((folder / "run.json").read_bytes())
        found["run.json"] = {key: value for key, value in result.items() if key not in UNLIKE}
    return found
