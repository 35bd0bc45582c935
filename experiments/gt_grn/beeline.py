"""GT-GRN on BEELINE's cell-type-specific networks, beside scRegNet and all trivial rows.

Run:     python -m experiments.gt_grn.beeline
         python -m experiments.gt_grn.beeline --sets Specific/mDC/TFs+500 --kinds standard
Cost:    about 70 min on two cores with one process for each kind of split, 2 GB each; give both the
         same --work only once the embeddings are in it
Expect:  AP/swap of the mean of three fits, standard: mDC .216/.635, hESC .634/.647, mESC .892/.821
         (ID-only rank 4 .213/.636, .627/.619, .891/.813); unseen targets: .146/.595, .513/.575,
         .800/.606 (linear expression .140/.553, .509/.552, .774/.614)
"""

import dataclasses
import time
from pathlib import Path

import numpy as np

from experiments.shared.beeline_evidence import choose_genes
from experiments.shared.record import ResultsFile
from experiments.shared.studies import (
    SCREGNET,
    GridConfig,
    Splits,
    Variant,
    begin,
    measure,
    measure_reconstruction,
    measure_trivial,
    run_program,
)
from grnjax.config import Seeds
from grnjax.graphs.positional import PositionConfig
from grnjax.methods.gt_grn.embeddings import GeneEmbeddingConfig, GeneEmbeddings, embed_dataset
from grnjax.methods.gt_grn.method import GTGRNMethod, Prepared
from grnjax.methods.pair_models import PairInputConfig
from grnjax.methods.scregnet import ScRegNetMethod
from grnjax.models.gt_grn import GTGRNConfig, faithful
from grnjax.progress import logger
from grnjax.training.pair_objective import TrainingConfig
from grnjax.types import Dataset, Split

MODEL = "GT-GRN"
KNOWN, NEW = f"{MODEL}, known targets", f"{MODEL}, new targets"  # its two forms
FORM_OF = {"standard": KNOWN, "target-disjoint": NEW}  # the form that a split is for
PARTIAL = ("hESC", "mESC")  # sets with expression of a part of their genes


@dataclasses.dataclass(frozen=True, kw_only=True)
class GTGRNStudy(GridConfig):
    """GT-GRN and what it is held against; all but our forms take the first seed."""

    sets: tuple[str, ...] = tuple(f"Specific/{cell}/TFs+500" for cell in ("mDC", "hESC", "mESC"))
    seeds: Seeds = (0, 1, 2)
    reconstructed: tuple[str, ...] = ("Specific/mDC/TFs+500",)
    """Sets whose whole network is reconstructed."""
    embeddings: GeneEmbeddingConfig = GeneEmbeddingConfig()
    work: Path = Path("gt-grn-work")
    """Keeps inferred networks and embeddings."""


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(GTGRNStudy, "gt_grn_beeline")
    for found, dataset in study.find():
        measure_set(found.name, dataset, study, results, ablate=True)
        if found.cell in PARTIAL:
            measured = choose_genes(dataset, measured_only=True)
            measure_set(f"{found.name}, measured genes", measured, study, results, ablate=False)


def measure_set(
    name: str, dataset: Dataset, study: GTGRNStudy, results: ResultsFile, *, ablate: bool
) -> None:
    """The rows of one set that are not there yet."""
    folder = study.work / name.replace("/", "-")
    embeddings = embed_dataset(dataset.genes, study.embeddings, seed=0, folder=folder)
    for kind in study.kinds:
        changes = ablations(FORM_OF[kind]) if ablate and kind in FORM_OF else {}
        beside = Splits(dataset, study.split(dataset, kind))
        measure_kind(results, name, beside, embeddings, study, changes, whole=KNOWN)


def measure_kind(
    results: ResultsFile,
    name: str,
    beside: Splits,
    embeddings: GeneEmbeddings,
    study: GTGRNStudy,
    changes: dict[str, Variant],
    *,
    whole: str,
) -> None:
    """Trivial rows, scRegNet and GT-GRN on the splits of one kind.

    Args:
        changes: variants of our forms.
        whole: the form that reconstructs whole networks.
    """
    begun, first = time.monotonic(), study.seeds[:1]
    ground = embedded_splits(beside.dataset, beside.splits, embeddings)
    for split in beside.splits:
        where = {"set": name, "split": split.kind}
        measure_trivial(results, where, beside, split)
        measure(results, where, beside, split, {SCREGNET: ScRegNetMethod()}, first)
        measure(results, where, ground, split, forms(), study.seeds, mean=True)
        form = {f"{MODEL}, published form": published(split, embeddings)}
        measure(results, where, ground, split, form | changes, first)
        if split.kind == "standard" and name in study.reconstructed:
            measure_reconstruction(results, name, ground, split, whole, forms()[whole])
    logger.info("%s, %s: %.0f s", name, split.kind, time.monotonic() - begun)


def embedded_splits(dataset: Dataset, splits: list[Split], embeddings: GeneEmbeddings) -> Splits:
    """The splits with the embeddings of their genes, for fits of GT-GRN."""
    every = np.arange(len(dataset.genes.names))
    return Splits(dataset, splits, prepared=Prepared(embeddings, every))


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
    weight = min(1.0, positives / (len(split.train) - positives))
    schedule = {"epochs": 300, "learning_rate": 5e-5, "weight_decay": 0.0, "unseen_share": 0.0}
    return GTGRNMethod(
        model=faithful(),
        positions=PositionConfig(eigenvectors=width, walks=0, degrees=False),
        inputs=PairInputConfig(messages="directed", negative_weight=weight),
        training=TrainingConfig(**schedule, evaluate_every=5, patience=60, select_on="auroc"),
    )


if __name__ == "__main__":
    run_program(main)
