"""The kernel factor model on bulk sets of bacteria, beside co-expressed targets (README.md).

Run:     python -m experiments.kernel_factor.bulk
         python -m experiments.kernel_factor.bulk --sets ecoli --kinds group-disjoint --draws 0
Cost:    about 40 s of one core a fit of B. subtilis, less of E. coli
Expect:  AP over co-expressed targets, 5 draws: E. coli +.08 to +.11, B. subtilis +.03 to +.11
"""

import dataclasses
import itertools

from experiments.gt_grn.bulk import keep_scored_genes
from experiments.shared.beeline_evidence import add_expression
from experiments.shared.record import ResultsFile
from experiments.shared.studies import GridConfig, Splits, begin, fit_factors, run_program
from grnjax.baselines.controls import co_expressed_targets, linear_expression, scores_at, tf_rate
from grnjax.data.bulk import BulkSet
from grnjax.data.data_set import find_root
from grnjax.data.label_matrix import label_matrix
from grnjax.evaluation.splits import SplitKind
from grnjax.methods.controls import permute_evidence
from grnjax.methods.kernel_factor.fit import KernelFactorSettings
from grnjax.progress import logger
from grnjax.types import Split

MODEL = "kernel factor, expression only"
WITHOUT = f"{MODEL}, no nearest genes"
PERMUTED = f"{MODEL}, permuted"
CO_EXPRESSED = "co-expressed targets"


@dataclasses.dataclass(frozen=True, kw_only=True)
class BulkStudy(GridConfig):
    """The kernel factor model on expression alone, with and without nearest genes."""

    sets: tuple[str, ...] = ("ecoli", "bsubtilis")
    kinds: tuple[SplitKind, ...] = ("target-disjoint", "group-disjoint", "standard")
    kernel_factor: KernelFactorSettings = KernelFactorSettings()


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(BulkStudy, "kernel_factor_bulk")
    for name in study.sets:
        dataset = keep_scored_genes(BulkSet.read(name, find_root(study.data.root)))
        grounds = {kind: Splits(dataset, study.split(dataset, kind)) for kind in study.kinds}
        for place, kind in itertools.product(range(len(study.draws)), study.kinds):
            ground = grounds[kind]
            split = ground.splits[place]
            where = {"set": name, "split": kind}
            measure_trivial(results, where, ground, split)
            measure(results, where, ground, split, study.kernel_factor)
            logger.info("%s, %s, draw %d: done", name, kind, split.draw)


def measure_trivial(results: ResultsFile, where: dict, ground: Splits, split: Split) -> None:
    """Appends the trivial rows that see expression, and TF rates, once."""
    if results.has(method=CO_EXPRESSED, draw=split.draw, **where):
        return
    genes = ground.dataset.genes
    matrix = label_matrix(split.train, ground.tfs, len(genes.names))
    found = {
        "TF rate": tf_rate(matrix),
        "linear expression": linear_expression(genes, matrix),
        CO_EXPRESSED: co_expressed_targets(genes, matrix, split.validation),
    }
    for name, scores in found.items():
        judged = scores_at(scores, split.test, ground.tfs)
        results.add([ground.judge(name, split, 0, judged)], **where)


def measure(
    results: ResultsFile,
    where: dict,
    ground: Splits,
    split: Split,
    settings: KernelFactorSettings,
) -> None:
    """Fits the model and its variants once, unless they were measured before."""
    dataset = ground.dataset
    evidence = add_expression(dataset, [], ground.tfs)
    without = dataclasses.replace(settings.model, neighbours=())
    variants = {MODEL: (evidence, settings)}
    if split.kind == "group-disjoint":  # experiments/gt_grn/bulk.py has it on the other kinds
        variants[WITHOUT] = evidence, dataclasses.replace(settings, model=without)
        if split.draw == 0:
            variants[PERMUTED] = permute_evidence(evidence, split.draw), settings
    genes = len(dataset.genes.names)
    for method, (given, chosen) in variants.items():
        if results.has(method=method, draw=split.draw, **where):
            continue
        for seed, fit, _ in fit_factors(given, ground.tfs, genes, split, chosen):
            scores = scores_at(fit.logits(), split.test, ground.tfs)
            row = ground.judge(method, split, seed, scores)
            results.add([{**row, "step": int(fit.learned.step)}], **where)


if __name__ == "__main__":
    run_program(main)
