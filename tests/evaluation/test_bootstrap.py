import numpy as np
import pytest

from grnjax.errors import ConfigError, NonFiniteError
from grnjax.evaluation.bootstrap import bootstrap_over_tfs, measure_resamples
from grnjax.evaluation.metrics import (
    binary_metrics,
    evaluate_pairs,
    swap_concordance,
    within_tf,
)

TFS, TARGETS = 14, 50


@pytest.fixture(scope="module")
def network():
    """Most pairs of a network, one TF without positives and one without negatives; three scores."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(TFS, 1)) + rng.normal(size=TARGETS) + rng.normal(size=(TFS, TARGETS))
    label = truth > 0.7
    label[0], label[1] = False, True
    is_given = rng.random(truth.shape) < 0.8
    pairs, labels = 3 * np.argwhere(is_given), label[is_given].astype(np.float32)
    noise = rng.normal(size=(3, len(pairs)))
    scores = {
        "good": truth[is_given] + 0.3 * noise[0],
        "coarse": np.round(truth[is_given] + noise[1]),
        "random": noise[2],
    }
    return pairs, labels, scores


def pick(table, method, metric):
    return table[(table["method"] == method) & (table["metric"] == metric)].iloc[0]


@pytest.mark.parametrize("method", ["good", "coarse"])
def test_a_resample_is_worth_its_pairs_written_out(network, method):
    pairs, labels, scores = network
    tfs = np.unique(pairs[:, 0])
    counts = np.random.default_rng(1).multinomial(TFS, np.full(TFS, 1 / TFS), size=5).astype(float)
    actual = measure_resamples(counts, pairs, labels, scores[method])
    for sample, count in enumerate(counts):
        rows, names = [], []
        for tf, times in zip(tfs, count, strict=True):
            for copy in range(int(times)):
                rows.append(np.flatnonzero(pairs[:, 0] == tf))
                names.append(np.full(len(rows[-1]), 1000 * copy + tf))
        rows, names = np.concatenate(rows), np.concatenate(names)
        copied = np.stack([names, pairs[rows, 1]], axis=1)
        label, score = labels[rows], scores[method][rows]
        pooled = binary_metrics(label, score)
        swap = swap_concordance(copied, label, score, scale=np.abs(scores[method]).max())
        wanted = {
            "auroc": pooled["auroc"],
            "average_precision": pooled["average_precision"],
            "within_tf_auroc": within_tf(copied, label, score)["auroc"],
            "swap_micro": swap["micro"],
        }
        assert {name: values[sample] for name, values in actual.items()} == pytest.approx(wanted)


def test_memory_blocks_change_nothing(network, monkeypatch):
    pairs, labels, scores = network
    whole = bootstrap_over_tfs(pairs, labels, scores, seed=0, samples=20)
    monkeypatch.setattr("grnjax.evaluation.bootstrap.LEVELS_AT_ONCE", 7)
    blocks = bootstrap_over_tfs(pairs, labels, scores, seed=0, samples=20)
    np.testing.assert_allclose(whole.select_dtypes("number"), blocks.select_dtypes("number"))


def test_values_are_those_of_the_results_table_inside_their_intervals(network):
    pairs, labels, scores = network
    table = bootstrap_over_tfs(pairs, labels, scores, seed=0, samples=300, reference="coarse")
    for method, of_method in scores.items():
        row = evaluate_pairs(pairs, labels, of_method)
        for metric in ("auroc", "average_precision", "within_tf_auroc", "swap_micro"):
            line = pick(table, method, metric)
            reference = pick(table, "coarse", metric)
            assert line["value"] == pytest.approx(row[metric])
            assert line["low"] < line["value"] < line["high"]
            assert line["difference"] == pytest.approx(line["value"] - reference["value"])
            assert line["difference_low"] <= line["difference"] <= line["difference_high"]
    assert (table["samples"] + table["dropped"] == 300).all()


def test_pairing_makes_differences_sharper_than_the_figures(network):
    pairs, labels, scores = network
    rng = np.random.default_rng(2)
    scores = {"good": scores["good"], "near": scores["good"] + 0.1 * rng.normal(size=len(pairs))}
    table = bootstrap_over_tfs(pairs, labels, scores, seed=0, samples=300, reference="good")
    for metric in ("auroc", "average_precision"):
        line = pick(table, "near", metric)
        width = line["difference_high"] - line["difference_low"]
        assert 0 < width < (line["high"] - line["low"]) / 3
        same = pick(table, "good", metric)
        assert same["difference_low"] == same["difference_high"] == 0


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    covered, trials = 0, 60
    effect = rng.normal(1, 1, size=100_000)
    positives, negatives = 8, 12
    truth = np.mean(rng.normal(effect, 1) > rng.normal(size=len(effect)))
    for trial in range(trials):
        shift = rng.choice(effect, 30)
        label = np.tile(np.arange(positives + negatives) < positives, 30)
        score = rng.normal(size=len(label)) + label * np.repeat(shift, positives + negatives)
        pairs = np.argwhere(np.ones((30, positives + negatives)))
        table = bootstrap_over_tfs(pairs, label, {"it": score}, seed=trial, samples=200)
        line = pick(table, "it", "within_tf_auroc")
        covered += line["low"] <= truth <= line["high"]
    assert 0.82 <= covered / trials <= 1


def test_resamples_without_positives_are_dropped_and_counted():
    pairs = np.array([[tf, target] for tf in range(4) for target in range(4, 8)])
    labels = ((pairs[:, 0] == 0) & (pairs[:, 1] < 6)).astype(float)
    table = bootstrap_over_tfs(pairs, labels, {"a": np.arange(16.0)}, seed=0, samples=400)
    line = pick(table, "a", "auroc")
    assert line["dropped"] == pytest.approx(400 * 0.75**4, abs=40)
    assert line["samples"] == 400 - line["dropped"]
    swap = pick(table, "a", "swap_micro")
    assert swap["samples"] == 0 and np.isnan(swap["value"]) and np.isnan(swap["low"])


def test_a_resample_of_one_class_has_no_figures():
    pairs = np.array([[0, 2], [0, 3], [1, 2], [1, 3]])
    counts = np.array([[1, 1], [2, 0], [0, 2]])
    figures = measure_resamples(counts, pairs, np.array([1, 1, 0, 0]), np.array([4.0, 3, 2, 1]))
    for metric in ("auroc", "average_precision"):
        np.testing.assert_array_equal(figures[metric], [1, np.nan, np.nan])


def test_row_order_does_not_matter_and_the_seed_does(network):
    pairs, labels, scores = network
    table = bootstrap_over_tfs(pairs, labels, scores, seed=0, samples=50)
    shuffle = np.random.default_rng(1).permutation(len(pairs))
    again = bootstrap_over_tfs(
        pairs[shuffle],
        labels[shuffle],
        {method: of_method[shuffle] for method, of_method in scores.items()},
        seed=0,
        samples=50,
    )
    np.testing.assert_allclose(table.select_dtypes("number"), again.select_dtypes("number"))
    other = bootstrap_over_tfs(pairs, labels, scores, seed=1, samples=50)
    assert (table["low"] != other["low"]).all()


def test_unknown_references_and_damaged_scores_are_refused(network):
    pairs, labels, scores = network
    with pytest.raises(ConfigError, match="No scores of 'god'; there are good, coarse, random"):
        bootstrap_over_tfs(pairs, labels, scores, seed=0, reference="god")
    damaged = np.where(np.arange(len(pairs)) == 3, np.nan, scores["good"])
    with pytest.raises(NonFiniteError, match="1 of"):
        bootstrap_over_tfs(pairs, labels, {"damaged": damaged}, seed=0)
