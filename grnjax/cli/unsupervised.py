"""`grnjax infer` by a method that needs expression alone; known edges only judge its ranking."""

import dataclasses
import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from grnjax.cli.run_folder import enter_run
from grnjax.data.edges import read_edges
from grnjax.data.genes import build_dataset
from grnjax.errors import ConfigError
from grnjax.evaluation.report import format_table, summarise
from grnjax.storage.files import write_json
from grnjax.tasks.loading import load_embedded
from grnjax.tasks.record import describe_environment, write_network
from grnjax.tasks.unsupervised import (
    judge_scores,
    list_tfs,
    rank_pairs,
    read_genes,
    score_genes,
    tabulate_genes,
)
from grnjax.types import Dataset, GeneTable, LabelledPairs

if TYPE_CHECKING:
    from grnjax.cli.infer import InferCommand

READ = {"expression", "network", "tfs", "out", "seed", "data", "embedded", "method"}


def run_unsupervised(command: "InferCommand", record: dict) -> None:
    """Ranks, judges where edges are known, writes and prints."""
    begun = time.monotonic()
    genes, known, report = load(command)
    with enter_run(command.out, record):
        edges, rows = rank(command, genes, known)
        about = {**record, **describe_environment()}
        write_network(command.out, edges, known or no_edges(genes, report), about)
        results = {
            "seed": command.seed,
            "method": command.method,
            "data": report,
            "metrics": {"rows": rows} if rows else {},
            "seconds": time.monotonic() - begun,
        }
        write_json(command.out / "run.json", {**about, **results})
    print_ranking(command, edges, rows)


def check_settings(command: "InferCommand") -> None:
    """Refuses settings that the method in use would not read."""
    own = command.method.replace("-", "_")
    read = READ | {own} | ({"folds"} if command.network or command.expression is None else set())
    for field in dataclasses.fields(command):
        if field.name not in read and getattr(command, field.name) != field.default:
            flag = field.name.replace("_", "-")
            needs = " without --network" if field.name == "folds" else ""
            raise ConfigError(
                f"--{flag} is no setting of {command.method}{needs}; leave it out or choose "
                "another --method."
            )
    if command.data.embedding:
        raise ConfigError(
            f"--data.embedding is no setting of {command.method}, which reads expression alone; "
            "leave it out or choose another --method."
        )


def load(command: "InferCommand") -> tuple[GeneTable, Dataset | None, dict]:
    """The genes to rank, what is known of them (None without a network), and the report.

    The genes are those of the expression file, so that known edges cannot change the ranking.
    """
    if command.expression is None:
        known = load_embedded(command.embedded, command.data).dataset
        return known.genes, known, known.report
    tfs = list_tfs(command.tfs)
    edges = None if command.network is None else read_edges(command.network)
    reference = set(tfs or ())
    if edges is not None:
        reference |= set(edges["tf"]) | set(edges["target"])
    expression = read_genes(command.expression, reference, command.data)
    genes, report = tabulate_genes(expression, tfs)
    if edges is None:
        return genes, None, report
    known = build_dataset(expression, edges, tfs=tfs, universe=None, source=command.network)
    return genes, known, {**report, "network": known.report}


def rank(
    command: "InferCommand", genes: GeneTable, known: Dataset | None
) -> tuple[pd.DataFrame, list[dict]]:
    """The ranked edges, with the column status where edges are known, and the results rows."""
    config = getattr(command, command.method.replace("-", "_"), None)
    scores = score_genes(genes, command.method, config, seed=command.seed, folder=command.out)
    edges = rank_pairs(genes, scores)
    if known is None:
        return edges, []
    positives = known.genes.names[known.known.positives]
    is_known = pd.MultiIndex.from_frame(edges[["tf", "target"]]).isin(
        pd.MultiIndex.from_arrays(positives.T)
    )
    edges["status"] = np.where(is_known, "known", "new")
    return edges, judge_scores(
        known, genes, scores, command.method, seed=command.seed, folds=command.folds
    )


def no_edges(genes: GeneTable, report: dict) -> Dataset:
    """The genes as a data set of which nothing is known."""
    none = LabelledPairs(np.empty((0, 2), np.int32), np.empty(0, np.float32))
    return Dataset(genes, none, report)


def print_ranking(command: "InferCommand", edges: pd.DataFrame, rows: list[dict]) -> None:
    """The tables a user wants to see first."""
    if rows:
        table = format_table(summarise(rows)).rpartition("\n")[0]
        print(
            f"\nKnown edges against other pairs; {command.method} has learned from neither, the "
            f"trivial\nrows from the other folds (mean over folds, 95 % interval):\n\n{table}"
        )
    print("\nTop edges:")
    for edge in edges.head(5).itertuples():
        print(f"  {edge.tf} -> {edge.target}  {edge.importance:.4g}")
    files = "edges.tsv, rankedEdges.csv, network.h5ad, run.json"
    print(f"\n{len(edges):,} ranked pairs in {command.out}/ ({files})")
