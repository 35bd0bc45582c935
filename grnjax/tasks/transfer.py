"""Transfer across data sets: a model trained on one cell type's labels, judged on another's.

Both data sets stand as tables over the union of their genes, joined by name; a gene that one of
them lacks is not measured there. A fit sees the source's features and labels. To score, it is
given the target's features, while learned vectors, degrees and messages stay the source's.

Networks of one species often share experiments, and a TF that both have may carry the same labels
twice. So every row is given for all TFs, for those that are label TFs of the source as well, and
for those that are not, beside an audit of how far the labels agree.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from grnjax.baselines.controls import identity_model, label_rows, scores_at
from grnjax.baselines.correlation import absolute_pearson
from grnjax.baselines.factors import FactorRidge, fit_factor_model
from grnjax.data.candidates import drop_unknown_tfs, list_candidates
from grnjax.data.genes import sort_pairs
from grnjax.data.label_matrix import LabelMatrix, label_matrix
from grnjax.data.names import count_names, list_names, match_names
from grnjax.errors import ConfigError
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evaluation.splits import check_split
from grnjax.evidence.label_audit import audit_labels
from grnjax.graphs.build import pad_rows
from grnjax.models.gt_grn import GTGRNConfig
from grnjax.progress import logger
from grnjax.tasks.bench import Bench, Fitted, Request
from grnjax.tasks.inputs import InputConfig, node_features
from grnjax.tasks.link_prediction import LinkPredictionConfig, draw_splits, list_requests
from grnjax.tasks.model_kinds import name_row
from grnjax.training.recorder import FitRecorder, derive_seed
from grnjax.types import Dataset, GeneTable, LabelledPairs, Split

STATISTICS = InputConfig(nodes="statistics")


@dataclasses.dataclass(frozen=True, eq=False)
class TransferResults:
    """Rows (method, draw, seed, metrics) by the TFs they judge, and what the data sets share."""

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
) -> TransferResults:
    """Trains on the source and judges on every pair of a label TF of the target with its genes.

    Validation is that part of a split of the source. The split's test part, of which transfer
    asks nothing, trains too. A control alters both data sets, each by random numbers of its own,
    so that nothing it altered carries over from one to the other.

    Args:
        source_embedding: frozen vectors [gene, dim] of the source's genes, in their order.
        target_embedding: those of the target's genes, from the same model.

    Raises:
        ConfigError: features that two data sets cannot share, or a setting that transfer lacks.
        SplitError: a part of the source's split lacks a class.
    """
    check_settings(config, source, target, source_embedding, target_embedding)
    splits = draw_splits(source, config.split)
    for split in splits:
        check_split(split)
    trained, judged, report = join_genes(source, target)
    audit = audit_labels(trained.labels, judged.labels, trained.dataset.genes.names)
    splits = [use_split(split, trained, judged) for split in splits]
    bench = Bench(trained.dataset, splits, trained.place_rows(source_embedding))
    judging_bench = Bench(judged.dataset, splits, judged.place_rows(target_embedding))
    groups = group_pairs(trained, judged)
    rows: dict[str, list[dict]] = {group: [] for group in groups}
    scores: dict[int, dict] = {}  # of each draw, by method and seed
    for split in splits:
        trivial = trivial_scores(trained.dataset.genes, judged.dataset.genes, split, bench.tfs)
        scores[split.draw] = {(name, 0): values for name, values in trivial.items()}
    requests = list_requests(splits, config, {})
    with FitRecorder(None, len(requests), config.training.epochs, "fitting") as recorder:
        for request, fitted in zip(requests, bench.fit_all(recorder, requests), strict=True):
            split, method = request.split, name_row(request.settings)
            fitted = give_features(fitted, judging_bench, request)
            scores[split.draw][method, request.seed] = judging_bench.score(fitted, split.test)
    for split in splits:
        for group, among in groups.items():
            rows[group] += judge(split, among, scores[split.draw])
    return TransferResults(rows, audit, report)


def check_settings(
    config: LinkPredictionConfig,
    source: Dataset,
    target: Dataset,
    source_embedding: np.ndarray | None,
    target_embedding: np.ndarray | None,
) -> None:
    """Refuses features that two data sets cannot share, and settings that transfer would ignore."""
    measured = [bool(dataset.genes.measured.any()) for dataset in (source, target)]
    if measured[0] != measured[1]:
        lacking = source if measured[1] else target
        raise ConfigError(
            f"{lacking.report['source']} has no expression and the other data set has: give "
            "expression of both or of neither."
        )
    if measured[0] and config.inputs.nodes != "statistics":
        raise ConfigError(
            f"inputs.nodes={config.inputs.nodes} means something else in each data set: choose "
            "inputs.nodes=statistics."
        )
    widths = [None if e is None else e.shape[1] for e in (source_embedding, target_embedding)]
    if widths[0] != widths[1]:
        raise ConfigError(
            f"The embeddings of source and target have widths {widths[0]} and {widths[1]}: give "
            "both from one model, or none."
        )
    for control in config.controls:
        if control.startswith("embedding") and widths[0] is None:
            raise ConfigError(f"The control {control} needs an embedding of both data sets.")
    ignored = {
        "model=GT-GRN": isinstance(config.model, GTGRNConfig),
        "reference_selection": config.reference_selection,
        "choose": config.choose,
        "bootstrap": config.bootstrap,
        "inputs.unlabelled_weight": config.inputs.unlabelled_weight,
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
    both = np.concatenate([node_features(table, STATISTICS) for table in (source, target)])
    unlabelled = np.zeros_like(train.labels)
    train = LabelMatrix(
        train.tfs,
        np.concatenate([train.labels, unlabelled], axis=1),
        np.concatenate([train.observed, unlabelled], axis=1),
    )
    logits = fit_factor_model(train, rank=0, ridge=FactorRidge(), features=both, target_bias=False)
    return logits[:, genes:]


def give_features(fitted: Fitted, judging: Bench, request: Request) -> Fitted:
    """The fit with the target's features in place of the source's, and all else as it was."""
    inputs = judging.inputs(request.settings, derive_seed(request.split.draw, 1))
    nodes = len(inputs.genes.names) + 1
    embedding = np.zeros((nodes, 0)) if inputs.embedding is None else inputs.embedding
    genes = fitted.data.genes._replace(
        nodes=pad_rows(inputs.nodes, nodes),
        measured=pad_rows(inputs.genes.measured.astype(np.float32), nodes),
        embedding=pad_rows(embedding.astype(np.float32), nodes),
        tfs=np.asarray(inputs.tfs, np.int32),
    )
    return dataclasses.replace(
        fitted,
        inputs=dataclasses.replace(inputs, topology=fitted.inputs.topology),
        data=fitted.data._replace(genes=genes),
    )


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
