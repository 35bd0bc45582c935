"""Bulk expression sets with a gold standard, each in the layout in which it was published.

    ROOT/bsubtilis_bulk/            compendium of arrays and a genes x TFs table of edges
    ROOT/yeast_networks/            the same, but the expression is the user's own
    ROOT/ecoli_stress_timeseries/   three time courses in the ids of DREAM5's network 3
    ROOT/dream5_goldstandard/       its labelled pairs and its TFs
    ROOT/dream4_size100/            simulated experiments and labelled pairs of its networks
    ROOT/NAME/                      a set of your own, laid out as that of B. subtilis

A set's genes are those with expression. Edges of others cannot be inferred from these data; the
report counts them as `unknown`.
"""

import functools
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from grnjax.data.data_set import Published, PublishedSet
from grnjax.data.edges import clean_edges, read_edges
from grnjax.data.expression import DataConfig, Expression, read_expression
from grnjax.data.genes import build_dataset
from grnjax.data.tables import check_widths, find_file, parse_numbers, read_rows, read_text_matrix
from grnjax.data.tf_lists import read_tf_list
from grnjax.errors import ConfigError, EdgeFormatError, ExpressionFormatError
from grnjax.types import Dataset

STRESSES = ("cold", "heat", "oxidative")
EXPERIMENTS = ("knockouts", "knockdowns", "timeseries")
COMPENDIUM = ("expression.tsv", "gold_standard.tsv", "tf_names.tsv")
DREAM4 = "dream4_size100"


def load_bsubtilis(root: Path) -> Dataset:
    """B. subtilis: 266 arrays on a log scale; used by Arrieta-Ortiz et al. 2015."""
    return load_compendium(root / "bsubtilis_bulk", "bsubtilis")


def load_yeast(root: Path) -> Dataset:
    """Yeast's gold standard with an expression table that the user has put beside it."""
    folder = root / "yeast_networks"
    if folder.is_dir() and not find_file(folder, "expression.tsv"):
        raise ConfigError(
            f"{folder}: no expression.tsv or expression.tsv.gz. The yeast networks come without "
            "expression: put a table of genes (rows, systematic names such as YAL001C) x samples, "
            "on a log scale, there under that name."
        )
    return load_compendium(folder, "yeast")


def load_own(root: Path, name: str) -> Dataset:
    """A set of the user's own in a folder that is laid out as B. subtilis has it."""
    return load_compendium(root / name, name)


def load_compendium(folder: Path, source: str) -> Dataset:
    """expression.tsv, genes x samples on a log scale; gold_standard.tsv; TFs in tf_names.tsv."""
    edges = read_wide_edges(require_file(folder, "gold_standard.tsv"))
    tfs = read_tf_list(require_file(folder, "tf_names.tsv"))
    config = DataConfig(orientation="genes-by-cells", normalise="never", scaled=True)
    known = {*edges["tf"], *edges["target"]}
    expression = read_expression(require_file(folder, "expression.tsv"), config, known)
    return join_measured(expression, edges, tfs, source)


def load_ecoli(root: Path) -> Dataset:
    """E. coli under cold, heat and oxidative stress (GSE20305), labelled by DREAM5's network 3.

    The files hold linear intensities; the set has log2(1 + intensity).
    """
    folder, gold = root / "ecoli_stress_timeseries", root / "dream5_goldstandard"
    paths = [require_file(folder, f"{stress}stress.txt") for stress in STRESSES]
    samples = stack_samples(dict(zip(STRESSES, paths, strict=True)), numbered="time_points")
    edges = read_edges(require_file(gold, "coli_network.tsv"))
    tfs = read_tf_list(require_file(gold, "coli_transcription_factors.tsv"))
    return join_measured(take_samples(np.log2(1 + samples), edges), edges, tfs, "ecoli")


def load_dream4(root: Path, network: int | str) -> Dataset:
    """A network of 100 genes: knockouts, knockdowns and time series; any gene may regulate."""
    folder, stem = root / DREAM4, f"insilico_size100_{network}"
    paths = {kind: require_file(folder, f"{stem}_{kind}.tsv") for kind in EXPERIMENTS}
    edges = read_edges(require_file(folder, f"{stem}_goldstandard.tsv"))
    expression = take_samples(stack_samples(paths, numbered=None), edges)
    return join_measured(expression, edges, None, f"dream4-{network}")


