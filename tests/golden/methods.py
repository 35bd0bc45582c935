"""Golden scores: one seed of every method, as version 0.1.0 gave them before methods were one idea.

    python -m tests.golden.methods [small] [embedded] [mDC] [hESC] [transfer]

compares the scores by the present code with those in methods.json: to the last bit where the same
machine computes as did then (2 CPU cores, jax 0.10.2), else within rounding. The sets but the first
two are under $GRNJAX_DATA. About four minutes for all.

The scores of the small set, which the tests compare, were recorded later (`small --record`), with
few optimisations, by code that gave those of the embedded set as version 0.1.0 did.
"""

import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
from scipy.stats import spearmanr

from grnjax.config import replace
from grnjax.data.candidates import list_split_tfs
from grnjax.data.expression import DataConfig
from grnjax.data.simulator import EmbeddedConfig, SimulatorConfig
from grnjax.evidence.expression import describe_expression
from grnjax.evidence.gather import gather_evidence
from grnjax.methods.expression_only import GENIE3Method, GRNBoost2Method, score_genes
from grnjax.methods.gt_grn.embeddings import GeneEmbeddingConfig
from grnjax.methods.gt_grn.method import GTGRNMethod
from grnjax.methods.kernel_factor.method import KernelFactorMethod
from grnjax.methods.method import MethodConfig
from grnjax.methods.pair_models import PairInputConfig
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod
from grnjax.models.gat import GATConfig
from grnjax.models.gt_grn import GTGRNConfig
from grnjax.models.kernel_factor import KernelFactorConfig
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.tasks.loading import EmbeddedData, load_embedded, load_folder
from grnjax.tasks.network_inference import InferenceConfig, infer
from grnjax.tasks.split_fits import (
    LinkPredictionConfig,
    SplitConfig,
    build_problems,
    draw_splits,
    fit_requests,
    list_requests,
)
from grnjax.tasks.transfer import transfer
from grnjax.training.expression_embedding import EmbeddingTrainingConfig
from grnjax.training.factor_ensemble import EnsembleConfig
from grnjax.training.kernel_weights import KernelWeightConfig
from grnjax.training.pair_objective import TrainingConfig
from grnjax.training.recorder import FitRecorder
from grnjax.training.walk_training import WalkTrainingConfig
from grnjax.types import Dataset

GOLDEN = Path(__file__).parent / "methods.json"
CELLS = ("mDC", "hESC")
SAMPLE = 32
METRICS = ("auroc", "average_precision", "within_tf_auroc", "swap_micro")
QUICK = TrainingConfig(epochs=20)
KERNEL_FACTOR = KernelFactorMethod(
    model=KernelFactorConfig(neighbours=()),  # as before there were nearest genes
    training=EnsembleConfig(steps=60),
    kernels=KernelWeightConfig(episodes=4),
)
SCREGNET = ScRegNetMethod(
    model=ScRegNetConfig(encoder=GATConfig(), topology=True),
    inputs=InputConfig(messages="symmetric"),
    training=TrainingConfig(epochs=20, edge_folds=2),
)
GT_GRN = GTGRNMethod(
    model=GTGRNConfig(inputs=("expression", "global", "positions"), new_targets=True),
    inputs=PairInputConfig(messages="symmetric"),
    training=QUICK,
    embeddings=GeneEmbeddingConfig(
        networks=("pearson",),
        expression=EmbeddingTrainingConfig(epochs=25),
        walks=WalkTrainingConfig(walks_a_node=2, evaluate_every=50),
    ),
)
EXPRESSION_ONLY = {
    "pearson": "pearson",
    "spearman": "spearman",
    "mutual-information": "mutual-information",
    "pidc": "pidc",
    "genie3": GENIE3Method(trees=10),
    "grnboost2": GRNBoost2Method(rounds=20),
}
CONTROLS = {
    "scRegNet": ("expression-permuted", "labels-rewired"),
    "GT-GRN": ("global-permuted", "positions-permuted"),
}
SMALL = EmbeddedConfig(
    simulator=SimulatorConfig(
        genes=80, tfs=10, master_regulators=4, cells=150, tfs_per_programme=3, steps=100
    )
)
SMALL_GT_GRN = replace(
    GT_GRN,
    {
        "model.transformer.layers": 1,
        "model.transformer.width": 16,
        "embeddings.autoencoder.widths": (16,),
        "embeddings.autoencoder.dim": 8,
        "embeddings.walks.model.layers": 1,
        "embeddings.walks.model.width": 16,
        "embeddings.walks.model.feed_forward": 16,
        "embeddings.walks.walks_a_node": 5,
        "embeddings.walks.held_out_walks": 256,
        "embeddings.walks.vector_walks": 2,
    },
)

Scores = Iterator[tuple[str, np.ndarray]]


def infer_embedded(embedded: EmbeddedData, set_name: str = "embedded") -> Scores:
    """Mean logits and probabilities of `infer` on a simulated set."""
    evidence = [*gather_evidence(embedded.dataset), embedded.motifs]
    for method, given in ((KERNEL_FACTOR, evidence), (SCREGNET, ())):
        config = InferenceConfig(method=method, repeats=2, folds=2)
        network = infer(embedded.dataset, config, seed=0, evidence=given)
        name = f"{set_name}/infer/{method.name()}"
        yield name, network.scores[method.name()]
        yield f"{name}/probability", network.edges["probability"].to_numpy()


def score_expression(name: str, dataset: Dataset) -> Scores:
    """Scores of all pairs by every method that reads expression alone."""
    for key, method in EXPRESSION_ONLY.items():
        yield f"{name}/scores/{key}", score_genes(dataset.genes, method, seed=0)


