"""From regulons and cells to activity, thresholds, and the networks of cells and cell types.

AUCell says how active a regulon is in a cell, a threshold whether it is on; a cell's network are
the edges of the regulons that are on in it, a cell type's those of the regulons that are on in
enough of its cells (GRNFormer, section "hierarchical network").
"""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool
from scipy import sparse

from grnjax.config import Positive, Range, Settings, Share, to_json
from grnjax.data.cell_groups import take_groups
from grnjax.data.cells import Cells, fill_universe
from grnjax.data.linear_activity import score_linear
from grnjax.data.names import count_names, identifier_kind, list_names
from grnjax.data.regulon_set import Regulons
from grnjax.data.regulon_store import StoredActivity, store_activity
from grnjax.data.regulons import RegulonConfig
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.evaluation.regulon_donors import compare_groups
from grnjax.evaluation.regulon_groups import measure_specificity
from grnjax.graphs.activity import AUCellConfig, count_top, score_regulons
from grnjax.graphs.cell_networks import TYPE_SHARE, CellNetworks, share_by_type
from grnjax.graphs.thresholds import call_active, find_thresholds
from grnjax.progress import logger

if TYPE_CHECKING:  # its import costs half a second
    from anndata import AnnData

LOW_SHARE = 0.8  # of a regulon's genes; below it ctxcore gives zeros
SATURATED = 0.5  # share of the regulons that are on
FEW_CELLS = 50


@dataclasses.dataclass(frozen=True, kw_only=True)
class ActivityConfig(Settings):
    """How activity becomes networks."""

    method: Literal["aucell", "ulm"] = "aucell"
    """AUCell, or the univariate linear model of decoupler, which must be installed: t-values that
    read expression levels and the signs of edges (--table.signs=ignore, for one regulon a TF)."""
    aucell: AUCellConfig = AUCellConfig()
    table: RegulonConfig = RegulonConfig()
    groups: str | None = None
    """Column of .obs with cell types, which then have networks, too."""
    donor: str | None = None
    """Column of .obs with donors: differences between groups are told over donors, too."""
    type_share: Share = TYPE_SHARE
    """Share of the cells of a type in which a regulon must be on to be one of the type's."""
    min_targets: Positive = 5
    """Targets that a regulon must have among the genes; others are left out and named."""
    min_share: Annotated[float, Range(0, 1)] = 0.0
    """Share of its targets that a regulon must have among the genes to be scored, .8 in ctxcore,
    which gives 0 otherwise; here all are, as on the genes that there are, and those below .8 are
    named."""


@dataclasses.dataclass(frozen=True, eq=False)
class Activity:
    """Regulons in cells: how active, on or off, and the networks that follow."""

    cells: np.ndarray  # [cell] str
    stored: StoredActivity
    groups: np.ndarray | None  # [cell] str, "" where a cell has none
    report: dict
    source: "AnnData"  # the cells
    donors: np.ndarray | None = None  # [cell] str, "" where a cell has none
    obs: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)  # further columns [cell]

    @property
    def auc(self) -> pd.DataFrame:
        """Activity, cells x regulons."""
        return pd.DataFrame(self.stored.activity, self.cells, self.stored.regulons.names)

    @property
    def active(self) -> pd.DataFrame:
        """Whether each regulon is on, cells x regulons."""
        return pd.DataFrame(self.stored.active, self.cells, self.stored.regulons.names)

    @property
    def thresholds(self) -> pd.DataFrame:
        """A row a regulon: tf, targets, threshold, is_bimodal, and the share of cells it is on."""
        return self.stored.summary

    @property
    def specificity(self) -> pd.DataFrame:
        """How much each regulon is that of one type, types x regulons, 0 to 1 (Suo et al. 2018).

        Raises:
            ConfigError: without two cell types, or with activities below 0.
        """
        stored = self.stored
        return measure_specificity(stored.activity, self.known_groups, stored.regulons.names)

    @property
    def differences(self) -> pd.DataFrame:
        """Each type against all other cells, a row a type and regulon, what differs most first.

        Wilcoxon's rank-sum test over cells, with Benjamini and Hochberg's q
        (`evaluation/regulon_groups.py`); where donors are known, also tests over their means, by
        which the rows of a type stand in order (`evaluation/regulon_donors.py`).

        Raises:
            ConfigError: without two cell types, or with donors, but not two.
        """
        activity, names = self.stored.activity, self.stored.regulons.names
        return compare_groups(activity, self.known_groups, self.donors, names)

    @property
    def known_groups(self) -> np.ndarray:
        """The type of each cell, [cell] str."""
        if self.groups is None:
            raise ConfigError(
                "types of cells are compared, and none are given: give groups=COLUMN."
            )
        return self.groups

    @property
    def networks(self) -> CellNetworks:
        """The networks as models read them.

        Raises:
            ConfigError: without cell types, or with cells that have none.
        """
        if self.groups is None or (self.groups == "").any():
            raise ConfigError("networks of cells need the type of every cell: give groups=COLUMN.")
        stored = self.stored
        types = np.searchsorted(stored.type_names, self.groups)
        edges = stored.regulons.edges
        return CellNetworks(edges, stored.active, stored.type_active, types)

    def to_anndata(self, adata: "AnnData | None" = None) -> "AnnData":
        """A copy of the cells with all of this in it (`data/regulon_store.py` says where).

        Args:
            adata: the same cells in any order; by default those that were scored.

        Raises:
            ConfigError: it lacks some of the cells or has others.
        """
        return self.put_into((self.source if adata is None else adata).copy())

    def put_into(self, adata: "AnnData") -> "AnnData":
        """The object itself with all of this in it, as `to_anndata` does with a copy."""
        order = np.arange(len(self.cells))
        if adata is not self.source and adata.obs_names.tolist() != self.cells.tolist():
            names = pd.Index(self.cells)
            order = names.get_indexer(adata.obs_names) if names.is_unique else order[:0]
            if len(order) != len(self.cells) or set(order) != set(range(len(self.cells))):
                raise ConfigError(
                    f"the object has {adata.n_obs:,} cells, and not the {len(self.cells):,} whose "
                    "activity this is, each by its own name; give the cells that were scored."
                )
        stored = dataclasses.replace(
            self.stored, activity=self.stored.activity[order], active=self.stored.active[order]
        )
        store_activity(adata, stored)
        for column, values in self.obs.items():
            adata.obs[column] = values[order]
        return adata


