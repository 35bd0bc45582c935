"""What a model learnt on one data set it says of another by gene name, and by features."""

import dataclasses

import anndata
import numpy as np
import pandas as pd
import pytest

from grnjax.data.candidates import list_split_tfs
from grnjax.data.expression import DataConfig
from grnjax.data.simulator import SimulatorConfig, simulate
from grnjax.errors import ConfigError
from grnjax.methods.expression_only import GENIE3Method
from grnjax.methods.gt_grn.method import GTGRNMethod
from grnjax.methods.kernel_factor.method import KernelFactorMethod
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod, node_features
from grnjax.progress import logger
from grnjax.tasks.loading import load_dataset
from grnjax.tasks.split_fits import (
    LinkPredictionConfig,
    SplitConfig,
    build_problems,
    draw_splits,
    fit_requests,
    list_requests,
)
from grnjax.tasks.transfer import describe, join_genes, transfer, use_split
from grnjax.training.factor_ensemble import EnsembleConfig
from grnjax.training.keeper import FitResult
from grnjax.training.kernel_weights import KernelWeightConfig
from grnjax.training.pair_objective import TrainingConfig
from grnjax.training.recorder import FitRecorder
from grnjax.types import Dataset, GeneTable, LabelledPairs

STATISTICS = InputConfig(nodes="statistics")
METHOD = ScRegNetMethod(inputs=STATISTICS, training=TrainingConfig(epochs=100, evaluate_every=20))
CONFIG = LinkPredictionConfig(method=METHOD)
FACTORS = LinkPredictionConfig(
    method=KernelFactorMethod(
        training=EnsembleConfig(steps=60), kernels=KernelWeightConfig(episodes=4)
    )
)
MODEL = METHOD.name()
PERMUTED = f"{MODEL}, expression permuted"


class NoTraining:
    """Stands for a recorder: every fit ends before it starts."""

    def fit_all(self, trainer, jobs):
        for job in jobs:
            yield FitResult({}, 0, 0.5, 0), job.build()


def with_method(**changes):
    """The settings with these settings of the method."""
    return dataclasses.replace(CONFIG, method=dataclasses.replace(METHOD, **changes))


def rename(dataset, change):
    """The data set under other names, in the order of these."""
    names = np.array([change(name) for name in dataset.genes.names])
    order = np.argsort(names)
    return reorder(
        dataclasses.replace(dataset, genes=dataclasses.replace(dataset.genes, names=names)), order
    )


def reorder(dataset, order):
    """The data set with its genes in another order."""
    genes, known = dataset.genes, dataset.known
    table = GeneTable(
        genes.names[order], genes.is_tf[order], genes.expression[:, order], genes.measured[order]
    )
    pairs = np.argsort(order)[known.pairs].astype(np.int32)
    return Dataset(table, LabelledPairs(pairs, known.labels), dataset.report)


def without_expression(dataset):
    genes = dataset.genes
    nothing = np.zeros((0, len(genes.names)), np.float32), np.zeros(len(genes.names), bool)
    table = GeneTable(genes.names, genes.is_tf, *nothing)
    return Dataset(table, dataset.known, dataset.report)


def by_method(rows, metric):
    return {row["method"]: row[metric] for row in rows}


def as_names(dataset, pairs):
    return {tuple(pair) for pair in dataset.genes.names[pairs].tolist()}


@pytest.mark.slow
def test_a_data_set_transfers_to_itself_as_to_what_it_has_learnt(dataset):
    results = transfer(dataset, dataset, CONFIG)
    auroc = by_method(results.rows["all TFs"], "auroc")
    assert auroc[MODEL] > 0.8 and auroc["ID-only rank 4"] > 0.8
    assert auroc["additive logistic"] > auroc["TF rate"] > 0.55
    assert results.rows["shared TFs"] == results.rows["all TFs"]
    assert results.rows["unseen TFs"] == []
    assert all(row["phi"] == pytest.approx(1) for row in results.audit)
    assert results.report["genes_in_both"] == len(dataset.genes.names)


@pytest.mark.slow
def test_without_a_common_name_or_expression_nothing_transfers(dataset, monkeypatch, caplog):
    monkeypatch.setattr(logger, "propagate", True)
    nameless = without_expression(dataset)
    stranger = rename(nameless, lambda name: f"{name}-other")
    results = transfer(nameless, stranger, CONFIG)
    assert "no gene in common" in caplog.text
    assert results.rows["shared TFs"] == []
    rows = results.rows["unseen TFs"]
    silent = ("TF rate", "target rate", "degree product", "nearest TF profile", MODEL)
    for metric in ("auroc", "within_tf_auroc", "swap_micro"):
        figures = by_method(rows, metric)
        assert [figures[method] for method in silent] == [0.5] * len(silent)


