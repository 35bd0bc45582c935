"""What target lists of other cells say of a gene and a TF: rows that need no label of one's own.

Three rows, none of them fitted. *Rate*: how often other cells' TFs are listed at the gene, which
knows nothing of the TF. *Same*: the TF's own list in other cells. *Residual same*: that list less
what its size and the rate predict, in units of its deviation. A method that ranks targets in cells
without labels has learnt something only above *rate + residual same*.

A cell type goes by several names; all lists of the one under test are left out under any of them.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from grnjax.data.names import list_names, match_names
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.progress import logger

ALIASES: Mapping[str, tuple[str, ...]] = {
    "H1": ("H1", "H1ESC", "H1HESC", "HESC", "HESCT0"),
    "GM": ("GM", "LCL"),  # and every GM with a number: one type, many donors
    "HEPG2": ("HEPG2", "HHEP"),
    "SK-N-SH": ("SKNSH",),
    "MESC": ("MESC", "MCJ7", "CJ7", "ZHBTC4"),
    "MDC": ("MDC", "DENDRITIC"),
    "HELA-S3": ("HELAS3", "HELA"),
}
TF_SYMBOLS: Mapping[str, str] = {
    "BRG1": "SMARCA4",
    "ESR": "ESR1",
    "KAP1": "TRIM28",
    "MLL5": "KMT2E",
    "NF90": "ILF3",
    "NRSF": "REST",
    "RPC155": "POLR3A",
    "TFIIIC-110": "GTF3C2",
    "TR4": "NR2C2",
}
"""What lists call some TFs by their protein or antibody, and the symbols of their genes."""


def name_cell_type(name: str) -> str:
    """The one name of a cell type of whatever source: GM12878, GM06990-DS7748 and so on are GM."""
    plain = re.sub(r"-DS\d+$", "", name.strip().upper())
    key = re.sub(r"[^A-Z0-9]", "", plain)
    for canonical, names in ALIASES.items():
        if key in names:
            return canonical
    return "GM" if re.fullmatch(r"GM\d+", key) else plain


@dataclasses.dataclass(frozen=True, eq=False)
class OtherLists:
    """Target lists of TFs in cells, over the genes of the run."""

    tfs: np.ndarray  # [list] str
    cells: np.ndarray  # [list] str, by `name_cell_type`
    labels: Float[np.ndarray, "list gene"]  # 1 where the gene is listed, else 0

    def __len__(self) -> int:
        return len(self.tfs)

    @property
    def share(self) -> Float[np.ndarray, " list"]:
        """The share of genes that each list has."""
        return self.labels.mean(axis=1)

    def without(self, cell: str) -> "OtherLists":
        """The lists of all other cell types than this one, whatever it is called."""
        return self.take(self.cells != name_cell_type(cell))

    def take(self, chosen: np.ndarray) -> "OtherLists":
        """Some of the lists."""
        return OtherLists(self.tfs[chosen], self.cells[chosen], self.labels[chosen])


def tabulate_lists(
    edges: pd.DataFrame, names: np.ndarray, *, source: str = "lists", fewest: int = 1
) -> OtherLists:
    """The lists of a table, one a TF and cell type, in the order of their names.

    Lists of one TF under several names of a cell type become one, which has all their targets.

    Args:
        edges: columns `tf`, `cell`, `target`; `label` 0 marks a target that is none.
        names: the genes of the run.
        fewest: a list with fewer of them is left out.

    Raises:
        ConfigError: a column is missing.
        GeneMismatchError: no list has so many.
    """
    missing = {"tf", "cell", "target"} - set(edges)
    if missing:
        raise ConfigError(
            f"{source}: no column {', '.join(sorted(missing))} in the table of lists."
        )
    if "label" in edges:
        edges = edges[edges["label"] > 0]
    targets = edges["target"].unique()
    place = match_names(targets.tolist(), names.tolist())
    position = pd.Series(place.positions, targets)[edges["target"]].to_numpy()
    cells = {cell: name_cell_type(str(cell)) for cell in edges["cell"].unique()}
    tfs = edges["tf"].astype(str).replace(dict(TF_SYMBOLS)).to_numpy(str)
    keys = pd.MultiIndex.from_arrays([tfs, edges["cell"].map(cells).to_numpy(str)])
    code, found = keys.factorize(sort=True)
    labels = np.zeros((len(found), len(names)), np.float32)
    labels[code[position >= 0], position[position >= 0]] = 1
    is_kept = labels.sum(axis=1) >= fewest
    if not is_kept.any():
        raise GeneMismatchError(
            f"{source}: none of its {len(found):,} lists has {fewest:,} of the {len(names):,} "
            f"genes of the run ({list_names(names)}); its targets are {list_names(targets)}."
        )
    if not is_kept.all():
        logger.info(
            f"{source}: {(~is_kept).sum():,} of {len(found):,} lists have fewer than {fewest:,} of "
            "the genes of the run, and are left out"
        )
    of_tf, of_cell = (found.get_level_values(i).to_numpy(str) for i in range(2))
    return OtherLists(of_tf, of_cell, labels).take(is_kept)


def occupancy_rate(lists: OtherLists, *, alike: bool = False) -> Float[np.ndarray, " gene"]:
    """How often the lists have a gene, relative to the mean gene; 1 for all without any list.

    Args:
        alike: whether every list counts alike, by label over the share of genes that it has;
            otherwise every listed pair does, so that short lists count for little.
    """
    labels, share = lists.labels, lists.share
    labels, share = labels[share > 0], share[share > 0]
    if not len(labels):
        return np.ones(lists.labels.shape[1])
    weight = 1 / share if alike else np.full(len(share), 1 / share.mean())
    return (labels * weight[:, None]).mean(axis=0, dtype=np.float64)


def same_tf(lists: OtherLists, tfs: Sequence[str]) -> Float[np.ndarray, "tf gene"]:
    """The share of the lists of the TF itself that have the gene; 0 for a TF without any."""
    return average_lists(lists, lists.labels, tfs)


def residual_same(
    lists: OtherLists, tfs: Sequence[str], *, alike: bool = False
) -> Float[np.ndarray, "tf gene"]:
    """The mean of the TF's lists less what their size and the rate predict, in deviations.

    A list with a share p of the genes is expected to have a gene of rate r with chance p r, at
    most 1. What is left of it is divided by its standard deviation over genes. 0 for a TF without
    any list.
    """
    expected = np.minimum(lists.share[:, None] * occupancy_rate(lists, alike=alike), 1)
    left = lists.labels - expected
    left -= left.mean(axis=1, keepdims=True)
    deviation = left.std(axis=1, keepdims=True)
    return average_lists(lists, left / np.where(deviation > 0, deviation, 1), tfs)


def rate_and_residual_same(
    lists: OtherLists, tfs: Sequence[str], *, alike: bool = False
) -> Float[np.ndarray, "tf gene"]:
    """2 log(1 + rate) + residual same: the row to beat, with nothing fitted."""
    rate = occupancy_rate(lists, alike=alike)
    return 2 * np.log1p(rate) + residual_same(lists, tfs, alike=alike)


def average_lists(
    lists: OtherLists, values: Float[np.ndarray, "list gene"], tfs: Sequence[str]
) -> Float[np.ndarray, "tf gene"]:
    """The mean of each TF's rows; zeros for a TF without any."""
    rows = [np.flatnonzero(lists.tfs == TF_SYMBOLS.get(tf, tf)) for tf in tfs]
    empty = np.zeros(values.shape[1])
    return np.stack([values[one].mean(axis=0) if len(one) else empty for one in rows])
