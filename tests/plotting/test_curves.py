import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from grnjax.errors import NonFiniteError, SplitError

curves = pytest.importorskip("grnjax.plotting.curves", reason="the extra plot is not installed")


@pytest.fixture
def sample():
    rng = np.random.default_rng(0)
    labels = (rng.random(400) < 0.2).astype(np.float32)
    return labels, {"weak": rng.normal(size=400), "strong": labels + rng.normal(size=400)}


def test_the_area_under_the_steps_is_the_average_precision(sample):
    labels, scores = sample
    (axes,) = curves.plot_precision_recall(labels, scores).axes
    lines = {line.get_label(): line for line in axes.lines}
    for name, score in scores.items():
        wanted = average_precision_score(labels, score)
        line = lines[f"{name}, AP {wanted:.3f}".replace("0.", ".")]
        recall, precision = line.get_data()  # recall falls, a step keeps its left precision
        assert line.get_drawstyle() == "steps-post"
        assert -np.sum(np.diff(recall) * precision[:-1]) == pytest.approx(wanted)


def test_the_best_method_is_named_first_and_the_random_line_last(sample):
    labels, scores = sample
    (axes,) = curves.plot_precision_recall(labels, scores).axes
    names = [text.get_text().split(",")[0] for text in axes.get_legend().get_texts()]
    assert names == ["strong", "weak", "random"]
    np.testing.assert_allclose(axes.lines[-1].get_ydata(), labels.mean())


def test_curves_differ_in_more_than_colour(sample):
    labels, scores = sample
    (axes,) = curves.plot_precision_recall(labels, scores).axes
    styles = [line._unscaled_dash_pattern for line in axes.lines[:2]]
    assert styles[0] != styles[1]


def test_nothing_is_cut_off(sample, draw):
    draw(curves.plot_precision_recall(*sample))


def test_mistakes_are_named(sample):
    labels, scores = sample
    with pytest.raises(SplitError, match="0 true edges among 400 pairs"):
        curves.plot_precision_recall(np.zeros(400), scores)
    with pytest.raises(SplitError, match="0 methods"):
        curves.plot_precision_recall(labels, {})
    with pytest.raises(NonFiniteError, match="weak has 399 finite scores among 400 for 400"):
        curves.plot_precision_recall(labels, {"weak": [np.nan, *scores["weak"][1:]]})
    with pytest.raises(NonFiniteError, match="weak has 399 finite scores among 399 for 400"):
        curves.plot_precision_recall(labels, {"weak": scores["weak"][1:]})
