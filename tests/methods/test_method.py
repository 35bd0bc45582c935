"""What every method has: a name, what it reads and gives, and sentences for what it does not."""

import dataclasses

import numpy as np
import pytest

from grnjax.errors import ConfigError
from grnjax.evidence.types import Evidence
from grnjax.graphs.walks import InferredNetwork
from grnjax.methods.method import FLAGS, MethodConfig, Problem, Scorer, list_methods, make_method
from grnjax.methods.scregnet import ScRegNetMethod

INPUTS = {"labels", "expression", *FLAGS}
NETWORK = InferredNetwork(np.array([[0, 1]], np.int32), np.ones(1, np.float32))
GIVEN = {
    "evidence": {"evidence": [Evidence("motifs", "motifs", {})]},
    "embedding": {"embedding": np.ones((3, 2), np.float32)},
    "networks": {"networks": {"other": NETWORK}},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class OwnMethod(MethodConfig):
    """A method of another package."""

    share: float = 0.5


@pytest.fixture(params=MethodConfig.NAMED)
def method(request):
    return make_method(request.param)


@pytest.fixture
def problem(dataset):
    tfs = dataset.genes.tfs
    return Problem(dataset=dataset, parts=(), tfs=tfs, trainable=tfs)


def test_a_method_is_called_as_the_table_calls_it(method, request):
    name = request.node.callspec.params["method"]
    assert type(method).name() == method.name() == name
    assert make_method(name.lower()) == method and make_method(method) is method
    assert method.PAPER and method.READS <= INPUTS
    assert method.GIVES <= {"probabilities", "terms"}


def test_what_a_method_does_not_read_is_refused_with_those_that_do(method, problem):
    for what, fields in GIVEN.items():
        given = dataclasses.replace(problem, **fields)
        if what in method.READS:
            method.refuse_unread([what])
            continue
        with pytest.raises(ConfigError) as refusal:
            method.check(given)
        words = str(refusal.value)
        assert words.startswith(f"{method.name()} does not read {FLAGS[what]}; leave it out, or")
        readers = words.rpartition(": ")[2].rstrip(".").split(", ")
        assert readers and all(what in MethodConfig.find(name).READS for name in readers)


def test_expression_as_evidence_is_no_flag_that_could_be_left_out(problem):
    own = [Evidence("expression", "expression", {})]
    ScRegNetMethod().check(dataclasses.replace(problem, evidence=own))


def test_the_table_of_methods_has_a_row_for_each():
    table = list_methods()
    assert list(table["method"]) == list(MethodConfig.NAMED)
    assert list(table) == ["method", "paper", "reads", "gives"]
    rows = table.set_index("method")
    assert rows.loc["kernel-factor", "gives"] == "ranking, probabilities, terms"
    assert rows.loc["pidc", "reads"] == "expression" and rows.loc["pidc", "gives"] == "ranking"
    assert rows.loc["scRegNet", "reads"] == "embedding, expression, labels"


@pytest.mark.parametrize("wrong", ["grnboost3", "", 3, ScRegNetMethod])
def test_what_is_no_method_is_refused_with_the_names(wrong):
    with pytest.raises(ConfigError, match="there is no method .*; choose one of kernel-factor, sc"):
        make_method(wrong)


def test_bases_of_methods_are_not_among_the_names_and_an_own_one_is():
    names = MethodConfig.names()
    assert "OwnMethod" in names and make_method("OwnMethod") == OwnMethod()
    assert not {"PairMethod", "ExpressionOnlyMethod", "TreeMethod", "MethodConfig"} & set(names)


def test_an_own_method_is_named_by_its_class_and_refuses_what_it_did_not_define(problem):
    own = OwnMethod()
    assert own.name() == "OwnMethod" and own.controls() == {} and own.engine is None
    assert own.prepare(problem) is problem
    with pytest.raises(ConfigError, match="^OwnMethod cannot be transferred: .*scRegNet or kernel"):
        own.check_transfer(problem)
    with pytest.raises(NotImplementedError, match="OwnMethod does not say how it is fitted"):
        own.fit_all(problem, (), None)


def test_the_score_is_the_mean_logit_and_there_is_no_more_unless_it_is_said(dataset):
    class Own(Scorer):
        def logits(self, pairs):
            return np.stack([np.zeros(len(pairs)), np.arange(len(pairs))])

    fit, pairs = Own(), dataset.known
    np.testing.assert_array_equal(fit.scores(pairs), np.arange(len(pairs)) / 2)
    assert fit.terms(pairs) == {} and fit.worth(pairs, seed=0) == []
    with pytest.raises(NotImplementedError, match="Own does not say how it is transferred"):
        fit.on(None)
    with pytest.raises(NotImplementedError, match="Scorer does not say how it scores pairs"):
        Scorer().logits(pairs)