@pytest.mark.slow
def test_target_features_are_those_a_model_is_given_when_names_are_new(dataset):
    """Other names and the same expression: features say what they can, identity nothing."""
    stranger = rename(dataset, lambda name: f"{name}-other")
    results = transfer(dataset, stranger, CONFIG)
    rows = results.rows["unseen TFs"]
    assert by_method(rows, "auroc")[MODEL] > 0.6
    assert by_method(rows, "auroc")["ID-only rank 4"] < 0.55
    changed = dataclasses.replace(stranger.genes, expression=stranger.genes.expression[:50])
    other = transfer(dataset, dataclasses.replace(stranger, genes=changed), CONFIG)
    before, after = (by_method(r.rows["all TFs"], "auroc") for r in (results, other))
    for method in (MODEL, "absolute Pearson", "linear statistics"):
        assert before[method] != after[method]
    assert before["ID-only rank 4"] == after["ID-only rank 4"]


@pytest.mark.slow
def test_a_planted_network_transfers_between_cell_populations():
    """Half of the TFs and none of the non-TF targets were seen: above every trivial row.

    In the mean over three networks: on one of them, linear statistics of expression may be ahead.
    """
    config = dataclasses.replace(
        with_method(training=TrainingConfig(epochs=200)), controls=("expression-permuted",)
    )
    results = [transfer(*two_populations(seed), config).rows for seed in range(3)]
    for group in ("all TFs", "unseen TFs"):
        precision, swap = (
            pd.DataFrame([by_method(rows[group], x) for rows in results]).mean().to_dict()
            for x in ("average_precision", "swap_micro")
        )
        best = precision.pop(MODEL)
        assert best > max(precision.values())
        assert best > 1.7 * precision[PERMUTED]
        assert swap[MODEL] > 0.6 and abs(swap[PERMUTED] - 0.5) < 0.06


def two_populations(seed):
    """Two data sets of other cells: half of the TFs and targets with labels, all TFs and the rest.

    The network that regulates both is the same.
    """
    simulated = simulate(
        SimulatorConfig(
            genes=240,
            tfs=24,
            master_regulators=8,
            cells=1000,
            cell_types=6,
            programmes=6,
            tfs_per_programme=6,
            steps=100,
        ),
        seed=seed,
    )
    tfs, others = simulated.tfs.tolist(), simulated.genes[24:].tolist()
    first = simulated.cell_types < 3

    def population(cells, genes, tfs_with_labels):
        columns = np.isin(simulated.genes, genes)
        counts = pd.DataFrame(simulated.counts[cells][:, columns].astype(np.float32))
        counts = counts.set_axis(simulated.genes[columns], axis=1)
        counts.index = [f"cell{i}" for i in counts.index]
        edges = simulated.edges[["tf", "target"]]
        known = edges["tf"].isin(tfs_with_labels) & edges["target"].isin(genes)
        return load_dataset(anndata.AnnData(counts), edges[known], tfs, DataConfig())

    return (
        population(first, tfs + others[::2], tfs[::2]),
        population(~first, tfs + others[1::2], tfs),
    )


def test_the_order_of_genes_changes_nothing(dataset):
    """What fits and trivial rows are made from is the same, whatever the order of either set."""
    target = rename(dataset, lambda name: name if name < "G40" else f"{name}-other")
    order = np.random.default_rng(0).permutation(len(dataset.genes.names))
    plain = join_genes(dataset, target)[:2]
    shuffled = join_genes(reorder(dataset, order), reorder(target, order[::-1]))[:2]
    for first, second in zip(plain, shuffled, strict=True):
        for name in ("names", "is_tf", "expression", "measured"):
            np.testing.assert_array_equal(
                getattr(first.dataset.genes, name), getattr(second.dataset.genes, name)
            )
        for name in ("pairs", "labels"):
            np.testing.assert_array_equal(
                getattr(first.labelled, name), getattr(second.labelled, name)
            )
        assert (first.places != second.places).any()


