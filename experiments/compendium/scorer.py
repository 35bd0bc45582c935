"""The scorer of the compendium on cell lines that it has never seen, held against the look-up.

Run:     GRNJAX_DATA=... python -m experiments.compendium.scorer
Cost:    about 40 min on one CPU core, 3 GB memory; what was scored is kept in --work
Expect:  README.md of this folder; its tables are made from the rows

The lines and pairs of experiments/compendium/left_out.py. For each line the scorer is trained anew
on what is left without it, under every name (`methods/compendium/pretraining.py`), with its default
settings; the epoch is chosen on cell types among those that are left. Rows: *rate + residual same*;
*scorer*, which ranks as `infer` does; on the pairs of the mixture also |Pearson| over its cells,
*scorer, and expression*, the scorer without lists of other TFs, and the scorer trained and asked
again with all its evidence permuted over genes, or all but the rates. `all lines` are the networks
of all lines left out together, each a TF of its own. For TFs without lists, `lists of the TFs
removed` judges all TFs of a line with the lists of all of them taken out of all other cells:
partners are of STRING, families of JASPAR, neither of which comes with grnjax. Beside, a row a
network (`compendium_networks`) and the errors of the probabilities (`compendium_calibration`), from
which classes of TFs have their figures.
"""

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression

from experiments.compendium.left_out import (
    ALL,
    DETECTED,
    LOOK_UP,
    MIXTURE,
    RATE,
    SAME,
    UNCOMMON,
    WITH,
    LeftOut,
    LeftOutStudy,
    choose_pairs,
    leave_out,
    list_sets,
)
from experiments.grnformer.label_free import judge_rows
from experiments.grnformer.label_free_rows import load_mixture, make_table, place_rows
from experiments.shared.record import ResultsFile
from experiments.shared.studies import begin, run_program
from grnjax.baselines.correlation import absolute_pearson
from grnjax.baselines.other_lists import (
    occupancy_rate,
    partner_same,
    rate_and_residual_same,
    same_tf,
)
from grnjax.data.compendium.compendium import Compendium
from grnjax.data.compendium.folder import load_compendium
from grnjax.data.compendium.lists import TargetLists
from grnjax.data.data_set import find_root
from grnjax.evaluation.calibration import reliability_error
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evidence.motif_models import read_motif_models
from grnjax.methods.compendium.calibration import calibrate
from grnjax.methods.compendium.classes import LISTS, classify, name_group
from grnjax.methods.compendium.features import FEATURES, describe_pairs
from grnjax.methods.compendium.pretraining import (
    ScorerConfig,
    TrainedScorer,
    TrainingRows,
    fit_members,
    make_rows,
    place_everything,
    stack,
)
from grnjax.methods.compendium.scoring import LearntScore, LookUp, PairScore
from grnjax.methods.compendium.sources import take_long
from grnjax.progress import logger
from grnjax.storage.files import replace_whole
from grnjax.training.recorder import FitRecorder

STUDY, NETWORKS, CALIBRATION = "compendium_scorer", "compendium_networks", "compendium_calibration"
SCORER, PEARSON = "scorer", "absolute Pearson"
WITH_CELLS = "scorer, and expression"
PERMUTED, RATES_KEPT = "scorer, evidence permuted", "scorer, all but rates permuted"
LINES, REMOVED = "all lines", "lists of the TFs removed"
UNASKED = "scorer, without other TFs' lists"
PARTNERS, FAMILY = "rate + partners", "rate + family"
RATES = [FEATURES.index(name) for name in ("rate", "rate, lists alike")]
OTHERS = [FEATURES.index(name) for name in ("alike", "motif alike")]
STRING = "beeline_full_networks/human_STRING-network.csv.gz"
JASPAR = "motif_models/jaspar2026_core_vertebrates.json.gz"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScorerStudy(LeftOutStudy):
    """The study."""

    scorer: ScorerConfig = ScorerConfig()
    work: Path = Path("compendium-scorer-work")
    """Keeps the scores of each set."""


