import pytest

from experiments.kernel_factor import tables
from experiments.kernel_factor.beeline import LINEAR_DISPERSION, MODEL
from experiments.shared import record
from experiments.shared.tables import FOUR, load


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes rows as those of the study on BEELINE's sets."""
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    load.cache_clear()
    yield lambda rows: record.write_rows(tables.STUDY, rows)
    load.cache_clear()


def row(method, draw, value, **more):
    where = {"set": "Specific/mDC/TFs+500", "split": "standard", "method": method, "draw": draw}
    return {**where, "seed": 0, **dict.fromkeys(FOUR, value), **more}


def test_gain_is_over_the_same_draws_and_later_draws_stay_out(write):
    rows = [row("base", 0, 0.5), row("base", 1, 0.6), row(MODEL, 0, 0.6), row(MODEL, 1, 0.8)]
    write([*rows, row("base", 7, 0.1), row(MODEL, 7, 0.1)])
    text = str(tables.compare("standard", "base", {}))
    assert "| mDC, AUROC | .550±.635 | .700±1.271 | +.150±.635 |" in text
    assert "Mean over 2 draws" in text
    assert "| mDC, swap | .100 | .100 | +.000 |" in str(
        tables.compare("standard", "base", {}, tables.FRESH)
    )


def test_a_set_without_the_reference_is_held_against_dispersion(write):
    write([row(LINEAR_DISPERSION, 0, 0.5), row(MODEL, 0, 0.4)])
    text = str(tables.compare("standard", tables.LINEAR, {}))
    assert "| set | linear floor | kernel factor | gain |" in text
    assert "| mDC, AP | .500 | .400 | -.100 |" in text


def test_sources_stand_by_what_their_loss_costs(write):
    def source(name, drop):
        return {"name": name, "drop_average_precision": drop, "drop_swap_micro": drop / 2}

    write(
        [
            row(MODEL, draw, 0.5, blocks=[source("small", 0.01), source("large", 0.1 * draw)])
            for draw in (1, 2)
        ]
    )
    lines = str(tables.sources_table("standard", "swap_micro")).splitlines()
    assert lines[2] == "| large | +.075 |" and lines[3] == "| small | +.005 |"


def test_the_readme_holds_our_model_against_the_best_trivial_row_of_each_figure(write):
    rows = [row("a", 0, 0.5, swap_micro=0.6), row("b", 0, 0.4, swap_micro=0.7), row(MODEL, 0, 0.8)]
    write(rows)
    record.write_rows("gt_grn_beeline", [row("scRegNet", 0, 0.45)])
    text = str(tables.readme_table())
    assert "| mDC, AP | .500 | .450 |  | .800 |" in text
    assert "| mDC, swap | .700 | .450 |  | .800 |" in text
