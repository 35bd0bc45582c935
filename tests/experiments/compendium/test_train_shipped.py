"""The shipped scorer is whole, and names no folder in which it was made."""

import shutil

import numpy as np

from experiments.compendium.train_shipped import TARGET, name_no_folder
from grnjax.storage.checkpoints import CheckpointStore


def test_a_step_without_the_folder_of_its_making_is_whole(tmp_path):
    state = {"w": np.arange(3.0)}
    CheckpointStore(tmp_path / "work" / "scorer").save(1, state, {"seed": 0})
    step = tmp_path / "scorer" / "1"
    shutil.copytree(tmp_path / "work" / "scorer" / "1", step)
    made_in = str(tmp_path).encode()
    assert any(made_in in path.read_bytes() for path in step.rglob("*") if path.is_file())
    name_no_folder(step)
    assert not any(made_in in path.read_bytes() for path in step.rglob("*") if path.is_file())
    found = CheckpointStore(tmp_path / "scorer").latest(state)
    assert found.meta == {"seed": 0}
    np.testing.assert_array_equal(found.state["w"], state["w"])


def test_the_shipped_scorer_is_as_the_script_leaves_it(tmp_path):
    """Done once more, nothing changes."""
    shutil.copytree(TARGET, tmp_path / TARGET.name)
    (step,) = (tmp_path / TARGET.name).iterdir()
    name_no_folder(step)
    for path in TARGET.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / path.relative_to(TARGET.parent)).read_bytes()
