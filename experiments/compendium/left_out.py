"""Cell lines left out of the compendium, and their ChIP-seq ranked by what is left of it.

Run:     GRNJAX_DATA=... python -m experiments.compendium.left_out
Cost:    some minutes on one CPU core, 1 GB memory
Expect:  README.md of this folder; its tables are made from the rows

H1 and K562 on the genes that a mixture of cell lines detects, which are the pairs of label_free.md
(experiments/grnformer), with other kinds of lists among those of binding. Every line with three
networks or more of at least 100 targets is in scorer.py beside the scorer, which takes its sets and
rows from here, on all genes with an orthologue or in motif circuits, whether any list names them or
not: a gene that no other line's list names would stand among the candidates because this line's
list does. Candidates are the line's TFs with such a network, a TF with itself left out. Rows fit
nothing and see no list of the line, under any name of it, nor which genes its lists name: *rate*,
*same* and *rate + residual same* (grnjax/baselines/other_lists.py). `all TFs`; `TFs with lists
elsewhere`; `TFs without`; `common targets aside`: all TFs, without the tenth of the genes with the
highest rate. Intervals are over resampled TFs, differences over the same resamples. What comes with
grnjax is used, and nothing that a user has added.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from experiments.grnformer.label_free import judge_rows
from experiments.grnformer.label_free_rows import load_mixture
from experiments.shared.studies import begin, run_program
from grnjax.baselines.other_lists import occupancy_rate, rate_and_residual_same, same_tf
from grnjax.config import Positive, Settings
from grnjax.data.compendium.compendium import Compendium
from grnjax.data.compendium.folder import load_compendium
from grnjax.data.compendium.lists import TargetLists
from grnjax.data.compendium.source import Kind
from grnjax.data.data_set import find_root
from grnjax.data.expression import DataConfig
from grnjax.progress import logger

STUDY = "compendium_left_out"
FEWEST_TARGETS, FEWEST_NETWORKS = 100, 3
ALL, WITH, WITHOUT = "all TFs", "TFs with lists elsewhere", "TFs without lists elsewhere"
UNCOMMON = "common targets aside"
DETECTED = ", detected genes"  # after the name of a line
RATE, SAME, LOOK_UP = "rate", "same", "rate + residual same"
MORE: dict[Kind, str] = {
    "footprints": f"{LOOK_UP}, with footprints",
    "motifs": f"{LOOK_UP}, with footprints and motifs",
}
MIXTURE = ("H1", "K562")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeftOutStudy(Settings):
    """The study."""

    lines: tuple[str, ...] = ()
    """Lines to leave out; all that have networks enough by default."""
    samples: Positive = 1000
    """Resamples of the TFs."""
    data: DataConfig = DataConfig()


@dataclasses.dataclass(frozen=True, eq=False)
class LeftOut:
    """A line that is left out: what is to be ranked, and the lists that are left."""

    tfs: list[str]
    labels: np.ndarray  # [tf, gene] bool
    others: TargetLists


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(LeftOutStudy, STUDY)
    compendium = load_compendium(with_own=False)
    for name, genes, line in list_sets(compendium, study):
        if not name.endswith(DETECTED):
            continue  # scorer.py has it
        found = leave_out(compendium, line, genes)
        rows = list_rows(found) | list_more(compendium.without(line), genes, found)
        for split, chosen in choose_pairs(found).items():
            if chosen.any():
                place = name, split
                judge_rows(results, place, rows, (found.labels, chosen), study.samples, find_over)
        logger.info("%s: done", name)


def list_sets(compendium: Compendium, study: LeftOutStudy) -> Iterator[tuple[str, np.ndarray, str]]:
    """The sets of the study: their name, their genes and the line that is left out."""
    genes = list_genes(compendium)
    lines = study.lines or find_lines(compendium, genes)
    for line in lines:
        yield line, genes, line
    if set(MIXTURE) & {*lines}:
        detected = load_mixture(find_root(study.data.root)).genes
        for line in MIXTURE:
            if line in lines:
                yield f"{line}{DETECTED}", detected, line


def list_genes(compendium: Compendium) -> np.ndarray:
    """All genes of human by what looks at no list of targets, sorted (`list_universe`)."""
    return compendium.list_universe("human")


def find_lines(compendium: Compendium, genes: np.ndarray) -> list[str]:
    """The lines with networks enough, those with the most first."""
    lists = compendium.over(genes, species="human", carry=False)
    lines, counts = np.unique(lists.cells[lists.counts >= FEWEST_TARGETS], return_counts=True)
    order = np.lexsort((lines, -counts))
    return lines[order][counts[order] >= FEWEST_NETWORKS].tolist()


def leave_out(compendium: Compendium, line: str, genes: np.ndarray) -> LeftOut:
    """The networks of a line over these genes, and the lists of all others."""
    everything = compendium.over(genes, species="human", carry=False)
    others = compendium.without(line).over(genes, species="human", carry=False)
    own = everything.take(everything.cells == line)
    own = own.take(own.counts >= FEWEST_TARGETS)
    return LeftOut(own.tfs.tolist(), own.labels > 0, others)


def list_rows(found: LeftOut) -> dict[str, np.ndarray]:
    """Scores [tf, gene] of every row by its name."""
    others, tfs = found.others, found.tfs
    rows = {
        RATE: occupancy_rate(others),
        SAME: same_tf(others, tfs),
        LOOK_UP: rate_and_residual_same(others, tfs),
    }
    return {name: np.broadcast_to(scores, found.labels.shape) for name, scores in rows.items()}


def list_more(others: Compendium, genes: np.ndarray, found: LeftOut) -> dict[str, np.ndarray]:
    """Scores [tf, gene] of the look-up with other kinds of lists among those of binding."""
    rows, kinds = {}, ["binding"]
    for kind, name in MORE.items():
        kinds.append(kind)
        lists = others.over(genes, species="human", kinds=kinds, carry=False)
        rows[name] = rate_and_residual_same(lists, found.tfs)
    return rows


def choose_pairs(found: LeftOut) -> dict[str, np.ndarray]:
    """Which pairs [tf, gene] each part of the study judges."""
    others = found.others.genes[None] != np.array(found.tfs)[:, None]
    has_list = np.array([bool(found.others.cells_of(tf)) for tf in found.tfs])[:, None]
    rate = occupancy_rate(found.others)
    return {
        ALL: others,
        WITH: others & has_list,
        WITHOUT: others & ~has_list,
        UNCOMMON: others & ~(rate >= np.quantile(rate, 0.9)),
    }


def find_over(method: str) -> str:
    """The row that a row is compared with: the look-up with the rate that it contains."""
    return RATE if method == LOOK_UP else LOOK_UP if method in MORE.values() else method


if __name__ == "__main__":
    run_program(main)
