import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grnjax.errors import ConfigError, SplitError
from grnjax.evaluation.balanced_split import network_density
from grnjax.evaluation.metrics import binary_metrics
from grnjax.evaluation.splits import check_split, draw_split
from grnjax.types import LabelledPairs, Split

GENES = 200
TFS = np.arange(0, 60, 2)  # the last ten have no edge
PARTS = ("train", "validation", "test")

# GENELink's table of densities (zpliulab/GENELink, Network_Statistic), TFs+500 and TFs+1000.
DENSITIES = {
    "Non-Specific": {
        "hESC": (0.016, 0.014),
        "hHEP": (0.015, 0.013),
        "mDC": (0.019, 0.016),
        "mESC": (0.015, 0.013),
        "mHSC-E": (0.022, 0.020),
    },
    "STRING": {
        "hESC": (0.024, 0.021),
        "hHEP": (0.028, 0.024),
        "mDC": (0.038, 0.032),
        "mESC": (0.024, 0.021),
        "mHSC-E": (0.029, 0.027),
    },
}


@pytest.fixture
def edges():
    """TFs with 1 to 40 targets, one with itself, and two with a single target and with two."""
    rng = np.random.default_rng(0)
    rows = [(tf, gene) for tf in range(0, 36, 2) for gene in rng.permutation(GENES)[: 5 + tf]]
    rows = [(tf, gene) for tf, gene in rows if tf != gene]
    return np.array([*rows, (36, 7), (38, 7), (38, 9), (4, 4)], np.int32)


@pytest.fixture(scope="module")
def labels():
    """Reads a real network: edges, number of genes, annotated TFs."""
    if "GRNJAX_DATA" not in os.environ:
        pytest.skip("GRNJAX_DATA is not set: no real labels to split")
    data = Path(os.environ["GRNJAX_DATA"]) / "beeline_labels"

    def read(network, cell, size="TFs+500"):
        folder = data / network / cell / size
        edges = pd.read_csv(folder / "Label.csv", index_col=0)[["TF", "Target"]].to_numpy()
        tfs = pd.read_csv(folder / "TF.csv")["index"].to_numpy()
        return edges, len(pd.read_csv(folder / "Target.csv")), tfs

    return read


def pairs_of(part, label=None):
    chosen = part.pairs if label is None else part.pairs[part.labels == label]
    return set(map(tuple, chosen.tolist()))


def count_by_tf(part, label):
    return np.bincount(part.pairs[part.labels == label, 0], minlength=GENES)


