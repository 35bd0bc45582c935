"""From expression and known regulation to a ranked network of every TF-gene candidate.

Pairs that are not known are unlabelled, not negative. So every member of the ensemble is
cross-fitted: the candidates are dealt into folds, and a pair is scored only by models that did
not train on it, whether it is a known edge or a new one. What the scores are worth is then read
off those out-of-fold scores, beside the trivial rows on the same folds.
"""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from jax.sharding import Mesh
from scipy.special import expit, logit, ndtri

from grnjax.baselines.controls import scores_at, trivial_rows
from grnjax.data.candidates import has_known_targets, list_candidates
from grnjax.data.expression import DataConfig
from grnjax.errors import ConfigError
from grnjax.evaluation.calibration import fit_calibration, reliability_error
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evidence.gather import clear_evidence, gather_evidence
from grnjax.evidence.types import Evidence
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.progress import logger
from grnjax.tasks.cross_fit_kernel_factor import cross_fit_kernel_factor
from grnjax.tasks.cross_fit_scregnet import cross_fit_scregnet
from grnjax.tasks.cross_fitting import CrossFit, CrossFitConfig, Fold, assign_folds
from grnjax.tasks.inputs import InputConfig
from grnjax.tasks.kernel_factor import KernelFactorSettings
from grnjax.tasks.loading import load_dataset, load_embedding
from grnjax.training.pair_objective import TrainingConfig
from grnjax.training.recorder import FitRecorder
from grnjax.types import Dataset, LabelledPairs

MODEL = "grnjax"
MOST_TRIVIAL_CANDIDATES = 1_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class InferenceConfig(CrossFitConfig):
    """How a network is inferred."""

    method: Literal["auto", "kernel-factor", "scRegNet"] = "auto"
    """The kernel-informed factor model, scRegNet, or (auto) the former wherever there is
    expression or any other evidence to inform it."""
    kernel_factor: KernelFactorSettings = KernelFactorSettings()
    model: ScRegNetConfig = ScRegNetConfig()
    """Of scRegNet, as `inputs` and `training`."""
    inputs: InputConfig = InputConfig()
    training: TrainingConfig = TrainingConfig()
    allow: tuple[str, ...] = ()
    """Networks among the blocks to use although their labels look like a copy of the known ones."""
    explain: bool = False
    """Write for each edge the terms that its logit is the sum of."""
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

    method: str  # "kernel-factor" or "scRegNet"
    edges: pd.DataFrame  # tf, target, importance, probability, ..., best first (`rank`)
    rows: list[dict]  # known edges against unlabelled pairs in each fold, beside trivial rows
    calibration: dict
    candidates: LabelledPairs
    scores: dict[str, np.ndarray]  # out-of-fold scores [candidate] of every method
    folds: list[Fold]
    evidence: dict[str, dict]  # what was taken from each source; empty for scRegNet
    overlap: list[dict]  # of its labels with those of other networks, by TF (`check_leaks`)
    worth: list[dict]  # what each block adds, by fold; empty for scRegNet


def infer(
    dataset: Dataset,
    config: InferenceConfig,
    *,
    seed: int,
    evidence: Sequence[Evidence] = (),
    embedding: np.ndarray | None = None,
    folder: Path | None = None,
    mesh: Mesh | None = None,
) -> Network:
    """Every TF x gene pair but self pairs, ranked by the mean out-of-fold logit of the members.

    Args:
        dataset: genes, and the known edges (label 1) among them.
        evidence: what informs the kernel-informed factor model (`gather_evidence`).
        embedding: frozen gene vectors [gene, dim] in the order of the data set, for scRegNet.
        folder: run folder for checkpoints and metrics; None keeps nothing.
        mesh: devices that share each fit by scRegNet; None leaves it to one.

    Raises:
        ConfigError: settings of a method that is not the one in use.
        SplitError: too few known edges, or evidence that is a copy of them.
    """
    method = choose_method(config, evidence)
    if method == "kernel-factor":  # it learns from all pairs at once
        config = dataclasses.replace(config, most_train_pairs=sys.maxsize)
    candidates = list_candidates(dataset)
    negatives = len(dataset.known) - len(dataset.known.positives)
    if negatives:
        logger.warning("%d pairs labelled 0 count as unlabelled, like all that is new", negatives)
    folds = list(assign_folds(candidates, config, seed))
    if any(fold.negative_weight > 1 for fold in folds):
        logger.warning(
            "more than %d pairs: each fit takes a random part of the unlabelled ones, weighted up "
            "(--most-train-pairs)",
            config.most_train_pairs,
        )
    used, overlap = [], []
    if method == "kernel-factor":
        if mesh is not None:
            logger.warning("a fit by kernel-factor computes on 1 of %d devices", mesh.size)
        splits = [fold.split for fold in folds if fold.member == 0]
        used, overlap = clear_evidence(dataset, evidence, splits, config.allow)
    epochs = config.training.epochs if method == "scRegNet" else 1
    with FitRecorder(folder, len(folds), epochs, f"inferring by {method}") as recorder:
        if method == "scRegNet":
            fitted = cross_fit_scregnet(
                dataset,
                candidates,
                folds,
                config.model,
                config.inputs,
                config.training,
                recorder,
                seed,
                embedding,
                mesh,
            )
        else:
            fitted = cross_fit_kernel_factor(
                dataset,
                candidates,
                folds,
                config.kernel_factor,
                recorder,
                seed,
                used,
                explain=config.explain,
            )
    mean = fitted.logits.mean(axis=0, dtype=np.float64)
    scores = {MODEL: mean, **trivial_out_of_fold(dataset, candidates, folds)}
    edges, calibration = rank(dataset, candidates, fitted, config)
    rows = judge_folds(candidates, scores, folds)
    reports = {item.name: item.report for item in used}
    return Network(
        method,
        edges,
        rows,
        calibration,
        candidates,
        scores,
        folds,
        evidence=reports,
        overlap=overlap,
        worth=fitted.worth,
    )


