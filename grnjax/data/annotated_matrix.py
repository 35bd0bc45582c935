"""Which part of an AnnData object is the expression: its place, the names and kind of its columns.

Names are found, since that changes no number. Where X cannot be expression, the other places are
named with the flag that reads them: which one is meant is for the user to say.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.data.names import count_known, count_names, list_names
from grnjax.data.tables import NAMELESS, NamedMatrix, to_dense
from grnjax.errors import ExpressionFormatError, GeneMismatchError
from grnjax.progress import logger

if TYPE_CHECKING:  # its import costs half a second
    from anndata import AnnData

RAW = "raw"  # as a layer's name: .raw
TYPE_COLUMNS = ("feature_types", "feature_type", "modality")
GENE_TYPES = {"gene expression", "gene", "genes", "gex", "rna"}
OTHER_TYPES = {"antibody capture", "antibody", "adt", "protein", "crispr guide capture", "custom"}
ID_COLUMNS = ("gene_ids", "gene_id", "ensembl_id", "ensembl", "ensembl_ids", "accession", "id")
OTHER_TYPES |= {"peaks", "peak", "atac", "multiplexing capture", "antigen capture", "hto"}


def take_annotated_matrix(
    data: "AnnData", config: Any, path: str, reference: set[str]
) -> tuple[NamedMatrix, dict]:
    """The X, layer or .raw of an AnnData object, its genes alone, and a report of both.

    Rows are its obs, columns its var.

    Args:
        config: a `DataConfig`.
        reference: gene names of the network and the TF list, which columns of var may hold.
    """
    values, var, place = choose_place(data, config, path)
    if values.dtype.kind not in "biuf":
        raise ExpressionFormatError(f"{path}: {place} holds {values.dtype}, not numbers.")
    names, report = choose_names(data.obs_names, var, config, path, reference)
    keep = find_genes(var, path, report)
    if not keep.all():
        values, names = values[:, np.flatnonzero(keep)], list(np.array(names, object)[keep])
    matrix = NamedMatrix(to_dense(values), list(data.obs_names), names, about=data.obs)
    return matrix, {"place": place, **report}


def choose_place(data: "AnnData", config: Any, path: str) -> tuple[Any, pd.DataFrame, str]:
    """The values of X, or of what the settings name in its place, their var and what they are."""
    layers, raw = [name for name in data.layers if name], data.raw
    if config.layer in layers:
        return data.layers[config.layer], data.var, f"layer {config.layer}"
    if config.layer == RAW and raw is not None:
        return raw.X, raw.var, ".raw"
    if config.layer not in (None, "X"):
        there = [*layers, *([RAW] if raw is not None else [])]
        raise ExpressionFormatError(
            f"{path}: no layer {config.layer!r}; it has {list_names(there) or 'none'}."
        )
    places = {name: (data.layers[name], data.var) for name in layers}
    if raw is not None:
        places.setdefault(RAW, (raw.X, raw.var))
    wrong = describe_wrong(data.X, config)
    if wrong and places and config.layer is None:
        others = [
            f"--data.layer={name} ({len(var):,} genes, {describe_values(values)})"
            for name, (values, var) in places.items()
        ]
        own = ", or X itself with --data.scaled if that is meant" if "scaled" in wrong else ""
        raise ExpressionFormatError(f"{path}: X {wrong}. Read {' or '.join(others)}{own}.")
    if data.X is None:
        raise ExpressionFormatError(f"{path}: X is empty, and there are no layers and no .raw.")
    if raw is not None and raw.n_vars > data.n_vars:
        logger.info(
            f"{path}: X has {data.n_vars:,} genes and .raw {raw.n_vars:,}: --data.layer=raw reads "
            "those"
        )
    return data.X, data.var, "X"


def describe_wrong(values: Any, config: Any) -> str:
    """Why X cannot be expression; nothing if it can, or if X is meant to be scaled."""
    if values is None:
        return "is empty"
    entries = values.data if sparse.issparse(values) else np.asarray(values)
    if config.scaled or entries.dtype.kind not in "biuf":
        return ""
    if not entries.any():
        return "is zero everywhere"
    negative, missing = int((entries < 0).sum()), int((~np.isfinite(entries)).sum())
    if missing:
        return f"has {missing:,} values that are missing or infinite and {negative:,} negative ones"
    return f"is scaled: {negative:,} of its values are negative" if negative else ""


def describe_values(values: Any) -> str:
    """What a matrix holds, in words."""
    entries = values.data if sparse.issparse(values) else np.asarray(values)
    if entries.dtype.kind not in "biuf" or not entries.size:
        return "no numbers"
    least, most = entries.min(), entries.max()
    if not np.isfinite([least, most]).all() or least < 0:
        return "scaled values"
    is_whole = (entries == np.rint(entries)).all()
    return f"{'counts' if is_whole else 'values'} up to {most:.5g}"


def choose_names(
    cells: pd.Index, var: pd.DataFrame, config: Any, path: str, reference: set[str]
) -> tuple[list[str], dict]:
    """The names of the columns: of var_names, or of the column of var that has the known genes."""
    column = config.gene_column
    if column is None and not config.gene_names:
        column = find_name_column(cells, var, path, reference)
    elif column is not None and column not in var:
        raise ExpressionFormatError(
            f"{path}: .var has no column {column!r}; "
            f"it has {', '.join(map(str, var.columns)) or 'none'}."
        )
    ids, symbols = np.asarray(var.index, object), var.index if column is None else var[column]
    symbols = pd.Series(np.asarray(symbols, object))
    words = symbols.astype(str).str.strip().str.lower()
    is_nameless = (symbols.isna() | words.isin(NAMELESS)).to_numpy()
    if column is None:
        column = next((key for key in var if str(key).lower() in ID_COLUMNS), None)
        if column is None or is_nameless.sum() < 1 + (words[is_nameless] != "").all():
            return list(map(str, ids)), {}
        ids, column = var[column].to_numpy(object), "names"
    if is_nameless.any():
        logger.warning(
            f"{path}: {is_nameless.sum():,} genes without a name in .var column {column} keep "
            f"their ids: {list_names(ids[is_nameless])}"
        )
    names = np.where(is_nameless, ids, symbols.to_numpy())
    report = {"gene_column": column, "nameless": count_names(ids[is_nameless])}
    return list(map(str, names)), report


def find_name_column(
    cells: pd.Index, var: pd.DataFrame, path: str, reference: set[str]
) -> str | None:
    """The column of var that has ten times as many of the known genes as either index."""
    if not reference:
        return None
    text = [key for key in var if var[key].dtype.kind in "OSU" or var[key].dtype == "category"]
    text += [key for key in var if pd.api.types.is_string_dtype(var[key]) and key not in text]
    counts = {key: count_known(reference, var[key].astype(str).tolist()) for key in text}
    most = max(counts.values(), default=0)
    here = max(count_known(reference, list(map(str, x))) for x in (var.index, cells))
    if most <= 10 * here:
        return None
    best = [key for key in text if counts[key] == most]
    if any(not var[best[0]].astype(str).equals(var[key].astype(str)) for key in best):
        flags = " or ".join(f"--data.gene-column={key}" for key in best)
        raise GeneMismatchError(
            f"{path}: {here:,} of var_names are among the {len(reference):,} genes of network and "
            f"TF list, but {most:,} in each of {len(best)} columns of .var. Choose {flags}."
        )
    logger.warning(
        f"{path}: genes are named by .var column {best[0]}, which has {most:,} of "
        f"{len(reference):,} known genes, var_names {here:,} "
        f"(--data.gene-column={best[0]})"
    )
    return str(best[0])


def find_genes(var: pd.DataFrame, path: str, report: dict) -> np.ndarray:
    """Which columns are genes, and not antibodies, peaks or guides, by the types that var has."""
    everything = np.ones(len(var), dtype=bool)
    column = next((name for name in TYPE_COLUMNS if name in var), None)
    if column is None:
        return everything
    types = var[column].astype(str).str.strip()
    is_gene = types.str.lower().isin(GENE_TYPES).to_numpy()
    others = types.str.lower()[~is_gene]
    if is_gene.all() or not (is_gene.any() or others.isin(OTHER_TYPES).any()):
        return everything  # another meaning of the word, such as protein_coding
    counts = types[~is_gene].value_counts()
    shown = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    if not is_gene.any():
        raise ExpressionFormatError(
            f"{path}: no gene expression: .var column {column} has {shown}. Give the counts of RNA."
        )
    report["not_genes"] = counts.to_dict()
    logger.warning(f"{path}: left out, no gene expression by .var column {column}: {shown}")
    return is_gene
