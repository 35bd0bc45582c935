"""Golden scores: one seed of every method, as version 0.1.0 gave them before methods were one idea.

    python -m tests.golden.methods [embedded] [mDC] [hESC] [transfer]

compares the scores by the present code with those in methods.json: to the last bit where the same
machine computes as did then (2 CPU cores, jax 0.10.2), else within rounding. The sets but the
embedded one are under $GRNJAX_DATA. About four minutes for all.
"""

import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from grnjax.data.candidates import list_split_tfs
from grnjax.data.expression import DataConfig
from grnjax.data.simulator import EmbeddedConfig
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
METRICS = ("auroc", "average_precision", "within_tf_auroc", "swap_micro")
QUICK = TrainingConfig(epochs=20)
KERNEL_FACTOR = KernelFactorMethod(
    training=EnsembleConfig(steps=60), kernels=KernelWeightConfig(episodes=4)
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
    SCREGNET: ("expression-permuted", "labels-rewired"),
    GT_GRN: ("global-permuted", "positions-permuted"),
}

Scores = Iterator[tuple[str, np.ndarray]]


def infer_embedded(embedded: EmbeddedData) -> Scores:
    """Mean logits and probabilities of `infer` on the embedded set."""
    evidence = [*gather_evidence(embedded.dataset), embedded.motifs]
    for method, given in ((KERNEL_FACTOR, evidence), (SCREGNET, ())):
        config = InferenceConfig(method=method, repeats=2, folds=2)
        network = infer(embedded.dataset, config, seed=0, evidence=given)
        name = f"embedded/infer/{method.name()}"
        yield name, network.scores[method.name()]
        yield f"{name}/probability", network.edges["probability"].to_numpy()


def score_expression(name: str, dataset: Dataset) -> Scores:
    """Scores of all pairs by every method that reads expression alone."""
    for key, method in EXPRESSION_ONLY.items():
        yield f"{name}/scores/{key}", score_genes(dataset.genes, method, seed=0)


def train(name: str, dataset: Dataset) -> Scores:
    """Scores of test pairs by every method that learns, and by some of its controls."""
    splits = draw_splits(dataset, SplitConfig(draws=(0,)))
    for method, controls in CONTROLS.items():
        config = LinkPredictionConfig(method=method, controls=controls)
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


def compare(name: str, scores: np.ndarray) -> tuple[bool, float]:
    """Whether the scores have the golden bits, and the largest difference in a sample of them.

    The difference is a share of the largest score.
    """
    golden = json.loads(GOLDEN.read_text())[name]
    scores = np.ascontiguousarray(scores)
    assert list(scores.shape) == golden["shape"], name
    flat = scores.ravel()
    sample = flat[np.linspace(0, len(flat) - 1, len(golden["sample"])).astype(int)]
    same = hashlib.sha256(scores).hexdigest() == golden["sha256"]
    expected = np.array(golden["sample"])
    return same, float(np.abs(sample - expected).max() / np.abs(expected).max())


def main(chosen: list[str]) -> None:
    """Prints a line for each array of scores."""
    chosen = chosen or ["embedded", *CELLS, "transfer"]
    datasets = {}
    for cell in CELLS if set(chosen) & {*CELLS, "transfer"} else ():
        datasets[cell] = load_folder(f"Specific/{cell}/TFs+500", DataConfig(split="draw"))[0]
    cases = []
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
            same, worst = compare(name, values)
            print("same bits" if same else f"differs by up to {worst:.2g}", name, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
