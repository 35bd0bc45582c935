import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grnjax.errors import EdgeFormatError, GeneMismatchError
from grnjax.evidence.interactions import read_interactions

NAMES = np.array(["A", "B", "C", "D", "E"])
TFS = np.array([0, 1, 3])
LINKS = [("A", "C"), ("B", "A"), ("C", "B"), ("X", "A"), ("D", "X"), ("Y", "D"), ("Y", "Z")]
PARTNERS = ["A", "B", "C", "X"]  # Y and D are partners of one gene, Z of none


@pytest.fixture
def write(tmp_path):
    def write_links(links=LINKS, heading="Gene1,Gene2"):
        path = tmp_path / "links.csv"
        path.write_text("\n".join([heading, *(",".join(map(str, link)) for link in links)]))
        return path

    return write_links


def row_of(*partners):
    return np.isin(PARTNERS, partners).astype(np.float32)


def test_a_row_holds_the_partners_that_several_genes_share_in_the_run_or_not(write):
    evidence = read_interactions(write(), NAMES, TFS)
    (block,) = evidence.genes
    expected = [row_of("B", "C", "X"), row_of("A", "C"), row_of("A", "B"), row_of("X"), row_of()]
    np.testing.assert_array_equal(block.values, expected)
    assert block.values.dtype == np.float32 and block.kernels == ("cosine",)
    np.testing.assert_array_equal(block.covered, [True, True, True, True, False])


def test_links_count_from_both_ends(write):
    forwards = read_interactions(write(), NAMES, TFS)
    edge = forwards.pairs[0]
    assert edge.name == "interactions: edge"
    np.testing.assert_array_equal(edge.values[:, :4], [[0, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0]])
    among = forwards.similarities[0].values
    np.testing.assert_array_equal(among, [[0, 1, 0], [1, 0, 0], [0, 0, 0]])
    both = [*LINKS, *((target, tf) for tf, target in LINKS)]
    assert_same(read_interactions(write(both[::-1]), NAMES, TFS), forwards)


def assert_same(one, other):
    for kind in ("genes", "pairs", "similarities"):
        for a, b in zip(getattr(one, kind), getattr(other, kind), strict=True):
            assert a.name == b.name
            np.testing.assert_array_equal(a.values, b.values)


def test_tfs_are_alike_by_the_cosine_of_their_neighbourhoods(write):
    cosine = read_interactions(write(), NAMES, TFS, name="PPI").similarities[1]
    assert cosine.name == "PPI: neighbourhood"
    a_b = 1 / np.sqrt(3 * 2)  # C is a partner of both
    a_d = 1 / np.sqrt(3 * 1)  # X
    np.testing.assert_allclose(cosine.values, [[0, a_b, a_d], [a_b, 0, 0], [a_d, 0, 0]], atol=1e-6)


def test_a_link_has_its_largest_weight_from_either_end(write):
    weighted = [("A", "B", 0.2), ("B", "A", 0.7), ("A", "C", 0.5), ("C", "B", 0), ("E", "C", 0.1)]
    path = write(weighted, heading="gene1,gene2,weight")
    evidence = read_interactions(path, NAMES, TFS)
    np.testing.assert_allclose(
        evidence.pairs[0].values, [[0, 0.7, 0.5, 0, 0], [0.7, 0, 0, 0, 0], np.zeros(5)]
    )
    of_a_and_c = [[0, 0.5], [0.7, 0], [0.5, 0], [0, 0], [0, 0.1]]
    np.testing.assert_allclose(evidence.genes[0].values, of_a_and_c)
    assert evidence.report["label_or_weight_0"] == 1
    with pytest.raises(EdgeFormatError, match="1 of 1 interactions have a weight below 0"):
        read_interactions(write([("A", "B", -0.2)], heading="gene1,gene2,weight"), NAMES, TFS)


