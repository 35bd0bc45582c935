"""Tables of the scorer beside fitted rows and rows of cells, and of TFs that nobody has assayed."""

from collections.abc import Callable

from experiments.compendium.left_out import ALL, DETECTED, LOOK_UP, MIXTURE, RATE, UNCOMMON, WITHOUT
from experiments.compendium.removed import ALIKE, BOTH, MEAN, MOTIF
from experiments.compendium.removed import STUDY as REMOVED
from experiments.compendium.rivals import (
    BULK,
    BULK_LINES,
    CELLS_OVER_TREES,
    EXPRESSION,
    GRNBOOST2,
    OVER_TREES,
    PEARSON,
    STUDY,
    TREES,
    TREES_BARE,
    TREES_LISTS,
    TWO,
)
from experiments.compendium.rivals import MOTIF as MOTIF_ALONE
from experiments.compendium.scorer import (
    FAMILY,
    LINES,
    PARTNERS,
    PERMUTED,
    RATES_KEPT,
    SCORER,
    UNASKED,
    WITH_CELLS,
)
from experiments.compendium.scorer import PEARSON as OWN_PEARSON
from experiments.compendium.scorer import STUDY as SCORER_STUDY
from experiments.compendium.scorer_tables import list_lines
from experiments.grnformer.label_free import STUDY as LABEL_FREE
from experiments.grnformer.label_free_tables import NOTE, SWAP, WITHIN, entitle, find, write
from experiments.shared import tables as st

GAIN = "difference"
SPLIT = "lists of the TFs removed"


def fitted_table() -> st.Table:
    """Every line by lists alone: fitted rows, and what the scorer is over them."""
    columns = {
        "two weights": (ALL, TWO, ""),
        "trees": (ALL, TREES, ""),
        "scorer": (ALL, SCORER, ""),
        "scorer over trees": (ALL, OVER_TREES, GAIN),
        "over trees, common aside": (UNCOMMON, OVER_TREES, GAIN),
    }

    def cell(name: str, column: tuple[str, str, str]) -> str:
        split, method, key = column
        return write(find(STUDY, name, split)[method], WITHIN, key)

    counts = {name: find(STUDY, name, ALL)[RATE]["within_tf_count"] for name in list_lines()}
    rows = {f"{name} ({count} TFs)": name for name, count in counts.items()}
    return st.Table(rows, columns, cell, "within-TF, lists alone", NOTE)


def pooled_table() -> st.Table:
    """The networks of all lines by lists alone."""
    columns = {
        f"{split}{', over' if key else ''}": (split, key)
        for split in (ALL, UNCOMMON)
        for key in ("", GAIN)
    }
    rows = {x: x for x in (LOOK_UP, TWO, TREES, SCORER)} | {OVER_TREES: OVER_TREES}

    def cell(method: str, column: tuple[str, str]) -> str:
        split, key = column
        if key and method == LOOK_UP:
            return ""
        return write(find(STUDY, LINES, split)[method], WITHIN, key)

    count = find(STUDY, LINES, ALL)[RATE]["within_tf_count"]
    note = f"Over: over rate + residual same, or the trees where the row says so. {NOTE}"
    return st.Table(rows, columns, cell, f"within-TF, {count} networks", note)


def detected_table() -> st.Table:
    """The pairs of the mixture: rows of its cells, fitted rows, the scorer and its controls."""
    columns = {
        f"{line}, {what}": (line, figure)
        for line in MIXTURE
        for what, figure in (("within-TF", WITHIN), ("swap", SWAP))
    }
    here = {x: (STUDY, x) for x in (TWO, TREES, TREES_LISTS, TREES_BARE)}
    there = {
        "GRNBoost2": (LABEL_FREE, "GRNBoost2, cells of {line}"),
        "accessibility of the promoter": (LABEL_FREE, "promoter accessibility"),
        "motif": (LABEL_FREE, "motif"),
    }
    scorer = (RATE, LOOK_UP, UNASKED, SCORER, WITH_CELLS, RATES_KEPT, PERMUTED)
    rows = {OWN_PEARSON: (SCORER_STUDY, OWN_PEARSON), **there}
    rows |= {x: (SCORER_STUDY, x) for x in scorer[:2]} | here
    rows |= {x: (SCORER_STUDY, x) for x in scorer[2:]}

    def cell(row: tuple[str, str], column: tuple[str, str]) -> str:
        (study, method), (line, figure) = row, column
        name = line if study == LABEL_FREE else f"{line}{DETECTED}"
        return write(find(study, name, ALL)[method.format(line=line)], figure)

    return st.Table(rows, columns, cell, "detected genes, all TFs", NOTE)


def bulk_table(figure: str) -> st.Table:
    """The lines with bulk expression: every row, by line."""
    names = [line for line in BULK_LINES if find(STUDY, f"{line}{BULK}", ALL)]
    found = {line: find(STUDY, f"{line}{BULK}", ALL) for line in names}
    of_cells = (PEARSON, GRNBOOST2, EXPRESSION, MOTIF_ALONE)
    of_lists = (RATE, LOOK_UP, TWO, TREES, TREES_LISTS, TREES_BARE, SCORER, WITH_CELLS)
    rows = {entitle(x): x for x in (*of_cells, *of_lists, RATES_KEPT, PERMUTED)}
    columns = {f"{line} ({found[line][RATE]['within_tf_count']} TFs)": line for line in names}
    what = {WITHIN: "within-TF", SWAP: "swap"}[figure]
    return st.Table(
        rows, columns, lambda x, line: write(found[line][x], figure), f"{what}, all TFs", NOTE
    )


