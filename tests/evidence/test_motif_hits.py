"""Hits as a table: what is written, and that the readers of hits take it."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from grnjax.errors import ConfigError, SequenceFormatError
from grnjax.evidence.motif_hits import MotifHitsConfig, label_sequence, scan_files
from grnjax.evidence.peaks import read_peaks
from grnjax.methods.enhancer.motifs import read_tf_motifs

SITES = {"GATAAGCA": "GATA1", "TGACTCAT": "FOS::JUN", "CCACGTGG": "Myc"}
PEAKS = {"chr1_100_160": 0, "chr1_900_960": 1, "chr2_5_65": 2, "chr2_500_560": None}
COMPLEMENT = str.maketrans("ACGT", "TGCA")


def write_motifs(path):
    models = [
        {"id": f"M{i}", "name": tf, **{b: [95 * (b == x) + 2 for x in site] for b in "ACGT"}}
        for i, (site, tf) in enumerate(SITES.items())
    ]
    path.write_text(json.dumps(models))
    return path


@pytest.fixture
def files(tmp_path):
    """A genome with a site in each of three peaks, its peaks as FASTA and BED, and motifs."""
    rng = np.random.default_rng(0)
    genome = {name: rng.choice(list("ACGT"), 1000) for name in ("chr1", "chr2")}
    for peak, number in PEAKS.items():
        chromosome, start, end = peak.split("_")
        genome[chromosome][int(start) : int(end)] = list("AT" * 30)
        if number is not None:
            site = list(SITES)[number]
            site = site if number != 1 else site.translate(COMPLEMENT)[::-1]
            genome[chromosome][int(start) + 20 : int(start) + 28] = list(site)
    text = "".join(f">{name}\n{''.join(bases)}\n" for name, bases in genome.items())
    (tmp_path / "genome.fa").write_text(text)
    places = [peak.split("_") for peak in PEAKS]
    cut = [f">{c}:{a}-{b}(+)\n{''.join(genome[c][int(a) : int(b)])}\n" for c, a, b in places]
    (tmp_path / "peaks.fa").write_text("".join(cut))
    (tmp_path / "peaks.bed").write_text("".join("\t".join(place) + "\n" for place in places))
    write_motifs(tmp_path / "motifs.json")
    return tmp_path


STRICT = MotifHitsConfig(p_value=2e-5)


def scan(files, out="hits.tsv", config=STRICT, **where):
    where = where or {"sequences": files / "peaks.fa"}
    sequences = where.pop("sequences", None)
    report = scan_files(sequences, files / "motifs.json", files / out, config, hidden=True, **where)
    return pd.read_csv(files / out, sep="\t"), report


@pytest.mark.slow
def test_a_hit_has_a_row_for_each_tf(files):
    table, report = scan(files)
    assert list(table) == ["peak", "tf", "motif", "start", "end", "strand", "score"] + [
        "log_odds",
        "p_value",
    ]
    hits = {(x.peak, x.tf, x.start, x.end, x.strand) for x in table.itertuples()}
    sites = {("chr1:100-160", "GATA1", 20, 28, "+")}
    sites |= {("chr1:900-960", tf, 20, 28, "-") for tf in ("FOS", "JUN")}
    sites |= {("chr2:5-65", "MYC", 20, 28, strand) for strand in "+-"}  # it is a palindrome
    assert hits == sites
    np.testing.assert_allclose(table["score"], -np.log10(table["p_value"]), atol=2e-3)
    assert (table["score"] > 0).all() and (table["p_value"] <= 2e-5).all()
    assert report["hits"] == 4 and report["sequences"] == 4 and report["sequences_with_hits"] == 3


def test_peaks_of_a_genome_are_as_their_sequences(files):
    by_sequence, _ = scan(files)
    by_genome, _ = scan(files, genome=files / "genome.fa", peaks=files / "peaks.bed")
    by_sequence["peak"] = by_sequence["peak"].str.replace("[:-]", "_", regex=True)
    columns = list(by_genome)
    pd.testing.assert_frame_equal(
        by_genome.sort_values(columns).reset_index(drop=True),
        by_sequence.sort_values(columns).reset_index(drop=True),
    )


def test_evidence_reads_the_table(files):
    scan(files)
    (files / "peaks.csv").write_text(
        "peak,gene\nchr1_100_160,HBB\nchr1_900_960,FOS\nchr2_5_65,HBB\nchr2_500_560,MYC\n"
    )
    names = np.array(["HBB", "FOS", "JUN", "MYC", "GATA1"])
    tfs = np.array([1, 2, 3, 4])
    evidence = read_peaks(files / "peaks.csv", files / "hits.tsv", names, tfs)
    own = evidence.pairs[0].values
    found = {(names[tfs[i]], names[j]) for i, j in np.argwhere(own)}
    assert found == {("MYC", "HBB"), ("GATA1", "HBB"), ("FOS", "FOS"), ("JUN", "FOS")}


def test_the_enhancer_method_reads_the_table(files):
    scan(files, "hits.tsv.gz")
    peaks = pd.DataFrame([p.split("_") for p in PEAKS], columns=["chromosome", "start", "end"])
    peaks = peaks.astype({"start": int, "end": int})
    names, tfs = np.array(["Myc", "HBB", "JUN"]), np.array([0, 2])
    motifs = read_tf_motifs(files / "hits.tsv.gz", names, tfs, peaks)
    assert not motifs.of_genes
    dense = motifs.hits.toarray()
    assert (dense > 0).tolist() == [[False, False, True, False], [False, True, False, False]]


def test_promoters_named_by_genes_are_targets(files):
    text = (files / "peaks.fa").read_text()
    for peak, gene in zip(PEAKS, ("HBB", "FOS", "KLF1", "ACTB"), strict=True):
        chromosome, start, end = peak.split("_")
        text = text.replace(f"{chromosome}:{start}-{end}(+)", gene)
    (files / "genes.fa").write_text(text)
    table, report = scan(files, sequences=files / "genes.fa")
    assert list(table)[0] == "target" and report["sequences_are"] == "target"
    names, tfs = np.array(["HBB", "FOS", "JUN", "KLF1", "GATA1"]), np.array([1, 2, 4])
    motifs = read_tf_motifs(files / "hits.tsv", names, tfs, None)
    assert motifs.of_genes
    assert np.argwhere(motifs.hits.toarray() > 0).tolist() == [[0, 1], [1, 1], [2, 0]]


def test_two_scans_are_the_same_bytes_and_gzip_holds_the_same(files):
    scan(files), scan(files, "again.tsv"), scan(files, "packed.tsv.gz"), scan(files, "p2.tsv.gz")
    whole = (files / "hits.tsv").read_bytes()
    assert (files / "again.tsv").read_bytes() == whole
    assert gzip.decompress((files / "packed.tsv.gz").read_bytes()) == whole
    assert (files / "packed.tsv.gz").read_bytes() == (files / "p2.tsv.gz").read_bytes()


def test_a_measured_background_changes_the_scores(files):
    uniform, _ = scan(files)
    measured, report = scan(files, config=MotifHitsConfig(p_value=2e-5, background="measured"))
    assert report["background"][0] == report["background"][3] > 0.3
    assert set(measured["tf"]) and not np.allclose(
        measured["log_odds"].max(), uniform["log_odds"].max()
    )


def test_motifs_too_short_are_named(files, caplog):
    models = json.loads((files / "motifs.json").read_text())
    models.append({"id": "SHORT", "name": "X", **{base: [9, 1, 1] for base in "ACGT"}})
    (files / "motifs.json").write_text(json.dumps(models))
    with caplog.at_level("WARNING", "grnjax"):
        _, report = scan(files)
    assert report["motifs_beyond_p_value"] == {"count": 1, "first": ["SHORT"]}
    assert "1 of 4 motifs are too short or vague" in caplog.text and "SHORT" in caplog.text
    with pytest.raises(SequenceFormatError, match="none of its 4 motifs can reach"):
        scan(files, config=MotifHitsConfig(p_value=1e-9))


def test_nothing_is_left_of_a_scan_that_fails(files):
    (files / "peaks.fa").write_text(">chr1_1_9\nACGTACGT\n>chr1_20_30\nMKLLE\n")
    with pytest.raises(SequenceFormatError, match="no DNA"):
        scan(files)
    assert not list(files.glob("*hits*")) and not list(files.glob(".partial*"))


def test_masked_or_unknown_sequences_are_refused(files):
    (files / "peaks.fa").write_text(">chr1_1_9\nacgtnnnn\n")
    with pytest.raises(SequenceFormatError, match="None of the 8 bases"):
        scan(files, config=MotifHitsConfig(lower_case="mask"))


@pytest.mark.parametrize("given", [(), ("sequences", "genome", "peaks"), ("genome",), ("peaks",)])
def test_sequences_or_a_genome_with_peaks_are_needed(files, given):
    all_files = {"sequences": "peaks.fa", "genome": "genome.fa", "peaks": "peaks.bed"}
    where = {"sequences": None, **{role: files / all_files[role] for role in given}}
    with pytest.raises(ConfigError, match="give one of the two"):
        scan(files, **where)


def test_names_of_sequences():
    assert label_sequence("chr1:5-9(+)") == label_sequence("peak7::chr1:5-9(-)") == "chr1:5-9"
    assert label_sequence("chr1_5_9") == "chr1_5_9"
    assert label_sequence("HBB(x)") == "HBB(x)" and label_sequence("A::B") == "A::B"


@pytest.mark.slow
def test_the_command_writes_verifies_and_makes_again(files, cli):
    words = ["data", "motifs", "--sequences", files / "peaks.fa", "--motifs", files / "motifs.json"]
    words += ["--out", files / "h.tsv", "--p-value", "2e-5"]
    first = cli(*words)
    assert first.status == 0 and "4 hits in 4 sequences" in first.out
    whole = (files / "h.tsv").read_bytes()
    assert "has already finished" in cli(*words).err
    (files / "h.tsv").write_bytes(whole[:-5])
    assert "has already finished" not in cli(*words).err
    assert (files / "h.tsv").read_bytes() == whole
    other = cli(*words[:-1], "1e-3")
    assert other.status == 0 and "has already finished" not in other.err
    wrong = cli("data", "motifs", "--motifs", files / "motifs.json", "--out", files / "h.tsv")
    assert wrong.status == 2 and wrong.err.count("\n") == 1 and "give one of the two" in wrong.err
