"""Shared by tests of models: they are small, and compile quickly."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def compile_quickly(compile_quickly):
    """What these tests ask of a program holds at any optimisation, and they compile many."""
