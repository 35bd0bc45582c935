"""Foundation models inside GRNFormer: their states are those of the models, and nothing leaks."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.errors import ConfigError
from grnjax.foundation.backbones import KINDS, find_rows, start_backbone
from grnjax.foundation.backbones_of_detected import GeneformerBackboneConfig, bin_shown
from grnjax.foundation.encoders import EncoderConfig, make_encoder
from grnjax.foundation.token_stream import TokenBatch
from grnjax.foundation.tokenise_scgpt import bin_values
from grnjax.foundation.vocabulary import match_genes
from grnjax.graphs.sampling import build_regulon_graph, draw_neighbours
from grnjax.models.grnformer import CellBatch, GRNFormer, GRNFormerConfig
from grnjax.models.structure_encoder import StructureConfig
from grnjax.models.topology_adapter import AdapterConfig
from grnjax.training.warm_start import take_over
from tests.foundation.small_models import CONFIGS, GENES, make_model

NAMES = tuple(KINDS)
CELLS = 3
pytestmark = pytest.mark.usefixtures("compile_quickly")


@pytest.fixture(scope="module")
def counts():
    return np.random.default_rng(1).poisson(1.5, (CELLS, len(GENES))).astype(np.float32)


NEEDED = {"geneformer": {"positions": 24}, "scgpt": {"expression_head": True}}


def load(name):
    """The small model with positions for all genes, or the head that predicts expression."""
    with pytest.MonkeyPatch.context() as patch:
        config = dataclasses.replace(CONFIGS[name], **NEEDED.get(name, {}))
        patch.setitem(CONFIGS, name, config)
        model = make_model(name)
    about = {**model.about, "settings": {**model.about["settings"], "max_seq_len": 30}}
    return dataclasses.replace(model, about=about)


@pytest.fixture(scope="module", params=NAMES)
def model(request):
    return load(request.param)


def make_batch(counts):
    """Cells with networks, some values hidden, on the scale of ln(1 + counts per 10,000)."""
    rng, genes = np.random.default_rng(2), counts.shape[1]
    regulon = np.repeat(np.arange(4), 5)
    target = np.concatenate([rng.choice(np.arange(4, genes), 5, False) for _ in range(4)])
    graph = build_regulon_graph(np.stack([regulon, target], 1), regulon, genes)
    active = jnp.asarray(rng.random((CELLS, 4)) < 0.7)
    key = jax.random.key(0)
    near = draw_neighbours(graph, active[:, graph.regulon], None, 4, key)
    values = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    return CellBatch(
        values=jnp.float32(values),
        genes=jnp.arange(genes),
        is_masked=jnp.asarray(rng.random(values.shape) < 0.3),
        is_real=jnp.ones(values.shape, bool),
        cell=near,
        cell_type=near,
        keys=jnp.arange(genes - 2),
    )


def build(model, batch, structure="both", **adapter):
    """GRNFormer on the backbone, begun with the model; genes stand in another order than its."""
    rows, _ = find_rows(model, GENES, source="test")
    backbone, start = start_backbone(model, rows)
    config = GRNFormerConfig(
        backbone=backbone,
        structure=StructureConfig(networks=structure, fan_out=4),
        adapter=AdapterConfig(**adapter),
    )
    module = GRNFormer(config, len(GENES))
    init = jax.jit(functools.partial(module.init, train=False))
    variables = take_over(init(jax.random.key(0), batch), start)
    return module, jax.tree.map(jnp.asarray, variables)


@functools.partial(jax.jit, static_argnames=("module", "train", "method"))
def run(module, variables, batch, *, train=False, method="__call__", key=None):
    rngs = None if key is None else {"dropout": key}
    return module.apply(variables, batch, train=train, method=method, rngs=rngs)


def test_with_beta_0_after_the_last_layer_it_is_the_backbone_bit_for_bit(model, counts):
    batch = make_batch(counts)
    module, variables = build(model, batch, place="after", beta=0.0)
    alone, own = build(model, batch, structure="none")
    own = take_over(own, variables)
    np.testing.assert_array_equal(run(module, variables, batch), run(alone, own, batch))
    with_beta = jax.tree.map(lambda x: x, variables)
    with_beta["params"]["adapter"]["beta"] = jnp.float32(0.5)
    other = run(module, with_beta, batch)
    assert np.abs(other - run(module, variables, batch)).max() > 1e-4


@pytest.mark.parametrize("place", ["after", "last"])
def test_a_masked_value_enters_no_prediction(model, counts, place):
    batch = make_batch(counts)
    module, variables = build(model, batch, place=place)
    before = run(module, variables, batch)
    changed = batch._replace(values=jnp.where(batch.is_masked, 7.0, batch.values))
    np.testing.assert_array_equal(before, run(module, variables, changed))
    gradient = jax.grad(lambda x: run(module, variables, batch._replace(values=x)).sum())(
        batch.values
    )
    assert not gradient[batch.is_masked].any() and np.isfinite(gradient).all()
    shown = batch._replace(values=jnp.where(batch.is_masked, batch.values, batch.values[::-1]))
    assert np.abs(run(module, variables, shown) - before).max() > 1e-4


def test_keys_limited_to_regulated_genes(model, counts):
    """Of scFoundation, structure is as wide as the encoder and states as the decoder."""
    batch = make_batch(counts)
    module, variables = build(model, batch, place="after", keys="regulated")
    assert np.isfinite(run(module, variables, batch)).all()


def test_genes_in_another_order_have_the_same_predictions(model, counts):
    batch = make_batch(counts)
    module, variables = build(model, batch, place="after", beta=0.0)
    order = np.random.default_rng(2).permutation(len(GENES))
    turned = batch._replace(
        values=batch.values[:, order],
        genes=batch.genes[order],
        is_masked=batch.is_masked[:, order],
    )
    before = run(module, variables, batch)
    after = run(module, variables, turned)
    np.testing.assert_allclose(after, before[:, order], atol=2e-5)


def test_states_of_whole_cells_are_those_of_the_model(model, counts):
    """By its own tokeniser and forward pass; nothing is hidden, and all of its genes are there."""
    spread = np.random.default_rng(3).uniform(0.6, 1.4, counts.shape).astype(np.float32)
    counts = counts * spread  # without ties
    counts = counts * np.float32(1e4) / counts.sum(axis=1, keepdims=True)  # as T and S say
    batch = make_batch(counts)._replace(is_masked=jnp.zeros(counts.shape, bool))
    module, variables = build(model, batch, structure="none")
    states = run(module, variables, batch, method="encode")
    expected = run_itself(model, counts)
    has_state = counts > 0 if model.name in ("geneformer", "scgpt") else np.isfinite(counts)
    assert (counts == 0).any()
    np.testing.assert_allclose(states[has_state], expected[has_state], atol=2e-5)


def run_itself(model, counts):
    """The last states of the genes by the model's own path, in the order of the columns."""
    given = {"expression": "estimated"} | ({"depth": "f1"} if model.name == "scfoundation" else {})
    given |= {"least_genes": 1} if model.name == "scbert" else {}
    encoder = make_encoder(model, EncoderConfig(layer="last", **given))
    match = match_genes(GENES, encoder.tokeniser.vocabulary, source="test")
    found = encoder.tokeniser.run(counts.astype(np.float64), match=match)
    length = int(found.lengths.max())
    token, value = encoder.tokeniser.pad_token, encoder.tokeniser.pad_value
    padded = found.pad(np.arange(CELLS), length, token=token, value=value)
    batch = TokenBatch(*padded, np.arange(CELLS))
    _, states = encoder.embed(batch)
    if model.name in ("scbert", "scfoundation"):
        return states
    ordered = np.zeros((CELLS, len(GENES), states.shape[-1]), np.float32)
    place = {token: column for column, token in zip(match.columns, match.tokens)}
    for cell, row in enumerate(batch.tokens):
        for at, word in enumerate(row.tolist()):
            if word in place:
                ordered[cell, place[word]] = states[cell, at]
    return ordered


