"""The tables of README.md and of the pages here, made from the rows in experiments/results/.

Run:     python -m experiments.tables          rewrites the tables, and the pictures
         python -m experiments.tables --check  says whether the tables are up to date
"""

import re
import sys
from pathlib import Path

import pandas as pd

from experiments.bench.tables import bench_table, schedule_table
from experiments.gt_grn.summary import ablation_summary, bulk_summary, summary_table
from experiments.gt_grn.tables import gt_grn_tables
from experiments.kernel_factor.tables import kernel_factor_tables, write_difference
from experiments.scregnet.published_figures import PUBLISHED
from experiments.shared.studies import SCREGNET as MODEL
from grnjax.evaluation.report import markdown_table, paired_differences, shorten, summarise
from grnjax.storage.files import read_json_lines, write_atomic

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"
PICTURES = ROOT / "experiments/scregnet"
METRICS = (
    "auroc",
    "average_precision",
    "early_precision_ratio",
    "within_tf_auroc",
    "swap_micro",
)
COLUMNS = dict(zip(METRICS, ("AUROC", "AP", "EPR", "within-TF", "swap"), strict=True))
MATCHED = COLUMNS | {"matched_auroc": "matched AUROC"}
DIFFERENCES = {name: COLUMNS[name] for name in METRICS if name != "early_precision_ratio"}
REFERENCES = ("additive logistic", "ID-only rank 4", "ID-only ensemble", "linear expression")


def read_rows(study: str, **where: object) -> list[dict]:
    """The rows of a study that have these values, with their metrics alone."""
    rows = read_json_lines(RESULTS / f"{study}.jsonl")
    kept = [row for row in rows if all(row[key] == value for key, value in where.items())]
    if not kept:
        raise ValueError(f"experiments/results/{study}.jsonl has no rows with {where}")
    keys = ("method", "draw", "seed", *MATCHED)
    return [{key: row[key] for key in keys if key in row} for row in kept]


def results_table(study: str, columns: dict = COLUMNS, **where: object) -> str:
    """All methods of a study on one set and split."""
    return markdown_table(summarise(read_rows(study, **where)), columns)


def simulated_table(split: str) -> str:
    """One split of the simulated networks; each simulator seed is a draw."""
    rows = read_json_lines(RESULTS / "kernel_factor_simulated_networks.jsonl")
    table = [
        {"method": row["method"], "draw": row["set"], "seed": row["draw"]}
        | {metric: row[metric] for metric in METRICS}
        for row in rows
        if row["split"] == split
    ]
    text = markdown_table(summarise(table), COLUMNS)
    return text.replace("draws of the split", "simulated networks")


