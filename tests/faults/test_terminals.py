"""What is printed in every locale, and names that would write on the terminal."""

import logging
import os
import subprocess
import sys

import pytest

from grnjax.data.names import check_genes, list_names
from grnjax.errors import EdgeFormatError, GrnjaxError
from tests.faults.hostile import write_counts, write_tfs
from tests.faults.watched import ROOT

COMMAND = "import sys; from grnjax.cli import main; sys.exit(main(sys.argv[1:]))"
LOCALES = (
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "C.UTF-8"},
)


@pytest.mark.slow
@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_results_and_refusals_are_printed_in_every_locale(locale, tmp_path):
    def run(*words):
        environment = {**os.environ, **locale, "PYTHONPATH": str(ROOT)}
        words = [sys.executable, "-c", COMMAND, *map(str, words)]
        return subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True)

    counts, tfs, out = write_counts(tmp_path, 40), write_tfs(tmp_path), tmp_path / "r\u00e9sultat"
    words = ["infer", counts, "--tfs", tfs, "--method", "pearson", "--network"]
    words += [tmp_path / "known.tsv", "--folds", 2, "--out"]
    edges = [f"GENE{tf}\tGENE{target}" for tf in range(3) for target in range(3 + tf, 23 + tf)]
    (tmp_path / "known.tsv").write_text("TF\ttarget\n" + "\n".join(edges))
    done = run(*words, out)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    assert "\u00b1".encode() in done.stdout or b"\\xb1" in done.stdout
    refused = run("infer", tmp_path / "\u00e9\u4e2d.csv", "--tfs", tfs, "--method", "pearson")
    assert refused.returncode == 2 and b"Traceback" not in refused.stderr
    lines = [line for line in refused.stderr.splitlines() if b"loading packages" not in line]
    assert len(lines) == 1


def test_messages_and_logs_write_nothing_on_the_terminal(cli, tmp_path, capsys):
    message = str(GrnjaxError("of \x1b[31mred\x07\nand \u202e" + "x" * 5000))
    assert message.startswith(r"of \x1b[31mred\x07 and \u202exxx") and len(message) < 500
    assert (
        list_names(["\x1b]0;pwn\x07", "", "y" * 900])
        == rf"\x1b]0;pwn\x07, (unnamed), {'y' * 60}..."
    )
    path = tmp_path / "known\x1b[31m.tsv"
    path.write_text("TF\ttarget\nA\tB\nA\tA\nC\tB\n")
    outcome = cli("data", "convert", path, tmp_path / "out.tsv")
    assert outcome.status == 0 and "\x1b" not in outcome.err
    logging.getLogger("grnjax").handlers.clear()


@pytest.mark.parametrize("name", ["", " ", "A\x00", "A\nB", "A\x1b[0m", "A\u202e", "A\x85"])
def test_genes_without_a_printable_name_are_refused(name):
    with pytest.raises(
        EdgeFormatError, match="known.tsv: 1 of 2 gene names are blank or hold"
    ) as said:
        check_genes(["B", name], "known.tsv", EdgeFormatError)
    assert str(said.value).isprintable()
    check_genes(["B", "HLA-A", "\u03b2-catenin"], "known.tsv", EdgeFormatError)
