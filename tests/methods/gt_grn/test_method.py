"""What a fit of GT-GRN sees: embeddings made once, positions of its own train edges."""

import dataclasses

import numpy as np
import pytest

from grnjax.baselines.neighbours import NEIGHBOURS
from grnjax.errors import ConfigError, SplitError
from grnjax.evaluation.splits import draw_split
from grnjax.graphs.walks import InferredNetwork
from grnjax.methods.controls import rewire
from grnjax.methods.gt_grn import method as module
from grnjax.methods.gt_grn.embeddings import GeneEmbeddingConfig, GeneEmbeddings
from grnjax.methods.gt_grn.method import GTGRNMethod, Prepared
from grnjax.methods.method import Problem
from grnjax.methods.pair_models import PairInputConfig
from grnjax.models.graph_transformer import GraphTransformerConfig
from grnjax.models.gt_grn import GTGRNConfig
from grnjax.tasks.judging import judge_split
from grnjax.training.keeper import FitResult
from grnjax.training.pair_objective import TrainingConfig
from grnjax.training.recorder import FitRecorder
from grnjax.types import Dataset, GeneTable, LabelledPairs, Part

METHOD = GTGRNMethod(
    model=GTGRNConfig(transformer=GraphTransformerConfig(width=8, heads=2, layers=1)),
    inputs=PairInputConfig(messages="symmetric"),
    training=TrainingConfig(epochs=10, evaluate_every=5),
)
OF_EXPRESSION = {"expression_embedding", "statistics"}
PLACES = {"structure", "eigenvectors"}


class NoTraining:
    """Stands for a recorder: every fit ends before it starts."""

    def fit_all(self, trainer, jobs):
        for job in jobs:
            yield FitResult({}, 0, 0.5, 0), job.build()


def draw(dataset, number, kind="standard", **options):
    edges, genes = dataset.known.positives, len(dataset.genes.names)
    return draw_split(kind, edges, genes, number, **options)


@pytest.fixture(scope="module")
def split(dataset):
    return draw(dataset, 0)


@pytest.fixture(scope="module")
def embeddings(dataset):
    """Numbers of no meaning; genes that were not measured have none, others have no walk."""
    rng, genes = np.random.default_rng(0), dataset.genes
    expression, walks = rng.normal(size=(2, len(genes.names), 6)).astype(np.float32)
    expression[~genes.measured] = 0
    walks[::5] = 0
    return GeneEmbeddings(expression, genes.measured, walks, {"made": "for a test"})


@pytest.fixture(scope="module")
def make_problem(dataset, embeddings):
    """A problem with these splits as its parts, in the order of the draws."""

    def make(*splits, dataset=dataset, embeddings=embeddings):
        tfs = dataset.genes.tfs
        return Problem(
            dataset=dataset,
            parts=[Part(split, f"draw{split.draw}", 0) for split in splits],
            tfs=tfs,
            trainable=tfs,
            prepared=Prepared(embeddings, np.arange(len(dataset.genes.names))),
        )

    return make


def build(problem, method=METHOD, control=None):
    """The arrays of the first part's fit."""
    if control is not None:
        problem = method.controls()[control](problem, 0)
    [fit] = method.fit_all(problem, problem.parts[:1], NoTraining())
    return fit.data


def test_positions_are_those_in_the_train_edges_of_each_fit(dataset, make_problem):
    problem = make_problem(draw(dataset, 0), draw(dataset, 1))
    one, other = (fit.data for fit in METHOD.fit_all(problem, problem.parts, NoTraining()))
    assert not np.allclose(one.genes.structure, other.genes.structure)
    np.testing.assert_array_equal(one.genes.global_embedding, other.genes.global_embedding)
    assert one.genes.expression_embedding.shape == other.genes.expression_embedding.shape


