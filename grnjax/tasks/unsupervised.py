"""From expression alone to a ranked network, by a method that learns from no known regulation.

Targets are scored block by block. A run folder keeps each block when it is done, so that a run that
was cut off goes on with the next one and ends with the same bits. Known edges, where there are any,
judge the ranking and never change it.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from grnjax.baselines.trees import find_varying
from grnjax.baselines.unsupervised import METHODS, UnsupervisedConfig
from grnjax.data.candidates import list_candidates
from grnjax.data.expression import DataConfig, Expression, read_expression
from grnjax.data.genes import mark_tfs, read_tf_list
from grnjax.data.label_matrix import row_of_tf
from grnjax.data.names import count_names, list_names
from grnjax.errors import ConfigError, GeneMismatchError, NonFiniteError
from grnjax.progress import logger, progress_bar
from grnjax.tasks.cross_fitting import CrossFitConfig, assign_folds
from grnjax.tasks.network_inference import judge_folds, trivial_out_of_fold
from grnjax.tasks.score_blocks import digest_run, read_block, write_block
from grnjax.types import Dataset, GeneTable

MOST_PAIRS = 50_000_000
BYTES_A_PAIR = 100  # of the table of edges while it is made


def infer_unsupervised(
    expression,
    tfs=None,
    method: str = "grnboost2",
    *,
    config: object | None = None,
    data: DataConfig | None = None,
    seed: int = 0,
    folder: str | Path | None = None,
) -> pd.DataFrame:
    """TF-target pairs by falling importance, from expression alone: columns tf, target, importance.

    These are the columns of arboreto and SCENIC; a pair that is not listed has an importance of 0.

    Args:
        expression: AnnData object, or the path of an .h5ad, .zarr, .parquet or text file.
        tfs: names or the path of a list; by default every gene may regulate, as in BEELINE.
        method: pearson, spearman, mutual-information, pidc, genie3 or grnboost2.
        config: settings of the method, such as `PIDCConfig(states="equal-width")`.
        folder: keeps what has been scored; the same call goes on from there. None keeps nothing.
    """
    genes, _ = load_genes(expression, tfs, data or DataConfig())
    scores = score_genes(genes, method, config, seed=seed, folder=folder)
    return rank_pairs(genes, scores)


def load_genes(expression, tfs, data: DataConfig) -> tuple[GeneTable, dict]:
    """The genes of an expression file and which of them may regulate, with a report."""
    names = list_tfs(tfs)
    return tabulate_genes(read_genes(expression, names, data), names)


def list_tfs(tfs) -> list[str] | None:
    """Names of TFs from names or from the path of a list; None for all genes."""
    if isinstance(tfs, (str, Path)):
        return read_tf_list(tfs)
    return None if tfs is None else list(map(str, tfs))


def read_genes(expression, reference: list[str] | set[str] | None, data: DataConfig) -> Expression:
    """The expression matrix; without names to tell genes from cells, AnnData has genes in var."""
    suffix = Path(expression).suffix if isinstance(expression, (str, Path)) else ".h5ad"
    if not reference and data.orientation == "auto" and suffix in (".h5ad", ".zarr"):
        data = dataclasses.replace(data, orientation="cells-by-genes")
    return read_expression(expression, data, set(reference or ()))


def tabulate_genes(expression: Expression, tfs: list[str] | None) -> tuple[GeneTable, dict]:
    """The measured genes as a table; every one may regulate unless `tfs` names those that may.

    The report counts and names the genes that no method can say anything about.
    """
    names, source = expression.genes, expression.report["source"]
    report = {
        "source": source,
        "genes": len(names),
        "cells": len(expression.values),
        "expression": expression.report,
    }
    is_tf = np.ones(len(names), bool)
    if tfs is not None:
        is_tf = mark_tfs(tfs, np.empty((0, 2), np.int64), names, source, report)
    report["tfs"] = int(is_tf.sum())
    genes = GeneTable(names, is_tf, expression.values, np.ones(len(names), bool))
    is_silent, varies = ~expression.values.any(axis=0), find_varying(genes)
    is_constant = ~is_silent & ~varies
    report["without_expression"] = count_names(names[is_silent])
    report["constant"] = count_names(names[is_constant])
    meanings = {
        "tfs_not_found": "TFs of the list that were not measured",
        "without_expression": "genes without expression in any cell, not ranked",
        "constant": "genes of the same expression in every cell, not ranked",
    }
    for key, meaning in meanings.items():
        count, first = report.get(key, {"count": 0, "first": []}).values()
        if count:
            logger.warning(f"{source}: {count:,} {meaning}: {', '.join(first)}")
    if varies.sum() < 2 or not varies[is_tf].any():
        raise GeneMismatchError(
            f"{source}: of {len(names):,} genes {varies.sum():,} differ between cells, "
            f"{varies[is_tf].sum():,} of them TFs; a network needs a TF and a target that "
            "do. Give more cells or another TF list."
        )
    return genes, report


def score_genes(
    genes: GeneTable,
    method: str,
    config: object | None = None,
    *,
    seed: int,
    folder: str | Path | None = None,
) -> Float[np.ndarray, "tf gene"]:
    """The method's score of every TF with every gene; 0 for self pairs and genes that do not vary.

    Args:
        folder: keeps each block of targets when it is done, and reads back those that it has.
    """
    config = choose_config(method, config)
    tfs, targets = genes.tfs, np.flatnonzero(find_varying(genes))
    refuse_many_pairs(len(tfs), len(targets))
    size = METHODS[method].targets_a_block or max(len(targets), 1)
    kept = None if folder is None else Path(folder) / "checkpoints" / method
    key = digest_run(genes, method, config, seed)
    scores = np.zeros((len(tfs), len(genes.names)), np.float32)
    with progress_bar(len(targets), f"inferring by {method}", unit="target") as bar:
        for first in range(0, len(targets), size):
            part = targets[first : first + size]
            path = kept and kept / f"{first:06d}.block"
            if path and path.exists():
                block = read_block(path, part, key)
            else:
                block = METHODS[method].score_targets(genes, part, config, seed=seed)
                refuse_non_finite(block, genes.names[part], method)
                if path:
                    write_block(path, block, part, key)
            scores[:, part] = block
            bar.update(len(part))
    return scores


def choose_config(method: str, config: object | None) -> object:
    """The settings given, if they are those of the method, else its default ones."""
    if method not in METHODS:
        raise ConfigError(f"There is no method {method!r}; choose one of {', '.join(METHODS)}.")
    default = METHODS[method].config
    if config is not None and not hasattr(UnsupervisedConfig, method.replace("-", "_")):
        raise ConfigError(f"{method} has no settings; leave out config.")
    if config is not None and type(config) is not type(default):
        raise ConfigError(
            f"{method} takes settings of the class {type(default).__name__}, not "
            f"{type(config).__name__}."
        )
    return default if config is None else config


def refuse_many_pairs(tfs: int, targets: int) -> None:
    """Refuses a table of edges that is larger than most memories."""
    if tfs * targets > MOST_PAIRS:
        raise ConfigError(
            f"{tfs:,} TFs and {targets:,} targets make {tfs * targets:,} pairs, a table of about "
            f"{tfs * targets * BYTES_A_PAIR / 1e9:,.0f} GB; name fewer TFs or fewer genes, for at "
            f"most {MOST_PAIRS:,} pairs."
        )


def refuse_non_finite(block: np.ndarray, targets: np.ndarray, method: str) -> None:
    """Raises on scores that cannot be ranked."""
    wrong = targets[~np.isfinite(block).all(axis=0)]
    if len(wrong):
        raise NonFiniteError(
            f"{method} gives scores that are not finite for {len(wrong):,} targets "
            f"({list_names(wrong)}); look at their expression, or choose another method."
        )


def rank_pairs(genes: GeneTable, scores: Float[np.ndarray, "tf gene"]) -> pd.DataFrame:
    """The pairs with a score above 0, best first, ties by TF and then target."""
    row, target = np.nonzero(scores > 0)
    importance = scores[row, target]
    order = np.lexsort((target, row, -importance))
    names = genes.names.astype(object)
    return pd.DataFrame(
        {
            "tf": names[genes.tfs[row[order]]],
            "target": names[target[order]],
            "importance": importance[order],
        }
    )


def judge_scores(
    dataset: Dataset,
    genes: GeneTable,
    scores: Float[np.ndarray, "tf gene"],
    method: str,
    *,
    seed: int,
    folds: int = 5,
) -> list[dict]:
    """Results rows: how known edges rank above the other pairs of their TFs, beside trivial rows.

    The trivial rows learn from known edges, so they are judged out of fold; the ranking is judged
    on the same folds. A pair of a gene that was not measured, or of a TF outside the list, has
    score 0.

    Args:
        dataset: what is known; its genes may be more than `genes`, and have the same names.
    """
    candidates = list_candidates(dataset)
    dealt = list(assign_folds(candidates, CrossFitConfig(members=1, folds=folds), seed))
    place = np.searchsorted(dataset.genes.names, genes.names)
    row = row_of_tf(place[genes.tfs], len(dataset.genes.names))[candidates.pairs[:, 0]]
    column = row_of_tf(place, len(dataset.genes.names))[candidates.pairs[:, 1]]
    of_candidates = np.where((row >= 0) & (column >= 0), scores[row, column], 0)
    rows = {method: of_candidates, **trivial_out_of_fold(dataset, candidates, dealt)}
    return judge_folds(candidates, rows, dealt)
