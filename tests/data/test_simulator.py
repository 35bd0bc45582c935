import dataclasses
import graphlib
import hashlib
import time

import numpy as np
import pandas as pd
import pytest

from grnjax.data import simulator
from grnjax.data.simulator import (
    EmbeddedConfig,
    SimulatorConfig,
    draw_basal_rates,
    draw_network,
    hill_response,
    mean_field,
    production,
    run_kinetics,
    simulate,
    simulate_motifs,
)
from grnjax.evidence.motifs import read_motifs

SMALL = SimulatorConfig(genes=80, tfs=12, master_regulators=4, cells=150, steps=60)


@pytest.fixture(scope="module")
def embedded():
    """The default data set, its known edges, and the seconds of processor time they took."""
    start = time.process_time()
    data, known = EmbeddedConfig().make()
    return data, known, time.process_time() - start


def as_bytes(data):
    arrays = data.counts, data.cell_types
    names = data.genes.tolist(), data.tfs.tolist(), data.edges.to_csv()
    return [array.tobytes() for array in arrays], names


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_network():
    one, same, other = (simulate(SMALL, seed=seed) for seed in (3, 3, 4))
    assert as_bytes(one) == as_bytes(same)
    edges = [set(zip(d.edges["tf"], d.edges["target"])) for d in (one, other)]
    assert len(edges[0] & edges[1]) < 0.5 * len(edges[0])
    assert not np.array_equal(one.counts, other.counts)


def test_the_network_has_no_cycle_no_loop_and_regulators_for_all_but_the_masters(embedded):
    data, _, _ = embedded
    config = SimulatorConfig()
    edges = list(zip(data.edges["tf"], data.edges["target"]))
    assert len(set(edges)) == len(edges) and all(tf != target for tf, target in edges)
    regulators = {gene: {tf for tf, target in edges if target == gene} for gene in data.genes}
    order = list(graphlib.TopologicalSorter(regulators).static_order())  # raises on a cycle
    assert len(order) == config.genes
    counts = np.array([len(regulators[gene]) for gene in data.genes])
    assert not counts[: config.master_regulators].any()
    assert counts[config.master_regulators :].min() == 1
    assert counts.max() <= config.max_in_degree
    assert set(data.edges["tf"]) <= set(data.tfs)


def test_degrees_and_signs_follow_the_cited_shares(embedded):
    data, _, _ = embedded
    config = SimulatorConfig()
    in_degree = data.edges.groupby("target").size()[lambda n: ~n.index.isin(data.tfs)]
    degrees = np.arange(1, config.max_in_degree + 1)
    share = degrees**-config.in_degree_exponent / np.sum(degrees**-config.in_degree_exponent)
    assert in_degree.mean() == pytest.approx(share @ degrees, rel=0.15)
    assert (in_degree == 1).mean() == pytest.approx(share[0], abs=0.1)
    out_degree = np.sort(data.edges.groupby("tf").size())[::-1]
    assert out_degree[0] > 2.5 * np.median(out_degree), "a few TFs have many targets"
    activating = (data.edges["sign"] > 0).mean()
    assert activating == pytest.approx(config.activation_share, abs=0.06)
    assert set(data.edges["sign"]) == {1, -1}


def test_activation_and_repression_show_in_the_sign_of_correlation(embedded):
    data, _, _ = embedded
    depth = data.counts.sum(axis=1, keepdims=True)
    z = np.log1p(1e4 * data.counts / depth)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    place = {gene: i for i, gene in enumerate(data.genes)}
    tf, target = (data.edges[end].map(place).to_numpy() for end in ("tf", "target"))
    r = np.mean(z[:, tf] * z[:, target], axis=0)
    sign = data.edges["sign"].to_numpy()
    assert (np.sign(r) == sign)[sign > 0].mean() > 0.75
    assert (np.sign(r) == sign)[sign < 0].mean() > 0.65
    adjacent = np.zeros((len(data.tfs), len(data.genes)), bool)
    adjacent[tf, target] = True
    everything = np.abs(z[:, : len(data.tfs)].T @ z / len(z))
    assert np.abs(r).mean() > 1.2 * everything[~adjacent & (everything < 0.999)].mean()


