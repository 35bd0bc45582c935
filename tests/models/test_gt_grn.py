import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax import config as settings
from grnjax.errors import ConfigError
from grnjax.graphs.build import build_graph
from grnjax.graphs.edge_attention import edge_directions
from grnjax.graphs.positional import PositionConfig, encode_positions
from grnjax.models.graph_transformer import GraphTransformerConfig
from grnjax.models.gt_grn import GTGRN, GTGRNConfig, GTGRNInputs, faithful
from grnjax.models.terms import sum_penalties, without_ridge
from grnjax.training.pair_objective import (
    FitData,
    TrainingConfig,
    hide_genes,
    make_pair_trainer,
)
from grnjax.types import PairBatch

GENES, TFS, WIDTH, FEATURES = 16, 5, 8, 4
UNMEASURED, LONELY = 7, 15
TRANSFORMER = GraphTransformerConfig(width=WIDTH, heads=2, layers=1, dropout=0.2)
INPUTS = ("expression", "global", "positions")
DEFAULT = GTGRNConfig(inputs=INPUTS, transformer=TRANSFORMER, identity_rank=2)
CONFIGS = {
    "default": DEFAULT,
    "gate": dataclasses.replace(DEFAULT, fusion="gate", head="hadamard"),
    "new targets": dataclasses.replace(DEFAULT, new_targets=True),
    "faithful": faithful(WIDTH, heads=2, layers=2),
}
ALL_PAIRS = np.argwhere(~np.eye(GENES, dtype=bool)[:TFS]).astype(np.int32)
ALL_PAIRS = ALL_PAIRS[ALL_PAIRS[:, 1] != LONELY]
EDGES = ALL_PAIRS[np.random.default_rng(0).random(len(ALL_PAIRS)) < 0.3]
NAMES = np.arange(GENES)


def make_genes(edges=EDGES, names=NAMES, *, padded_edges=96, place_by=None):
    """The genes of a network, gene i standing at index names[i]."""
    rng = np.random.default_rng(1)
    measured = np.arange(GENES) != UNMEASURED
    positions = encode_positions(
        edges if place_by is None else place_by, GENES, PositionConfig(eigenvectors=3, walks=2)
    )
    values = {
        "expression_embedding": rng.normal(size=(GENES, 6)) * measured[:, None],
        "statistics": rng.normal(size=(GENES, 2)) * measured[:, None],
        "measured": measured.astype(float),
        "global_embedding": rng.normal(size=(GENES, 5)),
        "eigenvectors": positions.eigenvectors,
        "structure": positions.structure,
        "seen": np.stack([np.isin(np.arange(GENES), ALL_PAIRS[:, end]) for end in (0, 1)], axis=1),
    }
    for name, value in values.items():
        values[name] = np.zeros((GENES + 1, *value.shape[1:]), np.float32)
        values[name][names] = value
    graph = build_graph(
        names[edges], GENES, symmetric=False, self_loops=True, padded_edges=padded_edges
    )
    return GTGRNInputs(
        **values,
        tfs=np.sort(names[:TFS]).astype(np.int32),
        graph=graph,
        edge_features=edge_directions(graph, names[edges]),
    )


def make_pairs(pairs=ALL_PAIRS):
    count = len(pairs)
    features = np.random.default_rng(2).normal(size=(count, FEATURES)).astype(np.float32)
    labels = np.isin(pairs @ [GENES, 1], EDGES @ [GENES, 1]).astype(np.float32)
    return PairBatch(
        pairs.astype(np.int32),
        features,
        np.zeros((count, 0), np.float32),
        labels,
        np.ones(count, np.float32),
        np.zeros(count, np.int32),
    )


@functools.cache
def scorer(config):
    """Scores in evaluation, which no key is needed for."""
    score = jax.jit(functools.partial(GTGRN(config).apply, train=False))
    return lambda variables, genes, pairs: np.asarray(score(variables, genes, pairs))


@functools.cache
def draw_variables(config):
    """Random parameters, those that start at zero or one too; variances above 0."""
    start = functools.partial(GTGRN(config).init, train=False)
    shapes = jax.eval_shape(start, jax.random.key(0), make_genes(), make_pairs())
    rng = np.random.default_rng(3)

    def draw(path, shape):
        if path[-1].key in ("scale", "variance"):
            return rng.uniform(0.5, 1.5, shape.shape).astype(np.float32)
        return rng.normal(size=shape.shape, scale=0.4).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)


