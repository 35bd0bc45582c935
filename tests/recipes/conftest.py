"""Recipes of CONTRIBUTING.md, each written as it stands there to one file outside of grnjax."""

import importlib
import re
import sys
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()
FILES = dict(re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module", autouse=True)
def optimise_little(optimise_little):
    """What these tests ask of a program holds at any optimisation, and they compile many."""


@pytest.fixture(scope="module", autouse=True)
def judge_quickly(trivial_rows_once):
    """Most of these tests judge the same pairs."""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, request):
    """The module of the recipe that the test file is about: test_new_X.py, my_X.py."""
    name = re.sub(r"test_new_(\w+)", r"my_\1", request.path.stem)
    folder = tmp_path_factory.mktemp("recipe")
    (folder / f"{name}.py").write_text(FILES[name])
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    yield importlib.import_module(name)
    sys.path.remove(str(folder))
    del sys.modules[name]


@pytest.fixture
def shown():
    """Words of a command that CONTRIBUTING.md shows, for a test to use as they stand there."""

    def check(words: str) -> str:
        assert words in TEXT
        return words

    return check
