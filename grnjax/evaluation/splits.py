"""Train, validation and test pairs drawn from a known network, and the checks that nothing leaks.

All kinds but the last split the same universe: each TF that has a target, paired with every
gene but itself. The kinds differ in what a test pair may have in common with the training pairs.

    standard          its TF and its target, never the pair: the split of the published tables
    target-disjoint   its TF only
    group-disjoint    its TF only, and no train pair's target is co-expressed with its own: groups
                      of genes, such as operons, stay on one side (`data.coexpressed_groups`)
    tf-disjoint       its target only
    both-disjoint     neither; pairs of a test TF with a training gene, and so on, stay unused
    balanced          its TF and its target: GENELink's rule for networks other than cell-type
                      specific ones, drawn in `balanced_split`
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np

from grnjax.errors import ConfigError, SplitError
from grnjax.evaluation.balanced_split import draw_balanced_parts
from grnjax.types import LabelledPairs, Split, SplitProtocol

SplitKind = Literal[
    "standard", "tf-disjoint", "target-disjoint", "group-disjoint", "both-disjoint", "balanced"
]

AS_PUBLISHED = "balanced, as published"
OVERLAPPING_KINDS = (AS_PUBLISHED, "published, overlapping")  # their test part repeats train pairs

# Shares of validation and test: of each TF's pairs in the standard split, else of TFs and genes.
SHARES = {
    "standard": (0.10, 0.23),
    "tf-disjoint": (0.12, 0.25),
    "target-disjoint": (0.12, 0.25),
    "group-disjoint": (0.12, 0.25),
    "both-disjoint": (0.12, 0.25),
}
TRAIN, VALIDATION, TEST, UNUSED = 0, 1, 2, -1
PARTS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}


def draw_split(
    kind: SplitKind,
    edges: np.ndarray,
    genes: int,
    draw: int,
    *,
    validation: float | None = None,
    test: float | None = None,
    tfs: Sequence[int] | None = None,
    groups: np.ndarray | None = None,
    protocol: SplitProtocol = "corrected",
    prevalence: float | None = None,
) -> Split:
    """The split of this kind and draw, each part sorted by TF and target.

    A balanced split needs `tfs`, and fixes its shares; only it has a `protocol` and a `prevalence`,
    which `draw_balanced_parts` explains.

    Args:
        edges: [edge, 2], the known positives as gene indices; self loops are no candidates.
        genes: number of genes, all of which are candidate targets.
        draw: the seed; the same edges and draw always give the same split.
        validation: share of validation, `SHARES[kind]` unless given.
        test: share of test, likewise.
        tfs: gene indices of all annotated TFs, with or without a known target.
        groups: [gene], the group of each; a group-disjoint split needs them, no other reads them.
    """
    if kind not in get_args(SplitKind):
        kinds = ", ".join(get_args(SplitKind))
        raise ConfigError(f"There is no split {kind!r}; choose one of {kinds}.")
    edges, rng = np.asarray(edges), np.random.default_rng(draw)
    if kind == "balanced":
        if tfs is None or validation is not None or test is not None:
            raise ConfigError(
                "A balanced split needs the list of all TFs and fixes its shares of validation "
                "and test: give tfs, and neither validation nor test."
            )
        rows, is_known = _tabulate(edges, genes, tfs)
        parts = draw_balanced_parts(is_known, rows, rng, protocol=protocol, prevalence=prevalence)
        return Split(**parts, kind=kind if protocol == "corrected" else AS_PUBLISHED, draw=draw)
    if protocol != "corrected" or prevalence is not None:
        raise ConfigError(
            f"A {kind} split has no protocol and no prevalence to choose: leave them out, or "
            "draw a balanced split."
        )
    validation, test = _settle_shares(kind, validation, test)
    rows, is_known = _tabulate(edges, genes)
    if kind == "standard":
        part = _cut_each_tf(rows, is_known, rng, validation, test)
    else:
        of_tf = of_gene = None
        if kind not in ("target-disjoint", "group-disjoint"):
            of_tf = _assign("TFs", len(rows), rng, validation, test)
        if kind == "group-disjoint":
            of_gene = _assign_groups(groups, genes, rng, validation, test)
        elif kind != "tf-disjoint":
            of_gene = _assign("genes", genes, rng, validation, test)
        part = _cross(of_tf, of_gene, is_known.shape)
    part[np.arange(len(rows)), rows] = UNUSED
    return Split(**_collect_parts(part, rows, is_known), kind=kind, draw=draw)


def _settle_shares(kind: str, validation: float | None, test: float | None) -> tuple[float, float]:
    """The shares of validation and test: those given, else those of the kind."""
    validation = SHARES[kind][0] if validation is None else validation
    test = SHARES[kind][1] if test is None else test
    if not (0 < validation and 0 < test and validation + test < 1):
        raise ConfigError(
            f"Shares of {validation:g} for validation and {test:g} for test leave a part of the "
            "split empty; both must be above 0 and their sum below 1."
        )
    return validation, test


def _tabulate(
    edges: np.ndarray, genes: int, annotated: Sequence[int] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """The TFs annotated or with a target but themselves, ascending; their targets [tf, gene]."""
    edges = edges[edges[:, 0] != edges[:, 1]]
    if not len(edges):
        raise SplitError(
            f"No TF has a target other than itself among {genes:,} genes: there is nothing to "
            "split; check that network and expression name their genes alike."
        )
    tfs = np.union1d(edges[:, 0], np.asarray(annotated, edges.dtype))
    is_known = np.zeros((len(tfs), genes), bool)
    is_known[np.searchsorted(tfs, edges[:, 0]), edges[:, 1]] = True
    return tfs, is_known


def _cut_each_tf(
    tfs: np.ndarray, is_known: np.ndarray, rng: np.random.Generator, validation: float, test: float
) -> np.ndarray:
    """The part of each pair [tf, gene], cutting every TF's positives and its other pairs alike.

    A single positive goes to train or test with equal odds, and of two each gets one: this is the
    rule of GENELink's split, which the published tables share.
    """
    part = np.full(is_known.shape, UNUSED)
    for row, tf in enumerate(tfs):
        positives = np.flatnonzero(is_known[row])
        others = np.setdiff1d(np.flatnonzero(~is_known[row]), tf)
        if len(positives) <= 2:
            part[row, positives] = rng.permutation([TRAIN, TEST])[: len(positives)]
        else:
            part[row, positives] = rng.permutation(_cut(len(positives), validation, test))
        part[row, others] = rng.permutation(_cut(len(others), validation, test))
    return part


def _cut(count: int, validation: float, test: float) -> np.ndarray:
    """`count` part numbers in order, cut at the floor of the shares; test takes the rest."""
    first = int(count * (1 - validation - test) + 1e-9)  # 0.67 * 100 must not become 66
    second = int(count * (1 - test) + 1e-9)
    return np.repeat([TRAIN, VALIDATION, TEST], [first, second - first, count - second])


def _assign(
    what: str, count: int, rng: np.random.Generator, validation: float, test: float
) -> np.ndarray:
    """The part of each TF or gene; validation and test get at least one."""
    if count < 3:
        raise SplitError(
            f"{count} {what} cannot be assigned to train, validation and test: take another kind "
            "of split or a larger network."
        )
    tested = max(1, round(count * test))
    validated = max(1, round(count * validation))
    trained = max(1, count - tested - validated)
    parts = np.repeat([TRAIN, VALIDATION, TEST], [trained, validated, count - trained - validated])
    return rng.permutation(parts)


def _assign_groups(
    groups: np.ndarray | None,
    genes: int,
    rng: np.random.Generator,
    validation: float,
    test: float,
) -> np.ndarray:
    """The part of each gene, the same for all of a group; shares are met to half a group."""
    if groups is None or len(groups) != genes:
        raise ConfigError(
            f"A group-disjoint split of {genes:,} genes needs the group of each, and got "
            f"{0 if groups is None else len(groups):,}: give groups, as group_genes finds them by "
            "expression, or take a target-disjoint split."
        )
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(sizes) < 3:
        raise SplitError(
            f"{len(sizes)} groups of co-expressed genes cannot be assigned to train, validation "
            "and test: take a target-disjoint split."
        )
    order = rng.permutation(len(sizes))
    middle = (np.cumsum(sizes[order]) - sizes[order] / 2) / genes  # of each group, in 0 to 1
    part = np.empty(len(sizes), int)
    part[order] = np.where(
        middle < test, TEST, np.where(middle < test + validation, VALIDATION, TRAIN)
    )
    return part[group]


def _cross(of_tf: np.ndarray | None, of_gene: np.ndarray | None, shape: tuple) -> np.ndarray:
    """The part of each pair [tf, gene]; where TF and gene disagree, none."""
    if of_tf is None:
        assert of_gene is not None
        return np.broadcast_to(of_gene, shape).copy()
    if of_gene is None:
        return np.broadcast_to(of_tf[:, None], shape).copy()
    return np.where(of_tf[:, None] == of_gene, of_gene, UNUSED)


def _collect_parts(
    part: np.ndarray, tfs: np.ndarray, is_known: np.ndarray
) -> dict[str, LabelledPairs]:
    parts = {}
    for name, number in PARTS.items():
        row, gene = np.nonzero(part == number)
        pairs = np.stack([tfs[row], gene], axis=1).astype(np.int32)
        parts[name] = LabelledPairs(pairs, is_known[row, gene].astype(np.float32))
    return parts


def check_split(split: Split) -> dict:
    """Sizes of the parts, and how many reversed training pairs they hold; leaks raise SplitError.

    A pair (a, b) whose reverse (b, a) was trained on is no leak, since regulation has a direction,
    but a score that ignores the direction profits from it, so it is counted. Of the kinds that
    leak as they were published, the test pairs that train or validate as well are counted.
    """
    parts = {name: getattr(split, name) for name in PARTS}
    for name, part in parts.items():
        _check_part(name, part)
    report: dict[str, Any] = {"kind": split.kind, "draw": split.draw}
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        if second == "test" and split.kind in OVERLAPPING_KINDS:
            report |= _count_overlap(first, parts[first], split.test)
        else:
            _check_overlap(split.kind, first, parts[first].pairs, second, parts[second].pairs)
    trained = _encode(split.train.pairs)
    for name, part in parts.items():
        report[name] = {
            "pairs": len(part),
            "positives": len(part.positives),
            "tfs": len(np.unique(part.pairs[:, 0])),
            "targets": len(np.unique(part.pairs[:, 1])),
        }
        if name != "train":
            is_reversed = np.isin(_encode(part.pairs[:, ::-1]), trained)
            report[name]["reversed_training_pairs"] = int(is_reversed.sum())
    return report


def _check_part(name: str, part: LabelledPairs) -> None:
    positives, negatives = len(part.positives), len(part) - len(part.positives)
    if not positives or not negatives:
        missing = "negatives" if positives else "positives"
        raise SplitError(
            f"No {missing} in {name} ({positives:,} positive and {negatives:,} negative pairs): "
            "take another draw, a larger share for this part, or another kind of split."
        )
    loops = np.count_nonzero(part.pairs[:, 0] == part.pairs[:, 1])
    if loops:
        raise SplitError(f"{loops:,} pairs of a gene with itself in {name}: remove them.")
    repeated = len(part) - len(np.unique(_encode(part.pairs)))
    if repeated:
        raise SplitError(f"{repeated:,} of {len(part):,} pairs in {name} repeat: remove them.")


def _check_overlap(
    kind: str, first: str, first_pairs: np.ndarray, second: str, second_pairs: np.ndarray
) -> None:
    shared = {"pairs": np.intersect1d(_encode(first_pairs), _encode(second_pairs))}
    if kind in ("tf-disjoint", "both-disjoint"):
        shared["TFs"] = np.intersect1d(first_pairs[:, 0], second_pairs[:, 0])
    if kind in ("target-disjoint", "group-disjoint", "both-disjoint"):
        shared["targets"] = np.intersect1d(first_pairs[:, 1], second_pairs[:, 1])
    for what, common in shared.items():
        if len(common):
            raise SplitError(
                f"{first} and {second} share {len(common):,} {what}, which a {kind} split must "
                "not: remove them from one of the two."
            )


def _count_overlap(name: str, part: LabelledPairs, test: LabelledPairs) -> dict[str, int]:
    negatives = _encode(test.pairs[test.labels == 0])
    return {
        f"{name}_pairs_in_test": int(np.isin(_encode(part.pairs), _encode(test.pairs)).sum()),
        f"{name}_positives_labelled_0": int(np.isin(_encode(part.positives), negatives).sum()),
    }


def _encode(pairs: np.ndarray) -> np.ndarray:
    """One integer a pair."""
    return (pairs[:, 0].astype(np.int64) << 32) | pairs[:, 1].astype(np.int64)


def cross_fit_folds(candidates: LabelledPairs, folds: int, *, seed: int) -> np.ndarray:
    """The fold of each candidate [pair]: every TF's positives, and its other pairs, spread evenly.

    Depends on the seed and on which pairs there are, not on the order of the rows. Sorted by label
    and TF, pairs are numbered at random within their group and take folds in turn, across groups
    too, so that TFs with fewer positives than folds do not all fill the first ones.
    """
    positives = len(candidates.positives)
    if not 2 <= folds <= positives:
        raise SplitError(
            f"{folds} folds for {positives:,} known edges: every fold must hold one, so take from "
            "2 folds up to that number."
        )
    codes = _encode(candidates.pairs)
    lottery = np.random.default_rng(seed).random(len(candidates))
    if not (codes[1:] > codes[:-1]).all():
        canonical = np.argsort(codes, kind="stable")
        lottery[canonical] = lottery.copy()
        order = np.lexsort((lottery, candidates.pairs[:, 0], candidates.labels))
        fold = np.empty(len(candidates), np.int32)
        fold[order] = np.arange(len(candidates)) % folds
        return fold
    return _deal_to_sorted(candidates, lottery, folds)


def _deal_to_sorted(candidates: LabelledPairs, lottery: np.ndarray, folds: int) -> np.ndarray:
    """The same folds where pairs stand by TF: a TF at a time, many times as fast."""
    fold, dealt = np.empty(len(candidates), np.int32), 0
    starts = np.flatnonzero(np.diff(candidates.pairs[:, 0], prepend=-1))
    blocks = [slice(*ends) for ends in zip(starts, [*starts[1:], len(candidates)], strict=True)]
    for label in np.unique(candidates.labels):
        for block in blocks:
            own = block.start + np.flatnonzero(candidates.labels[block] == label)
            own = own[np.argsort(lottery[own], kind="stable")]
            fold[own] = np.arange(dealt, dealt + len(own)) % folds
            dealt += len(own)
    return fold
