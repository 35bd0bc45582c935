"""The tables and pictures of scRegNet's page, from the rows in experiments/results/."""

import dataclasses
import functools

from experiments.scregnet.published_figures import PUBLISHED
from experiments.shared import tables as st
from experiments.shared.record import read_rows
from experiments.shared.studies import HESC, MDC, PUBLISHED_FORM
from experiments.shared.studies import SCREGNET as MODEL
from grnjax.plotting.decomposition import plot_decomposition
from grnjax.plotting.noise import plot_noise

REFERENCES = ("additive logistic", "ID-only rank 4", "ID-only ensemble", "linear expression")
MATCHED = {key: text for key, text in st.METRICS.items() if key != "early_precision_ratio"}
AS_PUBLISHED = ("STRING/mDC/TFs+500", "balanced, as published")
LEVELS = {f"standard, {level} % flipped": f"{level} %" for level in range(6)}
BEELINE = functools.partial(st.load, "scregnet_beeline")


def published_table(size: str) -> st.Table:
    """Each set beside what the paper states, on the paper's own split files."""
    figures = BEELINE()
    names = sorted(name for name in figures.sets("scRegNet") if name.endswith(size))
    methods = {
        "": "published scRegNet",
        "additive logistic": "additive",
        "ID-only rank 4": "ID-only rank 4",
        PUBLISHED_FORM: "published form",
        MODEL: "ours",
    }
    rows = st.cross(st.sets(names), st.axis("figure", st.AUROC | st.SHOWN))
    measured = st.grid(figures, rows, st.axis("method", methods), "set", split="scRegNet")

    def cell(row: dict, column: dict) -> str:
        if column["method"]:
            return measured.cell(row, column)
        stated = dict(zip(st.AUROC | st.AP, PUBLISHED[row["name"]], strict=True))
        return st.write(stated[row["figure"]], decimals=2) if row["figure"] in stated else ""

    return dataclasses.replace(measured, cell=cell)


def label_tables(title: str, name: str, split: str) -> dict:
    """All rows on one kind of labels of mDC, and by how much ours exceeds some."""

    def results() -> st.Table:
        methods, shown = (
            st.axis("method", BEELINE().methods(name, split)),
            st.axis("figure", MATCHED),
        )
        return st.grid(BEELINE(), methods, shown, "method", name=name, split=split)

    def differences() -> st.Table:
        ours = [MODEL, *(m for m in BEELINE().methods(name, split) if f"{MODEL}, mean" in m)]
        others = st.axis("over", {x: f"minus {x}" for x in REFERENCES})
        rows = st.cross(st.axis("method", ours), others)
        return st.grid(BEELINE(), rows, st.axis("figure", st.FOUR), name=name, split=split)

    return {title: results, f"{title}, differences": differences}


def ablation_table(figures: st.Figures) -> st.Table:
    """Both forms of the model with parts left out and inputs altered."""
    splits = {"published": "published pairs", "target-disjoint": "unseen targets"}
    ours = [m for m in figures.methods(HESC, "published") if m.startswith(MODEL)]
    columns = st.cross(st.axis("figure", st.SHOWN), st.axis("split", splits))
    return st.grid(figures, st.axis("method", ours), columns, "method", name=HESC)


def encoders_table(figures: st.Figures) -> st.Table:
    """Graph encoders in the same places, beside two trivial rows."""
    ours = [m for m in figures.methods(MDC, "standard") if m.startswith(MODEL)]
    rows = st.axis("method", ["additive logistic", "ID-only ensemble", *ours])
    places = {"hESC": {"name": HESC, "split": "published"}}
    places["mDC"] = {"name": MDC, "split": "standard"}
    return st.grid(figures, rows, st.cross(places, st.axis("figure", st.AUROC | st.AP)), "method")


def noise_table(figures: st.Figures) -> st.Table:
    """Figures at each level of label noise."""
    rows = st.cross(st.axis("split", LEVELS), st.axis("figure", st.AUROC | st.AP))
    methods = st.axis("method", figures.methods(MDC, next(iter(LEVELS))))
    return st.grid(figures, rows, methods, "labels flipped", name=MDC)


