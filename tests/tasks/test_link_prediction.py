"""Which pairs a fit learns from, is selected on and is judged on; and which option wins."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from grnjax.data.candidates import choose_like_test
from grnjax.data.expression import DataConfig
from grnjax.errors import ConfigError, SplitError
from grnjax.graphs.walks import InferredNetwork
from grnjax.methods.expression_only import PearsonMethod
from grnjax.methods.gt_grn.embeddings import GeneEmbeddingConfig
from grnjax.methods.gt_grn.method import GTGRNMethod
from grnjax.methods.pair_models import PairScorer
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.tasks import link_prediction as prediction
from grnjax.tasks import split_fits
from grnjax.tasks.loading import load_folder
from grnjax.training.pair_objective import TrainingConfig

METHOD = ScRegNetMethod()
CONFIG = split_fits.LinkPredictionConfig()


@pytest.fixture
def oracle(monkeypatch):
    """Fits score pairs by their labels, the right way round where the fit's score is high."""

    def logits(self, pairs):
        return (pairs.labels * np.sign(self.result.best_score - 0.5))[None]

    monkeypatch.setattr(PairScorer, "logits", logits)


@pytest.fixture
def dataset(genelink_folder):
    return load_folder(genelink_folder(), DataConfig())[0]


@pytest.fixture
def splits(dataset):
    return split_fits.draw_splits(dataset, split_fits.SplitConfig(draws=(3, 4)))


def choose(dataset, splits, config, options, recorder):
    problems = split_fits.build_problems(dataset, splits, config)
    return prediction.choose_on_validation(splits, problems, config, options, recorder, None)


def as_set(pairs):
    return set(map(tuple, pairs.tolist()))


@pytest.mark.slow
def test_a_study_asks_for_all_draws_of_a_method_together(
    dataset, splits, oracle, monkeypatch, no_training
):
    recorder = no_training()
    monkeypatch.setattr(prediction.FitRecorder, "fit_all", recorder.fit_all)
    config = dataclasses.replace(CONFIG, seeds=(7, 8))
    results = prediction.run_study(dataset, splits, config)
    assert recorder.groups == [4]
    assert {row["method"] for row in results.rows} >= {"scRegNet", "scRegNet, mean of 2 seeds"}


@pytest.mark.parametrize("winner", [0, 1, 2])
def test_the_option_with_the_best_validation_score_is_chosen(
    winner, dataset, splits, oracle, no_training
):
    """In the second draw the next option is the best."""
    scores = np.full((3, 2), 0.4)
    scores[winner, 0] = scores[(winner + 1) % 3, 1] = 0.6
    options = {
        "folds": dataclasses.replace(METHOD, training=TrainingConfig(edge_folds=2)),
        "additive": dataclasses.replace(METHOD, model=ScRegNetConfig(head="additive")),
    }
    config, recorder = dataclasses.replace(CONFIG, seeds=(7, 8)), no_training(scores.ravel())
    chosen = choose(dataset, splits, config, options, recorder)
    every = {"as given": METHOD, **options}
    assert list(chosen) == [3, 4]
    for draw, place in ((3, winner), (4, (winner + 1) % 3)):
        name = list(every)[place]
        assert chosen[draw] == (name, every[name])
    assert recorder.names == [f"draw{draw}-option{i}-seed7" for i in range(3) for draw in (3, 4)]


def test_on_balanced_splits_options_are_chosen_among_all_that_is_unlabelled(dataset):
    config = split_fits.SplitConfig(kind="balanced", draws=(0,))
    [split] = split_fits.draw_splits(dataset, config)
    pairs = choose_like_test(split, dataset.genes.tfs, len(dataset.genes.names))
    assert as_set(pairs.positives) == as_set(split.validation.positives)
    negatives = as_set(pairs.pairs[pairs.labels == 0])
    assert len(negatives) == (pairs.labels == 0).sum() > 0
    for part in (split.train, split.validation):
        assert not negatives & as_set(part.pairs)


def test_on_other_splits_options_are_chosen_on_the_validation_pairs(dataset, splits):
    genes = len(dataset.genes.names)
    assert choose_like_test(splits[0], dataset.genes.tfs, genes) is splits[0].validation


def test_a_tie_keeps_the_settings_as_given(dataset, splits, oracle, no_training):
    options = {"folds": dataclasses.replace(METHOD, training=TrainingConfig(edge_folds=2))}
    chosen = choose(dataset, splits, CONFIG, options, no_training([0.6]))
    assert list(chosen.values()) == [("as given", METHOD)] * 2


def refuse_training(*args):
    raise AssertionError("a fit is made before what cannot be done is refused")


