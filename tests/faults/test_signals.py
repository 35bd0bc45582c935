"""A run that is told to stop says so in one line at once, and resumes as if nothing had been."""

import signal
import subprocess
import sys
import time
import types

import pytest

import grnjax.cli as cli_of_grnjax
from tests.faults import signals


@pytest.mark.slow
@pytest.mark.parametrize("command, seed", [("infer pearson", 3), ("task", 50)])
def test_signals_at_random_moments_are_answered_and_change_nothing(command, seed, tmp_path):
    met, wrong = signals.try_signals(command, tmp_path, 4, seed=seed)
    assert met >= 2 and wrong == []


@pytest.mark.parametrize("number", [*signals.STATUS])
def test_a_signal_during_the_imports_is_answered(number, tmp_path):
    words = ["infer", "--method=kernel-factor", "--out", tmp_path / "run"]
    assert signals.find_fault(words, number, 0.2) is None
    assert not (tmp_path / "run").exists()


STUCK = """
import os, re, sys
sys.argv = ["grnjax", "infer"]
from grnjax.cli.stopping import answer_signals
from grnjax.storage.files import replace_whole
answer_signals("grnjax infer")
with replace_whole(sys.orig_argv[-1]) as partial:
    partial.write_text("half")
    print("ready", flush=True)
    quiet = [(os.POSIX_SPAWN_CLOSE, 1), (os.POSIX_SPAWN_CLOSE, 2)]
    child = os.posix_spawn("/bin/sleep", ["sleep", "20"], {}, file_actions=quiet)
    os.waitid(os.P_PID, child, os.WEXITED)
"""


def test_a_signal_is_answered_while_other_code_runs_and_half_a_file_is_removed(tmp_path):
    command = [sys.executable, "-c", STUCK, str(tmp_path / "edges.tsv")]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
    assert process.stdout.readline() == "ready\n"
    assert len([*tmp_path.iterdir()]) == 1
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(10)
    assert process.returncode == 143 and time.monotonic() - begun < 5
    assert process.stderr.read().count("\n") == 1
    assert [*tmp_path.iterdir()] == []


def test_a_signal_that_is_ignored_stays_so_and_a_fork_ends_as_any_other(tmp_path):
    code = """
import os, signal, time
signal.signal(signal.SIGHUP, signal.SIG_IGN)
from grnjax.cli.stopping import answer_signals
answer_signals("grnjax")
os.kill(os.getpid(), signal.SIGHUP)
child = os.fork()
if not child:
    time.sleep(20)
    os._exit(1)
os.kill(child, signal.SIGTERM)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
time.sleep(0.2)
print("alive")
"""
    quietly = [
        sys.executable,
        "-W",
        "ignore::DeprecationWarning",
        "-c",
        code,
    ]  # of fork and threads
    done = subprocess.run(quietly, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("alive\n", "", 0)


@pytest.mark.slow
def test_the_processes_that_share_the_work_end_with_the_command():
    code = """
from grnjax.cli.stopping import answer_signals
answer_signals("grnjax infer")
import time
from joblib import Parallel, delayed
done = Parallel(n_jobs=2, return_as="generator")(delayed(time.sleep)(x) for x in (0, 0, 90, 90))
next(done)
print("ready", flush=True)
next(done), next(done)
"""
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=45)  # ends when nobody can write to the pipe any more
    assert process.returncode == 143 and err.startswith("grnjax infer: stopped by SIGTERM")


def test_a_signal_after_the_work_is_done_changes_no_status():
    code = """
import atexit, os, signal, time
def tear_down():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.2)
atexit.register(tear_down)
from grnjax.cli.stopping import answer_signals
answer_signals("grnjax")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_imports_that_take_long_are_told(monkeypatch, capsys):
    monkeypatch.setattr(cli_of_grnjax, "SLOW_START", 0.05)
    monkeypatch.setattr(cli_of_grnjax, "answer_signals", lambda program: None)
    slow = types.SimpleNamespace(run=lambda words: None)
    monkeypatch.setattr(cli_of_grnjax, "load_command", lambda name: time.sleep(0.5) or slow)
    monkeypatch.setattr(sys, "argv", ["grnjax", "infer"])
    assert cli_of_grnjax.main() == 0
    assert capsys.readouterr().err == "grnjax infer: loading packages\n"


def test_a_command_that_is_called_leaves_the_signals_of_the_process_alone(cli):
    before = [signal.getsignal(number) for number in signals.STATUS]
    assert cli("data", "list").status == 0
    assert [signal.getsignal(number) for number in signals.STATUS] == before