def sweep_table() -> st.Table:
    """The best trial of each search by what it was worth, and its figures on test."""
    searches: dict[str, list[dict]] = {}
    for row in read_rows("scregnet_sweep", set=HESC):
        searches.setdefault(row["method"].rpartition(", trial ")[0], []).append(row)

    def best(rows: list[dict]) -> dict:
        return max(rows, key=lambda row: row["objective"])

    cells = {
        "trials": lambda rows: str(len(rows)),
        "best objective": lambda rows: st.write(best(rows)["objective"]),
        "its test AUROC": lambda rows: st.write(best(rows)["auroc"]),
        "its test AP": lambda rows: st.write(best(rows)["average_precision"]),
        "best test AUROC": lambda rows: st.write(max(row["auroc"] for row in rows)),
    }
    return st.Table(searches, cells, lambda rows, make: make(rows), index="search")


def transfer_table(figures: st.Figures) -> st.Table:
    """Figures on TFs that the source does not know, by pair of sets."""
    split = "unseen TFs"
    pairs = st.axis("name", {x: x.replace(", TFs+500", "") for x in figures.sets(split)})
    methods = ("target rate", "absolute Pearson", MODEL, f"{MODEL}, expression permuted")
    rows = st.cross(pairs, st.axis("figure", st.AUROC | st.SWAP))
    return st.grid(figures, rows, st.axis("method", methods), "source to target", split=split)


def support_table() -> st.Table:
    """Curated edges among the 1,000 best new ones, and among edges of the same degrees."""
    rows = read_rows("scregnet_biological_check", split="all TFs, top 1000")
    return curated_table({f"{row['method']}, {row['set'].split(', ')[1]}": row for row in rows})


def curated_table(rows: dict[str, dict]) -> st.Table:
    """Rows of `measure_support` by ranking and curated network."""
    cells = {
        "listed": lambda row: str(row["supported"]),
        "same degrees": lambda row: f"{row['expected']:.1f}",
        "p": lambda row: st.write(row["p_value"]),
        "uniform": lambda row: f"{row['uniform_precision'] * row['top']:.1f}",
    }
    return st.Table(rows, cells, lambda row, make: make(row), index="ranking, curated network")


def plot_score():
    """What a score is made of, on the pairs that scRegNet published."""
    rows = [
        {**row, "set": st.shorten_set(row["set"])}
        for row in read_rows("scregnet_beeline", split="scRegNet")
        if row["set"].endswith("TFs+500")
    ]
    for name in dict.fromkeys(row["set"] for row in rows):
        auroc, precision = PUBLISHED[f"Specific/{name}/TFs+500"]
        stated = {"auroc": auroc, "average_precision": precision, "swap_micro": 0.5}  # additive
        rows.append({"set": name, "method": "published scRegNet", **stated})
    return plot_decomposition(rows)


TABLES = {
    "TFs+500": lambda: published_table("TFs+500"),
    "TFs+1000": lambda: published_table("TFs+1000"),
    **label_tables("mDC Specific, standard", MDC, "standard"),
    **label_tables("mDC Specific, unseen targets", MDC, "target-disjoint"),
    **label_tables("mDC Non-Specific, balanced", "Non-Specific/mDC/TFs+500", "balanced"),
    **label_tables("mDC STRING, balanced", "STRING/mDC/TFs+500", "balanced"),
    "mDC STRING, as published": label_tables("as published", *AS_PUBLISHED)["as published"],
    "ablation": lambda: ablation_table(st.load("scregnet_ablation")),
    "encoders": lambda: encoders_table(st.load("scregnet_gnn_comparison")),
    "noise, mDC": lambda: noise_table(st.load("scregnet_label_noise")),
    "sweep": sweep_table,
    "transfer": lambda: transfer_table(st.load("scregnet_transfer")),
    "support": support_table,
}
STUDIES = ("beeline", "ablation", "gnn_comparison", "label_noise", "transfer")
CSV = {f"scregnet_{study}": functools.partial(st.load, f"scregnet_{study}") for study in STUDIES}
PICTURES = {
    "what_a_score_is_made_of.png": plot_score,
    "label_noise.png": lambda: plot_noise(read_rows("scregnet_label_noise")),
}
