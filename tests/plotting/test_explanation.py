import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grnjax.errors import ConfigError, NonFiniteError

explanation = pytest.importorskip(
    "grnjax.plotting.explanation", reason="the extra plot is not installed"
)

TERMS = {
    "base": -1.5,
    "TF bias": 0.25,
    "target bias": -0.125,
    "identity": 0.0625,
    "motifs": 2.0,
    "expression": -0.5,
    "motifs: own motif": 1.0,
}
TITLE = "Why NANOG is scored for TDGF1"
LONG = "network other species human HepG2 ChIP seq network: same TF"
LONGEST = "W" * 60  # the widest letter


def spans(axes):
    """Where each bar begins and ends, from the top; bars that lead left end left."""
    return [
        (bar.get_x(), bar.get_x() + bar.get_width()) for bars in axes.containers for bar in bars
    ]


def row_names(axes):
    return [text.get_text() for text in axes.get_yticklabels()]


def test_each_bar_starts_where_the_last_one_ends_and_the_sum_is_the_logit():
    (axes,) = explanation.plot_contributions(TERMS, title=TITLE).axes
    *steps, logit = spans(axes)
    assert steps[0][0] == 0
    assert [start for start, _ in steps[1:]] == [end for _, end in steps[:-1]]
    assert [end - start for start, end in steps] == [2.0, -1.5, 1.0, -0.5, 0.25, -0.125, 0.0625]
    assert logit == (0, sum(TERMS.values())) == (0, steps[-1][1])


def test_the_largest_term_stands_at_the_top_and_the_logit_at_the_bottom():
    (axes,) = explanation.plot_contributions(TERMS, title=TITLE).axes
    assert row_names(axes) == [
        "motifs",
        "base",
        "motifs: own motif",
        "expression",
        "TF bias",
        "target bias",
        "identity",
        "logit",
    ]
    rows = [bar.get_y() + bar.get_height() / 2 for bars in axes.containers for bar in bars]
    np.testing.assert_allclose(rows, np.arange(8))
    assert axes.yaxis_inverted()
    numbers = [text.get_text() for text in axes.texts if text.get_text()[:1] in "+\N{MINUS SIGN}"]
    assert numbers[:2] == ["+2.00", "\N{MINUS SIGN}1.50"]
    assert numbers[-1] == "+1.19"


def test_the_smallest_terms_are_summed_under_their_number():
    (axes,) = explanation.plot_contributions(TERMS, title=TITLE, most=4).axes
    assert row_names(axes)[3:] == ["expression", "3 others", "logit"]
    start, end = spans(axes)[-2]
    assert end - start == 0.25 - 0.125 + 0.0625
    (axes,) = explanation.plot_contributions(TERMS, title=TITLE, most=6).axes
    assert row_names(axes)[-2:] == ["1 other", "logit"]


def test_bars_against_the_edge_are_hatched_and_their_numbers_stand_left():
    (axes,) = explanation.plot_contributions(TERMS, title=TITLE).axes
    numbers = [text for text in axes.texts if text.get_text()[:1] in "+\N{MINUS SIGN}"]
    for bars, number in zip(axes.containers[:-1], numbers, strict=False):
        leads_left = bars[0].get_width() < 0
        assert bool(bars[0].get_hatch()) == leads_left == (number.get_ha() == "right")
        assert number.get_text().startswith("\N{MINUS SIGN}" if leads_left else "+")
    assert {bool(bars[0].get_hatch()) for bars in axes.containers[:-1]} == {True, False}


@pytest.mark.parametrize("scale", [1, -1, 1e-6, 20])
def test_numbers_stand_inside_the_axes_beside_their_bars(scale):
    terms = {name: scale * value for name, value in TERMS.items()}
    figure = explanation.plot_contributions(terms, title=TITLE)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    numbers = [text for text in axes.texts if text.get_text()[:1] in "+\N{MINUS SIGN}"]
    assert len(numbers) == len(TERMS) + 1
    for number, (start, end) in zip(numbers, spans(axes), strict=True):
        box = number.get_window_extent()
        assert axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
        low, high = (axes.transData.transform((x, 0))[0] for x in sorted((start, end)))
        assert box.x0 >= high or box.x1 <= low


@pytest.mark.slow
@pytest.mark.parametrize("name", ["base", LONG, LONGEST])
@pytest.mark.parametrize("value", [-2.79, -100.25, 2.79])
def test_numbers_are_not_printed_over_the_names_of_their_rows(name, value, draw):
    figure = explanation.plot_contributions({name: value, "motifs": 1.0}, title=TITLE)
    draw(figure)
    (axes,) = figure.axes
    numbers = [text for text in axes.texts if text.get_text()[:1] in "+\N{MINUS SIGN}"]
    names = axes.get_yticklabels()
    assert len(numbers) == len(names) == 3
    right = max(name.get_window_extent().x1 for name in names)
    assert all(number.get_window_extent().x0 > right for number in numbers)


