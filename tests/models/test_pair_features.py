import dataclasses

import numpy as np
import pytest

from grnjax.data.label_matrix import LabelMatrix
from grnjax.evidence.types import TfSimilarity
from grnjax.models.pair_features import attend_to_tfs, measure_scale, standardise_pairs

TFS, GENES = 8, 40
SILENT = 5  # a TF without train pairs


@pytest.fixture(scope="module")
def train():
    rng = np.random.default_rng(0)
    observed = (rng.random((TFS, GENES)) < 0.7).astype(np.float32)
    observed[SILENT] = 0
    labels = (rng.random((TFS, GENES)) < 0.4).astype(np.float32) * observed
    return LabelMatrix(np.arange(TFS), labels, observed)


@pytest.fixture(scope="module")
def similarity():
    values = np.random.default_rng(1).random((TFS, TFS)).astype(np.float32)
    return TfSimilarity("partners", values + values.T)


def test_pair_values_get_mean_0_and_deviation_1_and_keep_their_order():
    values = np.random.default_rng(2).gamma(2, size=(TFS, GENES)).astype(np.float32)
    scaled = standardise_pairs(values, measure_scale(values))
    assert scaled.dtype == np.float32
    assert scaled.mean() == pytest.approx(0, abs=1e-6) and scaled.std() == pytest.approx(1, 1e-5)
    np.testing.assert_array_equal(np.argsort(scaled, axis=None), np.argsort(values, axis=None))


def test_pair_values_are_clipped_at_8_deviations():
    rare = np.zeros((TFS, GENES))
    rare[0, 0] = 1
    assert standardise_pairs(rare, measure_scale(rare)).max() == 8
    assert standardise_pairs(-rare, measure_scale(-rare)).min() == -8


def test_a_pair_feature_that_is_the_same_everywhere_becomes_zeros():
    same = np.full((TFS, GENES), 0.1, np.float32)
    assert not standardise_pairs(same, measure_scale(same)).any()


def test_attention_is_the_sum_of_the_equation(similarity, train):
    expected = np.zeros((TFS, GENES))
    speakers = [tf for tf in range(TFS) if tf != SILENT]
    rate = {tf: train.labels[tf].sum() / train.observed[tf].sum() for tf in speakers}
    for tf in range(TFS):
        others = [other for other in speakers if other != tf]
        mean = np.mean([similarity.values[tf, other] for other in others])
        for other in others:
            told = train.observed[other] * (train.labels[other] - rate[other])
            expected[tf] += (similarity.values[tf, other] - mean) * told
    attention = attend_to_tfs(similarity, train)
    scaled = standardise_pairs(expected, measure_scale(expected))
    np.testing.assert_allclose(attention, scaled, atol=1e-5)


def in_own_units(row):
    return (row - row.mean()) / row.std()


def test_a_tf_does_not_attend_to_its_own_labels(similarity, train):
    labels = train.labels.copy()
    labels[2] = train.observed[2] - labels[2]
    flipped = attend_to_tfs(similarity, dataclasses.replace(train, labels=labels))
    attention = attend_to_tfs(similarity, train)
    # the scale is shared by all TFs, and that alone may move
    np.testing.assert_allclose(in_own_units(flipped[2]), in_own_units(attention[2]), atol=1e-5)
    assert np.abs(in_own_units(flipped[3]) - in_own_units(attention[3])).max() > 0.1


def test_how_alike_a_tf_is_to_itself_or_to_one_without_train_pairs_means_nothing(similarity, train):
    values = similarity.values + 9 * np.eye(TFS, dtype=np.float32)
    values[:, SILENT] = 7
    other = attend_to_tfs(dataclasses.replace(similarity, values=values), train)
    expected = attend_to_tfs(similarity, train)
    heard = np.arange(TFS) != SILENT
    np.testing.assert_allclose(other, expected, atol=1e-6)
    assert expected[SILENT].any() and expected[heard].any()


def test_targets_of_the_partner_alone_come_first(train):
    values = np.zeros((TFS, TFS), np.float32)
    values[0, 1] = values[1, 0] = 1
    of_first = attend_to_tfs(TfSimilarity("complex", values), train)[0]
    told = train.observed[1] > 0
    is_target = train.labels[1] > 0
    assert of_first[told & is_target].mean() > of_first[told & ~is_target].mean() + 0.5


def test_permuting_tfs_and_genes_permutes_attention(similarity, train):
    rng = np.random.default_rng(3)
    tf, gene = rng.permutation(TFS), rng.permutation(GENES)
    at = np.ix_(tf, gene)
    moved = LabelMatrix(train.tfs[tf], train.labels[at], train.observed[at])
    other = attend_to_tfs(TfSimilarity("partners", similarity.values[np.ix_(tf, tf)]), moved)
    np.testing.assert_allclose(other, attend_to_tfs(similarity, train)[at], atol=1e-5)


def test_without_labels_there_is_nothing_to_attend_to(similarity):
    nothing = np.zeros((TFS, GENES), np.float32)
    assert not attend_to_tfs(similarity, LabelMatrix(np.arange(TFS), nothing, nothing)).any()
