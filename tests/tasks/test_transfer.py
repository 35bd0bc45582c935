"""What a model learnt on one data set it says of another by gene name, and by features."""

import dataclasses

import anndata
import numpy as np
import pandas as pd
import pytest
from grnjax.tasks.bench import Bench, Request

from grnjax.data.expression import DataConfig
from grnjax.data.simulator import SimulatorConfig, simulate
from grnjax.errors import ConfigError
from grnjax.progress import logger
from grnjax.tasks.inputs import InputConfig, node_features
from grnjax.tasks.link_prediction import MODEL, fit_settings
from grnjax.tasks.loading import load_dataset
from grnjax.tasks.split_fits import LinkPredictionConfig, SplitConfig, draw_splits
from grnjax.tasks.transfer import give_features, join_genes, transfer, use_split
from grnjax.training.keeper import FitResult
from grnjax.training.pair_objective import TrainingConfig
from grnjax.types import Dataset, GeneTable, LabelledPairs

STATISTICS = InputConfig(nodes="statistics")
CONFIG = LinkPredictionConfig(
    inputs=STATISTICS, training=TrainingConfig(epochs=100, evaluate_every=20)
)
PERMUTED = f"{MODEL}, expression permuted"


class NoTraining:
    """Stands for a study: every fit ends before it starts."""

    def fit_all(self, trainer, jobs):
        for job in jobs:
            yield FitResult({}, 0, 0.5, 0), job.build()


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
        CONFIG, training=TrainingConfig(epochs=200), controls=("expression-permuted",)
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
    config = dataclasses.replace(
        CONFIG, inputs=dataclasses.replace(STATISTICS, messages="symmetric")
    )
    request = Request(used, fit_settings(config, control), 0, "model")
    vectors = np.random.default_rng(0).normal(size=(len(target.genes.names), 3))
    source_bench = Bench(trained.dataset, [used], trained.place_rows(vectors))
    target_bench = Bench(judged.dataset, [used], judged.place_rows(vectors))
    [fitted] = source_bench.fit_all(NoTraining(), [request])
    moved = give_features(fitted, target_bench, request)
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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inputs": InputConfig()}, "inputs.nodes=statistics"),
        ({"inputs": InputConfig(nodes="statistics", unlabelled_weight=0.1)}, "unlabelled_weight"),
        ({"split": SplitConfig(kind="balanced")}, "split.kind=balanced"),
        ({"reference_selection": True, "bootstrap": 5}, "reference_selection, bootstrap"),
        ({"controls": ("embedding-zero",)}, "needs an embedding of both"),
    ],
)
def test_settings_that_would_be_ignored_are_refused(settings, message, dataset):
    with pytest.raises(ConfigError, match=message):
        transfer(dataset, dataset, dataclasses.replace(CONFIG, **settings))


def test_what_only_one_data_set_has_is_refused(dataset):
    with pytest.raises(ConfigError, match="has no expression and the other"):
        transfer(dataset, without_expression(dataset), CONFIG)
    with pytest.raises(ConfigError, match="widths 3 and None"):
        table = np.zeros((len(dataset.genes.names), 3))
        transfer(dataset, dataset, CONFIG, source_embedding=table)
