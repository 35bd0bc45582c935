"""From out-of-fold logits to a table of edges: probabilities, intervals, what is new and unseen."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import expit, ndtri

from grnjax.data.candidates import EVERY_PAIR, Listing, has_known_targets
from grnjax.data.label_matrix import row_of_tf
from grnjax.evaluation.calibration import fit_calibration, out_of_sample_error
from grnjax.evaluation.known_share import KnownShare, estimate_known_share, fit_truth
from grnjax.evaluation.member_logits import (
    LogitMoments,
    mean_logit,
    spread_logit,
    spread_probability,
)
from grnjax.progress import logger
from grnjax.types import GeneTable, LabelledPairs

MOST_CALIBRATING = 2**21
"""Candidates that probabilities are calibrated by; of more a random part."""


def rank_candidates(
    names: np.ndarray,
    candidates: LabelledPairs,
    logits: Float[np.ndarray, "member candidate"] | LogitMoments,
    terms: Mapping[str, Float[np.ndarray, " candidate"]],
    *,
    prevalence: float | None,
    known_share: float | None,
    seed: int,
    listing: Listing = EVERY_PAIR,
) -> tuple[pd.DataFrame, dict]:
    """The candidates by falling mean logit of the members, and how they were calibrated.

    Columns: tf, target, importance (the mean logit as a share of 1), probability (of being listed,
    calibrated), probability_true (of being true, by the known share), spread (the deviation of
    `probability` over the members), low and high (its 95 % interval over the members, by a normal
    on the logit scale), status (known or new) and unseen: whether the TF has no known targets, the
    gene no known regulator, or both. Then, if asked for, the logit and its terms.

    Args:
        names: of the genes.
        logits: of all repeats, each out of fold, or their moments: `spread` is then that of a
            normal on the logit scale, as `low` and `high` are.
        terms: they add up to the mean logit; empty unless they are asked for.
        prevalence: share of true edges that `probability` assumes; None for that of known ones.
        known_share: share of the true edges that the known ones are; None estimates it.
        listing: which are listed; all are calibrated.
    """
    mean = mean_logit(logits)
    known = has_known_targets(candidates)
    chosen = choose_calibrating(candidates.labels, known, seed)
    scores, pairs = mean[chosen], candidates.take(chosen)
    calibration = fit_calibration(scores, pairs.labels)
    shift = calibration.shift_to(prevalence)
    share = find_known_share(scores, pairs, known_share, seed)

    def probability(raw: np.ndarray) -> np.ndarray:
        return expit(calibration.a * raw + calibration.b + shift)

    best = listing.choose(mean, candidates.pairs[:, 1])
    best = best[np.lexsort((*candidates.pairs[best].T[::-1], -mean[best]))]
    own, (tf, target) = mean[best], candidates.pairs[best].T
    reach = ndtri(0.975) * spread_logit(logits, best)
    columns = {
        "tf": names[tf],
        "target": names[target],
        "importance": expit(own),
        "probability": probability(own),
        "probability_true": probability_true(
            own, candidates.labels[best] > 0, known[best], share, (scores, pairs.labels)
        ),
        "spread": spread_probability(logits, best, calibration.a, calibration.b + shift),
        "low": probability(own - reach),
        "high": probability(own + reach),
        "status": np.where(candidates.labels[best] > 0, "known", "new"),
        "unseen": name_unseen(candidates, best),
    }
    if terms:
        columns |= {"logit": own, **{f"logit: {x}": v[best] for x, v in terms.items()}}
    figures = {
        "slope": calibration.a,
        "offset": calibration.b + shift,
        "prevalence_assumed": prevalence or calibration.prevalence,
        "prevalence_known": calibration.prevalence,
        "known_share": dataclasses.asdict(share),
        "reliability_error": out_of_sample_error(scores, pairs.labels),
        "pairs_of_tfs_without_known_targets": int((~known).sum()),
    }
    return pd.DataFrame(columns), figures


def choose_calibrating(labels: np.ndarray, known: np.ndarray, seed: int) -> np.ndarray:
    """Which candidates of the known TFs calibrate: a mask of all, or places of a random part.

    Of more than `MOST_CALIBRATING`, the same share of either label is drawn.
    """
    count = int(np.count_nonzero(known))
    if count <= MOST_CALIBRATING:
        return known
    rng, is_positive = np.random.default_rng(seed), labels > 0
    drawn = [
        rng.choice(own, round(len(own) * MOST_CALIBRATING / count), replace=False)
        for own in (np.flatnonzero(known & is_positive), np.flatnonzero(known & ~is_positive))
    ]
    return np.sort(np.concatenate(drawn))


def find_known_share(
    scores: np.ndarray, pairs: LabelledPairs, given: float | None, seed: int
) -> KnownShare:
    """The known share as given, or estimated, by out-of-fold scores of pairs of known TFs."""
    if given is not None:
        return KnownShare(given, given, given)
    share = estimate_known_share(scores, pairs.labels, pairs.pairs[:, 0], seed=seed)
    if share.value is None:
        logger.warning(
            f"the scores cannot tell which share of the true edges is known ({share.low:.0%} at "
            "least), so that probability_true stays empty; --known-share=SHARE gives it"
        )
    else:
        logger.info(
            f"known edges are estimated to be {share.value:.0%} of the true ones "
            f"({share.low:.0%} to {share.high:.0%}); --known-share=SHARE says otherwise"
        )
    return share


def probability_true(
    scores: np.ndarray,
    is_known: np.ndarray,
    was_studied: np.ndarray,
    share: KnownShare,
    calibrating: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """The probability that pairs are true; NaN where the known share cannot be told.

    Args:
        was_studied: whether the TF has known edges.
        calibrating: scores and labels by which the curve is fitted.
    """
    if share.value is None:
        return np.full(len(scores), np.nan)
    truth = fit_truth(*calibrating, share.value)
    return truth.probability(scores, is_known, was_studied)


def name_unseen(candidates: LabelledPairs, at: np.ndarray) -> np.ndarray:
    """What of the pairs at these places nothing is known: "TF", "target", "both" or "no".

    A TF is unseen that has no known target, a target that no known edge is about.
    """
    pairs, positives = candidates.pairs[at], candidates.positives
    tf, target = (~np.isin(pairs[:, role], positives[:, role]) for role in (0, 1))
    return np.array(["no", "TF", "target", "both"])[tf + 2 * target]


def tell_cut(edges: pd.DataFrame, pairs: int, listing: Listing) -> bool:
    """Whether a table leaves pairs out, said if it does."""
    cut = len(edges) < pairs
    if cut:
        each, flags = "", "--top=N, --top=all"
        if listing.of_target is not None:
            each, flags = f", {listing.of_target:,} of a target at most", "--top, --top-per-target"
        logger.warning(
            f"tables list the best {len(edges):,} of {pairs:,} pairs{each} ({flags}); the scores "
            "of all are in scores.npz"
        )
    return cut


def lay_out(genes: GeneTable, pairs: LabelledPairs, scores: np.ndarray) -> pd.DataFrame:
    """Scores of pairs as a matrix [tf, gene]; NaN for other pairs."""
    matrix = np.full((len(genes.tfs), len(genes.names)), np.nan, np.float32)
    matrix[row_of_tf(genes.tfs, len(genes.names))[pairs.pairs[:, 0]], pairs.pairs[:, 1]] = scores
    return name_scores(genes, matrix)


def name_scores(genes: GeneTable, scores: Float[np.ndarray, "tf gene"]) -> pd.DataFrame:
    """The scores, float32, with the names of TFs and genes."""
    return pd.DataFrame(scores.astype(np.float32), genes.names[genes.tfs], genes.names)
