"""Terms of a pair's logit beside the head's, each with the ridge of its own parameters.

A pair model lists its terms by `make_terms` and adds them up. Training asks each for its penalty;
weight decay is left to the parameters of the others and of the model. With these terms a model has
the trivial rows as special cases: identity-only, linear expression, co-expression.
"""

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from grnjax.config import Count, Settings, Weight
from grnjax.errors import ConfigError
from grnjax.types import PairBatch, shapes


class TermInputs(NamedTuple):
    """What terms read; a model fills in what those that it lists need."""

    seen: Float[Array, "node 2"]  # 1 where the gene has train pairs as TF, as target
    pairs: PairBatch
    vectors: Float[Array, "node dim"] | None = None  # what the model made of each gene
    features: Float[Array, "node dim2"] | None = None  # what is known of each gene


class Term(nn.Module):
    """A summand of the logits [pair], called with `TermInputs`; a subclass has its parameters.

    A ridge of None leaves its parameters to weight decay.
    """

    ridge: float | None = None

    @nn.nowrap
    def penalty(self, parameters: dict) -> Float[Array, ""]:
        """Half the ridge times the squared parameters, on the scale of the loss summed over pairs.

        Args:
            parameters: those of this term.
        """
        return 0.5 * self.ridge * sum(jnp.sum(x**2) for x in jax.tree.leaves(parameters))


class IdentityTerm(Term):
    """a_tf + b_target + u_tf . v_target from learned vectors: what labels alone can say.

    With it an interacting model contains the ID-only factor model. A gene without train pairs in
    a role has no vector in that role, so an unseen target gets none of its own noise. If it `maps`,
    a target's b and v are also mapped from its vector, which serves unseen targets.
    """

    ridge: float = 8.0  # of the vectors
    bias_ridge: float = 1.0
    rank: int = 8
    maps: bool = False

    @nn.compact
    @shapes
    def __call__(self, inputs: TermInputs) -> Float[Array, " pair"]:
        seen, nodes = inputs.seen, len(inputs.seen)
        zeros, spread = nn.initializers.zeros, nn.initializers.normal(0.3)
        tf_bias = self.param("tf_bias", zeros, (nodes,)) * seen[:, 0]
        target_bias = self.param("target_bias", zeros, (nodes,)) * seen[:, 1]
        tf_factors = self.param("tf_factors", spread, (nodes, self.rank)) * seen[:, :1]
        target_factors = self.param("target_factors", spread, (nodes, self.rank)) * seen[:, 1:]
        if self.maps:
            vectors = inputs.vectors
            target_bias += nn.Dense(1, use_bias=False, name="bias_map")(vectors)[:, 0]
            target_factors += nn.Dense(self.rank, use_bias=False, name="factor_map")(vectors)
        i, j = inputs.pairs.pairs[:, 0], inputs.pairs.pairs[:, 1]
        return tf_bias[i] + target_bias[j] + jnp.sum(tf_factors[i] * target_factors[j], axis=-1)

    @nn.nowrap
    def penalty(self, parameters: dict) -> Float[Array, ""]:
        """Half the ridges of biases and vectors; the maps have none."""
        biases = jnp.sum(parameters["target_bias"] ** 2) + 0.2 * jnp.sum(parameters["tf_bias"] ** 2)
        factors = jnp.sum(parameters["tf_factors"] ** 2)
        factors += jnp.sum(parameters["target_factors"] ** 2)
        return 0.5 * (self.bias_ridge * biases + self.ridge * factors)


class LinearTerm(Term):
    """x_target . (w + W_tf), for features x: a linear model for each TF, and what they share.

    With it a model contains the trivial row "linear expression", the one to beat on unseen targets.
    """

    ridge: float = 30.0

    @nn.compact
    @shapes
    def __call__(self, inputs: TermInputs) -> Float[Array, " pair"]:
        features = inputs.features
        zeros, (nodes, dim) = nn.initializers.zeros, features.shape
        shared = self.param("shared", zeros, (dim,))
        by_tf = self.param("by_tf", zeros, (nodes, dim))
        i, j = inputs.pairs.pairs[:, 0], inputs.pairs.pairs[:, 1]
        return (features @ shared)[j] + jnp.sum(by_tf[i] * features[j], axis=-1)


