"""Shared by tests of graphs: what they compile is small, and compiles quickly."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def compile_quickly(compile_quickly):
    """What these tests ask of a program holds at any optimisation, and they compile many."""
