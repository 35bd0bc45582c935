"""GT-GRN on BEELINE's cell-type-specific networks, beside scRegNet and all trivial rows.

Run:     python -m experiments.gt_grn.beeline
         python -m experiments.gt_grn.beeline --sets Specific/mDC/TFs+500 --kinds standard
Cost:    about 70 min on two cores with one process for each kind of split, 2 GB each; give both the
         same --work only once the embeddings are in it
Expect:  AP/swap of the mean of three fits, standard: mDC .216/.635, hESC .634/.647, mESC .892/.821
         (ID-only rank 4 .213/.636, .627/.619, .891/.813); unseen targets: .146/.595, .513/.575,
         .800/.606 (linear expression .140/.553, .509/.552, .774/.614)

For each draw of each kind of split: the trivial rows, scRegNet with its defaults, GT-GRN in its
published form and in ours, of which there are two, for known and for new targets: single fits, and
the mean of their logits over seeds. With the first seed follows the form that the split is for,
with each input off, with each permuted over genes, and with what it leaves out by default.
Both embeddings are made once a set, from expression alone, and kept in --work. Where expression is
partial (hESC, mESC) a gene without has no expression embedding, and the rows "measured genes" are
on the genes that have it. There "no expression" also hides which genes have it, and "expression
permuted" does not. "No identity" leaves out the identity term and, of the form for new targets,
what is mapped into it; that form keeps its linear weights.

The published form has the published decoder, layers, learning rate and epochs, but what its code
leaves out is ours: the embeddings, and positions by a symmetric Laplacian. Self pairs are not
trained as edges, and all parameters are those of the best epoch.
"""

import dataclasses
import sys
import time
from pathlib import Path

import numpy as np

from experiments.shared.beeline_evidence import choose_genes
from experiments.shared.record import ResultsFile
from experiments.shared.studies import (
    SCREGNET,
    Splits,
    Variant,
    measure,
    measure_reconstruction,
    measure_trivial,
)
from grnjax import config as settings
from grnjax.config import Seeds, Settings
from grnjax.data.expression import DataConfig
from grnjax.data.sets import find_sets
from grnjax.evaluation.splits import SplitKind
from grnjax.graphs.positional import PositionConfig
from grnjax.methods.gt_grn.embeddings import GeneEmbeddingConfig, GeneEmbeddings, embed_dataset
from grnjax.methods.gt_grn.method import GTGRNMethod, Prepared
from grnjax.methods.pair_models import PairInputConfig
from grnjax.methods.scregnet import ScRegNetMethod
from grnjax.models.gt_grn import GTGRNConfig, faithful
from grnjax.progress import logger, start_logging
from grnjax.tasks.loading import load_folder
from grnjax.training.pair_objective import TrainingConfig
from grnjax.types import Dataset, Split

MODEL = "GT-GRN"
KNOWN, NEW = f"{MODEL}, known targets", f"{MODEL}, new targets"  # its two forms
FORM_OF = {"standard": KNOWN, "target-disjoint": NEW}  # the form that a split is for
MEAN = ", mean of seeds"
PARTIAL = ("hESC", "mESC")  # sets with expression of a part of their genes


@dataclasses.dataclass(frozen=True, kw_only=True)
class GTGRNStudy(Settings):
    """GT-GRN and what it is held against, on sets of the benchmark root."""

    sets: tuple[str, ...] = (
        "Specific/mDC/TFs+500",
        "Specific/hESC/TFs+500",
        "Specific/mESC/TFs+500",
    )
    """Names or patterns of sets."""
    kinds: tuple[SplitKind, ...] = ("standard", "target-disjoint")
    """Kinds of split."""
    draws: Seeds = (0, 1, 2, 3, 4)
    seeds: Seeds = (0, 1, 2)
    """Seeds of our forms; everything else takes the first."""
    reconstructed: tuple[str, ...] = ("Specific/mDC/TFs+500",)
    """Sets whose whole network is reconstructed."""
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
            measure_set(found.name, dataset, study, results, ablate=True)
            if found.cell in PARTIAL:
                measured = choose_genes(dataset, measured_only=True)
                name = f"{found.name}, measured genes"
                measure_set(name, measured, study, results, ablate=False)


