"""Candidates assigned to folds, so that no pair is scored by a model that trained on it."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from grnjax.config import AtLeastTwo, Positive, Settings
from grnjax.data.candidates import drop_unknown_tfs
from grnjax.errors import ConfigError, SplitError
from grnjax.evaluation.splits import cross_fit_folds
from grnjax.training.recorder import derive_seed
from grnjax.types import LabelledPairs, Split

INNER_FOLDS = 8  # one of them is the validation part of a fit


@dataclasses.dataclass(frozen=True, kw_only=True)
class CrossFitConfig(Settings):
    """How candidates are assigned to folds."""

    members: Positive = 5
    """Members of the ensemble; their disagreement is the spread of an edge."""
    folds: AtLeastTwo = 5
    """Parts of the candidates; each is scored by models that did not train on it."""
    most_train_pairs: Positive = 200_000
    """Above this, a fit takes all known edges and a random part of the unlabelled pairs, each of
    which then weighs more."""


@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
    """The part of one member's candidates that one fit must not see, and what it learns from."""

    member: int
    fold: int
    held_out: np.ndarray  # mask over the candidates
    hidden: LabelledPairs  # those candidates
    train: LabelledPairs
    validation: LabelledPairs
    negative_weight: float

    @property
    def split(self) -> Split:
        """Its pairs as those of a split."""
        return Split(self.train, self.validation, self.hidden, "cross-fitted", self.fold)


@dataclasses.dataclass(frozen=True, eq=False)
class CrossFit:
    """What the fits of all folds say of the candidates."""

    logits: Float[np.ndarray, "member candidate"]  # each by a fit that did not train on it
    trainable: np.ndarray  # gene indices of the TFs that the fits learned from
    worth: list[dict]  # what each block adds, by fold (`explanation.measure_worth`); or empty
    terms: dict[str, Float[np.ndarray, " candidate"]]  # they add up to the mean logit; or empty


def list_trainable(folds: list[Fold]) -> np.ndarray:
    """The TFs, by gene index, of which every fit has a known edge to train on.

    The few known edges of another TF may all be held out, or validate. Its pairs there would be
    scored without a rate of their own and the others with one, by where its edges happened to
    fall: so no fit learns from it.
    """
    of_fit = [set(fold.train.positives[:, 0].tolist()) for fold in folds]
    trainable = sorted(set.intersection(*of_fit))
    if not trainable:
        raise SplitError(
            f"None of the {len(set.union(*of_fit)):,} TFs has a known edge in every fold to learn "
            "from; add known edges, or give fewer --folds."
        )
    return np.array(trainable, np.int32)


def assign_folds(candidates: LabelledPairs, config: CrossFitConfig, seed: int) -> Iterator[Fold]:
    """The folds of every member: the same held-out pairs, another validation part for each.

    Members share what they hold out, so that within a fold their mean comes from one set of
    models: only there do metrics keep their meaning (an additive score, for one, has a swap
    concordance of exactly one half within a fold and not across).
    """
    outer = cross_fit_folds(candidates, config.folds, seed=derive_seed(seed))
    check_counts(candidates, config.folds)
    for fold in range(config.folds):
        held_out = outer == fold
        hidden = candidates.take(held_out)
        seen = drop_unknown_tfs(candidates.take(~held_out))
        for member in range(config.members):
            inner = cross_fit_folds(seen, INNER_FOLDS, seed=derive_seed(seed, member, fold))
            train, weight = thin_out(
                drop_unknown_tfs(seen.take(inner > 0)),
                config.most_train_pairs,
                derive_seed(seed, member, fold, 1),
            )
            validation = seen.take(inner == 0)
            yield Fold(member, fold, held_out, hidden, train, validation, weight)


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


def thin_out(pairs: LabelledPairs, most: int, seed: int) -> tuple[LabelledPairs, float]:
    """At most `most` pairs, positives all kept, and the weight that makes up for the dropped."""
    unlabelled = np.flatnonzero(pairs.labels == 0)
    room = most - (len(pairs) - len(unlabelled))
    if room < 1:
        raise ConfigError(
            f"{len(pairs) - len(unlabelled):,} known edges leave no room for unlabelled pairs "
            f"among {most:,} train pairs; raise --most-train-pairs."
        )
    if len(unlabelled) <= room:
        return pairs, 1.0
    kept = np.random.default_rng(seed).choice(unlabelled, room, replace=False)
    chosen = np.sort(np.concatenate([np.flatnonzero(pairs.labels > 0), kept]))
    return pairs.take(chosen), len(unlabelled) / room
