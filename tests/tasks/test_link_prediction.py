"""Which pairs a fit learns from, is selected on and is judged on; and which option wins."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from grnjax.tasks.bench import Bench, Request
from grnjax.tasks.gene_embeddings import GeneEmbeddingConfig

from grnjax.config import from_json, to_json
from grnjax.data.expression import DataConfig
from grnjax.errors import ConfigError, SplitError
from grnjax.graphs.walks import InferredNetwork
from grnjax.models.gt_grn import GTGRNConfig
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.tasks import link_prediction as prediction
from grnjax.tasks.inputs import InputConfig
from grnjax.tasks.loading import load_folder
from grnjax.training.keeper import FitResult
from grnjax.training.pair_objective import TrainingConfig

CONFIG = prediction.LinkPredictionConfig()


class FakeStudy:
    """Stands for training: keeps the names and the data of the fits; scores are dealt out."""

    def __init__(self, scores=(0.5,)):
        self.names, self.data, self.scores = [], [], list(scores)

    def fit_all(self, trainer, jobs):
        for job in jobs:
            score = self.scores[len(self.names) % len(self.scores)]
            self.names.append(job.name)
            self.data.append(job.build())
            yield FitResult({}, 10, score, 20), self.data[-1]


class TellingBench(Bench):
    """Scores pairs by their labels, the right way round where the fit's score is high."""

    def score(self, fitted, pairs):
        return pairs.labels * np.sign(fitted.result.best_score - 0.5)


@pytest.fixture
def dataset(genelink_folder):
    return load_folder(genelink_folder(), DataConfig())[0]


@pytest.fixture
def splits(dataset):
    return prediction.draw_splits(dataset, prediction.SplitConfig(draws=(3, 4)))


def pairs_in(batch):
    weighed = batch.weights > 0
    return set(map(tuple, np.asarray(batch.pairs)[weighed].tolist()))


def edges_in(graph):
    """Sender and receiver of the edges that carry messages between two genes."""
    ends = np.stack([graph.senders, graph.receivers], axis=1)[graph.edges > 0]
    return {(tf, target) for tf, target in ends.tolist() if tf != target}


def fit(bench, study, *splits, settings, label="model"):
    """Has each split fitted with the first seed."""
    return list(bench.fit_all(study, [Request(split, settings, 0, label) for split in splits]))


def as_set(pairs):
    return set(map(tuple, pairs.tolist()))


@pytest.mark.parametrize("messages", ["symmetric", "directed", "none"])
def test_a_fit_learns_from_train_and_is_selected_on_validation(messages, dataset, splits):
    config = dataclasses.replace(CONFIG, inputs=InputConfig(messages=messages))
    bench, study = Bench(dataset, splits, None), FakeStudy()
    fit(bench, study, *splits, settings=prediction.fit_settings(config))
    for split, data in zip(splits, study.data, strict=True):
        assert pairs_in(data.train) == as_set(split.train.pairs)
        assert pairs_in(data.validation) == as_set(split.validation.pairs)
        positives = as_set(split.train.positives)
        expected = {
            "symmetric": positives | {(target, tf) for tf, target in positives},
            "directed": positives,
            "none": set(),
        }
        assert edges_in(data.genes.graph) == expected[messages]
    assert study.names == ["draw3-model-seed0", "draw4-model-seed0"]


def test_reference_selection_puts_the_test_pairs_in_the_place_of_validation(dataset, splits):
    bench, study = Bench(dataset, splits, None), FakeStudy()
    config = dataclasses.replace(CONFIG, reference_selection=True)
    fit(bench, study, splits[0], settings=prediction.fit_settings(config))
    [data] = study.data
    assert pairs_in(data.validation) == as_set(splits[0].test.pairs)


