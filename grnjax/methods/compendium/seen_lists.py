"""Was a ranking made from the lists that are to judge it? By the names of cells, and by labels.

`audit` refuses such labels before anything is ranked, where they are given. A truth that comes
later, to `grnjax evaluate`, is held here against the lists that the run says it has read, and that
its scorer was trained on.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.data.compendium.aliases import name_cell_type, name_tf
from grnjax.data.compendium.folder import load_compendium
from grnjax.data.compendium.lists import TargetLists
from grnjax.data.label_matrix import LabelMatrix
from grnjax.data.names import list_names
from grnjax.errors import GeneMismatchError
from grnjax.evidence.label_audit import FEWEST_IN_COMMON, is_copy, measure_agreement
from grnjax.progress import logger


def find_seen_lists(report: Mapping, truth: pd.DataFrame, source: str) -> dict | None:
    """The lists behind a ranking that the truth is among, and one warning that names them.

    Args:
        report: what the method says of its ranking (`RankedNetwork.report`, `found` of run.json).
        truth: columns tf and target, perhaps label.
        source: what the truth is called, such as its path.

    Returns:
        None where there are none, or the ranking is by no list; else the cell types that the truth
        is named after (`by_name`) and the TFs, cell types and phi of lists that agree with it
        (`by_content`), each with whether the scorer was trained on lists of the cell type.
    """
    read, ranked_by = report.get("compendium"), report.get("ranked_by")
    if not isinstance(read, Mapping) or not isinstance(ranked_by, Mapping):
        return None
    trained = {name_cell_type(x) for x in (ranked_by.get("trained_on") or {}).get("cell_types", ())}
    cells = trained | {name_cell_type(x) for x in read.get("cell_types", ())}
    named = sorted(name_cells(source) & cells)
    copies = []
    try:
        lists = load_compendium().over(list_genes(truth), species=read.get("species", "human"))
        copies = find_copies(lists.take(np.isin(lists.cells, [*cells])), truth)
    except GeneMismatchError:
        pass  # no list has a gene of the truth
    if not named and not copies:
        return None
    found = {
        "by_name": [{"cell_type": cell, "trained_on": cell in trained} for cell in named],
        "by_content": [{**row, "trained_on": row["cell_type"] in trained} for row in copies],
    }
    warn(found, source)
    return found


def warn(found: dict, source: str) -> None:
    """One warning that names the lists."""
    why = []
    cells = [row["cell_type"] for row in (*found["by_name"], *found["by_content"])]
    if found["by_name"]:
        why.append(f"by its name it is of {list_names(x['cell_type'] for x in found['by_name'])}")
    if found["by_content"]:
        alike = [f"{x['tf']} in {x['cell_type']} {x['phi']:.2f}" for x in found["by_content"]]
        why.append(f"its labels agree with {len(alike):,} lists (phi: {list_names(alike)})")
    is_trained = any(row["trained_on"] for rows in found.values() for row in rows)
    how = "its scorer was trained on" if is_trained else "it has read"
    cells = list(dict.fromkeys(cells))
    logger.warning(
        f"{source}: the ranking knows this truth, since {' and '.join(why)}, which {how}; figures "
        f"hold for no other cells: rank anew with --method.without {' '.join(cells[:5])}"
    )


def name_cells(source: str) -> set[str]:
    """The cell types that a file and its folder may be named after."""
    path = Path(source)
    names = [path.name.partition(".")[0], path.parent.name]
    words = [word for name in names for word in (name, *re.split(r"[^A-Za-z0-9]+", name))]
    return {name_cell_type(word) for word in words if word}


def list_genes(truth: pd.DataFrame) -> np.ndarray:
    """The genes of a network, sorted."""
    return np.unique(truth[["tf", "target"]].to_numpy(str))


def find_copies(lists: TargetLists, truth: pd.DataFrame) -> list[dict]:
    """Lists whose labels agree with those of a TF as those of one experiment do, closest first.

    Args:
        lists: over the genes of the truth (`list_genes`).
    """
    genes, tfs = list_genes(truth), np.unique(truth["tf"].to_numpy(str))
    labels = truth["label"].to_numpy() if "label" in truth else np.ones(len(truth))
    at = np.searchsorted(tfs, truth["tf"].to_numpy(str)), np.searchsorted(genes, truth["target"])
    shape = len(tfs), len(genes)
    own, observed = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    own[at], observed[at] = labels, 1
    if "label" not in truth:
        observed[:] = 1
    covered = lists.covered[lists.source].astype(np.float32)
    source = LabelMatrix(np.arange(len(lists)), lists.labels * covered, covered)
    target = LabelMatrix(np.searchsorted(genes, tfs), own, observed)
    phi = measure_agreement(source, target)
    common = target.labels @ source.labels.T
    is_same = np.array([name_tf(tf) for tf in tfs])[:, None] == lists.tfs
    found = [
        {"tf": str(tfs[row]), "cell_type": str(lists.cells[at]), "phi": float(phi[row, at])}
        for row, at in np.argwhere(is_same & (common >= FEWEST_IN_COMMON))
        if is_copy(phi[row, at])
    ]
    return sorted(found, key=lambda row: -row["phi"])
