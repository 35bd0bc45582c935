"""Objectives of drawn cells: a step an epoch, as many as are asked for, and the last one's state.

For models of one matrix of cells that see no label, so that no epoch is better than the last.
"""

import jax
from jaxtyping import Array, Int

from grnjax.training.objective import Objective, Schedule


class DrawnCellsObjective(Objective):
    """An objective whose settings have `epochs`, the steps, and `batch_size`, the cells of one."""

    @property
    def schedule(self) -> Schedule:
        """That of the settings; the last step is chosen."""
        steps = self.config.epochs  # type: ignore[attr-defined]  # of the settings that it is for
        return Schedule.of(self.config, patience=steps, first_choice=steps)

    def divide(self, data, key, epoch):
        """One step an epoch."""
        return None

    def draw_cells(self, key: jax.Array, cells: int) -> tuple[Int[Array, " cell"], jax.Array]:
        """The cells of a step, each once, and a key for what else it draws."""
        which, key = jax.random.split(jax.random.fold_in(key, 1))
        size = min(self.config.batch_size, cells)  # type: ignore[attr-defined]  # likewise
        return jax.random.choice(which, cells, (size,), replace=False), key