def published_table(size: str) -> str:
    """AUROC / AP of each set beside what the paper states, on the paper's own split files."""
    methods = {
        "TF rate": "TF rate",
        "additive logistic": "additive",
        "ID-only rank 4": "ID-only rank 4",
        f"{MODEL}, published form": "published form",
        MODEL: "ours",
    }
    lines = [
        "| set | published scRegNet | " + " | ".join(methods.values()) + " | swap: rank 4 | ours |",
        "| --- |" + " ---: |" * (len(methods) + 3),
    ]
    rows = read_json_lines(RESULTS / "scregnet_beeline.jsonl")
    sets = {row["set"] for row in rows if row["split"] == "scRegNet"}
    for name in sorted(name for name in sets if name.endswith(size)):
        means = average(read_rows("scregnet_beeline", set=name, split="scRegNet"))
        cells = [name.split("/")[1], "/".join(shorten(x, 2) for x in PUBLISHED[name])]
        cells += [write_pair(means[method]) for method in methods]
        cells += [shorten(means[method]["swap_micro"]) for method in ("ID-only rank 4", MODEL)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def average(rows: list[dict]) -> dict[str, dict[str, float]]:
    """The mean of each metric over draws, by method."""
    summary = summarise(rows).pivot(index="method", columns="metric", values="mean")
    return summary.to_dict("index")


def write_pair(means: dict[str, float]) -> str:
    """AUROC / AP in the field's short form."""
    return f"{shorten(means['auroc'])}/{shorten(means['average_precision'])}"


def differences_table(study: str, **where: object) -> str:
    """By how much our model exceeds the rows that count, on the same draws."""
    rows = read_rows(study, **where)
    seen = {row["method"] for row in rows}
    models = sorted(name for name in seen if name == MODEL or name.startswith(f"{MODEL}, mean"))
    lines = [
        "| | " + " | ".join(DIFFERENCES.values()) + " |",
        "| --- |" + " ---: |" * len(DIFFERENCES),
    ]
    for model in models:
        for reference in REFERENCES:
            found = paired_differences(rows, model, reference)
            cells = [write_difference(found[metric]) for metric in DIFFERENCES]
            lines.append(f"| {model} minus {reference} | " + " | ".join(cells) + " |")
    draws = len({row["draw"] for row in rows})
    note = f"Mean over {draws} draws of the paired difference, ± half of its 95 % t interval."
    return "\n".join([*lines, "", note])


def noise_table(name: str) -> str:
    """AUROC / AP at each level of label noise."""
    table = pd.DataFrame(read_json_lines(RESULTS / "scregnet_label_noise.jsonl"))
    table = table[table["set"] == name]
    keys = ["method", "draw", "seed", *METRICS]
    means = {
        level: average(rows[keys].to_dict("records")) for level, rows in table.groupby("level")
    }
    lines = [
        "| labels flipped | " + " | ".join(f"{100 * level:g} %" for level in means) + " |",
        "| --- |" + " ---: |" * len(means),
    ]
    for method in table["method"].unique():
        cells = [write_pair(of_level[method]) for of_level in means.values()]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def sweep_table() -> str:
    """The best trials of each search by what they were worth, and their figures on test."""
    table = pd.DataFrame(read_json_lines(RESULTS / "scregnet_sweep.jsonl"))
    table["search"] = table["method"].str.replace(r", trial \d+$", "", regex=True)
    lines = [
        "| search | trials | best objective | its test AUROC/AP | best test AUROC of all trials |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for search, trials in table[table["set"] == HESC].groupby("search", sort=False):
        best = trials.loc[trials["objective"].idxmax()]
        cells = [search, str(len(trials)), shorten(best["objective"])]
        cells += [write_pair(best), shorten(trials["auroc"].max())]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def support_table() -> str:
    """Curated edges among the 1,000 best new ones, and among edges of the same degrees."""
    lines = [
        "| ranking of mDC | curated network | listed | same degrees | p | uniform |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for row in read_json_lines(RESULTS / "scregnet_biological_check.jsonl"):
        if row["split"] == "all TFs, top 1000":
            cells = [row["method"], row["set"].split(", ")[1], str(row["supported"])]
            cells += [f"{row['expected']:.1f}", shorten(row["p_value"])]
            cells += [f"{row['uniform_precision'] * row['top']:.1f}"]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def transfer_table() -> str:
    """AUROC and swap concordance on TFs that the source does not know, one line a pair of sets."""
    table = pd.DataFrame(read_json_lines(RESULTS / "scregnet_transfer.jsonl"))
    table = table[table["split"] == "unseen TFs"]
    methods = ("target rate", "absolute Pearson", MODEL, f"{MODEL}, expression permuted")
    lines = [
        "| source to target | " + " | ".join(methods) + " |",
        "| --- |" + " ---: |" * len(methods),
    ]
    for name, rows in table.groupby("set", sort=False):
        means = rows.groupby("method")[["auroc", "swap_micro"]].mean()
        cells = [
            f"{shorten(x['auroc'])}/{shorten(x['swap_micro'])}"
            for x in (means.loc[method] for method in methods)
        ]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def draw_pictures() -> None:
    """What a score is made of, and what wrong labels cost."""
    from grnjax.plotting.decomposition import plot_decomposition
    from grnjax.plotting.noise import plot_noise

    rows = read_json_lines(RESULTS / "scregnet_beeline.jsonl")
    shown = [
        {**row, "set": row["set"].split("/")[1]}
        for row in rows
        if row["split"] == "scRegNet" and row["set"].endswith("TFs+500")
    ]
    for name in dict.fromkeys(row["set"] for row in shown):
        auroc, average_precision = PUBLISHED[f"Specific/{name}/TFs+500"]
        shown.append(
            {
                "set": name,
                "method": "published scRegNet",
                "auroc": auroc,
                "average_precision": average_precision,
                "swap_micro": 0.5,  # additive by construction
            }
        )
    plot_decomposition(shown).savefig(PICTURES / "what_a_score_is_made_of.png", dpi=150)
    noise = read_json_lines(RESULTS / "scregnet_label_noise.jsonl")
    plot_noise(noise).savefig(PICTURES / "label_noise.png", dpi=150)


MDC, HESC = "Specific/mDC/TFs+500", "Specific/hESC/TFs+500"


def mdc(network: str, split: str) -> dict:
    """The two tables of one network of mDC: all rows, and by how much ours exceeds some."""
    where = {"set": f"{network}/mDC/TFs+500", "split": split}
    said = f"mDC {network}, {split}"
    return {
        said: lambda: results_table("scregnet_beeline", MATCHED, **where),
        f"{said}, differences": lambda: differences_table("scregnet_beeline", **where),
    }


KERNEL_FACTOR = kernel_factor_tables(RESULTS)
MEASURED = (
    *("standard", "unseen targets", "unseen TFs", "both unseen"),
    *("fresh draws, standard", "fresh draws, unseen targets"),
    *("blocks", "same TFs", "genome-wide"),
)
TABLES = {
    "README.md": {
        "simulated, standard": lambda: simulated_table("standard"),
        "simulated, target-disjoint": lambda: simulated_table("target-disjoint"),
        "simulated, infer hidden": lambda: simulated_table("infer, hidden"),
        "flagship, standard": KERNEL_FACTOR["standard"],
        "flagship, unseen targets": KERNEL_FACTOR["unseen targets"],
        "TFs+500": lambda: published_table("TFs+500"),
        "TFs+1000": lambda: published_table("TFs+1000"),
        "mDC": lambda: results_table("scregnet_beeline", set=MDC, split="standard"),
        "GT-GRN, standard": lambda: summary_table(RESULTS, "standard"),
        "GT-GRN, unseen targets": lambda: summary_table(RESULTS, "target-disjoint"),
        "GT-GRN on bulk, standard": lambda: bulk_summary(RESULTS, "standard"),
        "GT-GRN on bulk, unseen targets": lambda: bulk_summary(RESULTS, "target-disjoint"),
        "GT-GRN ablation, standard": lambda: ablation_summary(RESULTS, "standard"),
        "GT-GRN ablation, unseen targets": lambda: ablation_summary(RESULTS, "target-disjoint"),
        "speed": lambda: bench_table("training", "aggregation", "start"),
    },
    "experiments/scregnet/README.md": {
        "TFs+500": lambda: published_table("TFs+500"),
        **mdc("Specific", "standard"),
        **mdc("Specific", "target-disjoint"),
        **mdc("Non-Specific", "balanced"),
        **mdc("STRING", "balanced"),
        "mDC STRING, as published": lambda: results_table(
            "scregnet_beeline", set="STRING/mDC/TFs+500", split="balanced, as published"
        ),
        "ablation, published": lambda: results_table(
            "scregnet_ablation", set=HESC, split="published"
        ),
        "ablation, target-disjoint": lambda: results_table(
            "scregnet_ablation", set=HESC, split="target-disjoint"
        ),
        "encoders, hESC": lambda: results_table("scregnet_gnn_comparison", set=HESC),
        "encoders, mDC": lambda: results_table("scregnet_gnn_comparison", set=MDC),
        "noise, mDC": lambda: noise_table(MDC),
        "sweep": sweep_table,
        "transfer": transfer_table,
        "support": support_table,
    },
    "docs/scaling.md": {"schedules": schedule_table},
    "experiments/kernel_factor/README.md": {name: KERNEL_FACTOR[name] for name in MEASURED},
    "experiments/gt_grn/README.md": gt_grn_tables(RESULTS),
}


def fill_in(path: Path, tables: dict) -> str:
    """The text of a page with every table between its two marks made anew."""
    text = path.read_text()
    for name, make in tables.items():
        begin, end = f"<!-- table: {name} -->", "<!-- end of table -->"
        pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"{path} has no table called {name!r}")
        body = f"{make()}\n"
        text = pattern.sub(lambda found, body=body: found[1] + body + found[2], text)
    return text


def main() -> None:
    """Rewrites or checks both pages."""
    pages = {ROOT / page: fill_in(ROOT / page, tables) for page, tables in TABLES.items()}
    old = [page for page, text in pages.items() if page.read_text() != text]
    if "--check" in sys.argv:
        names = ", ".join(str(page.relative_to(ROOT)) for page in old)
        sys.exit(f"{names}: tables differ; run python -m experiments.tables" if old else 0)
    for page in old:
        write_atomic(page, pages[page])
    draw_pictures()


if __name__ == "__main__":
    main()