def measure_set(
    name: str, dataset: Dataset, study: GTGRNStudy, results: ResultsFile, *, ablate: bool
) -> None:
    """The rows of one set that are not there yet."""
    folder = study.work / name.replace("/", "-")
    embeddings = embed_dataset(dataset.genes, study.embeddings, seed=0, folder=folder)
    for kind in study.kinds:
        begun = time.monotonic()
        splits = draw_splits(dataset, SplitConfig(kind=kind, draws=study.draws))
        where = {"set": name, "split": kind}
        beside, ground = Splits(dataset, splits), embedded_splits(dataset, splits, embeddings)
        for split in splits:
            measure_trivial(results, where, beside, split)
            measure(results, where, beside, split, {SCREGNET: ScRegNetMethod()}, study.seeds[:1])
            measure_ours(results, where, ground, split, study.seeds)
            form = {f"{MODEL}, published form": published(split, embeddings)}
            measure(results, where, ground, split, form, study.seeds[:1])
            if ablate and kind in FORM_OF:
                changes = ablations(FORM_OF[kind])
                measure(results, where, ground, split, changes, study.seeds[:1])
            if kind == "standard" and name in study.reconstructed:
                measure_reconstruction(results, name, ground, split, KNOWN, forms()[KNOWN])
        logger.info("%s, %s: %.0f s", name, kind, time.monotonic() - begun)


def embedded_splits(dataset: Dataset, splits: list[Split], embeddings: GeneEmbeddings) -> Splits:
    """The splits with the embeddings of their genes, for fits of GT-GRN."""
    every = np.arange(len(dataset.genes.names))
    return Splits(dataset, splits, prepared=Prepared(embeddings, every))


def measure_ours(
    results: ResultsFile, where: dict, ground: Splits, split: Split, seeds: tuple[int, ...]
) -> None:
    """Fits both forms and appends the rows of their fits and of the mean of these."""
    for name, form in forms().items():
        if results.has(method=name + MEAN, draw=split.draw, **where):
            continue
        fits = ground.fit(Variant(method=form), [split], seeds, f"{where['set']}, {where['split']}")
        scores = [fitted.scores(split.test) for _, _, fitted in fits]
        rows = [ground.judge(name, split, seed, x) for seed, x in zip(seeds, scores, strict=True)]
        rows.append(ground.judge(name + MEAN, split, seeds[0], np.mean(scores, axis=0)))
        results.add(rows, **where)


def forms() -> dict[str, GTGRNMethod]:
    """Our two forms: for targets that have train pairs, and for those without."""
    return {KNOWN: GTGRNMethod(), NEW: GTGRNMethod(model=GTGRNConfig(new_targets=True))}


def ablations(name: str) -> dict[str, Variant]:
    """A form without an input, with one permuted, or with what it leaves out by default."""
    form = forms()[name]

    def change(control: str | None = None, **fields: object) -> Variant:
        model = dataclasses.replace(form.model, **fields)
        return Variant(method=dataclasses.replace(form, model=model), control=control)

    placed = {"inputs": ("expression", "global", "positions")}
    messages = PairInputConfig(messages="symmetric")
    changed = {
        "no expression": change(inputs=("global",), coexpression=False),
        "expression permuted": change("expression-permuted"),
        "no co-expression": change(coexpression=False),
        "no walks": change(inputs=("expression",)),
        "walks permuted": change("global-permuted"),
        "expression and walks permuted": change("embeddings-permuted"),
        "with positions": change(**placed),
        "with positions, permuted": change("positions-permuted", **placed),
        "with messages": Variant(method=dataclasses.replace(form, inputs=messages)),
        "no identity": change(identity_rank=0),
    }
    return {f"{name}, {title}": variant for title, variant in changed.items()}


def published(split: Split, embeddings: GeneEmbeddings) -> GTGRNMethod:
    """The published form; positives and negatives weigh the same in its loss.

    It has as many eigenvectors as an embedding is wide.
    """
    positives, width = len(split.train.positives), embeddings.expression.shape[1]
    return GTGRNMethod(
        model=faithful(),
        positions=PositionConfig(eigenvectors=width, walks=0, degrees=False),
        inputs=PairInputConfig(
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