def test_relabelling_genes_permutes_the_blocks(write):
    before = read_interactions(write(), NAMES, TFS)
    order = np.array([3, 0, 4, 2, 1])  # gene i of the new run is gene order[i] of the old one
    tfs = np.flatnonzero(np.isin(order, TFS))
    after = read_interactions(write(), NAMES[order], tfs)
    of_tf = np.searchsorted(TFS, order[tfs])
    np.testing.assert_array_equal(after.genes[0].values, before.genes[0].values[order])
    np.testing.assert_array_equal(after.pairs[0].values, before.pairs[0].values[of_tf][:, order])
    for a, b in zip(after.similarities, before.similarities, strict=True):
        np.testing.assert_allclose(a.values, b.values[of_tf][:, of_tf], atol=1e-7)


def test_the_report_counts_what_was_found_and_what_was_left_out(write):
    report = read_interactions(write([*LINKS, ("A", "C"), ("B", "B")]), NAMES, TFS).report
    assert report["kind"] == "interactions" and report["source"].endswith("links.csv")
    assert (report["found"], report["tfs_found"]) == (4, 3)
    assert report["absent"] == {"count": 1, "first": ["E"]}
    assert report["outside_the_run"] == {"count": 3, "first": ["X", "Y", "Z"]}
    assert (report["rows"], report["duplicates"], report["self_loops"]) == (9, 1, 1)
    assert (report["links_among_genes"], report["partners"]) == (3, 4)
    assert report["partners_of_one_gene"] == 1


def test_mouse_links_reach_human_genes_by_upper_case(write):
    names = np.array(["GATA1", "KLF1", "SPI1"])
    path = write([("Gata1", "Klf1"), ("Spi1", "Klf1")])
    evidence = read_interactions(path, names, np.array([0]))
    np.testing.assert_array_equal(evidence.pairs[0].values, [[0, 1, 0]])
    assert evidence.report["case_rule"] == "upper-case"


def test_links_with_label_0_are_none(write):
    evidence = read_interactions(write(["AB1", "AC0"], "gene1,gene2,label"), NAMES, TFS)
    np.testing.assert_array_equal(evidence.pairs[0].values[0], [0, 1, 0, 0, 0])
    assert evidence.report["label_or_weight_0"] == 1


def test_genes_that_share_no_partner_make_no_gene_block(write):
    evidence = read_interactions(write([("A", "B")]), NAMES, TFS)
    assert evidence.genes == () and evidence.pairs[0].values[0, 1] == 1
    assert not evidence.similarities[1].values.any()


@pytest.mark.parametrize("weight", ["1", "0"])
def test_a_file_without_links_of_the_genes_is_refused(write, weight):
    links = [("ENSG00000000003", "ENSG00000000005", weight)]
    if weight == "0":
        links = [("A", "B", weight)]
    with pytest.raises(GeneMismatchError, match="nothing of the 5 genes"):
        read_interactions(write(links, heading="gene1,gene2,weight"), NAMES, TFS)


@pytest.mark.slow
def test_the_human_string_network_covers_most_tfs_of_hesc():
    if "GRNJAX_DATA" not in os.environ:
        pytest.skip("GRNJAX_DATA is not set: it names the folder of the real data")
    root = Path(os.environ["GRNJAX_DATA"])
    folder = root / "beeline_labels/Specific/hESC/TFs+500"
    genes = pd.read_csv(folder / "Target.csv", index_col=0).set_index("index")["Gene"]
    labels = pd.read_csv(folder / "Label.csv", index_col=0).map(genes.get)
    names, tfs = np.unique(genes.to_numpy(str)), np.unique(labels["TF"].to_numpy(str))
    path = root / "beeline_full_networks/human_STRING-network.csv.gz"
    evidence = read_interactions(path, names, np.searchsorted(names, tfs))
    assert (evidence.report["found"], evidence.report["tfs_found"]) == (640, 34)
    edge = evidence.pairs[0].values > 0
    rows, columns = np.searchsorted(tfs, labels["TF"]), np.searchsorted(names, labels["Target"])
    assert edge[rows, columns].mean() == pytest.approx(0.022, abs=5e-4), "the published overlap"
