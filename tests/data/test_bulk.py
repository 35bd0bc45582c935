import gzip
import os

import numpy as np
import pytest

from grnjax.data.bulk import BulkSet, read_wide_edges
from grnjax.errors import ConfigError, EdgeFormatError, ExpressionFormatError


@pytest.fixture(scope="module")
def published():
    """The folder with the published files."""
    if "GRNJAX_DATA" not in os.environ:
        pytest.skip("GRNJAX_DATA does not name the folder of the data sets")
    return os.environ["GRNJAX_DATA"]


def name_known(dataset):
    """The known pairs by name with their labels, in an order that means nothing."""
    names = dataset.genes.names[dataset.known.pairs]
    return {(*pair, label) for pair, label in zip(names.tolist(), dataset.known.labels.tolist())}


@pytest.fixture
def compendium(tmp_path):
    """Writes a set as B. subtilis has it: R's headings, quotes, a gene and a TF not measured."""

    def write(folder="bsubtilis_bulk", gold=None):
        folder = tmp_path / folder
        folder.mkdir(exist_ok=True)
        expression = "\tS1\tS2\tS3\nB\t1\t2\t3\nA\t-4\t5\t6\nC\t9\t8\t7.5\n"
        (folder / "expression.tsv.gz").write_bytes(gzip.compress(expression.encode()))
        gold = gold or '"A"\t"B"\t"Z"\n"C"\t1\t0\t1\n"A"\t1\t1\t0\n"Y"\t1\t0\t0\n'
        (folder / "gold_standard.tsv.gz").write_bytes(gzip.compress(gold.encode()))
        (folder / "tf_names.tsv").write_text('"A"\n"B"\n"Z"\n')
        return tmp_path

    return write


def test_a_wide_table_is_joined_by_name_and_what_was_dropped_is_counted(compendium):
    dataset = BulkSet.read("bsubtilis", compendium())
    assert dataset.genes.names.tolist() == ["A", "B", "C"]
    columns = sorted(map(tuple, dataset.genes.expression))
    assert columns == [(-4, 1, 9), (5, 2, 8), (6, 3, 7.5)]  # a cell is A, B, C of one sample
    assert name_known(dataset) == {("A", "C", 1), ("B", "A", 1)}
    assert dataset.genes.names[dataset.genes.tfs].tolist() == ["A", "B"]
    report = dataset.report
    assert report["edges"]["self_loops"] == 1  # A on itself
    assert report["edges"]["unknown"] == 2  # A on Y, and Z on C
    assert report["unknown_genes"] == {"count": 2, "first": ["Y", "Z"]}
    assert report["tfs_not_found"] == {"count": 1, "first": ["Z"]}


def test_signs_of_a_wide_table_are_kept_where_it_has_both(compendium):
    gold = "A\tB\nB\t-1\t0\nC\t1\t-1\n"
    path = compendium(gold=gold) / "bsubtilis_bulk/gold_standard.tsv.gz"
    edges = read_wide_edges(path)
    found = set(zip(edges["tf"], edges["target"], edges["sign"], strict=True))
    assert found == {("A", "B", -1), ("A", "C", 1), ("B", "C", -1)}
    compendium(gold="A\tB\nB\t1\t0\nC\t1\t1\n")
    assert "sign" not in read_wide_edges(path)


def test_a_gap_in_a_wide_table_is_refused(compendium):
    root = compendium(gold="A\tB\nB\tNA\t0\nC\t1\t1\n")
    with pytest.raises(EdgeFormatError, match="1 entries missing"):
        BulkSet.read("bsubtilis", root)


def test_yeast_needs_a_table_of_the_users_own(compendium):
    root = compendium("yeast_networks")
    assert name_known(BulkSet.read("yeast", root)) == {("A", "C", 1), ("B", "A", 1)}
    (root / "yeast_networks/expression.tsv.gz").unlink()
    with pytest.raises(ConfigError, match="come without expression: put a table"):
        BulkSet.read("yeast", root)


@pytest.fixture
def stresses(tmp_path):
    """Writes a set as E. coli has it; the genes of the second file stand in another order."""

    def write(heat="time_points\tG2\tG3\tG1\n1\t1\t7\t3\n2\t0\t0\t1\n"):
        folder, gold = tmp_path / "ecoli_stress_timeseries", tmp_path / "dream5_goldstandard"
        folder.mkdir(exist_ok=True)
        gold.mkdir(exist_ok=True)
        (folder / "coldstress.txt").write_text("time_points\tG1\tG2\tG3\n1\t3\t15\t31\n")
        (folder / "heatstress.txt.gz").write_bytes(gzip.compress(heat.encode()))
        (folder / "oxidativestress.txt").write_text("time_points\tG1\tG2\tG3\n1\t63\t1\t3\n")
        (gold / "coli_network.tsv").write_text(
            "G1\tG2\t1\nG1\tG3\t0\nG2\tG1\t0\nG2\tG3\t1\nG9\tG3\t1\n"
        )
        (gold / "coli_transcription_factors.tsv").write_text("G1\nG2\nG9\n")
        return tmp_path

    return write