@dataclasses.dataclass(frozen=True, eq=False)
class Ground:
    """What a line is ranked by."""

    found: LeftOut
    lists: TargetLists
    motifs: TargetLists


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(ScorerStudy, STUDY)
    compendium = load_compendium(with_own=False)
    others = ResultsFile(NETWORKS), ResultsFile(CALIBRATION)
    pooled: dict[str, list] = {}
    for name, genes, line in list_sets(compendium, study):
        found = leave_out(compendium, line, genes)
        path = study.work / f"{name}.npz"
        if not path.exists():
            score_line(study, compendium, found, name, line, path)
        with np.load(path, allow_pickle=False) as kept:
            rows = {key: kept[key].astype(np.float64) for key in kept.files}
        curves = {key.split(": ")[1]: rows.pop(key) for key in [*rows] if key.startswith("p: ")}
        shares = {key.split(": ")[1]: rows.pop(key) for key in [*rows] if key.startswith("q: ")}
        removed = {key.split(": ")[1]: rows.pop(key) for key in [*rows] if key.startswith("r: ")}
        splits = choose_pairs(found)
        for split, chosen in splits.items():
            if chosen.any():
                shown = rows if split in (ALL, WITH) else {x: rows[x] for x in (LOOK_UP, SCORER)}
                place = name, split
                judge_rows(results, place, shown, (found.labels, chosen), study.samples, find_over)
        place = name, REMOVED
        candidates = found.labels, splits[ALL]
        judge_rows(results, place, removed, candidates, study.samples, lambda _: RATE)
        if not name.endswith(DETECTED):
            if not others[1].has(set=name):
                note_networks(name, found, rows, results=others, curves=curves, shares=shares)
            pooled[name] = [found.labels, {key: rows[key] for key in (LOOK_UP, SCORER)}, splits]
        logger.info("%s: done", name)
    judge_cells(results, study, compendium)
    judge_together(results, pooled, study.samples)


def judge_together(results: ResultsFile, pooled: dict[str, list], samples: int) -> None:
    """The networks of all lines as TFs of one set."""
    labels = np.concatenate([part[0] for part in pooled.values()])
    rows = {
        key: np.concatenate([part[1][key] for part in pooled.values()]) for key in (LOOK_UP, SCORER)
    }
    for split in (ALL, UNCOMMON):
        chosen = np.concatenate([part[2][split] for part in pooled.values()])
        judge_rows(results, (LINES, split), rows, (labels, chosen), samples, find_over)


def judge_cells(results: ResultsFile, study: ScorerStudy, compendium: Compendium) -> None:
    """What the cells of the mixture add to the scorer: weights are fitted on the other line.

    By logistic regression on the logit of the scorer, the rank of the gene's mean expression in the
    line and |Pearson| of TF and gene over its cells.
    """
    mixture, known = load_mixture(find_root(study.data.root)), {}
    for line in set(MIXTURE) & {*(study.lines or MIXTURE)}:
        found = leave_out(compendium, line, mixture.genes)
        with np.load(study.work / f"{line}{DETECTED}.npz", allow_pickle=False) as kept:
            scores, pearson = (kept[key].astype(np.float64) for key in (SCORER, PEARSON))
        inside = mixture.lines == line
        rank = rankdata(mixture.expression[inside].mean(axis=0)) / len(mixture.genes)
        chosen = choose_pairs(found)[ALL]
        columns = scores, np.broadcast_to(rank, scores.shape), pearson
        x = np.stack([column[chosen] for column in columns], axis=1)
        known[line] = x, found.labels[chosen], found.labels, chosen, scores
    for line, (x, _, labels, chosen, scores) in known.items():
        others = [part for name, part in known.items() if name != line]
        if others:
            model = LogisticRegression(C=100).fit(others[0][0], others[0][1])
            added = np.zeros(scores.shape)
            added[chosen] = x @ model.coef_[0]
            rows = {SCORER: scores, WITH_CELLS: added}
            place = f"{line}{DETECTED}", ALL
            judge_rows(results, place, rows, (labels, chosen), study.samples, lambda _: SCORER)


