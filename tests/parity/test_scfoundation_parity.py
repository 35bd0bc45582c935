"""scFoundation from a file in its published form, against the reference; sizes from the file.

Every array of the fixture is compared: `test_every_expected_array_is_compared` counts them.
"""

import dataclasses
import functools
import re
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

from grnjax.errors import CheckpointError, ConfigError
from grnjax.foundation.performer_weights import COUNTER
from grnjax.foundation.pooling import GeneMeans, sum_genes
from grnjax.foundation.reader import read_checkpoint
from grnjax.foundation.scfoundation import ScFoundationConfig, find_largest, pool_all
from grnjax.foundation.scfoundation_weights import (
    KEYS,
    RULES,
    find_part,
    read_config,
    to_published,
)
from grnjax.foundation.weights import to_flax

TOLERANCE = 1e-5
COMPARED = (
    "autobin_probe_(embedding|bin_weights)",
    "gene_(encoder_positions|encoder_values|autobin|encoder)_cell[0-9]+",
    "gene_(decoder|expression)_one_by_one",
    "gene_decoder_one_by_one_t4",
    "gene_decoder_batch_coupled",
    "gene_embedding_mean",
    "(cell|rde)_pool_(all|max)",
    "(cell|rde)_encoder_cell0",
)


@pytest.fixture(scope="module")
def folder(parity_folder):
    return parity_folder("scfoundation")


@pytest.fixture(scope="module")
def checkpoint(folder):
    return read_checkpoint(folder / "models.ckpt")


