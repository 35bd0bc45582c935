import dataclasses
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grnjax.errors import ConfigError, SplitError
from grnjax.evaluation.splits import SHARES, check_split, cross_fit_folds, draw_split
from grnjax.types import LabelledPairs, Split

GENES = 60
GROUPS = np.arange(GENES) // 3  # for the kind that keeps them together
PARTS = ("train", "validation", "test")
PUBLISHED_SIZES = {
    "hESC": (20677, 3087, 7142),
    "hHEP": (19002, 2845, 6563),
    "mDC": (10969, 1640, 3792),
    "mESC": (65895, 9839, 22736),
    "mHSC-E": (13632, 2037, 4718),
}


def pairs_of(part):
    return set(map(tuple, part.pairs.tolist()))


def label(*pairs, positives):
    """Pairs of which the first `positives` are regulated."""
    labels = (np.arange(len(pairs)) < positives).astype(np.float32)
    return LabelledPairs(np.array(pairs, np.int32), labels)


@pytest.fixture
def edges():
    """Twelve TFs with 14 to 25 targets each, one with two, one with one and one with itself."""
    rng = np.random.default_rng(0)
    rows = [
        (tf, gene) for tf in range(12) for gene in rng.permutation(GENES)[: 14 + tf] if gene != tf
    ]
    return np.array([*rows, (12, 3), (12, 4), (13, 5), (14, 14)], np.int32)


@pytest.fixture(scope="module")
def data():
    if "GRNJAX_DATA" not in os.environ:
        pytest.skip("GRNJAX_DATA is not set: no real labels to split")
    return Path(os.environ["GRNJAX_DATA"])


def read_labels(data, name):
    folder = data / "beeline_labels" / "Specific" / name / "TFs+500"
    edges = pd.read_csv(folder / "Label.csv", index_col=0)[["TF", "Target"]].to_numpy()
    return edges, len(pd.read_csv(folder / "Target.csv"))


@pytest.mark.parametrize("kind", SHARES)
def test_parts_cover_what_the_kind_promises_and_share_nothing(edges, kind):
    split = draw_split(kind, edges, GENES, draw=1, groups=GROUPS)
    known = {pair for pair in map(tuple, edges.tolist()) if pair[0] != pair[1]}
    seen = [pairs_of(getattr(split, name)) for name in PARTS]
    universe = {(tf, gene) for tf in range(14) for gene in range(GENES) if gene != tf}
    assert sum(map(len, seen)) == len(set.union(*seen))
    assert set.union(*seen) <= universe
    if kind != "both-disjoint":
        assert set.union(*seen) == universe
    for name in PARTS:
        part = getattr(split, name)
        assert {tuple(pair) for pair in part.positives.tolist()} == pairs_of(part) & known
    tfs, targets = ([{pair[axis] for pair in part} for part in seen] for axis in (0, 1))
    assert tfs[0].isdisjoint(tfs[2]) == (kind in ("tf-disjoint", "both-disjoint"))
    new_targets = ("target-disjoint", "group-disjoint", "both-disjoint")
    assert targets[0].isdisjoint(targets[2]) == (kind in new_targets)
    check_split(split)


@pytest.mark.parametrize("kind", SHARES)
def test_a_draw_depends_on_its_number_not_on_the_order_of_the_edges(edges, kind):
    split = draw_split(kind, edges, GENES, draw=0, groups=GROUPS)
    again = np.concatenate([edges[::-1], edges[:5]])
    again = draw_split(kind, again, GENES, draw=0, groups=GROUPS)
    other = draw_split(kind, edges, GENES, draw=1, groups=GROUPS)
    for name in PARTS:
        np.testing.assert_array_equal(getattr(split, name).pairs, getattr(again, name).pairs)
        np.testing.assert_array_equal(getattr(split, name).labels, getattr(again, name).labels)
    assert pairs_of(split.test) != pairs_of(other.test)


def test_the_standard_split_cuts_every_tf_alike(edges):
    split = draw_split("standard", edges, GENES, draw=0)
    for tf in range(12):
        count = np.sum((edges[:, 0] == tf) & (edges[:, 1] != tf))
        others = GENES - 1 - count
        for value, total in ((1, count), (0, others)):
            sizes = [
                np.sum((part.pairs[:, 0] == tf) & (part.labels == value))
                for part in (split.train, split.validation, split.test)
            ]
            first, second = total * 67 // 100, total * 77 // 100
            assert sizes == [first, second - first, total - second]


def test_tfs_with_one_or_two_targets_never_reach_validation(edges):
    where = set()
    for draw in range(20):
        split = draw_split("standard", edges, GENES, draw)
        positives = {name: set(map(tuple, getattr(split, name).positives)) for name in PARTS}
        two = {(12, 3), (12, 4)}
        assert len(positives["train"] & two) == len(positives["test"] & two) == 1
        where |= {name for name in PARTS if (13, 5) in positives[name]}
    assert where == {"train", "test"}


def test_shares_can_be_chosen(edges):
    split = draw_split("target-disjoint", edges, GENES, 0, validation=0.2, test=0.5)
    report = check_split(split)
    assert [report[name]["targets"] for name in PARTS] == [18, 12, 30]
    with pytest.raises(ConfigError, match="sum below 1"):
        draw_split("standard", edges, GENES, 0, validation=0.5, test=0.5)
    with pytest.raises(ConfigError, match="choose one of standard"):
        draw_split("random", edges, GENES, 0)


