"""The networks of other cells as evidence: which of their TFs regulate a gene over there.

The strongest of all sources, and the one that can copy the answer: networks of one species often
rest on the same experiments. IRF8's labels in mDC and mHSC-E agree with a phi of .96. So within a
species the labels of every TF of the run are left out. What then still looks like a copy is for
`grnjax.evidence.leak_check` to find, which knows the labels of the run.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from grnjax.data.beeline import read_folder
from grnjax.data.edges import read_edges
from grnjax.data.names import count_names, list_names, match_names
from grnjax.data.rewritings import strip_names
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.evidence.coverage import cover_genes
from grnjax.evidence.types import Evidence, GeneBlock, PairBlock
from grnjax.progress import logger

FEWEST_TARGETS = 3  # of a TF among the genes of the run; fewer say next to nothing
KERNELS = ("rbf",)


def read_other_network(
    path: str | Path,
    names: np.ndarray,
    tfs: np.ndarray,
    *,
    species_differs: bool = False,
    keep_own: bool = False,
    name: str = "other network",
) -> Evidence:
    """The targets of another network's TFs as gene values, one column a TF.

    1 where the TF regulates the gene over there and 0 where it does not, less the share of its
    targets among the covered genes, so that a column sums to 0; 0 where the gene is not covered.
    So which genes a network covers has no effect, in one network as in several.

    A TF needs `FEWEST_TARGETS` among the genes of the run, and a gene that is none. In the same
    species the TFs of the run get no column (experiments/kernel_factor/README.md), however their
    names are spelled. In another species, or where they are to be kept, they have theirs, which are
    pair features besides: what the TF of the same name does over there.

    `report["columns"]` has the names of the columns by file, as `leak_check` needs them.

    Args:
        path: an edge list, which is about the genes that it names, with label 0 too; or a
            GENELink folder, which is about those of its Target.csv.
        tfs: indices of its TFs: at least all that have labels.
        species_differs: whether the network is of another species than the run.
        keep_own: whether lists of TFs of the run count in the same species, too: not in a
            benchmark, where one experiment may stand under both labels, but to a user they are the
            best evidence there is. `leak_check` still drops and refuses copies.
    """
    keeps_own = species_differs or keep_own
    listed, genes = load_network(path)
    own_names = strip_names(names[tfs].tolist())
    spelled = pd.Series(strip_names(listed["tf"].tolist()), index=listed.index)
    is_own_row = spelled.isin(own_names) & (not keeps_own)
    kept = listed[~is_own_row]
    coverage = cover_genes(genes or name_genes(kept, path), names, tfs, path)
    covered = coverage.covered
    edges = kept[kept["label"] == 1] if "label" in kept else kept
    regulators = np.array(sorted(edges["tf"].unique()), dtype=str)
    targets = tabulate_targets(edges, regulators, coverage.index, len(names))
    counts = targets.sum(axis=0)
    says_something = (counts >= FEWEST_TARGETS) & (counts < covered.sum())
    too_few, dropped = regulators[~says_something], sorted(listed["tf"][is_own_row].unique())
    if not says_something.any():
        raise GeneMismatchError(
            f"{path}: none of its TFs is left: {len(dropped):,} are TFs of the run in the same "
            f"species ({list_names(dropped) or 'none'}) and {len(too_few):,} have fewer than "
            f"{FEWEST_TARGETS} targets, or only targets, among the {covered.sum():,} shared genes. "
            "Leave the file out."
        )
    values = centre_columns(targets[:, says_something], covered)
    columns = regulators[says_something]
    pairs = ()
    if keeps_own:
        same = same_tf_rows(values, columns, names[tfs])
        pairs = (PairBlock(f"{name}: same TF", same),) if same.any() else ()
    report = coverage.report | {
        "species_differs": species_differs,
        "edges": listed.attrs["report"],
        "columns": {str(path): columns.tolist()},
        "tfs_found": int(np.isin(own_names, spelled).sum()),
        "dropped_same_tf": count_names(dropped),
        "dropped_uninformative": count_names(too_few),
    }
    logger.info(
        f"{path}: targets of {len(columns):,} TFs over {report['found']:,} of {len(names):,} "
        f"genes; dropped {len(dropped):,} TFs of the run in the same species "
        f"({list_names(dropped) or 'none'}) and {len(too_few):,} with too few targets or no other "
        f"gene ({list_names(too_few) or 'none'})"
    )
    block = GeneBlock(name, values, covered, KERNELS, has_one_scale=True)
    return Evidence(name, "network", report, genes=(block,), pairs=pairs)


def load_network(path: str | Path) -> tuple[pd.DataFrame, list[str] | None]:
    """All its rows, and the genes of a GENELink folder, which are those that it is about."""
    if Path(path).is_dir() and Path(path).suffix != ".zarr":
        folder = read_folder(path)
        return folder.edges, folder.genes
    return read_edges(path), None


def name_genes(rows: pd.DataFrame, path: str | Path) -> list[str]:
    """The genes that an edge list is about: those that its rows name.

    Rows of TFs that are dropped do not count: their targets would be the dropped labels again.
    """
    if rows.empty:
        raise GeneMismatchError(
            f"{path}: all of its TFs are TFs of the run in the same species, so nothing of it may "
            "be used, as of a copy of the known network. Leave the file out."
        )
    return sorted({*rows["tf"], *rows["target"]})


def tabulate_targets(
    edges: pd.DataFrame, regulators: np.ndarray, index: dict[str, int], genes: int
) -> Float[np.ndarray, "gene tf"]:
    """1 where the gene of the run is a target of the TF, else 0."""
    rows = edges["target"].map(index).fillna(-1).to_numpy(dtype=int)
    columns = np.searchsorted(regulators, edges["tf"].to_numpy(dtype=str))
    values = np.zeros((genes, len(regulators)), np.float32)
    values[rows[rows >= 0], columns[rows >= 0]] = 1
    return values


def same_tf_rows(
    values: Float[np.ndarray, "gene column"], columns: np.ndarray, tf_names: np.ndarray
) -> Float[np.ndarray, "tf gene"]:
    """The column of each TF's name; zeros for a TF without one."""
    places = match_names(tf_names.tolist(), columns.tolist()).positions
    rows = np.zeros((len(tf_names), len(values)), np.float32)
    rows[places >= 0] = values.T[places[places >= 0]]
    return rows


