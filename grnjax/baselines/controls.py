"""The trivial rows that stand beside every result (baselines.md: rates, profiles, identity models).

Each row maps the train pairs to a score for every TF-target pair. None of them has a network
encoder; all but the last two ignore expression. A method that does not beat them has not shown
that it learnt regulation.
"""

import dataclasses

import numpy as np
from jaxtyping import Float

from grnjax.baselines.correlation import absolute_pearson, standardise
from grnjax.baselines.factors import (
    FactorRidge,
    LabelMatrix,
    fit_factor_model,
    label_matrix,
    row_of_tf,
)
from grnjax.progress import logger
from grnjax.types import GeneTable, LabelledPairs

Scores = Float[np.ndarray, "tf gene"]

FACTOR_RIDGE = FactorRidge(target_bias=1.0, factors=5.0)
ENSEMBLE_RANKS = (4, 8, 16)
ENSEMBLE_RIDGES = (3.0, 5.0, 8.0)
ENSEMBLE_SEEDS = 3
ENSEMBLE_KEPT = 4
COMPONENTS = 30


@dataclasses.dataclass(frozen=True, eq=False)
class TrivialRow:
    """One trivial method's scores."""

    name: str
    scores: Scores


def trivial_rows(
    genes: GeneTable,
    train: LabelledPairs,
    validation: LabelledPairs | None,
    tfs: np.ndarray,
) -> list[TrivialRow]:
    """Every trivial row, fitted on `train`; `validation` only chooses the ensemble's settings."""
    matrix = label_matrix(train, tfs, len(genes.names))
    rows = {
        "TF rate": tf_rate(matrix),
        "target rate": target_rate(matrix),
        "degree product": degree_product(matrix),
        "nearest TF profile": nearest_tf_profile(matrix),
        "additive logistic": fit_factor_model(matrix, rank=0, ridge=FactorRidge()),
        "ID-only rank 4": fit_factor_model(matrix, rank=4, ridge=FACTOR_RIDGE),
        "ID-only ensemble": identity_ensemble(matrix, validation),
    }
    if genes.measured.any():
        rows["absolute Pearson"] = absolute_pearson(genes.expression, tfs)
        rows["linear expression"] = linear_expression(genes, matrix)
    else:
        logger.info("No gene has expression: no Pearson and no linear expression row.")
    return [TrivialRow(name, scores) for name, scores in rows.items()]


def scores_at(scores: Scores, pairs: LabelledPairs, tfs: np.ndarray) -> Float[np.ndarray, " pair"]:
    """The entries of a [tf, gene] score block at the given pairs."""
    return scores[row_of_tf(tfs, scores.shape[1])[pairs.pairs[:, 0]], pairs.pairs[:, 1]]


def tf_rate(train: LabelMatrix) -> Scores:
    """Logit of each TF's share of positives among its train pairs, shrunk to the prevalence."""
    rate = shrunk_logit_rate(train.labels, train.observed, train.prevalence, axis=1)
    return np.broadcast_to(rate[:, None], train.labels.shape)


def target_rate(train: LabelMatrix) -> Scores:
    """Logit of each target's share of positives among its train pairs, shrunk to the prevalence."""
    rate = shrunk_logit_rate(train.labels, train.observed, train.prevalence, axis=0)
    return np.broadcast_to(rate, train.labels.shape)


def shrunk_logit_rate(labels, observed, prevalence, axis) -> np.ndarray:
    """log odds of (positives + prevalence) / (pairs + 1) along an axis."""
    rate = (labels.sum(axis) + prevalence) / (observed.sum(axis) + 1)
    rate = np.clip(rate, 1e-6, 1 - 1e-6)
    return np.log(rate) - np.log1p(-rate)


def degree_product(train: LabelMatrix) -> Scores:
    """log((1 + out-degree of the TF) (1 + in-degree of the target)) in the train network.

    Symmetric in the network's sense: a gene's degree counts its edges in both roles.
    """
    degree = train.labels.sum(axis=0)
    degree[train.tfs] += train.labels.sum(axis=1)
    return np.log1p(degree[train.tfs])[:, None] + np.log1p(degree)[None, :]


def nearest_tf_profile(train: LabelMatrix) -> Scores:
    """TF rate plus the label residuals of the TFs with the most similar train targets.

    Similarity is the positive part of the correlation of label residuals over shared train
    pairs; a TF's own row is left out, so it says what its neighbours say.
    """
    rate = train.labels.sum(1, keepdims=True) / np.maximum(train.observed.sum(1, keepdims=True), 1)
    residual = (train.labels - rate) * train.observed
    norm = np.sqrt((residual**2) @ train.observed.T)
    similarity = residual @ residual.T / np.maximum(norm * norm.T, 1e-9)
    np.fill_diagonal(similarity, 0)
    similarity = np.maximum(similarity, 0)
    seen = np.maximum(similarity @ train.observed, 1e-9)
    return tf_rate(train) + similarity @ residual / seen / max(train.prevalence, 1e-6)


def identity_ensemble(train: LabelMatrix, validation: LabelledPairs | None) -> Scores:
    """Mean logits of the four rank-ridge settings best in validation AP, three seeds each.

    Without validation pairs (cross-fitting) all nine settings are averaged.
    """
    from sklearn.metrics import average_precision_score

    settings = []
    for rank in ENSEMBLE_RANKS:
        for factors in ENSEMBLE_RIDGES:
            ridge = dataclasses.replace(FACTOR_RIDGE, factors=factors)
            fits = [
                fit_factor_model(train, rank=rank, ridge=ridge, seed=seed)
                for seed in range(ENSEMBLE_SEEDS)
            ]
            settings.append(np.mean(fits, axis=0))
    if validation is None or not 0 < validation.labels.sum() < len(validation):
        return np.mean(settings, axis=0)
    quality = [
        average_precision_score(validation.labels, scores_at(scores, validation, train.tfs))
        for scores in settings
    ]
    best = np.argsort(quality, kind="stable")[::-1][:ENSEMBLE_KEPT]
    return np.mean([settings[i] for i in best], axis=0)


def linear_expression(genes: GeneTable, train: LabelMatrix) -> Scores:
    """Ridge logistic of the target's expression, shared and per-TF weights: the floor on unseen targets."""
    features = expression_features(genes.expression, genes.measured)
    return fit_factor_model(
        train, rank=0, ridge=FactorRidge(), features=features, target_bias=False
    )


def expression_features(
    expression: Float[np.ndarray, "cell gene"], measured: np.ndarray
) -> Float[np.ndarray, "gene dim"]:
    """Five statistics and 30 principal components of each gene's standardised profile.

    Columns have mean 0 and deviation 1 over the measured genes; other genes are all zeros.
    """
    x = expression[:, measured].astype(np.float64)
    mean, deviation, detection = x.mean(0), x.std(0), (x > 0).mean(0)
    statistics = [mean, deviation, detection, np.log1p(np.abs(mean)), np.sqrt(detection)]
    left, singular, _ = np.linalg.svd(standardise(x).T.astype(np.float64), full_matrices=False)
    components = left[:, :COMPONENTS] * singular[:COMPONENTS]
    raw = np.column_stack([*statistics, components])
    spread = raw.std(axis=0)
    scaled = (raw - raw.mean(axis=0)) / np.where(spread > 1e-9, spread, 1)
    features = np.zeros((expression.shape[1], raw.shape[1]), np.float32)
    features[measured] = scaled
    return features