def test_every_tf_is_cut_by_the_rule_and_learns_from_as_many_negatives(edges):
    split = draw_split("balanced", edges, GENES, 0, tfs=TFS)
    for tf in range(0, 36, 2):
        targets = np.sum((edges[:, 0] == tf) & (edges[:, 1] != tf))
        learned = targets * 2 // 3
        sizes = [count_by_tf(getattr(split, name), 1)[tf] for name in PARTS]
        assert sizes == [learned - learned // 5, learned // 5, targets - learned]
    for part in (split.train, split.validation):
        np.testing.assert_array_equal(count_by_tf(part, 0), count_by_tf(part, 1))
    assert count_by_tf(split.train, 1)[38] == count_by_tf(split.test, 1)[38] == 1
    known = {pair for pair in map(tuple, edges.tolist()) if pair[0] != pair[1]}
    seen = [pairs_of(getattr(split, name), 1) for name in PARTS]
    assert set.union(*seen) == known and sum(map(len, seen)) == len(known)


def test_single_targets_train_or_test(edges):
    draws = [draw_split("balanced", edges, GENES, draw, tfs=TFS) for draw in range(20)]
    trained = [(36, 7) in pairs_of(split.train, 1) for split in draws]
    tested = [(36, 7) in pairs_of(split.test, 1) for split in draws]
    assert 0 < sum(trained) < 20
    assert trained == [not place for place in tested]


@pytest.mark.parametrize("prevalence", [0.1, None])
def test_test_negatives_cover_all_tfs_alike_down_to_the_prevalence(edges, prevalence):
    split = draw_split("balanced", edges, GENES, 0, tfs=TFS, prevalence=prevalence)
    genes = len(np.unique(edges[edges[:, 0] != edges[:, 1]]))
    expected = prevalence or round((len(edges) - 1) / (20 * (genes - 1)), 3)
    assert len(split.test) == len(split.test.positives) // expected
    negatives = count_by_tf(split.test, 0)[TFS]
    mean = negatives.sum() / len(TFS)
    assert np.abs(negatives - mean).max() < 5 * np.sqrt(mean)
    assert count_by_tf(split.test, 0).sum() == negatives.sum()


def test_out_degree_separates_the_test_pairs_of_a_split_balanced_in_training(edges):
    split = draw_split("balanced", edges, GENES, 0, tfs=TFS, prevalence=0.1)
    out_degree = np.bincount(split.train.positives[:, 0], minlength=GENES)
    of_test = binary_metrics(split.test.labels, out_degree[split.test.pairs[:, 0]])
    of_train = binary_metrics(split.train.labels, out_degree[split.train.pairs[:, 0]])
    assert of_train["auroc"] == 0.5
    assert of_test["auroc"] > 0.7


def test_protocols_differ_only_in_train_pairs_among_the_test_negatives(edges):
    corrected = draw_split("balanced", edges, GENES, 0, tfs=TFS, prevalence=0.1)
    published = draw_split(
        "balanced", edges, GENES, 0, tfs=TFS, prevalence=0.1, protocol="as-published"
    )
    assert (corrected.kind, published.kind) == ("balanced", "balanced, as published")
    for name in ("train", "validation"):
        assert pairs_of(getattr(corrected, name), 1) == pairs_of(getattr(published, name), 1)
        assert pairs_of(getattr(corrected, name)) == pairs_of(getattr(published, name))
    assert pairs_of(corrected.test, 1) == pairs_of(published.test, 1)
    assert "train_pairs_in_test" not in check_split(corrected)
    report = check_split(published)
    shared = pairs_of(published.train) & pairs_of(published.test)
    mislabelled = pairs_of(published.train, 1) & pairs_of(published.test, 0)
    assert report["train_pairs_in_test"] == len(shared) > 0
    assert report["train_positives_labelled_0"] == len(mislabelled) > 0
    assert report["validation_pairs_in_test"] == report["validation_positives_labelled_0"] == 0
    with pytest.raises(SplitError, match="train and test share"):
        parts = {name: getattr(published, name) for name in PARTS}
        check_split(Split(**parts, kind="balanced", draw=0))


def test_a_draw_depends_on_its_number_not_on_the_order_of_edges_and_tfs(edges):
    split = draw_split("balanced", edges, GENES, 3, tfs=TFS)
    again = draw_split("balanced", edges[::-1], GENES, 3, tfs=TFS[::-1])
    other = draw_split("balanced", edges, GENES, 4, tfs=TFS)
    for name in PARTS:
        np.testing.assert_array_equal(getattr(split, name).pairs, getattr(again, name).pairs)
        np.testing.assert_array_equal(getattr(split, name).labels, getattr(again, name).labels)
    assert pairs_of(split.test) != pairs_of(other.test)


def test_a_tf_of_nearly_all_genes_gets_the_negatives_there_are(edges, caplog):
    crowded = [(2, gene) for gene in range(GENES) if gene not in (2, 50, 51)]
    edges = np.concatenate([edges[edges[:, 0] != 2], crowded])
    split = draw_split("balanced", edges, GENES, 0, tfs=TFS, prevalence=0.2)
    assert count_by_tf(split.train, 0)[2] == 2
    assert count_by_tf(split.train, 1)[2] > 100
    learned = len(crowded) * 2 // 3
    assert f"{learned - 2} negatives fewer" in caplog.text
    check_split(split)


def test_settings_that_do_not_fit_are_refused(edges):
    with pytest.raises(ConfigError, match="needs the list of all TFs"):
        draw_split("balanced", edges, GENES, 0)
    with pytest.raises(ConfigError, match="neither validation nor test"):
        draw_split("balanced", edges, GENES, 0, tfs=TFS, test=0.3)
    with pytest.raises(ConfigError, match="A standard split has no protocol"):
        draw_split("standard", edges, GENES, 0, protocol="as-published")
    with pytest.raises(ConfigError, match="choose one of corrected, as-published"):
        draw_split("balanced", edges, GENES, 0, tfs=TFS, protocol="published")
    with pytest.raises(ConfigError, match="prevalence of 1.5"):
        draw_split("balanced", edges, GENES, 0, tfs=TFS, prevalence=1.5)
    with pytest.raises(SplitError, match="ask for a higher prevalence"):
        draw_split("balanced", edges, GENES, 0, tfs=TFS, prevalence=0.001)


def test_overlapping_files_are_counted_too():
    def label(pairs, labels):
        return LabelledPairs(np.array(pairs, np.int32), np.array(labels, np.float32))

    split = Split(
        train=label([(0, 1), (0, 2), (0, 3)], [1, 0, 1]),
        validation=label([(0, 4), (0, 5)], [1, 0]),
        test=label([(0, 1), (0, 2), (0, 6), (0, 5)], [0, 0, 1, 0]),
        kind="published, overlapping",
        draw=0,
    )
    report = check_split(split)
    assert report["train_pairs_in_test"] == 2
    assert report["train_positives_labelled_0"] == 1
    assert report["validation_pairs_in_test"] == 1
    assert report["validation_positives_labelled_0"] == 0


@pytest.mark.parametrize("network", DENSITIES)
@pytest.mark.parametrize("cell", DENSITIES["STRING"])
def test_density_is_the_one_genelink_lists(labels, network, cell):
    for size, density in zip(("TFs+500", "TFs+1000"), DENSITIES[network][cell], strict=True):
        edges, genes, tfs = labels(network, cell, size)
        is_known = np.zeros((genes, genes), bool)
        is_known[edges[:, 0], edges[:, 1]] = True
        assert network_density(is_known[tfs], tfs) == density


@pytest.mark.slow
@pytest.mark.parametrize(
    "network, trained, validated, tested, pairs, shared, edgeless",
    [
        ("Non-Specific", 1661, 316, 1090, 57368, (773, 394), 0.22),
        ("STRING", 2600, 526, 1689, 44447, (884, 441), 0.18),
    ],
)
def test_real_draws_have_the_counts_measured_with_the_reference_script(
    labels, network, trained, validated, tested, pairs, shared, edgeless
):
    edges, genes, tfs = labels(network, "mDC")
    single = np.sum(np.bincount(edges[:, 0]) == 1)  # their one target trains or tests by chance
    for draw in range(3):
        split = draw_split("balanced", edges, genes, draw, tfs=tfs, protocol="as-published")
        report = check_split(split)
        assert report["validation"]["positives"] == validated
        assert report["validation"]["pairs"] == 2 * validated
        assert abs(report["train"]["positives"] - trained) < 3 * np.sqrt(single)
        assert report["train"]["pairs"] == 2 * report["train"]["positives"]
        assert report["train"]["positives"] + report["test"]["positives"] == trained + tested
        assert report["test"]["pairs"] == pytest.approx(pairs, rel=0.015)
        assert report["train_pairs_in_test"] == pytest.approx(shared[0], rel=0.1)
        assert report["train_positives_labelled_0"] == pytest.approx(shared[1], rel=0.1)
        negatives = split.test.pairs[split.test.labels == 0]
        without_edge = np.mean(~np.isin(negatives[:, 0], edges[:, 0]))
        assert without_edge == pytest.approx(edgeless, abs=0.005)
        check_split(draw_split("balanced", edges, genes, draw, tfs=tfs))


@pytest.mark.parametrize("cell, shared", [("hESC", (1050, 513)), ("mDC", (903, 449))])
def test_published_files_overlap_as_documented(labels, cell, shared):
    edges, _, _ = labels("Non-Specific", cell, "TFs+1000")
    folder = Path(os.environ["GRNJAX_DATA"]) / "beeline_splits" / "EnhanceForGCLink"
    folder = folder / "Non-Specific" / cell / "TFs+1000" / "sample1"
    parts = {}
    for name in PARTS:
        table = pd.read_csv(folder / f"{name.capitalize()}_set.csv.gz")
        pairs = table[["TF", "Target"]].to_numpy(np.int32)
        parts[name] = LabelledPairs(pairs, table["Label"].to_numpy(np.float32))
    report = check_split(Split(**parts, kind="published, overlapping", draw=1))
    assert (report["train_pairs_in_test"], report["train_positives_labelled_0"]) == shared
    assert report["validation_pairs_in_test"] == 0
    targets = np.bincount(edges[:, 0])
    validated = np.bincount(parts["validation"].positives[:, 0], minlength=len(targets))
    np.testing.assert_array_equal(validated, np.where(targets > 2, targets * 2 // 3 // 5, 0))
