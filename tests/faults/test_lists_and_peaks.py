"""TF lists and peaks in the forms that users have: what is read, and what is said of it."""

import numpy as np
import pandas as pd
import pytest

from grnjax.data.tf_lists import read_tf_list
from grnjax.errors import GeneMismatchError
from grnjax.evidence.peaks import read_peaks
from grnjax.methods.enhancer.motifs import read_tf_motifs

NAMES = ["NKX2-1", "SOX2", "GATA1", "MYC"]
LAMBERT = ",Ensembl ID,HGNC symbol,DBD,Is TF?,TF assessment\n" + "".join(
    f"{i},ENSG{i:011d},{name},x,{'Yes' if i < 4 else 'No'},y\n"
    for i, name in enumerate([*NAMES, "HBB", "ACTB"])
)


@pytest.mark.parametrize(
    "text, said",
    [
        (",".join(NAMES), "4 names on 1 lines, all read as TFs"),
        (";".join(NAMES), "4 names on 1 lines"),
        ("|".join(NAMES), "4 names on 1 lines"),
        ("\t".join(NAMES) + "\n", "4 names on 1 lines"),
        ("NKX2-1 SOX2 GATA1\nMYC\n", "4 names on 2 lines"),
        ("NKX2-1, SOX2\nGATA1, MYC\n", "4 names on 2 lines"),
        ('["NKX2-1", "SOX2", "GATA1", "MYC"]', "4 names on 1 lines"),
        ("".join(f"{i}\t{x}\n" for i, x in enumerate(NAMES)), "TFs are those of column 2"),
        ('"","x"\n' + "".join(f'"{i}","{x}"\n' for i, x in enumerate(NAMES, 1)), "those of x"),
        ('"x"\n' + "".join(f'"{i}" "{x}"\n' for i, x in enumerate(NAMES, 1)), "those of x"),
        (LAMBERT, "2 of 6 rows are left out, for Is TF? says No of them"),
        (LAMBERT, "TFs are those of HGNC symbol; not read: Ensembl ID, DBD, Is TF?"),
        ("# TFs\n" + "\n".join(NAMES), "1 comment lines left out"),
        ("Species\tSymbol\tFamily\n" + "".join(f"h\t{x}\tz\n" for x in NAMES), "of Symbol"),
        ("".join(f"{x},bHLH\n" for x in [*NAMES]), "TFs are those of column 1; not read: column 2"),
        ("".join(f"{x}(+)\n" for x in NAMES), ""),
    ],
)
def test_tf_lists_keep_all_names(tmp_path, caplog, text, said):
    caplog.set_level("INFO", "grnjax")
    (tmp_path / "tfs.txt").write_text(text)
    assert read_tf_list(tmp_path / "tfs.txt") == NAMES
    assert said in caplog.text


STARTS = range(500, 4500, 1000)
PEAKS = "".join(f"chr1-{x}-{x + 400}\t{name}\n" for x, name in zip(STARTS, NAMES, strict=True))


def hits(step=0, chromosome="chr1"):
    rows = zip(STARTS, [*NAMES[:2]] * 2, strict=True)
    return "".join(f"{chromosome}:{x + step}-{x + 400}\t{tf}\t{x}\n" for x, tf in rows)


@pytest.mark.parametrize(
    "text, said",
    [
        (hits(1), "4 of 4 would be with starts lower by 1"),
        (hits(-1), "4 of 4 would be with starts higher by 1"),
        (hits(0, "1"), "chromosomes are called otherwise in the other file; read 1 as chr1"),
        (hits(1, "Chr1"), "4 of 4 would be with starts lower by 1"),
        (hits(), ""),
    ],
)
def test_peaks_one_base_off_or_without_chr_join_and_that_is_said(tmp_path, caplog, text, said):
    (tmp_path / "peaks.tsv").write_text(PEAKS)
    (tmp_path / "hits.tsv").write_text(text)
    names = np.array(sorted(NAMES))
    evidence = read_peaks(tmp_path / "peaks.tsv", tmp_path / "hits.tsv", names, np.arange(4))
    assert evidence.report["hits"] == 4 and evidence.report["hits_outside_peaks"] == 0
    assert said in caplog.text


def test_a_scaffold_that_both_call_alike_keeps_no_chromosome_from_joining(tmp_path, caplog):
    (tmp_path / "peaks.tsv").write_text(PEAKS + "GL000220.1-5-90\tMYC\n")
    (tmp_path / "hits.tsv").write_text(hits(0, "1") + "GL000220.1:5-90\tSOX2\t3\n")
    names = np.array(sorted(NAMES))
    evidence = read_peaks(tmp_path / "peaks.tsv", tmp_path / "hits.tsv", names, np.arange(4))
    assert "read 1 as chr1" in caplog.text and evidence.report["hits_outside_peaks"] == 0
    assert "no peaks" not in caplog.text


def test_hits_one_base_off_of_which_few_lie_in_the_peaks_of_the_run_join(tmp_path, caplog):
    (tmp_path / "peaks.tsv").write_text(PEAKS)
    elsewhere = "".join(f"chr2:{x}-{x + 90}\tSOX2\t3\n" for x in range(0, 2000, 100))
    (tmp_path / "hits.tsv").write_text(hits(1) + elsewhere)
    names = np.array(sorted(NAMES))
    evidence = read_peaks(tmp_path / "peaks.tsv", tmp_path / "hits.tsv", names, np.arange(4))
    assert "4 of 24 would be with starts lower by 1" in caplog.text
    assert evidence.report["hits_outside_peaks"] == 20


@pytest.mark.parametrize("step, chromosome", [(1, "chr1"), (0, "1"), (1, "1")])
def test_a_matrix_of_peaks_and_tfs_joins_as_a_table_of_hits_does(tmp_path, step, chromosome):
    rows = "".join(f"{chromosome}:{x + step}-{x + 400},1,{x}\n" for x in STARTS)
    (tmp_path / "motifs.csv").write_text("peak,GATA1,SOX2\n" + rows)
    peaks = pd.DataFrame({"chromosome": "chr1", "start": [*STARTS]})
    peaks["end"] = peaks["start"] + 400
    found = read_tf_motifs(tmp_path / "motifs.csv", np.array(sorted(NAMES)), np.arange(4), peaks)
    assert found.report["hits"] == 2 * len(peaks)


def test_peaks_that_lie_elsewhere_are_not_joined(tmp_path):
    (tmp_path / "peaks.tsv").write_text(PEAKS)
    (tmp_path / "hits.tsv").write_text(hits(7))
    with pytest.raises(GeneMismatchError, match="none of its 4 hits .*chr1_507_900"):
        read_peaks(
            tmp_path / "peaks.tsv", tmp_path / "hits.tsv", np.array(sorted(NAMES)), np.arange(4)
        )
