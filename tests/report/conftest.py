"""Run folders as `grnjax infer` leaves them, written by hand: one network, and two groups."""

import anndata
import numpy as np
import pandas as pd
import pytest

from grnjax.data.edges import write_edges
from grnjax.storage.outputs import write_result

EVIL = "<img src=x onerror=alert(1)>"
TERMS = ("base", "co-expression", "motifs")
NONE = {"mean": None, "half_width": None, "positive": 0, "draws": 0}  # too few draws
AHEAD = {"mean": 0.123, "half_width": 0.045, "positive": 4, "draws": 5}
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


@pytest.fixture(scope="session")
def benchmark_folder(tmp_path_factory):
    """A run of `train` on a set of BEELINE's."""
    ahead = {"auroc": NONE, "average_precision": AHEAD}
    metrics = {"rows": make_rows("scRegNet", 6.0), "paired_differences": {"TF rate": ahead}}
    config = {"folder": "data/Specific/hESC/TFs+500", "seeds": [0, 1]}
    record = make_record(command="train", config=config, metrics=metrics)
    del record["method"]
    return write_run(tmp_path_factory.mktemp("report") / "run", None, record)


@pytest.fixture(scope="session")
def activity_file(tmp_path_factory, cli):
    """A file of `grnjax activity`: the regulon of A is active in the cells of type x alone."""
    folder = tmp_path_factory.mktemp("activity")
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, (60, 40))
    counts[:30, :10] += 8
    genes = [f"G{number}" for number in range(39)] + [EVIL]
    obs = pd.DataFrame({"kind": ["x"] * 30 + ["y"] * 30}, index=[f"c{n}" for n in range(60)])
    obs["donor"] = np.tile(["first", "second", "third"], 20)
    cells = anndata.AnnData(counts.astype(np.float32), obs, pd.DataFrame(index=genes))
    cells.write_h5ad(folder / "cells.h5ad")
    targets = {"A": genes[:10], "B": genes[-12:]}
    rows = [(tf, gene, 1.0) for tf, own in targets.items() for gene in own]
    table = pd.DataFrame(rows, columns=["source", "target", "weight"])
    table.to_csv(folder / "regulons.tsv", sep="\t", index=False)
    out = folder / "activity.h5ad"
    outcome = cli(
        *("activity", folder / "cells.h5ad", "--regulons", folder / "regulons.tsv"),
        *("--groups", "kind", "--donor", "donor", "--differences"),
        *("--aucell.top-share", "0.3", "--out", out),
    )
    assert outcome.status == 0, outcome.err
    return out
