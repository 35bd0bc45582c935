import json

import pytest

from experiments.kernel_factor.beeline import LINEAR_DISPERSION, MODEL
from experiments.kernel_factor.tables import blocks_table, comparison_table, wide_table


def row(method, draw, value, **more):
    figures = ("auroc", "average_precision", "within_tf_auroc", "swap_micro")
    return {
        "set": "Specific/mDC/TFs+500",
        "split": "standard",
        "method": method,
        "draw": draw,
        "seed": 0,
        **dict.fromkeys(figures, value),
        **more,
    }


@pytest.fixture
def write(tmp_path):
    def write(name, rows):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(x) + "\n" for x in rows))
        return tmp_path

    return write


def test_gain_is_over_the_same_draws_and_later_draws_stay_out(write):
    rows = [row("base", 0, 0.5), row("base", 1, 0.6), row(MODEL, 0, 0.6), row(MODEL, 1, 0.8)]
    folder = write("kernel_factor_beeline", [*rows, row("base", 7, 0.1), row(MODEL, 7, 0.1)])
    table = comparison_table(folder, "standard", {"base": "base", MODEL: "ours"}, "base")
    assert "| mDC | .550/.550/.550/.550 | .700/.700/.700/.700 | +.150" in table
    assert "means over 2 draws" in table


def test_a_set_without_the_reference_is_held_against_dispersion(write):
    rows = [row(LINEAR_DISPERSION, 0, 0.5), row(MODEL, 0, 0.4)]
    folder = write("kernel_factor_beeline", rows)
    table = comparison_table(folder, "standard", {"linear": "floor", MODEL: "ours"}, "linear")
    assert "| mDC | .500/.500/.500/.500 | .400/.400/.400/.400 | -.100" in table


def test_blocks_stand_by_what_their_loss_costs(write):
    def block(name, drop):
        return {"name": name, "drop_average_precision": drop, "drop_swap_micro": drop}

    rows = [
        row(MODEL, draw, 0.5, blocks=[block("small", 0.01), block("large", 0.1 * draw)])
        for draw in (1, 2)
    ]
    table = blocks_table(write("kernel_factor_beeline", rows), "standard").splitlines()
    assert table[2] == "| large | +.150 +.150 |" and table[3] == "| small | +.010 +.010 |"


def test_peak_memory_is_the_largest_of_the_rows(write):
    rows = [row("a", draw, 0.5, peak_gib=peak) for draw, peak in ((0, 1.2), (1, 2.04))]
    table = wide_table(write("kernel_factor_genome_wide", rows))
    assert "Peak memory 2.0 GiB" in table and "mDC, standard" in table
