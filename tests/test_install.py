"""What an installation brings: few packages, and a word on what is missing for which feature."""

import configparser
import re
import sys
from pathlib import Path

from grnjax.cli.features import FEATURES, describe_features

ROOT = Path(__file__).parents[1]
MOST_PACKAGES = 21


def read_setup() -> configparser.ConfigParser:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return setup


def test_core_packages_are_few():
    wanted = read_setup()["options"]["install_requires"].split()
    names = {re.split(r"[<>=\[]", one)[0] for one in wanted if one[0].isalpha()}
    assert len(names) <= MOST_PACKAGES, "a further package goes into an extra"
    assert names >= {"jax", "flax", "anndata"} and not names & {"torch", "matplotlib", "scanpy"}


def test_extras_that_doctor_names_are_there():
    extras = read_setup()["options.extras_require"]
    for feature in FEATURES:
        found = re.fullmatch(r"'grnjax\[(\w+)\]'", feature.install)
        if found:
            assert all(name in extras[found[1]] for name in feature.modules), feature


def test_what_is_missing_is_told_with_the_command_that_brings_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    lines = describe_features()
    assert any(x.startswith("pictures") and x.endswith("pip install 'grnjax[plot]'") for x in lines)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: sys.modules["re"].__spec__)
    assert all(line.endswith("ready") for line in describe_features())
