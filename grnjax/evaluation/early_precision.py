"""BEELINE's figures for a ranked network: early precision ratio, AUROC and AUPRC.

They follow the conventions of that benchmark's evaluator, surprises included, so that published
tables can be compared: every gene of the true network may be a regulator, a pair without a
prediction scores 0, and only the size of a weight counts. Both functions take frames with the
columns `tf` and `target`, the predicted one also `weight`.
"""

import numpy as np
import pandas as pd

from grnjax.errors import EdgeFormatError
from grnjax.evaluation.metrics import binary_metrics

DECIMALS = 6  # BEELINE rounds weights before it looks for the k-th


def early_precision(
    predicted: pd.DataFrame, truth: pd.DataFrame, *, tf_edges: bool = False
) -> dict[str, float | int]:
    """Precision among the top k predictions over that of a random guess, as BEELINE counts it.

    k is the number of true edges. Predictions tied with the k-th are included, those of weight
    zero are not, unless all are zero. Self loops are dropped, and of repeated pairs the largest
    weight is kept.

    Args:
        tf_edges: False ranks whatever was predicted, genes outside the network included, against
            all ordered pairs of network genes. True keeps, before ranking, only pairs of a true
            regulator with a network gene, and counts only those as candidates.
    """
    truth = _drop_loops_and_repeats(truth)
    genes, regulators = _collect_genes(truth), truth["tf"].unique()
    sources = regulators if tf_edges else genes
    k, candidates = len(truth), len(sources) * (len(genes) - 1)
    ranked = _rank_by_size(predicted)
    if tf_edges:
        ranked = ranked[ranked["tf"].isin(regulators) & ranked["target"].isin(genes)]
    early = _take_early(ranked, k)
    hits = len(early.merge(truth, on=["tf", "target"]))
    precision = hits / len(early) if len(early) else 0.0
    return {"early_precision_ratio": precision * candidates / k, "k": k, "candidates": candidates}


def areas_over_all_pairs(predicted: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    """The AUROC and trapezoid AUPRC over all ordered pairs of genes of the true network."""
    truth = _drop_loops_and_repeats(truth)
    genes = pd.Index(_collect_genes(truth))
    ranked = _rank_by_size(predicted)
    ranked = ranked[ranked["tf"].isin(genes) & ranked["target"].isin(genes)]
    scores = np.zeros((len(genes), len(genes)))
    labels = np.zeros(scores.shape)
    scores[genes.get_indexer(ranked["tf"]), genes.get_indexer(ranked["target"])] = ranked["weight"]
    labels[genes.get_indexer(truth["tf"]), genes.get_indexer(truth["target"])] = 1
    is_candidate = ~np.eye(len(genes), dtype=bool)
    metrics = binary_metrics(labels[is_candidate], scores[is_candidate])
    return {"auroc": metrics["auroc"], "auprc": metrics["auprc_trapezoid"]}


def _take_early(ranked: pd.DataFrame, k: int) -> pd.DataFrame:
    """The first k rows and those tied with the k-th; zero weights only if there are no others."""
    if ranked.empty:
        return ranked
    weight = ranked["weight"].round(DECIMALS)
    threshold = weight.iloc[min(k, len(weight)) - 1]
    if threshold == 0 and weight.iloc[0] > 0:
        return ranked[weight > 0]
    return ranked[weight >= threshold]


def _rank_by_size(predicted: pd.DataFrame) -> pd.DataFrame:
    ranked = predicted.assign(weight=predicted["weight"].abs())
    ranked = ranked.sort_values("weight", ascending=False, kind="stable")
    return _drop_loops_and_repeats(ranked)


def _drop_loops_and_repeats(edges: pd.DataFrame) -> pd.DataFrame:
    return edges[edges["tf"] != edges["target"]].drop_duplicates(["tf", "target"])


def _collect_genes(truth: pd.DataFrame) -> np.ndarray:
    if truth.empty:
        raise EdgeFormatError("The true network has no edge between two different genes.")
    return pd.unique(pd.concat([truth["tf"], truth["target"]]))
