"""Which pairs a fit learns from and is selected on, and which fits are asked for together."""

import dataclasses

import numpy as np
import pytest

from grnjax.config import from_json, to_json
from grnjax.data.candidates import list_split_tfs
from grnjax.data.expression import DataConfig
from grnjax.errors import ConfigError
from grnjax.evidence.gather import gather_evidence
from grnjax.evidence.types import Evidence
from grnjax.methods.expression_only import PearsonMethod
from grnjax.methods.gt_grn.method import GTGRNMethod
from grnjax.methods.kernel_factor.method import KernelFactorMethod
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod
from grnjax.models.gt_grn import GTGRNConfig
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.tasks import split_fits
from grnjax.tasks.loading import load_folder
from grnjax.training.recorder import derive_seed

METHOD = ScRegNetMethod()
CONFIG = split_fits.LinkPredictionConfig()


@pytest.fixture
def dataset(genelink_folder):
    return load_folder(genelink_folder(), DataConfig())[0]


@pytest.fixture
def splits(dataset):
    return split_fits.draw_splits(dataset, split_fits.SplitConfig(draws=(3, 4)))


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


@pytest.fixture
def fit(no_training):
    """Has each split and control fitted; gives what stood for training."""

    def run(dataset, splits, config):
        problems, recorder = split_fits.build_problems(dataset, splits, config), no_training()
        requests = split_fits.list_requests(splits, problems, config)
        assert len(list(split_fits.fit_requests(requests, recorder))) == len(requests)
        return recorder

    return run


def as_set(pairs):
    return set(map(tuple, pairs.tolist()))


@pytest.mark.parametrize("messages", ["symmetric", "directed", "none"])
def test_a_fit_learns_from_train_and_is_selected_on_validation(messages, dataset, splits, fit):
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


def test_reference_selection_puts_the_test_pairs_in_the_place_of_validation(dataset, splits, fit):
    config = dataclasses.replace(CONFIG, reference_selection=True)
    [data] = fit(dataset, splits[:1], config).data
    assert pairs_in(data.validation) == as_set(splits[0].test.pairs)


def test_rewired_labels_keep_the_degrees_and_the_test_pairs_are_untouched(dataset, splits, fit):
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
    problems = split_fits.build_problems(dataset, splits[:1], config)
    *_, request = split_fits.list_requests(splits[:1], problems, config)
    assert request.part.split.test is splits[0].test


def test_every_fit_of_a_run_has_the_same_shapes(dataset, fit):
    import jax

    config = split_fits.SplitConfig(kind="both-disjoint", draws=(0, 1, 2))
    splits = split_fits.draw_splits(dataset, config)
    assert len({len(split.train) for split in splits}) > 1
    found = fit(dataset, splits, CONFIG)
    shapes = {str(jax.tree.map(np.shape, data)) for data in found.data}
    assert len(shapes) == 1


def test_draws_and_seeds_of_one_problem_are_asked_for_together(dataset, splits, fit):
    """So that they may be fitted side by side; a control has a problem of its own each draw."""
    config = dataclasses.replace(CONFIG, seeds=(7, 8), controls=("features-one-hot",))
    assert fit(dataset, splits, config).groups == [4, 2, 2]


def test_every_draw_is_fitted_with_the_option_chosen_for_it(dataset, splits):
    other = dataclasses.replace(METHOD, inputs=InputConfig(negative_weight=0.2))
    config = dataclasses.replace(CONFIG, controls=("labels-rewired",), seeds=(7, 8))
    chosen = {3: ("as given", METHOD), 4: ("other", other)}
    problems = split_fits.build_problems(dataset, splits, config)
    requests = split_fits.list_requests(splits, problems, config, chosen)
    assert [request.part.name for request in requests] == [
        f"draw{draw}-{label}-seed{seed}"
        for label in ("model", "labels-rewired")
        for draw in (3, 4)
        for seed in (7, 8)
    ]
    for request in requests:
        weight = 1 if request.split.draw == 3 else 0.2
        assert request.method.inputs.negative_weight == weight
        assert request.part.seed == derive_seed(request.seed, request.split.draw)
        assert request.part.split.draw == request.split.draw


def test_a_control_that_the_method_lacks_is_refused_with_those_it_has():
    for method, control, words in (
        (METHOD, "evidence-permuted", "scRegNet has no control evidence-permuted; choose among ex"),
        (GTGRNMethod(), "features-random", "GT-GRN has no control features-random; choose among"),
        (PearsonMethod(), "labels-rewired", "pearson has no control .* among expression-permuted"),
        (KernelFactorMethod(), "embedding-zero", "kernel-factor has no control embedding-zero"),
    ):
        with pytest.raises(ConfigError, match=words):
            split_fits.LinkPredictionConfig(method=method, controls=(control,))


def test_expression_is_no_copy_of_labels_so_all_draws_have_one_problem(dataset, splits):
    tfs = list_split_tfs(splits)
    expression = gather_evidence(dataset, tfs=tfs)
    problems = split_fits.build_problems(dataset, splits, CONFIG, evidence=expression)
    assert problems[3] is problems[4] and list(problems[3].evidence) == expression
    np.testing.assert_array_equal(problems[3].tfs, tfs)


def test_other_evidence_is_cleared_of_the_train_labels_of_each_draw(dataset, splits, monkeypatch):
    checked, [expression] = [], gather_evidence(dataset)
    other = Evidence("other", "network", {})

    def clear(item, tfs, names, train):
        draw = next(split.draw for split in splits if split.train is train)
        return dataclasses.replace(item, report=item.report | {"cleared of": draw})

    monkeypatch.setattr(split_fits, "drop_copied_columns", clear)
    monkeypatch.setattr(split_fits, "check_leaks", lambda *given: checked.append(given))
    evidence = [expression, other]
    problems = split_fits.build_problems(dataset, splits, CONFIG, evidence=evidence)
    [(items, tfs, _, of_splits)] = checked
    assert items == [other] and of_splits == splits
    np.testing.assert_array_equal(tfs, list_split_tfs(splits))
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
    assert from_json(split_fits.LinkPredictionConfig, written) == config
