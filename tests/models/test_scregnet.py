import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.evaluation.metrics import swap_concordance
from grnjax.graphs.build import build_graph
from grnjax.models.fusion import CrossAttentionConfig
from grnjax.models.gcn import GCNConfig
from grnjax.models.scregnet import ScRegNet, ScRegNetConfig, faithful
from grnjax.models.terms import sum_penalties, without_ridge
from grnjax.types import GeneBatch, PairBatch

GENES, TFS, DIM, WIDTH, FEATURES = 16, 5, 6, 3, 4
UNMEASURED = 7
ENCODER = GCNConfig(widths=(5, 4), dropout=0.5)
DEFAULT = ScRegNetConfig(encoder=ENCODER, mlp_widths=(6, 5), dropout=0.3, identity_rank=2)
FAITHFUL = faithful(ENCODER, (6, 5), 0.3)
CONFIGS = {
    "additive": dataclasses.replace(DEFAULT, head="additive", identity_rank=0, coexpression=False),
    "bilinear": DEFAULT,
    "hadamard": dataclasses.replace(DEFAULT, head="hadamard"),
    "faithful": FAITHFUL,
    "fused": dataclasses.replace(
        DEFAULT, fusion="cross-attention", cross_attention=CrossAttentionConfig(tokens=2, width=4)
    ),
}
ALL_PAIRS = np.argwhere(~np.eye(GENES, dtype=bool)[:TFS]).astype(np.int32)
EDGES = ALL_PAIRS[np.random.default_rng(0).random(len(ALL_PAIRS)) < 0.3]
NAMES = np.arange(GENES)


def make_genes(edges=EDGES, names=NAMES, *, padded_edges=96):
    """The genes of a network, gene i standing at index names[i]."""
    rng = np.random.default_rng(1)
    measured = np.arange(GENES) != UNMEASURED
    values = {
        "nodes": rng.normal(size=(GENES, DIM)) * measured[:, None],
        "measured": measured.astype(float),
        "embedding": rng.normal(size=(GENES, WIDTH)),
        "seen": np.ones((GENES, 2)),
    }
    for name, value in values.items():
        values[name] = np.zeros((GENES + 1, *value.shape[1:]), np.float32)
        values[name][names] = value
    graph = build_graph(
        names[edges], GENES, symmetric=False, self_loops=True, padded_edges=padded_edges
    )
    return GeneBatch(**values, tfs=np.sort(names[:TFS]).astype(np.int32), graph=graph)


def make_pairs(pairs=ALL_PAIRS):
    count = len(pairs)
    features = np.random.default_rng(2).normal(size=(count, FEATURES)).astype(np.float32)
    ones = np.ones(count, np.float32)
    topology = np.zeros((count, 0), np.float32)
    return PairBatch(
        pairs.astype(np.int32), features, topology, ones, ones, np.zeros(count, np.int32)
    )


@functools.cache
def scorer(config):
    """Scores of genes and pairs in evaluation, jitted once for each config."""
    model = ScRegNet(config)

    @jax.jit
    def score(variables, genes, pairs, key):
        return model.apply(variables, genes, pairs, train=False, rngs={"dropout": key})

    return lambda variables, genes, pairs, seed=0: np.asarray(
        score(variables, genes, pairs, jax.random.key(seed))
    )


@functools.cache
def draw_variables(config):
    """Random parameters, those that start at zero too."""
    start = functools.partial(ScRegNet(config).init, train=False)
    shapes = jax.eval_shape(start, jax.random.key(0), make_genes(), make_pairs())
    rng = np.random.default_rng(3)
    return jax.tree.map(lambda s: rng.normal(size=s.shape, scale=0.6).astype(np.float32), shapes)


