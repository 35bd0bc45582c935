"""Transfer across data sets: a model trained on one cell type's labels, judged on another's.

Both data sets stand as tables over the union of their genes, joined by name; a gene that one of
them lacks is not measured there. A fit sees the source's features and labels. To score, it is
given the target's features, while learned vectors, degrees and messages stay the source's.

Networks of one species often share experiments, and a TF that both have may carry the same labels
twice. So every row is given for all TFs, for those that are label TFs of the source as well, and
for those that are not, beside an audit of how far the labels agree.
"""

import dataclasses
from pathlib import Path

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int

from grnjax.baselines.controls import identity_model, label_rows, scores_at
from grnjax.baselines.correlation import absolute_pearson
from grnjax.baselines.factors import FactorRidge, fit_factor_model
from grnjax.data.candidates import drop_unknown_tfs, list_candidates, list_split_tfs
from grnjax.data.expression_features import expression_statistics
from grnjax.data.genes import sort_pairs
from grnjax.data.label_matrix import LabelMatrix, label_matrix
from grnjax.data.names import count_names, list_names, match_names
from grnjax.errors import ConfigError
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evaluation.splits import check_split
from grnjax.evidence.expression import describe_expression
from grnjax.evidence.label_audit import audit_labels
from grnjax.evidence.types import Evidence
from grnjax.methods.method import MethodConfig
from grnjax.progress import logger
from grnjax.tasks.split_fits import (
    LinkPredictionConfig,
    build_problems,
    draw_splits,
    fit_requests,
    list_requests,
)
from grnjax.training.recorder import derive_seed
from grnjax.types import Dataset, GeneTable, LabelledPairs, Split


@dataclasses.dataclass(frozen=True, eq=False)
class TransferResults:
    """Rows (method, draw, seed, metrics) by the TFs they judge, and what the data sets share."""

    method: str
    rows: dict[str, list[dict]]  # of "all TFs", "shared TFs" and "unseen TFs"
    audit: list[dict]  # of each target TF, how far its labels agree with those of the source
    report: dict  # the genes in both and in either


@dataclasses.dataclass(frozen=True, eq=False)
class Placed:
    """A data set over the union of genes."""

    dataset: Dataset
    places: Int[np.ndarray, " gene"]  # where its own genes stand in the union
    labelled: LabelledPairs  # its label TFs with each of its own genes but themselves

    @property
    def labels(self) -> LabelMatrix:
        """Its labels, one row for each label TF."""
        tfs = np.unique(self.labelled.pairs[:, 0])
        return label_matrix(self.labelled, tfs, len(self.dataset.genes.names))

    def place_rows(self, rows: np.ndarray | None) -> np.ndarray | None:
        """Rows [gene, dim] of its own genes over the union, zeros for the others."""
        if rows is None:
            return None
        placed = np.zeros((len(self.dataset.genes.names), rows.shape[1]), np.float32)
        placed[self.places] = rows
        return placed


def transfer(
    source: Dataset,
    target: Dataset,
    config: LinkPredictionConfig,
    *,
    source_embedding: np.ndarray | None = None,
    target_embedding: np.ndarray | None = None,
    folder: Path | None = None,
    mesh: Mesh | None = None,
) -> TransferResults:
    """Trains on the source and judges on every pair of a label TF of the target with its genes.

    Validation is that part of a split of the source. The split's test part, of which transfer
    asks nothing, trains too. A control alters both data sets, each by random numbers of its own,
    so that nothing it altered carries over from one to the other.

    Args:
        source_embedding: frozen vectors [gene, dim] of the source's genes, in their order.
        target_embedding: those of the target's genes, from the same model.
        folder: run folder for checkpoints and metrics; None keeps nothing.
        mesh: devices that share each fit; None leaves it to one.

    Raises:
        ConfigError: features that two data sets cannot share, or a setting that transfer lacks.
        SplitError: a part of the source's split lacks a class.
    """
    method = config.method
    check_settings(config, source, target, source_embedding, target_embedding)
    splits = draw_splits(source, config.split)
    for split in splits:
        check_split(split)
    trained, judged, report = join_genes(source, target)
    audit = audit_labels(trained.labels, judged.labels, trained.dataset.genes.names)
    splits = [use_split(split, trained, judged) for split in splits]
    tfs = list_split_tfs(splits)
    learned_from = build_problems(
        trained.dataset,
        splits,
        config,
        evidence=describe(trained.dataset, tfs, method),
        embedding=trained.place_rows(source_embedding),
        folder=folder,
    )
    first = learned_from[splits[0].draw]
    asked_about = dataclasses.replace(
        first,
        dataset=judged.dataset,
        evidence=describe(judged.dataset, tfs, method),
        embedding=judged.place_rows(target_embedding),
    )
    method.check_transfer(first)
    method.check(first)
    scores = {}
    for split in splits:
        trivial = trivial_scores(trained.dataset.genes, judged.dataset.genes, split, tfs)
        scores[split.draw] = {(name, 0): values for name, values in trivial.items()}
    requests = list_requests(splits, learned_from, config)
    with method.open_recorder(folder, len(requests), "fitting") as recorder:
        for request, fit in fit_requests(requests, recorder, mesh=mesh):
            draw, problem = request.split.draw, asked_about
            if request.control is not None:
                problem = method.controls()[request.control](problem, derive_seed(draw, 1))
            scores[draw][request.row, request.seed] = fit.on(problem).scores(request.split.test)
    rows = {
        group: [row for split in splits for row in judge(split, among, scores[split.draw])]
        for group, among in group_pairs(trained, judged).items()
    }
    return TransferResults(method.name(), rows, audit, report)


