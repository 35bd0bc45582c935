"""What is said counts in these tests, notes too."""

import pytest


@pytest.fixture(autouse=True)
def _notes_are_kept(caplog):
    caplog.set_level("INFO", "grnjax")
