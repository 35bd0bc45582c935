"""Networks written as other programs read them: SCENIC, BEELINE, decoupler and geneRNIB."""

import gzip
import io
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from grnjax.data.h5ad_output import encode_h5ad
from grnjax.data.tables import NEEDS_PYARROW
from grnjax.errors import ConfigError
from grnjax.progress import logger
from grnjax.storage.files import write_new

Layout = Literal["scenic", "beeline", "decoupler", "genernib"]
HEADINGS = {
    "scenic": ["TF", "target", "importance"],
    "beeline": ["Gene1", "Gene2", "EdgeWeight"],
    "decoupler": ["source", "target", "weight"],
    "genernib": ["source", "target", "weight"],
}
TEXT = (".csv", ".tsv", ".txt")
MOST_EDGES = 50_000  # what geneRNIB judges of a network


def write_layout(
    frame: pd.DataFrame,
    path: str | Path,
    layout: Layout,
    *,
    dataset_id: str = "unknown",
    method_id: str = "unknown",
) -> dict:
    """Writes edges under the headings of another program, and returns a report with counts.

    The suffix decides the kind of file: .csv, .tsv or .txt, each perhaps with .gz, .parquet, or
    .h5ad for geneRNIB. BEELINE's text is tab separated even where it is called .csv. Edges are
    sorted by absolute weight, ties by name. Without weights every edge weighs 1; a known sign
    becomes that of the weight, except for SCENIC, whose importances have none. SCENIC's tables
    leave out weights of 0, and geneRNIB's hold the 50,000 first edges.

    Args:
        frame: as `read_edges` returns them.
        path: the file to write.
        layout: whose headings.
        dataset_id: geneRNIB's name for the data set.
        method_id: geneRNIB's name for the method.

    Raises:
        ConfigError: the file has another suffix, or is there and holds something else, which stays.
    """
    path = Path(path)
    suffix = check_suffix(path, layout)
    table, report = arrange(frame, layout)
    if suffix == ".h5ad":
        content = encode_genernib(table, {"dataset_id": dataset_id, "method_id": method_id})
    elif suffix == ".parquet":
        content = encode_parquet(table, path)
    else:
        mark = "," if suffix == ".csv" and layout != "beeline" else "\t"
        content = table.to_csv(sep=mark, index=False, lineterminator="\n").encode()
        content = gzip.compress(content, mtime=0) if path.suffix == ".gz" else content
    write_new(path, content)
    counts = [f"{count:,} {what.replace('_', ' ')}" for what, count in report.items() if count]
    logger.info("%s: %s", path, ", ".join(counts))
    return report


def check_suffix(path: Path, layout: Layout) -> str:
    """The suffix that says what kind of file is asked for."""
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    kinds = (".h5ad",) if layout == "genernib" else (*TEXT, ".parquet")
    if suffix not in kinds or (path.suffix == ".gz" and suffix not in TEXT):
        raise ConfigError(
            f"{path}: layout {layout} is written as {', '.join(kinds)}"
            f"{'' if layout == 'genernib' else ' (the text ones also as .gz)'}; name the file so."
        )
    return suffix


def arrange(frame: pd.DataFrame, layout: Layout) -> tuple[pd.DataFrame, dict]:
    """The table with the headings of the layout, best edge first, and what was left out."""
    report = {}
    if "label" in frame:
        report["pairs_labelled_0_left_out"] = int((frame["label"] == 0).sum())
        frame = frame[frame["label"] == 1]
    weights = frame["weight"].to_numpy(np.float64) if "weight" in frame else np.ones(len(frame))
    if "sign" in frame:
        signs = frame["sign"].to_numpy()
        weights = np.where(signs == 0, weights, np.abs(weights) * signs)
    if layout == "scenic":
        report["signs_left_out"] = int((weights < 0).sum())
        weights = np.abs(weights)
    columns = [frame["tf"].to_numpy(object), frame["target"].to_numpy(object), weights]
    table = pd.DataFrame(dict(zip(HEADINGS[layout], columns, strict=True)))
    tf, target = (pd.Categorical(column).codes for column in columns[:2])
    table = table.iloc[np.lexsort((target, tf, -np.abs(weights)))]
    if layout == "scenic":
        report["weights_of_0_left_out"] = int((weights == 0).sum())
        table = table[table["importance"] > 0]
    if layout == "genernib":
        report["weaker_edges_left_out"] = max(0, len(table) - MOST_EDGES)
        table = table[:MOST_EDGES]
    return table.reset_index(drop=True), {"edges": len(table), **report}


def encode_parquet(table: pd.DataFrame, path: Path) -> bytes:
    """The table as the bytes of a parquet file."""
    content = io.BytesIO()
    try:
        table.to_parquet(content, engine="pyarrow", index=False)
    except ImportError as problem:
        raise ConfigError(f"{path}: {NEEDS_PYARROW}") from problem
    return content.getvalue()


def encode_genernib(table: pd.DataFrame, names: dict[str, str]) -> bytes:
    """The bytes of an AnnData file without cells; geneRNIB wants the weights as text."""
    import anndata

    table = table.assign(weight=table["weight"].map(repr).astype(object))
    return encode_h5ad(anndata.AnnData(uns={**names, "prediction": table}))
