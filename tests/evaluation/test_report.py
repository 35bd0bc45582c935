import numpy as np
import pytest
from scipy import stats

from grnjax.errors import ConfigError
from grnjax.evaluation.report import (
    COLUMNS,
    format_table,
    paired_differences,
    summarise,
)


def row(method, draw, seed, auroc, swap=0.5):
    return {"method": method, "draw": draw, "seed": seed, "auroc": auroc, "swap_micro": swap}


ROWS = [
    row("model", 0, 0, 0.80),
    row("model", 0, 1, 0.90),
    row("model", 1, 0, 0.70),
    row("model", 2, 0, 0.75, swap=None),
    row("additive", 0, 0, 0.80, swap=None),
    row("additive", 1, 0, 0.72, swap=None),
]


def pick(summary, method, metric):
    chosen = (summary["method"] == method) & (summary["metric"] == metric)
    return summary[chosen].iloc[0]


def test_seeds_are_averaged_before_draws():
    line = pick(summarise(ROWS), "model", "auroc")
    draws = np.array([0.85, 0.70, 0.75])
    low, high = stats.t.interval(0.95, 2, loc=draws.mean(), scale=stats.sem(draws))
    assert line["mean"] == pytest.approx(draws.mean())
    assert line["half_width"] == pytest.approx((high - low) / 2)
    assert line["draws"] == 3


def test_undefined_metrics_lower_the_count_and_one_draw_has_no_interval():
    summary = summarise(ROWS)
    assert pick(summary, "model", "swap_micro")["draws"] == 2
    nothing = pick(summary, "additive", "swap_micro")
    assert nothing["draws"] == 0 and np.isnan(nothing["mean"])
    assert np.isnan(pick(summarise(ROWS[:1]), "model", "auroc")["half_width"])


def test_paired_differences_use_shared_draws_only():
    entry = paired_differences(ROWS, "model", "additive")["auroc"]
    assert entry["draws"] == 2 and entry["positive"] == 1
    assert entry["mean"] == pytest.approx((0.05 - 0.02) / 2)
    assert entry["sd"] == pytest.approx(np.std([0.05, -0.02], ddof=1))
    swap = paired_differences(ROWS, "model", "additive")["swap_micro"]
    assert swap == {"mean": None, "sd": None, "half_width": None, "positive": 0, "draws": 0}


def test_unknown_methods_and_repeated_rows_are_refused():
    with pytest.raises(ConfigError, match="No results of 'modle'; there are model, additive"):
        paired_differences(ROWS, "modle", "additive")
    with pytest.raises(ConfigError, match="1 results repeat"):
        summarise([*ROWS, ROWS[0]])
    with pytest.raises(ConfigError, match="No results to summarise"):
        summarise([])


def test_the_full_table_fits_a_terminal_and_lines_up():
    rng = np.random.default_rng(0)
    names = ["scRegNet (GCN)", "ID-only ensemble", "nearest TF profile"]
    rows = [
        {"method": name, "draw": draw, "seed": 0} | {metric: rng.random() for metric in COLUMNS}
        for name in names
        for draw in range(3)
    ]
    rows[-1]["swap_micro"] = rows[-2]["swap_micro"] = rows[-3]["swap_micro"] = None
    header, rule, *body, note = format_table(summarise(rows)).splitlines()
    assert [line[: len(name)] for line, name in zip(body, names, strict=True)] == names
    assert {len(line) for line in (header, rule, *body)} == {len(rule)}
    assert len(rule) <= 100
    assert body[-1].endswith(" -")
    assert "3 draws" in note


def test_tables_show_the_numbers_and_leave_out_absent_metrics():
    text = format_table(summarise(ROWS[:1]))
    assert text.splitlines()[0].split() == ["method", "AUROC", "swap"]
    assert text.splitlines()[2].split() == ["model", ".800", ".500"]
