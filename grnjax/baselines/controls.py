"""The trivial rows that stand beside every result (baselines.md: rates, profiles, identity models).

Each row maps the train pairs to a score for every TF-target pair. None of them has a network
encoder; all but the last three ignore expression. A method that does not beat them has not shown
that it learnt regulation.
"""

import dataclasses
import threading
import weakref

import numpy as np
from jaxtyping import Float

from grnjax.baselines.correlation import absolute_pearson
from grnjax.baselines.factors import FactorRidge, fit_factor_model
from grnjax.baselines.neighbours import ask_neighbours
from grnjax.data.expression_features import expression_statistics, principal_components
from grnjax.data.label_matrix import LabelMatrix, label_matrix, places_of
from grnjax.graphs.topology import adamic_adar
from grnjax.progress import logger
from grnjax.types import GeneTable, LabelledPairs

Scores = Float[np.ndarray, "tf gene"]

FACTOR_RIDGE = FactorRidge(target_bias=1.0, factors=8.0)
RANK_4_RIDGES = (4.0, 6.0, 8.0)
ENSEMBLE_RANKS = (4, 8, 16)
ENSEMBLE_RIDGES = (3.0, 5.0, 8.0)
ENSEMBLE_SEEDS = 3
ENSEMBLE_KEPT = 4
COMPONENTS = 30
FEATURES: weakref.WeakKeyDictionary[GeneTable, np.ndarray] = weakref.WeakKeyDictionary()
"""Of the genes, for `linear_expression`: made once for a table, as every fold asks for them."""
MAKES_FEATURES = threading.Lock()


def trivial_rows(
    genes: GeneTable,
    train: LabelledPairs,
    validation: LabelledPairs,
    tfs: np.ndarray,
) -> dict[str, Scores]:
    """Every trivial row by name, fitted on `train`.

    Args:
        validation: only chooses ridges, ranks and how many co-expressed targets count.
    """
    matrix = label_matrix(train, tfs, len(genes.names))
    rows = label_rows(matrix)
    rows["ID-only rank 4"] = identity_model(matrix, validation)
    rows["ID-only ensemble"] = identity_ensemble(matrix, validation)
    if genes.measured.any():
        rows["absolute Pearson"] = absolute_pearson(genes, tfs)
        rows["co-expressed targets"] = co_expressed_targets(genes, matrix, validation)
        rows["linear expression"] = linear_expression(genes, matrix)
    else:
        logger.info("No gene has expression: no row that needs it (Pearson and two others).")
    return rows


def label_rows(train: LabelMatrix) -> dict[str, Scores]:
    """The rows that need train labels and nothing else, no choice on validation either."""
    return {
        "TF rate": tf_rate(train),
        "target rate": target_rate(train),
        "degree product": degree_product(train),
        "Adamic-Adar": adamic_adar(train_edges(train), train.tfs, train.labels.shape[1]),
        "nearest TF profile": nearest_tf_profile(train),
        "additive logistic": fit_factor_model(train, rank=0, ridge=FactorRidge()),
    }


def rate_rows(train: LabelMatrix) -> dict[str, Scores]:
    """The rows that are counts of train labels and cost no more than a look at each pair."""
    return {
        "TF rate": tf_rate(train).astype(np.float32),
        "degree product": degree_product(train).astype(np.float32),
    }


def scores_at(scores: Scores, pairs: LabelledPairs, tfs: np.ndarray) -> Float[np.ndarray, " pair"]:
    """The entries of a [tf, gene] score block at the given pairs."""
    return scores[places_of(pairs, tfs, scores.shape[1])]


def tf_rate(train: LabelMatrix) -> Scores:
    """Logit of each TF's share of positives among its train pairs, shrunk to the prevalence."""
    rate = shrunk_logit_rate(train.labels, train.observed, train.prevalence, axis=1)
    return np.broadcast_to(rate[:, None], train.labels.shape)


def target_rate(train: LabelMatrix) -> Scores:
    """Logit of each target's share of positives among its train pairs, shrunk to the prevalence."""
    rate = shrunk_logit_rate(train.labels, train.observed, train.prevalence, axis=0)
    return np.broadcast_to(rate, train.labels.shape)


def shrunk_logit_rate(labels, observed, prevalence, axis) -> np.ndarray:
    """Log odds of (positives + prevalence) / (pairs + 1) along an axis."""
    rate = (labels.sum(axis) + prevalence) / (observed.sum(axis) + 1)
    rate = np.clip(rate, 1e-6, 1 - 1e-6)
    return np.log(rate) - np.log1p(-rate)


