"""The model against every trivial row on simulated networks, five simulator seeds.

Run:     python -m experiments.kernel_factor.simulated_networks
Cost:    about 15 min on two cores, 1 GB memory
Expect:  AP on the standard split: kernel factor .471, on expression alone .419, scRegNet .385 (best
         trivial row .333); swap on unseen targets .859, .814, .812 (.787)
"""

import dataclasses

from experiments.kernel_factor.beeline import MODEL as KERNEL_FACTOR
from experiments.kernel_factor.beeline import PERMUTED, judge
from experiments.shared.studies import (
    NEWEST,
    SCREGNET,
    Splits,
    begin,
    fit_factors,
    measure_trivial,
    run_program,
)
from grnjax import config as settings
from grnjax.config import Seeds
from grnjax.data.simulator import EmbeddedConfig
from grnjax.evidence.gather import gather_evidence
from grnjax.methods.controls import permute_evidence
from grnjax.methods.kernel_factor.fit import KernelFactorSettings
from grnjax.methods.kernel_factor.method import KernelFactorMethod
from grnjax.methods.scregnet import ScRegNetMethod
from grnjax.progress import logger
from grnjax.tasks.link_prediction import run_study
from grnjax.tasks.loading import EmbeddedData, load_embedded
from grnjax.tasks.network_inference import InferenceConfig, infer, judge_hidden
from grnjax.tasks.split_fits import LinkPredictionConfig, SplitConfig, draw_splits

MESSAGES = "scRegNet, messages over train edges"
NO_MOTIFS = f"{KERNEL_FACTOR}, expression only"
KINDS = ("standard", "target-disjoint")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(LinkPredictionConfig):
    """The study; simulator seeds and model seeds are its sizes."""

    simulator_seeds: Seeds = (0, 1, 2, 3, 4)
    controls: tuple[str, ...] = ("expression-permuted",)


def main() -> None:
    """Measures what has not been measured yet."""
    config, results = begin(Config, "kernel_factor_simulated_networks")
    for simulator_seed in config.simulator_seeds:
        name = f"simulated {simulator_seed}"
        for kind in KINDS:
            where = {"set": name, "split": kind}
            whole = load_embedded(EmbeddedConfig(seed=simulator_seed, known_share=1.0))
            chosen = SplitConfig(kind=kind, draws=config.split.draws)
            splits = draw_splits(whole.dataset, chosen)
            ground = Splits(whole.dataset, splits)
            for split in splits:
                measure_trivial(results, where, ground, split)
            if not results.has(method=MESSAGES, **where):
                rows = run_study(whole.dataset, splits, config).rows
                with_messages = settings.replace(config, {"method.inputs.messages": "symmetric"})
                more = run_study(whole.dataset, splits, with_messages).rows
                rows += [{**x, "method": MESSAGES} for x in more if x["method"] == SCREGNET]
                results.add(rows, **where)
            if not results.has(method=PERMUTED, **where):
                results.add(kernel_factor_rows(whole, chosen), **where)
        embedded = load_embedded(EmbeddedConfig(seed=simulator_seed))
        expression = gather_evidence(embedded.dataset)
        both = [*expression, embedded.motifs]
        for method, given in {SCREGNET: [], NO_MOTIFS: expression, KERNEL_FACTOR: both}.items():
            where = {"set": name, "split": "infer, hidden"}
            if not (results.has(method=method, **where) and results.has(method=NEWEST, **where)):
                by = InferenceConfig(method=KernelFactorMethod() if given else ScRegNetMethod())
                network = infer(embedded.dataset, by, seed=0, evidence=given)
                hidden, names = judge_hidden(network, embedded.truth), {by.method.name(): method}
                for split, rows in {"infer, known": network.rows, "infer, hidden": hidden}.items():
                    named = [{**x, "method": names.get(x["method"], x["method"])} for x in rows]
                    results.add(named, set=name, split=split)
        logger.info("%s: done", name)


def kernel_factor_rows(embedded: EmbeddedData, config: SplitConfig) -> list[dict]:
    """The rows of the kernel factor model on draws of a split."""
    dataset, tfs = embedded.dataset, embedded.dataset.genes.tfs
    expression, rows = gather_evidence(dataset), []
    both = [*expression, embedded.motifs]
    for split in draw_splits(dataset, config):
        permuted = permute_evidence(both, split.draw)
        given = {NO_MOTIFS: expression, KERNEL_FACTOR: both, PERMUTED: permuted}
        for method, evidence in given.items():
            genes = len(dataset.genes.names)
            fits = fit_factors(evidence, tfs, genes, split, KernelFactorSettings())
            rows += [judge(method, split, seed, fit.logits(), tfs) for seed, fit, _ in fits]
    return rows


if __name__ == "__main__":
    run_program(main)
