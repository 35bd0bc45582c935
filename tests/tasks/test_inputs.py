"""Inputs are read for the method that is to use them, or refused."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import grnjax
from grnjax.data.expression import DataConfig
from grnjax.data.tf_lists import find_own_list, read_own_list
from grnjax.errors import ConfigError, GeneMismatchError, SplitError
from grnjax.evaluation.splits import draw_split
from grnjax.methods.method import make_method
from grnjax.tasks.inputs import load_extras, load_genes_and_edges


@pytest.fixture
def vectors(small_set, tmp_path):
    """The path of an embedding of all genes."""
    path, genes = tmp_path / "vectors.npz", small_set.genes
    values = np.random.default_rng(0).normal(size=(len(genes), 3)).astype(np.float32)
    np.savez(path, genes=genes, embedding=values)
    return str(path)


@pytest.fixture
def table(small_set, tmp_path):
    """An edge table made elsewhere, with no known edge in it."""
    path, known = tmp_path / "edges.csv", set(small_set.known.itertuples(index=False, name=None))
    pairs = [(tf, gene) for tf in small_set.tfs for gene in small_set.genes if tf != gene]
    free = [pair for pair in pairs if pair not in known and pair[::-1] not in known]
    pd.DataFrame(free[::7], columns=["tf", "target"]).to_csv(path, index=False)
    return str(path)


@pytest.fixture
def load(small_set):
    expression, _, network, _, tfs = small_set.arguments

    def run(method, known=network, tfs=tfs, genes="measured", **data):
        method, data = make_method(method), DataConfig(**data)
        return load_genes_and_edges(method, expression, known, tfs, data, genes=genes)

    return run


def test_measured_genes_are_ranked_and_those_of_the_network_where_asked(load, small_set, caplog):
    measured = set(small_set.counts.index)
    dataset, judged = load("scRegNet")
    assert judged is None and dataset.genes.names.tolist() == sorted(measured)
    left_out = set(small_set.genes) - measured
    assert left_out and dataset.report["unknown_genes"]["count"] == len(left_out)
    assert "--genes=all takes all of the network" in caplog.text
    dataset, _ = load("scRegNet", genes="all")
    assert dataset.genes.names.tolist() == sorted(small_set.genes)
    assert len(dataset.known) == len(small_set.known)
    with pytest.raises(ConfigError, match="pearson ranks measured genes alone; leave out --genes"):
        load("pearson", genes="all")


def test_a_method_that_learns_needs_known_edges(load):
    with pytest.raises(ConfigError, match="^scRegNet learns from known regulation: give --network"):
        load("scRegNet", known=None)


def test_any_other_ranks_those_of_the_expression_and_edges_only_judge(load, small_set):
    dataset, judged = load("pearson")
    measured = sorted(small_set.counts.index)
    assert dataset.genes.names.tolist() == measured and not len(dataset.known)
    assert judged.genes.names.tolist() == measured
    within = small_set.known[small_set.known.isin(measured).all(axis=1)]
    assert 0 < len(judged.known) == len(within) < len(small_set.known)
    alone, nothing = load("pearson", known=None)
    assert nothing is None
    np.testing.assert_array_equal(alone.genes.expression, dataset.genes.expression)
    np.testing.assert_array_equal(alone.genes.is_tf, dataset.genes.is_tf)
    assert load("pearson", known=small_set.known)[1].known.pairs.shape == judged.known.pairs.shape


def test_without_a_list_every_measured_gene_may_regulate(load):
    dataset, _ = load("spearman", known=None, tfs=None, orientation="genes-by-cells")
    assert dataset.genes.is_tf.all()
    with pytest.raises(GeneMismatchError, match="0 are among"):
        load("spearman", known=None, tfs=["nobody", "else"])


def test_vectors_are_evidence_to_a_method_that_reads_evidence(dataset, vectors):
    data = DataConfig(embedding=vectors)
    factors = load_extras(make_method("kernel-factor"), dataset, data)
    assert [item.name for item in factors.evidence] == ["expression", "embedding"]
    assert factors.embedding is None and factors.networks == {}
    pairs = load_extras(make_method("scRegNet"), dataset, data)
    assert list(pairs.evidence) == [] and pairs.embedding.shape == (len(dataset.genes.names), 3)


def test_evidence_is_read_for_the_tfs_of_the_splits(dataset):
    split = draw_split("standard", dataset.known.positives, len(dataset.genes.names), 0)
    few = dataclasses.replace(
        split, **{x: first_tf(getattr(split, x)) for x in ("train", "validation", "test")}
    )
    for splits, tfs in ((None, len(dataset.genes.tfs)), ([few], 1)):
        extras = load_extras(make_method("kernel-factor"), dataset, DataConfig(), splits=splits)
        assert {len(block.values) for block in extras.evidence[0].pairs} == {tfs}


def first_tf(pairs):
    return pairs.take(pairs.pairs[:, 0] == pairs.pairs[0, 0])


@pytest.mark.parametrize("method", ["kernel-factor", "scRegNet", "GT-GRN", "pearson"])
def test_what_the_method_does_not_read_is_refused_before_it_is_read(method, dataset):
    """The files are not even looked for."""
    method, absent = make_method(method), "absent.csv"
    for what, flag, given in (
        ("evidence", "--evidence", {"evidence": [f"motifs={absent}"]}),
        ("embedding", "--data.embedding", {"data": DataConfig(embedding=absent)}),
        ("networks", "--walk-on", {"walk_on": [absent]}),
    ):
        given = {"data": DataConfig(), **given}
        if what in method.READS or (what == "embedding" and "evidence" in method.READS):
            continue
        with pytest.raises(ConfigError, match=f"^{method.name()} does not read {flag}; leave it"):
            load_extras(method, dataset, **given)


def test_networks_to_walk_on_hold_no_pair_that_is_held_out(dataset, table, tmp_path, small_set):
    """In cross-fitting every known edge is held out by some fold."""
    walker, data = make_method("GT-GRN"), DataConfig()
    extras = load_extras(walker, dataset, data, walk_on=[table])
    assert list(extras.networks) == [table] and len(extras.networks[table].edges)
    copied = tmp_path / "copied.csv"
    small_set.known.to_csv(copied, index=False)
    with pytest.raises(SplitError, match="copied.csv holds .* held-out edges"):
        load_extras(walker, dataset, data, walk_on=[copied])
    with pytest.raises(GeneMismatchError, match="each of its .* is a held-out pair"):
        load_extras(walker, dataset, data, walk_on=[copied], drop_held_out=True)
    with pytest.raises(ConfigError, match="--drop-held-out takes pairs out of --walk-on, and none"):
        load_extras(walker, dataset, data, drop_held_out=True)


def test_the_species_that_is_given_tells_whose_list_of_tfs_counts():
    """ZNF10 is on the list of human alone, GATA1 on both."""
    cells = pd.DataFrame(
        np.random.default_rng(0).poisson(3, size=(30, 4)),
        columns=["ZNF10", "ZFP57", "GATA1", "ACTB"],
    ).astype(float)
    assert "ZNF10" in read_own_list("human") - read_own_list("mouse")
    for species in ("auto", "human", "mouse"):
        found = grnjax.infer(cells, method="pearson", species=species)
        tfs = set(found.genes.names[found.genes.is_tf])
        assert ("ZNF10" in tfs) == (species != "mouse") and "GATA1" in tfs and "ACTB" not in tfs
    with pytest.raises(ConfigError, match="species tells whose lists count"):
        grnjax.infer(cells, method="pearson", species="mouse", tfs=["GATA1"])


def test_a_spelling_of_no_species_takes_the_list_with_more_of_the_genes():
    names = np.array(["gata1", "actb", "znf10"])
    assert find_own_list(names, "cells") == ["gata1", "znf10"]
    assert find_own_list(np.array(["Gata1", "Actb"]), "cells", "mouse") == ["Gata1"]
