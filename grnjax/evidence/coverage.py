"""Which genes of a run a source has something of, joined by name."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from grnjax.data.names import count_names, identifier_kind, list_names, match_names
from grnjax.data.rewritings import warn_of_dates
from grnjax.errors import ConfigError, GeneMismatchError


@dataclasses.dataclass(frozen=True, eq=False)
class Coverage:
    """Where the genes of a run stand in a source, and those of the source in the run."""

    covered: Bool[np.ndarray, " gene"]  # whether the source has something of the gene
    positions: Int[np.ndarray, " gene"]  # among the names of the source, -1 for one it lacks
    index: dict[str, int]  # of each gene of the run, by its name in the source
    report: dict  # the entries that every reader reports in the same words


def cover_genes(
    in_source: Sequence[str],
    names: np.ndarray,
    tfs: np.ndarray,
    path: str | Path,
    *,
    has_values: Bool[np.ndarray, " name"] | None = None,
) -> Coverage:
    """The genes of the run among those of a source; an error where it has none of them.

    Args:
        in_source: the gene names of the source, each once.
        has_values: which names of the source it says something of; None for all.
    """
    if has_values is None:
        has_values = np.ones(len(in_source), dtype=bool)
    match = match_names(names.tolist(), in_source)
    places = np.flatnonzero(match.positions >= 0)
    covered = np.zeros(len(names), dtype=bool)
    covered[places] = has_values[match.positions[places]]
    if not covered.any():
        known = [name for name, has in zip(in_source, has_values, strict=True) if has]
        raise GeneMismatchError(
            f"{path}: it has nothing of the {len(names):,} genes of the run ({list_names(names)}: "
            f"{identifier_kind(names)}) among its {len(known):,} ({list_names(known)}: "
            f"{identifier_kind(known)}). Give a file of the same species and kind of gene name."
        )
    index = {in_source[match.positions[gene]]: int(gene) for gene in places}
    report = {
        "source": str(path),
        "found": int(covered.sum()),
        "absent": count_names(names[~covered]),
        "outside_the_run": count_names(sorted(set(in_source) - index.keys())),
        "tfs_found": int(covered[tfs].sum()),
        "case_rule": match.rule,
        "case_ambiguous": count_names(sorted(match.ambiguous)),
    }
    report |= match.report(path)
    warn_of_dates(in_source, path)
    return Coverage(covered, match.positions, index, report)


def place_rows(
    table: Float[np.ndarray, "row dim"],
    rows: Sequence[str],
    names: np.ndarray,
    tfs: np.ndarray,
    path: str | Path,
) -> tuple[Float[np.ndarray, "gene dim"], Coverage]:
    """The rows of a table in the gene order of the run, NaN for genes that it does not cover.

    A row of missing values alone covers nothing.
    """
    repeated = pd.Index(rows)[pd.Index(rows).duplicated()].unique()
    if len(repeated):
        raise ConfigError(
            f"{path}: {len(repeated):,} genes have several rows ({list_names(repeated)}). "
            "Keep one row a gene."
        )
    has_values = ~np.isnan(table).all(axis=1)
    coverage = cover_genes(rows, names, tfs, path, has_values=has_values)
    placed = np.full((len(names), table.shape[1]), np.nan)
    placed[coverage.covered] = table[coverage.positions[coverage.covered]]
    return placed, coverage