def measure_activity(
    cells: Cells, regulons: Regulons, config: ActivityConfig, *, seed: int
) -> Activity:
    """Activity with thresholds from these cells, which are then a reference for others.

    Raises:
        GeneMismatchError: no regulon has enough targets among the genes.
        ConfigError: a setting that the cells do not allow.
    """
    source = cells.report["source"]
    groups = None if config.groups is None else take_groups(cells.adata.obs, config.groups, source)
    members, regulons, report = place_regulons(regulons, cells, config)
    activity = score(cells, members, regulons, config, seed, report)
    if len(activity) < FEW_CELLS:
        logger.warning(f"{source}: thresholds from {len(activity):,} cells alone are rough")
    found = find_thresholds(activity)
    settings = {"aucell": to_json(config.aucell), "seed": seed, "type_share": config.type_share}
    settings |= {"assigned": config.method, "min_share": config.min_share}
    settings |= {"method": config.method}
    active = call_active(activity, found.values)
    types = find_type_networks(active, groups, config.type_share)
    stored = StoredActivity(
        regulons, activity, active, found.values, found.is_bimodal, *types, cells.genes, settings
    )
    report["bimodal"] = int(found.is_bimodal.sum())
    return describe(cells, stored, groups, report)


def apply_reference(cells: Cells, reference: StoredActivity, config: ActivityConfig) -> Activity:
    """Activity of the reference's regulons in other cells, on or off by its thresholds.

    Genes, cut, normalisation and seed are those of the reference, as thresholds hold for them
    alone; genes that the cells lack count as 0.
    """
    source = cells.report["source"]
    groups = None if config.groups is None else take_groups(cells.adata.obs, config.groups, source)
    cells = fill_universe(cells, reference.universe)
    measured = cells.report["of_universe_measured"] / len(reference.universe)
    if measured < LOW_SHARE:
        logger.warning(
            f"{source}: {measured:.0%} of the {len(reference.universe):,} genes of the reference "
            "were measured; the others count as 0, so that its thresholds are only a guide"
        )
    settings = {key: reference.settings.get(key) for key in ("aucell", "seed")}
    aucell = AUCellConfig(**{k: v for k, v in settings["aucell"].items() if k != "class"})
    members, _ = reference.regulons.place_targets(cells.genes)
    report: dict[str, Any] = {"of_universe_measured": measured}
    method = reference.settings.get("method", "aucell")
    own = ActivityConfig(aucell=aucell, method=method)
    activity = score(cells, members, reference.regulons, own, int(settings["seed"]), report)
    active = call_active(activity, reference.thresholds)
    settings |= {"assigned": method, "thresholds": "reference", "type_share": config.type_share}
    settings |= {"method": method}
    names, shares, in_type = find_type_networks(active, groups, config.type_share)
    stored = dataclasses.replace(
        reference,
        activity=activity,
        active=active,
        type_names=names,
        type_share=shares,
        type_active=in_type,
        settings=settings,
    )
    report["share_on_in_reference"] = float(reference.active.mean())
    return describe(cells, stored, groups, report)


