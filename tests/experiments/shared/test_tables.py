"""The generator of tables: means and gains over draws, narrow tables, CSV files of everything."""

import csv
import io

import pytest

from experiments.shared.tables import Figures, Table, axis, cross, csv_text, fill_in, grid, sets

MDC, HESC = "Specific/mDC/TFs+500", "Specific/hESC/TFs+500"


def row(method, draw, value, seed=0, name=MDC, split="standard", **more):
    metrics = ("auroc", "average_precision", "early_precision_ratio", "swap_micro")
    where = {"set": name, "split": split, "method": method, "draw": draw, "seed": seed}
    return {**where, **dict.fromkeys(metrics, value), **more}


def lines_of(table):
    return [line for line in str(table).splitlines() if line.startswith("| ")]


def test_a_cell_is_a_mean_over_draws_with_its_interval():
    figures = Figures([row("a", 0, 0.5), row("a", 1, 0.6), row("a", 1, 0.6, seed=1)])
    where = {"name": MDC, "split": "standard", "method": "a"}
    assert figures.cell(**where, figure="auroc") == ".550±.635"  # t of one degree: 12.706
    assert figures.cell(**where, figure="early_precision_ratio") == ".55±.64"
    assert figures.cell(**{**where, "method": "b"}, figure="auroc") == ""
    assert figures.cell(**{**where, "name": HESC}, figure="auroc") == ""


def test_a_gain_is_over_the_draws_that_both_have_and_where_asked_for_the_seeds():
    rows = [row("a", 0, 0.5), row("a", 1, 0.7), row("a", 0, 0.9, seed=1), row("a", 2, 0.1)]
    figures = Figures([*rows, row("b", 0, 0.4), row("b", 1, 0.5)])
    gain = {"name": MDC, "split": "standard", "method": "b", "over": "a", "figure": "auroc"}
    assert figures.cell(**gain) == "-.250±.635"
    assert figures.cell(**gain, same_seeds=True) == "-.150±.635"
    assert figures.cell(**{**gain, "over": "c"}) == ""
    assert figures.cell(**{**gain, "over": "c"}, instead={"c": "a"}) == "-.250±.635"


def test_an_undefined_figure_is_a_hyphen():
    figures = Figures([row("a", 0, 0.5, swap_micro=None), row("b", 0, 0.6, swap_micro=None)])
    where = {"name": MDC, "split": "standard", "method": "a", "figure": "swap_micro"}
    assert figures.cell(**where) == "-" and figures.cell(**where, over="b") == "-"


def test_a_grid_crosses_its_axes_and_tells_how_many_draws_stand_behind_it():
    rows = [
        row(m, draw, x, name=name)
        for m, x in (("a", 0.5), ("b", 0.7))
        for draw in (0, 1)
        for name in (MDC, HESC)
    ]
    lines = cross(sets([MDC, f"{HESC}, measured genes", HESC]), axis("figure", {"auroc": "AUROC"}))
    table = grid(
        Figures(rows),
        lines,
        axis("method", {"a": "ours", "b": "b"}),
        "set",
        "More.",
        split="standard",
    )
    assert lines_of(table) == [
        "| set | ours | b |",
        "| --- | ---: | ---: |",
        "| mDC, AUROC | .500±.000 | .700±.000 |",
        "| hESC, measured genes, AUROC |  |  |",
        "| hESC, AUROC | .500±.000 | .700±.000 |",
    ]
    assert str(table).endswith(
        "Mean over 2 draws of the split, ± half the width of the 95 % t interval. More."
    )


def test_a_table_is_narrow_and_has_rows():
    with pytest.raises(ValueError, match="1 rows and 7 columns"):
        str(Table({"a": 0}, dict.fromkeys("bcdefg"), lambda *_: ""))
    with pytest.raises(ValueError, match="0 rows"):
        str(Table({}, {"b": 0}, lambda *_: ""))


def test_a_csv_file_has_every_mean_of_a_study():
    rows = [row("a, changed", draw, 0.5 + draw / 10, name=MDC) for draw in (0, 1)]
    found = list(csv.DictReader(io.StringIO(csv_text(Figures([*rows, row("b", 0, None)])))))
    assert [line["method"] for line in found] == ["a, changed", "b"]
    assert found[0]["set"] == MDC and found[0]["draws"] == "2" and found[0]["auroc"] == "0.5500"
    assert found[1]["auroc"] == "" and found[1]["auroc_half_interval"] == ""


def test_a_page_without_the_marks_of_a_table_is_refused():
    page = "<!-- table: x -->\nold\n<!-- end of table -->\n"
    assert fill_in(page, {"x": lambda: "new"}) == page.replace("old", "new")
    with pytest.raises(ValueError, match="no table called 'y'"):
        fill_in(page, {"y": lambda: "new"})