def test_networks_that_cannot_be_split_are_refused(edges):
    with pytest.raises(SplitError, match="nothing to split"):
        draw_split("standard", np.array([[3, 3]]), GENES, 0)
    with pytest.raises(SplitError, match="2 TFs cannot be assigned to"):
        draw_split("tf-disjoint", edges[edges[:, 0] < 2], GENES, 0)


def test_check_split_names_each_leak():
    good = Split(
        train=label((0, 1), (0, 2), positives=1),
        validation=label((0, 3), (0, 4), positives=1),
        test=label((0, 5), (0, 6), positives=1),
        kind="target-disjoint",
        draw=0,
    )
    check_split(good)
    bad = {
        "No positives in validation": {"validation": label((0, 3), (0, 4), positives=0)},
        "No negatives in test": {"test": label((0, 5), (0, 6), positives=2)},
        "1 pairs of a gene with itself in test": {"test": label((0, 5), (0, 0), positives=1)},
        "1 of 3 pairs in train repeat": {"train": label((0, 1), (0, 2), (0, 2), positives=1)},
        "train and test share 1 pairs": {"test": label((0, 1), (0, 6), positives=1)},
        "train and test share 1 targets": {"test": label((3, 1), (0, 6), positives=1)},
        "train and validation share 1 TFs": {"kind": "tf-disjoint"},
    }
    for message, change in bad.items():
        with pytest.raises(SplitError, match=message):
            check_split(dataclasses.replace(good, **change))


def test_check_split_counts_reversed_training_pairs():
    split = Split(
        train=label((0, 1), (0, 2), (1, 2), positives=1),
        validation=label((1, 0), (1, 3), positives=1),
        test=label((2, 0), (2, 1), (2, 3), positives=2),
        kind="published",
        draw=0,
    )
    report = check_split(split)
    assert report["validation"]["reversed_training_pairs"] == 1
    assert report["test"]["reversed_training_pairs"] == 2
    assert report["test"]["positives"] == 2


def test_folds_spread_the_positives_and_the_rest_of_every_tf(edges):
    split = draw_split("standard", edges, GENES, 0)
    candidates = LabelledPairs(
        np.concatenate([split.train.pairs, split.test.pairs]),
        np.concatenate([split.train.labels, split.test.labels]),
    )
    fold = cross_fit_folds(candidates, 5, seed=0)
    groups = [np.ones(len(candidates), bool), candidates.labels == 1]
    groups += [
        (candidates.pairs[:, 0] == tf) & (candidates.labels == value)
        for tf in range(14)
        for value in (0, 1)
    ]
    for members in groups:
        sizes = np.bincount(fold[members], minlength=5)
        assert sizes.max() - sizes.min() <= 1


def test_folds_depend_on_the_seed_and_the_pairs_but_not_on_their_order(edges):
    candidates = draw_split("standard", edges, GENES, 0).train
    fold = cross_fit_folds(candidates, 5, seed=0)
    shuffle = np.random.default_rng(1).permutation(len(candidates))
    shuffled = cross_fit_folds(candidates.take(shuffle), 5, seed=0)
    np.testing.assert_array_equal(shuffled, fold[shuffle])
    assert (cross_fit_folds(candidates, 5, seed=1) != fold).mean() > 0.5


@pytest.mark.parametrize("folds", [1, 4])
def test_folds_without_a_known_edge_are_refused(folds):
    with pytest.raises(SplitError, match=f"{folds} folds for 3 known edges"):
        cross_fit_folds(label((0, 1), (0, 2), (0, 3), (0, 4), positives=3), folds, seed=0)


@pytest.mark.parametrize("name", PUBLISHED_SIZES)
def test_standard_split_has_the_published_sizes(data, name):
    edges, genes = read_labels(data, name)
    counts = np.bincount(edges[:, 0])
    may_move = np.sum(counts == 1)  # those TFs' only positive goes to train or test by chance
    report = check_split(draw_split("standard", edges, genes, draw=0))
    sizes = np.array([report[part]["pairs"] for part in PARTS])
    assert np.abs(sizes - PUBLISHED_SIZES[name]).max() <= may_move
    assert sizes.sum() == np.sum(counts > 0) * (genes - 1)


def test_standard_split_cuts_every_tf_as_the_published_files_do(data):
    published = data / "beeline_splits"
    files = sorted(published.glob("*/Specific/*/TFs+500/**/Validation_set.csv.gz"))
    assert files
    for folder in (file.parent for file in files):
        name = folder.relative_to(published).parts[2]
        edges, genes = read_labels(data, name)
        split = draw_split("standard", edges, genes, draw=0)
        counts = np.bincount(edges[:, 0], minlength=genes)
        for part in PARTS:
            theirs = pd.read_csv(folder / f"{part.capitalize()}_set.csv.gz")
            ours = getattr(split, part)
            for value in (0, 1):
                cut = np.bincount(theirs["TF"][theirs["Label"] == value], minlength=genes)
                drawn = np.bincount(ours.pairs[ours.labels == value, 0], minlength=genes)
                assert set(counts[drawn != cut]) <= {1}, f"{folder}: {part}, label {value}"
