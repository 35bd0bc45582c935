"""Meta-cells, smoothing, links and modules, each against what it means."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax.data.cell_space import cluster, project
from grnjax.errors import ConfigError
from grnjax.methods.enhancer.cells import JoinedCells, drop_small
from grnjax.methods.enhancer.metacells import MetacellConfig, draw_metacells
from grnjax.methods.enhancer.modules import ModuleConfig, cut_links, make_modules
from grnjax.methods.enhancer.region_gene import LinkConfig, Links, link, search_space
from grnjax.methods.enhancer.smoothing import SmoothingConfig, smooth


@pytest.fixture
def typed():
    """Three types of 60 cells, far apart; accessibility follows the type."""
    rng = np.random.default_rng(0)
    types = np.repeat(["a", "b", "c"], 60)
    means = rng.normal(3, 2, size=(3, 30))[np.repeat(range(3), 60)]
    expression = np.maximum(means + rng.normal(size=means.shape), 0).astype(np.float32)
    rates = rng.random((3, 50))[np.repeat(range(3), 60)]
    return expression, types, sparse.csr_matrix(rng.poisson(rates * 0.3)), rates


def test_a_paired_metacell_is_the_mean_of_neighbours_of_one_group(typed):
    expression, types, counts, _ = typed
    cells = JoinedCells(expression, types, counts, types, True, {})
    found = draw_metacells(cells, MetacellConfig(size=10), seed=0)
    weights = found.of_rna.toarray()
    assert weights.shape == (36, 180) and found.of_atac is found.of_rna
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert ((weights > 0).sum(axis=1) == 10).all()
    for row, group in zip(weights, found.groups):
        assert set(types[row > 0]) == {group}


def test_unpaired_cells_are_drawn_apart_within_shared_groups(typed):
    expression, types, counts, _ = typed
    of_atac = np.repeat(["b", "c", "d"], 60)
    found = draw_metacells(
        JoinedCells(expression, types, counts, of_atac, False, {}), MetacellConfig(), seed=0
    )
    assert set(found.groups) == {"b", "c"} and found.report["groups_apart"] == ["a", "d"]
    for row, group in zip(found.of_rna.toarray(), found.groups):
        assert set(types[row > 0]) == {group}
    for row, group in zip(found.of_atac.toarray(), found.groups):
        assert set(of_atac[row > 0]) == {group}
    with pytest.raises(
        ConfigError, match=r"share none of their groups .*\(a, b, c; d\); call them"
    ):
        cells = JoinedCells(expression, types, counts, np.full(180, "d"), False, {})
        draw_metacells(cells, MetacellConfig(), seed=0)


def test_without_groups_clusters_are_found_and_it_is_said(typed, caplog):
    expression, types, _, _ = typed
    caplog.set_level("INFO", "grnjax")
    found = draw_metacells(
        JoinedCells(expression, None, None, None, False, {}), MetacellConfig(), seed=0
    )
    assert "no groups of cells are given" in caplog.text
    assert found.report["groups_from"] == "k-means on expression, 3 clusters"
    space = project(expression, genes=2000, components=50)
    labels = cluster(space, 3, np.random.default_rng(0), starts=8)
    table = pd.crosstab(labels, types).to_numpy()
    assert (np.sort(table, axis=1)[:, -1] == 60).all()


def test_small_groups_are_left_out_by_name(caplog):
    caplog.set_level("WARNING", "grnjax")
    groups = np.array(["a"] * 30 + ["b"] * 5 + [""] * 2)
    places, report = drop_small(groups, 20, "RNA")
    assert list(places) == ["a"] and report["small_groups"] == {"count": 1, "first": ["b"]}
    assert "fewer than 20 cells: b (5); and 2 cells without a group" in caplog.text
    with pytest.raises(ConfigError, match="none of the groups of cells"):
        drop_small(groups, 40, "RNA")


def test_smoothing_brings_sparse_counts_nearer_to_what_they_were_drawn_from():
    rng = np.random.default_rng(0)
    rates = np.where(rng.random((3, 300)) < 0.4, 0.3, 0.02)[np.repeat(range(3), 80)]
    counts = sparse.csr_matrix(rng.poisson(rates))
    cells, peaks = sparse.identity(240, format="csr"), np.flatnonzero(np.ptp(rates, axis=0))

    def agree(config):
        values = smooth(counts, config, seed=0).average(cells, peaks)
        r = [np.corrcoef(x, y)[0, 1] for x, y in zip(values.T, rates[:, peaks].T)]
        return np.mean(r)

    assert agree(SmoothingConfig(rank=3)) > agree(SmoothingConfig(rank=0)) + 0.2
    rebuilt = smooth(counts, SmoothingConfig(rank=3), seed=0)
    assert rebuilt.average(cells, peaks).min() == 0
    [(first, block)] = rebuilt.blocks(cells, peaks[:7])
    assert (first == peaks[:7]).all()
    np.testing.assert_allclose(block, rebuilt.average(cells, peaks)[:, :7])
    with pytest.raises(ConfigError, match="all 300 peaks are closed in all 240 cells"):
        smooth(counts * 0, SmoothingConfig(), seed=0)


def test_links_are_correlations_and_shares_of_their_squares(typed):
    expression, _, counts, _ = typed
    cells, smoothed = sparse.identity(180, format="csr"), smooth(counts, SmoothingConfig(), seed=0)
    pairs = np.array([[gene, peak] for gene in range(5) for peak in range(gene, 50, 7)])
    links, report = link(pairs, expression, smoothed, cells, LinkConfig(), seed=0)
    values = smoothed.average(cells, np.arange(50))
    r = np.array([np.corrcoef(expression[:, g], values[:, p])[0, 1] for g, p in pairs])
    kept = np.abs(r) > 0.03
    np.testing.assert_allclose(links.r, r[kept], atol=1e-5)
    total = pd.Series(r**2).groupby(pairs[:, 0]).transform("sum").to_numpy()
    np.testing.assert_allclose(links.importance, (r**2 / total)[kept], rtol=1e-3)
    assert report["links"] == kept.sum() and report["links_dropped"] == (~kept).sum()
    boosted, _ = link(
        pairs, expression, smoothed, cells, LinkConfig(importance="boosting", trees=20), seed=0
    )
    assert boosted.importance.min() > 0
    assert pd.Series(boosted.importance).groupby(boosted.gene).sum().max() <= 1 + 1e-6


def test_the_search_space_is_within_reach_of_any_start_site(tmp_path):
    rng = np.random.default_rng(0)
    start = np.sort(rng.choice(1_000_000, 200, replace=False))
    peaks = pd.DataFrame({"chromosome": np.repeat(["chr1", "chr2"], 100), "start": start})
    peaks = peaks.assign(end=peaks["start"] + 300, peak=[f"p{i}" for i in range(200)])
    sites = [("1", 100_000, "B"), ("1", 700_000, "A"), ("2", 500_000, "A"), ("2", 1, "other")]
    path = tmp_path / "sites.bed"
    path.write_text("".join(f"{c}\t{s}\t{s + 1}\t{g}\n" for c, s, g in sites))
    names = np.array(["A", "B", "C"])
    pairs, report = search_space(path, names, peaks, 40_000)
    expected = {
        ("AB".index(gene), number)
        for number, peak in enumerate(peaks.itertuples())
        for chromosome, site, gene in sites
        if gene in "AB"
        and peak.chromosome == f"chr{chromosome}"
        and peak.start < site + 1 + 40_000
        and peak.end > site - 40_000
    }
    assert set(map(tuple, pairs.tolist())) == expected and len(pairs) == len(expected)
    assert report["genes_without_site"] == {"count": 1, "first": ["C"]}


def test_links_are_cut_by_quantiles_and_tops_of_each_gene_as_pandas_cuts_them():
    rng = np.random.default_rng(0)
    gene = np.sort(rng.integers(6, size=120))
    links = Links(gene, np.arange(120), rng.uniform(-1, 1, 120), rng.random(120))
    frame = pd.DataFrame({"gene": gene, "importance": links.importance, "sign": np.sign(links.r)})
    grouped = frame.groupby(["sign", "gene"])["importance"]
    config, seen = ModuleConfig(), 0
    for name, sign, mask in cut_links(links, config):
        kind, number = name.split()
        if kind == "top":
            expected = grouped.rank(ascending=False) <= int(number)
        else:
            expected = frame["importance"] >= grouped.transform("quantile", float(number)) - 1e-12
        np.testing.assert_array_equal(mask, expected & (frame["sign"] == sign))
        seen += 1
    assert 6 < seen <= 12


def test_a_module_has_the_genes_whose_kept_peaks_carry_the_motif():
    links = Links(
        np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2]), np.array([0.5, 0.4, 0.3, -0.6]), np.ones(4)
    )
    hits = sparse.csr_matrix(np.array([[1, 0, 0], [0, 1, 1]], np.float32))
    config = ModuleConfig(quantiles=(0.5,), tops=(1,))
    modules = make_modules(links, hits, config, genes=3, of_genes=False)
    by_name = {(module.name, module.sign): module.targets.toarray() > 0 for module in modules}
    np.testing.assert_array_equal(by_name["quantile 0.5", 1], [[1, 0, 0], [1, 1, 0]])
    np.testing.assert_array_equal(by_name["top 1", 1], [[1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(by_name["quantile 0.5", -1], [[0, 0, 0], [0, 0, 1]])
    of_genes = make_modules(links, hits, config, genes=3, of_genes=True)
    assert [module.sign for module in of_genes] == [1, -1]
    np.testing.assert_array_equal(of_genes[0].targets.toarray(), [[1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(of_genes[1].targets.toarray(), [[0, 0, 0], [0, 0, 1]])