def test_genes_are_joined_in_upper_case_and_absent_ones_are_unmeasured(dataset):
    names = dataset.genes.names
    alone = {name for name in names if "G70" <= name < "T"}
    mouse = rename(dataset, lambda name: f"only-{name}" if name in alone else name.lower())
    trained, judged, report = join_genes(dataset, mouse)
    assert report["case_rule"] == "upper-case"
    assert report["genes_in_both"] == len(names) - len(alone)
    assert report["only_in_source"]["count"] == report["only_in_target"]["count"] == len(alone)
    union = trained.dataset.genes.names
    assert (union == judged.dataset.genes.names).all() and (np.sort(union) == union).all()
    for placed in (trained, judged):
        genes = placed.dataset.genes
        absent = np.setdiff1d(np.arange(len(union)), placed.places)
        assert len(absent) and not genes.measured[absent].any()
        assert not genes.expression[:, absent].any()
    own = mouse.genes.names.tolist().index("g12")
    column = union.tolist().index("G12")
    np.testing.assert_array_equal(
        judged.dataset.genes.expression[:, column], mouse.genes.expression[:, own]
    )
    vectors = judged.place_rows(np.arange(len(names), dtype=np.float32)[:, None])
    assert vectors[column] == own and not vectors[absent].all()


def test_the_source_trains_and_every_labelled_pair_of_the_target_is_judged(dataset):
    target = rename(dataset, lambda name: name if name < "G40" else f"{name}-other")
    trained, judged, _ = join_genes(dataset, target)
    [split] = draw_splits(dataset, SplitConfig())
    used = use_split(split, trained, judged)
    union = trained.dataset
    train, validation, test = (
        as_names(union, part.pairs) for part in (used.train, used.validation, used.test)
    )
    parts = [as_names(dataset, x.pairs) for x in (split.train, split.validation, split.test)]
    assert train == parts[0] | parts[2] and validation == parts[1]
    tfs = {tf for tf, _ in as_names(target, target.known.positives)}
    assert test == {(tf, gene) for tf in tfs for gene in target.genes.names if gene != tf}
    assert as_names(union, used.test.positives) == as_names(target, target.known.positives)
    assert as_names(union, used.train.positives) < as_names(dataset, dataset.known.positives)


@pytest.mark.parametrize("control", [None, "expression-permuted"])
def test_a_fit_keeps_what_it_learnt_and_is_given_the_features_of_the_target(control, dataset):
    target = rename(dataset, lambda name: name if name < "G40" else f"{name}-other")
    trained, judged, _ = join_genes(dataset, target)
    [split] = draw_splits(dataset, SplitConfig())
    used = use_split(split, trained, judged)
    config = with_method(inputs=dataclasses.replace(STATISTICS, messages="symmetric"))
    if control:
        config = dataclasses.replace(config, controls=(control,))
    vectors = np.random.default_rng(0).normal(size=(len(target.genes.names), 3))
    source = build_problems(trained.dataset, [used], config, embedding=trained.place_rows(vectors))
    asked_about = dataclasses.replace(
        source[0], dataset=judged.dataset, embedding=judged.place_rows(vectors)
    )
    *_, (request, fitted) = fit_requests(list_requests([used], source, config), NoTraining())
    assert request.control == control
    if control:
        asked_about = config.method.controls()[control](asked_about, 1)
    moved = fitted.on(asked_about)
    before, after = fitted.data.genes, moved.data.genes
    np.testing.assert_array_equal(after.seen, before.seen)
    np.testing.assert_array_equal(after.graph.senders, before.graph.senders)
    np.testing.assert_array_equal(after.graph.edges, before.graph.edges)
    np.testing.assert_array_equal(after.measured[:-1], judged.dataset.genes.measured)
    np.testing.assert_array_equal(after.embedding[judged.places], vectors.astype(np.float32))
    common = trained.dataset.genes.measured & judged.dataset.genes.measured
    same = (before.nodes[:-1] == after.nodes[:-1]).all(axis=1)[common]
    if control is None:
        np.testing.assert_array_equal(
            after.nodes[:-1], node_features(judged.dataset.genes, STATISTICS)
        )
        assert same.all()
        moved_block, own_block = moved.inputs.coexpression, fitted.inputs.coexpression
        alone = np.setdiff1d(judged.places, trained.places)
        assert moved_block[:, alone].any() and not own_block[:, alone].any()
    else:
        assert same.mean() < 0.2  # each data set has a permutation of its own


