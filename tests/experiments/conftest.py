"""Shared by tests of experiments: what they fit is small, and compiles quickly."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def compile_quickly(compile_quickly):
    """What these tests ask of a program holds at any optimisation, and they compile many."""


@pytest.fixture(scope="module", autouse=True)
def judge_quickly(trivial_rows_once):
    """Most of these tests judge the same pairs."""
