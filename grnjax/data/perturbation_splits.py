"""Splits of perturbed conditions: which are learned from, which choose the epoch, which judge.

The kind `simulation` is that of GEARS (Roohani et al. 2024, Nature Biotechnology 42:927, Methods):
three quarters of the perturbed genes are seen. Tested are singles of other genes, doubles with one
gene seen or none, and a quarter of the doubles of two seen genes. `single` splits the conditions
of one gene and leaves doubles out; `combo` learns from all singles and tests a quarter of the
doubles.
"""

import dataclasses
from typing import Literal

import numpy as np

from grnjax.data.perturbed_cells import list_perturbed
from grnjax.errors import SplitError

PerturbationSplitKind = Literal["simulation", "single", "combo"]
SEEN_SHARE, VALIDATION_SHARE = 0.75, 0.9


@dataclasses.dataclass(frozen=True)
class ConditionSplit:
    """Conditions of each part, without the control, which all learn from."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    groups: dict[str, str]  # of each test condition: single, double, seen 0/1/2


def split_conditions(
    conditions: list[str], kind: PerturbationSplitKind, *, seed: int
) -> ConditionSplit:
    """A random split; it depends on the seed and the set of conditions, not on their order.

    Raises:
        SplitError: too few conditions for every part to have one.
    """
    rng, names = np.random.default_rng([seed, 7]), sorted(set(conditions))
    singles = [name for name in names if len(list_perturbed(name)) == 1]
    doubles = [name for name in names if len(list_perturbed(name)) == 2]
    if kind == "simulation":
        rest, test = divide_by_genes(names, SEEN_SHARE, SEEN_SHARE, rng)
        train, validation = divide_by_genes(rest, VALIDATION_SHARE, VALIDATION_SHARE, rng)
    elif kind == "single":
        rest, test = divide(singles, SEEN_SHARE, rng)
        train, validation = divide(rest, VALIDATION_SHARE, rng)
    else:
        rest, test = divide(doubles, SEEN_SHARE, rng)
        own, validation = divide(rest, VALIDATION_SHARE, rng)
        train = [*singles, *own]
    if train and not validation:  # few conditions: one is lent
        place = int(rng.integers(len(train)))
        validation = [train.pop(place)]
    if not (train and validation and test):
        raise SplitError(
            f"a split {kind!r} of {len(singles):,} single and {len(doubles):,} double "
            f"perturbations leaves {len(train)} to learn from, {len(validation)} for validation "
            f"and {len(test)} to test; take another --task.splits or more conditions."
        )
    seen = {gene for name in (*train, *validation) for gene in list_perturbed(name)}
    groups = {name: describe(name, seen) for name in test}
    return ConditionSplit(*(tuple(sorted(x)) for x in (train, validation, test)), groups)


def describe(condition: str, seen: set[str]) -> str:
    """How a test condition relates to what was seen."""
    genes = list_perturbed(condition)
    known = len({*genes} & seen)
    return f"{'single' if len(genes) == 1 else 'double'}, {known} seen"


def divide(names: list[str], share: float, rng: np.random.Generator) -> tuple[list, list]:
    """A random share of the names, and the others."""
    order = rng.permutation(len(names))
    first = round(share * len(names))
    return [names[i] for i in order[:first]], [names[i] for i in order[first:]]


def divide_by_genes(
    names: list[str], genes_share: float, doubles_share: float, rng: np.random.Generator
) -> tuple[list, list]:
    """Conditions of seen genes but for some doubles of them, and all others."""
    genes = sorted({gene for name in names for gene in list_perturbed(name)})
    seen = {*divide(genes, genes_share, rng)[0]}
    within = [name for name in names if {*list_perturbed(name)} <= seen]
    singles = [name for name in within if len(list_perturbed(name)) == 1]
    doubles = [name for name in within if len(list_perturbed(name)) == 2]
    kept, left = divide(doubles, doubles_share, rng)
    others = [name for name in names if name not in {*within}]
    return [*singles, *kept], [*others, *left]
