"""New edges of GT-GRN on mDC against curated networks, beside a degree-matched control.

Run:     python -m experiments.gt_grn.biological_check
Cost:    a minute on two cores once the embeddings are made
Expect:  curated edges among the 1,000 best new ones, in brackets the control's mean: TRRUST 33
         (31.1, p = .16), CollecTRI 62 (62.8, p = .64)
"""

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.gt_grn.beeline import KNOWN, MODEL, embedded_splits, forms
from experiments.scregnet.biological_check import REFERENCES, list_support
from experiments.shared.studies import MDC, Variant, begin, run_program
from grnjax.config import Settings
from grnjax.data.candidates import has_known_targets, list_candidates
from grnjax.data.data_set import find_root
from grnjax.data.edges import read_edges
from grnjax.data.expression import DataConfig
from grnjax.methods.gt_grn.embeddings import GeneEmbeddingConfig, embed_dataset
from grnjax.tasks.cross_fitting import CrossFitConfig, assign_folds
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
    known = ranked.loc[ranked["known"], ["tf", "target"]]
    for name, file in todo.items():
        reference = read_edges(find_root(config.data.root) / "priors" / file)
        rows = list_support("", ranked, (MODEL, *TRIVIAL), known, reference, counts=())
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
    form = Variant(method=forms()[KNOWN])
    fits = ground.fit(form, splits, SEEDS, "new edges")  # all seeds of a fold in turn
    scores = [fitted.scores(split.test) for split, _, fitted in fits]
    for number, fold in enumerate(folds):
        own = scores[number * len(SEEDS) : (number + 1) * len(SEEDS)]
        found = {**ground.trivial(splits[number]), MODEL: np.mean(own, axis=0)}
        for method in (MODEL, *TRIVIAL):
            ranked.loc[fold.held_out, method] = found[method]
    learned = [np.unique(split.train.positives[:, 0]) for split in splits]
    in_all_folds = functools.reduce(np.intersect1d, learned)
    return ranked[np.isin(candidates.pairs[:, 0], in_all_folds)]


if __name__ == "__main__":
    run_program(main)
