"""Foundation models inside GRNFormer: their states are those of the models, and nothing leaks."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from flax.traverse_util import flatten_dict

from grnjax.errors import ConfigError
from grnjax.foundation.backbones import find_rows, start_backbone
from grnjax.foundation.backbones_of_detected import GeneformerBackboneConfig, bin_shown
from grnjax.foundation.encoders import EncoderConfig, make_encoder
from grnjax.foundation.published import MODELS
from grnjax.foundation.token_stream import TokenBatch
from grnjax.foundation.tokenise_scgpt import bin_values
from grnjax.foundation.vocabulary import match_genes
from grnjax.graphs.cell_networks import CellNetworks
from grnjax.graphs.sampling import build_regulon_graph, draw_neighbours
from grnjax.models.grnformer import CellBatch, GRNFormer, GRNFormerConfig
from grnjax.models.structure_encoder import StructureConfig
from grnjax.models.topology_adapter import AdapterConfig
from grnjax.tasks.pretraining import PretrainingConfig, build_cell_data, count_most_edges
from grnjax.training.freezing import gather
from grnjax.training.masked_expression import MaskedObjective, MaskedTrainingConfig
from grnjax.training.step import fresh_state, train_step
from grnjax.training.warm_start import take_over
from tests.foundation.small_models import CONFIGS, GENES, make_model

NAMES = tuple(MODELS)
CELLS = 3
pytestmark = pytest.mark.usefixtures("optimise_little")


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


@pytest.fixture(scope="module")
def after(model, counts):
    """A batch, and GRNFormer whose adapter stands after the last layer and adds nothing yet."""
    batch = make_batch(counts)
    return batch, *build(model, batch, place="after", beta=0.0)


def with_beta(variables):
    """The same with an adapter that adds something."""
    adapter = variables["params"]["adapter"] | {"beta": jnp.float32(0.5)}
    return {**variables, "params": variables["params"] | {"adapter": adapter}}


@pytest.mark.slow
def test_with_beta_0_after_the_last_layer_it_is_the_backbone_bit_for_bit(model, after):
    batch, module, variables = after
    alone, own = build(model, batch, structure="none")
    own = take_over(own, variables)
    before = run(module, variables, batch)
    np.testing.assert_array_equal(before, run(alone, own, batch))
    assert np.abs(run(module, with_beta(variables), batch) - before).max() > 1e-4


def check_hidden(module, variables, batch):
    """Predictions stay the same whatever is hidden, and do not where it is shown."""
    before = run(module, variables, batch)
    changed = batch._replace(values=jnp.where(batch.is_masked, 7.0, batch.values))
    np.testing.assert_array_equal(before, run(module, variables, changed))
    shown = batch._replace(values=jnp.where(batch.is_masked, batch.values, batch.values[::-1]))
    assert np.abs(run(module, variables, shown) - before).max() > 1e-4


@pytest.mark.slow
def test_a_masked_value_enters_no_prediction(after):
    batch, module, variables = after
    check_hidden(module, with_beta(variables), batch)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "adapter"), [("scgpt", {"place": "last"}), ("scfoundation", {"keys": "regulated"})]
)
def test_other_adapters_stand_on_it(counts, name, adapter):
    """Of scFoundation, structure is as wide as the encoder and states as the decoder."""
    batch = make_batch(counts)
    module, variables = build(load(name), batch, **adapter)
    check_hidden(module, variables, batch)


@pytest.mark.slow
def test_no_gradient_leads_from_a_prediction_to_a_masked_value(model, after):
    batch, module, variables = after

    @jax.jit
    def differentiate(values):
        return jax.grad(lambda x: run(module, variables, batch._replace(values=x)).sum())(values)

    gradient = differentiate(batch.values)
    assert not gradient[batch.is_masked].any() and np.isfinite(gradient).all()
    assert gradient.any() == (model.name == "scfoundation")  # others read ranks and bins


@pytest.mark.slow
def test_genes_in_another_order_have_the_same_predictions(after):
    batch, module, variables = after
    order = np.random.default_rng(2).permutation(len(GENES))
    turned = batch._replace(
        values=batch.values[:, order],
        genes=batch.genes[order],
        is_masked=batch.is_masked[:, order],
    )
    before = run(module, variables, batch)
    np.testing.assert_allclose(run(module, variables, turned), before[:, order], atol=2e-5)


@pytest.mark.slow
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


FREEZE = {
    "geneformer": "backbone/model/embeddings",
    "scbert": "backbone/model/performer/layer_0",
    "scfoundation": "backbone/model/encoder",
    "scgpt": "backbone/model/layer_0",
}


@pytest.mark.slow
def test_a_joint_step_moves_all_but_what_is_frozen(model, counts):
    """From a converted model: backbone, graph encoder and adapter at once."""
    values = np.log1p(np.tile(counts, (4, 1)))
    edges = pd.DataFrame({"tf": GENES[0], "target": GENES[4:12], "regulon": 0})
    networks = CellNetworks.of(edges, np.ones((12, 1), bool), np.repeat("a", 12))
    rows, _ = find_rows(model, GENES, source="test")
    backbone, start = start_backbone(model, rows)
    structure = StructureConfig(networks="cell", fan_out=2, layers=1)
    training = MaskedTrainingConfig(
        model=GRNFormerConfig(
            backbone=backbone, structure=structure, adapter=AdapterConfig(place="after")
        ),
        batch_size=4,
        freeze=(FREEZE[model.name],),
        warm_up=0.0001,
        perturbation="none",
    )
    places, config = np.arange(len(GENES)), PretrainingConfig(training=training)
    data, _ = build_cell_data(values, np.array(GENES), places, networks, config, 0)
    data = data._replace(start=start)
    objective = MaskedObjective(training, steps=2, most_edges=count_most_edges(data))

    @jax.jit
    def step(state, data, key):
        batch = objective.batch(data, (data.train[:4], jnp.ones(4)), key)
        return train_step(state, batch, data, key, objective=objective)

    state = moved = jax.jit(functools.partial(fresh_state, objective))(jax.random.key(0), data)
    for number in range(2):  # the learning rate of the first is 0
        moved, loss = step(moved, data, jax.random.key(number))
        assert np.isfinite(loss)
    before, after = (flatten_dict(gather(x), sep="/") for x in (state, moved))
    given = flatten_dict(start, sep="/")
    own = {path for path in given if path in before}
    for path in own:
        np.testing.assert_array_equal(before[path], given[path])
    moved = {path for path in before if not np.array_equal(before[path], after[path])}
    held = {path for path in before if path.startswith((f"params/{FREEZE[model.name]}", "buffers"))}
    assert held and not held & moved
    assert {"params/adapter/beta", "params/structure/norm/scale"} <= moved
    assert len([path for path in own & moved if "/model/" in path]) > 0.5 * len(own - held)


@pytest.mark.slow
def test_bins_are_those_of_the_tokeniser():
    values = np.float32(np.random.default_rng(0).poisson(2.0, (4, 60)))
    values[3] = 0
    is_shown = values > 0
    found = np.asarray(bin_shown(jnp.asarray(values), jnp.asarray(is_shown), 9))
    for row, shown, own in zip(values, is_shown, found):
        assert not own[~shown].any()
        if shown.any():
            np.testing.assert_array_equal(own[shown], bin_values(row[shown].astype("f8"), 9))


@pytest.mark.slow
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
