"""From expression and known regulation to a ranked network of every TF-gene candidate.

Pairs that are not known are unlabelled, not negative. So every member of the ensemble is
cross-fitted: the candidates are dealt into folds, and a pair is scored only by models that did
not train on it, whether it is a known edge or a new one. What the scores are worth is then read
off those out-of-fold scores, beside the trivial rows on the same folds.
"""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from scipy.special import expit, logit

from grnjax.baselines.controls import scores_at, trivial_rows
from grnjax.data.expression import DataConfig
from grnjax.evaluation.calibration import fit_calibration, reliability_error
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.progress import logger
from grnjax.tasks.cross_fitting import CrossFitConfig, Fold, deal_folds, list_candidates
from grnjax.tasks.inputs import InputConfig, make_scregnet_trainer, model_inputs
from grnjax.tasks.loading import load_dataset, load_embedding
from grnjax.training.batches import (
    ModelInputs,
    add_topology,
    build_fit_data,
    build_pair_batch,
    shared_sizes,
)
from grnjax.training.loop import FitResult, Trainer, TrainingConfig
from grnjax.training.step import FitData
from grnjax.training.study import Study, derive_seed
from grnjax.types import Dataset, LabelledPairs

MODEL = "grnjax"
SCORED_AT_ONCE = 65_536
MOST_TRIVIAL_CANDIDATES = 1_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class InferenceConfig(CrossFitConfig):
    """How a network is inferred."""

    model: ScRegNetConfig = ScRegNetConfig()
    inputs: InputConfig = InputConfig()
    training: TrainingConfig = TrainingConfig()
    prevalence: float | None = None
    """Share of true edges among the candidates that the probability assumes; by default the
    share of known ones, which is a lower bound."""

    def __post_init__(self):
        super().__post_init__()
        if self.prevalence is not None and not 0 < self.prevalence < 1:
            raise ValueError(f"prevalence must be in (0, 1), got {self.prevalence}")
        if self.inputs.unlabelled_weight:
            raise ValueError(
                "unlabelled_weight must be 0 here: every candidate is dealt out as labelled "
                f"already, got {self.inputs.unlabelled_weight}"
            )


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """A ranked network and what is known of its quality."""

    edges: pd.DataFrame  # tf, target, importance, probability, spread, status; best first
    rows: list[dict]  # known edges against unlabelled pairs in each fold, beside trivial rows
    calibration: dict
    candidates: LabelledPairs
    scores: dict[str, np.ndarray]  # out-of-fold scores [candidate] of every method
    folds: list[Fold]


def infer(
    dataset: Dataset,
    config: InferenceConfig,
    *,
    seed: int,
    embedding: np.ndarray | None = None,
    folder: Path | None = None,
) -> Network:
    """Every TF x gene pair but self pairs, ranked by the mean out-of-fold logit of the members.

    Args:
        dataset: genes, and the known edges (label 1) among them.
        embedding: frozen gene vectors [gene, dim] in the order of the data set.
        folder: run folder for checkpoints and metrics; None keeps nothing.
    """
    candidates = list_candidates(dataset)
    negatives = len(dataset.known) - len(dataset.known.positives)
    if negatives:
        logger.warning("%d pairs labelled 0 count as unlabelled, like all that is new", negatives)
    folds = list(deal_folds(candidates, config, seed))
    if any(fold.negative_weight > 1 for fold in folds):
        logger.warning(
            "more than %d pairs: each fit takes a random part of the unlabelled ones, weighted up "
            "(--most-train-pairs)",
            config.most_train_pairs,
        )
    with Study(folder, len(folds), config.training.epochs, "inferring") as study:
        logits = cross_fit(dataset, candidates, folds, config, study, seed, embedding)
    scores = {MODEL: logits.mean(axis=0), **trivial_out_of_fold(dataset, candidates, folds)}
    edges, calibration = rank(dataset, candidates, logits, config)
    rows = judge_folds(candidates, scores, folds)
    return Network(edges, rows, calibration, candidates, scores, folds)


def infer_network(
    expression,
    network,
    tfs=None,
    *,
    config: InferenceConfig | None = None,
    data: DataConfig | None = None,
    seed: int = 0,
) -> Network:
    """A ranked network from Python: `infer` on what `load_dataset` accepts.

    Args:
        expression: AnnData object, or the path of an .h5ad or text file.
        network: known edges: data frame with columns tf and target, or the path of a table.
        tfs: names or the path of a list; by default the sources of the network.
    """
    data = data or DataConfig()
    dataset = load_dataset(expression, network, tfs, data)
    embedding = load_embedding(data, dataset)
    return infer(dataset, config or InferenceConfig(), seed=seed, embedding=embedding)


def cross_fit(
    dataset: Dataset,
    candidates: LabelledPairs,
    folds: list[Fold],
    config: InferenceConfig,
    study: Study,
    seed: int,
    embedding: np.ndarray | None,
) -> np.ndarray:
    """Out-of-fold logits [member, candidate]."""
    genes = dataset.genes
    sizes = shared_sizes([f.train for f in folds], len(genes.names), config.training.batch_size)
    inputs = model_inputs(
        genes,
        embedding,
        genes.tfs,
        config.inputs,
        sizes,
        coexpression=config.model.coexpression,
    )
    trainer = make_scregnet_trainer(config.model, config.training)
    validation_size = max(len(fold.validation) for fold in folds)
    logits = np.full((config.members, len(candidates)), np.nan)
    for fold in folds:
        own_seed = derive_seed(seed, fold.member, fold.fold)
        fold_inputs = add_topology(inputs, fold.train) if config.model.topology else inputs
        data = build_fit_data(
            fold_inputs,
            fold.train,
            fold.validation,
            folds=config.training.edge_folds,
            seed=own_seed,
            negative_weight=fold.negative_weight * config.inputs.negative_weight,
            validation_size=validation_size,
        )
        name = f"member{fold.member}-fold{fold.fold}"
        result = study.fit(trainer, data, name=name, seed=own_seed)
        logits[fold.member, fold.held_out] = score_pairs(
            trainer, result, fold_inputs, data, candidates.take(fold.held_out), own_seed
        )
    return logits