def find_over(method: str) -> str:
    """The row that a row is compared with."""
    if method in (PERMUTED, RATES_KEPT):
        return RATE
    return LOOK_UP if method in (SCORER, UNASKED) else method


def score_line(
    study: ScorerStudy, compendium: Compendium, found: LeftOut, name: str, line: str, path: Path
) -> None:
    """Keeps the scores of all rows of a set, and the probabilities of its pairs."""
    genes, left = found.others.genes, compendium.without(line)
    motifs = left.over(genes, species="human", kinds=("motifs",), carry=False)
    ground = Ground(found, take_long(found.others), motifs)
    scorer, learned = learn(line, study.scorer)
    kept = {RATE: np.broadcast_to(occupancy_rate(ground.lists), found.labels.shape)}
    kept[SAME] = same_tf(ground.lists, found.tfs)
    for key, score in ((LOOK_UP, LookUp()), (SCORER, LearntScore(scorer, motifs))):
        logits, raw, shares = probabilities(ground, score)
        kept |= {key: raw if key == LOOK_UP else logits, f"p: {key}": logits, f"q: {key}": shares}
    kept |= {f"r: {key}": value for key, value in score_removed(study, ground, scorer).items()}
    if name.endswith(DETECTED):
        features = describe_pairs(ground.lists, motifs, found.tfs)
        for key, spared in ((PERMUTED, []), (RATES_KEPT, RATES)):
            again = train(permute(learned, spared), study.scorer)
            values = permute_features(features.pairs, spared, seed=1)
            kept[key] = again.score(values, features.tfs)
        again = train(dataclasses.replace(learned, pairs=silence(learned.pairs)), study.scorer)
        kept[UNASKED] = again.score(silence(features.pairs), features.tfs)
        mixture = load_mixture(find_root(study.data.root))
        table = make_table(mixture, mixture.lines == line, found.tfs)
        kept[PEARSON] = place_rows(absolute_pearson(table, table.tfs), table, mixture, found.tfs)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_whole(path) as partial, open(partial, "wb") as file:
        np.savez(file, **{key: np.float32(values) for key, values in kept.items()})


@functools.cache
def learn(line: str, config: ScorerConfig) -> tuple[TrainedScorer, TrainingRows]:
    """The scorer trained without a line as `train_compendium` does, and its rows of training."""
    left = load_compendium(with_own=False).without(line)
    rows = make_rows(*place_everything(left, "human"), config, seed=0)
    return train(rows, config), rows


def train(rows: TrainingRows, config: ScorerConfig) -> TrainedScorer:
    """A scorer of these rows."""
    with FitRecorder(None, config.members, config.training.epochs, "learning to rank") as recorder:
        members = fit_members(rows, config, recorder, seed=0)
    return TrainedScorer(stack(members), config, {})