class BulkSet(PublishedSet):
    """Bulk expression with its gold standard."""

    TITLE: ClassVar[str] = "Bulk expression and a gold standard"
    SETS: ClassVar[dict[str, Published]] = {
        "bsubtilis": Published(
            load_bsubtilis, "bsubtilis_bulk", "266 arrays, 4,218 genes, 239 TFs, 3,070 edges"
        ),
        "ecoli": Published(
            load_ecoli,
            "dream5_goldstandard",
            "82 arrays, 3,959 genes, 1,986 edges",
            expression="ecoli_stress_timeseries",
        ),
        **{
            f"dream4-{network}": Published(
                functools.partial(load_dream4, network=network),
                DREAM4,
                f"410 simulated arrays, 100 genes, {edges} edges",
            )
            for network, edges in ((1, 176), (2, 249), (3, 195))
        },
        "yeast": Published(load_yeast, "yeast_networks", "a gold standard; bring your own arrays"),
    }

    @classmethod
    def list_published(cls, root: Path) -> dict[str, Published]:
        """The sets above, and those of the root that are laid out like them."""
        found = dict(cls.SETS)
        if cls.SETS is not BulkSet.SETS or not root.is_dir():
            return found
        for path in sorted((root / DREAM4).glob("insilico_size100_*_goldstandard.tsv*")):
            network = path.name.split("_")[2]
            read, size = functools.partial(load_dream4, network=network), "simulated, 100 genes"
            found.setdefault(f"dream4-{network}", Published(read, DREAM4, size))
        known = {one.folder for one in cls.SETS.values()}
        for folder in sorted(root.iterdir()):
            if folder.name not in known and all(find_file(folder, x) for x in COMPENDIUM):
                read, size = (
                    functools.partial(load_own, name=folder.name),
                    "laid out like bsubtilis",
                )
                found.setdefault(folder.name, Published(read, folder.name, size))
        return found


def require_file(folder: Path, name: str) -> Path:
    """The file, plain or gzipped."""
    path = find_file(folder, name)
    if path is None:
        raise ConfigError(f"{folder}: no {name} or {name}.gz in it. Is the data root right?")
    return path


def read_wide_edges(path: Path) -> pd.DataFrame:
    """The edges of a genes x TFs table, where what is not zero is an edge with that sign."""
    matrix = read_text_matrix(path, EdgeFormatError)
    if not np.isfinite(matrix.values).all():
        raise EdgeFormatError(f"{path}: {(~np.isfinite(matrix.values)).sum():,} entries missing.")
    target, tf = np.nonzero(matrix.values)
    edges = pd.DataFrame(
        {
            "tf": np.array(matrix.columns, dtype=object)[tf],
            "target": np.array(matrix.rows, dtype=object)[target],
        }
    )
    signs = np.sign(matrix.values[target, tf]).astype(np.int8)
    if (signs < 0).any():  # a table of ones alone has no signs
        edges["sign"] = signs
    return clean_edges(edges, str(path))


def stack_samples(paths: dict[str, Path], numbered: str | None) -> pd.DataFrame:
    """The samples of several tables, [sample, gene], one below the other, joined by gene name.

    Args:
        paths: samples x genes each, by the word that names its samples.
        numbered: the heading of a column of time points before the genes; they start again with
            every replicate, so they name no sample. None for tables without one.
    """
    tables = []
    for word, path in paths.items():
        headings, *lines = read_rows(path, ExpressionFormatError)
        skipped = int(numbered is not None)
        if skipped and headings[0] != numbered:
            raise ExpressionFormatError(f"{path}: starts with {headings[0]!r}, not {numbered!r}.")
        genes = headings[skipped:]
        if len(set(genes)) < len(genes):
            raise ExpressionFormatError(f"{path}: {len(genes) - len(set(genes)):,} repeated genes.")
        samples = [f"{word} {number}" for number in range(1, len(lines) + 1)]
        lines = check_widths(lines, len(headings), path, ExpressionFormatError)
        values = [
            parse_numbers(fields[skipped:], path, sample, genes, ExpressionFormatError)
            for sample, fields in zip(samples, lines, strict=True)
        ]
        tables.append(pd.DataFrame(values, index=samples, columns=genes))
        if set(genes) != set(tables[0].columns):
            different = len(set(genes) ^ set(tables[0].columns))
            raise ExpressionFormatError(
                f"{path}: {different:,} genes differ from those of {next(iter(paths.values()))}."
            )
    return pd.concat(tables)


def take_samples(samples: pd.DataFrame, edges: pd.DataFrame) -> Expression:
    """The samples in canonical order, values as they are."""
    from anndata import AnnData  # slow to import

    config = DataConfig(orientation="cells-by-genes", normalise="never")
    return read_expression(AnnData(samples), config, {*edges["tf"], *edges["target"]})


def join_measured(
    expression: Expression, edges: pd.DataFrame, tfs: list[str] | None, source: str
) -> Dataset:
    """The set over the genes that were measured."""
    genes = expression.genes.tolist()
    return build_dataset(expression, edges, tfs=tfs, universe=genes, source=source)
