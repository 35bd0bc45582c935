"""What the language model of walks reads and guesses, and BERT's rule for what it must guess."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.models.walk_model import WalkModel, WalkModelConfig
from grnjax.models.walk_tokens import (
    END,
    HIDDEN,
    PADDING,
    SPECIAL,
    START,
    MaskedWalks,
    make_sentences,
    mask_genes,
)

GENES, STEPS = 12, 6
SMALL = WalkModelConfig(layers=2, heads=2, width=16, feed_forward=24)
MODEL = WalkModel(SMALL, GENES, STEPS + 2)
WALKS = np.random.default_rng(0).integers(0, GENES, (7, STEPS))
WALKS[2, 3:] = WALKS[5, 1:] = -1  # one that ended early, one isolated gene


def say(walks, genes=GENES):
    """The sentences of walks."""
    return make_sentences(jnp.asarray(walks), genes)


def mask_two_genes(sentences):
    """Sentences whose first two walks have a hidden gene each."""
    places = np.array([2, sentences.shape[1] + 4])
    tokens = np.array(sentences)
    genes = tokens.ravel()[places]
    tokens.ravel()[places] = GENES + HIDDEN
    return MaskedWalks(*map(jnp.asarray, (tokens, places, genes, np.ones(2, np.float32))))


@functools.cache
def draw_variables(config=SMALL):
    """Random parameters, those that start at zero too."""
    model = WalkModel(config, GENES, STEPS + 2)
    batch = mask_two_genes(say(WALKS))
    forms = jax.eval_shape(model.init, jax.random.key(0), batch)
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda x: rng.normal(size=x.shape, scale=0.5).astype(np.float32), forms)


encode = jax.jit(functools.partial(MODEL.apply, method="encode"))
guess = jax.jit(MODEL.apply)


def test_a_sentence_has_a_start_its_genes_an_end_and_padding():
    sentences = say([[3, GENES + 5, 2 * GENES], [4, -1, -1], [-1, -1, -1]])
    start, end, padding = GENES + START, GENES + END, GENES + PADDING
    assert sentences.tolist() == [
        [start, 3, 5, 0, end],
        [start, 4, end, padding, padding],
        [start, end] + 3 * [padding],
    ]


@pytest.mark.slow
def test_relabelling_genes_permutes_states_and_guesses():
    variables, batch = draw_variables(), mask_two_genes(say(WALKS))
    new = np.random.default_rng(2).permutation(GENES)  # gene i is now called new[i]
    renamed = jax.tree.map(np.copy, variables)
    renamed["params"]["table"][new] = variables["params"]["table"][:GENES]
    renamed["params"]["output_bias"][new] = variables["params"]["output_bias"]
    tokens = np.append(new, np.arange(GENES, GENES + SPECIAL))[batch.tokens]
    other = batch._replace(tokens=jnp.asarray(tokens))
    np.testing.assert_allclose(
        encode(renamed, other.tokens), encode(variables, batch.tokens), atol=1e-5
    )
    logits = np.asarray(guess(variables, batch))
    np.testing.assert_allclose(np.asarray(guess(renamed, other))[:, new], logits, atol=1e-4)
    assert logits.std() > 0.1


@pytest.mark.slow
def test_padding_changes_no_state_no_guess_and_no_gradient():
    variables = draw_variables()
    short = mask_two_genes(say(WALKS[:, :4]))
    longer = np.concatenate([WALKS[:, :4], np.full((7, 2), -1)], axis=1)
    padded = mask_two_genes(say(np.append(longer, np.full((3, STEPS), -1), axis=0)))
    real = np.asarray(short.tokens) != GENES + PADDING
    states, more = encode(variables, short.tokens), encode(variables, padded.tokens)
    np.testing.assert_allclose(more[:7, :6][real], states[real], atol=1e-5)

    @jax.jit
    @jax.grad
    def slope(variables, batch):
        return jnp.sum(jnp.sin(MODEL.apply(variables, batch)))

    one, other = slope(variables, short), slope(variables, padded)
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other)):
        np.testing.assert_allclose(left, right, atol=1e-4)


def test_a_state_depends_on_the_other_genes_of_its_walk_and_on_their_places_alone():
    variables, tokens = draw_variables(), np.asarray(say(WALKS))
    states = np.asarray(encode(variables, tokens))
    changed = tokens.copy()
    changed[0, 5] = (changed[0, 5] + 1) % GENES
    moved = np.abs(encode(variables, changed) - states).max(axis=2)
    assert (moved[0] > 1e-4).all() and not moved[1:].any()
    turned = tokens.copy()
    turned[0, 1:7] = tokens[0, 6:0:-1]
    assert np.abs(encode(variables, turned)[0, 6:0:-1] - states[0, 1:7]).max() > 0.01


def test_guesses_are_asked_for_at_the_hidden_places_alone():
    variables, batch = draw_variables(), mask_two_genes(say(WALKS))
    both = np.asarray(guess(variables, batch))
    assert both.shape == (2, GENES)
    turned = batch._replace(places=batch.places[::-1])
    np.testing.assert_allclose(guess(variables, turned), both[::-1], atol=1e-5)


@pytest.mark.slow
def test_half_precision_computes_nearly_the_same_from_the_same_parameters():
    half = dataclasses.replace(SMALL, dtype="bfloat16")
    model = WalkModel(half, GENES, STEPS + 2)
    variables, batch = draw_variables(), mask_two_genes(say(WALKS))
    forms = jax.eval_shape(model.init, jax.random.key(0), batch)
    assert {x.dtype for x in jax.tree.leaves(forms)} == {jnp.dtype("float32")}
    exact, rough = guess(variables, batch), jax.jit(model.apply)(variables, batch)
    assert rough.dtype == jnp.float32
    assert 0 < np.abs(rough - exact).max() < 0.1 * np.std(exact)


@pytest.mark.slow
def test_the_rule_hides_the_stated_share_and_shows_a_tenth_as_it_is():
    rng = np.random.default_rng(3)
    walks = rng.integers(0, 500, (400, 20))
    walks[:100, 8:] = -1
    sentences = say(walks, 500)
    hide = jax.jit(functools.partial(mask_genes, genes=500, share=0.15))
    masked = jax.tree.map(np.asarray, hide(sentences, key=jax.random.key(0)))
    real = masked.weights > 0
    places, genes = masked.places[real], masked.genes[real]
    assert len(places) == round(0.15 * (100 * 8 + 300 * 20)) == len(np.unique(places))
    sentences = np.asarray(sentences)
    np.testing.assert_array_equal(sentences.ravel()[places], genes)
    assert (genes < 500).all()
    untouched = np.ones(sentences.size, bool)
    untouched[places] = False
    np.testing.assert_array_equal(masked.tokens.ravel()[untouched], sentences.ravel()[untouched])
    shown = masked.tokens.ravel()[places]
    assert np.mean(shown == 500 + HIDDEN) == pytest.approx(0.8, abs=0.05)
    assert np.mean(shown == genes) == pytest.approx(0.1, abs=0.03)
    assert (shown[shown != 500 + HIDDEN] < 500).all()
    by_place = np.bincount(places % 22, minlength=22)
    assert by_place[[0, 21]].sum() == 0 and by_place[1:9].min() > 30
    again, other = (hide(sentences, key=jax.random.key(seed)) for seed in (0, 1))
    np.testing.assert_array_equal(again.tokens, masked.tokens)
    assert (np.asarray(other.tokens) != masked.tokens).any()


@pytest.mark.slow
def test_a_batch_of_padding_alone_has_nothing_to_guess():
    empty = say(np.full((3, STEPS), -1))
    masked = mask_genes(empty, GENES, 0.5, jax.random.key(0))
    assert not masked.weights.any()
    np.testing.assert_array_equal(masked.tokens, empty)
    assert np.isfinite(guess(draw_variables(), masked)).all()


@pytest.mark.parametrize("wrong", [{"layers": 0}, {"heads": 3}, {"width": 0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        WalkModelConfig(**wrong)
