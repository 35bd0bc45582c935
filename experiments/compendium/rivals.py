"""The scorer of the compendium beside what is fitted and what was measured in the cells.

Run:     GRNJAX_DATA=... python -m experiments.compendium.rivals
Cost:    about half an hour on one CPU core, 4 GB memory; what was scored is kept in --work
Expect:  README.md of this folder; its tables are made from the rows

The lines and pairs of experiments/compendium/left_out.py; and HeLa, K562, HCT116 and A549 on the
6,163 genes of bulk expression of 975 cell lines (GDSC, standardised by line), with the TFs of at
least 100 listed targets among these. The scorer is trained without the line, as in scorer.py, whose
rows stay there. Beside it: boosted trees and two weights of rate and same (boosted.py), by lists
and motifs alone, and where cells were measured with what they say; on bulk expression |Pearson| and
GRNBoost2 over all lines, expression in the line, the motif, *scorer, and expression*, whose weights
are fitted on the other lines, and the scorer asked again with all its evidence permuted over genes,
or all but the rates. *Scorer, over the trees* is the scorer, compared with these.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from experiments.compendium.boosted import LISTS, Cells, boost, collect, describe, weigh
from experiments.compendium.cell_lines import describe_bulk, describe_mixture, read_bulk
from experiments.compendium.left_out import (
    ALL,
    DETECTED,
    LOOK_UP,
    RATE,
    UNCOMMON,
    LeftOut,
    LeftOutStudy,
    choose_pairs,
    leave_out,
    list_rows,
    list_sets,
)
from experiments.compendium.scorer import (
    LINES,
    PERMUTED,
    RATES,
    RATES_KEPT,
    SCORER,
    WITH_CELLS,
    permute_features,
)
from experiments.grnformer.label_free import judge_rows, tidy
from experiments.grnformer.label_free_rows import load_mixture
from experiments.shared.record import ResultsFile
from experiments.shared.studies import begin, run_program
from grnjax.baselines.other_lists import same_tf
from grnjax.data.compendium.compendium import Compendium
from grnjax.data.compendium.folder import load_compendium
from grnjax.data.compendium.lists import TargetLists
from grnjax.data.data_set import find_root
from grnjax.methods.compendium.features import describe_pairs
from grnjax.methods.compendium.pretraining import ScorerConfig, read_scorer, train_compendium
from grnjax.methods.compendium.scoring import LearntScore
from grnjax.methods.compendium.sources import take_long
from grnjax.methods.expression_only import GRNBoost2Method, score_genes
from grnjax.progress import logger
from grnjax.storage.files import replace_whole

STUDY = "compendium_rivals"
BULK = ", bulk expression"  # after the name of a line
BULK_LINES = ("HELA-S3", "K562", "HCT116", "A549")
TREES, TREES_BARE = "boosted trees", "boosted trees, without lists"
TREES_LISTS = "boosted trees, by lists alone"  # where there are cells
TWO = "rate + same, two weights"
OVER_TREES = "scorer, over the trees"
CELLS_OVER_TREES = f"{WITH_CELLS}, over the trees"
PEARSON, GRNBOOST2 = "|Pearson|, all lines", "GRNBoost2, all lines"
EXPRESSION, MOTIF = "expression in the line", "motif"
OF_LINE = 1  # the column of bulk expression that is expression less its mean over lines


@dataclasses.dataclass(frozen=True, kw_only=True)
class RivalStudy(LeftOutStudy):
    """The study."""

    scorer: ScorerConfig = ScorerConfig()
    work: Path = Path("compendium-rivals-work")
    """Keeps trained scorers, and the scores of each set."""


@dataclasses.dataclass(frozen=True, eq=False)
class Ground:
    """What the rows of a set are made of."""

    line: str
    found: LeftOut
    lists: TargetLists
    motifs: TargetLists
    cells: Cells | None


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(RivalStudy, STUDY)
    compendium = load_compendium(with_own=False)
    root = find_root(study.data.root)
    pooled: dict[str, list] = {}
    for name, genes, line in all_sets(compendium, study):
        path = study.work / f"{name}.npz"
        found = leave_out(compendium, line, genes)
        if not path.exists():
            rows = score_set(study, Ground(*lay_out(name, compendium, found, line, root)))
            if name.endswith(BULK):
                rows |= score_bulk(study, compendium, found, line, root)
            path.parent.mkdir(parents=True, exist_ok=True)
            with replace_whole(path) as partial, open(partial, "wb") as file:
                np.savez(file, **{key: np.float32(values) for key, values in rows.items()})
        with np.load(path, allow_pickle=False) as kept:
            rows = {key: kept[key].astype(np.float64) for key in kept.files}
        splits = choose_pairs(found)
        rows |= {OVER_TREES: rows[SCORER]}
        for split in splits:
            asked = list_asked(name, split, rows)
            if asked and splits[split].any():
                place, candidates = (name, split), (found.labels, splits[split])
                judge_rows(results, place, rows, candidates, study.samples, find_over, asked=asked)
        if not name.endswith((DETECTED, BULK)):
            pooled[name] = [found.labels, rows, splits]
            judge_within(results, name, [pooled[name]], study.samples)
        if name == f"{BULK_LINES[-1]}{BULK}":
            judge_expression(results, study, compendium, root)
        logger.info("%s: done", name)
    if pooled:
        judge_within(results, LINES, [*pooled.values()], study.samples)


def list_asked(name: str, split: str, rows: dict[str, np.ndarray]) -> list[str]:
    """The rows that are judged here; scorer.py and label_free.py have the others of their sets."""
    if name.endswith(BULK):
        return [*rows] if split == ALL else [RATE, LOOK_UP, TREES, SCORER, OVER_TREES]
    if name.endswith(DETECTED):
        return [TWO, TREES, TREES_LISTS, TREES_BARE, OVER_TREES] if split in (ALL, UNCOMMON) else []
    return []  # by lists alone: `judge_within`


def all_sets(compendium: Compendium, study: RivalStudy) -> Iterator[tuple[str, np.ndarray, str]]:
    """Those of bulk expression and the sets of `left_out`: name, genes and line."""
    for line in BULK_LINES:
        if not study.lines or line in study.lines:
            yield f"{line}{BULK}", read_bulk(find_root(study.data.root)).names, line
    others = [*list_sets(compendium, study)]
    yield from sorted(others, key=lambda one: not one[0].endswith(DETECTED))


def lay_out(
    name: str, compendium: Compendium, found: LeftOut, line: str, root: Path
) -> tuple[str, LeftOut, TargetLists, TargetLists, Cells | None]:
    """The fields of a set's ground."""
    genes, cells = found.others.genes, None
    if name.endswith(DETECTED):
        cells = describe_mixture(load_mixture(root))
    elif name.endswith(BULK):
        cells = describe_bulk(read_bulk(root))
    left = compendium.without(line)
    motifs = left.over(genes, species="human", kinds=("motifs",), carry=False)
    return line, found, take_long(found.others), motifs, cells


