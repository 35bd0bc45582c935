"""SCAD's folder of a drug: labelled bulk and single cells, whole or cut into folds.

    Source_exprs_resp_z.DRUG.tsv    of bulk: sample, response, ln IC50, genes
    Target_expr_resp_z.DRUG.tsv     of single cells: cell, response, genes
    stratified/source_5_folds/split1/{X,Y}_{train,val}_source.tsv
    stratified/target_5_folds/split1/{X,Y}_{train,test}_target.tsv

The tables or the folds suffice. Where there are folds, they are the ones that count.
"""

import dataclasses
from pathlib import Path

import numpy as np

from grnjax.data.drug_classes import ERROR, DrugPair, OwnFold, join_genes, parse_classes
from grnjax.data.names import list_names
from grnjax.data.tables import NamedMatrix, find_file, read_text_matrix

TABLES = {"source": "Source_exprs_resp_z", "target": "Target_expr_resp_z"}
HELD = {"source": "val", "target": "test"}


def find_drugs(folder: Path) -> list[Path]:
    """The folder if it is a drug's, else those of drugs in it, by name."""
    homes = (folder, *sorted(path for path in folder.glob("*") if path.is_dir()))
    found = [home for home in homes if list_splits(home, "source") or find_table(home, "source")]
    return found[:1] if folder in found else found


def find_table(folder: Path, domain: str) -> Path | None:
    """The table of all genes; those of chosen ones have longer names."""
    found = folder.glob(f"{TABLES[domain]}.*.tsv*")
    return min(found, key=lambda path: (len(path.name), path.name), default=None)


def list_splits(folder: Path, domain: str) -> list[Path]:
    """The folds of a domain, in their order."""
    home = folder / "stratified" / f"{domain}_5_folds"
    return sorted(home.glob("split*"), key=lambda path: (len(path.name), path.name))


def read_scad(folder: Path) -> DrugPair:
    """One drug, over the genes that bulk and single cells have in common.

    Raises:
        ExpressionFormatError: a file is missing or cannot be read, or folds do not fit the rows.
        GeneMismatchError: fewer than ten genes in common.
    """
    bulk, labels = read_domain(folder, "source")
    cells, cell_labels = read_domain(folder, "target")
    ours, theirs = join_genes(bulk.columns, cells.columns, folder)
    return DrugPair(
        folder.name,
        bulk.values[:, ours],
        parse_classes(labels, f"{folder}, bulk"),
        cells.values[:, theirs],
        parse_classes(cell_labels, f"{folder}, cells"),
        np.arange(len(cells.rows)),
        tuple(read_folds(folder, bulk.rows, cells.rows)),
    )


def read_domain(folder: Path, domain: str) -> tuple[NamedMatrix, np.ndarray]:
    """Expression of bulk samples or of single cells, and the response of each."""
    path = find_table(folder, domain)
    if path is not None:
        found = read_text_matrix(path, ERROR, rows_have_names=False)
        first = 2 if "ic50" in found.columns[1].lower() else 1
        genes, labels = found.columns[first:], found.values[:, 0]
        matrix = dataclasses.replace(found, values=found.values[:, first:], columns=genes)
    elif splits := list_splits(folder, domain):
        parts = [read_part(splits[0], part, domain) for part in ("train", HELD[domain])]
        (matrix, labels), (held, of_held) = parts
        if held.columns != matrix.columns:
            raise ERROR(f"{splits[0]}: the parts of {domain} have different genes.")
        values, rows = np.concatenate([matrix.values, held.values]), matrix.rows + held.rows
        matrix = dataclasses.replace(matrix, values=values, rows=rows)
        labels = np.concatenate([labels, of_held])
    else:
        raise ERROR(f"{folder}: no {TABLES[domain]}.*.tsv and no stratified/{domain}_5_folds.")
    if len({*matrix.rows}) < len(matrix.rows):
        count = len(matrix.rows) - len({*matrix.rows})
        raise ERROR(f"{folder}: {count:,} of {len(matrix.rows):,} rows of {domain} repeat a name.")
    return matrix, labels


def read_part(split: Path, part: str, domain: str) -> tuple[NamedMatrix, np.ndarray]:
    """Rows of one part of a fold, and their responses, joined by name."""
    matrix = read_fold_file(split, f"X_{part}_{domain}.tsv")
    told = read_fold_file(split, f"Y_{part}_{domain}.tsv")
    of_row = dict(zip(told.rows, told.values[:, 0], strict=True))
    if {*of_row} != {*matrix.rows}:
        raise ERROR(f"{split}: X and Y of {part} are of different rows.")
    return matrix, np.array([of_row[name] for name in matrix.rows])


def read_fold_file(split: Path, name: str) -> NamedMatrix:
    """A table of a fold."""
    path = find_file(split, name)
    if path is None:
        raise ERROR(f"{split}: no {name}.")
    return read_text_matrix(path, ERROR, rows_have_names=False)


def read_folds(folder: Path, bulk: list[str], cells: list[str]) -> list[OwnFold]:
    """The folds of a folder, as places among bulk samples and cells; none where it has none."""
    source, target = (list_splits(folder, domain) for domain in TABLES)
    if len(source) != len(target):
        raise ERROR(f"{folder}: {len(source)} folds of bulk and {len(target)} of single cells.")
    found = []
    for ours, theirs in zip(source, target, strict=True):
        parts = (ours, "train_source", bulk), (theirs, "train_target", cells)
        places = [place_rows(*part) for part in (*parts, (theirs, "test_target", cells))]
        found.append(OwnFold(*places))
    return found


def place_rows(split: Path, part: str, names: list[str]) -> np.ndarray:
    """Where the rows of a part of a fold are."""
    place = {name: at for at, name in enumerate(names)}
    rows = read_fold_file(split, f"Y_{part}.tsv").rows
    if absent := [name for name in rows if name not in place]:
        raise ERROR(
            f"{split}: {len(absent):,} of {len(rows):,} rows are not in the folder's tables: "
            f"{list_names(absent)}."
        )
    return np.array([place[name] for name in rows])
