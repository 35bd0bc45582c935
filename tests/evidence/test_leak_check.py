"""A copy of the network under test is refused under any name; test labels only ever refuse."""

import dataclasses
import os

import numpy as np
import pandas as pd
import pytest

from grnjax.data.expression import DataConfig
from grnjax.errors import ConfigError, SplitError
from grnjax.evaluation.splits import draw_split
from grnjax.evidence.curated import read_curated
from grnjax.evidence.leak_check import check_leaks, drop_copied_columns, names_of
from grnjax.evidence.other_networks import merge_networks, read_other_network
from grnjax.evidence.types import Evidence, PairBlock
from grnjax.progress import logger
from grnjax.tasks.loading import load_folder
from grnjax.types import Dataset, GeneTable, LabelledPairs

GENES, COUNT = 300, 8
NAMES = np.array([f"G{i:03d}" for i in range(GENES)])
TFS = np.arange(COUNT)
KINDS = ("standard", "target-disjoint", "tf-disjoint", "both-disjoint")


def draw_labels(seed, share=0.3):
    """Random labels of every TF with each gene but itself; [tf, gene] of bool."""
    labels = np.random.default_rng(seed).random((COUNT, GENES)) < share
    labels[TFS, TFS] = False
    return labels


def make_dataset(labels):
    tf, target = np.nonzero(labels)
    pairs = np.stack([TFS[tf], target], axis=1).astype(np.int32)
    genes = GeneTable(
        NAMES, np.arange(GENES) < COUNT, np.zeros((0, GENES), np.float32), np.zeros(GENES, bool)
    )
    return Dataset(genes, LabelledPairs(pairs, np.ones(len(pairs), np.float32)), {})


LABELS = draw_labels(0)
DATASET = make_dataset(LABELS)
SPLITS = {kind: draw_split(kind, DATASET.known.positives, GENES, 0) for kind in KINDS}


@pytest.fixture(autouse=True)
def heard(monkeypatch):
    """Messages reach the test even after another test has turned the logger to the terminal."""
    monkeypatch.setattr(logger, "propagate", True)


@pytest.fixture
def offer(tmp_path):
    """Writes edges as another network and reads it; its TFs are X0, X1, ... or go by `prefix`."""

    def write(edges, *, prefix="X", name="other", **claims):
        tfs = NAMES[edges[:, 0]] if prefix is None else [f"{prefix}{tf}" for tf in edges[:, 0]]
        path = tmp_path / f"{name}.csv"
        listed = pd.DataFrame({"tf": tfs, "target": NAMES[edges[:, 1]], "label": 1})
        about = pd.DataFrame({"tf": "nobody", "target": NAMES, "label": 0})
        pd.concat([listed, about]).to_csv(path, index=False)
        return read_other_network(path, NAMES, TFS, name=name, **claims)

    return write


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["all", "train", "test"])
@pytest.mark.parametrize("claims", [{}, {"prefix": None, "species_differs": True}])
@pytest.mark.parametrize("is_merged", [False, True])
def test_a_copy_is_refused_under_any_name(offer, kind, part, claims, is_merged):
    split = SPLITS[kind]
    whole = DATASET.known.positives
    evidence = offer(whole if part == "all" else getattr(split, part).positives, **claims)
    if is_merged:
        genuine = offer(np.argwhere(draw_labels(1)), prefix="Y", name="genuine")
        evidence = merge_networks([genuine, evidence], "other networks")
    with pytest.raises(SplitError, match=r"other\.csv: .* copy .* allow other\.csv by name"):
        check_leaks([evidence], TFS, DATASET, [split])
    rows = check_leaks([evidence], TFS, DATASET, [split], allow=["other.csv"])
    assert [row["tf"] for row in rows] == NAMES[TFS].tolist()
    if part == "all":
        assert min(row["phi"] for row in rows) > 0.9


def test_a_refusal_of_test_labels_of_one_tf_gives_the_figures(offer):
    edges = np.argwhere(draw_labels(1))
    test = SPLITS["standard"].test.positives
    targets = test[test[:, 0] == 3, 1]
    planted = np.stack([np.full_like(targets, 5), targets], axis=1)
    evidence = offer(np.concatenate([edges[edges[:, 0] != 5], planted]))
    figures = rf"\(phi 1.00 over the test pairs of draw 0: {len(targets)} common targets"
    message = f"labels of X5 are a copy of those of G003 under test {figures}"
    with pytest.raises(SplitError, match=message):
        check_leaks([evidence], TFS, DATASET, [SPLITS["standard"]])


