import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grnjax.errors import EdgeFormatError, GeneMismatchError
from grnjax.evidence.peaks import assign_genes, read_peak_list, read_peaks

NAMES = np.array(["Fos", "Jun", "Klf4", "Sox2"])
TFS = np.array([0, 1, 3])
PEAKS = """peak_id,gene_short_name
chr1_1000_2000,Fos
chr1_5000_6000,Fos
chr1_5000_6000,Jun
chr2_1000_2000,Klf4
chr2_8000_9000,
"""
HITS = """peak,tf,score
chr1_1000_2000,Fos,1
chr1_1000_2000,Jun,2
chr1_5000_6000,Jun,5
chr2_8000_9000,Fos,1
chr3_1_2,Fos,1
"""
SITES = "chr1\t2500\t2501\tSox2\nchr1\t9000\t9001\tJun\nchr2\t9600\t9601\tKlf4\n"


@pytest.fixture
def read(tmp_path):
    """Writes texts to files and reads them as evidence; files keep the names of the arguments."""

    def write_and_read(peaks=PEAKS, hits=HITS, names=NAMES, tfs=TFS, **others):
        texts = {"peaks": peaks, "hits": hits} | others
        for role, text in texts.items():
            (tmp_path / role).write_text(text)
        files = {role: tmp_path / role for role in texts}
        return read_peaks(**files, names=names, tfs=tfs)

    return write_and_read


def list_hits(evidence, names=NAMES, tfs=TFS):
    own = evidence.pairs[0].values
    return {(str(names[tfs[i]]), str(names[j])): own[i, j] for i, j in np.argwhere(own)}


def test_a_gene_has_the_best_hit_of_its_peaks_and_a_peak_without_a_hit_covers_it(read):
    evidence = read()
    expected = {("Fos", "Fos"): 1, ("Jun", "Fos"): 5, ("Jun", "Jun"): 5}
    assert list_hits(evidence) == expected
    assert evidence.genes[0].name == "peaks"
    assert evidence.genes[0].covered.tolist() == [True, True, True, False]
    np.testing.assert_array_equal(evidence.genes[0].values, [[1, 5], [0, 5], [0, 0], [0, 0]])


def test_what_was_read_and_lost_is_counted(read):
    report = read().report
    assert report["kind"] == "peaks" and report["source"].endswith("peaks")
    assert report["peaks"] == 4 and report["peaks_without_gene"] == 1
    assert report["hits"] == 5 and report["hits_outside_peaks"] == 1
    assert report["hits_in_peaks_of_genes"] == 3
    assert report["tfs_without_column"] == {"count": 1, "first": ["Sox2"]}
    assert set(report["files"]) == {"peaks", "hits"}


def test_the_order_of_lines_does_not_matter(read):
    def turn(text):
        head, *body = text.splitlines()
        return "\n".join([head, *reversed(body)])

    first, second = read(), read(peaks=turn(PEAKS), hits=turn(HITS))
    for kind in ("genes", "pairs", "similarities"):
        before, after = (getattr(evidence, kind)[0].values for evidence in (first, second))
        assert before.tobytes() == after.tobytes()


def test_permuting_the_genes_permutes_the_evidence(read):
    order = [2, 0, 3, 1]
    tfs = np.flatnonzero(np.isin(NAMES[order], NAMES[TFS]))
    before, after = read(), read(names=NAMES[order], tfs=tfs)
    assert list_hits(after, NAMES[order], tfs) == list_hits(before)
    np.testing.assert_array_equal(after.genes[0].values, before.genes[0].values[order])


def test_bed_hits_count_in_every_peak_they_overlap(read):
    hits = "chr1\t1990\t2010\tFos\nchr1\t2000\t2010\tJun\n"
    hits += "chr1\t4000\t5001\tSox2\nchr1\t9\t10\tFos\n"
    evidence = read(hits=hits)
    assert list_hits(evidence) == {("Fos", "Fos"): 1, ("Sox2", "Fos"): 1, ("Sox2", "Jun"): 1}
    assert evidence.report["hits"] == 4 and evidence.report["hits_outside_peaks"] == 2


def test_bed_peaks_and_named_peaks_say_the_same(read):
    rows = [line.split(",") for line in PEAKS.splitlines()[1:]]
    bed = "\n".join("\t".join([*peak.split("_"), gene]) for peak, gene in rows)
    assert list_hits(read(peaks=bed)) == list_hits(read())


