import dataclasses

import numpy as np
import pytest

from grnjax.errors import ConfigError
from grnjax.evidence.types import Evidence, GeneBlock, PairBlock, TfSimilarity
from grnjax.methods.controls import permute_evidence
from grnjax.methods.kernel_factor.bank import COVERAGE, build_bank
from grnjax.models.gene_kernels import KernelSpace
from grnjax.models.random_features import FeatureSpace

TFS, GENES = 6, 50
AT = np.arange(TFS) * 3  # gene indices of the TFs


def make_evidence(name, kind, seed, covered_share=1.0):
    """A source that speaks of genes, of pairs and of how alike TFs are."""
    rng = np.random.default_rng(seed)
    covered = rng.random(GENES) < covered_share
    values = np.where(covered[:, None], rng.normal(size=(GENES, 4)), 0).astype(np.float32)
    alike = rng.random((TFS, TFS)).astype(np.float32)
    return Evidence(
        name,
        kind,
        {},
        genes=(GeneBlock(name, values, covered, ("rbf", "linear")),),
        pairs=(PairBlock(f"{name} pair", rng.normal(3, 5, size=(TFS, GENES)).astype(np.float32)),),
        similarities=(TfSimilarity(f"{name} partners", alike + alike.T),),
    )


@pytest.fixture(scope="module")
def evidence():
    return [
        make_evidence("expression", "expression", 0, covered_share=0.5),
        make_evidence("motifs", "motifs", 1, covered_share=0.8),
        make_evidence("numbers", "table", 2),
    ]


def build(evidence, **options):
    settings = {"labelled": AT[[0, 2, 5]], "most_genes": 1000}
    return build_bank(evidence, AT, GENES, **(settings | options))


def test_the_bank_has_all_that_the_sources_say(evidence):
    bank = build(evidence)
    assert isinstance(bank.space, KernelSpace)
    names = [x for x in ("expression", "motifs", "numbers", COVERAGE) for _ in range(2)]
    assert list(bank.blocks) == names
    assert bank.pair_names == ("expression pair", "motifs pair", "numbers pair")
    assert [one.name.split()[0] for one in bank.similarities] == ["expression", "motifs", "numbers"]
    np.testing.assert_array_equal(bank.labelled, [0, 2, 5])


def test_pair_features_are_on_one_scale(evidence):
    pairs = build(evidence).pairs
    np.testing.assert_allclose(pairs.mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(pairs.std(axis=(1, 2)), 1, atol=1e-3)
    raw = evidence[1].pairs[0].values
    assert np.corrcoef(pairs[1].ravel(), raw.ravel())[0, 1] == pytest.approx(1, abs=1e-3)


def test_coverage_tells_which_source_covers_a_gene_but_not_what_was_measured(evidence):
    bank = build(evidence)
    kernel = bank.space.values[bank.blocks.index(COVERAGE)]
    covered = evidence[1].genes[0].covered
    assert kernel[np.ix_(covered, covered)].min() > kernel[np.ix_(covered, ~covered)].max()
    assert COVERAGE not in build([evidence[0], evidence[2]]).blocks


def test_sources_that_cover_the_same_genes_have_one_column_of_coverage(evidence):
    motifs = evidence[1]
    twin = GeneBlock("twin", motifs.genes[0].values, motifs.genes[0].covered, ("linear",))
    once, twice = build([motifs]), build([motifs, Evidence("twin", "t", {}, genes=(twin,))])
    np.testing.assert_array_equal(twice.space.values[-2:], once.space.values[-2:])
    assert twice.blocks[-2:] == (COVERAGE, COVERAGE)


def test_no_evidence_makes_an_empty_bank():
    bank = build([])
    assert bank.space is None and bank.blocks == () and bank.pair_names == ()
    assert bank.pairs.shape == (0, TFS, GENES)


def test_a_source_of_pairs_alone_makes_no_kernels(evidence):
    bank = build([dataclasses.replace(evidence[2], genes=())])
    assert bank.space is None and len(bank.pairs) == len(bank.similarities) == 1


def test_many_genes_switch_to_random_features(evidence):
    assert isinstance(build(evidence, most_genes=GENES).space, KernelSpace)
    exact, random = build(evidence), build(evidence, most_genes=GENES - 1, seed=3)
    assert isinstance(random.space, FeatureSpace) and random.blocks == exact.blocks
    linear = [place for place in range(len(exact.blocks)) if place % 2]
    every = np.arange(GENES)
    np.testing.assert_allclose(
        random.space.among(every)[linear], exact.space.values[linear], atol=1e-3
    )
    again = build(evidence, most_genes=GENES - 1, seed=3)
    np.testing.assert_array_equal(again.space.among(every), random.space.among(every))


@pytest.mark.parametrize(
    ("part", "message"),
    [("genes", "1 gene blocks.*motifs"), ("pairs", "1 pair features"), ("similarities", "1 simil")],
)
def test_sources_of_one_name_are_refused(evidence, part, message):
    empty = dataclasses.replace(evidence[1], genes=(), pairs=(), similarities=())
    twin = dataclasses.replace(empty, **{part: getattr(evidence[1], part)})
    with pytest.raises(ConfigError, match=message):
        build([evidence[1], twin])


def test_the_control_keeps_the_kernels_and_changes_only_whose_they_are(evidence):
    order = permute_evidence([mark_genes()], seed=4)[0].genes[0].values[:, 0].astype(int)
    permuted = build(permute_evidence(evidence, seed=4))
    np.testing.assert_allclose(permuted.space.values, build(evidence).space.among(order), atol=1e-5)


def mark_genes():
    values, every = np.arange(GENES, dtype=np.float32)[:, None], np.ones(GENES, bool)
    return Evidence("mark", "table", {}, genes=(GeneBlock("mark", values, every, ()),))
