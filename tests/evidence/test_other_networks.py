"""Labels of other networks: who is covered, what is dropped, and what merging leaves."""

import os

import numpy as np
import pandas as pd
import pytest

from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.evidence.other_networks import merge_networks, read_other_network

NAMES = np.array(sorted(["ABL1", "BAX", "CDK1", "DAP", "EGF", "FOS", "GATA1", "HES1", "IRF8"]))
TFS = np.array([5, 6, 8])  # FOS, GATA1, IRF8
TARGETS = {  # written in mouse spelling
    "Irf8": ["Abl1", "Bax", "Cdk1"],
    "Spi1": ["Abl1", "Bax", "Dap", "Egf", "Zzz3"],
    "Fos": ["Abl1", "Bax"],
    "Myc": ["Abl1", "Bax", "Cdk1", "Dap", "Irf8"],
}


def write_network(path, targets, shuffle=None):
    edges = [(tf, gene) for tf, genes in targets.items() for gene in genes]
    frame = pd.DataFrame(edges, columns=["tf", "target"])
    if shuffle is not None:
        frame = frame.sample(frac=1, random_state=shuffle)
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def network(tmp_path):
    return write_network(tmp_path / "network.csv", TARGETS)


def columns_of(evidence):
    [columns] = evidence.report["columns"].values()
    return dict(zip(columns, evidence.genes[0].values.T, strict=True))


def test_columns_are_the_targets_of_the_tfs_that_the_run_lacks(network):
    evidence = read_other_network(network, NAMES, TFS)
    [block] = evidence.genes
    columns = columns_of(evidence)
    assert set(columns) == {"Myc", "Spi1"}
    assert set(NAMES[columns["Spi1"] > 0]) == {"ABL1", "BAX", "DAP", "EGF"}
    assert set(NAMES[block.covered]) == {"ABL1", "BAX", "CDK1", "DAP", "EGF", "IRF8"}
    assert block.values.dtype == np.float32 and not block.values[~block.covered].any()
    assert evidence.pairs == ()
    assert evidence.report["dropped_same_tf"] == {"count": 2, "first": ["Fos", "Irf8"]}
    assert evidence.report["dropped_uninformative"] == {"count": 0, "first": []}
    assert evidence.report["tfs_found"] == 2


def test_targets_of_dropped_tfs_do_not_even_count_as_covered(tmp_path):
    kept = {"Spi1": ["Abl1", "Bax", "Dap", "Egf"], "Myc": ["Abl1", "Bax", "Cdk1"]}
    copy = {"Irf8": ["Hes1", "Gata1"], "Fos": ["Hes1", "Abl1"]}
    alone = read_other_network(write_network(tmp_path / "a.csv", kept), NAMES, TFS)
    both = read_other_network(write_network(tmp_path / "b.csv", kept | copy), NAMES, TFS)
    np.testing.assert_array_equal(both.genes[0].covered, alone.genes[0].covered)
    np.testing.assert_array_equal(both.genes[0].values, alone.genes[0].values)


def test_a_tf_of_the_run_is_dropped_however_it_is_spelled(tmp_path):
    spellings = dict.fromkeys(("Irf8", "irf8", "IRF8"), TARGETS["Irf8"])
    kept = {name: TARGETS[name] for name in ("Spi1", "Myc")}
    path = write_network(tmp_path / "n.csv", {**spellings, **kept})
    assert set(columns_of(read_other_network(path, NAMES, TFS))) == {"Spi1", "Myc"}


def test_another_species_keeps_its_columns_and_speaks_of_the_pair(network):
    evidence = read_other_network(network, NAMES, TFS, species_differs=True, name="mouse")
    columns, covered = columns_of(evidence), evidence.genes[0].covered
    assert set(columns) == {"Irf8", "Myc", "Spi1"}
    [pair] = evidence.pairs
    assert pair.name == "mouse: same TF" and pair.values.shape == (len(TFS), len(NAMES))
    irf8 = pair.values[2]
    is_target = columns["Irf8"] > 0
    np.testing.assert_array_equal(irf8, columns["Irf8"])
    np.testing.assert_allclose(irf8[is_target], 4 / 7)  # 3 targets of 7 covered genes
    np.testing.assert_allclose(irf8[covered & ~is_target], -3 / 7, rtol=1e-6)
    assert not irf8[~covered].any() and not pair.values[:2].any()


def test_genes_of_the_other_network_without_an_edge_are_covered_where_it_lists_them(network):
    assert not read_other_network(network, NAMES, TFS).genes[0].covered.all()
    edges = pd.read_csv(network).assign(label=1)
    further = pd.DataFrame({"tf": "Spi1", "target": NAMES, "label": 0})
    edges = pd.concat([edges, further]).assign(target=lambda frame: frame["target"].str.title())
    edges.drop_duplicates(["tf", "target"]).to_csv(network, index=False)
    assert read_other_network(network, NAMES, TFS).genes[0].covered.all()


def test_a_genelink_folder_lists_its_genes(genelink_folder, small_set):
    folder = genelink_folder()
    names = np.array(sorted(small_set.genes))
    evidence = read_other_network(folder, names, np.array([], dtype=int))
    assert evidence.genes[0].covered.all()
    columns = columns_of(evidence)
    for tf, targets in small_set.truth.groupby("tf")["target"]:
        if tf in columns:
            assert set(names[columns[tf] > 0]) == set(targets)