def degree_product(train: LabelMatrix) -> Scores:
    """Log of (1 + degree of the TF) (1 + degree of the target) in the train network.

    A gene's degree counts its edges in both roles.
    """
    degree = train.labels.sum(axis=0)
    degree[train.tfs] += train.labels.sum(axis=1)
    return np.log1p(degree[train.tfs])[:, None] + np.log1p(degree)[None, :]


def train_edges(train: LabelMatrix) -> np.ndarray:
    """The train positives [edge, 2] as gene indices."""
    row, target = np.nonzero(train.labels)
    return np.stack([train.tfs[row], target], axis=1)


def nearest_tf_profile(train: LabelMatrix) -> Scores:
    """TF rate plus the label residuals of the TFs with the most similar train targets.

    Similarity is the positive part of the correlation of label residuals over shared train
    pairs; a TF's own row is left out, so it says what its neighbours say.
    """
    residual = train.residuals
    norm = np.sqrt((residual**2) @ train.observed.T)
    similarity = residual @ residual.T / np.maximum(norm * norm.T, 1e-9)
    np.fill_diagonal(similarity, 0)
    similarity = np.maximum(similarity, 0)
    seen = np.maximum(similarity @ train.observed, 1e-9)
    return tf_rate(train) + similarity @ residual / seen / max(train.prevalence, 1e-6)


def identity_model(train: LabelMatrix, validation: LabelledPairs) -> Scores:
    """Logits of the rank-4 factor model; its ridge is the best of three in validation AP."""
    fits = [factor_logits(train, rank=4, factors=factors, seeds=1) for factors in RANK_4_RIDGES]
    return fits[best_on_validation(fits, train, validation)[0]]


def identity_ensemble(train: LabelMatrix, validation: LabelledPairs) -> Scores:
    """Mean logits of the four rank-ridge settings best in validation AP, three seeds each."""
    fits = [
        factor_logits(train, rank=rank, factors=factors, seeds=ENSEMBLE_SEEDS)
        for rank in ENSEMBLE_RANKS
        for factors in ENSEMBLE_RIDGES
    ]
    best = best_on_validation(fits, train, validation)[:ENSEMBLE_KEPT]
    return np.mean([fits[place] for place in best], axis=0)


def factor_logits(train: LabelMatrix, *, rank: int, factors: float, seeds: int) -> Scores:
    """Mean logits of factor models of one rank and ridge over some seeds."""
    ridge = dataclasses.replace(FACTOR_RIDGE, factors=factors)
    return np.mean(
        [fit_factor_model(train, rank=rank, ridge=ridge, seed=seed) for seed in range(seeds)],
        axis=0,
    )


def best_on_validation(
    fits: list[Scores], train: LabelMatrix, validation: LabelledPairs
) -> np.ndarray:
    """Places of the fits by falling average precision on the validation pairs."""
    from sklearn.metrics import average_precision_score

    quality = [
        average_precision_score(validation.labels, scores_at(scores, validation, train.tfs))
        for scores in fits
    ]
    return np.argsort(quality, kind="stable")[::-1]


def co_expressed_targets(genes: GeneTable, train: LabelMatrix, validation: LabelledPairs) -> Scores:
    """TF rate plus what is known of the targets whose expression is most like the gene's.

    How many of them are asked is the best of four in validation AP.
    """
    votes = ask_neighbours(genes, train) / max(train.prevalence, 1e-6)
    fits = [tf_rate(train) + vote for vote in np.moveaxis(votes, -1, 0)]
    return fits[best_on_validation(fits, train, validation)[0]]


def linear_expression(genes: GeneTable, train: LabelMatrix) -> Scores:
    """Ridge logistic on the target's expression, shared and per TF: the floor on unseen targets.

    Five statistics and 30 principal components, each with deviation 1 over the measured genes.
    """
    with MAKES_FEATURES:
        if genes not in FEATURES:
            components = principal_components(genes, COMPONENTS)
            features = np.concatenate([expression_statistics(genes), components], axis=1)
            spread = features[genes.measured].std(axis=0)
            FEATURES[genes] = features / np.where(spread > 1e-9, spread, 1)
        features = FEATURES[genes]
    return fit_factor_model(
        train, rank=0, ridge=FactorRidge(), features=features, target_bias=False
    )
