"""What lists say of pairs: nothing of a TF without any, and of its own lists nothing twice."""

import numpy as np
import pytest

from grnjax.baselines.other_lists import rate_and_residual_same
from grnjax.methods.compendium.features import FEATURES, LOOK_UP, describe_pairs
from grnjax.methods.compendium.pretraining import place_everything

from .planted import GENES, TFS, make_compendium, make_rule


@pytest.fixture(scope="module")
def known():
    return place_everything(make_compendium(), "human")


def column(found, name):
    return found.pairs[..., FEATURES.index(name)]


def test_two_columns_are_the_look_up(known):
    lists, motifs = known
    found = describe_pairs(lists, motifs, TFS).pairs[..., list(LOOK_UP)].sum(axis=-1)
    np.testing.assert_allclose(found, rate_and_residual_same(lists, TFS), rtol=1e-4, atol=1e-4)


def test_alike_asks_lists_of_other_tfs_of_the_complex(known):
    lists, motifs = known
    alike = column(describe_pairs(lists, motifs, TFS), "alike")
    place = [GENES.index(gene) for gene in lists.genes]
    rule = make_rule()[:, place]
    r = np.corrcoef(alike, rule)[: len(TFS), len(TFS) :]
    assert (r[0] > 0.4)[:3].all() and abs(r[0][3:]).max() < r[0][:3].min()


def test_alike_never_has_the_lists_that_ask(known):
    lists, motifs = known
    alone = describe_pairs(lists.without_tfs(TFS[1:]), motifs, TFS[:1])
    assert not column(alone, "alike").any() and column(alone, "same").any()


def test_of_a_tf_without_lists_only_genes_and_motifs_speak(known):
    lists, motifs = known
    without = lists.without_tfs(["TF0", "TF11"])
    found = describe_pairs(without, motifs, ["TF0", "TF11"])
    for name in ("same", "alike"):
        assert not column(found, name).any()
    assert column(found, "motif")[0].any() and column(found, "motif alike")[0].any()
    assert not column(found, "motif")[1].any() and not column(found, "motif alike")[1].any()
    np.testing.assert_array_equal(found.tfs, [[0, 0, 1], [0, 0, 0]])
    np.testing.assert_array_equal(*column(found, "rate"))
