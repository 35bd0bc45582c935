"""The first screen after a run: whether to trust it, who regulates, what is new, where to read on.

At most 25 lines of 100 columns, whatever the run; everything else is in the report, or printed by
`--verbose`.
"""

from pathlib import Path

import numpy as np

from grnjax.data.edges import find_edges
from grnjax.data.names import show_name
from grnjax.report.contents import Contents
from grnjax.report.regulators import find_regulators
from grnjax.report.trust import tell_trust
from grnjax.report.wording import wrap_line

LINES, COLUMNS = 25, 100
TFS, EDGES = 5, 5
MOST_TRUST = 6  # lines


def write_screen(contents: Contents, out: Path, report: Path | None) -> str:
    """The lines to print.

    Args:
        report: where the report is; None where there is none.
    """
    trust = [line for sentence in tell_trust(contents) for line in wrap_line(sentence, COLUMNS - 2)]
    blocks = [
        ["How far to trust it", *(f"  {line}" for line in trust[:MOST_TRUST])],
        list_tfs(contents),
        list_new_edges(contents),
        [
            "What it rests on",
            *(f"  {x}" for x in wrap_line(tell_grounds(contents), COLUMNS - 2)[:2]),
        ],
    ]
    assert contents.edges is not None
    last = [
        f"Report: {report}" if report else f"Edges: {find_edges(out)}",
        f"{len(contents.edges):,} ranked pairs in {out}/; --verbose prints every figure",
    ]
    lines = [line for block in blocks for line in block][: LINES - len(last)]
    return "\n".join(map(shorten_line, [*lines, *last]))


def list_tfs(contents: Contents) -> list[str]:
    """The TFs with most confident targets."""
    found = find_regulators(contents)
    shown = found.table[found.table["targets"] > 0].head(TFS).to_dict("records")
    if not shown:
        return [f"Top regulators: no TF has a target of {found.rule}"]
    lines = [f"Top regulators, by {found.short}; + and - as TF and target go together over cells"]
    names = [show_name(row["tf"])[:24] for row in shown]
    for name, row in zip(names, shown, strict=True):
        line = f"  {name.ljust(max(map(len, names)))}{row['targets']:>7,} targets"
        line += f"{row['new']:>6,} new" if contents.learned else ""
        line += f"{'+' + str(row['up']):>7}{'-' + str(row['down']):>5}" if found.has_sign else ""
        lines.append(f"{line}   best {show_name(row['best'])}")
    return lines


def list_new_edges(contents: Contents) -> list[str]:
    """The best edges that were not given."""
    edges = contents.edges
    assert edges is not None
    told = "status" in edges
    shown = (edges[edges["status"] == "new"] if told else edges).head(EDGES)
    lines = ["New edges" if told else "Best edges"]
    for edge in shown.to_dict("records"):
        figure = f"{edge['importance']:.4g}"
        if "probability" in edge:
            figure = f"p {edge['probability']:.2f}"
            low, high = edge.get("low", np.nan), edge.get("high", np.nan)
            figure += f" ({low:.2f} to {high:.2f})" if np.isfinite([low, high]).all() else ""
        lines.append(f"  {show_name(edge['tf'])} -> {show_name(edge['target'])}  {figure}")
    return lines


def tell_grounds(contents: Contents) -> str:
    """What the scores rest on, one sentence: evidence that was measured to count, and labels."""
    told = []
    drops = [row for row in contents.record.get("blocks") or [] if row["drop_average_precision"]]
    best = [row for row in drops if row["drop_average_precision"] > 0][:3]
    if best:
        told.append(
            "Average precision falls without "
            + ", ".join(f"{row['name']} (by {row['drop_average_precision']:.3f})" for row in best)
        )
    elif contents.record.get("evidence"):
        told.append(f"Evidence: {', '.join(contents.record['evidence'])}")
    compendium = (contents.record.get("found") or {}).get("compendium")
    if compendium:
        told.append(
            f"{compendium['lists']:,} lists of {compendium['tfs_with_lists']:,} TFs in "
            f"{len(compendium['cell_types']):,} other cell types, and motifs"
        )
    if contents.learned and contents.edges is not None:
        listed = contents.edges.loc[contents.edges["status"] == "known", "tf"]
        data = contents.record.get("data") or {}  # a cut table does not list all of them
        known = (data.get("edges") or {}).get("kept", len(listed))
        tfs = data.get("tfs_with_targets", listed.nunique())
        told.append(f"labels: {known:,} known edges of {tfs:,} TFs")
    elif not told:
        inputs = contents.record.get("inputs") or {}
        own = [key.removeprefix("method/") for key in inputs if key.startswith("method/")]
        beside = f"with {', '.join(own)}" if own else "alone"
        told.append(f"expression in {count_cells(contents)} {beside}, by {contents.method}")
    return "; ".join(told)


def count_cells(contents: Contents) -> str:
    """The number of cells, in words."""
    cells = (contents.record.get("data") or {}).get("cells")
    return f"{cells:,} cells" if cells else "the cells"


def shorten_line(line: str) -> str:
    """A line that fits the screen."""
    return line if len(line) <= COLUMNS else line[: COLUMNS - 3] + "..."