def test_two_thirds_of_the_test_edges_are_refused_too(offer):
    split = SPLITS["standard"]
    test = split.test.positives
    evidence = offer(test[np.arange(len(test)) % 3 > 0])
    with pytest.raises(SplitError, match="or in part"):
        check_leaks([evidence], TFS, DATASET, [split])


def test_a_copy_as_pair_feature_of_another_kind_is_refused():
    pair = PairBlock("curated", LABELS.astype(np.float32))
    evidence = Evidence("curated", "curated", {"source": "list.csv"}, pairs=(pair,))
    with pytest.raises(SplitError, match="list.csv: a copy"):
        check_leaks([evidence], TFS, DATASET, [SPLITS["standard"]])


@pytest.mark.parametrize("kind", KINDS)
def test_a_genuine_network_passes_and_every_tf_is_reported(offer, kind, caplog):
    caplog.clear()
    evidence = offer(np.argwhere(draw_labels(1)), species_differs=True)
    rows = check_leaks([evidence], TFS, DATASET, [SPLITS[kind]])
    assert [row["tf"] for row in rows] == NAMES[TFS].tolist()
    assert all(row["source"] == evidence.report["source"] for row in rows)
    assert not [record for record in caplog.records if "as from one" in record.message]
    assert check_leaks([], TFS, DATASET, [SPLITS[kind]]) == []


def test_phi_of_the_report_is_the_correlation_of_labels(offer):
    other = draw_labels(1)
    [row, *_] = check_leaks([offer(np.argwhere(other))], TFS, DATASET, [SPLITS["standard"]])
    is_pair = np.arange(GENES) != 0
    phis = [np.corrcoef(LABELS[0, is_pair], column[is_pair])[0, 1] for column in other]
    assert row["phi"] == pytest.approx(max(phis), abs=1e-5)
    assert row["nearest_tf"] == f"X{np.argmax(phis)}"
    assert row["common_targets"] == (LABELS[0] & other[np.argmax(phis)]).sum()


def share_experiment(seed=1):
    """A network of which one TF, X2, has nearly the labels of G004."""
    labels = draw_labels(seed)
    labels[2] = LABELS[4]
    labels[2, np.flatnonzero(LABELS[4])[::12]] = False
    return np.argwhere(labels)


def test_a_shared_experiment_is_named_and_dropped_by_train_labels(offer, caplog):
    evidence, split = offer(share_experiment()), SPLITS["standard"]
    check_leaks([evidence], TFS, DATASET, [split])
    assert "G004 (X2 of" in caplog.messages[-1]
    left = drop_copied_columns(evidence, TFS, NAMES, split.train)
    [columns] = left.report["columns"].values()
    assert columns == [f"X{i}" for i in range(COUNT) if i != 2]
    expected = np.delete(evidence.genes[0].values, 2, axis=1)
    np.testing.assert_array_equal(left.genes[0].values, expected)
    [named] = left.report["dropped_copies"]
    assert named.startswith("X2 (G004 0.")


def test_the_pair_feature_of_a_dropped_column_goes_too(offer):
    edges = np.argwhere(draw_labels(1))
    own = np.argwhere(LABELS)
    edges = np.concatenate([edges[edges[:, 0] != 4], own[own[:, 0] == 4]])
    evidence = offer(edges, prefix=None, species_differs=True)
    left = drop_copied_columns(evidence, TFS, NAMES, SPLITS["standard"].train)
    before, after = evidence.pairs[0].values, left.pairs[0].values
    assert before[4].any() and not after[4].any()
    np.testing.assert_array_equal(np.delete(after, 4, axis=0), np.delete(before, 4, axis=0))
    check_leaks([evidence], TFS, DATASET, [SPLITS["standard"]])
    with pytest.raises(SplitError, match="labels of G004 are a copy of those of G004"):
        check_leaks([evidence], TFS, DATASET, [without_train(SPLITS["tf-disjoint"], 4)])


