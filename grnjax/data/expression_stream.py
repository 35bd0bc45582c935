"""Expression too large for memory: looked through once, and then left in its file.

What `read_expression` does with a matrix in memory is done here by chunks of cells: the same names,
checks, messages and report, and the same scale. Only cells keep the order of the file.
"""

import contextlib
import weakref
from pathlib import Path

import numpy as np

from grnjax.data.annotated_matrix import choose_names, find_genes
from grnjax.data.canonical import find_repeats
from grnjax.data.cell_rows import CellRows, open_rows
from grnjax.data.cell_stream import CellStream
from grnjax.data.expression import (
    DataConfig,
    Expression,
    describe_genes,
    describe_values,
    find_orientation,
    follow_hints,
    log_report,
    read_expression,
)
from grnjax.data.expression_matrix import are_summaries, drop_others, rename_genes
from grnjax.data.expression_survey import survey_cells
from grnjax.data.names import check_genes, list_names
from grnjax.data.rewritings import warn_of_dates
from grnjax.data.safe_hdf5 import allow
from grnjax.data.sniff import identify
from grnjax.data.tables import NamedMatrix
from grnjax.errors import ExpressionFormatError
from grnjax.progress import logger

MOST_IN_MEMORY = 2**28
"""Values, cells times genes, up to which expression is read into memory unless asked otherwise."""


def open_expression(
    source,
    config: DataConfig,
    reference: set[str],
    *,
    hints: set[str] | None = None,
    may_stream: bool,
) -> Expression:
    """Expression as `read_expression` gives it; its values are a `CellStream` where it is large.

    Args:
        source: as `read_expression` takes it; an .h5ad file or an AnnData object can be streamed.
        may_stream: whether nothing that is to come reads single cells.

    Raises:
        ConfigError: it is to be streamed, and cannot be.
    """
    is_wanted = config.stream == "always" and is_annotated(source)
    is_asked = is_wanted or (config.stream == "auto" and may_be_large(source))
    if may_stream and is_asked:
        with contextlib.ExitStack() as stack:
            name = str(source) if isinstance(source, (str, Path)) else "AnnData object"
            rows = stack.enter_context(open_rows(source, layer=config.layer, name=name))
            if is_wanted or len(rows) * len(rows.var) > MOST_IN_MEMORY:
                found = stream_rows(rows, config, reference, hints)
                if found is not None:
                    weakref.finalize(rows, stack.pop_all().close)
                    return found
    return read_expression(source, config, reference, hints=hints)


def is_annotated(source) -> bool:
    """Whether it is AnnData, in memory or in a file."""
    if isinstance(source, (str, Path)):
        return identify(source, ExpressionFormatError).kind == "hdf5"
    return all(hasattr(source, part) for part in ("obs", "var", "X")) and not hasattr(source, "mod")


def may_be_large(source) -> bool:
    """Whether it is AnnData of more values than are read into memory, as far as its size tells."""
    if not is_annotated(source):
        return False
    if isinstance(source, (str, Path)):
        return allow(Path(source).stat().st_size) > 4 * MOST_IN_MEMORY
    return source.n_obs * source.n_vars > MOST_IN_MEMORY


def stream_rows(
    rows: CellRows, config: DataConfig, reference: set[str], hints: set[str] | None
) -> Expression | None:
    """The expression, looked through; None where the genes stand in the rows."""
    path = rows.name
    names, report = choose_names(
        rows.obs.index, rows.var, config, path, reference or hints or set()
    )
    report = {"source": path, "format": "h5ad", "place": config.layer or "X", **report}
    measured = np.flatnonzero(find_genes(rows.var, path, report))
    named = NamedMatrix(
        np.zeros((0, 0)), list(map(str, rows.obs.index)), [names[i] for i in measured]
    )
    if config.gene_names:
        named, report["renamed"] = rename_genes(named, config.gene_names, path)
    if not reference and hints and config.orientation == "auto":
        config = follow_hints(named, config, hints, path)
    if find_orientation(named, config, reference, path, report):
        logger.info(f"{path}: the genes stand in the rows, so that all is read into memory")
        return None
    genes, columns = list_genes(named, measured, path, report)
    _, place, count = np.unique(genes, return_inverse=True, return_counts=True)
    is_repeated = count[place] > 1
    survey = survey_cells(
        rows,
        config,
        is_cell=find_cells(named.rows, path),
        measured=measured,
        once=columns[~is_repeated],
        repeated=columns[is_repeated],
    )
    if not survey.is_kept.any():
        raise ExpressionFormatError(f"{path}: all {len(rows):,} cells are zero everywhere.")
    is_dropped, report["duplicate_genes"] = find_repeats(survey.repeated, genes[is_repeated])
    survey.add_genes(survey.repeated[:, ~is_dropped])
    columns = np.delete(columns, np.flatnonzero(is_repeated)[is_dropped])
    genes = np.delete(genes, np.flatnonzero(is_repeated)[is_dropped])
    order = np.argsort(genes)
    report["zero_cells"] = survey.zero_cells
    totals = survey.totals[survey.is_kept]
    describe_values(report, config, is_whole=survey.is_whole, largest=survey.largest, totals=totals)
    describe_genes(report, genes, len(totals))
    report["streamed"] = True
    log_report(path, report, config)
    stream = CellStream(
        rows=rows,
        columns=columns[order],
        is_kept=survey.is_kept,
        totals=survey.totals if report["normalised"] else None,
        content=survey.content,
    )
    logger.info(f"{path}: read in chunks of cells, as nothing here reads single ones")
    about = rows.obs[survey.is_kept].set_axis(np.array(named.rows)[survey.is_kept], axis=0)
    return Expression(stream, genes[order], report, about)


def list_genes(
    named: NamedMatrix, measured: np.ndarray, path: str, report: dict
) -> tuple[np.ndarray, np.ndarray]:
    """The names of the columns that are genes, and where in the file they stand."""
    warn_of_dates(named.columns, path)
    places, genes = drop_others(measured[None], np.array(named.columns, dtype=str), path, report)
    check_genes(genes.tolist(), path, ExpressionFormatError)
    if not len(named.rows):
        raise ExpressionFormatError(
            f"{path}: no cells and {len(genes):,} genes, so there is no expression. Check the "
            "filter that wrote the file."
        )
    return genes, places[0]


def find_cells(names: list[str], path: str) -> np.ndarray:
    """Mask of the rows that are cells and no sums, which are named."""
    is_summary = are_summaries(names)
    if not is_summary.any() or is_summary.all():
        return np.ones(len(names), bool)
    logger.warning(
        f"{path}: left out: {is_summary.sum():,} sums by their names, no cells: "
        f"{list_names(np.array(names)[is_summary])}"
    )
    return ~is_summary