def train(name: str, dataset: Dataset, gt_grn: GTGRNMethod = GT_GRN) -> Scores:
    """Scores of test pairs by every method that learns, and by some of its controls."""
    splits = draw_splits(dataset, SplitConfig(draws=(0,)))
    for method in (SCREGNET, gt_grn):
        config = LinkPredictionConfig(method=method, controls=CONTROLS[method.name()])
        problems = build_problems(dataset, splits, config)
        problems = {draw: method.prepare(problem) for draw, problem in problems.items()}
        requests = list_requests(splits, problems, config)
        with FitRecorder(None, len(requests), 1, name) as recorder:
            for request, fit in fit_requests(requests, recorder):
                key = f"{name}/train/{method.name()}/{request.label}"
                yield key, fit.scores(request.split.test)
    evidence = [describe_expression(dataset.genes, list_split_tfs(splits))]
    config = LinkPredictionConfig(method=KERNEL_FACTOR)
    whole = build_problems(dataset, splits, config, evidence=evidence)[0]
    part = dataclasses.replace(whole.parts[0], name="fit", seed=0)
    control = "evidence-permuted"
    permuted = KERNEL_FACTOR.controls()[control](whole, 0)
    for label, problem in (("model", whole), (control, permuted)):
        with FitRecorder(None, 1, 1, name) as recorder:
            [fit] = KERNEL_FACTOR.fit_all(problem, [part], recorder)
        yield f"{name}/train/kernel-factor/{label}", fit.scores(splits[0].test)


def transfer_scregnet(source: Dataset, target: Dataset) -> Scores:
    """Metrics of scRegNet on another data set."""
    inputs = InputConfig(nodes="statistics", messages="symmetric")
    method: MethodConfig = dataclasses.replace(SCREGNET, inputs=inputs)
    for group, rows in transfer(source, target, LinkPredictionConfig(method=method)).rows.items():
        row = next(row for row in rows if row["method"] == "scRegNet")
        yield f"transfer/{group}", np.array([row[key] for key in METRICS], float)


def score_small() -> Scores:
    """What is recorded of the small set."""
    embedded = load_embedded(SMALL)
    yield from infer_embedded(embedded, "small")
    yield from score_expression("small", embedded.dataset)
    yield from train("small", embedded.dataset, SMALL_GT_GRN)


def name_cpu() -> str:
    """A name of what this CPU can do, and of who made it; empty where Linux does not say."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    told = {line for line in lines if line.startswith(("vendor_id", "flags"))}
    return hashlib.sha256("".join(sorted(told)).encode()).hexdigest() if told else ""


def record(cases: Scores) -> None:
    """Writes scores into methods.json, a line each, and on what CPU they were made."""
    golden = json.loads(GOLDEN.read_text()) | {"small/cpu": name_cpu()}
    for name, scores in cases:
        scores = np.ascontiguousarray(scores)
        flat = scores.ravel()
        golden[name] = {
            "shape": scores.shape,
            "dtype": str(scores.dtype),
            "sha256": hashlib.sha256(scores).hexdigest(),
            "mean": float(flat.mean()),
            "sample": flat[np.linspace(0, len(flat) - 1, SAMPLE).astype(int)].tolist(),
        }
    lines = [f" {json.dumps(name)}: {json.dumps(entry)}" for name, entry in golden.items()]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def is_recorded_cpu() -> bool:
    """Whether the scores of the small set were recorded on a CPU like this one."""
    return json.loads(GOLDEN.read_text())["small/cpu"] == name_cpu()


def compare(name: str, scores: np.ndarray) -> tuple[bool, float, float]:
    """Whether the scores have the golden bits; of a sample, the largest difference and how alike.

    The difference is a share of the largest score; how alike is the rank correlation.
    """
    golden = json.loads(GOLDEN.read_text())[name]
    scores = np.ascontiguousarray(scores)
    assert list(scores.shape) == golden["shape"], name
    flat = scores.ravel()
    sample = flat[np.linspace(0, len(flat) - 1, len(golden["sample"])).astype(int)]
    same = hashlib.sha256(scores).hexdigest() == golden["sha256"]
    expected = np.array(golden["sample"])
    worst = float(np.abs(sample - expected).max() / np.abs(expected).max())
    return same, worst, float(spearmanr(sample, expected).statistic)


def main(chosen: list[str]) -> None:
    """Prints a line for each array of scores."""
    if "small" in chosen:
        jax.config.update("jax_disable_most_optimizations", True)
        if "--record" in chosen:
            return record(score_small())
    chosen = chosen or ["embedded", *CELLS, "transfer"]
    datasets = {}
    for cell in CELLS if set(chosen) & {*CELLS, "transfer"} else ():
        datasets[cell] = load_folder(f"Specific/{cell}/TFs+500", DataConfig(split="draw"))[0]
    cases = []
    if "small" in chosen:
        cases.append(score_small())
    if "embedded" in chosen:
        embedded = load_embedded(EmbeddedConfig())
        cases += [infer_embedded(embedded), score_expression("embedded", embedded.dataset)]
        cases += [train("embedded", embedded.dataset)]
    for cell in (cell for cell in CELLS if cell in chosen):
        cases += [score_expression(cell, datasets[cell]), train(cell, datasets[cell])]
    if "transfer" in chosen:
        cases.append(transfer_scregnet(*datasets.values()))
    for scores in cases:
        for name, values in scores:
            same, worst, _ = compare(name, values)
            print("same bits" if same else f"differs by up to {worst:.2g}", name, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
