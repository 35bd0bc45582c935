"""scBERT from a file in its published form, against the reference outputs; sizes from the file."""

import dataclasses
import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.errors import CheckpointError
from grnjax.foundation import performer
from grnjax.foundation.performer import attend_by_features
from grnjax.foundation.performer_weights import COUNTER
from grnjax.foundation.pooling import GeneMeans, sum_genes
from grnjax.foundation.reader import read_checkpoint
from grnjax.foundation.scbert import RULES, find_arrays, read_config, to_published
from grnjax.foundation.weights import to_flax

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def folder(parity_folder):
    return parity_folder("scbert")


@pytest.fixture(scope="module")
def arrays(folder):
    return find_arrays(read_checkpoint(folder / "panglao_pretrain.pth"))


@pytest.fixture(scope="module")
def config(folder, arrays):
    return read_config(arrays, json.loads((folder / "architecture.json").read_text()))


@pytest.fixture(scope="module")
def tokens(folder):
    with np.load(folder / "inputs.npz", allow_pickle=False) as given:
        return given["tokens"]


@pytest.fixture(scope="module")
def expected(folder):
    with np.load(folder / "expected.npz", allow_pickle=False) as given:
        return dict(given)


def start(config):
    """The form of the model's variables."""
    return jax.eval_shape(config.init, jax.random.key(0))


@pytest.fixture(scope="module")
def variables(arrays, config):
    return to_flax(arrays, RULES, start(config))


@functools.partial(jax.jit, static_argnums=0)
def run(config, variables, tokens):
    """Encodings, logits, and the tokens after each attention."""
    model = config.make()
    encodings, kept = model.apply(
        variables, tokens, train=False, method="encode", mutable="intermediates"
    )
    layers = kept["intermediates"]["performer"]
    after = [layers[f"layer_{i}"]["after_attention"][0] for i in range(config.performer.layers)]
    return encodings, model.apply(variables, encodings, method="decode"), after


def difference(actual, wanted):
    assert actual.shape == wanted.shape
    return np.abs(np.asarray(actual, np.float64) - wanted).max()


@pytest.mark.slow
def test_a_batch_equals_the_reference_one_by_one(config, variables, tokens, expected):
    encodings, logits, after = run(config, variables, tokens)
    assert difference(encodings, expected["encodings_one_by_one"]) < TOLERANCE
    assert difference(logits, expected["logits_one_by_one"]) < TOLERANCE
    names = [name for name in sorted(expected) if name.startswith("after_attention")]
    assert len(names) == len(after)
    for name, state in zip(names, after, strict=True):
        assert difference(state, expected[name]) < TOLERANCE, name
    np.testing.assert_array_equal(
        expected["encodings_single"], expected["encodings_one_by_one"][:1]
    )


@pytest.mark.slow
def test_a_cell_alone_equals_the_reference(config, variables, tokens, expected):
    encodings, logits, _ = run(config, variables, tokens[:1])
    assert difference(encodings, expected["encodings_single"]) < TOLERANCE
    assert difference(logits, expected["logits_single"]) < TOLERANCE


@pytest.mark.slow
def test_the_maximum_of_the_batch_equals_the_reference_batch(config, variables, tokens, expected):
    layers = dataclasses.replace(config.performer, key_maximum="batch")
    coupled = dataclasses.replace(config, performer=layers)
    encodings, logits, _ = run(coupled, variables, tokens)
    assert difference(encodings, expected["encodings_batch_coupled"]) < TOLERANCE
    assert difference(logits, expected["logits_batch_coupled"]) < TOLERANCE
    assert difference(encodings, expected["encodings_one_by_one"]) > 1e-3


@pytest.mark.slow
def test_mean_gene_embedding(config, variables, tokens, expected):
    """Over all cells, the last position left out, cell after cell."""
    encodings, _, _ = run(config, variables, tokens)
    means = GeneMeans(config.genes, config.performer.width)
    for one in encodings[:, None, :-1]:
        places, is_counted = np.arange(config.genes)[None], np.ones(one.shape[:2], bool)
        means.add(*sum_genes(one, places, is_counted, genes=config.genes))
    assert difference(means.means(), expected["gene_embedding_mean"]) < TOLERANCE
    assert (means.counts == len(tokens)).all()