def choose_method(config: InferenceConfig, evidence: Sequence[Evidence]) -> str:
    """The method that the settings ask for; refuses settings that it would not read."""
    method = config.method
    if method == "auto":
        method = "kernel-factor" if evidence else "scRegNet"
    other = {
        "kernel-factor": ("scRegNet", ("model", "inputs", "training", "most_train_pairs")),
        "scRegNet": ("kernel-factor", ("kernel_factor", "allow", "explain")),
    }
    whose, fields = other[method]
    default = InferenceConfig()
    unread = [name for name in fields if getattr(config, name) != getattr(default, name)]
    if unread:
        raise ConfigError(
            f"--{unread[0].replace('_', '-')} is a setting of {whose}, and this run is by "
            f"{method}; add --method={whose} or leave it out."
        )
    return method


def gather_for(
    config: InferenceConfig, dataset: Dataset, blocks: Sequence[str], embedding: str | None
) -> list[Evidence]:
    """The evidence of a run; none where scRegNet is asked for, which would not read it."""
    if config.method != "scRegNet":
        return gather_evidence(dataset, blocks, embedding)
    if blocks:
        raise ConfigError(
            "--blocks inform the kernel-factor model, and this run is by scRegNet; drop "
            "--method=scRegNet or leave them out."
        )
    return []


def infer_network(
    expression,
    network,
    tfs=None,
    *,
    config: InferenceConfig | None = None,
    data: DataConfig | None = None,
    blocks: Sequence[str] = (),
    seed: int = 0,
) -> Network:
    """A ranked network from Python: `infer` on what `load_dataset` accepts.

    Args:
        expression: AnnData object, or the path of an .h5ad or text file.
        network: known edges: data frame with columns tf and target, or the path of a table.
        tfs: names or the path of a list; by default the sources of the network.
        blocks: further evidence, a folder or KIND=PATH each (`grnjax infer --blocks`).
    """
    data, config = data or DataConfig(), config or InferenceConfig()
    dataset = load_dataset(expression, network, tfs, data)
    return infer(
        dataset,
        config,
        seed=seed,
        evidence=gather_for(config, dataset, blocks, data.embedding),
        embedding=load_embedding(data, dataset),
    )


def rank(
    dataset: Dataset, candidates: LabelledPairs, fitted: CrossFit, config: InferenceConfig
) -> tuple[pd.DataFrame, dict]:
    """The candidates by falling mean logit of the members, and how they were calibrated.

    Columns: tf, target, importance (the mean logit as a share of 1), probability (calibrated),
    spread (its deviation over the members), low and high (its 95 % interval over the members, by
    a normal on the logit scale), status (known or new) and unseen: whether the TF has no
    known targets, or too few for every fit to learn from, the gene no known regulator, or both.
    Then, if asked for, the logit and its terms.
    """
    mean = fitted.logits.mean(axis=0, dtype=np.float64)
    told = has_known_targets(candidates)
    calibration = fit_calibration(mean[told], candidates.labels[told])
    shift = 0.0
    if config.prevalence is not None:
        shift = logit(config.prevalence) - logit(calibration.prevalence)

    def probability(raw: np.ndarray) -> np.ndarray:
        return expit(calibration.a * raw + calibration.b + shift)

    names = dataset.genes.names
    reach = ndtri(0.975) * fitted.logits.std(axis=0, dtype=np.float64)
    columns = {
        "tf": names[candidates.pairs[:, 0]],
        "target": names[candidates.pairs[:, 1]],
        "importance": expit(mean),
        "probability": probability(mean),
        "spread": probability(fitted.logits).std(axis=0),
        "low": probability(mean - reach),
        "high": probability(mean + reach),
        "status": np.where(candidates.labels > 0, "known", "new"),
        "unseen": name_unseen(candidates, fitted.trainable),
    }
    if fitted.terms:
        columns |= {"logit": mean, **{f"logit: {x}": v for x, v in fitted.terms.items()}}
    order = np.lexsort((candidates.pairs[:, 1], candidates.pairs[:, 0], -mean))
    figures = {
        "slope": calibration.a,
        "offset": calibration.b + shift,
        "prevalence_assumed": config.prevalence or calibration.prevalence,
        "prevalence_known": calibration.prevalence,
        "reliability_error": out_of_sample_error(mean[told], candidates.labels[told]),
        "pairs_of_tfs_without_known_targets": int((~told).sum()),
    }
    return pd.DataFrame(columns).iloc[order].reset_index(drop=True), figures


def name_unseen(candidates: LabelledPairs, trainable: np.ndarray) -> np.ndarray:
    """What of a pair nothing is known: "TF", "target", "both" or "no".

    A TF is unseen that no fit learned from, a target that no known edge is about.
    """
    tf = ~np.isin(candidates.pairs[:, 0], trainable)
    target = ~np.isin(candidates.pairs[:, 1], candidates.positives[:, 1])
    return np.array(["no", "TF", "target", "both"])[tf + 2 * target]


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