@pytest.mark.slow
def test_long_names_do_not_narrow_the_bars():
    widths = []
    for name in ("base", LONG, LONGEST):
        figure = explanation.plot_contributions(TERMS | {name: -1.5}, title=TITLE)
        figure.draw_without_rendering()
        widths.append(figure.axes[0].bbox.width)
    np.testing.assert_allclose(widths, widths[0], rtol=0.05)


def test_a_row_of_an_edge_table_is_drawn_as_its_terms():
    row = {"tf": "NANOG", "target": "TDGF1", "importance": 0.5, "status": "new", "logit": 1.1875}
    row |= {f"logit: {name}": value for name, value in TERMS.items()}
    edges = pd.DataFrame([row, row])
    (drawn,) = explanation.plot_contributions(edges.iloc[0], title=TITLE).axes
    (wanted,) = explanation.plot_contributions(TERMS, title=TITLE).axes
    assert row_names(drawn) == row_names(wanted)
    assert spans(drawn) == spans(wanted)
    (bare,) = explanation.plot_contributions(pd.Series(TERMS), title=TITLE).axes
    assert row_names(bare) == row_names(wanted) and spans(bare) == spans(wanted)


def test_a_row_without_terms_names_the_setting_that_writes_them():
    row = pd.Series({"tf": "NANOG", "target": "TDGF1", "importance": 0.5})
    with pytest.raises(ConfigError, match="tf, target: not numbers.*grnjax infer --explain"):
        explanation.plot_contributions(row, title=TITLE)


def test_the_second_axis_says_the_probability_of_each_tick():
    figure = explanation.plot_contributions(TERMS, title=TITLE)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    (below,) = axes.child_axes
    assert below.get_xlim() == axes.get_xlim()
    said = [text.get_text() for text in below.get_xticklabels()]
    wanted = [f"{1 / (1 + np.exp(-logit)):.3f}"[1:] for logit in below.get_xticks()]
    assert said == wanted and ".500" in said
    notes = [text.get_text() for text in axes.texts]
    assert "logit +1.19, probability .766 before calibration" in notes
    assert axes.get_title(loc="left") == TITLE


def test_no_probability_is_said_to_be_certain():
    (axes,) = explanation.plot_contributions({"base": -20.0}, title=TITLE).axes
    notes = [text.get_text() for text in axes.texts]
    assert "logit \N{MINUS SIGN}20.00, probability < .001 before calibration" in notes
    assert explanation.write_probability(1.0) == "> .999"


@pytest.mark.slow
@given(
    st.dictionaries(st.text(min_size=1, max_size=3), st.integers(-50, 50), min_size=1),
    st.integers(1, 12),
    st.randoms(use_true_random=False),
)
def test_steps_keep_the_sum_and_do_not_depend_on_the_order_of_terms(terms, most, random):
    steps = explanation.choose_steps(terms, most)
    shuffled = list(terms.items())
    random.shuffle(shuffled)
    assert list(explanation.choose_steps(dict(shuffled), most).items()) == list(steps.items())
    assert sum(steps.values()) == sum(terms.values())
    sizes = [abs(value) for value in steps.values()][:most]
    assert sizes == sorted(sizes, reverse=True)
    assert len(steps) == min(len(terms), most + 1)


def test_terms_that_cannot_be_drawn_are_refused():
    with pytest.raises(NonFiniteError, match="motifs: not finite"):
        explanation.plot_contributions(TERMS | {"motifs": np.nan}, title=TITLE)
    with pytest.raises(ConfigError, match="0 terms and 10 bars"):
        explanation.plot_contributions({}, title=TITLE)
    with pytest.raises(ConfigError, match="7 terms and 0 bars"):
        explanation.plot_contributions(TERMS, title=TITLE, most=0)


@pytest.mark.slow
def test_nothing_is_cut_off(draw, table):
    draw(explanation.plot_contributions(TERMS, title=TITLE))
    draw(explanation.plot_contributions({"similar TFs: motifs promoter": -9.0}, title=TITLE))
    draw(explanation.plot_block_worth(table))
    draw(explanation.plot_block_worth(table[table["kind"] == "pairs"]))


