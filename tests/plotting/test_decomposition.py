import numpy as np
import pytest

from grnjax.errors import ConfigError

decomposition = pytest.importorskip(
    "grnjax.plotting.decomposition", reason="the extra plot is not installed"
)

FIGURES = {
    "TF rate": (0.84, 0.48, 0.5),
    "additive logistic": (0.885, 0.62, 0.5),
    "published scRegNet": (0.89, 0.62, None),
    "ID-only rank 4": (0.886, 0.628, 0.634),
    "scRegNet": (0.882, 0.614, 0.63),
}


@pytest.fixture
def rows():
    """Two sets; on the second everything is .02 lower, and our model has two draws."""
    return [
        {
            "set": name,
            "method": method,
            "auroc": auroc - lower + spread,
            "average_precision": average_precision - lower + spread,
            "swap_micro": swap,
            "prevalence": 0.15,
        }
        for name, lower in (("hESC", 0), ("mDC", 0.02))
        for method, (auroc, average_precision, swap) in FIGURES.items()
        for spread in ((-0.01, 0.01) if method == "scRegNet" else (0,))
    ]


def test_bars_end_at_the_mean_of_their_rows(rows):
    figure = decomposition.plot_decomposition(rows)
    for column, axes in enumerate(figure.axes):
        for bars, values in zip(axes.containers, FIGURES.values(), strict=True):
            ends = [bar.get_x() + bar.get_width() for bar in bars]
            value = np.nan if values[column] is None else values[column]
            lower = 0 if column == 2 else 0.02
            np.testing.assert_allclose(ends, [value, value - lower])


def test_additive_scores_stand_at_exactly_one_half_in_the_swap_panel(rows):
    swap = decomposition.plot_decomposition(rows).axes[2]
    for bars in swap.containers[:2]:
        assert [(bar.get_x(), bar.get_width()) for bar in bars] == [(0.5, 0), (0.5, 0)]
    labels = [text.get_text() for text in swap.texts]
    assert labels.count(".50") == 4
    assert labels.count("not published") == 2


def test_bars_are_labelled_and_no_label_covers_another(rows):
    figure = decomposition.plot_decomposition(rows)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    labels = [text for text in axes.texts if text.get_text().startswith(".")]
    assert {text.get_text() for text in labels} >= {".84", ".885", ".89", ".886", ".882", ".865"}
    boxes = sorted((text.get_window_extent() for text in labels), key=lambda box: box.y0)
    assert len(boxes) == 10
    assert all(below.y1 <= above.y0 for below, above in zip(boxes, boxes[1:], strict=False))


def test_sets_and_methods_keep_their_order(rows, draw):
    figure = decomposition.plot_decomposition(rows)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["hESC", "mDC"]
    assert axes.yaxis_inverted()  # the first set is at the top
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == list(decomposition.METHODS.values())
    draw(figure)


def test_the_random_line_stands_at_the_prevalence_and_may_be_absent(rows):
    precision = decomposition.plot_decomposition(rows).axes[1]
    (lines,) = precision.collections
    assert [segment[0, 0] for segment in lines.get_segments()] == [0.15, 0.15]
    bare = [{k: v for k, v in row.items() if k != "prevalence"} for row in rows]
    assert len(decomposition.plot_decomposition(bare).axes[1].collections) == 0


def test_mistakes_are_named(rows):
    with pytest.raises(ConfigError, match="without rows: GENELink"):
        decomposition.plot_decomposition(rows, {"TF rate": "TFs", "GENELink": "GENELink"})
    with pytest.raises(ConfigError, match="no swap_micro"):
        bare = [{k: v for k, v in row.items() if k != "swap_micro"} for row in rows]
        decomposition.plot_decomposition(bare)