def tabulate(scores):
    """Scores [tf, gene], NaN for a TF with itself."""
    table = np.full((TFS, GENES), np.nan)
    table[tuple(ALL_PAIRS.T)] = scores
    return table


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_relabelling_genes_permutes_the_scores(name):
    config, variables = CONFIGS[name], draw_variables(CONFIGS[name])
    new = np.random.default_rng(4).permutation(GENES)  # gene i is now called new[i]
    renamed = jax.tree.map(np.copy, variables)
    for vectors in renamed["params"].get("identity", {}).values():
        vectors[new] = vectors[:GENES].copy()
    original = scorer(config)(variables, make_genes(), make_pairs())
    permuted = scorer(config)(renamed, make_genes(names=new), make_pairs(new[ALL_PAIRS]))
    np.testing.assert_allclose(permuted, original, atol=1e-4)
    assert original.std() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_a_pair_scores_the_same_in_a_batch_of_any_size(name):
    """A batch that asks for fewer genes than there are goes another way through the model."""
    score = functools.partial(scorer(CONFIGS[name]), draw_variables(CONFIGS[name]), make_genes())
    every, few = make_pairs(), slice(20, 20 + GENES // 2)
    some = jax.tree.map(lambda x: x[few], every)
    np.testing.assert_allclose(score(some), score(every)[few], atol=1e-5)


@pytest.mark.slow
def test_only_the_additive_forms_rank_targets_alike_for_every_tf():
    labels = np.random.default_rng(5).random(len(ALL_PAIRS)) < 0.3
    for name, config in CONFIGS.items():
        scores = scorer(config)(draw_variables(config), make_genes(), make_pairs())
        swap = swap_concordance(ALL_PAIRS, labels, scores)
        assert swap["quadruples"] > 50
        table = tabulate(scores)[:, TFS:]  # targets that no TF lacks
        orders = np.argsort(table, axis=1)
        if name in ("additive", "faithful"):
            assert swap["micro"] == swap["macro"] == 0.5
            assert (orders == orders[0]).all()
        else:
            assert (swap["micro"], swap["macro"]) != (0.5, 0.5)
            assert (orders != orders[0])[1:].mean() > 0.3


@pytest.mark.parametrize("name", CONFIGS)
def test_regulation_has_a_direction(name):
    score = functools.partial(scorer(CONFIGS[name]), draw_variables(CONFIGS[name]), make_genes())
    pairs = make_pairs()
    there, back = score(pairs), score(pairs._replace(pairs=ALL_PAIRS[:, ::-1]))
    assert np.abs(there - back).min() > 1e-4


def test_reversing_the_known_edges_changes_the_scores():
    score = functools.partial(scorer(FAITHFUL), draw_variables(FAITHFUL))
    there, back = (score(make_genes(edges), make_pairs()) for edges in (EDGES, EDGES[:, ::-1]))
    assert np.abs(there - back).max() > 0.05


@pytest.mark.slow
def test_padding_changes_no_score_and_no_gradient():
    model, variables = ScRegNet(DEFAULT), draw_variables(DEFAULT)

    @jax.jit
    def differentiate(variables, genes, pairs):
        def loss(variables):
            scores = model.apply(variables, genes, pairs, train=False)
            return jnp.sum(jnp.sin(scores) * pairs.weights), scores

        (_, scores), gradient = jax.value_and_grad(loss, has_aux=True)(variables)
        return scores, gradient

    pairs = make_pairs()
    scores, gradient = differentiate(variables, make_genes(), pairs)
    padded = PairBatch(
        pairs=np.pad(pairs.pairs, [(0, 9), (0, 0)], constant_values=GENES),
        features=np.pad(pairs.features, [(0, 9), (0, 0)]),
        topology=np.pad(pairs.topology, [(0, 9), (0, 0)]),
        labels=np.pad(pairs.labels, (0, 9)),
        weights=np.pad(pairs.weights, (0, 9)),
        fold=np.pad(pairs.fold, (0, 9), constant_values=-1),
    )
    more, same = differentiate(variables, make_genes(padded_edges=192), padded)
    np.testing.assert_allclose(more[: len(scores)], scores, atol=1e-5)
    for one, other in zip(jax.tree.leaves(gradient), jax.tree.leaves(same)):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bilinear", "faithful", "fused"])
def test_what_is_dropped_of_a_gene_does_not_depend_on_the_batch(name):
    """So batches padded to fit many devices train as they do on one."""
    model, variables = ScRegNet(CONFIGS[name]), draw_variables(CONFIGS[name])
    genes, every = jax.tree.map(jnp.asarray, (make_genes(), make_pairs()))

    def score(pairs, seed=0):
        key = jax.random.key(seed)
        return model.apply(variables, genes, pairs, train=True, rngs={"dropout": key})

    some = jax.tree.map(lambda x: x[: GENES // 2], every)
    np.testing.assert_allclose(score(some), score(every)[: GENES // 2], atol=1e-5)
    assert not np.allclose(score(some, seed=1), score(some))


@pytest.mark.slow
def test_missing_expression_is_learned_through_a_mask_column_and_one_vector():
    variables = draw_variables(DEFAULT)
    parameters = variables["params"]
    assert parameters["missing"].shape == (DIM,)
    assert parameters["encoder"]["layer_0"]["linear"]["kernel"].shape[0] == DIM + 1
    genes, pairs = make_genes(), make_pairs()

    @jax.jit
    @jax.grad
    def slope(parameters, genes, pairs):
        return jnp.sum(ScRegNet(DEFAULT).apply({"params": parameters}, genes, pairs, train=False))

    assert (np.abs(slope(parameters, genes, pairs)["missing"]) > 1e-6).all()
    measured = np.append(np.ones(GENES, np.float32), np.float32(0))
    complete = genes._replace(measured=measured)
    assert not slope(parameters, complete, pairs)["missing"].any(), "no gene needs it"


def test_in_zeros_mode_nothing_stands_for_missing_expression():
    variables = draw_variables(FAITHFUL)
    assert "missing" not in variables["params"]
    assert variables["params"]["encoder"]["layer_0"]["linear"]["kernel"].shape[0] == DIM
    genes = make_genes()
    denied = genes._replace(measured=np.zeros_like(genes.measured))
    one, other = (scorer(FAITHFUL)(variables, g, make_pairs()) for g in (genes, denied))
    np.testing.assert_array_equal(one, other)


def test_an_embedding_of_zeros_equals_none():
    variables, genes = draw_variables(FAITHFUL), make_genes()
    blank = genes._replace(embedding=np.zeros_like(genes.embedding))
    without = genes._replace(embedding=genes.embedding[:, :0])
    narrower = jax.tree.map(np.copy, variables)
    first = narrower["params"]["mlp"]["layer_0"]
    first["kernel"] = first["kernel"][WIDTH:]
    with_zeros = scorer(FAITHFUL)(variables, blank, make_pairs())
    with_none = scorer(FAITHFUL)(narrower, without, make_pairs())
    np.testing.assert_allclose(with_zeros, with_none, atol=1e-6)
    assert not np.allclose(with_zeros, scorer(FAITHFUL)(variables, genes, make_pairs()))


def test_a_fused_gene_reads_its_row_of_the_table_if_it_has_one():
    """Its MLP input has the width of the tokens, and only known rows are read."""
    config = CONFIGS["fused"]
    variables, genes = draw_variables(config), make_genes()
    fused = 2 * config.cross_attention.tokens * config.cross_attention.width
    assert variables["params"]["mlp"]["layer_0"]["kernel"].shape[0] == fused
    blank = genes._replace(embedding=np.zeros_like(genes.embedding))
    loud = jax.tree.map(np.copy, variables)
    loud["params"]["fusion"]["layer_0"]["graph_reads_frozen"]["value"]["bias"] += 3

    def change(genes):
        one, other = (scorer(config)(v, genes, make_pairs()) for v in (variables, loud))
        return np.abs(one - other).max()

    assert change(genes) > 0.01 and change(blank) == 0


def test_evaluation_is_deterministic_unless_the_published_dropout_is_asked_for():
    for config in (FAITHFUL, dataclasses.replace(FAITHFUL, dropout_at_evaluation=True)):
        score = functools.partial(
            scorer(config), draw_variables(FAITHFUL), make_genes(), make_pairs()
        )
        np.testing.assert_array_equal(score(seed=0), score(seed=0))
        is_random = not np.allclose(score(seed=0), score(seed=1))
        assert is_random == config.dropout_at_evaluation


@pytest.mark.slow
def test_training_is_random_by_its_key():
    genes, pairs = jax.tree.map(jnp.asarray, (make_genes(), make_pairs()))
    run = functools.partial(
        jax.jit(ScRegNet(DEFAULT).apply, static_argnames="train"),
        draw_variables(DEFAULT),
        genes,
        pairs,
        train=True,
    )
    one, same, other = (run(rngs={"dropout": jax.random.key(seed)}) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_a_gene_without_train_pairs_has_no_identity():
    variables, genes = draw_variables(DEFAULT), make_genes()
    target, tf = 9, 2
    seen = genes.seen.copy()
    seen[target, 1] = seen[tf, 0] = 0
    genes = genes._replace(seen=seen)
    other = jax.tree.map(np.copy, variables)
    identity = other["params"]["identity"]
    identity["target_bias"][target] += 5
    identity["target_factors"][target] -= 5
    identity["tf_bias"][tf] += 5
    identity["tf_factors"][tf] -= 5
    one, same = (scorer(DEFAULT)(v, genes, make_pairs()) for v in (variables, other))
    np.testing.assert_array_equal(one, same)
    identity["target_bias"][target + 1] += 5
    moved = tabulate(scorer(DEFAULT)(other, genes, make_pairs()) - one)
    np.testing.assert_allclose(moved[:, target + 1], 5, atol=1e-4)


def test_the_score_follows_the_co_expression_of_the_pair_if_it_may():
    pairs = make_pairs()
    louder = pairs._replace(features=pairs.features + 1)
    for config in (DEFAULT, FAITHFUL):
        variables = draw_variables(config)
        one, other = (scorer(config)(variables, make_genes(), p) for p in (pairs, louder))
        kernel = variables["params"].get("coexpression", {"kernel": np.zeros(1)})["kernel"]
        np.testing.assert_allclose(other - one, kernel.sum(), atol=1e-4)


@pytest.mark.slow
def test_jit_changes_nothing():
    variables = draw_variables(DEFAULT)
    genes, pairs = jax.tree.map(jnp.asarray, (make_genes(), make_pairs()))
    eager = ScRegNet(DEFAULT).apply(variables, genes, pairs, train=False)
    np.testing.assert_allclose(eager, scorer(DEFAULT)(variables, genes, pairs), atol=1e-5)


def test_weight_decay_and_ridge_share_out_the_parameters():
    parameters, terms = draw_variables(DEFAULT)["params"], DEFAULT.make_terms()
    decayed = without_ridge(terms, parameters)
    assert [name for name in decayed if not decayed[name]] == ["identity"]
    ones = jax.tree.map(np.ones_like, parameters)
    biases = 0.5 * DEFAULT.bias_ridge * (GENES + 1) * (1 + 0.2)
    factors = 0.5 * DEFAULT.identity_ridge * (GENES + 1) * 2 * DEFAULT.identity_rank
    assert float(sum_penalties(terms, ones)) == pytest.approx(biases + factors)
    assert FAITHFUL.make_terms() == []


def test_a_genome_of_20_000_genes_has_the_shapes_it_should_without_using_memory():
    genes, edges, pairs, profile = 20_000, 2_000_000, 1_000_000, 5_000

    def shape(*axes, dtype=jnp.float32):
        return jax.ShapeDtypeStruct(axes, dtype)

    ends = shape(edges, dtype=jnp.int32)
    graph = make_genes().graph._replace(edges=shape(edges), senders=ends, receivers=ends)
    gene_batch = GeneBatch(
        nodes=shape(genes + 1, profile),
        measured=shape(genes + 1),
        embedding=shape(genes + 1, 512),
        seen=shape(genes + 1, 2),
        tfs=shape(1_500, dtype=jnp.int32),
        graph=graph,
    )
    pair_batch = PairBatch(
        pairs=shape(pairs, 2, dtype=jnp.int32),
        features=shape(pairs, FEATURES),
        topology=shape(pairs, 0),
        labels=shape(pairs),
        weights=shape(pairs),
        fold=shape(pairs, dtype=jnp.int32),
    )
    model = ScRegNet(ScRegNetConfig(encoder=GCNConfig(widths=(256, 64))))
    start = functools.partial(model.init, train=False)
    variables = jax.eval_shape(start, jax.random.key(0), gene_batch, pair_batch)
    score = functools.partial(model.apply, train=False)
    scores = jax.eval_shape(score, variables, gene_batch, pair_batch)
    assert scores.shape == (pairs,) and scores.dtype == jnp.float32
    counts = {
        name: sum(x.size for x in jax.tree.leaves(tree))
        for name, tree in variables["params"].items()
    }
    assert counts["encoder"] == (profile + 1) * 256 + 256 + 256 * 64 + 64
    assert counts["identity"] == (genes + 1) * 2 * (1 + 8)
    assert counts["missing"] == profile
    assert counts["mlp"] == (512 + 64) * 64 + 64


def test_settings_without_meaning_are_refused():
    with pytest.raises(ValueError, match=r"dropout must be in \[0, 1\), got -0.1"):
        ScRegNetConfig(dropout=-0.1)