class PairFeatureTerm(Term):
    """w . f, for the features f of the pair that a subclass names."""

    source = ""  # field of `PairBatch`

    @nn.compact
    @shapes
    def __call__(self, inputs: TermInputs) -> Float[Array, " pair"]:
        features = getattr(inputs.pairs, self.source)
        start = nn.initializers.lecun_normal()
        return (features @ self.param("kernel", start, (features.shape[1], 1)))[:, 0]


class CoexpressionTerm(PairFeatureTerm):
    """What the co-expression of the pair says: correlation and joint regression coefficient."""

    source = "features"


class TopologyTerm(PairFeatureTerm):
    """What train edges say of the pair: degrees, shared neighbours and paths."""

    source = "topology"


def sum_penalties(terms: Sequence[Term], parameters: dict) -> Float[Array, ""]:
    """The ridges of a model with these terms, from all its parameters; 0 without any."""
    ridged = [term for term in terms if term.ridge is not None]
    return sum((term.penalty(parameters[term.name]) for term in ridged), jnp.zeros(()))


def without_ridge(terms: Sequence[Term], parameters: dict) -> dict:
    """Mask of the parameters that weight decay applies to: all that no term has a ridge for."""
    ridged = {term.name for term in terms if term.ridge is not None}
    return {name: name not in ridged for name in parameters}


def refuse_unlisted(terms: Sequence[Term]) -> contextlib.AbstractContextManager:
    """Within it, a model that uses another term with a ridge is a ConfigError."""
    listed = [(term.name,) for term in terms]

    def check(call, args, kwargs, context):
        term = context.module
        if isinstance(term, Term) and term.ridge is not None and term.path not in listed:
            raise ConfigError(
                f"{type(term).__name__} {'/'.join(term.path)} is none of the {len(listed)} terms "
                "that its model lists, so its ridge would be left out; list it in make_terms()."
            )
        return call(*args, **kwargs)

    return nn.intercept_methods(check)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairModelConfig(Settings):
    """Settings of a model that scores TF-target pairs; each model adds its own in a subclass."""

    identity_rank: Count = 8
    """Width of the learned per-gene vectors; 0 leaves them and the learned biases out."""
    identity_ridge: Weight = 8.0
    """Ridge of the learned vectors, per summed loss."""
    bias_ridge: Weight = 1.0
    """Ridge of the learned biases, per summed loss."""
    coexpression: bool = True
    """Whether the score sees the pair's correlation and joint regression coefficient."""

    def make_terms(self, *others: Term, maps: bool = False) -> list[Term]:
        """The identity term, `others` and co-expression, those of them that the settings ask for.

        Args:
            maps: whether the identity of a target is also mapped from its vector.
        """
        terms = list(others)
        if self.identity_rank:
            identity = self.identity_ridge, self.bias_ridge, self.identity_rank, maps
            terms.insert(0, IdentityTerm(*identity, name="identity"))
        if self.coexpression:
            terms.append(CoexpressionTerm(name="coexpression"))
        return terms


class PairModel(nn.Module):
    """Base of models whose logit is that of a head and of the terms that their settings list."""

    config: PairModelConfig

    @nn.nowrap
    def make_terms(self) -> list[Term]:
        """Its terms, for training to ask for their ridges."""
        return self.config.make_terms()

    def add_terms(self, logits: Float[Array, " pair"], inputs: TermInputs) -> Float[Array, " pair"]:
        """The logits with all terms added."""
        for term in self.make_terms():
            logits = logits + term(inputs)
        return logits
