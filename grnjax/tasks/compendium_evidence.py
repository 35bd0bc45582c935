"""The compendium beside known regulation: lists of other cells join the evidence by themselves.

Which lists join is decided before anything is learned. The cells of the run are left out under all
their names, where the set or the user names them. Of what is left, a cell type whose lists are a
copy of the labels of the run is left out too, whatever it is called; that can only take evidence
away.
"""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from grnjax.config import Settings
from grnjax.data.compendium.aliases import ALIASES, name_cell_type
from grnjax.data.compendium.compendium import Compendium
from grnjax.data.compendium.folder import list_own, load_compendium
from grnjax.data.compendium.lists import TargetLists
from grnjax.data.names import list_names
from grnjax.data.species import Species
from grnjax.errors import ConfigError, GeneMismatchError, SplitError
from grnjax.evidence.leak_check import check_leaks
from grnjax.evidence.target_lists import describe_lists, describe_motif_lists
from grnjax.evidence.types import Evidence
from grnjax.methods.compendium.audit import tell_cell
from grnjax.methods.compendium.sources import place_lists
from grnjax.methods.method import MethodConfig
from grnjax.progress import logger
from grnjax.types import Dataset, LabelledPairs, Split

NO_PAIRS = LabelledPairs(np.empty((0, 2), np.int32), np.empty(0, np.float32))
ALL_LABELS = Split(NO_PAIRS, NO_PAIRS, NO_PAIRS, "none", 0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListsConfig(Settings):
    """Lists of other cells as evidence, for a method that learns and reads evidence."""

    use: Literal["auto", "off"] = "auto"
    """auto: lists join where the species of the genes is recognised and no copy is found."""
    without: tuple[str, ...] = ()
    """Cell types whose lists are left out, from all sources and under every name."""
    own_lists: bool = True
    """Whether lists that you have added count (grnjax data compendium add)."""

    def files(self, method: MethodConfig) -> dict[str, Path]:
        """The user's own lists that join the evidence of this method, by their roles."""
        joins = joins_lists(method) and self.use == "auto" and self.own_lists
        return {f"lists/{name}": path for name, path in list_own().items()} if joins else {}


def joins_lists(method: MethodConfig) -> bool:
    """Whether lists of other cells are evidence to a method: it learns, and reads evidence."""
    return {"labels", "evidence"} <= method.READS


def gather_lists(
    dataset: Dataset,
    tfs: np.ndarray,
    config: ListsConfig,
    *,
    species: Species = "auto",
    set_name: str = "",
    splits: Sequence[Split] = (),
    keep_own: bool = False,
    compendium: Compendium | None = None,
) -> list[Evidence]:
    """The lists and the motifs of the compendium as evidence; none where they cannot join.

    What joined, and what was left out and why, is said once, and stands in the report of the data
    set under "compendium".

    Args:
        tfs: gene indices for which the evidence is.
        set_name: of a benchmark set; a cell type in it is left out.
        splits: whose parts are looked at for copies, besides all labels.
        keep_own: whether TFs of the run keep their own lists of the species.
        compendium: by default what comes with grnjax, and the user's own lists.
    """
    if config.use == "off":
        return []
    compendium = compendium or load_compendium(with_own=config.own_lists)
    cells = [x for x in find_cells(set_name) if name_cell_type(x) in compendium.cells]
    cells += config.without
    names, report = dataset.genes.names, {"left_out": sorted({name_cell_type(x) for x in cells})}
    try:
        known = place_lists(compendium, names, species, cells)
    except (ConfigError, GeneMismatchError) as problem:
        reason = str(problem).partition(": ")[0].partition(", too few")[0]
        dataset.report["compendium"] = report | {"lists": 0, "reason": reason}
        logger.info(f"compendium: no lists of other cells join the evidence: {reason}")
        return []
    lists, dropped = drop_copies(known.lists, dataset, splits)
    found = describe_lists(lists, tfs, keep_own=keep_own, report={"species": known.species})
    evidence = [] if found is None else [found]
    if known.motifs is not None:
        evidence.append(describe_motif_lists(known.motifs, tfs))
    report |= {
        "species": known.species,
        "digest": known.compendium.digest,
        "lists": 0 if found is None else found.report["lists"],
        "cell_types": [] if found is None else np.unique(lists.cells).tolist(),
        "motif_lists": 0 if known.motifs is None else len(known.motifs),
        "dropped_as_copies": dropped,
    }
    dataset.report["compendium"] = report
    logger.info(
        f"compendium: {report['lists']:,} lists of {len(report['cell_types']):,} cell types and "
        f"{report['motif_lists']:,} of motifs ({known.species}) join the evidence; left out by "
        f"name: {list_names(report['left_out']) or 'none'}; as copies of the known network: "
        f"{list_names(dropped) or 'none'}; --lists.use=off leaves all out"
    )
    return evidence


def drop_copies(
    lists: TargetLists, dataset: Dataset, splits: Sequence[Split]
) -> tuple[TargetLists, list[str]]:
    """The lists without those of cell types that are a copy of labels, and the names of these."""
    dropped, checked = [], list(splits) or [ALL_LABELS]
    for cell in np.unique(lists.cells).tolist():
        try:
            check_leaks([tell_cell(lists, cell)], dataset.genes.tfs, dataset, checked)
        except SplitError as problem:
            logger.warning(f"compendium: left out, {problem}".partition(". Leave the file")[0])
            dropped.append(cell)
    return lists.take(~np.isin(lists.cells, dropped)), dropped


def find_cells(set_name: str) -> list[str]:
    """The parts of a set's name that are a known cell type: hESC of Specific/hESC/TFs+500."""
    parts = re.split(r"[/\\]", set_name)
    return [part for part in parts if name_cell_type(part) in {*ALIASES, "GM"}]
