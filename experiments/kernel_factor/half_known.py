"""Inference where half of the edges are known: hidden edges, and probabilities of being true.

Run:     python -m experiments.kernel_factor.half_known
Cost:    under 40 min on two cores beside other work, 2 GB memory
Expect:  calibration errors of new pairs of at most .011 on mESC and .034 on hHEP; of the
         probability of being listed .069 to .081

Each seed hides every second edge at random, and infers by the default settings with one repeat.
Rows of split `known` judge known edges out of fold against all other pairs of their TFs, rows of
split `hidden` the hidden ones against true non-edges. The row of split `truth` has the estimated
known share and the calibration errors of new pairs against the hidden truth: of the probability of
being listed, of that of being true, and of the latter by the share that was really kept.
"""

import dataclasses

import numpy as np
import pandas as pd

from experiments.kernel_factor.beeline import MODEL
from experiments.shared.record import ResultsFile
from experiments.shared.studies import begin
from grnjax.config import Positive, Seeds
from grnjax.data.candidates import has_known_targets
from grnjax.data.expression import DataConfig
from grnjax.evaluation.calibration import reliability_error
from grnjax.evaluation.known_share import fit_truth
from grnjax.evidence.gather import gather_evidence
from grnjax.progress import logger
from grnjax.tasks.loading import load_folder
from grnjax.tasks.network_inference import InferenceConfig, infer, judge_hidden
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.types import Dataset, LabelledPairs

SHOWN = (MODEL, "ID-only rank 4", "ID-only ensemble", "additive logistic", "TF rate")
KEPT = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(InferenceConfig):
    """The study."""

    sets: tuple[str, ...] = (
        "Specific/mESC/TFs+500",
        "Specific/hHEP/TFs+500",
        "Specific/mDC/TFs+500",
    )
    seeds: Seeds = (0, 1, 2, 3, 4)
    repeats: Positive = 1
    data: DataConfig = DataConfig()


def main() -> None:
    """Measures what has not been measured yet."""
    config, results = begin(Config, "kernel_factor_half_known")
    for seed in config.seeds:
        for name in config.sets:
            if not results.has(set=name, seed=seed, split="truth"):
                measure(results, name, seed, config)
            logger.info("%s, seed %d: done", name, seed)


def measure(results: ResultsFile, name: str, seed: int, config: Config) -> None:
    """The rows of one set and seed."""
    whole, _ = load_folder(name, config.data)
    half, kept = hide_edges(whole, seed)
    network = infer(half, config, seed=seed, evidence=gather_evidence(half))
    edges = pd.DataFrame(whole.genes.names[whole.known.positives], columns=["tf", "target"])
    for split, rows in {"known": network.rows, "hidden": judge_hidden(network, edges)}.items():
        named = [
            {**row, "method": MODEL} if row["method"] == network.method else row for row in rows
        ]
        shown = [{**row, "seed": seed} for row in named if row["method"] in SHOWN]
        results.add(shown, set=name, split=split)
    row = {"method": MODEL, "draw": 0, "seed": seed, **judge_truth(network, whole, kept)}
    results.add([row], set=name, split="truth")


def hide_edges(whole: Dataset, seed: int) -> tuple[Dataset, float]:
    """The data set with a random half of its edges known, and the share that was kept.

    Its TFs are the sources of the known edges, as by default where a user has no list.
    """
    edges, genes = whole.known.positives, whole.genes
    is_kept = np.random.default_rng(seed).random(len(edges)) < KEPT
    known = LabelledPairs(edges[is_kept], np.ones(is_kept.sum(), np.float32))
    is_tf = np.zeros(len(genes.names), bool)
    is_tf[edges[is_kept, 0]] = True
    genes = dataclasses.replace(genes, is_tf=is_tf)
    return dataclasses.replace(whole, genes=genes, known=known), float(is_kept.mean())


def judge_truth(network: RankedNetwork, whole: Dataset, kept: float) -> dict:
    """The estimated known share, and calibration errors of new pairs of TFs with known edges."""
    candidates, edges = network.candidates, network.edges.set_index(["tf", "target"])
    names = network.genes.names[candidates.pairs]
    edges = edges.loc[pd.MultiIndex.from_arrays(names.T)]
    true = pd.MultiIndex.from_arrays(whole.genes.names[whole.known.positives].T)
    is_true, studied = edges.index.isin(true), has_known_targets(candidates)
    new = studied & (candidates.labels == 0)
    curve = fit_truth(network.scores[network.method][studied], candidates.labels[studied], kept)
    by_kept = curve.probability(network.scores[network.method], candidates.labels > 0, studied)
    estimated = edges["probability_true"].to_numpy()

    def error(probabilities: np.ndarray, among: np.ndarray) -> float | None:
        if np.isnan(probabilities).any():
            return None
        return reliability_error(probabilities[among], is_true[among])

    listed = edges["probability"].to_numpy()
    return {
        "density": float(is_true[studied].mean()),
        "kept": kept,
        **network.calibration["known_share"],
        "error_listed": error(listed, new),
        "error_true": error(estimated, new),
        "error_true_by_kept": error(by_kept, new),
        "error_listed_of_all": error(listed, studied),
        "error_true_of_all": error(estimated, studied),
    }


if __name__ == "__main__":
    main()
