"""Completion scripts name every command and its flags, and shells take them."""

import shutil
import subprocess

import pytest

from grnjax.cli import COMMANDS


@pytest.fixture(scope="module")
def scripts(cli):
    return {shell: cli("completion", shell).out for shell in ("bash", "zsh", "fish")}


def test_each_script_names_commands_and_flags(scripts):
    for script in scripts.values():
        assert all(name in script for name in COMMANDS)
        assert "min-targets" in script and "key-added" not in script
    assert "--network" in scripts["bash"] and "--method" in scripts["bash"]


def test_an_unknown_shell_is_refused(cli):
    outcome = cli("completion", "tcsh")
    assert outcome.status == 2 and "bash" in outcome.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_reads_its_script(scripts, shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "grnjax").write_text(scripts[shell])
    subprocess.run([shell, "-n", tmp_path / "grnjax"], check=True)


def test_bash_completes_a_command_and_a_flag(scripts, tmp_path):
    (tmp_path / "grnjax").write_text(scripts["bash"])
    for words, expected in (("grnjax reg", "regulons"), ("grnjax regulons --min", "--min-targets")):
        count = len(words.split()) - 1
        said = f'COMP_WORDS=({words}); COMP_CWORD={count}; _grnjax; echo "${{COMPREPLY[@]}}"'
        code = f". {tmp_path}/grnjax; {said}"
        done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.split() == [expected]