def test_rewired_labels_keep_the_degrees_and_the_test_pairs_are_untouched(dataset, splits):
    bench, study = Bench(dataset, splits, None), FakeStudy()
    rewired = prediction.fit_settings(CONFIG, "labels-rewired")
    fit(bench, study, splits[0], settings=prediction.fit_settings(CONFIG))
    fit(bench, study, splits[0], settings=rewired, label="rewired")
    true, shuffled = (data.train for data in study.data)
    np.testing.assert_array_equal(true.pairs, shuffled.pairs)
    assert (true.labels != shuffled.labels).any()
    for end in (0, 1):
        degrees = [np.bincount(x.pairs[:, end], x.labels) for x in (true, shuffled)]
        np.testing.assert_array_equal(*degrees)


def test_the_matched_figures_are_those_of_positives_against_negatives_of_their_degrees(
    dataset, splits
):
    """Scores that say nothing but the label of the pair itself are perfect there too."""
    bench, [split, _] = Bench(dataset, splits, None), splits
    row = bench.judge("oracle", split, 0, split.test.labels)
    assert row["matched_auroc"] == row["matched_average_precision"] == 1
    row = bench.judge("constant", split, 0, np.zeros(len(split.test)))
    assert row["matched_auroc"] == 0.5
    assert row["matched_average_precision"] > row["average_precision"]


def test_every_fit_of_a_run_has_the_same_shapes(dataset):
    import jax

    config = prediction.SplitConfig(kind="both-disjoint", draws=(0, 1, 2))
    splits = prediction.draw_splits(dataset, config)
    assert len({len(split.train) for split in splits}) > 1
    bench, study = Bench(dataset, splits, None), FakeStudy()
    fit(bench, study, *splits, settings=prediction.fit_settings(CONFIG))
    shapes = {str(jax.tree.map(np.shape, data)) for data in study.data}
    assert len(shapes) == 1


@pytest.mark.parametrize("winner", [0, 1, 2])
def test_the_option_with_the_best_validation_score_is_chosen(winner, dataset, splits):
    """In the second draw the next option is the best."""
    scores = np.full((3, 2), 0.4)
    scores[winner, 0] = scores[(winner + 1) % 3, 1] = 0.6
    options = ("training.edge-folds=2", "inputs.negative-weight=0.2,model.head=additive")
    config = dataclasses.replace(CONFIG, choose=options, seeds=(7, 8))
    bench, study = TellingBench(dataset, splits, None), FakeStudy(scores.ravel())
    chosen = prediction.choose_on_validation(bench, study, config)
    assert list(chosen) == [3, 4]
    for draw, place in ((3, winner), (4, (winner + 1) % 3)):
        used = chosen[draw].settings
        assert chosen[draw].option == ("as given", *options)[place]
        assert used.training.edge_folds == (2 if place == 1 else 0)
        assert used.inputs.negative_weight == (0.2 if place == 2 else 1)
        assert used.model.head == ("additive" if place == 2 else "bilinear")
    assert study.names == [f"draw{draw}-option{i}-seed7" for i in range(3) for draw in (3, 4)]


def test_every_draw_is_fitted_with_the_option_chosen_for_it(dataset, splits):
    other = dataclasses.replace(CONFIG, inputs=InputConfig(negative_weight=0.2))
    config = dataclasses.replace(CONFIG, controls=("labels-rewired",), seeds=(7, 8))
    chosen = {4: prediction.Chosen("other", other, 0.6)}
    requests = prediction.list_requests(splits, config, chosen)
    assert [request.name for request in requests] == [
        f"draw{draw}-{label}-seed{seed}"
        for label in ("model", "labels-rewired")
        for draw in (3, 4)
        for seed in (7, 8)
    ]
    for request in requests:
        weight = 1 if request.split.draw == 3 else 0.2
        assert request.settings.inputs.negative_weight == weight


def test_on_balanced_splits_options_are_chosen_among_all_that_is_unlabelled(dataset):
    config = prediction.SplitConfig(kind="balanced", draws=(0,))
    [split] = prediction.draw_splits(dataset, config)
    pairs = Bench(dataset, [split], None).validation_like_test(split)
    assert as_set(pairs.positives) == as_set(split.validation.positives)
    negatives = as_set(pairs.pairs[pairs.labels == 0])
    assert len(negatives) == (pairs.labels == 0).sum() > 0
    for part in (split.train, split.validation):
        assert not negatives & as_set(part.pairs)


