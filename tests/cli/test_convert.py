"""`grnjax convert` end to end: what is printed and written, and one sentence for a mistake."""

import json
import shutil

import pytest

from grnjax.foundation.convert import read_about
from grnjax.foundation.reader import read_checkpoint


@pytest.fixture(scope="module")
def folder(parity_folder):
    return parity_folder("geneformer_v2")


@pytest.fixture(scope="module")
def converted(folder, cli, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "geneformer"
    outcome = cli("convert", "geneformer", folder / "pytorch_model.bin", "--out", out)
    assert outcome.status == 0, outcome.err
    return out, outcome


def test_it_says_what_was_read_and_whose_it_is(converted):
    out, outcome = converted
    about = read_about(out)
    assert f"geneformer: {about['parameters']:,} numbers in {out}" in outcome.out
    assert f"pytorch_model.bin  SHA-256 {about['source']['weights']['sha256'][:16]}" in outcome.out
    assert "tokens      not given: cells cannot be tokenised" in outcome.out
    assert f"Licence: {about['licence']}" in outcome.out and "Apache-2.0" in outcome.out
    ignored = sorted(about["ignored"])
    assert f"{len(ignored)} arrays not used: {', '.join(ignored[:5])}" in outcome.out
    assert "arrays not used, tied to the table of words: cls.predictions" in outcome.err
    assert json.loads((out / "run.json").read_bytes())["model"] == "geneformer"


def test_a_second_time_does_nothing(converted, folder, cli):
    out, _ = converted
    outcome = cli("convert", "geneformer", folder / "pytorch_model.bin", "--out", out)
    assert outcome.status == 0 and "already finished; nothing to do" in outcome.err
    assert "Licence: " in outcome.out


def test_it_goes_back(converted, folder, cli, tmp_path):
    words = ["convert", "geneformer", converted[0], "--to", "safetensors", "--out", tmp_path / "x"]
    outcome = cli(*words)
    assert outcome.status == 0, outcome.err
    assert "Licence: " in outcome.out and "model.safetensors" in outcome.out
    found, expected = (read_checkpoint(x / "model.safetensors") for x in (tmp_path / "x", folder))
    assert found.keys() == expected.keys()
    assert all((found[name] == expected[name]).all() for name in expected)
    assert "already finished" in cli(*words).err


def test_files_elsewhere_are_given_by_role(folder, parity_folder, cli, tmp_path):
    shutil.copyfile(folder / "model.safetensors", tmp_path / "renamed.safetensors")
    tokens = parity_folder("tokenizers") / "geneformer_v2" / "token_dictionary.pkl"
    words = ["convert", "geneformer", tmp_path / "renamed.safetensors", "--out", tmp_path / "out"]
    files = ["--files", f"config={folder / 'config.json'}", f"tokens={tokens}"]
    outcome = cli(*words, *files)
    assert outcome.status == 0, outcome.err
    assert read_about(tmp_path / "out")["source"]["tokens"]["name"] == "token_dictionary.pkl"


def test_a_mistake_is_one_sentence(folder, parity_folder, converted, cli, tmp_path):
    out, damaged = tmp_path / "out", parity_folder("damaged") / "bitflip_tensor.bin"
    for words, problem in (
        (["bert", folder], "there is no model bert"),
        (["geneformer", tmp_path / "nowhere"], "nowhere is not there"),
        (["geneformer", damaged], "bitflip_tensor.bin: damaged: the checksum of"),
        (["geneformer", folder, "--files", "tokens"], "--files tokens is not ROLE=PATH"),
        (["geneformer", folder, "--files", "x=y"], "geneformer has no file x"),
        (["geneformer", folder, "--part", "cell"], "there is no part cell"),
        (["geneformer", folder, "--to", "safetensors"], "no converted model"),
        (["scgpt", converted[0], "--to", "safetensors"], "is a geneformer, not a scgpt"),
        (["geneformer", converted[0], "--to", "onnx"], "onnx"),
        (["geneformer", converted[0], "--to", "safetensors", "--part", "x"], "drop --files"),
    ):
        files = ["--files", f"config={folder / 'config.json'}"] if words[1] == damaged else []
        outcome = cli("convert", *words, *files, "--out", out)
        assert outcome.status == 2, words
        assert problem in outcome.err and outcome.err.count("\n") == 1, outcome.err
        assert not out.exists()
    assert cli("convert", "geneformer", folder).status == 2  # without --out


def test_the_help_names_the_settings(cli):
    outcome = cli("convert", "--help")
    assert outcome.status == 0
    assert all(flag in outcome.out for flag in ("--files", "--part", "--to", "--out"))
    assert "convert" in cli("--help").out