def attend_by_head(query, key, value, directions, *, over_batch):
    """With one maximum a head, each of which attends alone."""
    heads = [(x[:, :, [i]] for x in (query, key, value)) for i in range(query.shape[2])]
    return jnp.concatenate([attend_by_features(*x, directions) for x in heads], axis=2)


@pytest.mark.slow
@pytest.mark.parametrize("mistake", ["tanh", "epsilon", "heads", "norm", "swapped"])
def test_a_mistake_shows(config, variables, tokens, expected, mistake, monkeypatch):
    """What the fixture says it must be wrong by is far above the tolerance."""
    if mistake == "tanh":
        gelu = performer.nn.gelu
        monkeypatch.setattr(performer.nn, "gelu", lambda x, approximate: gelu(x, approximate=True))
    elif mistake == "epsilon":
        monkeypatch.setattr(performer, "KERNEL_EPSILON", 0.0)
    elif mistake == "heads":
        monkeypatch.setattr(performer, "attend_by_features", attend_by_head)
    elif mistake == "norm":
        monkeypatch.setattr(performer, "NORM_EPSILON", 1e-6)
    else:
        attention = variables["params"]["performer"]["layer_0"]["attention"]
        variables = jax.tree.map(lambda x: x, variables)
        changed = variables["params"]["performer"]["layer_0"]["attention"]
        changed["query"], changed["key"] = attention["key"], attention["query"]
    encodings = jax.jit(lambda v, t: run.__wrapped__(config, v, t)[0])(variables, tokens)
    least = {"tanh": 1e-4, "epsilon": 1e-1, "heads": 1e-1, "norm": TOLERANCE, "swapped": 1e-1}[
        mistake
    ]
    assert not difference(encodings, expected["encodings_one_by_one"]) < least


def test_every_array_comes_back_bit_for_bit(arrays, variables):
    """But for a counter, and vectors of genes that were float64."""
    written = to_published(variables)
    assert {*written} == {*arrays}
    for name, array in arrays.items():
        if not name.endswith(COUNTER):
            np.testing.assert_array_equal(written[name], array.astype(np.float32), strict=True)


@pytest.mark.parametrize("wrapped", ["bare", "module.", "without head", "fine-tuned"])
def test_other_forms_of_the_file(arrays, config, wrapped, variables):
    """Bare weights, those of data-parallel training, and those whose head is another."""
    given = dict(arrays)
    if wrapped == "module.":
        given = {f"module.{name}": array for name, array in arrays.items()}
    if wrapped in ("without head", "fine-tuned"):
        given = {name: array for name, array in arrays.items() if not name.startswith("to_out")}
    if wrapped == "fine-tuned":
        given["to_out.conv1.weight"] = np.zeros((1, 1, 1, 3), np.float32)
    found = find_arrays(given)
    sizes = read_config(found)
    assert sizes == dataclasses.replace(config, has_head=wrapped in ("bare", "module."))
    read = to_flax(found, RULES, start(sizes))
    np.testing.assert_array_equal(
        read["params"]["token_emb"]["embedding"], variables["params"]["token_emb"]["embedding"]
    )


def test_weights_that_are_not_of_one_model_are_refused(arrays, config):
    with pytest.raises(CheckpointError, match="depth is .*, not 99"):
        read_config(arrays, {"depth": 99})
    less = {name: x for name, x in arrays.items() if not name.endswith("projection_matrix")}
    with pytest.raises(CheckpointError, match="cannot be read: 1 of 3 matrices"):
        read_config(less)
    last = f"performer.net.layers.{config.performer.layers - 1}.0.fn.to_k.weight"
    less = {name: x for name, x in arrays.items() if name != last}
    with pytest.raises(CheckpointError, match=last):
        to_flax(less, RULES, start(config))
    with pytest.raises(CheckpointError, match="no weights of scBERT among epoch"):
        find_arrays({"epoch": 3})
