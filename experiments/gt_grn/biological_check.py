"""New edges of GT-GRN on mDC against curated networks, beside a degree-matched control.

Run:     python -m experiments.gt_grn.biological_check
Cost:    a minute on two cores once the embeddings are made
Expect:  curated edges among the 1,000 best new ones, in brackets the control's mean: TRRUST 33
         (31.1, p = .16), CollecTRI 62 (62.8, p = .64), so no more than its own TFs and targets
         paired at random

As `experiments.scregnet.biological_check` (see its head): the same set, curated networks and
controls. Candidates are the pairs of the TFs with known targets, since GT-GRN knows nothing of the
others. They are assigned to five folds, and each is scored by the mean of three fits that did not
train on it. TFs that have no train edge in some fold are left out, as every known edge is.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.gt_grn.beeline import KNOWN, MODEL, embedded_splits, forms
from experiments.scregnet.biological_check import REFERENCES, TOPS
from experiments.shared.studies import MDC, Splits, Variant, begin
from grnjax.config import Settings
from grnjax.data.candidates import has_known_targets, list_candidates
from grnjax.data.data_set import find_root
from grnjax.data.edges import read_edges
from grnjax.data.expression import DataConfig
from grnjax.evaluation.support import measure_support
from grnjax.methods.gt_grn.embeddings import GeneEmbeddingConfig, embed_dataset
from grnjax.tasks.cross_fitting import CrossFitConfig, assign_folds, list_trainable
from grnjax.tasks.loading import load_folder
from grnjax.types import Dataset

TRIVIAL = ("additive logistic", "absolute Pearson")
SEEDS = (0, 1, 2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """The study; the curated networks are in priors/ under the root."""

    data: DataConfig = DataConfig(split="draw")
    embeddings: GeneEmbeddingConfig = GeneEmbeddingConfig()
    work: Path = Path("gt-grn-work")
    """Keeps inferred networks and embeddings."""


def main() -> None:
    """Measures what has not been measured yet."""
    config, results = begin(Config, "gt_grn_biological_check")
    todo = {name: file for name, file in REFERENCES.items() if not results.has(set=name)}
    if not todo:
        return
    dataset, _ = load_folder(MDC, config.data)
    ranked = rank_pairs(dataset, config)
    is_known = ranked["known"].to_numpy()
    pairs = ranked[["tf", "target"]]
    for name, file in todo.items():
        reference = read_edges(find_root(config.data.root) / "priors" / file)
        rows = []
        for method in (MODEL, *TRIVIAL):
            scored = pairs.assign(importance=ranked[method])
            support = measure_support(scored, pairs[is_known], reference, seed=0, tops=TOPS)
            rows += [
                {"method": method, "split": f"top {row['top']}", **row} for row in support.rows
            ]
        results.add(rows, set=name, draw=0, seed=0)


def rank_pairs(dataset: Dataset, config: Config) -> pd.DataFrame:
    """Every candidate, whether it is known, and its score by each method: none by a fit on it."""
    candidates = list_candidates(dataset)
    candidates = candidates.take(has_known_targets(candidates))
    ends = dataset.genes.names[candidates.pairs]
    ranked = pd.DataFrame(ends, columns=["tf", "target"]).assign(known=candidates.labels > 0)
    folder = config.work / MDC.replace("/", "-")
    embeddings = embed_dataset(dataset.genes, config.embeddings, seed=0, folder=folder)
    folds = list(assign_folds(candidates, CrossFitConfig(repeats=1), seed=0))
    splits = [fold.part.split for fold in folds]
    ground = embedded_splits(dataset, splits, embeddings)
    for fold, scores in zip(folds, score_folds(ground), strict=True):
        for method, values in scores.items():
            ranked.loc[fold.held_out, method] = values
    parts = [fold.part for fold in folds]
    trainable = np.isin(candidates.pairs[:, 0], list_trainable(parts))
    return ranked[trainable]


def score_folds(ground: Splits) -> Iterator[dict[str, np.ndarray]]:
    """Scores of each split's test pairs, by method."""
    form = Variant(method=forms()[KNOWN])
    fits = ground.fit(form, ground.splits, SEEDS, "new edges")
    scores = [fitted.scores(split.test) for split, _, fitted in fits]
    for number, split in enumerate(ground.splits):
        own = scores[number * len(SEEDS) : (number + 1) * len(SEEDS)]
        trivial = ground.trivial(split)
        yield {MODEL: np.mean(own, axis=0), **{method: trivial[method] for method in TRIVIAL}}


if __name__ == "__main__":
    main()
