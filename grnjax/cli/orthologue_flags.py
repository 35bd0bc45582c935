"""Flags of commands whose cells may be of another species than the model."""

import dataclasses
from pathlib import Path

from grnjax.config import Settings
from grnjax.data.orthologues import read_orthologues


@dataclasses.dataclass(frozen=True, kw_only=True)
class OrthologueFlags(Settings):
    """The table that carries genes over, and its columns."""

    orthologues: Path | None = None
    """Table of orthologues, with a column for each species, where the model is of another one."""
    species: tuple[str, str] = ("mouse", "human")
    """Headings of that table: species of the cells, then of the model."""

    def read_orthologues(self) -> dict[str, str] | None:
        """Gene of the cells' species -> gene of the model's; None without a table."""
        if self.orthologues is None:
            return None
        source, target = self.species
        return read_orthologues(self.orthologues, source=source, target=target)