def test_time_courses_are_joined_by_gene_and_logged(stresses):
    dataset = BulkSet.read("ecoli", stresses())
    assert dataset.genes.names.tolist() == ["G1", "G2", "G3"]
    cells = sorted(map(tuple, dataset.genes.expression))
    assert cells == [(1, 0, 0), (2, 1, 3), (2, 4, 5), (6, 1, 2)]  # log2(1 + intensity)
    # labels of both kinds are known pairs
    expected = {("G1", "G2", 1), ("G1", "G3", 0), ("G2", "G1", 0), ("G2", "G3", 1)}
    assert name_known(dataset) == expected
    assert dataset.report["edges"]["unknown"] == 1
    assert dataset.report["tfs_not_found"]["first"] == ["G9"]


@pytest.mark.parametrize(
    "heat, message",
    [
        ("time_points\tG2\tG3\tG4\n1\t1\t7\t3\n", "2 genes differ from those of .*coldstress"),
        ("time_points\tG2\tG3\tG2\n1\t1\t7\t3\n", "1 repeated genes"),
        ("G2\tG3\tG1\n1\t7\t3\n", "starts with 'G2', not 'time_points'"),
        ("time_points\tG2\tG3\tG1\n1\t7\t3\n", "3 fields where 4 are expected"),
        ("time_points\tG2\tG3\tG1\n1\t7\tlow\t3\n", "'low' at row heat 1, column G3"),
    ],
)
def test_a_time_course_that_does_not_fit_is_refused(stresses, heat, message):
    with pytest.raises(ExpressionFormatError, match=message):
        BulkSet.read("ecoli", stresses(heat))


def test_a_simulated_network_has_all_its_experiments_and_every_gene_may_regulate(tmp_path):
    folder = tmp_path / "dream4_size100"
    folder.mkdir()
    stem = "insilico_size100_2"
    for kind, values in (("knockouts", "0\t0.25"), ("knockdowns", "0.5\t0.75")):
        (folder / f"{stem}_{kind}.tsv").write_text(f'"G1"\t"G2"\n{values}\n')
    (folder / f"{stem}_timeseries.tsv").write_text("G2\tG1\n0.125\t1\n0.5\t0.5\n")
    (folder / f"{stem}_goldstandard.tsv").write_text("G1\tG2\t1\r\nG2\tG1\t1\r\n")
    dataset = BulkSet.read("dream4-2", tmp_path)
    cells = sorted(map(tuple, dataset.genes.expression))
    assert cells == [(0, 0.25), (0.5, 0.5), (0.5, 0.75), (1, 0.125)]
    assert dataset.genes.is_tf.all()
    with pytest.raises(ConfigError, match="no insilico_size100_1_knockouts.tsv"):
        BulkSet.read("dream4-1", tmp_path)


def test_an_unknown_set_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ConfigError, match="worm: no such set; there are bsubtilis, ecoli"):
        BulkSet.read("worm", tmp_path)


# Published files, against the counts that their notes give


@pytest.mark.slow
def test_published_bsubtilis(published):
    folder = os.path.join(published, "bsubtilis_bulk")
    edges = read_wide_edges(os.path.join(folder, "gold_standard.tsv.gz"))
    assert edges.attrs["report"]["rows"] == 3_148
    dataset = BulkSet.read("bsubtilis", published)
    genes, report = dataset.genes, dataset.report
    assert genes.expression.shape == (266, 4_218)
    assert report["edges"]["self_loops"] == 74 and report["edges"]["unknown"] == 4
    assert len(dataset.known) == 3_148 - 74 - 4
    assert report["tfs"] == 239  # of 154 with an edge, one regulates itself alone
    assert report["tfs_with_targets"] == 153


@pytest.mark.slow
def test_published_ecoli(published):
    dataset = BulkSet.read("ecoli", published)
    assert dataset.genes.expression.shape == (24 + 24 + 34, 3_959)
    assert dataset.genes.expression.max() < 25  # logs
    assert dataset.report["edges"]["read"] == 152_280
    assert len(dataset.known.positives) == 1_986
    in_gold = 1_081
    assert dataset.report["unknown_genes"]["count"] == in_gold - 1_034
    assert len(np.unique(dataset.known.pairs)) <= 1_034


@pytest.mark.parametrize("network, edges", [(1, 176), (2, 249), (3, 195)])
def test_published_dream4(published, network, edges):
    dataset = BulkSet.read(f"dream4-{network}", published)
    assert dataset.genes.expression.shape == (100 + 100 + 210, 100)
    assert len(dataset.known) == 9_900
    assert len(dataset.known.positives) == edges


def test_published_yeast_has_no_expression(published):
    with pytest.raises(ConfigError, match="come without expression"):
        BulkSet.read("yeast", published)
