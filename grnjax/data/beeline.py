"""BEELINE and GENELink folders, and the train, validation and test pairs published with them.

GENELink's files name genes by number. The numbers are those of the `index` column of the same
folder's Target.csv, never row numbers, and each kind of network has its own order.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.data.edges import read_edges
from grnjax.data.names import list_names, match_names
from grnjax.data.tables import read_rows
from grnjax.errors import EdgeFormatError, GeneMismatchError, SplitError
from grnjax.progress import logger
from grnjax.types import Dataset, LabelledPairs, Split

NETWORK_FILES = ("BL--network.csv", "GroundTruthNetwork.csv", "refNetwork.csv")
EXPRESSION_FILES = ("BL--ExpressionData.csv", "ExpressionData.csv")
PARTS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True, eq=False)
class BeelineFolder:
    """What a folder holds, by name."""

    genes: list[str] | None  # as Target.csv lists them; None for a folder without one
    tfs: list[str] | None  # TF.csv; None for a folder without one
    edges: pd.DataFrame  # as `read_edges` returns them
    expression: Path | None
    splits: Path | None  # the folder itself, if Train_set.csv stands in it
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
        genes=list(numbers.values()) or None,
        tfs=list(tfs.values()) or None,
        edges=edges,
        expression=find_file(folder, *EXPRESSION_FILES),
        splits=folder if find_file(folder, "Train_set.csv") else None,
        numbers=numbers,
    )


def find_file(folder: Path, *names: str) -> Path | None:
    """The first of the files that is there, plain or gzipped."""
    candidates = (folder / (name + suffix) for name in names for suffix in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)


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
        if len(fields) != len(headings) or not fields[number].isdecimal():
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


def read_splits(folder: str | Path, beeline: BeelineFolder, dataset: Dataset) -> Split:
    """The published train, validation and test pairs as gene indices of the data set.

    A missing validation set is what the other two leave of the pairs (TFs of the files) x (all
    genes but the TF itself), labelled by the network of the folder.
    """
    folder = Path(folder)
    if not beeline.numbers:
        raise EdgeFormatError(f"{folder}: split files need the Target.csv that numbers the genes.")
    paths = {part: find_file(folder, f"{part.capitalize()}_set.csv") for part in PARTS}
    for part in ("train", "test"):
        if paths[part] is None:
            raise EdgeFormatError(f"{folder}: no {part.capitalize()}_set.csv (or .csv.gz).")

    place = place_genes(beeline, dataset)
    size = len(dataset.genes.names)
    network = beeline.edges
    if "label" in network:
        network = network[network["label"] == 1]
    edges = encode(network, place, size)
    parts = {}
    for part, path in paths.items():
        if path is not None:
            frame = read_part(path, beeline.numbers)
            codes = encode(frame, place, size)
            check_labels(codes, frame["label"].to_numpy(), edges, path)
            parts[part] = np.sort(codes)
    if "validation" not in parts:
        genes = np.array(list(place.values()))
        parts["validation"] = find_rest(np.concatenate([*parts.values()]), genes, size)
        logger.info(
            f"{folder}: no Validation_set.csv; the {len(parts['validation']):,} pairs outside "
            "train and test are taken"
        )
    check_parts(parts, edges, folder)
    labelled = {part: label_pairs(codes, edges, size) for part, codes in parts.items()}
    return Split(**labelled, kind="published", draw=0)


def read_part(path: Path, numbers: dict[int, str]) -> pd.DataFrame:
    """The pairs of a split file by name, with their labels."""
    frame = name_pairs(read_edges(path), numbers, path)
    if "label" not in frame:
        raise EdgeFormatError(f"{path}: no column Label.")
    for what in ("duplicates", "self_loops"):
        count = frame.attrs["report"][what]
        if count:
            logger.warning(f"{path}: {count:,} {what.replace('_', ' ')} dropped")
    return frame


def find_rest(used: np.ndarray, genes: np.ndarray, size: int) -> np.ndarray:
    """The codes of all pairs of the TFs in use with other genes that are not used themselves."""
    tfs = np.unique(used // size)
    every = (tfs[:, None] * size + genes).ravel()
    return np.setdiff1d(every[every // size != every % size], used)


def place_genes(beeline: BeelineFolder, dataset: Dataset) -> dict[str, int]:
    """The index of every gene of Target.csv in the data set."""
    match = match_names(beeline.genes, dataset.genes.names.tolist())
    absent = [name for name, at in zip(beeline.genes, match.positions, strict=True) if at < 0]
    if absent:
        raise GeneMismatchError(
            f"{len(absent):,} of {len(beeline.genes):,} genes of Target.csv are not in the data "
            f"set ({list_names(absent)}). Build it with the gene list of the same folder."
        )
    return dict(zip(beeline.genes, match.positions.tolist(), strict=True))


def encode(frame: pd.DataFrame, place: dict[str, int], size: int) -> np.ndarray:
    """One whole number a pair: TF index x number of genes + target index."""
    known = frame[frame["tf"].isin(place) & frame["target"].isin(place)]
    return (known["tf"].map(place) * size + known["target"].map(place)).to_numpy(np.int64)


def label_pairs(codes: np.ndarray, edges: np.ndarray, size: int) -> LabelledPairs:
    """The pairs behind the codes, labelled 1 where the network has the edge."""
    pairs = np.stack([codes // size, codes % size], axis=1).astype(np.int32)
    return LabelledPairs(pairs, np.isin(codes, edges).astype(np.float32))


def check_labels(codes: np.ndarray, labels: np.ndarray, edges: np.ndarray, path: Path) -> None:
    """Refuses labels that contradict the network of the folder."""
    is_edge = np.isin(codes, edges)
    invented, denied = int((labels > is_edge).sum()), int((labels < is_edge).sum())
    if invented or denied:
        raise SplitError(
            f"{path}: {invented:,} pairs labelled 1 are no edges of the folder's network, and "
            f"{denied:,} labelled 0 are. The split belongs to another network, or is damaged."
        )


def check_parts(parts: dict[str, np.ndarray], edges: np.ndarray, folder: Path) -> None:
    """Refuses pairs in two parts, and parts without both classes."""
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        shared = len(np.intersect1d(parts[one], parts[other]))
        if shared:
            raise SplitError(
                f"{folder}: {shared:,} pairs are in {one} and in {other}; a pair may be in one "
                "part only."
            )
    for part, codes in parts.items():
        positives = int(np.isin(codes, edges).sum())
        for what, count in (("positives", positives), ("negatives", len(codes) - positives)):
            if not count:
                raise SplitError(
                    f"{folder}: no {what} in {part} ({len(codes):,} pairs); "
                    "its scores cannot be judged."
                )
