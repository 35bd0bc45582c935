"""GT-GRN on BEELINE's cell-type-specific networks, beside scRegNet and all trivial rows.

Run:     python -m experiments.gt_grn_beeline
         python -m experiments.gt_grn_beeline --sets Specific/mDC/TFs+500 --kinds standard
Cost:    not yet measured in full
Expect:  not yet measured

For each draw of each kind of split: the trivial rows, scRegNet with its defaults, GT-GRN in its
published form and in ours, and with the first seed ours with each input off and with each input
dealt out anew over genes. Both embeddings are made once a set, from expression alone, and kept in
--work; where expression is partial (hESC, mESC) a gene without has no expression embedding, and
the rows "measured genes" are on the genes that have it.

The published form has the published decoder, layers, learning rate and epochs, but what its code
leaves out is ours: the embeddings, and positions by a symmetric Laplacian. Self pairs are not
trained as edges, and all parameters are those of the best epoch.
"""

import dataclasses
import sys
import time
from pathlib import Path

from experiments.beeline_evidence import choose_genes
from experiments.record import ResultsFile
from experiments.studies import measure, measure_trivial
from grnjax import config as settings
from grnjax.data.benchmark import find_sets
from grnjax.data.expression import DataConfig
from grnjax.evaluation.splits import SplitKind
from grnjax.models.graph_transformer import GraphTransformerConfig
from grnjax.models.gt_grn import GTGRNConfig, faithful
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.progress import logger, start_logging
from grnjax.tasks.bench import Bench, FitSettings
from grnjax.tasks.gene_embeddings import GeneEmbeddingConfig, embed_dataset
from grnjax.tasks.gt_grn import GTGRNBench
from grnjax.tasks.inputs import InputConfig
from grnjax.tasks.link_prediction import MODEL as SCREGNET
from grnjax.tasks.link_prediction import SplitConfig, draw_splits
from grnjax.tasks.loading import load_folder
from grnjax.training.loop import TrainingConfig
from grnjax.types import Dataset, Split

MODEL = "GT-GRN"
INPUTS = {"expression": "expression", "global": "walks", "positions": "positions"}
PARTIAL = ("hESC", "mESC")  # sets with expression of a part of their genes


@dataclasses.dataclass(frozen=True, kw_only=True)
class GTGRNStudy:
    """GT-GRN and what it is held against, on sets of the benchmark root."""

    sets: tuple[str, ...] = ("Specific/mDC/TFs+500", "Specific/hESC/TFs+500",
                             "Specific/mESC/TFs+500")
    """Names or patterns of sets."""
    kinds: tuple[SplitKind, ...] = ("standard", "target-disjoint")
    """Kinds of split."""
    draws: tuple[int, ...] = (0, 1, 2, 3, 4)
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of our form; everything else takes the first."""
    data: DataConfig = DataConfig(split="draw")
    embeddings: GeneEmbeddingConfig = GeneEmbeddingConfig()
    work: Path = Path("gt-grn-work")
    """Keeps inferred networks and embeddings."""


def main() -> None:
    """Measures what has not been measured yet."""
    start_logging()
    study = settings.parse(GTGRNStudy, sys.argv[1:], program="gt_grn_beeline")
    results = ResultsFile("gt_grn_beeline")
    for pattern in study.sets:
        for found in find_sets(study.data.root, pattern):
            dataset, _ = load_folder(found.labels, study.data)
            measure_set(found.name, dataset, study, results)
            if found.cell in PARTIAL:
                measured = choose_genes(dataset, measured_only=True)
                measure_set(f"{found.name}, measured genes", measured, study, results)


def measure_set(name: str, dataset: Dataset, study: GTGRNStudy, results: ResultsFile) -> None:
    """The rows of one set that are not there yet."""
    folder = study.work / name.replace("/", "-")
    embeddings = embed_dataset(dataset.genes, study.embeddings, seed=0, folder=folder)
    for kind in study.kinds:
        begun = time.monotonic()
        splits = draw_splits(dataset, SplitConfig(kind=kind, draws=study.draws))
        where = {"set": name, "split": kind}
        beside, bench = Bench(dataset, splits, None), GTGRNBench(dataset, splits, embeddings)
        for split in splits:
            measure_trivial(results, where, beside, split)
            measure(results, where, beside, split, {SCREGNET: default_scregnet()}, study.seeds[:1])
            measure(results, where, bench, split, {MODEL: ours()}, study.seeds)
            measure(results, where, bench, split, variants(split), study.seeds[:1])
        logger.info("%s, %s: %.0f s", name, kind, time.monotonic() - begun)


def default_scregnet() -> FitSettings:
    """Our form of scRegNet, with its defaults."""
    return FitSettings(model=ScRegNetConfig(), inputs=InputConfig(), training=TrainingConfig())


def ours(**changes: object) -> FitSettings:
    """Our form of GT-GRN; its genes pass no messages, which cost precision where they act."""
    model = GTGRNConfig(transformer=GraphTransformerConfig(dropout=0.5))
    return FitSettings(
        model=dataclasses.replace(model, **changes),
        inputs=InputConfig(messages="none"),
        training=TrainingConfig(),
    )


def variants(split: Split) -> dict[str, FitSettings]:
    """The published form, and ours with messages, without an input or with one permuted."""
    given = {f"{MODEL}, published form": published(split)}
    given[f"{MODEL}, messages over train edges"] = dataclasses.replace(
        ours(), inputs=InputConfig(messages="symmetric")
    )
    for source, name in INPUTS.items():
        kept = tuple(other for other in INPUTS if other != source)
        given[f"{MODEL}, no {name}"] = ours(inputs=kept)
        control = f"{source}-permuted"
        given[f"{MODEL}, {name} permuted"] = dataclasses.replace(ours(), control=control)
    return given


def published(split: Split) -> FitSettings:
    """The published form; positives and negatives weigh the same in its loss."""
    positives = len(split.train.positives)
    return FitSettings(
        model=faithful(),
        inputs=InputConfig(
            messages="directed",
            negative_weight=min(1.0, positives / (len(split.train) - positives)),
        ),
        training=TrainingConfig(
            epochs=300,
            learning_rate=5e-5,
            weight_decay=0.0,
            unseen_share=0.0,
            evaluate_every=5,
            patience=60,
            select_on="auroc",
        ),
    )


if __name__ == "__main__":
    main()