def score_set(study: RivalStudy, ground: Ground) -> dict[str, np.ndarray]:
    """Scores [tf, gene] of the rows that every set has."""
    tfs, lists, motifs = ground.found.tfs, ground.found.others, ground.motifs
    rows = list_rows(ground.found)
    everywhere = collect(lists, motifs, None)
    asked = describe(lists, motifs, tfs, ground.line, None)
    rows[TWO] = weigh(*everywhere)(asked)
    if ground.cells is None:
        rows[TREES] = boost(*everywhere)(asked)
    else:
        of_cells = collect(lists, motifs, ground.cells)
        asked = describe(lists, motifs, tfs, ground.line, ground.cells)
        rows[TREES] = boost(*of_cells)(asked)
        bare = boost(np.delete(of_cells[0], LISTS, axis=1), of_cells[1])
        rows[TREES_BARE] = bare(np.delete(asked, LISTS, axis=-1))
        rows[TREES_LISTS] = boost(*everywhere)(asked[..., : everywhere[0].shape[-1]])
    folder = study.work / "scorers" / ground.line
    if not folder.exists():
        train_compendium(folder, without=[ground.line], own_lists=False, config=study.scorer)
    rows[SCORER] = LearntScore(read_scorer(folder), motifs)(ground.lists, tfs)
    return rows


