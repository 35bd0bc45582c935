"""`grnjax infer --by COLUMN`: a folder a group of cells, and beside them what differs.

Each group's folder is a run folder of its own, with the files that `infer` leaves: programs that
read one network read it as it is, and a group that has finished is not ranked again.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.cli.infer_results import describe_network
from grnjax.cli.report import make_report
from grnjax.cli.run_folder import Run
from grnjax.data.edges import find_edges
from grnjax.data.names import show_name
from grnjax.report.group_screen import write_group_screen
from grnjax.storage.files import read_run_digest, write_atomic
from grnjax.storage.outputs import CHECKPOINTS, has_finished, hold_folder, write_result
from grnjax.tasks import network_inference
from grnjax.tasks.cell_samples import Samples
from grnjax.tasks.group_comparison import GroupDifferences
from grnjax.tasks.group_networks import (
    FOLDER,
    describe_edges,
    infer_groups,
    name_folders,
    split_cells,
)
from grnjax.tasks.inputs import Extras
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.tasks.record import describe_environment, write_network
from grnjax.training.cluster import agree, do_first
from grnjax.types import Dataset

TABLES = {"tfs": "tf_differences.tsv", "edges": "edge_differences.tsv"}
SHOWN = 8


def infer_by_group(
    run: Run,
    command,
    samples: Samples,
    find_extras: Callable[[Dataset], Extras],
) -> None:
    """Ranks each group, compares them, and writes and prints all that.

    Args:
        command: an `InferCommand` with `by`.
        samples: all cells.
        find_extras: what the method may know beside, for the data set of a group.
    """
    dataset, donors = samples.dataset, samples.donors
    groups = split_cells(dataset.genes, command.by, command.groups, command.expression)
    folders = name_folders(groups.names)
    mesh = run.choose_mesh(command.method, command.repeats * command.folds)

    def rank(name: str, own: Dataset, own_judged: Dataset | None) -> pd.DataFrame:
        folder = command.out / folders[name]

        def infer() -> RankedNetwork:
            return network_inference.infer(
                own,
                command,
                seed=command.seed,
                judged=own_judged,
                folder=folder,
                mesh=mesh,
                **vars(find_extras(own)),
            )

        of_cells = groups.donors_of(name, donors)
        return rank_once(run, folder, name, own, infer, of_cells)

    with run:
        try:
            found, report = infer_groups(
                dataset,
                samples.judged,
                groups,
                command.groups,
                rank,
                method=command.method,
                seed=command.seed,
                donors=donors,
                batch=command.batch,
            )
        finally:
            with contextlib.suppress(OSError):  # where it holds a group
                (command.out / FOLDER).rmdir()
        report["folders"] = folders
        results = {"seed": command.seed, "method": command.method.name()}
        results |= {"data": dataset.report, "groups": report}
        run.finish(results, lambda about: write_tables(command.out, found))
    if run.is_first:
        page = make_report(command.out)
        if command.verbose:
            print_differences(found, report, command.out)
        else:
            print(f"\n{write_group_screen(found, report, command.out, page)}")


def rank_once(
    run: Run,
    folder: Path,
    name: str,
    own: Dataset,
    infer: Callable[[], RankedNetwork],
    donors: np.ndarray | None,
) -> pd.DataFrame:
    """The edges of a group: those that its folder has, or else ranked now, and written there."""
    record = {"command": "infer", "group": name, "of_run": read_run_digest(run.out)}
    finished = do_first(lambda: has_finished(folder, record, spare=CHECKPOINTS))
    if agree(bool(finished)):
        return read_edges(find_edges(folder))
    with contextlib.ExitStack() as held:
        do_first(lambda: held.enter_context(hold_folder(folder, record)))
        network = describe_edges(infer(), own.genes, donors, run.command.seed)

        def write() -> None:
            about = {**run.record, **record, **describe_environment()}
            write_network(folder, network, about)
            data = {**own.report, "cells": len(own.genes.expression)}
            results = describe_network(network, seed=run.command.seed, data=data, more={})
            write_result(folder, {**about, **results})
            make_report(folder)

        do_first(write)
    return network.edges


def read_edges(path: Path) -> pd.DataFrame:
    """The edges that a group's run has written; names such as NA are names."""
    edges = pd.read_csv(
        path,
        sep="\t",
        usecols=["TF", "target", "importance"],
        dtype={"TF": str, "target": str, "importance": np.float32},
        keep_default_na=False,
        float_precision="round_trip",
    )
    return edges.rename(columns={"TF": "tf"})


def write_tables(folder: Path, found: GroupDifferences) -> None:
    """What differs, as tables; numbers to six digits."""
    for key, name in TABLES.items():
        table = getattr(found, key).to_csv(sep="\t", index=False, float_format="%.6g")
        write_atomic(folder / name, table)


def print_differences(found: GroupDifferences, report: dict, out: Path) -> None:
    """The groups, and what differs most between them."""
    print(f"\nOne network a group of {report['by']}:\n")
    width = max(len(show_name(name)) for name in report["cells"])
    for name, cells in report["cells"].items():
        print(f"  {show_name(name).ljust(width)}{cells:>8,} cells  {report['folders'][name]}/")
    small = ", ".join(f"{show_name(name)} ({n:,})" for name, n in report["left_out"].items())
    print(f"\nLeft out, of too few cells: {small}" if small else "")
    if len(report["cells"]) > 1:
        sample = "donors" if "donors" in found.tfs else "cells"
        compared = f"Group against the mean of the others, 95 % interval over {sample}; * q <= .05"
        print(f"{compared}\n\n{tell_counts(report)}")
        more = found.tfs[found.tfs["detected_difference"] > 0]
        more = more.sort_values("detected_q", kind="stable")
        print_rows(more, "detected", "TFs that more cells have: their share, and how much more")
        print_rows(found.edges, "correlation", "Edges: correlation, and how much more")
    print("\n" + "\n".join(report["notes"]))
    print(f"\nIn {out}/: {', '.join([*TABLES.values(), 'run.json'])} and {FOLDER}/")


def tell_counts(report: dict) -> str:
    """How many TFs and edges differ, in words."""
    counts = [
        f"{report[f'{what}_that_differ']:,} of {report[f'{what}_compared']:,} {word}"
        for what, word in (("tfs", "TFs"), ("edges", "edges among the best of each group"))
    ]
    return f"Differ in some group: {' and '.join(counts)}"


def print_rows(table: pd.DataFrame, figure: str, title: str) -> None:
    """The first few rows by a figure, a TF or an edge once."""
    names = ["tf", "target"] if "target" in table else ["tf"]
    shown = table.dropna(subset=f"{figure}_difference").drop_duplicates(names).head(SHOWN)
    print(f"\n{title}:\n")
    for row in shown.to_dict("records"):
        what = f"{' -> '.join(row[x] for x in names)} in {show_name(row['group'])}"
        low, high = row[f"{figure}_difference_low"], row[f"{figure}_difference_high"]
        star = "*" if row[f"{figure}_q"] <= 0.05 else ""
        more = f"{row[f'{figure}_difference']:+.2f} [{low:+.2f}, {high:+.2f}]{star}"
        print(f"  {what:<44} {row[figure]:.2f}  {more}")
