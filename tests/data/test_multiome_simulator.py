"""In a simulated multiome, TFs open regions and regions go with genes; decoys do half of it."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from grnjax.data.accessibility import read_accessibility
from grnjax.data.expression import DataConfig, read_expression
from grnjax.data.multiome_files import write_multiome
from grnjax.data.multiome_simulator import MultiomeConfig, name_regions, simulate_multiome
from grnjax.data.simulator import SimulatorConfig
from grnjax.errors import ConfigError

SMALL = MultiomeConfig(
    simulator=SimulatorConfig(
        genes=120,
        tfs=12,
        master_regulators=12,
        cells=400,
        cell_types=8,
        tfs_per_programme=4,
        max_in_degree=2,
        noise=0.5,
    ),
    depth=1.0,
)


@pytest.fixture(scope="module")
def data():
    return simulate_multiome(SMALL, seed=0)


def type_means(counts, types):
    """Mean [type, column] of log counts."""
    return pd.DataFrame(np.log1p(counts)).groupby(types).mean().to_numpy()


def correlate(data, kinds):
    """Over cell types: r of each region of a kind with its TF's response, and with its gene."""
    rna = data.rna.to_numpy() / data.rna.to_numpy().sum(axis=1, keepdims=True) * 1e4
    genes, regions = (
        type_means(rna, data.rna_types),
        type_means(data.atac.toarray(), data.atac_types),
    )
    place = pd.Index(data.rna.columns)
    where = pd.Series(np.arange(len(data.peaks)), name_regions(data.peaks))
    r = [
        np.corrcoef(regions[:, where[row.region]], genes[:, place.get_loc(row.tf)])[0, 1] * row.sign
        for row in kinds.itertuples()
    ]
    return np.array(r)


def test_true_regions_follow_their_tf_by_its_sign(data):
    r = correlate(data, data.triplets)
    assert np.nanmedian(r) > 0.7
    shuffled = data.triplets.assign(region=np.roll(data.triplets["region"], 7))
    assert abs(np.nanmedian(correlate(data, shuffled))) < 0.5


def test_every_edge_has_a_region_with_its_motif_near_its_gene(data):
    edges = pd.MultiIndex.from_frame(data.edges[["tf", "target"]])
    triplets = pd.MultiIndex.from_frame(data.triplets[["tf", "target"]])
    assert triplets.isin(edges).all() and len(triplets) > 0.95 * len(edges)
    hits = pd.MultiIndex.from_frame(data.hits[["tf", "peak"]])
    assert pd.MultiIndex.from_frame(data.triplets[["tf", "region"]]).isin(hits).all()


def test_decoys_of_both_kinds_stand_beside(data):
    kinds = data.peaks["kind"].value_counts()
    assert kinds["motif decoy"] > 0.8 * kinds["true"] < 1.25 * kinds["open decoy"]
    counts, types = data.atac.toarray(), data.atac_types
    spread = type_means(counts, types).std(axis=0) / np.log1p(counts).std(axis=0)
    by_kind = pd.Series(spread).groupby(data.peaks["kind"].to_numpy()).median()
    assert by_kind["motif decoy"] < 0.5 * by_kind["open decoy"]
    hits = data.hits["peak"].value_counts().reindex(name_regions(data.peaks)).fillna(0)
    with_motif = hits.groupby(data.peaks["kind"].to_numpy()).mean()
    assert with_motif["open decoy"] < 0.5 < with_motif["motif decoy"]


def test_one_seed_gives_the_same_bytes_and_another_another_network(data):
    again, other = simulate_multiome(SMALL, seed=0), simulate_multiome(SMALL, seed=1)
    for field in dataclasses.fields(data):
        mine, theirs = getattr(data, field.name), getattr(again, field.name)
        if field.name == "atac":
            assert (mine != theirs).nnz == 0
        else:
            assert np.array_equal(np.asarray(mine), np.asarray(theirs)), field.name
    assert not data.edges.equals(other.edges)


def test_unpaired_cells_are_others_of_the_same_types(data):
    unpaired = simulate_multiome(dataclasses.replace(SMALL, paired=False), seed=0)
    assert not set(unpaired.rna.index) & set(unpaired.atac_cells)
    assert set(unpaired.rna_types) == set(unpaired.atac_types)
    assert unpaired.rna.shape == data.rna.shape and unpaired.atac.shape[0] == len(data.rna)


def test_permuted_counts_are_those_of_other_regions(data):
    permuted = simulate_multiome(dataclasses.replace(SMALL, permuted="counts"), seed=0)
    pd.testing.assert_frame_equal(permuted.hits, data.hits)
    assert abs(np.nanmedian(correlate(permuted, permuted.triplets))) < 0.4
    both = simulate_multiome(dataclasses.replace(SMALL, permuted="counts-and-hits"), seed=0)
    assert (both.atac != permuted.atac).nnz == 0
    np.testing.assert_array_equal(both.hits["tf"], data.hits["tf"])
    assert (both.hits["peak"] == data.hits["peak"]).mean() < 0.1


@pytest.mark.slow
def test_files_of_10x_hold_the_multiome(data, tmp_path):
    files = write_multiome(data, tmp_path)
    read = read_expression(files["multiome"], DataConfig(normalise="never"), set(data.tfs))
    rows = data.rna.loc[read.cells.index, read.genes]
    np.testing.assert_array_equal(read.values, rows)
    found = read_accessibility(files["multiome"])
    assert list(found.cells.index) == list(data.atac_cells)
    order = pd.Index(name_regions(data.peaks)).get_indexer(found.peaks["peak"])
    np.testing.assert_array_equal(found.counts.toarray(), data.atac.toarray()[:, order])
    unpaired = simulate_multiome(dataclasses.replace(SMALL, paired=False), seed=0)
    with pytest.raises(ConfigError, match="different cells, which one file of 10x cannot hold"):
        write_multiome(unpaired, tmp_path)
