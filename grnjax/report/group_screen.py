"""The first screen after `--by COLUMN`: the groups, whose TFs stand out, and where to read on."""

from pathlib import Path

from grnjax.data.names import show_name
from grnjax.report.screen import COLUMNS, LINES, shorten_line
from grnjax.report.wording import wrap_line
from grnjax.tasks.group_comparison import GroupDifferences

MOST_GROUPS, A_GROUP = 12, 4
MOST_NOTES = 3  # lines


def write_group_screen(found: GroupDifferences, report: dict, out: Path, page: Path | None) -> str:
    """The lines to print, at most 25 of 100 columns.

    Args:
        report: of the groups, as run.json has it.
        page: where the report is; None where there is none.
    """
    cells = report["cells"]
    lines = [f"One network for each {report['by']}, and the TFs that more of its cells have"]
    width = min(max(len(show_name(name)) for name in cells), 28)
    for name in list(cells)[:MOST_GROUPS]:
        head = f"  {show_name(name)[:width].ljust(width)}{cells[name]:>8,} cells"
        lines.append(f"{head}  {list_tfs(found, name)}")
    if len(cells) > MOST_GROUPS:
        lines.append(f"  and {len(cells) - MOST_GROUPS:,} more groups")
    if report["left_out"]:
        small = ", ".join(f"{show_name(x)} ({n:,})" for x, n in report["left_out"].items())
        lines.append(f"Left out, of too few cells: {small}")
    if len(cells) > 1:
        counts = [
            f"{report[f'{what}_that_differ']:,} of {report[f'{what}_compared']:,} {word}"
            for what, word in (("tfs", "TFs"), ("edges", "of the best edges"))
        ]
        within = f"q of .05 or less{tell_donors(found)}"
        lines.append(f"Differ in some group ({within}): {' and '.join(counts)}")
    notes = [line for note in report["notes"] for line in wrap_line(note, COLUMNS)]
    room = max(LINES - 1 - len(lines), 0)
    lines += notes[: min(room, MOST_NOTES)]
    where = (
        f"Report: {page}" if page else f"Tables: {out}/tf_differences.tsv and edge_differences.tsv"
    )
    lines = [
        *lines[: LINES - 1],
        f"{where}  (each group has its own in {out}/groups/; --verbose says more)",
    ]
    return "\n".join(map(shorten_line, lines))


def tell_donors(found: GroupDifferences) -> str:
    """Over how many donors differences are judged, where they are; else an empty text."""
    if "donors" not in found.tfs or found.tfs.empty:
        return ""
    fewest, most = found.tfs["donors"].agg(["min", "max"])
    return f" over {most:,} donors" if fewest == most else f" over {fewest:,} to {most:,} donors"


def list_tfs(found: GroupDifferences, group: str) -> str:
    """The TFs that stand out in a group, with the share of its cells that have each."""
    table = found.tfs
    if "detected_difference" not in table:
        return ""
    own = table[(table["group"] == group) & (table["detected_difference"] > 0)]
    own = own[own["detected_q"] <= 0.05].sort_values("detected_difference", ascending=False)
    shown = own.head(A_GROUP).to_dict("records")
    return ", ".join(f"{show_name(row['tf'])} {row['detected']:.0%}" for row in shown) or "none"
