"""Tables of speed, from the rows of the benches and of the schedules that were tried."""

from experiments.shared.record import read_rows, read_runs
from experiments.shared.tables import Table, write

NEARLY = 0.01  # of average precision
TIMES = {
    "grnjax": lambda row: describe(row, "ours"),
    "peer": lambda row: describe(row, "peer"),
    "times faster": lambda row: f"{row['ratio']:.3g}",
}


def bench_table(*benches: str) -> Table:
    """Every claim of these benches: our time, the peer's, and how much faster ours is."""
    rows = [row for bench in benches for row in read_rows(f"bench_{bench}") if not row.get("info")]
    compiling = [row["compile_s"] for row in rows if "compile_s" in row]
    return cases_table(
        rows,
        TIMES,
        f"{describe_hardware(rows)} Compilation, {min(compiling):.1f} to {max(compiling):.1f} s, "
        "is counted in infer and study alone.",
    )


def inference_table() -> Table:
    """Each method's time beside its peer's, and whether it ranks TFs as the peer does."""
    rows = [
        {**row, "extrapolated": row["peer_targets"] < row["genes"]}
        for row in read_rows("bench_unsupervised")
    ]
    cells = TIMES | {
        "ours-theirs": lambda row: write(row["ours_theirs"]),
        "theirs-theirs": lambda row: write(row["theirs_theirs"]),
    }
    return cases_table(
        rows,
        cells,
        "Last two: rank correlation of importances, of grnjax with the peer and of the peer with "
        f"itself under another seed. * From a part of the targets. {describe_hardware(rows)}",
    )


def walks_table() -> Table:
    """Steps a second of the walks, and what their language model has learnt."""
    rows = read_rows("bench_walks")

    def optional(key: str, text: str, scale: float = 1.0):
        return lambda row: text.format(row[key] / scale) if key in row else ""

    cells = {
        "time": lambda row: describe(row, "ours"),
        "million steps a second": optional("steps_a_second", "{:.1f}", 1e6),
        "held-out loss": optional("held_out_loss", "{:.2f}"),
        "unigram entropy": optional("unigram_entropy", "{:.2f}"),
    }
    return cases_table(rows, cells, f"Loss and entropy in nats. {describe_hardware(rows)}")


def joint_step_table() -> Table:
    """Seconds and memory of a step of GRNFormer by its size."""
    rows = read_rows("bench_joint_step")
    cells = {
        "million parameters": lambda row: f"{row['parameters'] / 1e6:.1f}",
        "cells a step": lambda row: f"{row['cells']}",
        "time": lambda row: describe(row, "ours"),
        "peak memory": lambda row: f"{row['peak_mib'] / 1024:.1f} GiB",
    }
    return cases_table(rows, cells, describe_hardware(rows))


def foundation_table() -> Table:
    """Each case of Geneformer beside `transformers`: time and memory of both."""
    rows = read_rows("bench_foundation")
    cells = TIMES | {
        "peak memory": lambda row: f"{row['peak_mib'] / 1024:.1f} GiB",
        "peer's": lambda row: f"{row['peer_peak_mib'] / 1024:.1f} GiB",
    }
    threads = max(row["threads"] for row in rows)
    counted = "Seconds of CPU, one thread" if threads == 1 else f"By the clock, {threads} threads"
    return cases_table(rows, cells, f"{counted} a side. {describe_hardware(rows)}")


def growth_table() -> Table:
    """What `infer` with known edges takes by size, and its longest stages."""
    rows = read_rows("bench_growth")

    def longest(row: dict) -> str:
        by = "cpu" if "cpu_stages" in row else "clock"
        found = row["cpu_stages" if by == "cpu" else "stages"]
        stages = sorted(found.items(), key=lambda item: -item[1])[:3]
        shown = [f"{name} {seconds / row[f'{by}_s']:.0%}" for name, seconds in stages]
        return ", ".join(shown) + (" of CPU" if by == "cpu" else " by the clock")

    cells = {
        "fits": lambda row: f"{row['repeats'] * row['folds']}",
        "minutes": lambda row: f"{row['clock_s'] / 60:.1f}" if row["split"] == "now" else "",
        "CPU": lambda row: f"{row['cpu_s']:,.0f} s",
        "peak memory": lambda row: f"{row['peak_mib'] / 1024:.2f} GiB",
        "longest stages": longest,
    }
    titles = {f"{row['set'].replace('x', ' x ')}, {row['split']}": row for row in rows}
    note = "Genes x TFs x cells. CPU of both cores; minutes by the clock where little ran beside. "
    return Table(
        titles,
        cells,
        lambda row, make: make(row),
        index="size",
        note=note + describe_hardware(rows),
    )


def streaming_table() -> Table:
    """What cells that stay on disk take, by method and size."""
    rows = read_rows("bench_streaming")

    def stages(row: dict) -> str:
        found = sorted(row.get("cpu_stages", {}).items(), key=lambda item: -item[1])
        return ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in found if seconds >= 0.5)

    cells = {
        "million values above 0": lambda row: f"{row['stored'] / 1e6:,.0f}",
        "CPU": lambda row: f"{row['cpu_s']:,.0f} s",
        "CPU a value": lambda row: f"{row['ns_a_value']:,.0f} ns",
        "peak memory": lambda row: f"{row['peak_mib'] / 1024:.2f} GiB",
        "CPU by stage": stages,
    }
    titles = {f"{row['method']}, {row['set'].replace('x', ' x ')}": row for row in rows}
    note = "Genes x cells. CPU of both cores; moments were measured beside much other work. "
    return Table(
        titles,
        cells,
        lambda row, make: make(row),
        index="method and size",
        note=note + describe_hardware(rows),
    )