def score(name, genes=None, pairs=None):
    """Scores of a config with random parameters."""
    genes, pairs = genes or make_genes(), pairs or make_pairs()
    return scorer(CONFIGS[name])(draw_variables(CONFIGS[name]), genes, pairs)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_relabelling_genes_permutes_the_scores(name):
    config, new = CONFIGS[name], np.random.default_rng(4).permutation(GENES)
    renamed = jax.tree.map(np.copy, draw_variables(config))
    parameters = renamed["params"]
    by_gene = [x for x in parameters.get("identity", {}).values() if isinstance(x, np.ndarray)]
    for vectors in [*by_gene, *([parameters["linear"]["by_tf"]] if "linear" in parameters else [])]:
        vectors[new] = vectors[:GENES].copy()
    permuted = scorer(config)(renamed, make_genes(names=new), make_pairs(new[ALL_PAIRS]))
    np.testing.assert_allclose(permuted, score(name), atol=1e-3, rtol=1e-4)
    assert score(name).std() > 0.1


@pytest.mark.parametrize("name", CONFIGS)
def test_regulation_has_a_direction(name):
    turned = make_pairs()._replace(pairs=ALL_PAIRS[:, ::-1])
    assert np.abs(score(name) - score(name, pairs=turned)).min() > 1e-5


@pytest.mark.parametrize("name", CONFIGS)
def test_reversing_the_known_edges_changes_the_scores(name):
    """Positions know no direction but by degrees, which stay as they were here."""
    turned = make_genes(EDGES[:, ::-1], place_by=EDGES)
    assert np.abs(score(name) - score(name, turned)).max() > 0.05


@pytest.mark.slow
def test_padding_changes_no_score_and_no_gradient():
    model, variables = GTGRN(DEFAULT), draw_variables(DEFAULT)

    @jax.jit
    def differentiate(variables, genes, pairs):
        def loss(variables):
            scores = model.apply(variables, genes, pairs, train=False)
            return jnp.sum(jnp.sin(scores) * pairs.weights), scores

        (_, scores), gradient = jax.value_and_grad(loss, has_aux=True)(variables)
        return scores, gradient

    pairs = make_pairs()
    scores, gradient = differentiate(variables, make_genes(), pairs)
    fill = PairBatch(GENES, 0, 0, 0, 0, -1)
    padded = jax.tree.map(
        lambda x, value: np.pad(x, [(0, 9)] + [(0, 0)] * (x.ndim - 1), constant_values=value),
        pairs,
        fill,
    )
    more, same = differentiate(variables, make_genes(padded_edges=192), padded)
    np.testing.assert_allclose(more[: len(scores)], scores, atol=1e-4)
    for one, other in zip(jax.tree.leaves(gradient), jax.tree.leaves(same)):
        np.testing.assert_allclose(one, other, atol=1e-3, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["sum", "gate"])
def test_an_input_that_is_off_has_no_influence(fusion):
    fields = {
        "expression": ("expression_embedding", "statistics", "measured"),
        "global": ("global_embedding",),
        "positions": ("eigenvectors", "structure"),
    }
    genes = make_genes()
    for off, names in fields.items():
        left = tuple(name for name in fields if name != off)
        config = dataclasses.replace(DEFAULT, inputs=left, fusion=fusion)
        other = genes._replace(**{name: 1 - 3 * getattr(genes, name) for name in names})
        run = functools.partial(scorer(config), draw_variables(config), pairs=make_pairs())
        np.testing.assert_array_equal(run(genes=genes), run(genes=other))
        whole = dataclasses.replace(DEFAULT, fusion=fusion)
        run = functools.partial(scorer(whole), draw_variables(whole), pairs=make_pairs())
        assert np.abs(run(genes=genes) - run(genes=other)).max() > 0.01


@pytest.mark.slow
def test_an_input_of_no_width_is_one_that_is_off():
    genes, pairs = jax.tree.map(jnp.asarray, (make_genes(), make_pairs()))
    config = dataclasses.replace(DEFAULT, inputs=("global",))
    none = {"expression_embedding": jnp.zeros((GENES + 1, 0))}
    empty = ("statistics", "eigenvectors", "structure")
    none |= dict.fromkeys(empty, none["expression_embedding"])
    variables = draw_variables(config)
    np.testing.assert_array_equal(
        scorer(DEFAULT)(variables, genes._replace(**none), pairs),
        scorer(config)(variables, genes, pairs),
    )
    with pytest.raises(ConfigError, match="none of positions was given"):
        only = dataclasses.replace(DEFAULT, inputs=("positions",))
        GTGRN(only).init(jax.random.key(0), genes._replace(**none), pairs, train=False)


