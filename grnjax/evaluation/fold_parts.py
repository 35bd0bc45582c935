"""What a fit of a fold learns from, cut out of the candidates when it is asked for.

Pairs of all fits together would be many times the candidates, so that only the fold of each
candidate is kept, one number each, and the parts of one fit at a time.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Int

from grnjax.errors import ConfigError
from grnjax.evaluation.splits import cross_fit_folds
from grnjax.types import LabelledPairs, Split

INNER_FOLDS = 8  # one of them is the validation part of a fit


@dataclasses.dataclass(frozen=True, eq=False)
class PartCutter:
    """Cuts parts out of the candidates; what was asked for last is at hand."""

    candidates: LabelledPairs
    of_pair: Int[np.ndarray, " candidate"]  # the fold of each
    known: Bool[np.ndarray, " candidate"]  # whether its TF has a known target
    most_train_pairs: int

    def hidden(self, fold: int) -> LabelledPairs:
        """The pairs of a fold."""
        return self.candidates.take(self.of_pair == fold)

    def seen(self, fold: int) -> LabelledPairs:
        """The pairs that a fit of a fold may learn from."""
        return self.candidates.take((self.of_pair != fold) & self.known)

    def train(self, fold: int, seed: int, thin_seed: int) -> LabelledPairs:
        """The pairs that a fit learns from, thinned out where they are too many."""
        train = self.seen(fold).take(self.inner(fold, seed) > 0)
        return thin_out(train, self.most_train_pairs, thin_seed)[0]

    def validation(self, fold: int, seed: int) -> LabelledPairs:
        """The pairs that choose when a fit stops."""
        return self.seen(fold).take(self.inner(fold, seed) == 0)

    @functools.cached_property
    def inner(self) -> Callable[[int, int], np.ndarray]:
        """The inner fold of each pair that is seen, of the fit that was asked about last."""

        @functools.lru_cache(maxsize=1)
        def draw(fold: int, seed: int) -> np.ndarray:
            return cross_fit_folds(self.seen(fold), INNER_FOLDS, seed=seed).astype(np.int8)

        return draw

    def negative_weight(self, fold: int) -> float:
        """What thinning out makes of the weight of an unlabelled train pair.

        As `cross_fit_folds` deals them out, of n pairs the validation part takes every eighth,
        unlabelled ones first.
        """
        is_seen = (self.of_pair != fold) & self.known
        seen = int(np.count_nonzero(is_seen))
        known = int(np.count_nonzero(self.candidates.labels[is_seen] > 0))
        unlabelled = seen - known
        unlabelled_train = unlabelled - -(-unlabelled // INNER_FOLDS)
        train = seen - -(-seen // INNER_FOLDS)
        room = find_room(train - unlabelled_train, train, self.most_train_pairs)
        return 1.0 if unlabelled_train <= room else unlabelled_train / room


class FoldSplit(Split):
    """A split whose parts are made when they are asked for: arrays, or functions that make them."""

    def __init__(self, train, validation, test, kind: str, draw: int):
        for name, value in (("kind", kind), ("draw", draw)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "parts", {"train": train, "validation": validation, "test": test})

    def __getattr__(self, name: str) -> LabelledPairs:
        part = self.__dict__.get("parts", {}).get(name)
        if part is None:
            raise AttributeError(name)
        return part() if callable(part) else part


def cut_later(cutter: PartCutter, fold: int, seed: int, thin_seed: int) -> FoldSplit:
    """The split of one fit."""
    return FoldSplit(
        train=functools.partial(cutter.train, fold, seed, thin_seed),
        validation=functools.partial(cutter.validation, fold, seed),
        test=functools.partial(cutter.hidden, fold),
        kind="cross-fitted",
        draw=fold,
    )


def find_room(known: int, train: int, most: int) -> int:
    """How many unlabelled pairs there is room for beside the known ones.

    Raises:
        ConfigError: none.
    """
    if train <= most:
        return train - known
    if most - known < 1:
        raise ConfigError(
            f"{known:,} known edges leave no room for unlabelled pairs among {most:,} train pairs; "
            "raise --most-train-pairs."
        )
    return most - known


def thin_out(pairs: LabelledPairs, most: int, seed: int) -> tuple[LabelledPairs, float]:
    """At most `most` pairs, positives all kept, and the weight that makes up for the dropped."""
    unlabelled = np.flatnonzero(pairs.labels == 0)
    room = find_room(len(pairs) - len(unlabelled), len(pairs), most)
    if len(unlabelled) <= room:
        return pairs, 1.0
    kept = np.random.default_rng(seed).choice(unlabelled, room, replace=False)
    chosen = np.sort(np.concatenate([np.flatnonzero(pairs.labels > 0), kept]))
    return pairs.take(chosen), len(unlabelled) / room
