"""Candidates assigned to folds, so that no pair is scored by a model that trained on it."""

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from grnjax.config import AtLeastTwo, Positive, Settings
from grnjax.data.candidates import drop_unknown_tfs, has_known_targets
from grnjax.errors import ConfigError, SplitError
from grnjax.evaluation.fold_parts import INNER_FOLDS, PartCutter, cut_later
from grnjax.evaluation.member_logits import LogitMoments, MemberLogits
from grnjax.evaluation.splits import cross_fit_folds
from grnjax.methods.method import MethodConfig, Problem
from grnjax.progress import logger
from grnjax.training.recorder import FitRecorder, derive_seed
from grnjax.types import Fold, LabelledPairs, Part

MOST_EXPLAINED = 2_000_000  # candidates


@dataclasses.dataclass(frozen=True, kw_only=True)
class CrossFitConfig(Settings):
    """How candidates are assigned to folds."""

    repeats: Positive = 2
    """Rounds of cross-fitting; the disagreement of their fits is the spread of an edge. Five gain
    .001 of average precision and .002 of swap concordance over two (experiments/kernel_factor)."""
    folds: AtLeastTwo = 5
    """Parts of the candidates; each is scored by models that did not train on it."""
    most_train_pairs: Positive = 200_000
    """Above this, a fit takes all known edges and a weighted part of the other pairs."""


@dataclasses.dataclass(frozen=True, eq=False)
class CrossFit:
    """What the fits of all folds make of the candidates."""

    logits: Float[np.ndarray, "member candidate"] | LogitMoments
    """Of all repeats, each out of fold; their moments where they would be too many to hold."""
    worth: list[dict]  # what each source of evidence adds, by fold (`Scorer.worth`); or empty
    terms: dict[str, Float[np.ndarray, " candidate"]]  # they add up to the mean logit; or empty


def choose_folds(
    candidates: LabelledPairs,
    config: CrossFitConfig,
    seed: int,
    folder: Path | None,
    takes_all_pairs: bool,
) -> list[Fold]:
    """The folds of all repeats, under the names that the run folder has for them.

    Args:
        takes_all_pairs: whether a fit takes all pairs at once, however many.
    """
    if takes_all_pairs:
        config = dataclasses.replace(config, most_train_pairs=sys.maxsize)
    begun_before = folder is not None and (folder / "checkpoints/member0-fold0").exists()
    name = "member" if begun_before else "repeat"  # as version 0.1.0 called them
    folds = list(assign_folds(candidates, config, seed, name=name))
    if any(fold.part.negative_weight > 1 for fold in folds):
        logger.warning(
            "more than %d pairs: each fit takes a random part of the unlabelled ones, weighted up "
            "(--most-train-pairs)",
            config.most_train_pairs,
        )
    return folds


def assign_folds(
    candidates: LabelledPairs, config: CrossFitConfig, seed: int, *, name: str = "repeat"
) -> Iterator[Fold]:
    """The folds of every repeat: the same held-out pairs, another validation part for each.

    Repeats share what they hold out, so that within a fold their mean comes from one set of
    models: only there do metrics keep their meaning (an additive score, for one, has a swap
    concordance of exactly one half within a fold and not across).

    A TF whose known edges are all held out keeps its other pairs in train: its rate is then
    learned low, as that of a TF with few edges is, where without them it would be the average one.

    Args:
        name: of a repeat in a run folder.
    """
    outer = cross_fit_folds(candidates, config.folds, seed=derive_seed(seed))
    check_counts(candidates, config.folds)
    of_pair = outer.astype(np.min_scalar_type(config.folds))
    known = has_known_targets(candidates)
    cutter = PartCutter(candidates, of_pair, known, config.most_train_pairs)
    for fold in range(config.folds):
        weight = cutter.negative_weight(fold)
        for repeat in range(config.repeats):
            own_seed = derive_seed(seed, repeat, fold)
            split = cut_later(cutter, fold, own_seed, derive_seed(seed, repeat, fold, 1))
            part = Part(split, f"{name}{repeat}-fold{fold}", own_seed, weight)
            yield Fold(repeat, fold, of_pair, part)


def cross_fit(
    method: MethodConfig,
    problem: Problem,
    candidates: LabelledPairs,
    folds: Sequence[Fold],
    recorder: FitRecorder,
    *,
    mesh: Mesh | None = None,
    explain: bool = False,
) -> CrossFit:
    """Logits of every candidate by the fits that did not train on it, and their reasons.

    Raises:
        ConfigError: terms are asked for, and there are none or too many.
    """
    count, repeats = len(candidates), len({fold.repeat for fold in folds})
    known, terms_fit = has_known_targets(candidates), count <= MOST_EXPLAINED
    if explain and "terms" not in method.GIVES:
        raise ConfigError(f"{method.name()} has no terms to explain its scores; drop --explain.")
    if explain and not terms_fit:
        raise ConfigError(
            f"{count:,} candidates are too many for --explain, which takes up to "
            f"{MOST_EXPLAINED:,}; give a shorter TF list, or leave it out."
        )
    if "terms" in method.GIVES and not terms_fit:
        logger.warning(
            f"{count:,} candidates: what each source is worth is not measured above "
            f"{MOST_EXPLAINED:,}"
        )
    logits, worth, terms = MemberLogits(repeats, count), [], {}
    parts = [fold.part for fold in folds]
    fits = method.fit_all(problem, parts, recorder, mesh=mesh)
    for fold in folds:
        fit, hidden = next(fits), fold.part.split.test
        logits.add(fold.repeat, fold.held_out, fit.logits(hidden))
        if fold.repeat == 0 and terms_fit:
            judged = candidates.take(fold.held_out & known)
            found = fit.worth(judged, seed=fold.fold)
            worth += [{"draw": fold.fold, **row} for row in found]
        for term, values in fit.terms(hidden).items() if explain else ():
            column = terms.setdefault(term, np.zeros(count, np.float32))
            column[fold.held_out] += values / repeats
        del fit  # as in the method
    return CrossFit(logits.finish(), worth, terms)


def check_counts(candidates: LabelledPairs, folds: int) -> None:
    """Refuses candidates of which a fit would see too few of a class."""
    known = len(candidates.positives)
    others = len(drop_unknown_tfs(candidates)) - known
    for count, what, next_step in (
        (known, "known edges", "add known edges"),
        (others, "other pairs of their TFs", "add genes, or leave out TFs that regulate all"),
    ):
        seen = count - -(-count // folds)
        if seen < INNER_FOLDS:
            raise SplitError(
                f"{count:,} {what} in {folds} folds leave a fit {seen:,} to learn from and to be "
                f"validated on, and it needs {INNER_FOLDS}; {next_step}."
            )