@pytest.mark.parametrize(
    "control, moved",
    [
        ("expression-permuted", OF_EXPRESSION),
        ("global-permuted", {"global_embedding"}),
        ("embeddings-permuted", OF_EXPRESSION | {"global_embedding"}),
        ("positions-permuted", PLACES),
    ],
)
def test_a_control_permutes_its_inputs_and_no_others(split, make_problem, control, moved):
    """Genes that lack an input lack it in the control, too; co-expression goes with expression."""
    problem = make_problem(split)
    plain, altered = build(problem), build(problem, control=control)
    for name in OF_EXPRESSION | PLACES | {"global_embedding", "measured"}:
        one, two = (np.asarray(getattr(data.genes, name)) for data in (plain, altered))
        assert np.array_equal(one, two) == (name not in moved)
        sums = [np.sort(x.reshape(len(x), -1).sum(axis=1)) for x in (one, two)]
        np.testing.assert_allclose(*sums, atol=1e-4)
        if name not in PLACES:
            one, two = (x.reshape(len(x), -1).any(axis=1) for x in (one, two))
            np.testing.assert_array_equal(one, two)
    same = np.array_equal(np.asarray(plain.train.features), np.asarray(altered.train.features))
    assert same == (not moved & OF_EXPRESSION)


def test_a_control_leaves_the_problem_but_for_what_was_prepared(split, make_problem):
    problem = make_problem(split)
    for name, control in METHOD.controls().items():
        altered = control(problem, 0)
        changed = [
            field.name
            for field in dataclasses.fields(Problem)
            if getattr(altered, field.name) is not getattr(problem, field.name)
        ]
        assert changed == (["parts"] if name == "labels-rewired" else ["prepared"])
    assert METHOD.controls()["labels-rewired"] is rewire
    assert not np.array_equal(
        build(problem).train.labels, build(problem, control="labels-rewired").train.labels
    )


def test_only_the_form_for_new_targets_sees_the_labels_of_co_expressed_ones(split, make_problem):
    """What they say depends on expression and on train labels, of both kinds of pairs alike."""

    def features(control=None, labels=split.train.labels, **model):
        train = LabelledPairs(split.train.pairs, labels)
        problem = make_problem(dataclasses.replace(split, train=train))
        method = dataclasses.replace(METHOD, model=GTGRNConfig(**model))
        data = build(problem, method, control)
        return [np.asarray(batch.features) for batch in (data.train, data.validation)]

    known, new = features(), features(new_targets=True)
    labels = np.random.default_rng(0).permutation(split.train.labels)
    relabelled = features(new_targets=True, labels=labels)
    permuted = features(new_targets=True, control="expression-permuted")
    for at in range(2):
        width = known[at].shape[1]
        assert new[at].shape[1] == width + len(NEIGHBOURS)
        np.testing.assert_array_equal(known[at], new[at][:, :width])
        np.testing.assert_array_equal(known[at], relabelled[at][:, :width])
        for other in (relabelled, permuted):
            assert not np.allclose(other[at][:, width:], new[at][:, width:])
    assert features(new_targets=True, coexpression=False)[0].shape[1] == 0


def test_messages_both_ways_know_which_way_an_edge_regulates(split, make_problem):
    problem = make_problem(split)
    for messages, width in (("symmetric", 2), ("directed", 0)):
        method = dataclasses.replace(METHOD, inputs=PairInputConfig(messages=messages))
        assert build(problem, method).genes.edge_features.shape[1] == width
    both = build(problem).genes
    ends = np.stack([both.graph.senders, both.graph.receivers], axis=1)
    there = set(map(tuple, split.train.positives.tolist()))
    wanted = [[tuple(e) in there, tuple(e[::-1]) in there] for e in ends.tolist()]
    np.testing.assert_array_equal(both.edge_features, np.float32(wanted))


def test_pairs_outside_train_can_be_weak_negatives(dataset, make_problem):
    split = draw(dataset, 0, "balanced", tfs=dataset.genes.tfs)
    method = dataclasses.replace(
        METHOD, inputs=PairInputConfig(messages="symmetric", unlabelled_weight=0.25)
    )
    train = build(make_problem(split), method).train
    assert (np.asarray(train.weights) == 0.25).sum() > len(split.train)