def test_on_other_splits_options_are_chosen_on_the_validation_pairs(dataset, splits):
    assert Bench(dataset, splits, None).validation_like_test(splits[0]) is splits[0].validation


def test_a_tie_keeps_the_settings_as_given(dataset, splits):
    config = dataclasses.replace(CONFIG, choose=("training.edge-folds=2",))
    bench, study = TellingBench(dataset, splits, None), FakeStudy([0.6])
    chosen = prediction.choose_on_validation(bench, study, config)
    assert [(best.option, best.settings) for best in chosen.values()] == [("as given", config)] * 2


def test_what_cannot_be_had_is_refused_before_any_fit(dataset, splits):
    for setting, words in (
        ({"controls": ("embedding-permuted",)}, "embedding-permuted needs an embedding"),
        ({"choose": ("model.head=additive", "model.heads=additive")}, "has no flag --model.heads"),
        ({"choose": ("seeds=3",)}, "an option changes settings of model, inputs or training only"),
        ({"choose": ("inputs.unlabelled-weight=0.1",)}, "are those that are held out"),
        ({"choose": ("model.fusion=cross-attention",)}, "needs frozen gene embeddings"),
    ):
        config = dataclasses.replace(CONFIG, **setting)
        with pytest.raises(ConfigError, match=words):
            prediction.run_study(dataset, splits, config)


def test_a_split_that_leaks_is_refused(dataset, splits):
    leaking = dataclasses.replace(splits[0], test=splits[0].train)
    with pytest.raises(SplitError, match="train and test share"):
        prediction.run_study(dataset, [leaking], CONFIG)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"controls": ("features-random",)}, "GT-GRN has no control features-random; choose"),
        ({"embeddings": GeneEmbeddingConfig(networks=())}, "no network to walk on"),
        ({"choose": ("model.head=additive",)}, "--model.head cannot be 'additive'"),
    ],
)
def test_what_gt_grn_cannot_have_is_refused_before_any_fit(changes, words, dataset, splits):
    config = dataclasses.replace(CONFIG, model=GTGRNConfig(), **changes)
    with pytest.raises(ConfigError, match=words):
        prediction.run_study(dataset, splits, config)


def test_gt_grn_does_not_walk_on_a_network_with_a_held_out_edge(dataset, splits):
    config = dataclasses.replace(CONFIG, model=GTGRNConfig())
    edges = splits[1].test.positives[:3]
    networks = {"copied": InferredNetwork(edges, np.ones(3, np.float32))}
    with pytest.raises(SplitError, match="network copied holds . of the .* held-out edges of draw"):
        prediction.run_study(dataset, splits, config, networks=networks)


def test_settings_go_to_json_and_back_with_either_model():
    for model in (ScRegNetConfig(identity_rank=3), GTGRNConfig(fusion="gate")):
        config = dataclasses.replace(CONFIG, model=model)
        written = to_json(config)
        assert from_json(prediction.LinkPredictionConfig, written) == config


@pytest.mark.slow
def test_a_study_side_by_side_has_the_rows_of_one_by_one(dataset, splits):
    model = ScRegNetConfig(mlp_widths=(8,), identity_rank=2, topology=True)
    config = dataclasses.replace(
        CONFIG,
        model=model,
        inputs=InputConfig(messages="symmetric"),
        seeds=(7, 8),
        controls=("features-one-hot",),
        choose=("inputs.negative-weight=0.2",),
    )
    studies = []
    for choice in (False, True):
        training = TrainingConfig(epochs=20, side_by_side=choice)
        settled = dataclasses.replace(config, training=training)
        studies.append(prediction.run_study(dataset, splits, settled))
    rows, expected = (pd.DataFrame(study.rows) for study in studies)
    pd.testing.assert_frame_equal(rows, expected, rtol=1e-3)
    assert studies[0].chosen == studies[1].chosen
