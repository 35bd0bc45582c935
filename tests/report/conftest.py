"""Run folders as `grnjax infer` leaves them, written by hand: one network, and two groups."""

import numpy as np
import pandas as pd
import pytest

from grnjax.data.edges import write_edges
from grnjax.storage.outputs import write_result

EVIL = "<img src=x onerror=alert(1)>"
TERMS = ("base", "co-expression", "motifs")
TRIVIAL = {"TF rate": 2.0, "degree product": 3.0, "absolute Pearson": 4.0}


def make_edges(seed=0, tfs=12, genes=60):
    """TFs whose number of confident targets falls from TF00 on; one gene has an evil name."""
    rng = np.random.default_rng(seed)
    names = [EVIL, *(f"G{number:02d}" for number in range(1, genes))]
    pairs = [(f"TF{tf:02d}", gene) for tf in range(tfs) for gene in names]
    table = pd.DataFrame(pairs, columns=["tf", "target"])
    order = np.tile(rng.permutation(genes), tfs)
    table["importance"] = 1 / (1 + np.exp((order - 20 + 1.5 * np.repeat(range(tfs), genes)) / 4))
    table["expression_sign"] = rng.choice([-1, 1], len(table))
    table["probability"] = table["importance"]
    table["low"], table["high"] = table["probability"] * 0.9, table["probability"] * 0.95 + 0.05
    table["status"] = np.where(rng.random(len(table)) < table["probability"], "known", "new")
    table["unseen"] = "no"
    terms = rng.normal(size=(len(table), len(TERMS)))
    table["logit"] = terms.sum(axis=1)
    for name, values in zip(TERMS, terms.T, strict=True):
        table[f"logit: {name}"] = values
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def make_rows(method, reached):
    """Results of five folds for the method and three trivial rows."""
    rng, rows = np.random.default_rng(1), []
    for name, ratio in {method: reached, **TRIVIAL}.items():
        for draw in range(5):
            early = ratio + 0.05 * rng.normal()
            about = {"method": name, "draw": draw, "seed": 0, "auroc": 0.7}
            rows.append(
                about | {"average_precision": early / 10}
                | {"early_precision_ratio": early, "prevalence": 0.1, "pairs": 144, "positives": 14}
            )  # fmt: skip
    return rows


def make_record(**more):
    """What run.json says of it."""
    return {
        "command": "infer",
        "method": "kernel-factor",
        "seed": 0,
        "config": {"expression": "cells.h5ad", "explain": True, "folds": 5, "seed": 0},
        "inputs": {"expression": "0" * 64},
        "data": {"cells": 100, "genes": 60, "tfs": 12,
                 "unknown_genes": {"count": 2, "first": [EVIL, "G99"]}},
        "evidence": {"motifs": {"kind": "motifs"}},
        "blocks": [{"name": "motifs", "kind": "pairs", "weight": None, "drop_swap_micro": 0.1,
                    "drop_average_precision": 0.2, "drop_average_precision_low": 0.1,
                    "drop_average_precision_high": 0.3}],
        "versions": {"grnjax": "0"},
        "device": {"kind": "cpu", "count": 1},
        "seconds": 12.0,
    } | more  # fmt: skip


def write_run(folder, edges, record):
    """The folder of a finished run."""
    folder.mkdir(parents=True, exist_ok=True)
    if edges is not None:
        write_edges(edges, folder / "edges.tsv")
    write_result(folder, record)
    return folder


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """A run that has learned, explains its edges and was judged."""
    metrics = {"rows": make_rows("kernel-factor", 6.0), "calibration": {"reliability_error": 0.004}}
    folder = tmp_path_factory.mktemp("report") / "run"
    return write_run(folder, make_edges(), make_record(metrics=metrics))


@pytest.fixture(scope="session")
def group_folder(tmp_path_factory):
    """A run over two groups."""
    folder = tmp_path_factory.mktemp("report") / "groups"
    folders = {"B": "groups/B", "T/x": "groups/T_x"}
    for seed, (name, place) in enumerate(folders.items()):
        edges = make_edges(seed).drop(columns=["status", "unseen", "low", "high"])
        own = edges.loc[:, [c for c in edges if not c.startswith("logit")]]
        write_run(folder / place, own, make_record(group=name, method="pearson", blocks=[]))
    figures = ("detected", "detected_difference", "detected_difference_low")
    tfs = pd.DataFrame(
        [(group, tf, 0.5 + 0.4 * (group == "B"), 0.4 * (1 if group == "B" else -1), 0.1, 0.5, 0.01)
         for tf in ("TF00", "TF01") for group in folders],
        columns=["group", "tf", *figures, "detected_difference_high", "detected_q"],
    )  # fmt: skip
    tfs.to_csv(folder / "tf_differences.tsv", sep="\t", index=False)
    report = {
        "by": "kind",
        "cells": {"B": 60, "T/x": 55},
        "left_out": {"rare": 3},
        "folders": folders,
    }
    report |= {
        "tfs_compared": 12,
        "tfs_that_differ": 2,
        "edges_compared": 0,
        "edges_that_differ": 0,
    }
    report["notes"] = ["No known edge is learned from."]
    return write_run(folder, None, make_record(groups=report, method="pearson", blocks=[]))
