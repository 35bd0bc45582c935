"""Walks as sentences of tokens, and what of them a masked language model must guess.

The token of gene i is i; four more stand for a hidden gene, the two ends of a walk and padding.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from grnjax.types import shapes

HIDDEN, START, END, PADDING = range(4)
SPECIAL = 4
"""Tokens after those of the genes, in the order above."""
SHOWN_AS_HIDDEN, SHOWN_AS_ANY = 0.8, 0.1
"""BERT's shares of the genes to guess that are hidden and that are replaced by any gene; the others
stay, so that the state of a gene that is shown says something too."""


class MaskedWalks(NamedTuple):
    """Sentences with some of their genes to guess."""

    tokens: Int[Array, "walk token"]  # as the model sees them
    places: Int[Array, " guess"]  # of the genes to guess, in the sentences laid end to end
    genes: Int[Array, " guess"]
    weights: Float[Array, " guess"]  # 0 where there was nothing left to guess


@shapes
def make_sentences(walks: Int[Array, "walk step"], genes: int) -> Int[Array, "walk token"]:
    """[start, genes of the walk, end, padding] for each walk of `graphs/walks.py`.

    Genes of all networks are one word: a walk has nodes network * genes + gene, and -1 from its end
    on.
    """
    count = jnp.sum(walks >= 0, axis=1, keepdims=True)
    words = jnp.where(walks >= 0, walks % genes, genes + PADDING)
    words = jnp.pad(words, [(0, 0), (1, 1)], constant_values=genes + PADDING)
    place = jnp.arange(words.shape[1])
    words = jnp.where(place == 0, genes + START, words)
    return jnp.where(place == count + 1, genes + END, words)


@shapes
def mask_genes(
    sentences: Int[Array, "walk token"],
    genes: int,
    share: float,
    key: jax.Array,
    *,
    hide_all: bool = False,
) -> MaskedWalks:
    """The sentences with a random `share` of all their genes to guess, by BERT's 80/10/10 rule.

    With `hide_all` each of them is hidden, as it must be where the loss is to say what is known.

    The share is taken of the whole batch and not of each walk, so that the places to guess have one
    shape, which alone go through the output layer, and are the stated share of short walks too.
    """
    place_key, rule_key, gene_key = jax.random.split(key, 3)
    flat, (walks, tokens) = sentences.ravel(), sentences.shape
    is_gene = flat < genes
    drawn = jnp.where(is_gene, jax.random.uniform(place_key, flat.shape), -1.0)
    _, places = jax.lax.top_k(drawn, max(1, round(share * walks * (tokens - 2))))
    guessed = jnp.maximum(1, jnp.round(share * is_gene.sum()))
    right = flat[places]
    weights = (jnp.arange(len(places)) < guessed) & (right < genes)

    rule = jax.random.uniform(rule_key, places.shape)
    any_gene = jax.random.randint(gene_key, places.shape, 0, genes)
    shown = jnp.where(rule < SHOWN_AS_HIDDEN + SHOWN_AS_ANY, any_gene, right)
    shown = jnp.where(hide_all | (rule < SHOWN_AS_HIDDEN), genes + HIDDEN, shown)
    shown = jnp.where(weights, shown, right)
    return MaskedWalks(
        tokens=flat.at[places].set(shown).reshape(sentences.shape),
        places=places,
        genes=jnp.where(weights, right, 0),
        weights=weights.astype(jnp.float32),
    )
