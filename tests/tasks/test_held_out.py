"""Every cell is in one part, by the seed alone."""

import numpy as np
import pytest

from grnjax.errors import ConfigError
from grnjax.tasks.held_out import hold_out_cells


def test_parts_share_no_cell_and_follow_the_seed():
    parts = hold_out_cells(40, 0.2, 0.1, seed=3)
    assert [len(part) for part in parts] == [8, 4, 28]
    assert sorted(np.concatenate(parts)) == list(range(40))
    again, other = (hold_out_cells(40, 0.2, 0.1, seed=seed) for seed in (3, 4))
    assert np.array_equal(parts.test, again.test) and not np.array_equal(parts.test, other.test)


def test_a_part_without_cells_is_refused():
    with pytest.raises(ConfigError, match="4 cells are too few to hold out 20% to judge and 5%"):
        hold_out_cells(4, 0.2, 0.05, seed=0)