def describe(dataset: Dataset, tfs: np.ndarray, method: MethodConfig) -> list[Evidence]:
    """What expression says that means the same in other cells, for a method that reads evidence."""
    if "evidence" not in method.READS or not dataset.genes.measured.any():
        return []
    return [describe_expression(dataset.genes, tfs, profile=False)]


def check_settings(
    config: LinkPredictionConfig,
    source: Dataset,
    target: Dataset,
    source_embedding: np.ndarray | None,
    target_embedding: np.ndarray | None,
) -> None:
    """Refuses data sets that share no features, and settings that transfer would ignore."""
    if "labels" not in config.method.READS:
        raise ConfigError(
            f"{config.method.name()} learns from no known edge, so it has nothing to transfer; "
            "rank the target by it with grnjax infer."
        )
    measured = [bool(dataset.genes.measured.any()) for dataset in (source, target)]
    if measured[0] != measured[1]:
        lacking = source if measured[1] else target
        raise ConfigError(
            f"{lacking.report['source']} has no expression and the other data set has: give "
            "expression of both or of neither."
        )
    widths = [None if e is None else e.shape[1] for e in (source_embedding, target_embedding)]
    if widths[0] != widths[1]:
        raise ConfigError(
            f"The embeddings of source and target have widths {widths[0]} and {widths[1]}: give "
            "both from one model, or none."
        )
    ignored = {
        "reference_selection": config.reference_selection,
        "reconstruct": config.reconstruct,
        "bootstrap": config.bootstrap,
        "split.kind=balanced": config.split.kind == "balanced",
    }
    given = [name for name, value in ignored.items() if value]
    if given:
        raise ConfigError(f"Transfer cannot have {', '.join(given)}: leave it out.")


def join_genes(source: Dataset, target: Dataset) -> tuple[Placed, Placed, dict]:
    """Both data sets over the union of their genes by name, and what was joined.

    A gene of both carries the source's spelling. Upper case joins the symbols of two species,
    which takes genes of the same symbol for orthologues: most are, some are not.
    """
    names, own = source.genes.names, target.genes.names
    match = match_names(own.tolist(), names.tolist())
    found = match.positions >= 0
    spelled = np.where(found, names[match.positions], own)
    union = np.union1d(names, spelled)
    report = {
        "source": source.report["source"],
        "target": target.report["source"],
        "genes_in_both": int(found.sum()),
        "only_in_source": count_names(np.setdiff1d(names, spelled)),
        "only_in_target": count_names(own[~found]),
        "case_rule": match.rule,
        "case_ambiguous": count_names(match.ambiguous),
        **match.report(target.report["source"]),
    }
    logger.info(
        "%(source)s to %(target)s: %(genes_in_both)d genes in both, joined by %(case_rule)s "
        "spelling",
        report,
    )
    for where in ("only_in_source", "only_in_target", "case_ambiguous"):
        count, first = report[where].values()
        if count:
            logger.info("genes %s: %d: %s", where.replace("_", " "), count, ", ".join(first))
    if not found.any():
        logger.warning(
            f"{report['source']} ({list_names(names)}) and {report['target']} "
            f"({list_names(own)}) have no gene in common: only features can transfer."
        )
    return place(source, names, union), place(target, spelled, union), report


