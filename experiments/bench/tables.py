"""The README's table of speed, from the lines of the benches."""

from experiments.record import RESULTS
from grnjax.storage.files import read_json_lines


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
            "is counted in infer/first_fit alone.",
        ]
    )


def describe(line: dict, side: str) -> str:
    """One side's time with its unit, marked where it is extrapolated."""
    value = line[side]
    text = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    text = f"{text} {line['unit']}"
    return f"{text}*" if line.get("extrapolated") and side == "peer" else text
