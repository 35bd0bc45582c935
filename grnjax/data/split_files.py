"""Train, validation and test pairs as GENELink and its successors publish them.

Train_set.csv, Test_set.csv and perhaps Validation_set.csv name genes by their number in the
Target.csv of the network they were drawn from. Labels are those of that network, and no pair is
in two parts; files that break this are refused, but for one damage that is common: the sets of
Non-Specific networks repeat train pairs among the test pairs, labelled 0.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.data.beeline import BeelineFolder, name_pairs
from grnjax.data.edges import read_edges
from grnjax.data.names import list_names, match_names
from grnjax.data.tables import find_file
from grnjax.errors import EdgeFormatError, GeneMismatchError, SplitError
from grnjax.progress import logger
from grnjax.types import Dataset, LabelledPairs, Split, SplitProtocol

PARTS = ("train", "validation", "test")
SAMPLE = re.compile(r"sample(\d+)")
LEAST_LISTED = 0.5  # of all pairs of the TFs: with fewer in train and test, the rest is no set
HOLD_OUT_EVERY = 5


def list_split_folders(folder: Path) -> list[Path]:
    """Where published pairs stand, one a draw: in the folder, or in its sample1, sample2, ..."""
    if find_file(folder, "Train_set.csv"):
        return [folder]
    if not folder.is_dir():
        return []
    samples = (path for path in folder.iterdir() if SAMPLE.fullmatch(path.name) and path.is_dir())
    return sorted(samples, key=read_draw)


def read_draw(folder: Path) -> int:
    """The draw by the name of a folder: K for sampleK, otherwise 0."""
    sample = SAMPLE.fullmatch(folder.name)
    return int(sample[1]) if sample else 0


def read_splits(
    folder: str | Path,
    beeline: BeelineFolder,
    dataset: Dataset,
    protocol: SplitProtocol = "corrected",
) -> Split:
    """The published pairs as gene indices of the data set, each part sorted by TF and target.

    A missing validation set is made by `make_validation`. What was dropped or made is logged, and
    added to the report of the data set.

    Args:
        folder: where Train_set.csv and Test_set.csv stand, plain or gzipped.
        beeline: the folder of the network that the pairs were drawn from.
        dataset: the genes of that folder.
        protocol: "corrected" drops test pairs that train or validate as well. "as-published" keeps
            them with the label of the file, even where it contradicts the network.
    """
    folder = Path(folder)
    if not beeline.numbers:
        raise EdgeFormatError(f"{folder}: split files need the Target.csv that numbers the genes.")
    place, size = place_genes(beeline, dataset), len(dataset.genes.names)
    edges = encode_edges(beeline, place, size)
    paths = find_parts(folder)
    parts = {part: read_part(path, beeline.numbers, place, size) for part, path in paths.items()}
    report = {"protocol": protocol, "validation": "published"}
    is_shared = find_shared(parts)
    for part, labels in parts.items():
        check_labels(labels[~is_shared] if part == "test" else labels, edges, paths[part])
    if "validation" not in parts:
        genes = np.array(list(place.values()))
        report["validation"] = make_validation(parts, genes, edges, size, folder)
    if is_shared.any():
        report |= count_shared(parts["test"], is_shared, edges, folder, protocol)
        if protocol == "corrected":
            parts["test"] = parts["test"][~is_shared]
    check_parts(parts, folder)
    dataset.report.setdefault("published_splits", {})[str(folder)] = report
    pairs = {part: decode(parts[part], size) for part in PARTS}
    is_overlapping = protocol == "as-published" and is_shared.any()
    kind = "published, overlapping" if is_overlapping else "published"
    return Split(**pairs, kind=kind, draw=read_draw(folder))


def find_parts(folder: Path) -> dict[str, Path]:
    """The files of the parts that are there; train and test must be."""
    paths = {part: find_file(folder, f"{part.capitalize()}_set.csv") for part in PARTS}
    for part in ("train", "test"):
        if paths[part] is None:
            raise EdgeFormatError(f"{folder}: no {part.capitalize()}_set.csv (or .csv.gz).")
    return {part: path for part, path in paths.items() if path is not None}


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


# A pair is one whole number here, TF index x number of genes + target index, and a part is the
# series of its labels by pair, ascending.


def encode(frame: pd.DataFrame, place: dict[str, int], size: int) -> np.ndarray:
    """The number of each pair whose genes are in Target.csv."""
    known = frame[frame["tf"].isin(place) & frame["target"].isin(place)]
    return (known["tf"].map(place) * size + known["target"].map(place)).to_numpy(np.int64)


def encode_edges(beeline: BeelineFolder, place: dict[str, int], size: int) -> np.ndarray:
    """The numbers of the edges of the network."""
    network = beeline.edges
    if "label" in network:
        network = network[network["label"] == 1]
    return encode(network, place, size)


def decode(part: pd.Series, size: int) -> LabelledPairs:
    """The pairs and labels of a part."""
    codes = part.index.to_numpy()
    pairs = np.stack([codes // size, codes % size], axis=1).astype(np.int32)
    return LabelledPairs(pairs, part.to_numpy(np.float32))


def read_part(path: Path, numbers: dict[int, str], place: dict[str, int], size: int) -> pd.Series:
    """The labels of a split file by pair."""
    frame = name_pairs(read_edges(path), numbers, path)
    if "label" not in frame:
        raise EdgeFormatError(f"{path}: no column Label.")
    for what in ("duplicates", "self_loops"):
        count = frame.attrs["report"][what]
        if count:
            logger.warning(f"{path}: {count:,} {what.replace('_', ' ')} dropped")
    return pd.Series(frame["label"].to_numpy(), index=encode(frame, place, size)).sort_index()


def find_shared(parts: dict[str, pd.Series]) -> np.ndarray:
    """Which of the test pairs are in another part as well."""
    others = [labels.index for part, labels in parts.items() if part != "test"]
    return parts["test"].index.isin(np.concatenate(others))


def count_shared(
    test: pd.Series, is_shared: np.ndarray, edges: np.ndarray, folder: Path, protocol: SplitProtocol
) -> dict[str, int]:
    """How many test pairs train or validate as well, and how many of those are denied edges."""
    shared = test[is_shared]
    denied = int((shared < shared.index.isin(edges)).sum())
    action = "dropped" if protocol == "corrected" else "kept, as published"
    logger.warning(
        f"{folder}: {len(shared):,} of {len(test):,} test pairs are also in train or validation, "
        f"{action} ({denied:,} of them positives there and labelled 0 in test)"
    )
    return {
        "test_pairs_also_in_train_or_validation": len(shared),
        "of_these_edges_labelled_0": denied,
    }


def make_validation(
    parts: dict[str, pd.Series], genes: np.ndarray, edges: np.ndarray, size: int, folder: Path
) -> str:
    """Adds a validation set to the parts and says what it is.

    Where train and test list most pairs (their TFs x all genes), the rest was the validation set,
    which some authors leave out; its labels are those of the network. Balanced sets list only
    some negatives, and the rest of those is no set of anybody's: then every fifth train pair, in
    the order of label, TF and target, moves to validation.
    """
    used = np.union1d(parts["train"].index, parts["test"].index)
    rest = find_rest(used, genes, size)
    every = len(used) + len(rest)
    if len(used) >= LEAST_LISTED * every:
        parts["validation"] = pd.Series(np.isin(rest, edges).astype(np.int8), index=rest)
        logger.info(
            f"{folder}: no Validation_set.csv; the {len(rest):,} pairs outside train and test "
            "are taken"
        )
        return "the pairs outside train and test"
    train = parts["train"]
    order = np.lexsort((train.index, train))
    held_out = np.sort(order[HOLD_OUT_EVERY - 1 :: HOLD_OUT_EVERY])
    parts["validation"] = train.iloc[held_out]
    parts["train"] = train.drop(train.index[held_out])
    logger.warning(
        f"{folder}: no Validation_set.csv, and train and test list only {len(used):,} of the "
        f"{every:,} pairs of their TFs; {len(held_out):,} of {len(train):,} train pairs validate"
    )
    return f"every {HOLD_OUT_EVERY}th train pair"


def find_rest(used: np.ndarray, genes: np.ndarray, size: int) -> np.ndarray:
    """The numbers of all pairs of the TFs in use with other genes that are not used themselves."""
    tfs = np.unique(used // size)
    every = (tfs[:, None] * size + genes).ravel()
    return np.setdiff1d(every[every // size != every % size], used)


def check_labels(labels: pd.Series, edges: np.ndarray, path: Path) -> None:
    """Refuses labels that contradict the network of the folder."""
    is_edge = labels.index.isin(edges)
    invented, denied = int((labels > is_edge).sum()), int((labels < is_edge).sum())
    if invented or denied:
        raise SplitError(
            f"{path}: {invented:,} pairs labelled 1 are no edges of the folder's network, and "
            f"{denied:,} labelled 0 are. The split belongs to another network, or is damaged."
        )


def check_parts(parts: dict[str, pd.Series], folder: Path) -> None:
    """Refuses pairs that train and validate, and parts without both classes."""
    shared = parts["train"].index.intersection(parts["validation"].index)
    if len(shared):
        raise SplitError(
            f"{folder}: {len(shared):,} pairs are in train and in validation; a pair may be in "
            "one of them only."
        )
    for part, labels in parts.items():
        positives = int(labels.sum())
        for what, count in (("positives", positives), ("negatives", len(labels) - positives)):
            if not count:
                raise SplitError(
                    f"{folder}: no {what} in {part} ({len(labels):,} pairs); "
                    "its scores cannot be judged."
                )
