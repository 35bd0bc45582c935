"""Planted networks are found, permuted ones are not, and the order of files changes nothing."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import grnjax
from grnjax.config import replace
from grnjax.methods.enhancer.regulons import COLUMNS


def infer(files, rna=None, seed=0, **changes):
    method = replace(files.method, changes) if changes else files.method
    tfs = files.data.tfs.tolist()
    return grnjax.infer(files.rna if rna is None else rna, method=method, tfs=tfs, seed=seed)


def score(network, data):
    """AUROC of all pairs of a TF and another gene."""
    pairs = pd.MultiIndex.from_product([data.tfs, data.rna.columns])
    pairs = pairs[pairs.get_level_values(0) != pairs.get_level_values(1)]
    importance = network.edges.set_index(["tf", "target"])["importance"].reindex(pairs).fillna(0)
    is_true = pairs.isin(pd.MultiIndex.from_frame(data.edges[["tf", "target"]]))
    return roc_auc_score(is_true, importance)


@pytest.fixture(scope="module")
def paired(simulate):
    files = simulate()
    return files, infer(files)


def test_a_planted_network_is_found(paired):
    files, network = paired
    assert score(network, files.data) > 0.9
    regulons = network.tables["eregulons"]
    assert list(regulons) == COLUMNS and regulons["eRegulon_name"].nunique() >= 10
    assert (regulons["rho_TF2G"] > 0.03).all() and (regulons["rho_R2G"] > 0.03).all()
    edges = network.edges
    listed = pd.MultiIndex.from_frame(regulons[["TF", "Gene"]])
    is_listed = pd.MultiIndex.from_frame(edges[["tf", "target"]]).isin(listed)
    assert edges["importance"].between(0, 1).all()
    assert edges["importance"][is_listed].median() > 0.9 > edges["importance"].median()
    assert (regulons.groupby("eRegulon_name")["Gene"].nunique() >= 10).all()


def test_regions_of_regulons_carry_the_motif_and_lie_within_reach(paired):
    files, network = paired
    regulons, data = network.tables["eregulons"], files.data
    hits = pd.MultiIndex.from_frame(data.hits[["tf", "peak"]])
    assert pd.MultiIndex.from_frame(regulons[["TF", "Region"]]).isin(hits).all()
    place = regulons["Region"].str.extract(r"^(?P<chr>.+):(?P<start>\d+)-(?P<end>\d+)$")
    site = data.sites.set_index("gene").loc[regulons["Gene"]].reset_index()
    assert (place["chr"] == site["chromosome"]).all()
    distance = np.maximum(
        place["start"].astype(int) - site["end"], site["start"] - place["end"].astype(int)
    )
    assert distance.max() <= 150_000
    true = pd.MultiIndex.from_frame(data.triplets[["tf", "region", "target"]])
    found = pd.MultiIndex.from_frame(regulons[["TF", "Region", "Gene"]])
    by_chance = len(true) / (data.hits.shape[0] * 5)  # of hits with genes in reach
    assert found.isin(true).mean() > 2 * by_chance
    best = found[: len(found) // 4]
    assert best.isin(true).mean() > found.isin(true).mean()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_permuted_counts_and_hits_yield_no_regulons(simulate, seed):
    network = infer(simulate(seed, permuted="counts-and-hits"), seed=seed)
    assert network.tables["eregulons"].empty
    assert network.report["regulons"]["sets_of_targets"] > 50


@pytest.mark.slow
def test_permuted_counts_leave_what_motifs_near_genes_say(paired, simulate):
    files, network = paired
    permuted = infer(simulate(permuted="counts"))
    count = permuted.tables["eregulons"]["eRegulon_name"].nunique()
    assert count <= network.tables["eregulons"]["eRegulon_name"].nunique() / 5
    assert score(permuted, files.data) < score(network, files.data)


@pytest.mark.slow
def test_unpaired_cells_recover_edges_that_differ_between_types(simulate):
    files = simulate(paired=False)
    network = infer(files)
    assert network.report["cells"]["pairing"] == "unpaired"
    assert score(network, files.data) > 0.9
    assert len(network.tables["eregulons"]) > 100
    assert network.tables["eregulons"]["evidence"].unique().tolist() == ["rna+atac, unpaired"]


@pytest.mark.slow
def test_one_seed_gives_the_same_network_and_another_one_another(paired):
    files, network = paired
    again, other = infer(files), infer(files, seed=1)
    pd.testing.assert_frame_equal(network.edges, again.edges, check_exact=True)
    pd.testing.assert_frame_equal(
        network.tables["eregulons"], again.tables["eregulons"], check_exact=True
    )
    assert not network.edges.equals(other.edges)


@pytest.mark.slow
def test_the_order_of_genes_cells_peaks_hits_and_sites_changes_nothing(paired, tmp_path):
    files, network = paired
    rng = np.random.default_rng(1)
    rna = files.rna[rng.permutation(files.rna.n_obs), rng.permutation(files.rna.n_vars)].copy()
    atac = files.atac[rng.permutation(files.atac.n_obs), rng.permutation(files.atac.n_vars)].copy()
    atac.write_h5ad(tmp_path / "atac.h5ad")
    for name, table, headed in (
        ("hits.tsv", files.data.hits, True),
        ("sites.bed", files.data.sites, False),
    ):
        shuffled = table.sample(frac=1, random_state=2)
        shuffled.to_csv(tmp_path / name, sep="\t", index=False, header=headed)
    method = dataclasses.replace(
        files.method,
        atac=str(tmp_path / "atac.h5ad"),
        motifs=str(tmp_path / "hits.tsv"),
        sites=str(tmp_path / "sites.bed"),
    )
    tfs = list(reversed(files.data.tfs.tolist()))
    shuffled = grnjax.infer(rna, method=method, tfs=tfs, seed=0)
    pd.testing.assert_frame_equal(network.edges, shuffled.edges, check_exact=True)
    pd.testing.assert_frame_equal(
        network.tables["eregulons"], shuffled.tables["eregulons"], check_exact=True
    )


def test_rna_alone_is_marked_and_ranks_by_expression_and_motifs_of_genes(simulate, tmp_path):
    files = simulate()
    alone = infer(files, **{"atac": None, "motifs": None, "sites": None})
    assert alone.tables == {} and alone.report["evidence"] == "rna"
    path = tmp_path / "prior.tsv"
    files.data.edges[["tf", "target"]].to_csv(path, sep="\t", index=False)
    prior = infer(files, **{"atac": None, "motifs": str(path), "sites": None})
    regulons = prior.tables["eregulons"]
    assert len(regulons) and (regulons["evidence"] == "rna").all()
    assert (regulons["Region"] == "").all() and regulons["rho_R2G"].isna().all()
    assert regulons["eRegulon_name"].str.endswith("_direct_+").all()


@pytest.mark.slow
def test_motifs_of_genes_count_at_all_their_peaks_and_the_run_says_so(simulate, tmp_path, caplog):
    files, path = simulate(), tmp_path / "prior.tsv"
    files.data.edges[["tf", "target"]].to_csv(path, sep="\t", index=False)
    caplog.set_level("WARNING", "grnjax")
    network = infer(files, motifs=str(path))
    assert "these motifs are of genes and not of peaks" in caplog.text
    regulons = network.tables["eregulons"]
    assert set(regulons["evidence"]) == {"rna+atac, paired, motifs of genes"}
    edges = pd.MultiIndex.from_frame(files.data.edges[["tf", "target"]])
    assert pd.MultiIndex.from_frame(regulons[["TF", "Gene"]]).isin(edges).all()