@pytest.fixture(scope="module")
def given(folder):
    with np.load(folder / "inputs.npz", allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def expected(folder):
    with np.load(folder / "expected.npz", allow_pickle=False) as arrays:
        return dict(arrays)


class Loaded(NamedTuple):
    config: ScFoundationConfig
    variables: Any


@pytest.fixture(scope="module")
def load(checkpoint):
    @functools.cache
    def load(key):
        published, arrays = find_part(checkpoint, key)
        config = read_config(published, arrays)
        return Loaded(config, to_flax(arrays, RULES, start(config)))

    return load


def start(config):
    """The form of the model's variables."""
    return jax.eval_shape(config.init, jax.random.key(0))


def select(config, values, length=None):
    """Places with values above 0 in their order, padded to a length: values, places, is_real."""
    counts = (values > 0).sum(axis=1)
    length = length or counts.max()
    is_real = np.arange(length) < counts[:, None]
    places = np.full(is_real.shape, config.places, np.int32)
    shown = np.full(is_real.shape, config.pad_value, np.float32)
    places[is_real] = np.nonzero(values > 0)[1]
    shown[is_real] = values[values > 0]
    return shown, places, is_real


@functools.partial(jax.jit, static_argnums=0)
def encode(config, variables, shown, places, is_real):
    return config.make().apply(variables, shown, places, is_real, train=False, method="encode")


@functools.partial(jax.jit, static_argnums=0)
def decode(config, variables, values, encoded, places, is_real):
    model = config.make()
    decoded = model.apply(variables, values, encoded, places, is_real, train=False, method="decode")
    return decoded, model.apply(variables, decoded, method="express")


def run(loaded, values, length=None):
    """Decoded vectors and expression of all places."""
    shown, places, is_real = select(loaded.config, values, length)
    encoded = encode(*loaded, shown, places, is_real)
    return decode(*loaded, values, encoded, places, is_real)


def difference(actual, wanted):
    assert actual.shape == wanted.shape
    return np.abs(np.asarray(actual, np.float64) - wanted).max()


def test_every_expected_array_is_compared(expected):
    pattern = "|".join(COMPARED)
    assert [name for name in expected if not re.fullmatch(pattern, name)] == []


def test_value_embedding(load, given, expected):
    """Zero, a negative value, what is near the mask and padding, and what stands for them."""
    config, variables = load("gene")
    probes = given["autobin_probe_values"]
    assert {0.0, config.mask_value, config.pad_value} <= set(probes.tolist())
    model = config.make()
    embed = jax.jit(lambda v, x: model.apply(v, x, method="embed_values"))
    weigh = jax.jit(lambda v, x: model.apply(v, x, method="weigh_bins"))
    wanted = expected["autobin_probe_embedding"]
    assert difference(embed(variables, probes), wanted) < TOLERANCE
    weights = weigh(variables, probes)
    assert difference(weights, expected["autobin_probe_bin_weights"]) < TOLERANCE
    mask = variables["params"]["token_emb"]["mask"][0]
    assert difference(mask, wanted[probes == config.mask_value][0]) == 0


@pytest.mark.slow
def test_encoder_of_single_cells(load, given, expected):
    config, variables = load("gene")
    cells = [name for name in expected if re.fullmatch("gene_encoder_cell[0-9]+", name)]
    assert len(cells) == len(given["values_f2"])
    for cell, values in enumerate(given["values_f2"]):
        shown, places, is_real = select(config, values[None])
        np.testing.assert_array_equal(places[0], expected[f"gene_encoder_positions_cell{cell}"])
        np.testing.assert_array_equal(shown[0], expected[f"gene_encoder_values_cell{cell}"])
        embedded = config.make().apply(variables, shown, method="embed_values")
        assert difference(embedded[0], expected[f"gene_autobin_cell{cell}"]) < TOLERANCE
        encoded = encode(config, variables, shown, places, is_real)
        assert difference(encoded[0], expected[f"gene_encoder_cell{cell}"]) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("mode, name", [("f2", ""), ("t4", "_t4")])
def test_a_padded_batch_equals_the_reference_one_by_one(load, given, expected, mode, name):
    decoded, expression = run(load("gene"), given[f"values_{mode}"])
    assert difference(decoded, expected[f"gene_decoder_one_by_one{name}"]) < TOLERANCE
    if mode == "f2":
        assert difference(expression, expected["gene_expression_one_by_one"]) < TOLERANCE


@pytest.mark.slow
def test_the_maximum_of_the_batch_equals_the_reference_batch(load, given, expected):
    config, variables = load("gene")
    decoder = dataclasses.replace(config.decoder, key_maximum="batch")
    coupled = Loaded(dataclasses.replace(config, decoder=decoder), variables)
    decoded, _ = run(coupled, given["values_f2"])
    assert difference(decoded, expected["gene_decoder_batch_coupled"]) < TOLERANCE
    assert difference(decoded, expected["gene_decoder_one_by_one"]) > 1e-3


@pytest.mark.slow
def test_mean_gene_embedding(load, given, expected):
    """Over all cells, T and S left out, cell after cell."""
    config, _ = load("gene")
    decoded, _ = run(load("gene"), given["values_f2"])
    means = GeneMeans(config.genes, config.decoder.width)
    for one in decoded[:, None, : config.genes]:
        places, is_counted = np.arange(config.genes)[None], np.ones(one.shape[:2], bool)
        means.add(*sum_genes(one, places, is_counted, genes=config.genes))
    assert difference(means.means(), expected["gene_embedding_mean"]) < TOLERANCE
    assert (means.counts == len(decoded)).all()


@pytest.mark.slow
@pytest.mark.parametrize("key, mode", [("cell", "t4"), ("rde", "a1")])
def test_poolings_of_cells(load, given, expected, key, mode):
    config, variables = load(key)
    shown, places, is_real = select(config, given[f"values_{mode}"])
    encoded = encode(config, variables, shown, places, is_real)
    pooled = pool_all(encoded, places, is_real, genes=config.genes)
    assert difference(pooled, expected[f"{key}_pool_all"]) < TOLERANCE
    assert difference(find_largest(encoded, is_real), expected[f"{key}_pool_max"]) < TOLERANCE
    first = encoded[0][is_real[0]]
    assert difference(first, expected[f"{key}_encoder_cell0"]) < TOLERANCE


def test_the_places_of_the_depths_are_those_of_the_file(load, given):
    config = load("gene").config
    assert (given["T_index"], given["S_index"]) == (config.genes, config.genes + 1)


@pytest.mark.slow
def test_a_cell_depends_neither_on_its_batch_nor_on_padding(load, given):
    """Alone, at another place among others, with more padding, and with places in another order."""
    loaded, values = load("gene"), given["values_f2"]
    whole, _ = run(loaded, values)
    order = np.arange(len(values))[::-1]
    turned, _ = run(loaded, values[order], length=(values > 0).sum(axis=1).max() + 37)
    assert difference(turned[order], whole) < TOLERANCE
    shown, places, is_real = (x[:, ::-1] for x in select(loaded.config, values))
    encoded = encode(*loaded, shown, places, is_real)
    mixed, _ = decode(*loaded, values, encoded, places, is_real)
    assert difference(mixed, whole) < TOLERANCE
    for cell in range(len(values)):
        alone, _ = run(loaded, values[[cell]])
        assert difference(alone[0], whole[cell]) < TOLERANCE


@pytest.mark.slow
def test_values_of_padding_are_not_read(load, given):
    loaded, values = load("gene"), given["values_f2"]
    shown, places, is_real = select(loaded.config, values)
    encoded = encode(*loaded, shown, places, is_real)
    wrong = np.where(is_real, shown, 7.0), np.where(is_real, places, 0)
    again = encode(*loaded, *wrong, is_real)
    np.testing.assert_array_equal(encoded[is_real], again[is_real])
    np.testing.assert_array_equal(
        decode(*loaded, values, encoded, places, is_real)[0],
        decode(*loaded, values, again, wrong[1], is_real)[0],
    )


@pytest.mark.slow
@pytest.mark.parametrize("mistake", ["added once", "one norm", "query and key", "keys"])
def test_a_mistake_shows(load, given, expected, mistake):
    config, variables = load("gene")
    if mistake == "keys":
        variables = load("cell").variables
    changed = jax.tree.map(np.copy, variables)
    params = changed["params"]
    if mistake == "query and key":
        attention = params["encoder"]["layer_0"]["attention"]
        attention["query"], attention["key"] = attention["key"], attention["query"]
    if mistake == "one norm":
        params["norm"] = jax.tree.map(np.zeros_like, params["norm"])
        params["norm"]["scale"] += 1
    values = given["values_f2"]
    shown, places, is_real = select(config, values)
    encoded = encode(config, changed, shown, places, is_real)
    if mistake == "added once":  # encoded places receive their vectors in the encoder alone
        encoded = encoded - params["pos_emb"]["embedding"][places]
    decoded, _ = decode(config, changed, values, encoded, places, is_real)
    assert difference(decoded, expected["gene_decoder_one_by_one"]) > 1e-2


@pytest.mark.parametrize("key", KEYS)
def test_every_array_comes_back_bit_for_bit(load, checkpoint, key):
    state = checkpoint[key]["state_dict"]
    written = to_published(load(key).variables)
    assert {*written} == {*state}
    for name, array in state.items():
        if not name.endswith(COUNTER):
            np.testing.assert_array_equal(written[name], array, strict=True)


@pytest.mark.slow
def test_a_file_of_one_model(load, checkpoint):
    """Without keys and without `model.` before the names."""
    published, arrays = find_part(checkpoint, "cell")
    for name in ("state_dict", "model_state_dict"):
        again, same = find_part({"config": published, name: arrays}, "gene")
        config = read_config(again, same, dtype="bfloat16", key_maximum="batch")
        assert {config.encoder.dtype, config.decoder.dtype} == {"bfloat16"}
        read = to_flax(same, RULES, start(config))
        jax.tree.map(np.testing.assert_array_equal, read, load("cell").variables)


def change(settings, path, value):
    """The nested settings with one of them changed, or left out where the value is None."""
    name, *rest = path
    changed = dict(settings)
    if rest:
        changed[name] = change(settings[name], rest, value)
    elif value is None:
        del changed[name]
    else:
        changed[name] = value
    return changed


def test_a_file_that_is_no_scfoundation_is_refused(checkpoint):
    with pytest.raises(CheckpointError, match="no model 'rce' of scFoundation in the file, which"):
        find_part(checkpoint, "rce")
    published, arrays = find_part(checkpoint, "gene")
    sizes = ("model_config", published["model"])
    for path, value, error, words in [
        ((*sizes, "bin_num"), None, ConfigError, "needs bin_num"),
        ((*sizes, "encoder"), None, ConfigError, "needs encoder"),
        ((*sizes, "encoder", "norm_first"), True, ConfigError, "norm_first of the encoder is True"),
        ((*sizes, "decoder", "module_type"), "transformer", ConfigError, "module_type of the dec"),
        ((*sizes, "decoder", "depth"), 99, CheckpointError, "depth of the decoder is 99"),
        (("dataset_config", "rnaseq", "bin_type"), "fixed", ConfigError, "bin_type is fixed"),
    ]:
        with pytest.raises(error, match=words):
            read_config(change(published, path, value), arrays)
    layers = read_config(published, arrays).encoder.layers
    deeper = change(published, (*sizes, "encoder", "depth"), layers + 1)
    with pytest.raises(CheckpointError, match=f"missing .*transformer_encoder.{layers}.linear1"):
        to_flax(arrays, RULES, start(read_config(deeper, arrays)))
    less = {name: x for name, x in arrays.items() if "linear1" not in name}
    with pytest.raises(CheckpointError, match="linear1.weight is not there"):
        read_config(published, less)