def score_bulk(
    study: RivalStudy, compendium: Compendium, found: LeftOut, line: str, root: Path
) -> dict[str, np.ndarray]:
    """Scores [tf, gene] of the rows of bulk expression, and of the controls."""
    table = read_bulk(root)
    ground = Ground(*lay_out(BULK, compendium, found, line, root))
    assert ground.cells is not None
    assayed = compendium.over(table.names, species="human", carry=False).tfs
    regulators = dataclasses.replace(table, is_tf=table.is_tf | np.isin(table.names, assayed))
    row_of = {name: row for row, name in enumerate(regulators.names[regulators.tfs])}
    known = [tf in row_of for tf in found.tfs]
    boosted = np.zeros(found.labels.shape)
    matrix = score_genes(regulators, GRNBoost2Method(), seed=0, folder=study.work / "grnboost2")
    boosted[known] = matrix[[row_of[tf] for tf in found.tfs if tf in row_of]]
    rows = {
        PEARSON: ground.cells.pearson(line, found.tfs),
        GRNBOOST2: boosted,
        EXPRESSION: np.broadcast_to(ground.cells.columns[line][:, 0], found.labels.shape),
        MOTIF: same_tf(ground.motifs, found.tfs),
    }
    features = describe_pairs(ground.lists, ground.motifs, found.tfs)
    scorer = read_scorer(study.work / "scorers" / line)
    for key, spared in ((PERMUTED, []), (RATES_KEPT, RATES)):
        values = permute_features(features.pairs, spared, seed=1)
        rows[key] = scorer.score(values, features.tfs)
    return rows


def judge_expression(
    results: ResultsFile, study: RivalStudy, compendium: Compendium, root: Path
) -> None:
    """What bulk expression adds to the scorer, by weights that are fitted on the other lines.

    By logistic regression on the logit of the scorer, the rank of the gene's expression in the
    line, that of what of it is of the line, and |Pearson|.
    """
    table, known = read_bulk(root), {}
    cells = describe_bulk(table)
    lines = [line for line in BULK_LINES if (study.work / f"{line}{BULK}.npz").exists()]
    for line in lines:
        found = leave_out(compendium, line, table.names)
        with np.load(study.work / f"{line}{BULK}.npz", allow_pickle=False) as kept:
            scores, trees = (kept[key].astype(np.float64) for key in (SCORER, TREES))
        ranks = rankdata(cells.columns[line], axis=0).T / len(table.names)
        columns = scores, *ranks, cells.pearson(line, found.tfs)
        x = np.stack([np.broadcast_to(column, scores.shape) for column in columns], axis=-1)
        known[line] = x, found.labels, choose_pairs(found), trees
    for line, (x, labels, splits, trees) in known.items():
        others = [
            (part[0][part[2][ALL]], part[1][part[2][ALL]])
            for name, part in known.items()
            if name != line
        ]
        if len(others) < 2:
            continue
        learned, told = (np.concatenate(parts) for parts in zip(*others, strict=True))
        model = LogisticRegression(C=100).fit(learned, told)
        added = x @ model.coef_[0]
        rows = {SCORER: x[..., 0], TREES: trees, WITH_CELLS: added, CELLS_OVER_TREES: added}
        over = {WITH_CELLS: SCORER, CELLS_OVER_TREES: TREES}
        for split in (ALL, UNCOMMON):
            place, candidates = (f"{line}{BULK}", split), (labels, splits[split])
            judge_rows(
                results, place, rows, candidates, study.samples, over.__getitem__, asked=over
            )


def judge_within(results: ResultsFile, place: str, parts: list[list], samples: int) -> None:
    """Within-TF AUROC by lists alone, over the networks of a line or of all."""
    names = RATE, LOOK_UP, TWO, TREES, SCORER, OVER_TREES
    for split in (ALL, UNCOMMON):
        found = {
            name: np.concatenate(
                [
                    measure_networks(labels, rows[name], splits[split])
                    for labels, rows, splits in parts
                ]
            )
            for name in names
        }
        count = len(found[RATE])
        drawn = np.random.default_rng(0).integers(count, size=(samples, count))
        for name in names:
            over = find_over(name)
            row = {"method": name, "draw": 0, "seed": 0, "over": over, "within_tf_count": count}
            row["within_tf_auroc"] = tidy(found[name].mean())
            gain = found[name] - found[over]
            row["within_tf_auroc_difference"] = tidy(gain.mean())
            for key, values in (("", found[name]), ("_difference", gain)):
                low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
                row |= {f"within_tf_auroc{key}_low": tidy(low)}
                row |= {f"within_tf_auroc{key}_high": tidy(high)}
            if not results.has(set=place, split=split, method=name):
                results.add([row], set=place, split=split)


def measure_networks(labels: np.ndarray, scores: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The AUROC of each TF's pairs, those that are chosen."""
    rows = zip(labels, scores, chosen, strict=True)
    return np.array([roc_auc_score(label[x], score[x]) for label, score, x in rows])


def find_over(method: str) -> str:
    """The row that a row is compared with."""
    over: dict[str, str] = {OVER_TREES: TREES, PERMUTED: RATE, RATES_KEPT: RATE}
    over |= dict.fromkeys((SCORER, TREES, TWO), LOOK_UP)
    return over.get(method, method)


if __name__ == "__main__":
    run_program(main)