def place_regulons(
    regulons: Regulons, cells: Cells, config: ActivityConfig
) -> tuple[sparse.csr_array, Regulons, dict]:
    """Weights [gene, regulon] of the regulons with enough targets, these, and a report."""
    source = cells.report["source"]
    members, match = regulons.place_targets(cells.genes)
    found = (members > 0).sum(axis=0)
    is_kept, names = found >= config.min_targets, regulons.names
    targets = len(match.positions)
    if not is_kept.any():
        raise GeneMismatchError(
            f"{source}: no regulon has {config.min_targets} targets among its "
            f"{len(cells.genes):,} genes ({list_names(cells.genes)}): of {targets:,} targets "
            f"({list_names(np.unique(regulons.edges['target']))}) "
            f"{(match.positions >= 0).sum():,} are there. The genes are mostly "
            f"{identifier_kind(cells.genes)}s, the targets "
            f"{identifier_kind(regulons.edges['target'].unique())}s: map names with "
            "--data.gene-names=TABLE, or lower --min-targets."
        )
    report = match.report(source)
    report["targets"] = {"of": targets, "found": int((match.positions >= 0).sum())}
    report["regulons"] = regulons.report
    if not is_kept.all():
        report["left_out"] = count_names(names[~is_kept])
        logger.warning(
            f"{source}: left out: {(~is_kept).sum():,} of {len(names):,} regulons, which have "
            f"fewer than {config.min_targets} targets among the genes (--min-targets): "
            f"{list_names(names[~is_kept])}"
        )
    share = found / np.maximum(regulons.sizes, 1)
    is_low = is_kept & (share < LOW_SHARE)
    if is_low.any():
        report["below_80_percent"] = count_names(names[is_low])
        shown = [f"{names[i]} {share[i]:.0%}" for i in np.flatnonzero(is_low)]
        logger.warning(
            f"{source}: {is_low.sum():,} regulons have less than {LOW_SHARE:.0%} of their targets "
            f"among the genes: {list_names(shown)}"
        )
    members, kept = members[:, np.flatnonzero(is_kept)], regulons.take(is_kept)
    is_zero = share[is_kept] < config.min_share
    if is_zero.any():
        report["zeros"] = count_names(kept.names[is_zero])
        logger.warning(
            f"{source}: {is_zero.sum():,} regulons are given 0 (--min-share): "
            f"{list_names(kept.names[is_zero])}"
        )
        members = sparse.csr_array(members * ~is_zero)
    return members, kept, report


def score(
    cells: Cells,
    members: sparse.csr_array,
    regulons: Regulons,
    config: ActivityConfig,
    seed: int,
    report: dict,
) -> np.ndarray:
    """Activity [cell, regulon]; by AUCell, cells in which ties decide are counted."""
    if config.method == "ulm":
        return score_linear(
            cells.values, cells.genes, members, regulons, str(cells.report["source"])
        )
    cut = count_top(len(cells.genes), config.aucell)
    detected = np.asarray((cells.values > 0).sum(axis=1)).ravel()
    short = int((detected < cut - 1).sum())
    report |= {"cut": cut, "cells_below_cut": short}
    if short:
        logger.warning(
            f"{cells.report['source']}: {short:,} of {len(detected):,} cells have fewer detected "
            f"genes (the median cell {np.median(detected):,.0f}) than the {cut - 1:,} ranks that "
            "count; there the order of genes with 0 is random (--aucell.top-share)"
        )
    return score_regulons(cells.values, cells.genes, members, config.aucell, seed=seed)


def find_type_networks(
    active: Bool[np.ndarray, "cell regulon"], groups: np.ndarray | None, least: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Names of the types, the share of its cells in which each regulon is on, and if enough."""
    if groups is None:
        groups = np.full(len(active), "")
    names, shares = share_by_type(active, groups)
    return names, shares.astype(np.float32), shares >= least


def describe(
    cells: Cells, stored: StoredActivity, groups: np.ndarray | None, report: dict
) -> Activity:
    """The result, with how much is on: thresholds of other cells may put nearly all on, or none."""
    source, share = cells.report["source"], float(stored.active.mean())
    report["share_on"] = share
    at_zero = (stored.active == (stored.activity > 0)).all(axis=0) & stored.active.any(axis=0)
    report["on_above_zero"] = int(at_zero.sum())
    if at_zero.any():
        logger.info(
            f"{source}: {at_zero.sum():,} regulons are on wherever any of their targets is in the "
            f"top ranks, as the other cells have exactly 0: "
            f"{list_names(stored.regulons.names[at_zero])}"
        )
    before = report.get("share_on_in_reference")
    beside = "" if before is None else f" ({before:.0%} in the reference)"
    logger.info(
        f"{source}: {stored.active.shape[1]:,} regulons, of which a cell has {share:.0%} on{beside}"
    )
    if share > SATURATED or (before is not None and not before / 2 <= share <= before * 2):
        logger.warning(
            f"{source}: {share:.0%} of the regulons are on in a cell{beside}, so the thresholds "
            "may not fit these cells"
        )
    if groups is not None:
        report["types"] = {
            str(name): {"cells": int((groups == name).sum()), "regulons": int(on.sum())}
            for name, on in zip(stored.type_names, stored.type_active, strict=True)
        }
        if (groups == "").any():
            report["cells_without_type"] = int((groups == "").sum())
            logger.warning(f"{source}: {(groups == '').sum():,} cells have no type")
    names = np.asarray(cells.adata.obs_names).astype(str)
    return Activity(names, stored, groups, {"cells": cells.report, **report}, cells.adata)