def test_gates_that_have_learned_nothing_leave_the_sum():
    summed = draw_variables(DEFAULT)
    gated = dataclasses.replace(DEFAULT, fusion="gate")
    shut = draw_variables(gated)["params"]["gate"]
    zero = {"params": summed["params"] | {"gate": jax.tree.map(np.zeros_like, shut)}}
    run = functools.partial(scorer(gated), genes=make_genes(), pairs=make_pairs())
    np.testing.assert_allclose(run(zero), score("default"), atol=1e-4)


def turn_signs(genes, column):
    vectors = genes.eigenvectors.copy()
    vectors[:, column] *= -1
    return genes._replace(eigenvectors=vectors)


def test_evaluation_does_not_depend_on_the_signs_of_eigenvectors():
    genes = make_genes()
    fixed = dataclasses.replace(DEFAULT, signs="fixed")
    for column in range(genes.eigenvectors.shape[1]):
        turned = turn_signs(genes, column)
        np.testing.assert_array_equal(score("default", turned), score("default"))
        one, other = (
            scorer(fixed)(draw_variables(DEFAULT), g, make_pairs()) for g in (genes, turned)
        )
        assert np.abs(one - other).max() > 0.01


@pytest.mark.slow
def test_training_draws_signs_by_its_key():
    transformer = dataclasses.replace(TRANSFORMER, dropout=0.0)
    config = dataclasses.replace(DEFAULT, transformer=transformer)
    apply = functools.partial(GTGRN(config).apply, train=True)
    run, genes, pairs = jax.jit(apply), make_genes(), make_pairs()

    def draw(seed, genes=genes):
        key = jax.random.key(seed)
        return np.asarray(run(draw_variables(config), genes, pairs, rngs={"dropout": key}))

    np.testing.assert_array_equal(draw(0), draw(0))
    scores = {draw(seed).tobytes() for seed in range(40)}
    assert 2 < len(scores) <= 2 ** genes.eigenvectors.shape[1]
    settled = scorer(config)(draw_variables(config), genes, pairs)
    assert any(np.allclose(draw(seed), settled, atol=1e-4) for seed in range(40))


def test_a_gene_that_is_hidden_has_no_position():
    genes = make_genes()
    kept = np.ones(GENES + 1, np.float32)
    kept[9] = 0
    hidden = jax.tree.map(np.asarray, hide_genes(genes, jnp.asarray(kept)))
    elsewhere = hidden._replace(structure=genes.structure.copy())
    elsewhere.structure[9] += 5
    np.testing.assert_array_equal(score("default", hidden), score("default", elsewhere))
    moved = genes._replace(structure=elsewhere.structure)
    assert np.abs(score("default", moved) - score("default", genes)).max() > 0.01


@pytest.mark.slow
def test_missing_expression_is_learned_through_a_mask_column_and_one_vector():
    genes, pairs = jax.tree.map(jnp.asarray, (make_genes(), make_pairs()))
    parameters = draw_variables(DEFAULT)["params"]
    assert parameters["missing"].shape == (8,)
    assert parameters["from_expression"]["kernel"].shape == (9, WIDTH)

    @jax.jit
    @jax.grad
    def slope(parameters, genes):
        return jnp.sum(GTGRN(DEFAULT).apply({"params": parameters}, genes, pairs, train=False))

    assert (np.abs(slope(parameters, genes)["missing"]) > 1e-6).all()
    complete = genes._replace(measured=jnp.ones(GENES + 1).at[GENES].set(0))
    assert not slope(parameters, complete)["missing"].any()
    plain = draw_variables(CONFIGS["faithful"])["params"]
    assert "missing" not in plain and plain["from_expression"]["kernel"].shape == (6, WIDTH)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["default", "faithful"])
