"""Shared by the comparisons with reference implementations."""

import jax
import pytest


@pytest.fixture(scope="module", autouse=True)
def full_precision():
    """Products in float32 on accelerators too."""
    with jax.default_matmul_precision("highest"):
        yield