def without_train(split, tf):
    """The split with the train pairs of a TF moved to its test part."""
    is_moved = split.train.pairs[:, 0] == tf
    moved = split.train.take(is_moved)
    test = LabelledPairs(
        np.concatenate([split.test.pairs, moved.pairs]),
        np.concatenate([split.test.labels, moved.labels]),
    )
    return dataclasses.replace(split, train=split.train.take(~is_moved), test=test)


def test_dropping_asks_nothing_of_test_labels(offer):
    evidence, split = offer(share_experiment()), SPLITS["standard"]
    left = drop_copied_columns(evidence, TFS, NAMES, split.train)
    rng = np.random.default_rng(0)
    perturbed = dataclasses.replace(
        split, test=LabelledPairs(split.test.pairs, rng.permutation(split.test.labels))
    )
    check_leaks([evidence], TFS, DATASET, [perturbed])
    again = drop_copied_columns(evidence, TFS, NAMES, perturbed.train)
    np.testing.assert_array_equal(again.genes[0].values, left.genes[0].values)


def test_nearly_complete_labels_agree_by_chance_and_pass(offer):
    dataset = make_dataset(draw_labels(0, share=0.985))
    evidence = offer(np.argwhere(draw_labels(1, share=0.985)))
    splits = [draw_split("standard", dataset.known.positives, GENES, draw) for draw in range(5)]
    check_leaks([evidence], TFS, dataset, splits)


def test_splits_are_needed(offer):
    with pytest.raises(ValueError, match="needs the splits"):
        check_leaks([offer(np.argwhere(LABELS))], TFS, DATASET, [])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["standard", "tf-disjoint"])
def test_published_networks_pass_and_their_shared_experiment_is_dropped(kind):
    root = os.environ.get("GRNJAX_DATA")
    if not root:
        pytest.skip("GRNJAX_DATA is not set: no real data")
    dataset, _ = load_folder("Specific/hESC/TFs+500", DataConfig(root=root))
    names, tfs = dataset.genes.names, np.unique(dataset.known.positives[:, 0])
    folder = f"{root}/beeline_labels/Specific"
    evidence = merge_networks(
        [
            read_other_network(f"{folder}/{cell}/TFs+1000", names, tfs, species_differs=differs)
            for cell, differs in (("hHEP", False), ("mDC", True), ("mESC", True), ("mHSC-E", True))
        ],
        "other networks",
    )
    splits = [draw_split(kind, dataset.known.positives, len(names), draw) for draw in range(3)]
    rows = {row["tf"]: row for row in check_leaks([evidence], tfs, dataset, splits)}
    assert rows["KLF5"]["nearest_tf"] == "BRCA1"
    assert rows["KLF5"]["phi"] == pytest.approx(0.92, abs=0.005)
    assert max(row["phi"] or 0 for tf, row in rows.items() if tf != "KLF5") < 0.5
    for split in splits:
        left = drop_copied_columns(evidence, tfs, names, split.train)
        is_trained = (names[split.train.pairs[:, 0]] == "KLF5").any()
        assert ("BRCA1" in left.report["columns"][f"{folder}/hHEP/TFs+1000"]) == (not is_trained)


def test_a_copy_as_curated_list_under_other_tf_names_is_refused(tmp_path):
    edges = DATASET.known.positives
    listed = pd.DataFrame({"tf": [f"X{tf}" for tf in edges[:, 0]], "target": NAMES[edges[:, 1]]})
    listed.to_csv(tmp_path / "list.csv", index=False)
    evidence = read_curated(tmp_path / "list.csv", NAMES, TFS)
    with pytest.raises(SplitError, match=r"list\.csv: .* copy"):
        check_leaks([evidence], TFS, DATASET, [SPLITS["standard"]])


def test_a_name_that_is_allowed_must_be_that_of_a_source(offer):
    evidence = offer(np.argwhere(draw_labels(1)))
    with pytest.raises(ConfigError, match=r"others\.csv: allowed, .* there are other\.csv"):
        check_leaks([evidence], TFS, DATASET, [SPLITS["standard"]], allow=["others.csv"])
    with pytest.raises(ConfigError, match="there are none"):
        check_leaks([], TFS, DATASET, [SPLITS["standard"]], allow=["others.csv"])


def test_networks_of_a_benchmark_are_called_by_their_cells():
    assert names_of("/sets/Specific/hESC/TFs+1000")[0] == "hESC/TFs+1000"
    assert names_of("/tables/other.csv")[:2] == ("other.csv", "other.csv")