def gain_table() -> st.Table:
    """What the scorer is over the look-up and the trees where there are cells."""
    sets = {f"{line}{DETECTED}": SCORER_STUDY for line in MIXTURE}
    sets |= {f"{line}{BULK}": STUDY for line in BULK_LINES}
    columns = {
        "over look-up": (ALL, SCORER, WITHIN),
        "over trees": (ALL, OVER_TREES, WITHIN),
        "over trees, swap": (ALL, OVER_TREES, SWAP),
        "common aside, over look-up": (UNCOMMON, SCORER, WITHIN),
        "common aside, over trees": (UNCOMMON, OVER_TREES, WITHIN),
    }

    def cell(name: str, column: tuple[str, str, str]) -> str:
        split, method, figure = column
        study = sets[name] if method == SCORER else STUDY
        return write(find(study, name, split)[method], figure, GAIN)

    return st.Table({x: x for x in sets}, columns, cell, "scorer", NOTE)


def expression_table() -> st.Table:
    """What bulk expression adds to the scorer, and what that is over the trees."""
    columns = {
        "over scorer": (ALL, WITH_CELLS, WITHIN),
        "over trees": (ALL, CELLS_OVER_TREES, WITHIN),
        "over trees, swap": (ALL, CELLS_OVER_TREES, SWAP),
        "common aside, over scorer": (UNCOMMON, WITH_CELLS, WITHIN),
        "common aside, over trees": (UNCOMMON, CELLS_OVER_TREES, WITHIN),
    }

    def cell(line: str, column: tuple[str, str, str]) -> str:
        split, method, figure = column
        return write(find(STUDY, f"{line}{BULK}", split)[method], figure, GAIN)

    return st.Table({x: x for x in BULK_LINES}, columns, cell, WITH_CELLS, NOTE)


def without_table() -> st.Table:
    """TFs without a list in another cell, by what is left: the rate, and the scorer."""
    found = {name: find(SCORER_STUDY, name, WITHOUT) for name in list_lines()}
    found = {name: rows for name, rows in found.items() if rows}
    columns = {
        "rate, within-TF": (LOOK_UP, WITHIN, ""),
        "scorer, within-TF": (SCORER, WITHIN, ""),
        "scorer over rate": (SCORER, WITHIN, GAIN),
        "scorer, swap": (SCORER, SWAP, ""),
    }
    counts = {name: rows[SCORER]["within_tf_count"] for name, rows in found.items()}
    rows = {f"{name} ({counts[name]} TFs)": name for name in found if counts[name] > 1}
    return st.Table(
        rows,
        columns,
        lambda name, x: write(found[name][x[0]], *x[1:]),
        "TFs without lists elsewhere",
        NOTE,
    )


def removed_table() -> st.Table:
    """TFs of which no cell has a list, by source and line."""
    rows = {f"{name} ({count(name)} TFs)": name for name in list_lines()} | {MEAN: MEAN}
    columns = {
        f"{x.removeprefix('rate + ')}, swap": x for x in (MOTIF, ALIKE, PARTNERS, FAMILY, SCORER)
    }
    return st.Table(
        rows,
        columns,
        lambda name, method: write(find(REMOVED, name, SPLIT)[method], SWAP),
        "lists of all TFs of the line removed",
        "± half the 95 % interval over TFs, resampled within each line.",
    )


def source_table() -> st.Table:
    """What each source adds to the rate in the mean of lines."""
    found = find(REMOVED, MEAN, SPLIT)
    columns = {
        "swap": (SWAP, ""),
        "swap over rate": (SWAP, GAIN),
        "within-TF": (WITHIN, ""),
        "within-TF over rate": (WITHIN, GAIN),
    }
    rows = {x: x for x in (RATE, MOTIF, ALIKE, PARTNERS, FAMILY, SCORER, BOTH)}
    note = f"Mean of {found[RATE]['counted']} lines, ± half the 95 % interval over TFs, resampled "
    return st.Table(
        rows,
        columns,
        lambda method, x: write(found[method], *x),
        "TFs without lists",
        note + "within each line.",
    )


def count(name: str) -> int:
    """How many TFs of a line are judged."""
    return find(REMOVED, name, SPLIT)[RATE]["counted"]


TABLES: dict[str, Callable[[], object]] = {
    "scorer and fitted rows": fitted_table,
    "fitted rows, all lines": pooled_table,
    "scorer, detected genes": detected_table,
    "bulk expression, within-TF": lambda: bulk_table(WITHIN),
    "bulk expression, swap": lambda: bulk_table(SWAP),
    "gains where there are cells": gain_table,
    "what bulk expression adds": expression_table,
    "TFs without lists elsewhere": without_table,
    "TFs without lists": removed_table,
    "sources for TFs without lists": source_table,
}
