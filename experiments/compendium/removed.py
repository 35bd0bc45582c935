"""TFs that nobody has assayed: what each source tells of them, by line and in the mean of lines.

Run:     GRNJAX_DATA=... python -m experiments.compendium.removed
Cost:    some minutes on one CPU core, 3 GB memory, with the scorers of rivals.py
Expect:  README.md of this folder; its tables are made from the rows

All TFs of a line left out are judged with the lists of all of them taken out of all other cells, so
that none is told of another one's labels. Each source is added to the rate with half the weight of
a residual list: *motif*, the TF's own in promoters and enhancers of the gene (circuits of human);
*motif alike*, lists of TFs whose motifs stand at the same genes; *partners* by STRING; *family* by
JASPAR. *Scorer* as `infer` ranks such TFs, by rate, motif and motif alike; *scorer and partners*
adds these. There are no protein sequences to compare. Intervals are over TFs, resampled within each
line; the mean of lines is that of each resample.
"""

import numpy as np

from experiments.compendium.left_out import (
    ALL,
    DETECTED,
    RATE,
    choose_pairs,
    leave_out,
    list_sets,
)
from experiments.compendium.rivals import RivalStudy
from experiments.compendium.scorer import FAMILY, PARTNERS, SCORER, find_relatives
from experiments.grnformer.label_free import tidy
from experiments.shared.record import ResultsFile
from experiments.shared.studies import begin, run_program
from grnjax.baselines.other_lists import occupancy_rate, partner_same, residual_same
from grnjax.data.compendium.folder import load_compendium
from grnjax.data.compendium.lists import TargetLists
from grnjax.evaluation.bootstrap import measure_resamples
from grnjax.methods.compendium.features import FEATURES, describe_pairs
from grnjax.methods.compendium.pretraining import read_scorer
from grnjax.methods.compendium.scoring import LearntScore
from grnjax.methods.compendium.sources import take_long
from grnjax.progress import logger

STUDY = "compendium_removed"
MOTIF, ALIKE = "rate + motif", "rate + motif alike"
BOTH, MEAN = "scorer and partners", "mean of lines"
WEIGHT = 0.5
FIGURES = ("within_tf_auroc", "swap_micro")


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(RivalStudy, STUDY)
    compendium = load_compendium(with_own=False)
    resamples: dict[str, list] = {}
    for name, genes, line in list_sets(compendium, study):
        if name.endswith(DETECTED):
            continue
        found = leave_out(compendium, line, genes)
        motifs = compendium.over(genes, species="human", kinds=("motifs",), carry=False)
        lists = take_long(found.others).without_tfs(found.tfs)
        scorer = LearntScore(read_scorer(study.work / "scorers" / line), motifs)
        rows = score_removed(study, found.tfs, lists, motifs, scorer)
        chosen = choose_pairs(found)[ALL]
        pairs, labels = np.argwhere(chosen), found.labels[chosen].astype(np.float32)
        count = len(found.tfs)
        rng = np.random.default_rng(0)
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=study.samples)
        counts = np.concatenate([np.ones((1, count)), drawn])
        figures = {
            method: measure_resamples(counts, pairs, labels, scores[chosen])
            for method, scores in rows.items()
        }
        note(results, name, figures, count)
        for method, values in figures.items():
            resamples.setdefault(method, []).append(values)
        logger.info("%s: done", name)
    together = {
        method: {key: np.nanmean([x[key] for x in values], axis=0) for key in FIGURES}
        for method, values in resamples.items()
    }
    note(results, MEAN, together, len(resamples[RATE]))


def score_removed(
    study: RivalStudy,
    tfs: list[str],
    lists: TargetLists,
    motifs: TargetLists,
    scorer: LearntScore,
) -> dict[str, np.ndarray]:
    """Scores [tf, gene] of every row by its name.

    Args:
        lists: of other cells and of none of these TFs.
    """
    asked = sorted({*lists.tfs})
    rate = np.broadcast_to(2 * np.log1p(occupancy_rate(lists)), (len(tfs), len(lists.genes)))
    partners, families = find_relatives(study, tfs, asked)
    alike = describe_pairs(lists, motifs, tfs).pairs[..., FEATURES.index("motif alike")]
    learnt, of_partners = scorer(lists, tfs), partner_same(lists, partners, asked)
    return {
        RATE: rate,
        MOTIF: rate + WEIGHT * residual_same(motifs, tfs),
        ALIKE: rate + WEIGHT * alike,
        PARTNERS: rate + WEIGHT * of_partners,
        FAMILY: rate + WEIGHT * partner_same(lists, families, asked),
        SCORER: learnt,
        BOTH: learnt + WEIGHT * of_partners,
    }


def note(results: ResultsFile, name: str, figures: dict[str, dict], count: int) -> None:
    """A row a method: figures with intervals, and differences to the rate; the first is as it is.

    Args:
        count: of TFs, or of lines.
    """
    for method, values in figures.items():
        row: dict = {"method": method, "draw": 0, "seed": 0, "over": RATE, "counted": count}
        for key in FIGURES:
            gain = values[key] - figures[RATE][key]
            for end, found in (("", values[key]), ("_difference", gain)):
                low, high = np.nanpercentile(found[1:], [2.5, 97.5])
                row |= {f"{key}{end}": tidy(found[0]), f"{key}{end}_low": tidy(low)}
                row |= {f"{key}{end}_high": tidy(high)}
        if not results.has(set=name, method=method):
            results.add([row], set=name, split="lists of the TFs removed")


if __name__ == "__main__":
    run_program(main)
