"""Regulons and their activity inside AnnData: one table of edges, and who has which regulon.

The networks of 10^5 cells are never stored as edges (GRNFormer, section "hierarchical network"):

    obsm["ereg_auc"]      activity [cell, regulon], float32
    obsm["ereg_active"]   whether the regulon is on in the cell, bool
    uns["grn"]            names, tfs, thresholds, is_bimodal: of each regulon, in the same order
                          edges: tf and gene (places in `genes`), ereg, weight, sign, region
                          type_names, type_active [type, regulon], type_share: of its cells
                          universe: the genes that were ranked; settings: JSON

A cell's network are the edges of the regulons that are on in it: `cell_network(adata, "cell17")`.
Names join everything, so that genes may be taken out of the object and cells be reordered.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from grnjax.data.annotated import choose_modality, open_hdf5
from grnjax.data.names import list_names
from grnjax.data.regulon_set import Regulons
from grnjax.errors import ConfigError, EdgeFormatError

if TYPE_CHECKING:  # its import costs half a second
    from anndata import AnnData

ACTIVITY, ACTIVE, NETWORK = "ereg_auc", "ereg_active", "grn"


@dataclasses.dataclass(frozen=True, eq=False)
class StoredActivity:
    """What is stored of regulons in the cells of one object."""

    regulons: Regulons
    activity: Float[np.ndarray, "cell regulon"]
    active: Bool[np.ndarray, "cell regulon"]
    thresholds: Float[np.ndarray, " regulon"]
    is_bimodal: Bool[np.ndarray, " regulon"]
    type_names: np.ndarray  # [type] str; none without cell types
    type_share: Float[np.ndarray, "type regulon"]  # of the type's cells in which it is on
    type_active: Bool[np.ndarray, "type regulon"]
    universe: np.ndarray  # [gene] str, sorted: the genes that were ranked
    settings: dict  # of AUCell, the seed, and how regulons were assigned

    @property
    def summary(self) -> pd.DataFrame:
        """A row a regulon: tf, targets, threshold, is_bimodal, and the share of cells it is on."""
        table = {"tf": self.regulons.tfs, "targets": self.regulons.sizes}
        table |= {"threshold": self.thresholds, "is_bimodal": self.is_bimodal}
        table["share_on"] = self.active.mean(axis=0)
        return pd.DataFrame(table, self.regulons.names)


def store_activity(adata: "AnnData", stored: StoredActivity) -> None:
    """Puts all of it into the object; other entries of uns["grn"] stay."""
    adata.obsm[ACTIVITY] = stored.activity
    adata.obsm[ACTIVE] = stored.active
    before = adata.uns.get(NETWORK)
    before = dict(before) if isinstance(before, Mapping) else {}
    adata.uns[NETWORK] = before | make_entries(stored)


def make_entries(stored: StoredActivity) -> dict[str, Any]:
    """The entries of uns["grn"], in types that .h5ad has."""
    table = stored.regulons.edges
    genes = np.unique(table[["tf", "target"]].to_numpy(str))
    edges = {
        "tf": np.searchsorted(genes, table["tf"].to_numpy(str)).astype(np.int32),
        "gene": np.searchsorted(genes, table["target"].to_numpy(str)).astype(np.int32),
        "ereg": table["regulon"].to_numpy(np.int32),
        "weight": table["weight"].to_numpy(np.float32),
        "sign": table["sign"].to_numpy(np.int8),
    }
    if "region" in table:
        edges["region"] = table["region"].to_numpy(object)
    return {
        "names": stored.regulons.names.astype(object),
        "tfs": stored.regulons.tfs.astype(object),
        "thresholds": np.asarray(stored.thresholds, np.float64),
        "is_bimodal": np.asarray(stored.is_bimodal, bool),
        "genes": genes.astype(object),
        "edges": edges,
        "type_names": stored.type_names.astype(object),
        "type_active": np.asarray(stored.type_active, bool),
        "type_share": np.asarray(stored.type_share, np.float32),
        "universe": stored.universe.astype(object),
        "settings": json.dumps(stored.settings, sort_keys=True),
    }


def read_activity(adata: "AnnData", source: object = "AnnData object") -> StoredActivity:
    """What `store_activity` has put into the object, also after a round trip through a file.

    Raises:
        EdgeFormatError: there is none, or its parts do not fit together.
    """
    kept = adata.uns.get(NETWORK)
    missing = [key for key in (ACTIVITY, ACTIVE) if key not in adata.obsm]
    if missing or not isinstance(kept, Mapping) or "edges" not in kept:
        raise EdgeFormatError(
            f"{source}: no activity of regulons: .obsm holds {list_names(adata.obsm) or 'nothing'} "
            f"and .uns['{NETWORK}'] no edges. Make it with grnjax activity CELLS --regulons TABLE."
        )
    try:
        stored = take_entries(adata, kept)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, RecursionError) as problem:
        raise damaged(source, f"an entry is missing or of another kind ({problem})") from problem
    number = len(stored.regulons.names)
    shapes = {
        f".obsm['{ACTIVITY}']": (stored.activity.shape, (adata.n_obs, number)),
        f".obsm['{ACTIVE}']": (stored.active.shape, (adata.n_obs, number)),
        "thresholds": (stored.thresholds.shape, (number,)),
        "is_bimodal": (stored.is_bimodal.shape, (number,)),
        "type_active": (stored.type_active.shape, (len(stored.type_names), number)),
        "type_share": (stored.type_share.shape, (len(stored.type_names), number)),
    }
    for name, (found, expected) in shapes.items():
        if found != expected:
            raise damaged(source, f"{name} is {found} where {expected} is expected")
    if not np.isfinite(stored.thresholds).all() or not np.isfinite(stored.activity).all():
        raise damaged(source, "thresholds or activity are not finite")
    return stored


def read_activity_file(path: Path) -> tuple[StoredActivity, pd.DataFrame]:
    """What is stored in an .h5ad or .h5mu file, and its .obs; expression is not read.

    Raises:
        EdgeFormatError: as `read_activity`.
    """
    from anndata import AnnData
    from anndata.io import read_elem

    with open_hdf5(path, EdgeFormatError) as file:
        room: Any = file
        if path.suffix == ".h5mu":
            room = file["mod"][choose_modality(file["mod"], path, EdgeFormatError)]
        try:
            obsm = {key: read_elem(room["obsm"][key]) for key in (ACTIVITY, ACTIVE)}
            kept = {NETWORK: read_elem(room["uns"][NETWORK])}
            adata = AnnData(obs=read_elem(room["obs"]), obsm=obsm, uns=kept)
        except (KeyError, ValueError, TypeError) as problem:
            raise damaged(path, f"an entry is missing or of another kind ({problem})") from problem
    return read_activity(adata, path), adata.obs


def take_entries(adata: "AnnData", kept: Mapping) -> StoredActivity:
    """The entries as arrays, and the table of edges with names."""
    edges, genes = kept["edges"], np.asarray(kept["genes"]).astype(str)
    names, tfs = (np.asarray(kept[key]).astype(str) for key in ("names", "tfs"))
    places = {key: np.asarray(edges[key]) for key in ("tf", "gene", "ereg")}
    for key, most in (("tf", len(genes)), ("gene", len(genes)), ("ereg", len(names))):
        if len(places[key]) and not 0 <= places[key].min() <= places[key].max() < most:
            raise ValueError(f"places of {key} beyond {most:,}")
    table = pd.DataFrame(
        {
            "tf": genes[places["tf"]],
            "target": genes[places["gene"]],
            "regulon": names[places["ereg"]],
            "weight": np.asarray(edges["weight"]),
            "sign": np.asarray(edges["sign"]),
        }
    )
    if "region" in edges:
        table["region"] = np.asarray(edges["region"]).astype(str)
    regulons = Regulons.of(table)
    if regulons.names.tolist() != names.tolist() or regulons.tfs.tolist() != tfs.tolist():
        raise ValueError("names without edges, or out of order")
    settings = json.loads(kept["settings"])
    return StoredActivity(
        regulons,
        np.asarray(adata.obsm[ACTIVITY]),
        np.asarray(adata.obsm[ACTIVE]).astype(bool),
        np.asarray(kept["thresholds"], np.float64),
        np.asarray(kept["is_bimodal"]).astype(bool),
        np.asarray(kept["type_names"]).astype(str),
        np.asarray(kept["type_share"]),
        np.asarray(kept["type_active"]).astype(bool),
        np.asarray(kept["universe"]).astype(str),
        dict(settings),
    )


def damaged(source: object, what: str) -> EdgeFormatError:
    """The error about entries that do not fit together."""
    return EdgeFormatError(
        f"{source}: the stored regulons are damaged: {what}. Make them again with grnjax activity."
    )


def cell_network(adata: "AnnData", cell: str | int) -> pd.DataFrame:
    """The edges of one cell: tf, target, regulon (its name), weight, sign, perhaps region.

    Args:
        cell: its name, or its place among the cells.

    Raises:
        ConfigError: no such cell.
    """
    stored = read_activity(adata)
    if isinstance(cell, str):
        places = np.flatnonzero(adata.obs_names == cell)
        if len(places) != 1:
            raise ConfigError(
                f"{len(places)} cells are called {cell!r}; the names are "
                f"{list_names(adata.obs_names)}."
            )
        cell = int(places[0])
    if not -adata.n_obs <= cell < adata.n_obs:
        raise ConfigError(f"there is no cell {cell} among {adata.n_obs:,}.")
    return take_edges(stored, stored.active[cell])


def type_network(adata: "AnnData", cell_type: str) -> pd.DataFrame:
    """The edges of a cell type, as `cell_network` has those of a cell.

    Raises:
        ConfigError: no such type, or none were given when the activity was made.
    """
    stored = read_activity(adata)
    types = stored.type_names.tolist()
    if str(cell_type) not in types:
        raise ConfigError(
            f"no cell type {cell_type!r}; there are {list_names(types) or 'none: give --groups'}."
        )
    return take_edges(stored, stored.type_active[types.index(str(cell_type))])


def take_edges(stored: StoredActivity, active: Bool[np.ndarray, " regulon"]) -> pd.DataFrame:
    """The edges of the regulons that are on, with the names of the regulons."""
    table = stored.regulons.edges
    table = table[active[table["regulon"]]].reset_index(drop=True)
    return table.assign(regulon=stored.regulons.names[table["regulon"]])
