"""Every array of a checkpoint is matched, turned and counted, and comes back bit for bit."""

import logging

import ml_dtypes
import numpy as np
import pytest

from grnjax.errors import CheckpointError
from grnjax.foundation.weights import (
    Flat,
    Ignored,
    Linear,
    Rule,
    list_ignored,
    strip_prefix,
    to_flax,
    to_torch,
)

LAYERS, WIDTH, HEADS = 12, 6, 3
PARTS = ("query", "key", "value")
RULES = (
    Rule("emb.weight", "table/embedding"),
    Rule("layer.{i}.in.weight", tuple(f"layer_{{i}}/{x}/kernel" for x in PARTS), Linear()),
    Rule("layer.{i}.in.bias", tuple(f"layer_{{i}}/{x}/bias" for x in PARTS), Flat()),
    Rule("layer.{i}.out.weight", "layer_{i}/out/kernel", Linear(inputs=2)),
    Rule("layer.{i}.norm.weight", "layer_{i}/norm/scale", also=("layer.{i}.norm.gamma",)),
    Rule("projection", "projection", collection="buffers"),
    Rule("alpha", "alpha"),
    Ignored("decoder.weight", "tied to the table", equals="emb.weight"),
    Ignored("head.{}", "of another task"),
)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    found = {"emb.weight": rng.normal(size=(9, WIDTH)), "alpha": np.array(rng.normal())}
    found["projection"] = rng.normal(size=(5, 4))
    for i in range(LAYERS):
        found[f"layer.{i}.in.weight"] = rng.normal(size=(3 * WIDTH, WIDTH))
        found[f"layer.{i}.in.bias"] = rng.normal(size=3 * WIDTH)
        found[f"layer.{i}.out.weight"] = rng.normal(size=(WIDTH, WIDTH))
        found[f"layer.{i}.norm.weight"] = rng.normal(size=WIDTH)
    return {name: array.astype(np.float32) for name, array in found.items()}


@pytest.fixture
def like():
    def leaf(*shape):
        return np.zeros(shape, np.float32)

    def make_layer():
        parts = {x: {"kernel": leaf(WIDTH, HEADS, 2), "bias": leaf(HEADS, 2)} for x in PARTS}
        return {**parts, "out": {"kernel": leaf(HEADS, 2, WIDTH)}, "norm": {"scale": leaf(WIDTH)}}

    layers = {f"layer_{i}": make_layer() for i in range(LAYERS)}
    params = {"table": {"embedding": leaf(9, WIDTH)}, "alpha": leaf(), **layers}
    return {"params": params, "buffers": {"projection": leaf(5, 4)}}


def test_a_linear_map_does_what_it_did(arrays, like):
    params = to_flax(arrays, RULES, like)["params"]
    x = np.random.default_rng(1).normal(size=WIDTH).astype(np.float32)
    layer = params["layer_10"]  # a number of two digits
    joined = arrays["layer.10.in.weight"] @ x + arrays["layer.10.in.bias"]
    for part, expected in zip(PARTS, np.split(joined, 3)):
        found = np.einsum("i,ihd->hd", x, layer[part]["kernel"]) + layer[part]["bias"]
        np.testing.assert_allclose(found.reshape(-1), expected, rtol=1e-5, atol=1e-6)
    heads = x.reshape(HEADS, 2)
    found = np.einsum("hd,hdo->o", heads, layer["out"]["kernel"])
    np.testing.assert_allclose(found, arrays["layer.10.out.weight"] @ x, rtol=1e-5, atol=1e-6)


def test_there_and_back_is_bit_equal(arrays, like):
    variables = to_flax(arrays, RULES, like)
    back = to_torch(variables, RULES)
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array, strict=True)
        assert back[name].flags.c_contiguous
    again = to_flax(back, RULES, like)
    np.testing.assert_equal(again, variables)


