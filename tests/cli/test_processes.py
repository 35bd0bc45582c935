"""One command started several times with coordinator flags is one run."""

import json
import signal
import socket
import subprocess
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax.data.h5ad_output import write_h5ad
from grnjax.storage.files import read_json_lines
from tests.devices import simulate_devices

COMMAND = "import sys; from grnjax.cli import main; sys.exit(main())"
SLOW_TO_WRITE = """
import functools, sys, time
import jax
from grnjax.cli import infer, main

join, write = jax.distributed.initialize, infer.write_network
jax.distributed.initialize = functools.partial(join, shutdown_timeout_seconds=4)


def write_slowly(*arguments):
    time.sleep(8)
    write(*arguments)


infer.write_network = write_slowly
sys.exit(main())
"""
CUT_OFF = """
import os, signal, sys
from grnjax.cli import main
from grnjax.evaluation.member_logits import MemberLogits

add, fits = MemberLogits.add, []


def add_or_end(*arguments):
    fits.append(add(*arguments))
    if len(fits) == 2:
        os.kill(os.getpid(), signal.SIGKILL)


MemberLogits.add = add_or_end
sys.exit(main())
"""
DEADLINE = 240  # seconds for any one process


def run_two(*arguments, program=COMMAND, devices=2):
    """Status, output and messages of two processes with some simulated devices each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    flags = ["--devices.coordinator", coordinator, "--devices.processes", "2"]
    command = [sys.executable, "-c", program, *map(str, arguments), *flags, "--devices.process"]
    processes = [
        subprocess.Popen(
            [*command, str(number)],
            env=simulate_devices(devices),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    try:
        said = [process.communicate(timeout=DEADLINE) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(p.returncode, out, err) for p, (out, err) in zip(processes, said, strict=True)]


def read_run(folder):
    """Log and rows of a run."""
    record = json.loads((folder / "run.json").read_text())
    return read_json_lines(folder / "metrics.jsonl"), pd.DataFrame(record["metrics"]["rows"])


@pytest.mark.slow
def test_two_processes_train_like_one_and_only_the_first_writes(genelink_folder, cli, tmp_path):
    command = ["train", genelink_folder(), "--method.training.epochs", 20]
    assert cli(*command, "--out", tmp_path / "one").status == 0
    first, second = run_two(*command, "--out", tmp_path / "two")
    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert "scRegNet minus" in first[1] and "scRegNet minus" not in second[1]
    waiting = "grnjax train: loading packages\n"  # where that takes four seconds
    assert "computing on 4 x cpu" in first[2] and second[2] in ("", waiting)
    (log, rows), (expected_log, expected_rows) = map(read_run, (tmp_path / "two", tmp_path / "one"))
    assert [line["epoch"] for line in log] == [10, 20]
    assert [line["loss"] for line in log] == pytest.approx(
        [line["loss"] for line in expected_log], rel=1e-5
    )
    pd.testing.assert_frame_equal(rows, expected_rows, rtol=1e-3)

    outcome = cli(*command, "--out", tmp_path / "two")  # the devices are no part of a run
    assert "this run has already finished; nothing to do." in outcome.err


def assert_same_network(folder, expected):
    """Edges of two runs differ by rounding at most."""
    tables = (
        pd.read_csv(one / "edges.tsv", sep="\t", index_col=["TF", "target"]).sort_index()
        for one in (folder, expected)
    )
    columns = ["importance", "probability", "spread"]
    pd.testing.assert_frame_equal(*(table[columns] for table in tables), rtol=1e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("devices", [2, 4])
def test_two_processes_infer_like_one_and_leave_when_the_first_has_written(
    devices, inferred, small_set, quick_factors, tmp_path
):
    """Writing takes longer here than the time that jax gives processes to leave together."""
    settings = ["--repeats", 2, "--folds", 3, *quick_factors, "--seed", 5]
    command = ["infer", *small_set.arguments, *settings, "--out", tmp_path / "two"]
    first, second = run_two(*command, program=SLOW_TO_WRITE, devices=devices)
    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert "New edges" in first[1] and "New edges" not in second[1] + second[2]
    assert f"computing on {2 * devices} x cpu" in first[2]
    assert_same_network(tmp_path / "two", inferred)
    assert {"edges.tsv", "rankedEdges.csv", "network.h5ad", "run.json"} < {
        path.name for path in (tmp_path / "two").iterdir()
    }


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
def test_a_run_that_eight_devices_began_is_ended_by_fewer(
    devices, inferred, small_set, quick_factors, tmp_path
):
    settings = ["--repeats", 2, "--folds", 3, *quick_factors, "--seed", 5]
    words = map(str, ["infer", *small_set.arguments, *settings, "--out", tmp_path / "run"])
    command = [sys.executable, "-c", CUT_OFF, *words]
    begun = subprocess.run(command, env=simulate_devices(8), capture_output=True, text=True)
    assert begun.returncode == -signal.SIGKILL, begun.stderr
    assert "computing on 8 x cpu" in begun.stderr
    command[2], environment = COMMAND, simulate_devices(devices)
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("read back") == 2
    assert_same_network(tmp_path / "run", inferred)


@pytest.mark.slow
def test_a_run_that_process_0_cannot_enter_ends_for_both(genelink_folder, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("something else")
    first, second = run_two("train", genelink_folder(), "--out", tmp_path / "run")
    assert (first[0], second[0]) == (2, 2)
    assert "is not a run of grnjax" in first[2]
    assert "process 0 failed; its message says why" in second[2]


@pytest.mark.slow
def test_two_processes_embed_as_one_and_another_number_finds_it_finished(
    parity_folder, cli, tmp_path
):
    known = json.loads((parity_folder("scgpt") / "vocab.json").read_bytes())
    names = [name for name in known if not name.startswith("<")][:30]
    counts = np.random.default_rng(5).poisson(1.0, (10, 30)).astype("f4")
    data = anndata.AnnData(sparse.csr_matrix(counts), var=pd.DataFrame(index=names))
    write_h5ad(data, tmp_path / "cells.h5ad")
    model = tmp_path / "model"
    assert cli("convert", "scgpt", parity_folder("scgpt"), "--out", model).status == 0
    command = ["embed", tmp_path / "cells.h5ad", "--model", model, "--chunk", 2]
    assert cli(*command, "--out", tmp_path / "one").status == 0
    first, second = run_two(*command, "--out", tmp_path / "two")
    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert "Written to" in first[1] and "Written to" not in second[1] and second[2] == ""
    chunks = {path.name for path in (tmp_path / "two" / "chunks").iterdir()}
    assert {"sums-000.npz", "sums-001.npz", "000004.npz"} < chunks
    one, two = (anndata.read_h5ad(tmp_path / x / "cells.h5ad") for x in ("one", "two"))
    np.testing.assert_allclose(two.obsm["X_scgpt"], one.obsm["X_scgpt"], atol=1e-5)
    np.testing.assert_allclose(two.varm["scgpt"], one.varm["scgpt"], atol=1e-5)
    assert "already finished" in cli(*command, "--out", tmp_path / "two").err


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--devices.processes", 2], "processes and process need a coordinator"),
        (["--devices.coordinator", "here:1"], "needs processes and process"),
        (["--devices.coordinator", "auto", "--devices.process", 0], "need a coordinator"),
        (["--devices.coordinator", "auto"], "the processes cannot find each other"),
        (["--devices.model", 0], "model must be at least 1, got 0"),
        (["--devices.model", 3], "1 devices cannot be assigned 3 to a table"),
        (
            ["--devices.model", 2, "--method.training.side-by-side", "True"],
            "--devices.model 2 splits the tables of a fit over devices, and",
        ),
    ],
)
def test_flags_that_cannot_be_meant_are_refused(flags, message, genelink_folder, cli, tmp_path):
    outcome = cli("train", genelink_folder(), *flags, "--out", tmp_path / "run")
    assert outcome.status == 2 and message in outcome.err
    assert not (tmp_path / "run").exists()
