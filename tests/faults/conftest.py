"""What is said counts in these tests, notes too."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def compile_quickly(compile_quickly):
    """What these tests ask of a program holds at any optimisation, and they compile many."""


@pytest.fixture(autouse=True)
def _notes_are_kept(caplog):
    caplog.set_level("INFO", "grnjax")