def test_what_is_missing_unused_and_misshaped_is_listed_together(arrays, like):
    del arrays["layer.3.norm.weight"], arrays["layer.7.in.weight"]
    arrays["stranger"] = np.zeros(3, np.float32)
    arrays[f"layer.{LAYERS}.norm.weight"] = np.zeros(WIDTH, np.float32)
    arrays["emb.weight"] = arrays["emb.weight"][:, :-1]
    arrays["layer.0.in.bias"] = arrays["layer.0.in.bias"][:-1]
    arrays["projection"] = arrays["projection"].astype(np.int32)
    with pytest.raises(CheckpointError) as caught:
        to_flax(arrays, RULES, like)
    message = str(caught.value)
    assert "2 missing (layer.3.norm.weight, layer.7.in.weight)" in message
    assert f"2 without a place here (stranger, layer.{LAYERS}.norm.weight)" in message
    assert "3 of another form (emb.weight is [9, 5], and [9, 6] is needed, " in message
    assert "layer.0.in.bias is [17], and [18] is needed" in message
    assert "projection has numbers of type int32, and float32 is needed" in message


def test_ignored_arrays_are_counted_and_named(arrays, like, caplog):
    arrays["head.0.weight"] = arrays["head.bias"] = np.zeros(1)
    arrays["decoder.weight"] = arrays["emb.weight"].copy()
    with caplog.at_level(logging.INFO, "grnjax"):
        to_flax(arrays, RULES, like)
    count = len(arrays)
    assert f"2 of {count} arrays not used, of another task: head.0.weight, head.bias" in caplog.text
    assert f"1 of {count} arrays not used, tied to the table: decoder.weight" in caplog.text
    assert [*list_ignored([*arrays], RULES)] == ["head.0.weight", "head.bias", "decoder.weight"]
    arrays["decoder.weight"][0, 0] += 1
    with pytest.raises(CheckpointError, match="decoder.weight differs from emb.weight"):
        to_flax(arrays, RULES, like)


def test_former_names_are_known_and_not_taken_twice(arrays, like):
    expected = to_flax(arrays, RULES, like)
    arrays["layer.1.norm.gamma"] = arrays.pop("layer.1.norm.weight")
    np.testing.assert_equal(to_flax(arrays, RULES, like), expected)
    assert "layer.1.norm.weight" in to_torch(expected, RULES)
    arrays["layer.1.norm.weight"] = arrays["layer.1.norm.gamma"]
    with pytest.raises(CheckpointError, match=r"layer.1.norm.weight \(a second time\)"):
        to_flax(arrays, RULES, like)


def test_other_floats_are_cast_and_a_loss_of_digits_is_said(arrays, like, caplog):
    expected = to_flax(arrays, RULES, like)
    halves = {name: array.astype(ml_dtypes.bfloat16) for name, array in arrays.items()}
    with caplog.at_level(logging.INFO, "grnjax"):
        found = to_flax(halves, RULES, like)
        assert not caplog.text
        to_flax({**arrays, "alpha": arrays["alpha"].astype(float)}, RULES, like)
    assert f"1 of {len(arrays)} arrays rounded: alpha (float64 to float32)" in caplog.text
    table = found["params"]["table"]["embedding"]
    assert table.dtype == np.float32
    np.testing.assert_allclose(table, expected["params"]["table"]["embedding"], rtol=2**-8)


def test_a_prefix_is_stripped_where_it_stands(arrays, like):
    wrapped = {f"module.{name}": array for name, array in arrays.items()}
    assert strip_prefix(wrapped, "module.").keys() == arrays.keys()


def test_variables_of_another_model_have_no_names_there(arrays, like):
    variables = to_flax(arrays, RULES, like)
    variables["params"]["adapter"] = {"kernel": np.zeros(3, np.float32)}
    with pytest.raises(CheckpointError, match=r"1 of .* \(params/adapter/kernel\)"):
        to_torch(variables, RULES)