def test_counts_look_like_a_droplet_experiment_and_take_seconds(embedded):
    data, _, seconds = embedded
    config = SimulatorConfig()
    assert data.counts.shape == (config.cells, config.genes) == (1000, 400)
    assert data.counts.dtype == np.int32 and data.counts.min() == 0
    assert 0.4 < (data.counts == 0).mean() < 0.55
    assert (data.counts.max(axis=0) > 0).mean() > 0.95
    depth = data.counts.sum(axis=1)
    assert np.median(depth) == pytest.approx(4 * np.exp(6), rel=0.2)  # exp(6) per 100 genes
    assert np.std(np.log(depth)) == pytest.approx(0.3, abs=0.1)
    assert np.unique(data.cell_types).tolist() == list(range(config.cell_types))
    assert seconds < 40


def test_known_edges_are_the_share_that_was_asked_for(embedded):
    data, known, _ = embedded
    assert len(known) == round(0.6 * len(data.edges))
    pairs = [set(zip(frame["tf"], frame["target"], frame["sign"])) for frame in (known, data.edges)]
    assert len(pairs[0]) == len(known) and pairs[0] < pairs[1]
    by_tf = known.groupby("tf").size() / data.edges.groupby("tf").size()
    assert by_tf.std() < 0.3, "spread over all TFs"


def test_known_edges_repeat_with_the_seed():
    config = EmbeddedConfig(seed=5, known_share=0.3, simulator=SMALL)
    (data, known), (_, same) = config.make(), config.make()
    assert known.equals(same)
    _, more = dataclasses.replace(config, known_share=1.0).make()
    assert more.equals(data.edges)
    _, other = dataclasses.replace(config, seed=6).make()
    assert not known.equals(other)


def test_the_hill_function_is_a_half_at_the_half_response():
    x = np.array([0.0, 1.0, 2.0, 1e6])
    np.testing.assert_allclose(hill_response(x, 2.0, 2.0), [0, 0.2, 0.5, 1], atol=1e-9)


def test_activators_add_to_production_and_repressors_take_away():
    strength, basal = np.array([[3.0], [-2.0]]), np.array([[0.1]])
    rates = {
        (active, repressed): production(strength, basal, np.array([[active, repressed]]))[0, 0]
        for active in (0.0, 1.0)
        for repressed in (0.0, 1.0)
    }
    expected = {(0, 0): 2.1, (0, 1): 0.1, (1, 0): 5.1, (1, 1): 3.1}
    assert rates == pytest.approx(expected)


def test_without_noise_the_kinetics_rest_at_the_mean_field():
    """Production equals decay there, and half the response of a TF is at its mean."""
    config = dataclasses.replace(SMALL, noise=0.0)
    rng = np.random.default_rng(0)
    adjacency, sign = draw_network(config, rng)
    strength = sign * rng.uniform(1, 5, size=adjacency.shape) * adjacency
    basal = draw_basal_rates(config, rng)
    steady, half = mean_field(config, strength, basal)
    assert (steady > 0).all()
    np.testing.assert_allclose(half, steady[:, : config.tfs].mean(axis=0))
    end = run_kinetics(config, rng, strength, basal, steady, half)
    np.testing.assert_allclose(end, steady, rtol=1e-3)
    disturbed = run_kinetics(
        dataclasses.replace(config, steps=2000), rng, strength, basal, 2 * steady, half
    )
    np.testing.assert_allclose(disturbed, steady, rtol=1e-3)


def test_dropout_makes_zeros():
    shares = [
        (simulate(dataclasses.replace(SMALL, dropout_percentile=p), seed=0).counts == 0).mean()
        for p in (20.0, 45.0, 80.0)
    ]
    assert shares[0] + 0.1 < shares[1] < shares[2] - 0.1