def roofline_table() -> Table:
    """Training and scoring of the kernel factor model beside what the machine can do."""
    rows = read_rows("bench_roofline")
    cells = {
        "seconds": lambda row: f"{row['ours']:.3g}",
        "GFLOP": lambda row: f"{row['gflop']:.2f}",
        "GB": lambda row: f"{row['gigabytes']:.2f}",
        "bound, seconds": lambda row: f"{row['peer']:.3g}",
        "share of the bound": lambda row: f"{row['ratio']:.0%}",
    }
    machine = "{gflop_a_second_machine:.0f} GFLOP and {gigabytes_a_second_machine:.0f} GB"
    note = f"The machine multiplies and copies {machine.format(**rows[0])} a second. "
    return cases_table(rows, cells, note + describe_hardware(rows))


def swaps_table() -> Table:
    """Swap concordance beside the loop over pairs of TFs, and from a sample."""
    rows = read_rows("bench_swaps")
    cells = {
        "grnjax": lambda row: f"{row['ours']:.3f} s",
        "beside": lambda row: f"{row['peer']:.2f} s",
        "times faster": lambda row: f"{row['ratio']:.1f}",
        "error": lambda row: f"{row['error']:.4f}" if "error" in row else "0",
        "standard error": lambda row: f"{row['standard_error']:.4f}" if "error" in row else "",
    }
    note = "Beside: the loop; of a sample, our exact form. "
    return cases_table(rows, cells, note + describe_hardware(rows))


def rivals_table(name: str) -> Table:
    """Networks from expression alone by ours and by others, quality beside time."""
    rows: dict[str, list[dict]] = {}
    found = read_rows("bench_rivals", set=name)
    for row in sorted(found, key=lambda row: not row["method"].startswith("grnjax")):
        rows.setdefault(row["method"], []).append(row)

    def mean(key: str, form: str):
        def cell(own: list[dict]) -> str:
            found = [row[key] for row in own if row[key] is not None]
            return form.format(sum(found) / len(found)) if found else ""

        return cell

    cells = {
        "seconds": mean("seconds", "{:,.4g}"),
        "MiB": mean("peak_mib", "{:,.0f}"),
        "EPR": mean("early_precision_ratio", "{:.2f}"),
        "AP": mean("average_precision", "{:.4f}"),
        "within-TF": mean("within_tf_auroc", "{:.3f}"),
    }
    seeds = {row["seed"] for own in rows.values() for row in own}
    note = f"Mean over {len(seeds)} seeds. " if len(seeds) > 1 else "One seed. "
    every = [row for own in rows.values() for row in own]
    return Table(
        rows, cells, lambda own, make: make(own), index=name, note=note + describe_hardware(every)
    )


def cases_table(rows: list[dict], cells: dict, note: str) -> Table:
    """A line a case."""
    by_case = {row["case"]: row for row in rows}
    return Table(by_case, cells, lambda row, make: make(row), index="case", note=note)


def schedule_table(name: str) -> Table:
    """Seconds by each schedule until the validation AP is nearly the best that any one reaches."""
    rows = read_rows("bench_time_to_quality", set=name)
    found = {(row["method"], row["split"]): row for row in rows}
    best: dict[str, float] = {}
    for row in rows:
        best[row["split"]] = max(best.get(row["split"], 0), row["best_validation_ap"])

    def cell(method: str, encoder: str) -> str:
        row, goal = found[method, encoder], best[encoder] - NEARLY
        reached = [seconds for seconds, score in row["curve"] if score >= goal]
        return f"{reached[0]:.2f}" if reached else f"({row['best_validation_ap']:.3f})"

    return Table(
        {row["method"]: row["method"] for row in rows},
        {encoder: encoder for encoder in best},
        cell,
        index=name,
        note=f"Seconds until within {NEARLY} of the best validation AP of the column; in brackets "
        f"the AP reached where that never happened. {describe_hardware(rows)}",
    )


def describe(row: dict, side: str) -> str:
    """One side's time with its unit, marked where it is extrapolated."""
    value = row[side]
    text = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    text = f"{text} {row['unit']}"
    return f"{text}*" if row.get("extrapolated") and side == "peer" else text


def describe_hardware(rows: list[dict]) -> str:
    """On what the rows were measured."""
    runs = read_runs()
    return f"{'; '.join(sorted({runs[row['run']]['hardware'] for row in rows}))}."


TABLES = {
    "speed of inference": inference_table,
    "speed of walks": walks_table,
    "joint step": joint_step_table,
    "swaps": swaps_table,
    "rivals, mDC": lambda: rivals_table("mDC"),
    "rivals, hESC": lambda: rivals_table("hESC"),
    "rivals, simulated": lambda: rivals_table("simulated"),
    "rivals, 5,000 genes": lambda: rivals_table("simulated, 5,000 genes"),
    "Geneformer beside transformers": foundation_table,
    "schedules, mDC": lambda: schedule_table("mDC"),
    "schedules, hESC": lambda: schedule_table("hESC"),
}
SHOWN = ("training", "aggregation", "start", "motif_scan", "activity", "pair_images")
SPEED = {"speed": lambda: bench_table(*SHOWN)}
GROWTH = {"growth": growth_table, "streaming": streaming_table, "roofline": roofline_table}
CSV: dict = {}
PICTURES: dict = {}
