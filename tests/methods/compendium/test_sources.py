"""The genes and species of a run, which no list of targets decides."""

import numpy as np
import pandas as pd
import pytest

from grnjax.data.compendium.compendium import Compendium
from grnjax.data.compendium.source import About, make_source
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.methods.compendium.sources import place_lists, recognise

from .planted import GENES, make_compendium


def make_named(*targets):
    """A source that tells no gene that was looked at."""
    edges = pd.DataFrame({"tf": "TF0", "cell": "K562", "target": targets})
    facts = {"origin": "a test", "licence": "CC0", "species": "human", "title": "a test"}
    return make_source(edges, About(name="named", **facts))


def test_no_list_of_targets_decides_which_genes_there_are():
    orthologues = {"GENE1": "Gene1", "ALONE": "Alone"}
    told = Compendium(make_compendium().sources, orthologues)
    found = told.list_universe("human")
    assert {*found} == {*GENES, "ALONE"}
    more = Compendium((*told.sources, make_named("ONLYHERE", "GENE1")), orthologues)
    np.testing.assert_array_equal(more.list_universe("human"), found)
    assert more.list_universe("mouse").tolist() == ["ALONE", "GENE1"]


@pytest.mark.parametrize(
    ("names", "species"),
    [
        (["GATA1", "C19orf48", "TP53"], "human"),
        (["Gata1", "Trp53", "Sox2", "BC005624"], "mouse"),
        (["GATA1", "TRP53", "SOX2", "IFITM3"], "mouse"),  # as benchmarks write it
    ],
)
def test_species_are_told_by_spelling(names, species):
    assert recognise(np.array(names)) == species


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["ENSG00000102145", "ENSG00000141510"], "are no symbols"),
        (["gata1a", "tp53", "sox2"], "neither human"),
    ],
)
def test_other_spelling_is_one_sentence(names, words):
    with pytest.raises(ConfigError, match=words):
        recognise(np.array(names))


def test_genes_that_lists_do_not_know_are_refused():
    names = np.array([*GENES[:60], *(f"OTHER{i}" for i in range(300))])
    with pytest.raises(GeneMismatchError, match=r"60 of 360 genes .* are known to the lists"):
        place_lists(make_compendium(), names, "auto", ())
    few = np.array([*GENES[:5], *(f"OTHER{i}" for i in range(300))])
    with pytest.raises(
        GeneMismatchError, match="no list of human has [0-9]+ targets or more among"
    ):
        place_lists(make_compendium(), few, "auto", ())
    with pytest.raises(ConfigError, match="has no list of binding left"):
        everything = ("K562", "HepG2", "HCT116", "A549", "HUVEC", "MCF7")
        place_lists(make_compendium(), np.array(GENES), "human", everything)
