"""Networks of cells without labels, judged by ChIP-seq that no row has seen: what does ATAC add?

Run:     GRNJAX_DATA=... python -m experiments.grnformer.label_free
Cost:    about 20 min on 2 CPU cores, 3 GB memory; what takes long is kept in --work
Expect:  label_free.md; its tables are made from the rows

H1, K562 and GM12878 of the mixture of four cell lines, whose RNA and ATAC were measured in the
same nuclei. Candidates: the TFs with at least 100 listed targets with each of the 9,266 genes
detected in ten cells of the mixture or more, a TF with itself left out. ENCODE's lists have no
GM12878: those of the same cells of other donors (GM10847, GM12891 and others) stand for it. Lists
of the line under test enter no row, under any name of it. `all TFs`; `detected TFs`: those among
the candidate genes, as the expression of others is constant and ranks nothing; `common targets
aside`: all TFs, without the tenth of the genes with the highest rate. Intervals are over resampled
TFs, differences over the same resamples. Motifs are of genes (Marbach et al. 2016), as there is no
genome here to scan.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from experiments.grnformer.label_free_rows import (
    WHOLE,
    Mixture,
    list_rows,
    load_mixture,
    take_labels,
)
from experiments.shared.record import ResultsFile
from experiments.shared.studies import begin, run_program
from grnjax.baselines.other_lists import occupancy_rate
from grnjax.config import Positive, Settings
from grnjax.data.data_set import find_root
from grnjax.data.expression import DataConfig
from grnjax.evaluation.bootstrap import bootstrap_over_tfs
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.methods.enhancer.method import EnhancerMethod
from grnjax.progress import logger

STUDY = "grnformer_label_free"
ALL, DETECTED, UNCOMMON = "all TFs", "detected TFs", "common targets aside"
FIGURES = ("auroc", "average_precision", "within_tf_auroc", "swap_micro")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelFreeStudy(Settings):
    """The study."""

    lines: tuple[str, ...] = ("H1", "K562", "GM12878")
    samples: Positive = 1000
    """Resamples of the TFs."""
    whole: bool = True
    """Whether the rows that take longest, inferred of all cells, are measured, too."""
    method: EnhancerMethod = EnhancerMethod()
    data: DataConfig = DataConfig()
    work: Path = Path("grnformer-label-free-work")
    """Keeps what was inferred."""


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(LabelFreeStudy, STUDY)
    mixture = load_mixture(find_root(study.data.root))
    for line in study.lines:
        tfs, labels = take_labels(mixture, line)
        rows = list_rows(mixture, line, tfs, study.work, study.method)
        for split, chosen in choose_pairs(mixture, line, tfs).items():
            given = results, (line, split), rows, (labels, chosen), study.samples, find_reference
            judge_rows(*given, asked=[x for x in rows if study.whole or not is_slow(x)])
        logger.info("%s: done", line)


def is_slow(method: str) -> bool:
    """Whether a row is inferred of all cells."""
    return method.startswith(("GRNBoost2", "enhancer")) and method.endswith(f"cells of {WHOLE}")


def choose_pairs(mixture: Mixture, line: str, tfs: list[str]) -> dict[str, np.ndarray]:
    """Which pairs [tf, gene] each part of the study judges."""
    others = mixture.genes[None] != np.array(tfs)[:, None]
    detected = np.isin(tfs, mixture.genes)
    rate = occupancy_rate(mixture.lists.without(line))
    common = rate >= np.quantile(rate, 0.9)
    return {
        ALL: others,
        DETECTED: others & detected[:, None],
        UNCOMMON: others & ~common,
    }


def judge_rows(
    results: ResultsFile,
    place: tuple[str, str],
    rows: Mapping[str, np.ndarray],
    candidates: tuple[np.ndarray, np.ndarray],
    samples: int,
    find_over: Callable[[str], str],
    *,
    asked: Iterable[str] | None = None,
) -> None:
    """Figures of each row with intervals, and differences to what it adds something to.

    Args:
        place: set and split.
        candidates: labels and which pairs are judged, [tf, gene] each.
        find_over: the row that a row is compared with, itself where with none.
        asked: the rows that are judged; all by default.
    """
    labels, chosen = candidates
    pairs = np.argwhere(chosen)
    label = labels[chosen].astype(np.float32)
    for method in rows if asked is None else asked:
        where = dict(zip(("set", "split"), place)) | {"method": method, "draw": 0, "seed": 0}
        if results.has(**where):
            continue
        over = find_over(method)
        flat = {
            name: rows[name][chosen].astype(np.float64) for name in dict.fromkeys((method, over))
        }
        table = bootstrap_over_tfs(pairs, label, flat, seed=0, samples=samples, reference=over)
        row = {**where, "over": over, **evaluate_pairs(pairs, label, flat[method])}
        lines = table[table["method"] == method].set_index("metric")
        for figure in FIGURES:
            found = lines.loc[figure]
            row |= {f"{figure}_low": found["low"], f"{figure}_high": found["high"]}
            for key in ("difference", "difference_low", "difference_high"):
                row[f"{figure}_{key}"] = found[key]
        results.add([{key: tidy(value) for key, value in row.items()}])


def find_reference(method: str) -> str:
    """The row that has all of a row but its accessibility; the row itself where it has none."""
    named = {
        "|Pearson| and accessibility": f"|Pearson|, cells of {WHOLE}",
        "expression and accessibility": "expression in the line",
        "motif x accessibility": "motif",
        "rate + residual same, and accessibility": "rate + residual same",
    }
    own, added, _ = method.partition(", and accessibility")
    if added and own.startswith("|Pearson|"):
        return own
    if method.startswith("enhancer"):
        return method.replace("RNA + ATAC", "RNA alone").replace("ATAC permuted", "RNA alone")
    return named.get(method, method)


def tidy(value: object) -> object:
    """Numbers as they are written, at six digits."""
    return round(float(value), 6) if isinstance(value, float | np.floating) else value


if __name__ == "__main__":
    run_program(main)