def test_pairs_labelled_0_are_no_targets(tmp_path):
    path = tmp_path / "n.csv"
    rows = [("Spi1", gene, int(gene != "EGF")) for gene in NAMES[:5]]
    pd.DataFrame(rows, columns=["tf", "target", "label"]).to_csv(path, index=False)
    evidence = read_other_network(path, NAMES, TFS)
    assert set(NAMES[columns_of(evidence)["Spi1"] > 0]) == {"ABL1", "BAX", "CDK1", "DAP"}
    assert "EGF" in NAMES[evidence.genes[0].covered]


def test_row_order_changes_nothing_and_gene_order_only_the_order(tmp_path, network):
    block = read_other_network(network, NAMES, TFS, species_differs=True)
    shuffled = write_network(tmp_path / "shuffled.csv", TARGETS, shuffle=3)
    again = read_other_network(shuffled, NAMES, TFS, species_differs=True)
    np.testing.assert_array_equal(again.genes[0].values, block.genes[0].values)
    order = np.random.default_rng(0).permutation(len(NAMES))
    tfs = np.array([list(NAMES[order]).index(tf) for tf in NAMES[TFS]])
    moved = read_other_network(network, NAMES[order], tfs, species_differs=True)
    np.testing.assert_array_equal(moved.genes[0].values, block.genes[0].values[order])
    np.testing.assert_array_equal(moved.genes[0].covered, block.genes[0].covered[order])
    np.testing.assert_array_equal(moved.pairs[0].values, block.pairs[0].values[:, order])


def test_a_network_of_other_genes_and_one_of_the_same_tfs_are_refused(tmp_path):
    other = write_network(tmp_path / "other.csv", {"Y1": ["Y2", "Y3", "Y4"]})
    with pytest.raises(GeneMismatchError, match="nothing of the 9 genes of the run .* among its 4"):
        read_other_network(other, NAMES, TFS)
    same = write_network(tmp_path / "same.csv", {"IRF8": ["ABL1", "BAX", "CDK1"]})
    with pytest.raises(GeneMismatchError, match="all of its TFs are TFs of the run"):
        read_other_network(same, NAMES, TFS)


def test_merging_says_nothing_of_what_a_network_does_not_cover(tmp_path, network):
    other = {"Spi1": ["Egf", "Hes1", "Gata1"], "Sox2": ["Egf", "Hes1", "Fos"]}
    parts = [
        read_other_network(network, NAMES, TFS),
        read_other_network(write_network(tmp_path / "other.csv", other), NAMES, TFS),
    ]
    merged = merge_networks(parts, "other networks")
    [block] = merged.genes
    assert merged.name == "other networks"
    assert [len(columns) for columns in merged.report["columns"].values()] == [2, 2]
    covered = [part.genes[0].covered for part in parts]
    np.testing.assert_array_equal(block.covered, covered[0] | covered[1])
    first = 0
    for part in parts:
        [own] = part.genes
        columns = block.values[:, first : first + own.values.shape[1]]
        assert not columns[~own.covered].any()
        np.testing.assert_allclose(columns.sum(axis=0), 0, atol=1e-6)
        np.testing.assert_array_equal(columns > 0, own.values > 0)
        first += own.values.shape[1]


def test_merged_pair_features_are_means_over_the_networks_with_the_tf(tmp_path, network):
    other = {"IRF8": ["EGF", "HES1", "FOS"], "GATA1": ["EGF", "ABL1", "DAP"]}
    path = write_network(tmp_path / "other.csv", other)
    parts = [read_other_network(file, NAMES, TFS, species_differs=True) for file in (network, path)]
    [pair] = merge_networks(parts, "merged").pairs
    one, two = (part.pairs[0].values for part in parts)
    np.testing.assert_allclose(pair.values[0], 0)  # FOS has too few targets in the one network
    np.testing.assert_allclose(pair.values[1], two[1])
    np.testing.assert_allclose(pair.values[2], (one[2] + two[2]) / 2)


def test_a_network_does_not_merge_with_itself(network):
    part = read_other_network(network, NAMES, TFS)
    with pytest.raises(ConfigError, match="given twice"):
        merge_networks([part, part], "merged")


@pytest.mark.slow
def test_the_same_tf_of_a_published_network_of_the_species_is_dropped():
    root = os.environ.get("GRNJAX_DATA")
    if not root:
        pytest.skip("GRNJAX_DATA is not set: no real data")
    folders = [f"{root}/beeline_labels/Specific/{cell}" for cell in ("mHSC-E", "mESC")]
    names = np.array(sorted(pd.read_csv(f"{folders[0]}/TFs+500/Target.csv")["Gene"]))
    tfs = np.flatnonzero(np.isin(names, ["CBX7", "HCFC1"]))
    path = f"{folders[1]}/TFs+1000"
    same = columns_of(read_other_network(path, names, tfs))
    for kept in ({"species_differs": True}, {"keep_own": True}):
        read = read_other_network(path, names, tfs, **kept)
        assert columns_of(read).keys() - same.keys() == {"CBX7", "HCFC1"}
        [pair] = read.pairs
        assert pair.values.shape == (2, len(names)) and pair.values.any(axis=1).all()