def score_pairs(
    trainer: Trainer,
    result: FitResult,
    inputs: ModelInputs,
    data: FitData,
    pairs: LabelledPairs,
    seed: int,
) -> np.ndarray:
    """Logits [pair] of the selected model, in blocks of one size so that they compile once."""
    size = min(SCORED_AT_ONCE, -(-len(pairs) // 1024) * 1024)
    scores = []
    for start in range(0, len(pairs), size):
        block = pairs.take(slice(start, start + size))
        batch = build_pair_batch(inputs, block, size)
        logits = trainer.score(result.variables, data.genes, batch, jax.random.key(seed))
        scores.append(np.asarray(logits)[: len(block)])
    return np.concatenate(scores)


def has_known_targets(candidates: LabelledPairs) -> np.ndarray:
    """Mask of the candidates whose TF has a known target.

    Of the other TFs nothing is known, so that their pairs tell neither right from wrong.
    """
    return np.isin(candidates.pairs[:, 0], candidates.positives[:, 0])


def rank(
    dataset: Dataset, candidates: LabelledPairs, logits: np.ndarray, config: InferenceConfig
) -> tuple[pd.DataFrame, dict]:
    """The candidates by falling mean logit of the members, and how they were calibrated."""
    mean = logits.mean(axis=0)
    told = has_known_targets(candidates)
    calibration = fit_calibration(mean[told], candidates.labels[told])
    shift = 0.0
    if config.prevalence is not None:
        shift = logit(config.prevalence) - logit(calibration.prevalence)

    def probability(raw: np.ndarray) -> np.ndarray:
        return expit(calibration.a * raw + calibration.b + shift)

    names = dataset.genes.names
    edges = pd.DataFrame(
        {
            "tf": names[candidates.pairs[:, 0]],
            "target": names[candidates.pairs[:, 1]],
            "importance": expit(mean),
            "probability": probability(mean),
            "spread": probability(logits).std(axis=0),
            "status": np.where(candidates.labels > 0, "known", "new"),
        }
    )
    order = np.lexsort((candidates.pairs[:, 1], candidates.pairs[:, 0], -mean))
    figures = {
        "slope": calibration.a,
        "offset": calibration.b + shift,
        "prevalence_assumed": config.prevalence or calibration.prevalence,
        "prevalence_known": calibration.prevalence,
        "reliability_error": out_of_sample_error(mean[told], candidates.labels[told]),
        "pairs_of_tfs_without_known_targets": int((~told).sum()),
    }
    return edges.iloc[order].reset_index(drop=True), figures


def out_of_sample_error(scores: np.ndarray, labels: np.ndarray, parts: int = 5) -> float:
    """Reliability error on pairs the calibration was not fitted on, at the known prevalence."""
    probabilities = np.empty(len(scores))
    part = np.arange(len(scores)) % parts
    for held_out in range(parts):
        here = part == held_out
        calibration = fit_calibration(scores[~here], labels[~here])
        probabilities[here] = calibration.probability(scores[here])
    return reliability_error(probabilities, labels)


def trivial_out_of_fold(
    dataset: Dataset, candidates: LabelledPairs, folds: list[Fold]
) -> dict[str, np.ndarray]:
    """Out-of-fold scores [candidate] of the trivial rows, fitted where the first member is."""
    if len(candidates) > MOST_TRIVIAL_CANDIDATES:
        logger.warning(
            "%d candidates: the trivial rows are left out above %d",
            len(candidates),
            MOST_TRIVIAL_CANDIDATES,
        )
        return {}
    scores: dict[str, np.ndarray] = {}
    for fold in folds:
        if fold.member == 0:
            blocks = trivial_rows(dataset.genes, fold.train, fold.validation, dataset.genes.tfs)
            hidden = candidates.take(fold.held_out)
            for name, block in blocks.items():
                column = scores.setdefault(name, np.empty(len(candidates)))
                column[fold.held_out] = scores_at(block, hidden, dataset.genes.tfs)
    return scores


def judge_folds(
    candidates: LabelledPairs,
    scores: dict[str, np.ndarray],
    folds: list[Fold],
    among: np.ndarray | None = None,
) -> list[dict]:
    """Results rows: each method on the held-out pairs of each fold, a fold being a draw.

    Args:
        among: mask of the candidates that count; by default those of TFs with a known target.
    """
    among = has_known_targets(candidates) if among is None else among
    rows = []
    for fold in folds:
        if fold.member == 0:
            here = fold.held_out & among
            part = candidates.take(here)
            for method, column in scores.items():
                metrics = evaluate_pairs(part.pairs, part.labels, column[here])
                rows.append({"method": method, "draw": fold.fold, "seed": 0, **metrics})
    return rows


def judge_hidden(network: Network, dataset: Dataset, truth: pd.DataFrame) -> list[dict]:
    """Results rows for new edges that are true (but were hidden) against pairs that are not.

    Args:
        truth: the whole true network, columns tf and target.
    """
    names, candidates = dataset.genes.names, network.candidates
    true = pd.MultiIndex.from_frame(truth[["tf", "target"]])
    pairs = pd.MultiIndex.from_arrays(names[candidates.pairs].T)
    labels = pairs.isin(true).astype(np.float32)
    hidden = LabelledPairs(candidates.pairs, labels)
    return judge_folds(hidden, network.scores, network.folds, among=candidates.labels == 0)