def test_bins_are_those_of_the_tokeniser():
    values = np.float32(np.random.default_rng(0).poisson(2.0, (4, 60)))
    values[3] = 0
    is_shown = values > 0
    found = np.asarray(bin_shown(jnp.asarray(values), jnp.asarray(is_shown), 9))
    for row, shown, own in zip(values, is_shown, found):
        assert not own[~shown].any()
        if shown.any():
            np.testing.assert_array_equal(own[shown], bin_values(row[shown].astype("f8"), 9))


def test_dropout_acts_in_training_alone(counts):
    model = load("geneformer")
    dropped = dataclasses.replace(model.config, dropout=0.5)
    model = dataclasses.replace(model, config=dropped, module=dropped.make())
    batch = make_batch(counts)
    module, variables = build(model, batch, structure="none")
    quiet = [run(module, variables, batch, key=jax.random.key(seed)) for seed in (0, 1)]
    keys = [jax.random.key(seed) for seed in (0, 0, 1)]
    loud = [run(module, variables, batch, train=True, key=key) for key in keys]
    np.testing.assert_array_equal(*quiet)
    np.testing.assert_array_equal(*loud[:2])
    assert np.abs(loud[0] - loud[2]).max() > 1e-3 < np.abs(loud[0] - quiet[0]).max()


def test_genes_outside_the_model_are_told_and_cannot_be_tokens():
    model = load("scbert")
    rows, report = find_rows(model, [*GENES, "OTHER", GENES[3]], source="test")
    assert rows.tolist() == [*range(20), -1, -1] and report["matched"] == 20
    with pytest.raises(ConfigError, match="2 of 22 genes are not in the model"):
        start_backbone(model, rows)


def test_what_does_not_fit_is_refused():
    config = CONFIGS["geneformer"]
    with pytest.raises(ConfigError, match="22 tokens, and the model has 18 positions"):
        GeneformerBackboneConfig(model=config, ends=(2, 3)).make(20, "x")
    with pytest.raises(ConfigError, match="width is 64, and that of the model is 8"):
        GeneformerBackboneConfig(model=config, width=64)
    with pytest.raises(ConfigError, match="no head for expression"):
        start_backbone(make_model("scgpt"), np.arange(20))