@pytest.fixture
def no_fit(monkeypatch):
    monkeypatch.setattr(prediction.FitRecorder, "fit_all", refuse_training)


def test_what_is_not_available_is_refused_before_any_fit(dataset, splits, no_fit):
    weak = dataclasses.replace(METHOD, inputs=InputConfig(unlabelled_weight=0.1))
    fusion = dataclasses.replace(METHOD, model=ScRegNetConfig(fusion="cross-attention"))
    control = dataclasses.replace(CONFIG, controls=("embedding-permuted",))
    for config, options, words in (
        (control, {}, "embedding-permuted needs an embedding"),
        (CONFIG, {"weak": weak}, "are those that are held out"),
        (CONFIG, {"fusion": fusion}, "needs frozen gene embeddings"),
        (dataclasses.replace(CONFIG, method=fusion), {}, "needs frozen gene embeddings"),
    ):
        with pytest.raises(ConfigError, match=words):
            prediction.run_study(dataset, splits, config, options=options)


def test_inputs_that_the_method_does_not_read_are_refused(dataset, splits, no_fit):
    vectors = np.ones((len(dataset.genes.names), 2), np.float32)
    network = InferredNetwork(splits[0].train.positives[:3], np.ones(3, np.float32))
    for method, inputs, words in (
        (GTGRNMethod(), {"embedding": vectors}, "GT-GRN does not read --data.embedding"),
        (METHOD, {"networks": {"other": network}}, "scRegNet does not read --walk-on"),
    ):
        config = dataclasses.replace(CONFIG, method=method)
        with pytest.raises(ConfigError, match=words):
            prediction.run_study(dataset, splits, config, **inputs)


def test_a_split_that_leaks_is_refused(dataset, splits):
    leaking = dataclasses.replace(splits[0], test=splits[0].train)
    with pytest.raises(SplitError, match="train and test share"):
        prediction.run_study(dataset, [leaking], CONFIG)


def test_what_gt_grn_cannot_do_without_is_refused_before_any_fit(dataset, splits, no_fit):
    method = GTGRNMethod(embeddings=GeneEmbeddingConfig(networks=()))
    config = dataclasses.replace(CONFIG, method=method)
    with pytest.raises(ConfigError, match="no network to walk on"):
        prediction.run_study(dataset, splits, config)


def test_gt_grn_does_not_walk_on_a_network_with_a_held_out_edge(dataset, splits, no_fit):
    config = dataclasses.replace(CONFIG, method=GTGRNMethod())
    edges = splits[1].test.positives[:3]
    networks = {"copied": InferredNetwork(edges, np.ones(3, np.float32))}
    with pytest.raises(SplitError, match="network copied holds . of the .* held-out edges of draw"):
        prediction.run_study(dataset, splits, config, networks=networks)


def test_a_control_keeps_what_it_makes_in_a_folder_of_its_own(dataset, splits, tmp_path):
    """Blocks of scores by permuted expression are no blocks of the run itself; it is resumed."""
    config = split_fits.LinkPredictionConfig(
        method=PearsonMethod(), controls=("expression-permuted",)
    )
    first = prediction.run_study(dataset, splits, config, folder=tmp_path)
    blocks = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.block"))
    assert blocks == [
        "checkpoints/pearson/000000.block",
        *(f"draw{n}-expression-permuted/checkpoints/pearson/000000.block" for n in (3, 4)),
    ]
    again = prediction.run_study(dataset, splits, config, folder=tmp_path)
    assert again.rows == first.rows
    rows = pd.DataFrame(first.rows).groupby("method")["auroc"].mean()
    assert rows["pearson"] == pytest.approx(rows["absolute Pearson"], abs=2e-3)
    assert rows["pearson, expression permuted"] != rows["pearson"]


@pytest.mark.slow
def test_a_study_side_by_side_has_the_rows_of_one_by_one(dataset, splits):
    method = ScRegNetMethod(
        model=ScRegNetConfig(mlp_widths=(8,), identity_rank=2, topology=True),
        inputs=InputConfig(messages="symmetric"),
    )
    studies = []
    for choice in (False, True):
        training = TrainingConfig(epochs=20, side_by_side=choice)
        settled = dataclasses.replace(method, training=training)
        weak = InputConfig(messages="symmetric", negative_weight=0.2)
        options = {"weak": dataclasses.replace(settled, inputs=weak)}
        config = dataclasses.replace(
            CONFIG, method=settled, seeds=(7, 8), controls=("features-one-hot",)
        )
        studies.append(prediction.run_study(dataset, splits, config, options=options))
    rows, expected = (pd.DataFrame(study.rows) for study in studies)
    pd.testing.assert_frame_equal(rows, expected, rtol=1e-3)
    assert studies[0].chosen == studies[1].chosen
