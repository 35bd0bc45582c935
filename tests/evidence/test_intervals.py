import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grnjax.errors import EdgeFormatError
from grnjax.evidence.intervals import (
    has_intervals,
    join_overlaps,
    name_peaks,
    read_bed,
    read_named_peaks,
)

INTERVALS = st.lists(
    st.tuples(st.sampled_from(["chr1", "chr2"]), st.integers(0, 30), st.integers(1, 12)),
    max_size=15,
)


def make_frame(intervals):
    frame = pd.DataFrame(intervals, columns=["chromosome", "start", "length"])
    return frame.assign(end=frame["start"] + frame["length"])


@pytest.mark.slow
@given(INTERVALS, INTERVALS)
def test_overlaps_are_all_pairs_that_share_a_base(left, right):
    left, right = make_frame(left), make_frame(right)
    found = list(zip(*join_overlaps(left, right), strict=True))
    bases = [
        [{(row.chromosome, base) for base in range(row.start, row.end)} for row in f.itertuples()]
        for f in (left, right)
    ]
    expected = [(i, j) for i, a in enumerate(bases[0]) for j, b in enumerate(bases[1]) if a & b]
    assert sorted(found) == expected


def test_bed_is_read_without_comments_and_settings_of_a_browser(tmp_path):
    path = tmp_path / "sites.bed"
    path.write_text(
        'track name="my sites"\n#chr\tstart\tend\n'
        "chr1\t10\t20\tA\t0\t+\nchr2\t7\t7\tB\nchrX\t1\t2\t.\n"
    )
    assert has_intervals(path)
    bed = read_bed(path)
    assert bed.values.tolist() == [["chr1", 10, 20, "A"], ["chr2", 7, 8, "B"], ["chrX", 1, 2, ""]]


def test_one_line_of_headings_over_bed_is_allowed(tmp_path):
    path = tmp_path / "sites.tsv"
    path.write_text("chrom\tstart\tend\nchr1\t10\t20\n")
    assert has_intervals(path) and read_bed(path)["end"].tolist() == [20]


@pytest.mark.parametrize(
    "text, message",
    [
        ("chr1\t10\t20\nchr1\t30\t20\n", "interval 2 .chr1, 30, 20. is not chromosome"),
        ("chr1\t10\t20\nchr1\n", "interval 2 .chr1. is not chromosome"),
        ("# nothing\n", "the file is empty"),
        ("track x\n", "no intervals"),
    ],
)
def test_what_is_not_bed_is_refused(text, message, tmp_path):
    (tmp_path / "sites.bed").write_text(text)
    with pytest.raises(EdgeFormatError, match=message):
        read_bed(tmp_path / "sites.bed")


@pytest.mark.parametrize(
    "text",
    [
        ',peak_id,gene_short_name\n0,chr1_5_9,Abc\n1,chrUn_random_7_8,""\n',
        '"","x","gene"\n"1","chr1:5-9","Abc"\n"2","chrUn_random:7-8",""\n',
        'x gene\n"1" "chr1_5_9" "Abc"\n"2" "chrUn_random-7-8" ""\n',  # as R writes it
        "chr1_5_9\tAbc\nchrUn_random_7_8\t\n",
    ],
)
def test_named_peaks_are_read_with_and_without_headings(text, tmp_path):
    path = tmp_path / "peaks.csv"
    path.write_text(text)
    assert not has_intervals(path)
    peaks = read_named_peaks(path, {"name": ("gene_short_name", "gene")})
    assert peaks["chromosome"].tolist() == ["chr1", "chrUn_random"]
    assert peaks[["start", "end"]].values.tolist() == [[5, 9], [7, 8]]
    assert peaks["peak"].tolist() == ["chr1_5_9", "chrUn_random_7_8"]
    assert peaks["peak"].equals(name_peaks(peaks))
    assert peaks["name"].tolist() == ["Abc", ""]


def test_a_role_that_the_table_lacks_is_left_out(tmp_path):
    (tmp_path / "peaks.csv").write_text('"","x"\n"1","chr10_100006139_100006389"\n')
    peaks = read_named_peaks(tmp_path / "peaks.csv", {"name": ("gene",)})
    assert set(peaks) == {"chromosome", "start", "end", "peak"}
    assert np.array_equal(peaks["start"], [100006139])


@pytest.mark.parametrize(
    "text, message",
    [
        ("peak,gene\nfirst,Abc\n", "neither BED nor a table with peaks like chr1_100_200"),
        ("peak,gene\n", "neither BED nor"),
        ("peak,gene\nchr1_5_9,Abc\nchr1_5\n", "row 2 .chr1_5. has 1 fields where 2 are expected"),
        ("peak,gene\nchr1_5_9,A\nchr1,B\n", "1 of 2 peaks are not named like .*: chr1"),
    ],
)
def test_what_names_no_peaks_is_refused(text, message, tmp_path):
    (tmp_path / "peaks.csv").write_text(text)
    with pytest.raises(EdgeFormatError, match=message):
        read_named_peaks(tmp_path / "peaks.csv", {"name": ("gene",)})
