import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from grnjax.errors import ConfigError, GrnjaxError
from grnjax.storage import files


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "edges.tsv"
    files.write_atomic(path, "old")
    with pytest.raises(OSError, match="disk full"), files.replace_whole(path) as beside:
        beside.write_text("half of the n")
        raise OSError("disk full")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["edges.tsv"]


def test_what_a_killed_write_left_is_removed_by_the_next_and_that_of_a_live_one_is_not(tmp_path):
    """Also of a file whose name ends like that of another."""
    path, other = tmp_path / "lists.npz", tmp_path / "own-lists.npz"
    code = (
        "import os, sys; from grnjax.storage.files import replace_whole\n"
        "with replace_whole(sys.argv[1]) as beside:\n"
        "    beside.write_text('half'); print(flush=True); sys.stdin.read(1); os._exit(137)"
    )
    command, pipe = [sys.executable, "-c", code], subprocess.PIPE
    writers = [
        subprocess.Popen([*command, str(x)], stdin=pipe, stdout=pipe) for x in (path, other, path)
    ]
    for writer in writers:
        writer.stdout.readline()
    for writer in writers[:2]:
        writer.communicate(b"x")
    files.write_atomic(path, "whole")
    left = {name for name in os.listdir(tmp_path) if name.startswith(files.PARTIAL)}
    assert [name.endswith(other.name) for name in sorted(left)].count(True) == 1 and len(left) == 2
    writers[2].communicate(b"x")
    for file in (path, other):
        files.write_atomic(file, "whole")
    assert sorted(os.listdir(tmp_path)) == [path.name, other.name]


def test_a_write_replaces_text_and_bytes(tmp_path):
    path = tmp_path / "a"
    files.write_atomic(path, "é\n")
    assert path.read_bytes() == b"\xc3\xa9\n"
    files.write_atomic(path, b"\x00\x01")
    assert path.read_bytes() == b"\x00\x01"


def test_relative_paths_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files.write_json("run.json", {"a": 1})
    assert json.loads(Path("run.json").read_text()) == {"a": 1}


def test_json_holds_numpy_and_no_nan(tmp_path):
    path = tmp_path / "run.json"
    values = {
        "b": np.float32(0.5),
        "a": np.array([[1, 2]]),
        "nan": [float("nan"), np.float64("inf"), np.array([np.nan])],
        3: (np.bool_(True), Path("x/y")),
    }
    files.write_json(path, values)
    text = path.read_text()
    assert text.endswith("}\n") and text.index('"a"') < text.index('"b"')
    assert json.loads(text) == {
        "b": 0.5,
        "a": [[1, 2]],
        "nan": [None, None, [None]],
        "3": [True, "x/y"],
    }


def test_the_digest_of_a_file_is_its_sha256(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.digest_file(path) == known


def test_a_log_survives_a_cut_at_every_byte(tmp_path):
    path = tmp_path / "metrics.jsonl"
    records = [{"step": step, "loss": step / 7} for step in range(3)]
    with files.JsonLines(path) as log:
        for record in records:
            log.append(record)
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        kept = records[: whole[:length].count(b"\n")]
        assert files.read_json_lines(path) == kept
        with files.JsonLines(path) as log:
            log.append({"step": 99})
        assert files.read_json_lines(path) == [*kept, {"step": 99}]


def test_a_missing_log_is_empty_and_a_damaged_one_an_error_with_its_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert files.read_json_lines(path) == []
    path.write_text('{"a": 1}\n{"a": \n{"a": 3}\n')
    with pytest.raises(GrnjaxError, match="metrics.jsonl, line 2, is not JSON"):
        files.read_json_lines(path)


RECORD = {"config": {"data.scaled": False, "seed": 0}, "inputs": {"expression": "ab12"}}


def test_the_same_run_is_resumed_and_another_refused_by_its_differences(tmp_path):
    folder = tmp_path / "deep" / "run"
    assert files.open_run(folder, RECORD) is False
    assert files.open_run(folder, RECORD) is True
    before = (folder / files.RECORD).read_bytes()
    other = {"config": {"data.scaled": True, "seed": 0}, "inputs": {"expression": "cd34"}}
    with pytest.raises(ConfigError) as error:
        files.open_run(folder, other)
    assert "2 of its settings and inputs differ" in str(error.value)
    assert "config.data.scaled was False and is now True" in str(error.value)
    assert "inputs.expression was 'ab12' and is now 'cd34'" in str(error.value)
    assert "--out" in str(error.value) and "seed" not in str(error.value)
    assert (folder / files.RECORD).read_bytes() == before


def record(folder):
    files.open_run(folder, RECORD)


def enter(folder):
    with files.lock_run(folder):
        pass


def test_a_run_of_an_earlier_version_is_called_so(tmp_path):
    """Its settings are the same, but for those that it did not have."""
    before = {"command": "infer", "config": {"class": "A", "seed": 1}, "inputs": {"x": 1}}
    now = {**before, "config": {"class": "A", "seed": 1, "lists": {"class": "B", "use": "auto"}}}
    files.open_run(tmp_path, before)
    with pytest.raises(
        ConfigError, match=r"an earlier version of grnjax.*but for 1 .*\(lists.use\)"
    ):
        files.open_run(tmp_path, now)
    now["config"]["seed"] = 2
    with pytest.raises(ConfigError, match="holds another run"):
        files.open_run(tmp_path, now)


@pytest.mark.parametrize("use", [record, enter])
def test_a_folder_of_someone_else_is_refused_and_untouched(tmp_path, use):
    (tmp_path / "thesis.tex").write_text("chapter 1")
    with pytest.raises(ConfigError, match="1 entries.*not a run of grnjax"):
        use(tmp_path)
    assert os.listdir(tmp_path) == ["thesis.tex"]
    with pytest.raises(ConfigError, match="is a file"):
        use(tmp_path / "thesis.tex")


def test_what_a_kill_left_does_not_make_a_folder_foreign(tmp_path):
    (tmp_path / files.LOCK).touch()
    leftover = tmp_path / f"{files.PARTIAL}17-{files.RECORD}"
    leftover.write_text('{"config": {"da')
    with files.lock_run(tmp_path):
        assert files.open_run(tmp_path, RECORD) is False
        assert not leftover.exists()


def test_a_second_process_is_kept_out_until_the_first_ends(tmp_path):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from grnjax.storage.files import lock_run\n"
            "with lock_run(sys.argv[1]): print('held', flush=True); time.sleep(60)",
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match=f"in use by process {holder.pid}"):
            enter(tmp_path)
    finally:
        holder.kill()
        holder.communicate()
    enter(tmp_path)


def test_neither_jax_nor_orbax_is_imported_for_files():
    code = (
        "import sys, grnjax.config, grnjax.storage.files\n"
        "print({'jax', 'orbax', 'numpy', 'pandas'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "set()\n", result.stderr
