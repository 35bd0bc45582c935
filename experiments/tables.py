"""The README's tables, made from the measured rows under experiments/results/.

Run:     python -m experiments.tables          rewrites the tables in README.md
         python -m experiments.tables --check  says whether they are up to date
"""

import re
import sys
from pathlib import Path

from grnjax.evaluation.report import markdown_table, summarise
from grnjax.storage.files import read_json_lines, write_atomic

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"
METRICS = (
    "auroc",
    "average_precision",
    "early_precision_ratio",
    "within_tf_auroc",
    "swap_micro",
)
COLUMNS = dict(zip(METRICS, ("AUROC", "AP", "EPR", "within-TF", "swap"), strict=True))
PUBLISHED = {  # AUROC and AP of scRegNet with Geneformer, Table 2 of the paper
    "hESC TFs+500": ("published scRegNet (Geneformer)", ".89", ".62"),
    "mDC TFs+500": ("published scRegNet (Geneformer)", ".81", ".17"),
}


def simulated_table(split: str) -> str:
    """One split of the simulated networks; each simulator seed is a draw."""
    rows = read_json_lines(RESULTS / "simulated_networks.jsonl")
    by_network: dict = {}
    for row in rows:
        if row["split"] == split:
            key = row["method"], row["set"], row["draw"]
            by_network[key] = {m: row[m] for m in METRICS}
    table = [
        {"method": method, "draw": network, "seed": draw, **metrics}
        for (method, network, draw), metrics in by_network.items()
    ]
    text = markdown_table(summarise(table), COLUMNS)
    return text.replace("draws of the split", "simulated networks")


def beeline_table(name: str) -> str:
    """One BEELINE network, with the published figures as its last line."""
    rows = read_json_lines(RESULTS / "scregnet_beeline.jsonl")
    keys = ("method", "draw", "seed", *METRICS)
    table = [{key: row[key] for key in keys} for row in rows if row["set"] == name]
    lines = markdown_table(summarise(table), COLUMNS).split("\n")
    method, auroc, average_precision = PUBLISHED[name]
    last = max(i for i, line in enumerate(lines) if line.startswith("|"))
    lines.insert(last + 1, f"| {method} | {auroc} | {average_precision} | - | - | - |")
    return "\n".join(lines)


TABLES = {
    "simulated, standard": lambda: simulated_table("standard"),
    "simulated, target-disjoint": lambda: simulated_table("target-disjoint"),
    "simulated, infer hidden": lambda: simulated_table("infer, hidden"),
    "mDC": lambda: beeline_table("mDC TFs+500"),
    "hESC": lambda: beeline_table("hESC TFs+500"),
}


def fill_in(text: str) -> str:
    """The text with every table between its two marks made anew."""
    for name, make in TABLES.items():
        begin, end = f"<!-- table: {name} -->", "<!-- end of table -->"
        pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"README.md has no table called {name!r}")
        body = f"{make()}\n"
        text = pattern.sub(lambda found, body=body: found[1] + body + found[2], text)
    return text


def main() -> None:
    """Rewrites or checks README.md."""
    path = ROOT / "README.md"
    old = path.read_text()
    new = fill_in(old)
    if "--check" in sys.argv:
        sys.exit(0 if new == old else "README.md: tables differ; run python -m experiments.tables")
    write_atomic(path, new)


if __name__ == "__main__":
    main()
