"""Tables of edges made elsewhere: joined by name, and no held-out edge comes in with them."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from grnjax.errors import ConfigError, GeneMismatchError, SplitError
from grnjax.evaluation.splits import draw_split
from grnjax.graphs.walks import InferredNetwork
from grnjax.methods.gt_grn.walk_networks import (
    check_networks,
    drop_held_out,
    keep_heaviest,
    load_networks,
    read_network,
)
from grnjax.types import LabelledPairs


@pytest.fixture(scope="module")
def splits(dataset):
    return [
        draw_split("standard", dataset.known.positives, len(dataset.genes.names), draw)
        for draw in (0, 1)
    ]


def as_network(pairs):
    return InferredNetwork(np.asarray(pairs, np.int32), np.ones(len(pairs), np.float32))


def as_table(pairs, genes, path):
    """A file with an edge table of the pairs."""
    tf, target = genes.names[np.asarray(pairs)].T
    pd.DataFrame({"TF": tf, "target": target}).to_csv(path, sep="\t", index=False)
    return path


def as_set(edges):
    return set(map(tuple, edges.tolist()))


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize("flipped", [False, True])
def test_a_network_with_one_planted_held_out_edge_is_refused(dataset, splits, part, flipped):
    """Walks go both ways along an edge, so the pair the other way round is a leak, too."""
    split = splits[0]
    harmless = as_network(split.train.positives)
    check_networks({"train edges": harmless}, [split], dataset)
    planted = getattr(split, part).positives[:1]
    edges = np.concatenate([split.train.positives, planted[:, ::-1] if flipped else planted])
    with pytest.raises(SplitError, match="network copy holds 1 of the"):
        check_networks({"copy": as_network(edges)}, [split], dataset)


def test_without_held_out_pairs_a_network_says_nothing_of_their_labels(dataset, splits):
    """It comes out the same whatever the labels of the held-out pairs are."""
    split = splits[0]
    everything = np.concatenate([split.train.pairs, split.validation.pairs, split.test.pairs])
    kept = drop_held_out(as_network(everything), split, dataset)
    check_networks({"kept": kept}, [split], dataset)
    held_out = {frozenset(pair) for pair in everything[len(split.train.pairs) :].tolist()}
    left = [pair for pair in split.train.pairs.tolist() if frozenset(pair) not in held_out]
    assert kept.edges.tolist() == left
    relabelled = LabelledPairs(split.test.pairs, split.test.labels[::-1])
    other = dataclasses.replace(split, test=relabelled)
    again = drop_held_out(as_network(everything), other, dataset)
    np.testing.assert_array_equal(again.edges, kept.edges)


def test_tables_are_read_rid_of_the_pairs_of_all_draws_or_refused(dataset, splits, tmp_path):
    genes, first = dataset.genes, splits[0]
    path = as_table(first.train.positives, genes, tmp_path / "train.tsv")
    [name] = load_networks([path], dataset, [first])
    assert name == str(path)
    with pytest.raises(SplitError, match=r"held-out edges of draw 1 .* \(--drop-held-out\)"):
        load_networks([path], dataset, splits)
    [network] = load_networks([path], dataset, splits, without_held_out=True).values()
    held_out = as_set(np.concatenate([splits[1].validation.positives, splits[1].test.positives]))
    assert as_set(network.edges) < as_set(first.train.positives) - held_out

    of_test = as_table(first.test.positives, genes, tmp_path / "test.tsv")
    with pytest.raises(GeneMismatchError, match="test.tsv: each of its .* is a held-out pair"):
        load_networks([of_test], dataset, [first], without_held_out=True)
    with pytest.raises(ConfigError, match="train.tsv is named twice among the networks"):
        load_networks([path, str(path)], dataset, [first])


def test_a_network_may_not_tell_of_tfs_that_are_unseen(dataset):
    """In a both-disjoint split known edges of test TFs with train targets are in no part."""
    edges, genes = dataset.known.positives, len(dataset.genes.names)
    split = draw_split("both-disjoint", edges, genes, 0)
    parts = as_set(np.concatenate([x.pairs for x in (split.train, split.validation, split.test)]))
    unused = np.array([pair for pair in edges.tolist() if tuple(pair) not in parts])
    assert len(unused) > 5
    with pytest.raises(SplitError, match=f"network copy holds {len(unused)} of the"):
        check_networks({"copy": as_network(unused)}, [split], dataset)
    kept = drop_held_out(as_network(edges), split, dataset)
    assert as_set(kept.edges) <= as_set(split.train.positives) and len(kept.edges) > 5


def test_a_network_is_joined_by_gene_name(dataset, caplog):
    names = dataset.genes.names
    edges = pd.DataFrame(
        {
            "tf": [names[5], "UNKNOWN", names[0], names[4].lower()],
            "target": [names[2], names[1], names[3], names[6]],
            "importance": [-0.5, 1.0, 0.0, 2.0],
        }
    )
    network = read_network(edges, dataset.genes)
    assert network.edges.tolist() == [[5, 2], [4, 6]] and network.weights.tolist() == [0.5, 2]
    assert "of 4 edges, 1 of other genes and 1 without weight are dropped" in caplog.text


def test_pairs_labelled_0_are_no_edges(dataset):
    names = dataset.genes.names
    edges = pd.DataFrame({"tf": names[:3], "target": names[3:6], "label": [1, 0, 1]})
    assert read_network(edges, dataset.genes).edges.tolist() == [[0, 3], [2, 5]]


@pytest.mark.parametrize(
    "edges, message",
    [
        ({"tf": ["YAL1"], "target": ["YBR2"]}, "none of its 1 edges is between .* called YBR2 and"),
        ({"tf": ["G1"], "target": ["G2"], "weight": [0]}, "none of its 1 edges .* has a weight"),
    ],
)
def test_a_network_without_an_edge_of_the_run_is_refused(dataset, edges, message):
    if edges["tf"] == ["G1"]:
        edges = edges | {"tf": [dataset.genes.names[1]], "target": [dataset.genes.names[2]]}
    with pytest.raises(GeneMismatchError, match=message):
        read_network(pd.DataFrame(edges), dataset.genes)


def test_the_heaviest_edges_are_kept_by_rank_and_equal_ones_together():
    network = InferredNetwork(np.arange(10).reshape(5, 2), np.float32([3, 900, 3, 1, 5]))
    kept = keep_heaviest(network, 3)
    assert kept.edges.tolist() == [[0, 1], [2, 3], [4, 5], [8, 9]]
    np.testing.assert_allclose(kept.weights, [1.5 / 4, 1, 1.5 / 4, 0.75])
    assert len(keep_heaviest(as_network(np.zeros((5, 2))), 2).edges) == 5
