"""BEELINE and GENELink folders: genes, TFs and the network that labels their pairs.

GENELink's files name genes by number. The numbers are those of the `index` column of the same
folder's Target.csv, never row numbers, and each kind of network has its own order.
"""

import dataclasses
from pathlib import Path

import pandas as pd

from grnjax.data.edges import read_edges
from grnjax.data.names import list_names
from grnjax.data.tables import find_file, is_position, read_rows
from grnjax.errors import EdgeFormatError
from grnjax.progress import logger

NETWORK_FILES = ("BL--network.csv", "GroundTruthNetwork.csv", "refNetwork.csv")
EXPRESSION_FILES = ("BL--ExpressionData.csv", "ExpressionData.csv")


@dataclasses.dataclass(frozen=True, eq=False)
class BeelineFolder:
    """What a folder holds, by name, and which files go with it."""

    path: Path
    genes: list[str] | None  # as Target.csv lists them; None for a folder without one
    tfs: list[str] | None  # TF.csv; None for a folder without one
    edges: pd.DataFrame  # as `read_edges` returns them
    expression: Path | None
    splits: tuple[Path, ...]  # folders of published pairs, one a draw: itself if it has them
    numbers: dict[int, str]  # the genes by their number in Target.csv


def read_folder(folder: str | Path) -> BeelineFolder:
    """The genes, TFs, edges and file paths of a GENELink-style or BEELINE folder.

    Each file may be gzipped. With Label.csv and a network file both there, the two are compared,
    a difference is announced, and Label.csv counts.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise EdgeFormatError(f"{folder}: no such folder.")
    network, label = find_file(folder, *NETWORK_FILES), find_file(folder, "Label.csv")
    target, tf = find_file(folder, "Target.csv"), find_file(folder, "TF.csv")
    if network is None and (label is None or target is None):
        raise EdgeFormatError(
            f"{folder}: no network. A BEELINE folder holds one of {', '.join(NETWORK_FILES)}; a "
            "GENELink folder Target.csv with Label.csv or BL--network.csv. "
            f"This one holds {list_names(sorted(p.name for p in folder.iterdir())) or 'nothing'}."
        )
    numbers = read_numbered_genes(target, "gene") if target else {}
    tfs = read_numbered_genes(tf, "tf") if tf else {}
    misplaced = [name for number, name in tfs.items() if numbers and numbers.get(number) != name]
    if misplaced:
        raise EdgeFormatError(
            f"{tf}: {len(misplaced):,} of {len(tfs):,} TFs have another number than in Target.csv "
            f"({list_names(misplaced)}). The two files belong to different gene lists."
        )
    if label and target:
        edges = name_pairs(read_edges(label), numbers, label)
        if network:
            compare_networks(edges, read_edges(network), folder)
    else:
        edges = read_edges(network)
    return BeelineFolder(
        path=folder,
        genes=list(numbers.values()) or None,
        tfs=list(tfs.values()) or None,
        edges=edges,
        expression=find_file(folder, *EXPRESSION_FILES),
        splits=(folder,) if find_file(folder, "Train_set.csv") else (),
        numbers=numbers,
    )


def read_numbered_genes(path: Path, heading: str) -> dict[int, str]:
    """The names of Target.csv or TF.csv by their number, in the order of the file."""
    rows = read_rows(path, EdgeFormatError)
    headings = [field.strip().lower() for field in next(rows)]
    if heading not in headings or "index" not in headings:
        raise EdgeFormatError(
            f"{path}: columns {heading} and index are needed; it has {list_names(headings)}."
        )
    name, number = headings.index(heading), headings.index("index")
    pairs = []
    for fields in rows:
        if len(fields) != len(headings) or not is_position(fields[number]):
            line = f"row {len(pairs) + 1} ({','.join(fields)})"
            raise EdgeFormatError(f"{path}: {line} has no gene number.")
        pairs.append((int(fields[number]), fields[name]))
    genes = dict(pairs)
    if not pairs or len(set(genes.values())) < len(pairs):
        raise EdgeFormatError(
            f"{path}: {len(pairs):,} rows name {len(set(genes.values())):,} genes; every gene "
            "needs one row and a number of its own."
        )
    return genes


def name_pairs(frame: pd.DataFrame, numbers: dict[int, str], path: Path) -> pd.DataFrame:
    """The table with gene names in the place of gene numbers."""
    named = {}
    for role in ("tf", "target"):
        named[role] = frame[role].map({str(number): name for number, name in numbers.items()})
        wrong = frame[role][named[role].isna()]
        if len(wrong):
            raise EdgeFormatError(
                f"{path}: {len(wrong):,} of {len(frame):,} {role} numbers are not in Target.csv, "
                f"whose numbers run from {min(numbers):,} to {max(numbers):,} "
                f"({list_names(wrong.unique())}). The file belongs to another gene list."
            )
    return frame.assign(**named)


def compare_networks(labels: pd.DataFrame, network: pd.DataFrame, folder: Path) -> None:
    """Announces a difference between Label.csv and the network file, here and in the report."""
    one = set(zip(labels["tf"], labels["target"], strict=True))
    other = set(zip(network["tf"], network["target"], strict=True))
    differing = {"only_in_labels": len(one - other), "only_in_network": len(other - one)}
    labels.attrs["report"] |= differing
    if any(differing.values()):
        logger.warning(
            f"{folder}: Label.csv and the network file differ: {len(one - other):,} edges stand "
            f"in Label.csv only, {len(other - one):,} in the network only; Label.csv counts"
        )