def place(dataset: Dataset, spelled: np.ndarray, union: np.ndarray) -> Placed:
    """The data set over `union`, in which its genes are `spelled` so."""
    places, own = np.searchsorted(union, spelled), dataset.genes
    expression = np.zeros((len(own.expression), len(union)), np.float32)
    expression[:, places] = own.expression
    is_tf, measured = np.zeros((2, len(union)), bool)
    is_tf[places], measured[places] = own.is_tf, own.measured
    genes = GeneTable(union, is_tf, expression, measured)
    moved = Dataset(genes, place_pairs(dataset.known, places), dataset.report)
    labelled = drop_unknown_tfs(list_candidates(dataset))
    return Placed(moved, places, place_pairs(labelled, places))


def place_pairs(pairs: LabelledPairs, places: Int[np.ndarray, " gene"]) -> LabelledPairs:
    """The pairs with the union's gene indices, in the union's order."""
    return sort_pairs(places[pairs.pairs], pairs.labels)


def use_split(split: Split, trained: Placed, judged: Placed) -> Split:
    """All of the source's split but its validation to train on; every target pair to judge."""
    train = LabelledPairs(
        np.concatenate([split.train.pairs, split.test.pairs]),
        np.concatenate([split.train.labels, split.test.labels]),
    )
    return Split(
        train=place_pairs(train, trained.places),
        validation=place_pairs(split.validation, trained.places),
        test=judged.labelled,
        kind="transfer",
        draw=split.draw,
    )


def group_pairs(trained: Placed, judged: Placed) -> dict[str, np.ndarray]:
    """Masks of the target's pairs by what the source's labels say of their TF."""
    tfs = judged.labels.tfs
    is_shared = np.isin(judged.labelled.pairs[:, 0], trained.labels.tfs)
    groups = {"all TFs": np.ones_like(is_shared), "shared TFs": is_shared, "unseen TFs": ~is_shared}
    for group, among in groups.items():
        count = len(np.unique(judged.labelled.pairs[among, 0]))
        logger.info(f"{group}: {count:,} of {len(tfs):,}, {among.sum():,} pairs of the target")
    return groups


def trivial_scores(
    source: GeneTable, target: GeneTable, split: Split, tfs: Int[np.ndarray, " tf"]
) -> dict[str, Float[np.ndarray, " pair"]]:
    """Scores of the target's pairs by trivial methods fitted on the source's, over the union."""
    matrix = label_matrix(split.train, tfs, len(source.names))
    rows = label_rows(matrix)
    rows["ID-only rank 4"] = identity_model(matrix, split.validation)
    if target.measured.any():
        rows["absolute Pearson"] = absolute_pearson(target, tfs)
        rows["linear statistics"] = linear_statistics(source, target, matrix)
    return {name: scores_at(block, split.test, tfs) for name, block in rows.items()}


def linear_statistics(
    source: GeneTable, target: GeneTable, train: LabelMatrix
) -> Float[np.ndarray, "tf gene"]:
    """Ridge logistic on the five statistics, shared and per TF, given those of the target's genes.

    The target's genes stand after the source's, without train pairs.
    """
    genes = len(source.names)
    both = np.concatenate([expression_statistics(table) for table in (source, target)])
    unlabelled = np.zeros_like(train.labels)
    train = LabelMatrix(
        train.tfs,
        np.concatenate([train.labels, unlabelled], axis=1),
        np.concatenate([train.observed, unlabelled], axis=1),
    )
    logits = fit_factor_model(train, rank=0, ridge=FactorRidge(), features=both, target_bias=False)
    return logits[:, genes:]


def judge(split: Split, among: np.ndarray, scores: dict) -> list[dict]:
    """A results row of each method and seed on the pairs `among` those judged; none without any."""
    test = split.test.take(among)
    if not 0 < len(test.positives) < len(test):
        return []
    return [
        {"method": name, "draw": split.draw, "seed": seed}
        | evaluate_pairs(test.pairs, test.labels, values[among])
        for (name, seed), values in scores.items()
    ]