def test_peaks_without_a_gene_go_to_the_sites_nearby(read):
    peaks = "chr1\t1000\t2000\tpeak_1\nchr1\t5000\t6000\tpeak_2\n"
    peaks += "chr2\t8000\t9000\tSox2\nchr2\t1000\t2000\tKlf4\n"
    evidence = read(peaks=peaks, tss=SITES)
    assert list_hits(evidence) == {("Fos", "Sox2"): 1, ("Jun", "Sox2"): 2}
    assert evidence.genes[0].covered.tolist() == [False, False, True, True]
    assert evidence.report["peaks_without_gene"] == 1
    assert ("Fos", "Klf4") not in list_hits(evidence), "the peak named Sox2 stays with Sox2"


@pytest.mark.parametrize("site, found", [(2999, True), (3000, False)])
def test_the_distance_runs_from_the_last_base_of_the_peak(read, site, found):
    """A peak that ends before base 2000 and a site at base 2999 are 1,000 bases apart."""
    peaks = "chr1\t1000\t2000\nchr1\t9000\t9500\n"
    hits = "peak,tf\nchr1_1000_2000,Fos\n"
    sites = f"chr1\t{site}\t{site + 1}\tSox2\nchr1\t9600\t9601\tJun\n"
    arguments = {"peaks": peaks, "hits": hits, "tss": sites}
    if found:
        assert list_hits(read(**arguments)) == {("Fos", "Sox2"): 1}
    else:
        with pytest.raises(GeneMismatchError, match="none of 1 hits lies in one of the 1 peaks"):
            read(**arguments)


def test_motifs_become_their_factors(read):
    hits = "chr1_1000_2000\tM1\t2\nchr1_5000_6000\tM2\t1\nchr1_5000_6000\tM3\t1\n"
    factors = "Motif\tFactor\tEvidence\nM1\tFos\tPBM\nM2\tFos\tPBM\nM2\tJun\tPBM\nM9\tSox2\tPBM\n"
    evidence = read(hits=hits, factors=factors)
    expected = {("Fos", "Fos"): 2, ("Fos", "Jun"): 1, ("Jun", "Fos"): 1, ("Jun", "Jun"): 1}
    assert list_hits(evidence) == expected
    assert evidence.report["motifs_without_factor"] == {"count": 1, "first": ["M3"]}


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"peaks": "chr1\t1\t9\n"}, GeneMismatchError, "none of its 1 peaks .chr1_1_9. names a"),
        (
            {"peaks": "9\t1000\t2000\n", "tss": SITES},
            GeneMismatchError,
            "none of its 1 peaks .9_1000_2000. lies near a site",
        ),
        ({"hits": "chr9\t1\t9\tFos\n"}, GeneMismatchError, "none of its 1 hits .chr9_1_9. names"),
        ({"hits": "chr1\t1500\t1509\n"}, GeneMismatchError, "none of its 1 hits"),
        ({"hits": "peak,hit\nchr1_1000_2000,Fos\n"}, EdgeFormatError, "no TF or motif beside"),
        ({"hits": "peak,tf,score\nchr1_1000_2000,Fos,-1\n"}, EdgeFormatError, "below 0"),
        ({"hits": "chr1_1000_2000,Fos,high\n"}, EdgeFormatError, "1 of 1 motif scores"),
        ({"factors": "a,b\n"}, EdgeFormatError, "no columns Motif and Factor among a, b"),
        ({"factors": "Motif,Factor\nM1\n"}, EdgeFormatError, "row 1 .M1. has 1 fields where 2"),
        ({"factors": "Motif,Factor\nM1,Fos\n"}, GeneMismatchError, "none of the 2 motifs"),
        ({"names": np.array(["X"]), "tfs": np.array([0])}, GeneMismatchError, "of the run"),
    ],
)
def test_files_that_do_not_fit_are_refused(changes, error, message, read):
    with pytest.raises(error, match=message):
        read(**changes)


@pytest.mark.slow
def test_start_sites_give_the_peaks_their_published_genes(monkeypatch):
    """The data folder has all peaks, start sites, and the table of those on top of each other."""
    if not os.environ.get("GRNJAX_DATA"):
        pytest.skip("GRNJAX_DATA is not set")
    monkeypatch.setattr("grnjax.evidence.peaks.TSS_DISTANCE", 0)
    root = Path(os.environ["GRNJAX_DATA"])
    folder, sites = root / "mouse_hsc_scatac_peaks", root / "motifs_tss/mm10_tss_info.bed.gz"
    listed = read_peak_list(folder / "all_peaks.csv.gz")
    published = pd.read_csv(folder / "processed_peak_file.csv.gz", index_col=0)
    owners, _ = assign_genes(listed, NAMES, sites, "all_peaks.csv.gz")
    pairs = [set(map(tuple, frame.to_numpy())) for frame in (owners, published)]
    assert len(pairs[0]) > 15_000 and pairs[0] == pairs[1]
