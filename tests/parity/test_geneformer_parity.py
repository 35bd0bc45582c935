"""Geneformer against the reference outputs: hidden states, logits, means of cells and genes.

Sizes and the number of blocks are read from the fixtures, so any folder of the same form will do.
"""

import dataclasses
import functools
import json
from pathlib import Path

import jax
import numpy as np
import pytest

from grnjax.foundation.geneformer import RULES, Geneformer, read_config
from grnjax.foundation.pooling import GeneMeans, average_tokens, mark_tokens, sum_genes
from grnjax.foundation.reader import read_checkpoint
from grnjax.foundation.weights import to_flax

TOLERANCE = 1e-5
CLS, EOS = 2, 3
LAYERS = {"penultimate": -2, "last": -1}


@dataclasses.dataclass(frozen=True, eq=False)
class Fixture:
    folder: Path
    model: Geneformer
    variables: dict
    inputs: dict[str, np.ndarray]
    expected: dict[str, np.ndarray]

    @property
    def is_real(self) -> np.ndarray:
        return self.inputs["attention_mask"] > 0

    def run(self, variables=None, model=None) -> list[np.ndarray]:
        model = model or self.model
        return run(model, variables or self.variables, self.inputs["input_ids"], self.is_real)


@functools.partial(jax.jit, static_argnums=0)
def run(model, variables, tokens, is_real):
    return model.apply(variables, tokens, is_real, train=False, method="hidden_states")


def load(path, model):
    tokens = jax.ShapeDtypeStruct((1, 2), np.int32)
    is_real = jax.ShapeDtypeStruct((1, 2), bool)
    init = functools.partial(model.init, train=False)
    return to_flax(
        read_checkpoint(path), RULES, jax.eval_shape(init, jax.random.key(0), tokens, is_real)
    )


def read_arrays(path):
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module", params=["geneformer_v1", "geneformer_v2"])
def fixture(request, parity_folder):
    folder = parity_folder(request.param)
    model = Geneformer(read_config(json.loads((folder / "config.json").read_bytes())))
    variables = load(folder / "model.safetensors", model)
    arrays = [read_arrays(folder / f"{name}.npz") for name in ("inputs", "expected")]
    return Fixture(folder, model, variables, *arrays)


def difference(found, expected, where=None):
    return np.abs(np.asarray(found) - expected)[... if where is None else where].max()


def test_both_forms_of_the_weights_give_the_same_parameters(fixture):
    from_torch = load(fixture.folder / "pytorch_model.bin", fixture.model)
    np.testing.assert_equal(from_torch, fixture.variables)


@pytest.mark.slow
def test_hidden_states_of_every_block(fixture):
    states = fixture.run()
    names = sorted(name for name in fixture.expected if name.startswith("hidden_state_"))
    assert len(states) == len(names) == fixture.model.config.layers + 1
    for state, name in zip(states, names, strict=True):
        assert difference(state, fixture.expected[name], fixture.is_real) < TOLERANCE, name


@pytest.mark.slow
def test_logits(fixture):
    tokens = fixture.inputs["input_ids"]
    logits = fixture.model.apply(fixture.variables, tokens, fixture.is_real, train=False)
    assert difference(logits, fixture.expected["logits"], fixture.is_real) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
def test_means_of_cells(fixture, layer):
    state, tokens = fixture.run()[LAYERS[layer]], fixture.inputs["input_ids"]
    has_cls = "cell_cls_last" in fixture.expected
    counted = fixture.is_real & mark_tokens(tokens, (CLS, EOS) if has_cls else ())
    found = average_tokens(state, counted)
    assert difference(found, fixture.expected[f"cell_mean_{layer}"]) < TOLERANCE
    if has_cls and layer == "last":
        assert difference(state[:, 0], fixture.expected["cell_cls_last"]) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
def test_means_of_genes_cell_by_cell(fixture, layer):
    state, tokens = fixture.run()[LAYERS[layer]], fixture.inputs["input_ids"]
    genes = fixture.expected["gene_mean_tokens"]
    counted = fixture.is_real & mark_tokens(tokens, range(genes.min()))
    config = fixture.model.config
    means = GeneMeans(config.vocabulary, config.width)
    for i in range(len(tokens)):
        part = slice(i, i + 1)
        means.add(*sum_genes(state[part], tokens[part], counted[part], genes=config.vocabulary))
    np.testing.assert_array_equal(np.flatnonzero(means.counts), genes)
    expected = fixture.expected[f"gene_mean_{layer}"]
    assert difference(means.means()[genes], expected) < TOLERANCE


@pytest.mark.slow
def test_what_typical_mistakes_change(fixture):
    """A wrong port is told from a right one: each mistake is a thousand tolerances away."""
    params = fixture.variables["params"]

    def change(path, make):
        top, *inner = path.split("/")
        return {**params, top: change_in(params[top], inner, make)}

    def change_in(tree, path, make):
        if not path:
            return make(tree)
        return {**tree, path[0]: change_in(tree[path[0]], path[1:], make)}

    def swap(attention):
        return {**attention, "query": attention["key"], "key": attention["query"]}

    torch_epsilon = dataclasses.replace(fixture.model.config, norm_epsilon=1e-5)
    runs = {
        "epsilon": fixture.run(model=Geneformer(torch_epsilon)),
        "swapped": fixture.run({"params": change("layer_0/attention", swap)}),
        "type": fixture.run({"params": change("embeddings/token_type/embedding", lambda x: 0 * x)}),
    }
    for mistake, states in runs.items():
        wrong = [
            difference(state, fixture.expected[f"hidden_state_{i:02}"], fixture.is_real)
            for i, state in enumerate(states)
        ]
        assert max(wrong) > 1000 * TOLERANCE, mistake