def test_embeddings_are_made_once_of_the_problem_and_reported(dataset, make_problem, monkeypatch):
    calls = []

    def embed(genes, config, **options):
        calls.append((genes, config, options))
        return "embeddings"

    monkeypatch.setattr(module, "embed_dataset", embed)
    problem = dataclasses.replace(make_problem(draw(dataset, 0)), prepared=None, seed=7)
    ready = METHOD.prepare(problem)
    [(genes, config, options)] = calls
    assert genes is dataset.genes and config is METHOD.embeddings
    assert options == {"seed": 7, "folder": None, "networks": {}}
    assert ready.prepared.embeddings == "embeddings" and ready.dataset is dataset
    assert make_problem().prepared.report == {"made": "for a test"}


def test_it_does_not_walk_on_a_network_with_a_held_out_edge(dataset, make_problem):
    splits = [draw(dataset, 0), draw(dataset, 1)]
    network = InferredNetwork(splits[1].test.positives[:3], np.ones(3, np.float32))
    problem = dataclasses.replace(make_problem(*splits), networks={"copied": network})
    with pytest.raises(SplitError, match="network copied holds . of the .* held-out edges of draw"):
        METHOD.prepare(problem)


def test_what_it_cannot_do_without_is_refused(dataset, make_problem):
    problem = make_problem()
    nothing = GeneEmbeddingConfig(networks=())
    with pytest.raises(ConfigError, match="no network to walk on: name methods for --method"):
        dataclasses.replace(METHOD, embeddings=nothing).check(problem)
    network = InferredNetwork(np.array([[0, 1]], np.int32), np.ones(1, np.float32))
    given = dataclasses.replace(problem, networks={"other": network})
    dataclasses.replace(METHOD, embeddings=nothing).check(given)
    genes = dataclasses.replace(dataset.genes, measured=np.zeros_like(dataset.genes.measured))
    blind = dataclasses.replace(problem, dataset=dataclasses.replace(dataset, genes=genes))
    with pytest.raises(ConfigError, match="embeds genes by their expression, and there is none"):
        METHOD.check(blind)
    with pytest.raises(ConfigError, match="GT-GRN cannot be transferred"):
        METHOD.check_transfer(problem)


@pytest.mark.slow
def test_it_learns_what_base_rates_cannot(make_problem):
    """Which target is whose was planted in the genes' vectors, the same share for every TF."""
    rng = np.random.default_rng(0)
    genes, tfs = 150, 12
    vectors = rng.normal(size=(genes, 6)).astype(np.float32)
    wish = rng.normal(size=(tfs, 6)) @ vectors.T
    np.put_along_axis(wish, np.arange(tfs)[:, None], -np.inf, axis=1)
    edges = np.argwhere(wish > np.quantile(wish, 0.8, axis=1, keepdims=True))
    expression = (rng.normal(size=(60, 6)) @ vectors.T).astype(np.float32)
    names = np.array([f"G{number:03d}" for number in range(genes)])
    table = GeneTable(names, np.arange(genes) < tfs, expression, np.ones(genes, bool))
    planted = Dataset(table, LabelledPairs(edges.astype(np.int32), np.ones(len(edges))), {})
    nothing = np.zeros((genes, 0), np.float32)
    given = GeneEmbeddings(vectors, np.ones(genes, bool), nothing, {})
    split = draw(planted, 0, "target-disjoint")
    problem = make_problem(split, dataset=planted, embeddings=given)
    method = GTGRNMethod(model=GTGRNConfig(new_targets=True))
    permuted = method.controls()["expression-permuted"](problem, split.draw)
    rows = []
    with FitRecorder(None, 2, method.training.epochs, "fitting") as recorder:
        for asked in (problem, permuted):
            [fit] = method.fit_all(asked, asked.parts, recorder)
            rows.append(judge_split(split, genes, "GT-GRN", 0, fit.scores(split.test)))
    learned, control = rows
    assert learned["within_tf_auroc"] > 0.85 and learned["swap_micro"] > 0.85
    assert control["within_tf_auroc"] < 0.65 and control["swap_micro"] < 0.65
