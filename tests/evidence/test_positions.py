import os
from pathlib import Path

import numpy as np
import pytest

from grnjax.errors import EdgeFormatError, GeneMismatchError
from grnjax.evidence.positions import read_positions

NAMES = np.array(["A", "B", "C", "D", "E"])
LINES = [
    "chr2\t1000000\t1000200\tA\t0\t+",
    "chr10\t5000000\t5000200\tB\t0\t+",
    "chr10\t7000000\t7000200\tB\t0\t-",
    "chr10\t9000000\t9000200\tB\t0\t-",
    "chrX\t3000000\t3000000\tC\t0\t+",
    "chrX\t4000000\t4000000\tC\t0\t+",
    "chr2\t9000000\t9000000\tC\t0\t+",
    "chr1\t9\t10\tElsewhere\t0\t+",
    "chr1\t100\t110\t.\t0\t+",
    "chr10\t2000000\t2000001\te\t0\t+",
]


@pytest.fixture
def read(tmp_path):
    """Writes lines as BED and reads them as evidence."""

    def write_and_read(lines=LINES, names=NAMES):
        (tmp_path / "sites.bed").write_text("\n".join(lines) + "\n")
        return read_positions(tmp_path / "sites.bed", names, np.array([0]))

    return write_and_read


def test_a_gene_lies_at_the_median_of_its_sites_on_the_chromosome_with_most(read):
    evidence = read()
    block = evidence.genes[0]
    assert block.name == "position" and block.kernels == ("proximity",)
    assert block.covered.tolist() == [True, True, True, False, True]
    chr10, chr2, chrX = 2, 3, 4  # chr1 is number 1
    expected = [[chr2, 1.0001], [chr10, 7.0001], [chrX, 3.5], [0, 0], [chr10, 2.0]]
    np.testing.assert_allclose(block.values, expected, atol=1e-5)
    assert block.values.dtype == np.float32
    assert evidence.pairs == () and evidence.similarities == ()


def test_what_was_read_is_counted(read):
    report = read().report
    assert report["found"] == 4 and report["absent"] == {"count": 1, "first": ["D"]}
    assert report["intervals"] == 10 and report["intervals_without_name"] == 1
    assert report["on_several_chromosomes"] == {"count": 1, "first": ["C"]}
    assert report["chromosomes"] == 4 and report["case_rule"] == "upper-case"


def test_the_order_of_lines_does_not_matter(read):
    assert read().genes[0].values.tobytes() == read(LINES[::-1]).genes[0].values.tobytes()


def test_permuting_the_genes_permutes_the_block(read):
    order = [3, 1, 4, 0, 2]
    before, after = read().genes[0], read(names=NAMES[order]).genes[0]
    np.testing.assert_array_equal(after.values, before.values[order])
    np.testing.assert_array_equal(after.covered, before.covered[order])


def test_genes_a_hundred_bases_apart_stay_apart_at_the_end_of_a_long_chromosome(read):
    block = read(
        [
            f"chr1\t{249_000_000 + 100 * i}\t{249_000_000 + 100 * i + 1}\t{gene}"
            for i, gene in enumerate(NAMES)
        ]
    ).genes[0]
    np.testing.assert_allclose(np.diff(block.values[:, 1]) * 1e6, 100, atol=16)


def test_equal_counts_go_to_the_first_chromosome_by_name(read):
    block = read(["chrY\t10\t11\tA", "chrX\t2000000\t2000001\tA"]).genes[0]
    np.testing.assert_allclose(block.values[0], [1, 2], atol=1e-5)


def test_sites_of_other_genes_are_refused(read):
    with pytest.raises(GeneMismatchError, match="nothing of the 1 genes of the run .* among its 5"):
        read(names=np.array(["ENSG1"]))


def test_sites_without_names_are_refused(read):
    with pytest.raises(EdgeFormatError, match="none of its 1 intervals has a name"):
        read(["chr1\t5\t6"])


def test_the_sites_of_the_data_folder_are_read():
    if not os.environ.get("GRNJAX_DATA"):
        pytest.skip("GRNJAX_DATA is not set")
    path = Path(os.environ["GRNJAX_DATA"]) / "motifs_tss/mm10_tss_info.bed.gz"
    names = np.array(["Gata1", "Hoxa1", "Hoxa2", "Hoxb1"])
    values = read_positions(path, names, np.arange(4)).genes[0].values
    chromosome, place = values.T
    assert chromosome[1] == chromosome[2] != chromosome[3], "Hoxa1 and Hoxa2 are one cluster"
    assert 0 < abs(place[1] - place[2]) < 0.1
