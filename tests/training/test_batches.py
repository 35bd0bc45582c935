import dataclasses

import numpy as np
import pytest

from grnjax.training.batches import add_topology, build_pair_batch, pair_folds, shared_sizes
from grnjax.types import LabelledPairs

FOLDS = 3


def list_edges(graph):
    """Sender, receiver and place of every real edge that is no self loop."""
    real = np.flatnonzero((graph.edges > 0) & (graph.senders != graph.receivers))
    return [(int(graph.senders[k]), int(graph.receivers[k]), k) for k in real]


@pytest.fixture(scope="module")
def folded(problem):
    return problem.build(folds=FOLDS, seed=1)


def test_the_graph_holds_train_positives_and_no_other_known_edge(problem):
    split, data = problem.splits[0], problem.build()
    train = {tuple(pair) for pair in split.train.positives.tolist()}
    for sender, receiver, _ in list_edges(data.genes.graph):
        assert (sender, receiver) in train or (receiver, sender) in train
    for messages, expected in (("directed", train), ("none", set())):
        inputs = dataclasses.replace(problem.inputs, messages=messages)
        graph = problem.build(inputs=inputs).genes.graph
        assert {edge[:2] for edge in list_edges(graph)} == expected
        assert (graph.senders == graph.receivers)[graph.edges > 0].sum() == len(inputs.genes.names)


def test_padding_pairs_point_at_the_padding_node_and_weigh_nothing(problem):
    train, batch = problem.splits[0].train, problem.build().train
    count, genes = len(train), len(problem.inputs.genes.names)
    assert count < len(batch.labels) == problem.inputs.padded_pairs
    np.testing.assert_array_equal(batch.pairs[:count], train.pairs)
    np.testing.assert_array_equal(batch.labels[:count], train.labels)
    assert (batch.weights[:count] == 1).all()
    assert (batch.pairs[count:] == genes).all()
    assert not batch.weights[count:].any() and not batch.features[count:].any()
    assert (batch.fold[count:] == -1).all()


def test_pair_features_are_those_of_the_tf_and_its_target(problem):
    inputs = problem.inputs
    tfs = inputs.tfs[[4, 0, 4]]
    pairs = LabelledPairs(np.stack([tfs, [7, 9, 3]], axis=1).astype(np.int32), np.zeros(3))
    batch = build_pair_batch(inputs, pairs, 5)
    np.testing.assert_array_equal(batch.features[:3], inputs.coexpression[[4, 0, 4], [7, 9, 3]])
    without = dataclasses.replace(inputs, coexpression=None)
    assert build_pair_batch(without, pairs, 5).features.shape == (5, 0)


def test_unlabelled_pairs_can_weigh_less(problem):
    train = problem.splits[0].train
    weights = problem.build(negative_weight=0.25).train.weights[: len(train)]
    np.testing.assert_array_equal(weights, np.where(train.labels > 0, 1, 0.25))


def test_an_edge_and_its_reverse_share_a_fold_and_folds_are_about_equal():
    rng = np.random.default_rng(0)
    pairs = rng.integers(50, size=(3000, 2)).astype(np.int32)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    fold = pair_folds(both, 50, FOLDS, seed=0)
    np.testing.assert_array_equal(fold[:3000], fold[3000:])
    assert np.bincount(fold).min() / len(fold) > 0.28
    assert not np.array_equal(fold, pair_folds(both, 50, FOLDS, seed=1))
    assert not pair_folds(both, 50, 0, seed=0).any(), "without folds all pairs are in one"


def test_every_edge_has_the_fold_of_the_pair_behind_it_whichever_way_it_points(problem, folded):
    graph, train = folded.genes.graph, folded.train
    fold_of = {}
    for pair, label, fold in zip(train.pairs.tolist(), train.labels, train.fold):
        if label > 0:
            fold_of[tuple(pair)] = fold_of[tuple(pair[::-1])] = fold
    edges = list_edges(graph)
    assert {edge[:2] for edge in edges} == set(fold_of)
    for sender, receiver, place in edges:
        assert folded.edge_fold[place] == fold_of[sender, receiver]
    others = np.setdiff1d(np.arange(len(graph.edges)), [place for *_, place in edges])
    assert (folded.edge_fold[others] == -1).all()
    assert {fold_of[edge[:2]] for edge in edges} == set(range(FOLDS))


def test_shared_sizes_hold_the_largest_fit_in_whole_batches(problem):
    trains = [split.train for split in problem.splits]
    genes = len(problem.inputs.genes.names)
    longest = max(map(len, trains))
    assert shared_sizes(trains, genes, 0).pairs == longest
    in_batches = shared_sizes(trains, genes, 64)
    assert longest <= in_batches.pairs < longest + 64 and in_batches.pairs % 64 == 0
    shapes = {
        tuple(np.shape(x) for x in (d.train.labels, d.validation.labels, d.genes.graph.edges))
        for d in map(problem.build, problem.splits)
    }
    assert len(shapes) == 1


def test_no_train_pair_sees_its_own_label_in_its_topology(problem):
    """Turning one label over changes the features of other pairs, never those of the pair."""
    split = problem.splits[0]
    at = int(np.flatnonzero(split.train.labels > 0)[0])
    labels = split.train.labels.copy()
    labels[at] = 0
    turned = dataclasses.replace(split, train=LabelledPairs(split.train.pairs, labels))
    seen = [
        problem.build(split=s, inputs=add_topology(problem.inputs, s.train)).train.topology
        for s in (split, turned)
    ]
    np.testing.assert_array_equal(seen[0][at], seen[1][at])
    assert (seen[0] != seen[1]).any()


def test_held_out_pairs_see_all_train_edges_and_no_other(problem):
    split = problem.splits[0]
    inputs = add_topology(problem.inputs, split.train)
    data = problem.build(inputs=inputs)
    row = np.searchsorted(inputs.tfs, split.validation.pairs[:, 0])
    expected = inputs.topology[row, split.validation.pairs[:, 1]]
    np.testing.assert_array_equal(data.validation.topology[: len(expected)], expected)


def test_unlabelled_pairs_join_as_weak_negatives_once_each(problem):
    train = problem.splits[0].train
    genes, tfs = len(problem.inputs.genes.names), problem.inputs.tfs
    every = len(tfs) * (genes - 1)
    inputs = dataclasses.replace(problem.inputs, padded_pairs=every)
    batch = problem.build(inputs=inputs, unlabelled_weight=0.25).train
    np.testing.assert_array_equal(batch.pairs[: len(train)], train.pairs)
    np.testing.assert_array_equal(batch.labels[: len(train)], train.labels)
    assert (batch.weights[: len(train)] == 1).all() and (batch.weights[len(train) :] == 0.25).all()
    assert not batch.labels[len(train) :].any()
    assert len(np.unique(batch.pairs, axis=0)) == every
    assert (batch.pairs[:, 0] != batch.pairs[:, 1]).all()
