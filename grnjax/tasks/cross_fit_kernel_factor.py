"""Out-of-fold scores of every candidate by the kernel-informed factor model, and their reasons."""

from collections.abc import Sequence

import numpy as np

from grnjax.data.candidates import has_known_targets
from grnjax.data.label_matrix import places_of
from grnjax.data.names import list_names
from grnjax.errors import ConfigError
from grnjax.evidence.types import Evidence
from grnjax.progress import logger
from grnjax.tasks.cross_fitting import CrossFit, Fold, list_trainable
from grnjax.tasks.explanation import explain_fit, measure_worth
from grnjax.tasks.feature_bank import build_bank
from grnjax.tasks.kernel_factor import KernelFactorSettings, Learned, fit_kernel_factor
from grnjax.training.recorder import FitRecorder, derive_seed
from grnjax.types import Dataset, LabelledPairs

MOST_EXPLAINED = 2_000_000  # candidates


def cross_fit_kernel_factor(
    dataset: Dataset,
    candidates: LabelledPairs,
    folds: list[Fold],
    settings: KernelFactorSettings,
    recorder: FitRecorder,
    seed: int,
    evidence: Sequence[Evidence],
    *,
    explain: bool = False,
) -> CrossFit:
    """Logits of every candidate by the fits that did not train on it.

    Each fit is an ensemble of its own, whose members count as members here.

    Args:
        evidence: in the order of the data set's genes and TFs, and no copy of its labels.
        explain: whether to keep the terms that the logits are made of.
    """
    genes, tfs = dataset.genes, dataset.genes.tfs
    is_explained = len(candidates) <= MOST_EXPLAINED
    if explain and not is_explained:
        raise ConfigError(
            f"{len(candidates):,} candidates are too many for --explain, which takes up to "
            f"{MOST_EXPLAINED:,}; give a shorter TF list, or leave it out."
        )
    if not is_explained:
        logger.warning(
            "%d candidates: what each block is worth is not measured above %d",
            len(candidates),
            MOST_EXPLAINED,
        )
    trainable = list_trainable(folds)
    known = np.unique(candidates.positives[:, 0])
    untrainable = np.setdiff1d(known, trainable)
    if len(untrainable):
        logger.warning(
            f"{len(untrainable):,} of {len(known):,} TFs have too few known edges for every "
            f"fold to learn from, and count as unseen: {list_names(genes.names[untrainable])}"
        )
    bank = build_bank(
        evidence,
        tfs,
        len(genes.names),
        labelled=trainable,
        most_genes=settings.most_genes,
        seed=derive_seed(seed),
    )
    members = settings.model.members
    outer = len({fold.member for fold in folds})
    logits = np.full((outer, members, len(candidates)), np.nan, np.float32)
    told, worth, terms = has_known_targets(candidates), [], {}
    for fold in folds:
        name = f"member{fold.member}-fold{fold.fold}"
        fit = fit_kernel_factor(
            bank,
            of_tfs(fold.train, trainable),
            of_tfs(fold.validation, trainable),
            settings,
            seed=derive_seed(seed, fold.member, fold.fold),
            disjoint=False,
            recall=lambda form, make, name=name: recorder.recall(
                name, form, make, lambda learned: describe_fit(learned, settings)
            ),
        )
        at = places_of(fold.hidden, tfs, len(genes.names))
        logits[fold.member][:, fold.held_out] = fit.member_logits()[:, *at]
        if is_explained and (explain or fold.member == 0):
            explanation = explain_fit(fit, bank)
            if fold.member == 0:
                judged = candidates.take(fold.held_out & told)
                found = measure_worth(explanation, fit, bank, judged, seed=fold.fold)
                worth += [{"draw": fold.fold, **row} for row in found]
            if explain:
                for term, values in zip(explanation.names, explanation.at(*at), strict=True):
                    column = terms.setdefault(term, np.zeros(len(candidates), np.float32))
                    column[fold.held_out] += values / outer
    return CrossFit(logits.reshape(-1, len(candidates)), trainable, worth, terms)


def of_tfs(pairs: LabelledPairs, tfs: np.ndarray) -> LabelledPairs:
    """The pairs of these TFs."""
    return pairs.take(np.isin(pairs.pairs[:, 0], tfs))


def describe_fit(learned: Learned, settings: KernelFactorSettings) -> list[dict]:
    """Lines for metrics.jsonl: the validation score of each snapshot."""
    every = settings.training.evaluate_every
    return [
        {"epoch": (place + 1) * every, "validation": float(score), "best_epoch": int(learned.step)}
        for place, score in enumerate(learned.validation)
    ]