def test_motif_hits_are_a_weak_sign_of_an_edge(embedded):
    data, _, _ = embedded
    assert data.motifs.index.tolist() == data.genes.tolist()
    assert data.motifs.columns.tolist() == data.tfs.tolist()
    assert set(np.unique(data.motifs)) == {0, 1}
    is_edge = pd.crosstab(data.edges["target"], data.edges["tf"]).reindex_like(data.motifs) > 0
    hits, edges = data.motifs.to_numpy(), is_edge.to_numpy()
    assert hits[edges].mean() == pytest.approx(0.4, abs=0.04)
    assert hits[~edges].mean() == pytest.approx(0.15, abs=0.01)
    assert 0.1 < edges[hits > 0].mean() < 0.25, "most hits are no edges"


def test_motif_hits_of_certain_scans_are_the_network(embedded):
    data, _, _ = embedded
    perfect = simulate_motifs(
        data.edges, data.genes, data.tfs, seed=1, sensitivity=1, false_positive_rate=0
    )
    hits = perfect.stack().loc[lambda hit: hit > 0].index
    assert set(hits) == set(zip(data.edges["target"], data.edges["tf"]))


def test_motif_hits_repeat_with_the_seed_and_do_not_follow_the_order_of_edges(embedded):
    data, _, _ = embedded
    names = data.genes, data.tfs
    assert simulate_motifs(data.edges[::-1], *names, seed=0).equals(data.motifs)
    assert not simulate_motifs(data.edges, *names, seed=1).equals(data.motifs)


def test_motif_hits_change_nothing_else(monkeypatch):
    config = EmbeddedConfig(simulator=SMALL, seed=3)
    data, known = config.make()
    monkeypatch.setattr(simulator, "simulate_motifs", lambda *_, **__: None)
    bare, bare_known = config.make()
    assert as_bytes(data) == as_bytes(bare) and known.equals(bare_known)


def test_the_embedded_network_is_that_of_earlier_versions(embedded):
    """Digest of the known edges before motif hits were simulated."""
    text = embedded[1].to_csv(index=False, lineterminator="\n").encode()
    digest = "e975f11634b1109b1f3e39b087d6da1caef2b6603e427be22bab634803891222"
    assert hashlib.sha256(text).hexdigest() == digest


def test_motif_hits_are_read_back_from_a_file(embedded, tmp_path):
    data, _, _ = embedded
    data.motifs.to_csv(tmp_path / "motifs.csv")
    names = np.sort(data.genes)
    tfs = np.flatnonzero(np.isin(names, data.tfs))
    evidence = read_motifs(tmp_path / "motifs.csv", names, tfs)
    np.testing.assert_array_equal(
        evidence.pairs[0].values, data.motifs.loc[names, names[tfs]].to_numpy().T
    )
    assert evidence.genes[0].covered.all()


@pytest.mark.parametrize("name", ["sensitivity", "false_positive_rate"])
def test_a_chance_of_motif_hits_outside_its_range_is_refused(name, embedded):
    data, _, _ = embedded
    with pytest.raises(ValueError, match=rf"{name} must be in \[0, 1\], got 1.2"):
        simulate_motifs(data.edges, data.genes, data.tfs, seed=0, **{name: 1.2})


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"tfs": 0}, "^tfs must be at least 1, got 0$"),
        ({"tfs": 400}, "need master_regulators <= tfs < genes, got 12, 400, 400"),
        ({"master_regulators": 41}, "got 41, 40, 400"),
        ({"tfs": 5, "master_regulators": 2}, "need tfs_per_programme <= tfs, got 8, 5"),
        ({"cells": 0}, "cells must be at least 1, got 0"),
        ({"cell_types": 0}, "cell_types must be at least 1, got 0"),
    ],
)
def test_sizes_without_a_network_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SimulatorConfig(**settings)


@pytest.mark.parametrize("share", [0.0, 1.1])
def test_a_known_share_outside_its_range_is_refused(share):
    with pytest.raises(ValueError, match=r"known_share must be in \(0, 1\]"):
        EmbeddedConfig(known_share=share)
