"""Results of `grnjax infer`: what run.json holds of them, and what a user wants to see first."""

from pathlib import Path

from grnjax.data.edges import RANKED, find_edges
from grnjax.evaluation.report import format_table, summarise
from grnjax.methods.kernel_factor.explanation import summarise_worth
from grnjax.report.contents import Contents
from grnjax.report.screen import write_screen
from grnjax.tasks.ranked_network import RankedNetwork

MOST_SHOWN = 12


def describe_network(network: RankedNetwork, *, seed: int, data: dict, more: dict) -> dict:
    """What run.json says of a network beside its settings.

    Args:
        data: the report of the data set.
        more: further metrics.
    """
    metrics = {"rows": network.rows, "calibration": network.calibration, **more}
    results = {
        "seed": seed,
        "method": network.method,
        "data": data,
        "evidence": network.evidence,
        "label_overlap": network.overlap,
        "blocks": summarise_worth(network.worth),
        "metrics": {key: value for key, value in metrics.items() if value},
    }
    return results | ({"found": network.report} if network.report else {})


def print_screen(network: RankedNetwork, record: dict, out: Path, report: Path | None) -> None:
    """The few lines that a user wants to see first.

    Args:
        record: what run.json says of the run.
    """
    contents = Contents(record=record, edges=network.edges, tables=network.tables, folder=out)
    print(f"\n{write_screen(contents, out, report)}")


def print_results(network: RankedNetwork, metrics: dict, out: Path) -> None:
    """Every figure as tables, beside the trivial rows."""
    learned = network.candidates is not None
    titles = {
        "rows": "Known edges against unlabelled pairs, never trained on",
        "hidden_rows": "True edges that were hidden against true non-edges",
    }
    if not learned:
        titles["rows"] = (
            f"Known edges against other pairs; {network.method} has learned from neither, the "
            "trivial\nrows from the other folds"
        )
    for key in [key for key in titles if key in metrics]:
        table = format_table(summarise(metrics[key])).rpartition("\n")[0]
        print(f"\n{titles[key]} (mean over folds, 95 % interval):\n\n{table}")
    print_worth(summarise_worth(network.worth))
    edges = network.edges
    print("\nTop new edges:" if learned else "\nTop edges:")
    for edge in (edges[edges["status"] == "new"] if learned else edges).head(5).itertuples():
        figures = f"{edge.importance:.4g}"
        if learned:
            figures = f"p {edge.probability:.3f} +- {edge.spread:.3f}"
        print(f"  {edge.tf} -> {edge.target}  {figures}")
    unseen = edges["unseen"].value_counts() if learned else {}
    if unseen.get("no", 0) < len(edges) and len(unseen):
        counts = ", ".join(f"{n:,} {what}" for what, n in unseen.items() if what != "no")
        print(f"\nPairs with a TF or a target unseen in the known edges (column unseen): {counts}")
    written = find_edges(out).name, find_edges(out, RANKED).name, "network.h5ad"
    names = [*written, *(f"{x}.tsv" for x in network.tables)]
    names += ["scores.npz"] * (network.every_score is not None)
    files = ", ".join([*names, "run.json"])
    print(f"\n{len(edges):,} ranked pairs in {out}/ ({files})")


def print_worth(worth: list[dict]) -> None:
    """What the scores rest on, a line a source, where that was measured."""
    if not worth:
        return
    shown = worth[:MOST_SHOWN]
    width = max(len(row["name"]) for row in shown)
    print(
        f"\nWhat it rests on, {len(shown)} of {len(worth)}: weight of the kernels, and what AP "
        "and swap lose\nwhen permuted over genes (* above 0 by its 95 % interval):\n"
    )
    for row in shown:
        line = row["name"].ljust(width)
        line += ("" if row["weight"] is None else f"{row['weight']:.2f}").rjust(6)
        for key in ("drop_average_precision", "drop_swap_micro"):
            drop = "" if row[key] is None else f"{row[key]:+.3f}"
            line += drop.rjust(9) + ("*" if row.get(f"{key}_low", 0) > 0 else " ")
        print("  " + line.rstrip())
