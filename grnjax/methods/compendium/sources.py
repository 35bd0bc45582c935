"""The compendium over the genes of a run: the species they are of, and the lists that are left."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from grnjax.data.compendium.compendium import Compendium
from grnjax.data.compendium.lists import TargetLists
from grnjax.data.compendium.source import Kind
from grnjax.data.names import identifier_kind, list_names
from grnjax.data.species import Species, tell_species
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.progress import logger

FEWEST_TARGETS = 10  # of a list, among the genes of the run
FEWEST_KNOWN, LEAST_KNOWN = 20, 0.2  # genes of the run that the lists know, and their share
OTHERWISE = "give --network=EDGES, or rank by expression alone, as with --method=grnboost2"


@dataclasses.dataclass(frozen=True, eq=False)
class KnownLists:
    """What other cells say of the genes of a run."""

    species: str
    lists: TargetLists  # of binding, without the cell types that are left out
    motifs: TargetLists | None  # by motifs alone, in no cells of their own
    compendium: Compendium  # that is left

    def over(self, names: np.ndarray) -> TargetLists:
        """The lists of binding over other genes."""
        return take_long(self.compendium.over(names, species=self.species))

    @property
    def report(self) -> dict:
        """For run.json."""
        return {
            "species": self.species,
            "digest": self.compendium.digest,
            "lists": len(self.lists),
            "lists_carried_by_orthologues": int(self.lists.carried.sum()),
            "tfs_with_lists": len(self.lists.rows),
            "cell_types": np.unique(self.lists.cells).tolist(),
            "genes_known": int(self.lists.covered.any(axis=0).sum()),
        }


def place_lists(
    compendium: Compendium, names: np.ndarray, species: Species, without: Sequence[str]
) -> KnownLists:
    """The lists over these genes, but for cell types that are left out.

    Raises:
        ConfigError: the species is not recognised, or nothing is left.
        GeneMismatchError: the lists know too few of the genes.
    """
    of_species = recognise(names) if species == "auto" else species
    left = compendium.without(*without) if without else compendium
    if not any(source.about.kind == "binding" for source in left.sources):
        raise ConfigError(
            f"the compendium without {list_names(without)} has no list of binding left; leave out "
            "fewer cell types, or add lists by grnjax data compendium add."
        )
    lists, motifs = (find_lists(left, names, of_species, kind) for kind in ("binding", "motifs"))
    if lists is None:
        raise GeneMismatchError(
            f"no list of {of_species} has {FEWEST_TARGETS:,} targets or more among the "
            f"{len(names):,} genes ({list_names(names)}), too few to rank by them: {OTHERWISE}."
        )
    known = int(lists.covered.any(axis=0).sum())
    if known < FEWEST_KNOWN or known < LEAST_KNOWN * len(names):
        raise GeneMismatchError(
            f"{known:,} of {len(names):,} genes ({list_names(names)}) are known to the lists of "
            f"{of_species}, too few to rank by them: {OTHERWISE}."
        )
    if lists.carried.any():
        logger.info(
            f"compendium: {lists.carried.sum():,} of {len(lists):,} lists are of another species, "
            "carried over by one-to-one orthologues"
        )
    return KnownLists(of_species, lists, motifs, left)


def find_lists(
    compendium: Compendium, names: np.ndarray, species: str, kind: Kind
) -> TargetLists | None:
    """The long lists of a kind over these genes; None without any."""
    try:
        lists = take_long(compendium.over(names, species=species, kinds=(kind,)))
    except GeneMismatchError:
        return None
    return lists if len(lists) else None


def list_universe(compendium: Compendium, species: str) -> np.ndarray:
    """`Compendium.list_universe`, by the name that it had here."""
    return compendium.list_universe(species)


def take_long(lists: TargetLists) -> TargetLists:
    """The lists with targets enough for their deviation to mean something."""
    return lists.take(lists.counts >= FEWEST_TARGETS)


def recognise(names: np.ndarray) -> str:
    """Human or mouse, by how most symbols are written: GATA1 or Gata1.

    Raises:
        ConfigError: they are written otherwise.
    """
    if identifier_kind(names.tolist()) != "symbol":
        raise ConfigError(
            f"the genes ({list_names(names)}) are no symbols, by which lists of targets go: "
            "--data.gene-column or --data.gene-names names them, or "
            f"{OTHERWISE}."
        )
    species = tell_species(names.tolist())
    if species is None:
        raise ConfigError(
            f"the genes ({list_names(names)}) are written as those of neither human (GATA1) nor "
            f"mouse (Gata1): --species says which they are, or else {OTHERWISE}."
        )
    return species