@pytest.fixture
def table():
    """Two blocks and two pair features in no order; the swap drop of one was not measured."""
    return pd.DataFrame(
        [
            ("expression", "genes", 0.75, 0.01, 0.02, 0.0, 0.03),
            ("own motif", "pairs", None, -0.005, -0.01, -0.02, 0.01),
            ("motifs", "genes", 0.25, 0.04, 0.03, 0.02, 0.06),
            ("edge", "pairs", None, 0.0, None, -0.01, 0.01),
        ],
        columns=[
            "name",
            "kind",
            "weight",
            "drop_average_precision",
            "drop_swap_micro",
            "drop_average_precision_low",
            "drop_average_precision_high",
        ],
        dtype=object,  # as rows of run.json come, with None
    )


def test_what_costs_most_average_precision_stands_at_the_top(table):
    drops, _ = explanation.plot_block_worth(table).axes
    assert row_names(drops) == ["motifs", "expression", "edge", "own motif"]
    assert drops.yaxis_inverted()
    marks = {line.get_label(): line for line in drops.lines}
    precision, swap = marks["average precision"], marks["swap concordance"]
    np.testing.assert_allclose(precision.get_xdata(), [0.04, 0.01, 0, -0.005])
    np.testing.assert_allclose(swap.get_xdata(), [0.03, 0.02, np.nan, -0.01])
    for mark in (precision, swap):
        np.testing.assert_array_equal(np.round(mark.get_ydata()), np.arange(4))
    assert precision.get_marker() != swap.get_marker()


def test_intervals_are_drawn_in_the_row_of_their_mark_where_there_are_any(table):
    drops, _ = explanation.plot_block_worth(table).axes
    (intervals,) = drops.collections  # of average precision alone
    segments = np.array(intervals.get_segments())  # [row, end, (x, y)]
    wanted = [(0.02, 0.06), (0, 0.03), (-0.01, 0.01), (-0.02, 0.01)]
    np.testing.assert_allclose(segments[:, :, 0], wanted)
    np.testing.assert_array_equal(segments[:, 0, 1], drops.lines[0].get_ydata())
    bare = explanation.plot_block_worth(table.iloc[:, :5]).axes[0]
    assert len(bare.collections) == 0
    assert "interval" in drops.get_xlabel() and "interval" not in bare.get_xlabel()


def test_weights_are_bars_and_a_pair_feature_is_named_as_one(table):
    drops, weights = explanation.plot_block_worth(table).axes
    (bars,) = weights.containers
    np.testing.assert_allclose([bar.get_width() for bar in bars], [0.25, 0.75, np.nan, np.nan])
    said = [text.get_text() for text in weights.texts if text.get_text()]
    assert said == [".25", ".75", "pair feature", "pair feature"]
    assert weights.get_xlim()[0] == 0 and weights.get_xlim()[1] > 0.75
    assert weights.bbox.width < drops.bbox.width / 3


@pytest.mark.parametrize("name", ["motifs", LONG, LONGEST])
def test_the_labels_of_the_two_axes_do_not_overlap(table, name, draw):
    table.loc[table["name"] == "motifs", "name"] = name
    figure = explanation.plot_block_worth(table)
    draw(figure)
    drops, weights = figure.axes
    left, right = (axes.xaxis.label.get_window_extent() for axes in (drops, weights))
    assert "worse without" in drops.get_xlabel() and weights.get_xlabel() == "kernel weight"
    assert left.x1 < right.x0
    ticks = [
        text.get_window_extent()
        for axes in (drops, weights)
        for text in axes.get_xticklabels()
        if axes.get_xlim()[0] <= text.get_position()[0] <= axes.get_xlim()[1]
    ]
    assert all(one.x1 < other.x0 for one, other in zip(ticks, ticks[1:], strict=False))


def test_the_order_of_rows_does_not_matter_and_the_table_is_left_alone(table):
    before = table.copy()
    first, second = (explanation.plot_block_worth(rows).axes[0] for rows in (table, table[::-1]))
    assert row_names(first) == row_names(second)
    np.testing.assert_array_equal(first.lines[0].get_xdata(), second.lines[0].get_xdata())
    pd.testing.assert_frame_equal(table, before)


def test_a_table_that_cannot_be_drawn_is_refused(table):
    with pytest.raises(ConfigError, match="no weight and no drop_swap_micro"):
        explanation.plot_block_worth(table.drop(columns=["weight", "drop_swap_micro"]))
    with pytest.raises(ConfigError, match="no drop_average_precision_high"):
        explanation.plot_block_worth(table.drop(columns="drop_average_precision_high"))
    with pytest.raises(ConfigError, match="0 inputs has no row"):
        explanation.plot_block_worth(table[:0])