def centre_columns(
    values: Float[np.ndarray, "gene column"], covered: Bool[np.ndarray, " gene"]
) -> Float[np.ndarray, "gene column"]:
    """Each column less its mean over the covered genes; zeros elsewhere."""
    centred = values - values[covered].mean(axis=0)
    return np.where(covered[:, None], centred, 0).astype(np.float32)


def merge_networks(parts: Sequence[Evidence], name: str) -> Evidence:
    """The columns of several networks side by side, and the mean of their pair features.

    One kernel then stands for all other labels. A TF's row of pair features is the mean over the
    networks that have the TF.
    """
    columns = {}
    for part in parts:
        for source, column_names in part.report["columns"].items():
            if source in columns:
                raise ConfigError(f"{source}: this network is given twice. Give it once.")
            columns[source] = column_names
    blocks = [block for part in parts for block in part.genes]
    values = np.hstack([block.values for block in blocks])
    covered = np.any([block.covered for block in blocks], axis=0)
    report = {
        "source": list(columns),
        "found": int(covered.sum()),
        "columns": columns,
        "parts": [part.report for part in parts],
    }
    pairs = [block.values for part in parts for block in part.pairs]
    logger.info(
        f"{name}: {values.shape[1]:,} TFs of {len(parts):,} networks over {report['found']:,} genes"
    )
    return Evidence(
        name,
        "network",
        report,
        genes=(GeneBlock(name, values, covered, KERNELS, has_one_scale=True),),
        pairs=(PairBlock(f"{name}: same TF", average_rows(pairs)),) if pairs else (),
    )


def average_rows(blocks: Sequence[np.ndarray]) -> Float[np.ndarray, "tf gene"]:
    """For each TF, the mean of its rows that are not empty; zeros where all are."""
    stack = np.stack(blocks)  # [network, tf, gene]
    networks = stack.any(axis=2).sum(axis=0)
    return (stack.sum(axis=0) / np.maximum(networks, 1)[:, None]).astype(np.float32)
