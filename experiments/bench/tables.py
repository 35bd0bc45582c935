"""Tables of speed, from the lines of the benches and of the schedules that were tried."""

from experiments.shared.record import RESULTS
from grnjax.storage.files import read_json_lines

NEARLY = 0.01  # of average precision


def bench_table(*benches: str) -> str:
    """Every claim of these benches: our time, the peer's, and how much faster ours is."""
    lines = [
        line
        for bench in benches
        for line in read_json_lines(RESULTS / f"bench_{bench}.jsonl")
        if not line.get("info")
    ]
    rows = [
        f"| {line['case']} | {describe(line, 'ours')} | {describe(line, 'peer')} "
        f"| {line['ratio']:.3g} |"
        for line in lines
    ]
    hardware = sorted({line["hardware"] for line in lines})
    compiling = [line["compile_s"] for line in lines if "compile_s" in line]
    return "\n".join(
        [
            "| case | grnjax | peer | times faster |",
            "| --- | ---: | ---: | ---: |",
            *rows,
            "",
            f"{'; '.join(hardware)}. Compilation, {min(compiling):.1f} to {max(compiling):.1f} s, "
            "is counted in infer and study alone.",
        ]
    )


def describe(line: dict, side: str) -> str:
    """One side's time with its unit, marked where it is extrapolated."""
    value = line[side]
    text = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    text = f"{text} {line['unit']}"
    return f"{text}*" if line.get("extrapolated") and side == "peer" else text


def schedule_table() -> str:
    """Seconds by each schedule until the validation AP is nearly the best that any one reaches."""
    rows = read_json_lines(RESULTS / "bench_time_to_quality.jsonl")
    methods = list(dict.fromkeys(row["method"] for row in rows))
    text = ["| | " + " | ".join(methods) + " |", "| --- |" + " ---: |" * len(methods)]
    for name, encoder in dict.fromkeys((row["set"], row["split"]) for row in rows):
        own = {row["method"]: row for row in rows if (row["set"], row["split"]) == (name, encoder)}
        goal = max(row["best_validation_ap"] for row in own.values()) - NEARLY
        cells = [describe_schedule(own[method], goal) for method in methods]
        text.append(f"| {name}, {encoder} | " + " | ".join(cells) + " |")
    hardware = sorted({row["hardware"] for row in rows})
    return "\n".join(
        [
            *text,
            "",
            f"Seconds until within {NEARLY} of the best validation AP of the row; in brackets the "
            f"AP reached where that never happened. {'; '.join(hardware)}.",
        ]
    )


def describe_schedule(row: dict, goal: float) -> str:
    """When the goal was reached; else the best that was."""
    reached = [seconds for seconds, score in row["curve"] if score >= goal]
    return f"{reached[0]:.2f}" if reached else f"({row['best_validation_ap']:.3f})"
