"""scGPT against the original model: every array of the fixture, from each layout of its file."""

import dataclasses
import functools
import json

import flax.traverse_util
import jax
import numpy as np
import pytest

from grnjax.foundation.reader import name_arrays, read_checkpoint, read_dictionary
from grnjax.foundation.scgpt import (
    RULES,
    ScGPT,
    ScGPTConfig,
    find_heads,
    normalise_cells,
    read_config,
)
from grnjax.foundation.weights import list_ignored, to_flax, to_torch

TOLERANCE = 1e-5
LAYOUTS = ("best_model.pt", "best_model_impl.pt", "best_model_plain.pt")


def describe_variables(config):
    """Shapes and types of the variables of a model of these settings."""
    cells = jax.ShapeDtypeStruct((1, 3), "int32"), jax.ShapeDtypeStruct((1, 3), "float32")
    real = jax.ShapeDtypeStruct((1, 3), "bool")
    model = ScGPT(config)
    return jax.eval_shape(lambda *a: model.init(jax.random.key(0), *a, train=False), *cells, real)


@pytest.fixture(scope="module")
def folder(parity_folder):
    return parity_folder("scgpt")


@pytest.fixture(scope="module")
def arrays(folder):
    """The arrays of each layout by name."""
    return {name: dict(name_arrays(read_checkpoint(folder / name))) for name in LAYOUTS}


@pytest.fixture(scope="module")
def config(folder, arrays):
    vocabulary = read_dictionary(folder / "vocab.json")
    published = json.loads((folder / "args.json").read_text())
    return read_config(published, vocabulary, **find_heads(arrays[LAYOUTS[0]]))


@pytest.fixture(scope="module")
def variables(arrays, config):
    return to_flax(arrays[LAYOUTS[0]], RULES, describe_variables(config))


@pytest.fixture(scope="module")
def inputs(folder):
    with np.load(folder / "inputs.npz", allow_pickle=False) as file:
        return file["gene_ids"], file["values"], ~file["padding_mask"]


@pytest.fixture(scope="module")
def wanted(folder):
    with np.load(folder / "expected.npz", allow_pickle=False) as file:
        return dict(file)


@functools.cache
def compile_model(config):
    model = ScGPT(config)
    return jax.jit(lambda *a: model.apply(*a, train=False))


def run(config, variables, inputs):
    return jax.tree.map(np.asarray, compile_model(config)(variables, *inputs))


def difference(actual, wanted, is_real=None):
    gap = np.abs(np.asarray(actual) - wanted)
    return float((gap if is_real is None else gap[is_real]).max())


@pytest.fixture(scope="module")
def differences(config, variables, inputs, wanted):
    """The largest difference from each array of the fixture, at real tokens."""
    genes, values, is_real = inputs
    found, model = run(config, variables, inputs), ScGPT(config)
    embed = model.apply(variables, genes, values, train=False, method="embed")
    ours = {
        "hidden": (found.hidden, is_real),
        "gene_encoder": (embed[0], is_real),
        "value_encoder": (embed[1], is_real),
        "cell_embedding": (found.cell, None),
        "cell_embedding_l2": (normalise_cells(found.cell), None),
        "mlm_output": (found.expression, is_real),
        "mvc_output": (found.cell_expression, is_real),
        "cls_output": (found.classes, None),
        "gene_static_table": (model.apply(variables, method="gene_table"), None),
    }
    assert set(ours) == set(wanted)
    return {name: difference(ours[name][0], wanted[name], ours[name][1]) for name in wanted}


def test_every_array_of_the_fixture_is_met(differences):
    print(differences)
    wrong = {name: gap for name, gap in differences.items() if not gap < TOLERANCE}
    assert differences and not wrong


def test_the_layouts_give_the_same_parameters(arrays, config, variables):
    expected = flax.traverse_util.flatten_dict(variables)
    for name in LAYOUTS[1:]:
        converted = to_flax(arrays[name], RULES, describe_variables(config))
        actual = flax.traverse_util.flatten_dict(converted)
        assert actual.keys() == expected.keys()
        for path, array in actual.items():
            np.testing.assert_array_equal(array, expected[path], err_msg=f"{name}: {path}")


def test_what_is_ignored_is_named(arrays):
    for name, held in arrays.items():
        ignored = list_ignored(list(held), RULES)
        assert set(ignored) == {"flag_encoder.weight"} & set(held), name


def test_arrays_come_back_as_they_were(arrays, variables):
    back, published = to_torch(variables, RULES), dict(arrays[LAYOUTS[0]])
    published.pop("flag_encoder.weight", None)
    assert back.keys() == published.keys()
    for name, array in back.items():
        np.testing.assert_array_equal(array, published[name])


def test_padding_that_is_read_shows(config, variables, inputs, wanted):
    genes, values, is_real = inputs
    found = run(config, variables, (genes, values, np.ones_like(is_real)))
    assert difference(found.hidden, wanted["hidden"], is_real) > 0.1


@pytest.mark.parametrize("pair", [("query", "key"), ("query", "value")])
def test_swapped_parts_of_attention_show(config, variables, inputs, wanted, pair):
    swapped = jax.tree.map(lambda array: array, variables)
    attention = swapped["params"]["layer_0"]["attention"]
    attention[pair[0]], attention[pair[1]] = attention[pair[1]], attention[pair[0]]
    found = run(config, swapped, inputs)
    assert difference(found.hidden, wanted["hidden"], inputs[2]) > 100 * TOLERANCE


@pytest.mark.slow
def test_the_epsilon_of_the_norms_shows(config, variables, inputs, wanted):
    other = dataclasses.replace(config, norm_epsilon=1e-2)
    found = run(other, variables, inputs)
    assert difference(found.hidden, wanted["hidden"], inputs[2]) > 100 * TOLERANCE


@pytest.mark.slow
def test_a_cell_does_not_depend_on_padding_and_its_batch(config, variables, inputs):
    genes, values, is_real = inputs
    expected = run(config, variables, inputs)

    def compare(found, cells, order):
        for one, many in zip(found, expected):
            for place, cell in enumerate(order):
                own = is_real[cell] if many.shape[:2] == is_real.shape else ...
                width = slice(many.shape[1]) if many.shape[:2] == is_real.shape else slice(None)
                assert difference(one[place, width][own], many[cell][own]) < TOLERANCE, cells

    backwards = tuple(array[::-1] for array in inputs)
    compare(run(config, variables, backwards), "backwards", range(len(genes))[::-1])
    wider = [np.pad(array, [(0, 0), (0, 9)]) for array in inputs]
    compare(run(config, variables, wider), "wider", range(len(genes)))
    for cell in range(len(genes)):
        alone = tuple(array[cell : cell + 1] for array in inputs)
        compare(run(config, variables, alone), "alone", [cell])


def test_published_sizes_have_the_published_number_of_parameters():
    config = ScGPTConfig(
        layers=12, width=512, heads=8, feed_forward=512, norm_epsilon=1e-5, vocabulary=60_697
    )
    leaves = jax.tree.leaves(describe_variables(config))
    assert round(sum(leaf.size for leaf in leaves) / 1e6, 2) == 51.86
