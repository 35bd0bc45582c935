"""`grnjax plot`: a run folder and a kind give a picture file."""

import pytest

pytest.importorskip("matplotlib", reason="the extra plot is not installed")


@pytest.mark.slow
def test_a_bare_run_lists_the_kinds_and_what_they_lack(inferred, cli):
    outcome = cli("plot", inferred)
    assert outcome.status == 0, outcome.err
    lines = outcome.out.splitlines()
    kinds = [line.split()[0] for line in lines[2:] if not line.startswith(" " * 4)]
    assert kinds[:3] == ["regulators", "network", "scores"] and len(kinds) >= 8
    [after] = [lines[i + 1] for i, line in enumerate(lines) if line.startswith("  contributions")]
    assert "not here" in after and "--explain" in after


def test_a_picture_is_written_with_the_settings_of_its_kind(inferred, cli, small_set, tmp_path):
    out = tmp_path / "network.svg"
    words = ("--top", 5, f"--tf={small_set.tfs[0]}", "--out", out)
    outcome = cli("plot", inferred, "network", *words)
    assert (outcome.status, outcome.out) == (0, f"Written to {out}\n"), outcome.err
    assert f"The best targets of {small_set.tfs[0]}" in out.read_text()


def test_help_of_a_kind_names_the_run_and_the_kind_once(inferred, cli):
    outcome = cli("plot", inferred, "network", "--help")
    assert outcome.out.startswith("usage: grnjax plot RUN network [settings]\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pie",), "there is no picture 'pie'; choose one of regulators"),
        (("network", "--topp", "3"), "--topp"),
        (("network", "--tf", "NOBODY"), "No edge starts at NOBODY"),
        (("network", "--out", "a.gif"), "end the name so"),
        (("network", "--group", "B"), "no groups"),
        (("--out", "a.png"), "name one to write --out"),
    ],
)
def test_mistakes_are_told_in_one_sentence(inferred, cli, words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = cli("plot", inferred, *words)
    assert outcome.status == 2 and said in outcome.err, outcome.err
    assert not list(tmp_path.iterdir())
