"""Which pairs a fit learns from, is selected on and is judged on; and which option wins."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from grnjax.config import from_json, to_json
from grnjax.data.candidates import choose_like_test
from grnjax.data.expression import DataConfig
from grnjax.errors import ConfigError, SplitError
from grnjax.evidence.gather import gather_evidence
from grnjax.evidence.types import Evidence
from grnjax.graphs.walks import InferredNetwork
from grnjax.methods.expression_only import PearsonMethod
from grnjax.methods.gt_grn.embeddings import GeneEmbeddingConfig
from grnjax.methods.gt_grn.method import GTGRNMethod
from grnjax.methods.kernel_factor.method import KernelFactorMethod
from grnjax.methods.pair_models import PairScorer
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod
from grnjax.models.gt_grn import GTGRNConfig
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.tasks import link_prediction as prediction
from grnjax.tasks.loading import load_folder
from grnjax.training.keeper import FitResult
from grnjax.training.pair_objective import TrainingConfig

METHOD = ScRegNetMethod()
CONFIG = prediction.LinkPredictionConfig()


class NoTraining:
    """Stands for a recorder: keeps the names and the data of the fits; scores are given."""

    def __init__(self, scores=(0.5,)):
        self.names, self.data, self.scores, self.groups = [], [], list(scores), []

    def fit_all(self, trainer, jobs):
        self.groups.append(len(jobs))
        for job in jobs:
            score = self.scores[len(self.names) % len(self.scores)]
            self.names.append(job.name)
            self.data.append(job.build())
            yield FitResult({}, 10, score, 20), self.data[-1]


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
    return prediction.draw_splits(dataset, prediction.SplitConfig(draws=(3, 4)))


def with_method(**changes):
    """The settings with these settings of the method."""
    return dataclasses.replace(CONFIG, method=dataclasses.replace(METHOD, **changes))


def pairs_in(batch):
    weighed = batch.weights > 0
    return set(map(tuple, np.asarray(batch.pairs)[weighed].tolist()))


def edges_in(graph):
    """Sender and receiver of the edges that carry messages between two genes."""
    ends = np.stack([graph.senders, graph.receivers], axis=1)[graph.edges > 0]
    return {(tf, target) for tf, target in ends.tolist() if tf != target}


def fit(dataset, splits, config):
    """Has each split and control fitted; what stood for training."""
    problems, recorder = prediction.build_problems(dataset, splits, config), NoTraining()
    requests = prediction.list_requests(splits, problems, config)
    assert len(list(prediction.fit_requests(requests, recorder))) == len(requests)
    return recorder


def choose(dataset, splits, config, options, recorder):
    problems = prediction.build_problems(dataset, splits, config)
    return prediction.choose_on_validation(splits, problems, config, options, recorder, None)


def as_set(pairs):
    return set(map(tuple, pairs.tolist()))


@pytest.mark.parametrize("messages", ["symmetric", "directed", "none"])
def test_a_fit_learns_from_train_and_is_selected_on_validation(messages, dataset, splits):
    found = fit(dataset, splits, with_method(inputs=InputConfig(messages=messages)))
    for split, data in zip(splits, found.data, strict=True):
        assert pairs_in(data.train) == as_set(split.train.pairs)
        assert pairs_in(data.validation) == as_set(split.validation.pairs)
        positives = as_set(split.train.positives)
        expected = {
            "symmetric": positives | {(target, tf) for tf, target in positives},
            "directed": positives,
            "none": set(),
        }
        assert edges_in(data.genes.graph) == expected[messages]
    assert found.names == ["draw3-model-seed0", "draw4-model-seed0"]


def test_reference_selection_puts_the_test_pairs_in_the_place_of_validation(dataset, splits):
    config = dataclasses.replace(CONFIG, reference_selection=True)
    [data] = fit(dataset, splits[:1], config).data
    assert pairs_in(data.validation) == as_set(splits[0].test.pairs)


def test_rewired_labels_keep_the_degrees_and_the_test_pairs_are_untouched(dataset, splits):
    config = dataclasses.replace(CONFIG, controls=("labels-rewired",), seeds=(0, 1))
    found = fit(dataset, splits[:1], config)
    assert found.names[2:] == [f"draw3-labels-rewired-seed{seed}" for seed in (0, 1)]
    true, _, *shuffled = (data.train for data in found.data)
    for batch in shuffled:
        np.testing.assert_array_equal(true.pairs, batch.pairs)
        assert (true.labels != batch.labels).any()
        for end in (0, 1):
            degrees = [np.bincount(x.pairs[:, end], x.labels) for x in (true, batch)]
            np.testing.assert_array_equal(*degrees)
    assert (shuffled[0].labels != shuffled[1].labels).any()  # each seed has a draw of its own
    problems = prediction.build_problems(dataset, splits[:1], config)
    *_, request = prediction.list_requests(splits[:1], problems, config)
    assert request.part.split.test is splits[0].test


def test_every_fit_of_a_run_has_the_same_shapes(dataset):
    import jax

    config = prediction.SplitConfig(kind="both-disjoint", draws=(0, 1, 2))
    splits = prediction.draw_splits(dataset, config)
    assert len({len(split.train) for split in splits}) > 1
    found = fit(dataset, splits, CONFIG)
    shapes = {str(jax.tree.map(np.shape, data)) for data in found.data}
    assert len(shapes) == 1


def test_draws_and_seeds_of_one_problem_are_asked_for_together(dataset, splits):
    """So that they may be fitted side by side; a control has a problem of its own each draw."""
    config = dataclasses.replace(CONFIG, seeds=(7, 8), controls=("features-one-hot",))
    assert fit(dataset, splits, config).groups == [4, 2, 2]


def test_a_study_asks_for_all_draws_of_a_method_together(dataset, splits, oracle, monkeypatch):
    recorder = NoTraining()
    monkeypatch.setattr(prediction.FitRecorder, "fit_all", recorder.fit_all)
    config = dataclasses.replace(CONFIG, seeds=(7, 8))
    results = prediction.run_study(dataset, splits, config)
    assert recorder.groups == [4]
    assert {row["method"] for row in results.rows} >= {"scRegNet", "scRegNet, mean of 2 seeds"}


@pytest.mark.parametrize("winner", [0, 1, 2])
def test_the_option_with_the_best_validation_score_is_chosen(winner, dataset, splits, oracle):
    """In the second draw the next option is the best."""
    scores = np.full((3, 2), 0.4)
    scores[winner, 0] = scores[(winner + 1) % 3, 1] = 0.6
    options = {
        "folds": dataclasses.replace(METHOD, training=TrainingConfig(edge_folds=2)),
        "additive": dataclasses.replace(METHOD, model=ScRegNetConfig(head="additive")),
    }
    config, recorder = dataclasses.replace(CONFIG, seeds=(7, 8)), NoTraining(scores.ravel())
    chosen = choose(dataset, splits, config, options, recorder)
    every = {"as given": METHOD, **options}
    assert list(chosen) == [3, 4]
    for draw, place in ((3, winner), (4, (winner + 1) % 3)):
        name = list(every)[place]
        assert chosen[draw] == (name, every[name])
    assert recorder.names == [f"draw{draw}-option{i}-seed7" for i in range(3) for draw in (3, 4)]


def test_every_draw_is_fitted_with_the_option_chosen_for_it(dataset, splits):
    other = dataclasses.replace(METHOD, inputs=InputConfig(negative_weight=0.2))
    config = dataclasses.replace(CONFIG, controls=("labels-rewired",), seeds=(7, 8))
    chosen = {3: ("as given", METHOD), 4: ("other", other)}
    problems = prediction.build_problems(dataset, splits, config)
    requests = prediction.list_requests(splits, problems, config, chosen)
    assert [request.part.name for request in requests] == [
        f"draw{draw}-{label}-seed{seed}"
        for label in ("model", "labels-rewired")
        for draw in (3, 4)
        for seed in (7, 8)
    ]
    for request in requests:
        weight = 1 if request.split.draw == 3 else 0.2
        assert request.method.inputs.negative_weight == weight
        assert request.part.seed == prediction.seed_of(request.split.draw, request.seed)
        assert request.part.split.draw == request.split.draw


def test_on_balanced_splits_options_are_chosen_among_all_that_is_unlabelled(dataset):
    config = prediction.SplitConfig(kind="balanced", draws=(0,))
    [split] = prediction.draw_splits(dataset, config)
    pairs = choose_like_test(split, dataset.genes.tfs, len(dataset.genes.names))
    assert as_set(pairs.positives) == as_set(split.validation.positives)
    negatives = as_set(pairs.pairs[pairs.labels == 0])
    assert len(negatives) == (pairs.labels == 0).sum() > 0
    for part in (split.train, split.validation):
        assert not negatives & as_set(part.pairs)


def test_on_other_splits_options_are_chosen_on_the_validation_pairs(dataset, splits):
    genes = len(dataset.genes.names)
    assert choose_like_test(splits[0], dataset.genes.tfs, genes) is splits[0].validation


def test_a_tie_keeps_the_settings_as_given(dataset, splits, oracle):
    options = {"folds": dataclasses.replace(METHOD, training=TrainingConfig(edge_folds=2))}
    chosen = choose(dataset, splits, CONFIG, options, NoTraining([0.6]))
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


def test_a_control_that_the_method_lacks_is_refused_with_those_it_has():
    for method, control, words in (
        (METHOD, "evidence-permuted", "scRegNet has no control evidence-permuted; choose among ex"),
        (GTGRNMethod(), "features-random", "GT-GRN has no control features-random; choose among"),
        (PearsonMethod(), "labels-rewired", "pearson has no control .* among expression-permuted"),
        (KernelFactorMethod(), "embedding-zero", "kernel-factor has no control embedding-zero"),
    ):
        with pytest.raises(ConfigError, match=words):
            prediction.LinkPredictionConfig(method=method, controls=(control,))


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


def test_expression_is_no_copy_of_labels_so_all_draws_have_one_problem(dataset, splits):
    tfs = prediction.list_split_tfs(splits)
    expression = gather_evidence(dataset, tfs=tfs)
    problems = prediction.build_problems(dataset, splits, CONFIG, evidence=expression)
    assert problems[3] is problems[4] and list(problems[3].evidence) == expression
    np.testing.assert_array_equal(problems[3].tfs, tfs)


def test_other_evidence_is_cleared_of_the_train_labels_of_each_draw(dataset, splits, monkeypatch):
    checked, [expression] = [], gather_evidence(dataset)
    other = Evidence("other", {"kind": "network"})

    def clear(item, tfs, names, train):
        draw = next(split.draw for split in splits if split.train is train)
        return dataclasses.replace(item, report=item.report | {"cleared of": draw})

    monkeypatch.setattr(prediction, "drop_copied_columns", clear)
    monkeypatch.setattr(prediction, "check_leaks", lambda *given: checked.append(given))
    evidence = [expression, other]
    problems = prediction.build_problems(dataset, splits, CONFIG, evidence=evidence)
    [(items, tfs, _, of_splits)] = checked
    assert items == [other] and of_splits == splits
    np.testing.assert_array_equal(tfs, prediction.list_split_tfs(splits))
    for draw in (3, 4):
        assert [item.report["cleared of"] for item in problems[draw].evidence] == [draw] * 2
        assert problems[draw].parts is problems[3].parts


@pytest.mark.parametrize(
    "method",
    [
        ScRegNetMethod(model=ScRegNetConfig(identity_rank=3)),
        GTGRNMethod(model=GTGRNConfig(fusion="gate")),
        KernelFactorMethod(most_genes=9),
        PearsonMethod(),
    ],
    ids=lambda method: method.name(),
)
def test_settings_go_to_json_and_back_with_any_method(method):
    config = dataclasses.replace(CONFIG, method=method)
    written = to_json(config)
    assert from_json(prediction.LinkPredictionConfig, written) == config


def test_a_control_keeps_what_it_makes_in_a_folder_of_its_own(dataset, splits, tmp_path):
    """Blocks of scores by permuted expression are no blocks of the run itself; it is resumed."""
    config = prediction.LinkPredictionConfig(
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
