"""All sources together: networks by species, cell type and TF, placed over the genes of a run."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from grnjax.data.compendium.aliases import name_cell_type, name_cell_types
from grnjax.data.compendium.lists import TargetLists, join_lists, place_bits
from grnjax.data.compendium.source import Kind, ListSource
from grnjax.data.names import list_names, match_names
from grnjax.errors import GeneMismatchError
from grnjax.progress import logger
from grnjax.storage.files import digest_json


@dataclasses.dataclass(frozen=True, eq=False)
class Compendium:
    """Sources of lists, and the one-to-one orthologues that carry them to another species."""

    sources: tuple[ListSource, ...]
    orthologues: dict[str, str]  # human gene -> mouse gene, in any case

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the digests of all sources, whatever their order."""
        return digest_json(sorted(source.digest for source in self.sources))

    @functools.cached_property
    def cells(self) -> list[str]:
        """Every cell type, by the names that they have here."""
        return sorted({cell for source in self.sources for cell in source.lists.cells.tolist()})

    def without(self, *cells: str) -> "Compendium":
        """The compendium without these cell types: every source of them, under every name.

        What is left has a digest of its own. A cell type of which there is nothing is said.
        """
        names = {name_cell_type(cell): cell for cell in cells}
        absent = [given for name, given in names.items() if name not in self.cells]
        if absent:
            known = [cell for cell in self.cells if any(cell[:3] == name[:3] for name in names)]
            logger.warning(
                f"compendium: nothing is of {list_names(absent)}, so nothing is left out for it; "
                f"cell types with alike names: {list_names(known) or 'none'}"
            )
        kept = []
        for source in self.sources:
            is_kept = ~np.isin(name_cell_types(source.cells), [*names])
            kept.append(take_lists(source, is_kept))
        return dataclasses.replace(self, sources=tuple(x for x in kept if len(x.tfs)))

    def over(
        self,
        genes: Sequence[str] | np.ndarray,
        *,
        species: str,
        kinds: Sequence[Kind] = ("binding",),
        carry: bool = True,
    ) -> TargetLists:
        """The lists over the genes of a run, in its order, those of other species marked.

        Args:
            genes: symbols.
            species: of the run.
            kinds: what counts as a list.
            carry: whether lists of the other species count, over one-to-one orthologues.

        Raises:
            GeneMismatchError: no source has any of the genes.
        """
        names, parts = list(map(str, genes)), []
        for source in self.sources:
            if source.about.kind not in kinds:
                continue
            if source.about.species != species:
                if not carry:
                    continue
                source = source.carry(self._translate(source.about.species), species)
            parts.append(place_source(source, names))
        parts = [part for part in parts if len(part)]
        if not parts:
            raise GeneMismatchError(
                f"compendium: none of its {len(self.sources):,} sources has lists of {species} "
                f"({', '.join(kinds)}) with any of the {len(names):,} genes "
                f"({list_names(names)}); genes need the symbols of that species."
            )
        return join_lists(parts)

    def list_universe(self, species: str) -> np.ndarray:
        """The genes of a species by what tells them without a look at lists: [gene], sorted.

        Genes with an orthologue, and those that sources say were looked at. The genes that lists
        name will not do: one that no other cell's list names would be there because a list of the
        very cells that are left out does, and a scorer learns that at once.
        """
        known = {gene.upper() for gene in self._translate(species)}
        for source in self.sources:
            if source.about.species == species and source.about.universe == "told":
                known |= {gene.upper() for gene in source.genes.tolist()}
        return np.array(sorted(known), dtype=str)

    def tabulate(self) -> pd.DataFrame:
        """A row a list: source, kind, species, cell, tf, targets, universe (its genes), licence."""
        tables = []
        for source in self.sources:
            lists, about = source.lists, source.about
            table = pd.DataFrame({"cell": lists.cells, "tf": lists.tfs, "targets": lists.counts})
            for name in ("licence", "species", "kind"):
                table.insert(0, name, getattr(about, name))
            table.insert(0, "source", about.name)
            tables.append(table.assign(universe=len(source.genes)))
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

    def _translate(self, species: str) -> dict[str, str]:
        """Orthologues of the genes of this species in the other one."""
        if species == "human":
            return self.orthologues
        if species == "mouse":
            return {mouse: human for human, mouse in self.orthologues.items()}
        return {}


def take_lists(source: ListSource, chosen: np.ndarray) -> ListSource:
    """Some of the lists of a source, and of a universe that is not told what they name."""
    if chosen.all():
        return source
    taken = dataclasses.replace(
        source, tfs=source.tfs[chosen], cells=source.cells[chosen], bits=source.bits[chosen]
    )
    if source.about.universe == "told" or not chosen.any():
        return taken
    named = np.flatnonzero(taken.lists.covered[0])
    return dataclasses.replace(taken, genes=source.genes[named], bits=place_bits(taken.bits, named))


def place_source(source: ListSource, names: list[str]) -> TargetLists:
    """The lists of a source over the genes of a run; those that have none of them are left out."""
    lists = source.lists
    places = match_names(names, source.genes.tolist()).positions
    placed = dataclasses.replace(
        lists,
        genes=np.array(names, dtype=str),
        bits=place_bits(lists.bits, places),
        universes=(places >= 0)[None],
    )
    return placed.take(placed.counts > 0)
