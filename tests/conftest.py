"""Where the reference outputs of other programs lie."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def parity_folder() -> Callable[[str], Path]:
    """Finds a folder of parity fixtures by name: that of $GRNJAX_DATA, else the golden copy."""

    def find(name: str) -> Path:
        data = os.environ.get("GRNJAX_DATA")
        folders = [Path(data) / "parity" / name] if data else []
        folders.append(GOLDEN / name)
        for folder in folders:
            if folder.is_dir():
                return folder
        pytest.skip(f"no parity fixtures at {' or '.join(map(str, folders))}")

    return find
