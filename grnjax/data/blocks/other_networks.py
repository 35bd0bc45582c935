"""The networks of other cells as evidence: which of their TFs regulate a gene over there.

The strongest of all sources, and the one that can copy the answer: networks of one species often
rest on the same experiments. IRF8's labels in mDC and mHSC-E agree with a phi of .96. So within a
species the labels of every TF of the run are left out. What then still looks like a copy is for
`grnjax.tasks.leak_check` to find, which knows the labels of the run.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from grnjax.data.beeline import read_folder
from grnjax.data.blocks.evidence import Evidence, GeneBlock, PairBlock
from grnjax.data.edges import read_edges
from grnjax.data.names import NameMatch, count_names, list_names, match_names
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.progress import logger

FEWEST_TARGETS = 3  # of a TF among the genes of the run; fewer say next to nothing
KERNELS = ("rbf",)


def read_other_network(
    path: str | Path,
    names: np.ndarray,
    tfs: np.ndarray,
    *,
    species_differs: bool = False,
    genes: Sequence[str] | None = None,
    name: str = "other network",
) -> Evidence:
    """The targets of another network's TFs as gene values, one column a TF, 1 for a target.

    A TF needs 3 targets among the genes of the run, and a gene that is none. In the same species
    the TFs of the run get no column (flagship note, section 0.5), however their names are spelled.
    In another species they keep theirs, and make a pair feature besides: 1 where the TF of the
    same name regulates the gene over there and 0 where it does not, less the share of its targets
    among the covered genes, so that a TF's row sums to 0; 0 where the gene is not covered.

    `report["columns"]` has the names of the columns by file, as `leak_check` needs them.

    Args:
        path: an edge list, or a GENELink folder, whose Target.csv lists the genes it is about.
        names: the genes of the run, sorted.
        tfs: indices of its TFs: at least all that have labels.
        species_differs: whether the network is of another species than the run.
        genes: the genes that the network is about; by default those of Target.csv, else those
            with an edge.
        name: of the evidence.
    """
    edges, universe = load_network(path, genes)
    match = match_names(universe, names.tolist())
    covered = np.isin(np.arange(len(names)), match.positions)
    if not covered.any():
        raise GeneMismatchError(
            f"{path}: none of the {len(universe):,} genes of this network ({list_names(universe)}) "
            f"is among the {len(names):,} of the run ({list_names(names)}). Give a network with "
            "the same kind of gene names."
        )
    regulators = np.array(sorted(edges["tf"].unique()), dtype=str)
    values = tabulate_targets(edges, regulators, universe, match, len(names))
    counts = values.sum(axis=0)
    says_something = (counts >= FEWEST_TARGETS) & (counts < covered.sum())
    is_own = np.isin(np.char.upper(regulators), np.char.upper(names[tfs]))
    is_kept = says_something & (species_differs | ~is_own)
    too_few, dropped = regulators[~says_something], regulators[says_something & ~is_kept]
    if not is_kept.any():
        raise GeneMismatchError(
            f"{path}: of its {len(regulators):,} TFs none is left: {len(dropped):,} are TFs of the "
            f"run in the same species ({list_names(dropped) or 'none'}) and {len(too_few):,} have "
            f"fewer than {FEWEST_TARGETS} targets, or only targets, among the {covered.sum():,} "
            "shared genes. Leave the file out."
        )
    values, columns = values[:, is_kept], regulators[is_kept]
    pairs = ()
    if species_differs:
        same = same_tf_rows(values, covered, columns, names[tfs])
        pairs = (PairBlock(f"{name}: same TF", same),) if same.any() else ()
    report = {
        "kind": "network",
        "source": str(path),
        "species_differs": species_differs,
        "found": int(covered.sum()),
        "absent": count_names(names[~covered]),
        "outside_the_run": int((match.positions < 0).sum()),
        "case_rule": match.rule,
        "case_ambiguous": count_names(match.ambiguous),
        "edges": edges.attrs["report"],
        "columns": {str(path): columns.tolist()},
        "tfs_found": count_names(regulators[is_own]),
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
    return Evidence(name, report, genes=(block,), pairs=pairs)


def load_network(
    path: str | Path, genes: Sequence[str] | None
) -> tuple[pd.DataFrame, list[str]]:
    """The edges, without pairs labelled 0, and the genes that the network is about."""
    if Path(path).is_dir() and Path(path).suffix != ".zarr":
        folder = read_folder(path)
        edges, genes = folder.edges, genes or folder.genes
    else:
        edges = read_edges(path)
    universe = sorted(set(genes or [*edges["tf"], *edges["target"]]))
    return edges[edges["label"] == 1] if "label" in edges else edges, universe


def tabulate_targets(
    edges: pd.DataFrame,
    regulators: np.ndarray,
    universe: list[str],
    match: NameMatch,
    genes: int,
) -> Float[np.ndarray, "gene tf"]:
    """1 where the gene of the run is a target of the TF, else 0."""
    place = dict(zip(universe, match.positions, strict=True))
    rows = edges["target"].map(place).fillna(-1).to_numpy(dtype=int)
    columns = np.searchsorted(regulators, edges["tf"].to_numpy(dtype=str))
    values = np.zeros((genes, len(regulators)), np.float32)
    values[rows[rows >= 0], columns[rows >= 0]] = 1
    return values


def same_tf_rows(
    values: Float[np.ndarray, "gene column"],
    covered: Bool[np.ndarray, " gene"],
    columns: np.ndarray,
    tf_names: np.ndarray,
) -> Float[np.ndarray, "tf gene"]:
    """The centred labels of the column of each TF's name; zeros for a TF without one."""
    places = match_names(tf_names.tolist(), columns.tolist()).positions
    rows = np.zeros((len(tf_names), len(covered)), np.float32)
    rows[places >= 0] = centre_columns(values, covered).T[places[places >= 0]]
    return rows


def centre_columns(
    values: Float[np.ndarray, "gene column"], covered: Bool[np.ndarray, " gene"]
) -> Float[np.ndarray, "gene column"]:
    """Each column less its mean over the covered genes; zeros elsewhere."""
    centred = values - values[covered].mean(axis=0)
    return np.where(covered[:, None], centred, 0).astype(np.float32)


def merge_networks(parts: Sequence[Evidence], name: str) -> Evidence:
    """The columns of several networks side by side, and the mean of their pair features.

    One kernel then speaks for all other labels. Each column is centred over the genes of its own
    network and 0 elsewhere, so that which genes a network is about says nothing. A TF's row of
    pair features is the mean over the networks that have the TF.
    """
    columns = {}
    for part in parts:
        for source, column_names in part.report["columns"].items():
            if source in columns:
                raise ConfigError(f"{source}: this network is given twice. Give it once.")
            columns[source] = column_names
    blocks = [block for part in parts for block in part.genes]
    values = np.hstack([centre_columns(block.values, block.covered) for block in blocks])
    covered = np.any([block.covered for block in blocks], axis=0)
    report = {
        "kind": "network",
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
        report,
        genes=(GeneBlock(name, values, covered, KERNELS, has_one_scale=True),),
        pairs=(PairBlock(f"{name}: same TF", average_rows(pairs)),) if pairs else (),
    )


def average_rows(blocks: Sequence[np.ndarray]) -> Float[np.ndarray, "tf gene"]:
    """For each TF, the mean of its rows that are not empty; zeros where all are."""
    stack = np.stack(blocks)  # [network, tf, gene]
    networks = stack.any(axis=2).sum(axis=0)
    return (stack.sum(axis=0) / np.maximum(networks, 1)[:, None]).astype(np.float32)