@pytest.mark.slow
def test_a_control_alters_the_target_by_random_numbers_of_its_own(dataset, monkeypatch):
    """Each draw of a control is asked for twice, of the source and of the target."""
    asked = []

    def note(problem, seed):
        asked.append((problem.dataset.report["source"], seed))
        return problem

    method = dataclasses.replace(METHOD, training=TrainingConfig(epochs=1, evaluate_every=1))
    controls = {"expression-permuted": note}
    monkeypatch.setattr(ScRegNetMethod, "controls", lambda self: controls)
    config = LinkPredictionConfig(
        method=method, controls=("expression-permuted",), split=SplitConfig(draws=(0, 5))
    )
    target = dataclasses.replace(dataset, report=dataset.report | {"source": "target"})
    transfer(dataset, target, config)
    name = dataset.report["source"]
    assert [(source, seed) for source, seed in asked if source == name] == [(name, 0), (name, 5)]
    seeds = [seed for source, seed in asked if source == "target"]
    assert len(set(seeds)) == 2 and not set(seeds) & {0, 5}


@pytest.mark.slow
def test_a_run_folder_keeps_the_fits(dataset, tmp_path):
    method = dataclasses.replace(METHOD, training=TrainingConfig(epochs=2, evaluate_every=1))
    config = dataclasses.replace(CONFIG, method=method)
    first = transfer(dataset, dataset, config, folder=tmp_path)
    assert (tmp_path / "checkpoints/draw0-model-seed0").is_dir()
    lines = (tmp_path / "metrics.jsonl").read_bytes()
    assert transfer(dataset, dataset, config, folder=tmp_path).rows == first.rows
    assert (tmp_path / "metrics.jsonl").read_bytes() == lines != b""


def test_the_kernel_factor_is_told_what_means_the_same_in_other_cells(dataset):
    [of_all] = describe(dataset, dataset.genes.tfs, FACTORS.method)
    assert [block.name for block in of_all.genes] == ["expression statistics"] and of_all.pairs
    assert describe(dataset, dataset.genes.tfs, METHOD) == []
    assert describe(without_expression(dataset), dataset.genes.tfs, FACTORS.method) == []


@pytest.mark.slow
def test_a_fit_of_the_kernel_factor_keeps_identities_and_reads_the_target(dataset):
    """To itself it scores as it does at home; under other names only features say something."""
    [split] = draw_splits(dataset, SplitConfig())
    results = transfer(dataset, dataset, FACTORS)
    rows = by_method(results.rows["all TFs"], "auroc")
    assert rows["kernel-factor"] > 0.8
    trained, judged, _ = join_genes(dataset, dataset)
    used = use_split(split, trained, judged)
    evidence = describe(dataset, list_split_tfs([used]), FACTORS.method)
    problems = build_problems(dataset, [used], FACTORS, evidence=evidence)
    requests = list_requests([used], problems, FACTORS)
    with FitRecorder(None, 1, 1, "fitting") as recorder:
        [(_, fit)] = fit_requests(requests, recorder)
    there = fit.on(problems[0]).scores(used.test)
    np.testing.assert_allclose(there, fit.scores(used.test), atol=2e-3)
    stranger = rename(dataset, lambda name: f"{name}-other")
    found = transfer(dataset, stranger, FACTORS).rows["unseen TFs"]
    figures = by_method(found, "auroc")
    assert rows["kernel-factor"] > figures["kernel-factor"] > 0.6 > figures["ID-only rank 4"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "message"),
    [
        (with_method(inputs=InputConfig()), "inputs.nodes=statistics"),
        (
            with_method(inputs=InputConfig(nodes="statistics", unlabelled_weight=0.1)),
            "unlabelled_weight",
        ),
        (dataclasses.replace(CONFIG, split=SplitConfig(kind="balanced")), "split.kind=balanced"),
        (
            dataclasses.replace(CONFIG, reference_selection=True, bootstrap=5),
            "reference_selection, bootstrap",
        ),
        (dataclasses.replace(CONFIG, reconstruct=True), "Transfer cannot have reconstruct"),
        (dataclasses.replace(CONFIG, controls=("embedding-zero",)), "needs an embedding"),
        (LinkPredictionConfig(method=GTGRNMethod()), "GT-GRN cannot be transferred"),
        (LinkPredictionConfig(method=GENIE3Method()), "genie3 learns from no known edge"),
    ],
)
def test_what_transfer_would_ignore_is_refused(config, message, dataset):
    with pytest.raises(ConfigError, match=message):
        transfer(dataset, dataset, config)


def test_what_only_one_data_set_has_is_refused(dataset):
    with pytest.raises(ConfigError, match="has no expression and the other"):
        transfer(dataset, without_expression(dataset), CONFIG)
    with pytest.raises(ConfigError, match="widths 3 and None"):
        table = np.zeros((len(dataset.genes.names), 3))
        transfer(dataset, dataset, CONFIG, source_embedding=table)
