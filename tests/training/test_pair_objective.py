"""Terms have their ridges in any model, and nothing is found by a name."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.errors import ConfigError
from grnjax.models.heads import BilinearHead
from grnjax.models.terms import (
    CoexpressionTerm,
    IdentityTerm,
    LinearTerm,
    Term,
    TermInputs,
    sum_penalties,
    without_ridge,
)
from grnjax.training.pair_objective import PairObjective, TrainingConfig


class AnyModel(nn.Module):
    """A model that grnjax does not know, with the terms that it lists and any others."""

    terms: Callable[[], list[Term]]
    unlisted: Callable[[], list[Term]] = list

    @nn.nowrap
    def make_terms(self):
        return self.terms()

    @nn.compact
    def __call__(self, genes, pairs, *, train):
        logits = BilinearHead(name="head")(genes.nodes, pairs.pairs, train=train)
        inputs = TermInputs(genes.seen, pairs, features=genes.nodes)
        for term in (*self.make_terms(), *self.unlisted()):
            logits = logits + term(inputs)
        return logits


def start_objective(problem, model):
    data = jax.tree.map(jnp.asarray, problem.build())
    objective = PairObjective(model, TrainingConfig(unseen_share=0.0, weight_decay=0.5))
    return objective, objective.init(jax.random.key(0), data)[0]


@pytest.mark.slow
def test_a_term_works_in_any_model_and_under_any_name(problem):
    """What is called linear but is no term has weight decay and no ridge."""

    def terms():
        return [LinearTerm(7.0, name="expression"), CoexpressionTerm(name="identity")]

    objective, parameters = start_objective(problem, AnyModel(terms))
    assert without_ridge(objective.terms, parameters) == {
        "head": True,
        "expression": False,
        "identity": True,
    }
    ones = jax.tree.map(jnp.ones_like, parameters)
    count = sum(x.size for x in jax.tree.leaves(parameters["expression"]))
    assert float(sum_penalties(objective.terms, ones)) == 0.5 * 7 * count
    zeros = jax.tree.map(jnp.zeros_like, ones)
    updates, _ = objective.optimizer.update(zeros, objective.optimizer.init(ones), ones)
    moved = {name: any(x.any() for x in jax.tree.leaves(updates[name])) for name in updates}
    assert moved == {"head": True, "expression": False, "identity": True}


@pytest.mark.slow
def test_a_pair_feature_term_may_have_a_ridge_in_the_place_of_weight_decay(problem):
    model = AnyModel(lambda: [CoexpressionTerm(2.0, name="coexpression")])
    objective, parameters = start_objective(problem, model)
    assert not without_ridge(objective.terms, parameters)["coexpression"]
    expected = np.sum(np.asarray(parameters["coexpression"]["kernel"]) ** 2)
    assert float(sum_penalties(objective.terms, parameters)) == pytest.approx(expected)


def test_a_ridge_that_would_be_left_out_is_refused(problem):
    model = AnyModel(list, lambda: [IdentityTerm(rank=2, name="identity")])
    with pytest.raises(ConfigError, match="IdentityTerm identity is none of the 0 terms"):
        start_objective(problem, model)
    free = AnyModel(list, lambda: [CoexpressionTerm(name="coexpression")])
    start_objective(problem, free)  # weight decay is enough for it