def probabilities(ground: Ground, score: PairScore) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits of probabilities as `infer` gives them, the scores, and the share assumed by TF."""
    tfs = ground.found.tfs
    has_lists = classify(tfs, ground.lists, ground.motifs).classes == LISTS
    raw = score(ground.lists, tfs)
    curves = calibrate(ground.lists, score, seed=0)
    shares = np.array([curves.curves[bool(has)].prevalence for has in has_lists])
    return curves.logits(raw, has_lists), raw, shares


def permute(rows: TrainingRows, spared: list[int]) -> TrainingRows:
    """Rows of training whose evidence is that of other genes, anew for each cell type."""
    pairs = rows.pairs.copy()
    for seed, cell in enumerate(np.unique(rows.cells)):
        of_cell = rows.cells == cell
        pairs[of_cell] = permute_features(pairs[of_cell], spared, seed=seed)
    return dataclasses.replace(rows, pairs=pairs)


def permute_features(pairs: np.ndarray, spared: list[int], *, seed: int) -> np.ndarray:
    """The features [tf, gene, feature] with genes permuted, but for some."""
    order = np.random.default_rng(seed).permutation(pairs.shape[1])
    found = pairs[:, order]
    found[..., spared] = pairs[..., spared]
    return found


def silence(pairs: np.ndarray) -> np.ndarray:
    """The features without what lists of other TFs say."""
    found = pairs.copy()
    found[..., OTHERS] = 0
    return found


def score_removed(study: ScorerStudy, ground: Ground, scorer: TrainedScorer) -> dict:
    """Rows for TFs of which no cell has a list: those of all TFs of the line are taken out."""
    tfs, lists = ground.found.tfs, ground.lists.without_tfs(ground.found.tfs)
    asked = sorted({*lists.tfs})
    rate = rate_and_residual_same(lists, tfs)  # of TFs without lists: the rate alone
    partners, families = find_relatives(study, tfs, asked)
    return {
        RATE: rate,
        PARTNERS: rate + 0.5 * partner_same(lists, partners, asked),
        FAMILY: rate + 0.5 * partner_same(lists, families, asked),
        SCORER: LearntScore(scorer, ground.motifs)(lists, tfs),
    }


def find_relatives(
    study: ScorerStudy, tfs: list[str], asked: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """1 for partners by STRING, and for TFs of a family by JASPAR: [tf, asked] each."""
    root = find_root(study.data.root)
    links = pd.read_csv(root / STRING).to_numpy(str)
    pairs = {tuple(link) for link in links} | {tuple(link[::-1]) for link in links}
    partners = np.array([[(tf, other) in pairs for other in asked] for tf in tfs], float)
    family = {
        tf.upper(): motif.family for motif in read_motif_models(root / JASPAR) for tf in motif.tfs
    }
    alike = [[bool(family.get(x)) and family.get(x) == family.get(y) for y in asked] for x in tfs]
    return partners, np.array(alike, float)


def note_networks(
    name: str,
    found: LeftOut,
    rows: dict[str, np.ndarray],
    *,
    results: tuple[ResultsFile, ResultsFile],
    curves: dict[str, np.ndarray],
    shares: dict[str, np.ndarray],
) -> None:
    """A row a network and method; swap of each group of TFs; the errors of the probabilities."""
    networks, errors = results
    lists = take_long(found.others)
    cells = np.array([len(lists.cells_of(tf)) for tf in found.tfs])
    motifs = load_compendium(with_own=False).over(
        lists.genes, species="human", kinds=("motifs",), carry=False
    )
    classes = classify(found.tfs, lists, motifs).classes
    groups = np.array([name_group(*pair) for pair in zip(classes, cells.tolist(), strict=True)])
    others = lists.genes[None] != np.array(found.tfs)[:, None]
    for method in (LOOK_UP, SCORER):
        where = {"set": name, "method": method, "draw": 0, "seed": 0}
        for row, tf in enumerate(found.tfs):
            chosen = others[row]
            pairs = np.stack([np.zeros(chosen.sum(), int), np.flatnonzero(chosen)], axis=1)
            label = found.labels[row, chosen].astype(np.float32)
            figures = evaluate_pairs(pairs, label, rows[method][row, chosen])
            auroc = round(float(figures["auroc"]), 6)
            networks.add([{**where, "split": tf, "group": groups[row], "auroc": auroc}])
        for group in np.unique(groups):
            of_group = groups == group
            chosen = others & of_group[:, None]
            pairs, label = np.argwhere(chosen), found.labels[chosen].astype(np.float32)
            logits = curves[method][chosen]
            told = np.broadcast_to(shares[method][:, None], chosen.shape)[chosen]
            known = logits + logit(label.mean()) - logit(told)
            row = {
                "networks": int(of_group.sum()),
                "prevalence": round(float(label.mean()), 6),
                "error": round(reliability_error(expit(logits), label), 6),
                "error_prevalence_set": round(reliability_error(expit(known), label), 6),
            }
            if of_group.sum() > 1:
                found_swap = evaluate_pairs(pairs, label, rows[method][chosen])["swap_micro"]
                row["swap"] = round(float(found_swap), 6)
            errors.add([{**where, "split": str(group), **row}])


if __name__ == "__main__":
    run_program(main)
