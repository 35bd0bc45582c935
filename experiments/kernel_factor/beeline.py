"""The kernel factor model on BEELINE's cell-type-specific networks (README.md).

Run:     python -m experiments.kernel_factor.beeline
         python -m experiments.kernel_factor.beeline --sets Specific/mDC/TFs+500 --kinds standard
         python -m experiments.kernel_factor.beeline --draws 5 6 7 --seeds 0     (the fresh draws)
Cost:    standard split on two idle cores: hESC 161 s, hHEP 144 s, mDC 128 s, mESC 214 s, mHSC-E
         114 s, for 5 draws x (5 seeds + controls); 2 GB memory
Expect:  AP/swap, standard split: hESC .672/.747, hHEP .855/.738, mDC .305/.736, mESC .901/.848,
         mHSC-E .953/.803; unseen targets: .586/.685, .757/.690, .235/.705, .841/.750, .934/.756,
         swap .5 with the evidence permuted
"""

import dataclasses
import time

import numpy as np

from experiments.shared.beeline_evidence import (
    OTHER_NETWORKS,
    add_expression,
    choose_genes,
    read_evidence,
    species_of,
)
from experiments.shared.record import ResultsFile
from experiments.shared.studies import GridConfig, begin, fit_factors, run_program
from grnjax.baselines.controls import scores_at, trivial_rows
from grnjax.baselines.factors import FactorRidge, fit_factor_model
from grnjax.data.benchmark import BenchmarkSet
from grnjax.data.data_set import find_root
from grnjax.data.label_matrix import label_matrix
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evaluation.splits import SplitKind, draw_split
from grnjax.evidence.leak_check import check_leaks, drop_copied_columns
from grnjax.evidence.types import Evidence
from grnjax.methods.controls import permute_evidence
from grnjax.methods.kernel_factor.explanation import explain_fit, measure_worth
from grnjax.methods.kernel_factor.fit import KernelFactorSettings
from grnjax.progress import logger
from grnjax.types import Dataset, Split

MODEL = "kernel factor"
WITHOUT_NETWORKS = f"{MODEL}, no other networks"
PERMUTED = f"{MODEL}, evidence permuted"
SAME_TF = f"{MODEL}, same TFs of the species kept"
LINEAR_DISPERSION = "linear dispersion"
ABLATED = ("standard", "target-disjoint")  # kinds of split on which sources are left out
MEASURED_ONLY = ("hESC", "hHEP", "mESC")  # for unseen targets


@dataclasses.dataclass(frozen=True, kw_only=True)
class KernelFactorStudy(GridConfig):
    """The kernel factor model and the trivial rows; the model's controls take the first seed."""

    kinds: tuple[SplitKind, ...] = ("standard", "target-disjoint", "tf-disjoint", "both-disjoint")
    kernel_factor: KernelFactorSettings = KernelFactorSettings()


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(KernelFactorStudy, "kernel_factor_beeline")
    for kind in study.kinds:
        for found, dataset in study.find():
            begun = time.monotonic()
            measure_set(found, dataset, kind, study, results)
            logger.info("%s, %s: %.0f s", found.name, kind, time.monotonic() - begun)


def measure_set(
    found: BenchmarkSet,
    dataset: Dataset,
    kind: SplitKind,
    study: KernelFactorStudy,
    results: ResultsFile,
) -> None:
    """The rows of one set and kind of split that are not there yet."""
    where = {"set": found.name, "split": kind}
    is_partial = kind == "target-disjoint" and found.cell in MEASURED_ONLY
    dataset = choose_genes(dataset, measured_only=is_partial)
    tfs = np.unique(dataset.known.positives[:, 0])
    names, root = dataset.genes.names, find_root(study.data.root)
    evidence = add_expression(dataset, read_evidence(found, root, names, tfs), tfs)
    splits = [draw_split(kind, dataset.known.positives, len(names), draw) for draw in study.draws]
    check_leaks(evidence, tfs, dataset, splits)
    ablated, is_human = kind in ABLATED, species_of(found.cell) == "human"
    if ablated and is_human:
        same_tf = read_evidence(found, root, names, tfs, keep_same_tf=True)
        kept = add_expression(dataset, same_tf, tfs)
    for split in splits:
        if not results.has(method=LINEAR_DISPERSION, draw=split.draw, **where):
            results.add(judge_trivial(dataset, split, tfs, evidence), **where)
        cleared = clear(evidence, split, tfs, names)
        variants = {MODEL: cleared}
        if ablated:
            variants[WITHOUT_NETWORKS] = [x for x in cleared if x.name != OTHER_NETWORKS]
        if ablated and is_human:
            variants[SAME_TF] = clear(kept, split, tfs, names)
        variants[PERMUTED] = permute_evidence(cleared, split.draw)
        for method, given in variants.items():
            seeds = tuple(
                seed
                for seed in (study.seeds if method == MODEL else study.seeds[:1])
                if not results.has(method=method, draw=split.draw, seed=seed, **where)
            )
            fits = fit_factors(given, tfs, len(names), split, study.kernel_factor, seeds)
            for seed, fit, bank in fits:
                row = judge(method, split, seed, fit.logits(), tfs)
                row["step"] = int(fit.learned.step)
                if method == MODEL and seed == study.seeds[0]:
                    worth = measure_worth(
                        explain_fit(fit, bank), fit, bank, split.test, seed=split.draw
                    )
                    row["blocks"] = worth
                results.add([row], **where)


def clear(
    evidence: list[Evidence], split: Split, tfs: np.ndarray, names: np.ndarray
) -> list[Evidence]:
    """The evidence without columns that share an experiment with a TF, by train labels."""
    return [drop_copied_columns(item, tfs, names, split.train) for item in evidence]


def judge(method: str, split: Split, seed: int, logits: np.ndarray, tfs: np.ndarray) -> dict:
    """A results row of scores [tf, gene]."""
    test = split.test
    metrics = evaluate_pairs(test.pairs, test.labels, scores_at(logits, test, tfs))
    return {"method": method, "draw": split.draw, "seed": seed, **metrics}


def judge_trivial(
    dataset: Dataset, split: Split, tfs: np.ndarray, evidence: list[Evidence]
) -> list[dict]:
    """The trivial rows, and the linear row of dispersion, the one source that every set has."""
    scores = trivial_rows(dataset.genes, split.train, split.validation, tfs)
    values = next(item.genes[0].values for item in evidence if item.name == "dispersion")
    spread = values.std(axis=0)
    scaled = (values - values.mean(axis=0)) / np.where(spread > 1e-9, spread, 1)
    matrix, how = label_matrix(split.train, tfs, len(values)), {"rank": 0, "target_bias": False}
    linear = fit_factor_model(matrix, ridge=FactorRidge(), features=scaled, **how)
    scores[LINEAR_DISPERSION] = linear
    return [judge(name, split, 0, block, tfs) for name, block in scores.items()]


if __name__ == "__main__":
    run_program(main)
