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
    return "\n".join(
        [
            "| case | grnjax | peer | times faster |",
            "| --- | ---: | ---: | ---: |",
            *rows,
            "",
            f"{'; '.join(hardware)}. Compilation not counted.",
        ]
    )


def describe(line: dict, side: str) -> str:
    """One side's time with its unit, marked where it is extrapolated."""
    text = f"{line[side]:.3g} {line['unit']}"
    return f"{text}*" if line.get("extrapolated") and side == "peer" else text