def test_jit_changes_nothing(name):
    genes, pairs = jax.tree.map(jnp.asarray, (make_genes(), make_pairs()))
    eager = GTGRN(CONFIGS[name]).apply(draw_variables(CONFIGS[name]), genes, pairs, train=False)
    np.testing.assert_allclose(eager, score(name), atol=1e-3, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_the_training_loop_fits_it_to_its_pairs(name):
    """Batch statistics, signs and dropout included; a fit needs nothing it does not have."""
    config, genes, pairs = CONFIGS[name], make_genes(), make_pairs()
    training = TrainingConfig(epochs=60, evaluate_every=60, learning_rate=0.01, weight_decay=0.0)
    trainer = make_pair_trainer(GTGRN(config), training)
    data = FitData(genes, pairs, pairs, np.zeros(len(genes.graph.edges), np.int32))
    state = trainer.start(jax.random.key(0), data)
    assert bool(state.collections) == (name == "faithful")
    before = jax.tree.map(np.asarray, state.collections)
    state, metrics = trainer.chunk(state, data, jax.random.key(1))
    assert bool(state.finite) and metrics["loss"] < 0.55
    for one, other in zip(*map(jax.tree.leaves, (before, state.collections))):
        assert np.abs(one - other).max() > 1e-3, "running statistics move"


def test_weight_decay_and_ridge_share_out_the_parameters():
    new = CONFIGS["new targets"]
    parameters, terms = draw_variables(new)["params"], new.make_terms()
    kept = {name for name, decayed in without_ridge(terms, parameters).items() if not decayed}
    assert kept == {"identity", "linear"}
    both = float(sum_penalties(terms, parameters))
    alone = float(sum_penalties(terms[:1], parameters))
    weights = sum(np.sum(x**2) for x in parameters["linear"].values())
    assert alone > 0 and both == pytest.approx(alone + 0.5 * new.linear_ridge * weights, rel=1e-5)
    published = CONFIGS["faithful"]
    assert published.make_terms() == []


@pytest.mark.slow
def test_the_published_sizes_have_the_published_number_of_parameters():
    """325,681 + 240 d, and less what no gradient or score depends on: unused value projections."""
    dim, genes = 64, make_genes()
    tables = ("expression_embedding", "global_embedding", "eigenvectors")
    wide = {name: np.zeros((GENES + 1, dim), np.float32) for name in tables}
    wide |= {
        name: np.zeros((n, 0), np.float32)
        for name, n in (("structure", GENES + 1), ("edge_features", len(genes.graph.edges)))
    }
    start = functools.partial(GTGRN(faithful()).init, train=False)
    shapes = jax.eval_shape(start, jax.random.key(0), genes._replace(**wide), make_pairs())
    count = sum(x.size for x in jax.tree.leaves(shapes["params"]))
    assert count == 325_681 + 240 * dim - 6 * (80 * 80 + 80)


@pytest.mark.slow
def test_a_genome_of_20_000_genes_has_the_shapes_it_should_without_using_memory():
    genes, edges, pairs = 20_000, 2_000_000, 1_000_000

    def shape(*axes, dtype=jnp.float32):
        return jax.ShapeDtypeStruct(axes, dtype)

    ends = shape(edges, dtype=jnp.int32)
    graph = make_genes().graph._replace(edges=shape(edges), senders=ends, receivers=ends)
    inputs = GTGRNInputs(
        expression_embedding=shape(genes + 1, 64),
        statistics=shape(genes + 1, 5),
        measured=shape(genes + 1),
        global_embedding=shape(genes + 1, 128),
        eigenvectors=shape(genes + 1, 16),
        structure=shape(genes + 1, 10),
        seen=shape(genes + 1, 2),
        tfs=shape(1_500, dtype=jnp.int32),
        graph=graph,
        edge_features=shape(edges, 2),
    )
    batch = PairBatch(
        pairs=shape(pairs, 2, dtype=jnp.int32),
        features=shape(pairs, FEATURES),
        topology=shape(pairs, 0),
        labels=shape(pairs),
        weights=shape(pairs),
        fold=shape(pairs, dtype=jnp.int32),
    )
    model = GTGRN(GTGRNConfig(inputs=INPUTS))
    start = functools.partial(model.init, train=False)
    variables = jax.eval_shape(start, jax.random.key(0), inputs, batch)
    scores = jax.eval_shape(functools.partial(model.apply, train=False), variables, inputs, batch)
    assert scores.shape == (pairs,) and scores.dtype == jnp.float32


def test_its_settings_are_flags_and_come_back_from_a_run_record():
    flags = ["--inputs", "global", "positions", "--fusion", "gate", "--transformer.layers", "3"]
    parsed = settings.parse(GTGRNConfig(), flags, program="grnjax train")
    assert parsed.inputs == ("global", "positions") and parsed.transformer.layers == 3
    assert settings.from_json(GTGRNConfig, settings.to_json(parsed)) == parsed


@pytest.mark.parametrize(
    "options, message",
    [
        ({"inputs": ()}, "inputs cannot be empty: it takes one or more different values"),
        ({"inputs": ("global", "global")}, "one or more different values, each one of expression"),
        ({"identity_rank": -1}, "identity_rank must be at least 0, got -1"),
    ],
)
def test_settings_without_meaning_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GTGRNConfig(**options)
