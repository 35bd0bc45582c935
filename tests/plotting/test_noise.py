import numpy as np
import pytest

from grnjax.errors import ConfigError

noise = pytest.importorskip("grnjax.plotting.noise", reason="the extra plot is not installed")


@pytest.fixture
def rows():
    """Two methods, three levels given in no order, five draws."""
    rng = np.random.default_rng(0)
    return [
        {"method": method, "level": level, "auroc": a, "average_precision": a / 2}
        for level in (0.05, 0.0, 0.01)
        for method in ("ours", "theirs")
        for a in rng.random(5)
    ]


def test_boxes_show_the_median_of_each_level_and_method(rows):
    figure = noise.plot_noise(rows)
    for axes, metric in zip(figure.axes, ("auroc", "average_precision"), strict=True):
        drawn = sorted(
            (line.get_xdata().mean(), line.get_ydata()[0])
            for line in axes.lines
            if line.get_linewidth() == 1.4
        )
        wanted = [
            np.median([r[metric] for r in rows if r["level"] == level and r["method"] == method])
            for level in (0.0, 0.01, 0.05)
            for method in ("ours", "theirs")
        ]
        np.testing.assert_allclose([median for _, median in drawn], wanted)
        labels = [text.get_text() for text in axes.get_xticklabels()]
        assert labels == ["0 %", "1 %", "5 %"]


def test_every_draw_is_a_dot_and_boxes_do_not_overlap(rows):
    axes = noise.plot_noise(rows).axes[0]
    dots = np.concatenate([line.get_ydata() for line in axes.lines if line.get_marker() == "o"])
    np.testing.assert_allclose(np.sort(dots), np.sort([row["auroc"] for row in rows]))
    extents = sorted(list(patch.get_path().get_extents().intervalx) for patch in axes.patches)
    assert len(extents) == 6
    assert all(left[1] < right[0] for left, right in zip(extents, extents[1:], strict=False))


def test_methods_are_named_once(rows, draw):
    figure = noise.plot_noise(rows)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ours", "theirs"]
    draw(figure)


def test_a_method_without_some_level_leaves_a_gap(rows, draw):
    rows = [row for row in rows if row["method"] == "ours" or row["level"] == 0.0]
    figure = noise.plot_noise(rows)
    draw(figure)
    dots = [line.get_ydata() for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert sum(map(len, dots)) == len(rows)


def test_missing_columns_are_named(rows):
    with pytest.raises(ConfigError, match="no level and no auroc"):
        noise.plot_noise([{"method": "ours", "average_precision": 0.1}])
