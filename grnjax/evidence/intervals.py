"""Intervals on chromosomes: BED files, tables of named peaks, and what overlaps."""

import itertools
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.data.genome_places import PEAK_NAME, plain_chromosome
from grnjax.data.names import list_names
from grnjax.data.tables import is_position, read_rows, read_table_rows
from grnjax.errors import EdgeFormatError
from grnjax.progress import logger

NOT_INTERVALS = ("#", "track", "browser")


def read_bed(path: str | Path) -> pd.DataFrame:
    """The intervals of a BED file: `chromosome`, `start`, `end`, and `name` or "" without one.

    Start counts from 0 and the base at `end` is outside; an interval without bases gets one.
    """
    rows = read_interval_rows(path)
    first = next(rows, [])
    if any(field.strip().isdecimal() for field in first[1:3]):  # no headings
        rows = itertools.chain([first], rows)
    columns = {"chromosome": [], "start": [], "end": [], "name": []}
    for number, fields in enumerate(rows, start=1):
        if not is_interval(fields):
            raise EdgeFormatError(
                f"{path}: interval {number} ({list_names(fields)}) is not chromosome, start, end."
            )
        start = int(fields[1])
        name = fields[3].strip() if len(fields) > 3 else ""
        columns["chromosome"].append(sys.intern(fields[0].strip()))  # names repeat by the million
        columns["start"].append(start)
        columns["end"].append(max(int(fields[2]), start + 1))
        columns["name"].append(sys.intern("" if name == "." else name))
    if not columns["start"]:
        raise EdgeFormatError(f"{path}: no intervals (chromosome, start, end) in it.")
    return pd.DataFrame(columns)


def read_interval_rows(path: str | Path) -> Iterator[list[str]]:
    """Yields the fields of each line that is no comment and no setting of a genome browser."""
    rows = read_rows(path, EdgeFormatError)
    return (fields for fields in rows if not fields[0].startswith(NOT_INTERVALS))


def is_interval(fields: list[str]) -> bool:
    """Whether a line starts with a chromosome, a start and an end that is not before it.

    A peak by its name, with whole numbers of hits beside it, does not.
    """
    if len(fields) < 3 or not all(map(is_position, fields[1:3])) or find_peak(fields[:1]) == 0:
        return False
    return int(fields[1]) <= int(fields[2])


def has_intervals(path: str | Path) -> bool:
    """Whether the file is BED, perhaps under one line of headings."""
    return any(map(is_interval, itertools.islice(read_interval_rows(path), 2)))


def read_named_peaks(path: str | Path, roles: dict[str, Sequence[str]]) -> pd.DataFrame:
    """The intervals of a table whose peaks are named chr_start_end or chr:start-end.

    They come as `chromosome`, `start`, `end` and `peak`, which is one spelling of the three,
    beside the text of each role that the table has.

    Args:
        path: a text table; without headings, the roles stand after the peak in their order.
        roles: the headings, in lower case, under which each role may stand.
    """
    table = read_peak_columns(path, roles)
    return table.join(split_peaks(table.pop("peak"), path))


def split_peaks(names: pd.Series, path: str | Path) -> pd.DataFrame:
    """The chromosome, start, end and one spelling, `peak`, of each peak by its name.

    Raises:
        EdgeFormatError: some are not named by their place.
    """
    codes, peaks = pd.factorize(names)  # hits name the same peaks again and again
    intervals = pd.Series(peaks).str.extract(PEAK_NAME)
    unread = peaks[intervals["start"].isna()]
    if len(unread):
        raise EdgeFormatError(
            f"{path}: {len(unread):,} of {len(peaks):,} peaks are not named like chr1_100_200: "
            f"{list_names(unread)}."
        )
    intervals = intervals.astype({"start": np.int64, "end": np.int64})
    intervals["peak"] = name_peaks(intervals)
    return intervals.take(codes).reset_index(drop=True)


def read_peak_columns(path: str | Path, roles: dict[str, Sequence[str]]) -> pd.DataFrame:
    """The text of a table's peaks and of each role that it has, whether or not it has headings."""
    headings, rows = read_table_rows(path, EdgeFormatError)
    place = find_peak(headings)
    if place is not None:
        rows = itertools.chain([headings], rows)
        columns = dict(zip(roles, range(place + 1, len(headings)), strict=False))
    else:
        first, lower = next(rows, []), [heading.lower() for heading in headings]
        place = find_peak(first)
        if place is None:
            raise EdgeFormatError(
                f"{path}: neither BED nor a table with peaks like chr1_100_200 in its first rows "
                f"({list_names(headings)}; {list_names(first)}). Give one of the two."
            )
        rows = itertools.chain([first], rows)
        found = {role: [name for name in known if name in lower] for role, known in roles.items()}
        columns = {role: lower.index(names[0]) for role, names in found.items() if names}
    columns["peak"] = place
    text = {role: [] for role in columns}
    for fields in rows:
        for role, column in columns.items():
            text[role].append(sys.intern(fields[column].strip()))
    return pd.DataFrame(text)


def find_peak(fields: list[str]) -> int | None:
    """Which field is the name of a peak."""
    return next((i for i, field in enumerate(fields) if re.match(PEAK_NAME, field.strip())), None)


def name_peaks(intervals: pd.DataFrame) -> pd.Series:
    """One spelling of each interval: chr_start_end."""
    start, end = intervals["start"].astype(str), intervals["end"].astype(str)
    return intervals["chromosome"] + "_" + start + "_" + end


def meet_chromosomes(ours: pd.DataFrame, theirs: pd.DataFrame, source: object) -> pd.DataFrame:
    """Our intervals with chromosomes as theirs are called, where only chr before them differs.

    One that both files call alike, as scaffolds without a number are, does not keep the others
    from being joined.
    """
    own, other = set(ours["chromosome"]), set(theirs["chromosome"])
    plain = {plain_chromosome(name): name for name in other}
    found = {name: plain.get(plain_chromosome(name)) for name in own - other}
    renamed = {name: new for name, new in sorted(found.items()) if new is not None}
    if not renamed:
        return ours
    shown = list_names(f"{name} as {new}" for name, new in renamed.items())
    logger.warning(f"{source}: chromosomes are called otherwise in the other file; read {shown}")
    ours = ours.assign(chromosome=ours["chromosome"].replace(renamed))
    return ours.assign(peak=name_peaks(ours)) if "peak" in ours else ours


def shift_starts(ours: pd.DataFrame, theirs: pd.DataFrame, source: object) -> pd.DataFrame:
    """Our peaks, starts counted as in theirs if hardly any is one of theirs but many so would be.

    Many are a twentieth of ours, and ten times those that are theirs as they stand.
    """
    known = set(theirs["peak"])
    plainly = int(ours["peak"].isin(known).sum())
    for step in (-1, 1):
        shifted = ours.assign(start=ours["start"] + step)
        shifted["peak"] = name_peaks(shifted)
        fitting = int(shifted["peak"].isin(known).sum())
        if fitting > 10 * plainly and 20 * fitting > len(ours):
            logger.warning(
                f"{source}: {plainly or 'no'} peaks are named as in the other file, but "
                f"{fitting:,} of {len(ours):,} would be with starts "
                f"{'lower' if step < 0 else 'higher'} by 1, for one file counts from 0 and the "
                "other from 1; they are joined so"
            )
            return shifted
    return ours


def join_overlaps(left: pd.DataFrame, right: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The row numbers in `left` and `right` of every two intervals that share a base."""
    pairs = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    rows_of = right.groupby("chromosome").indices
    for chromosome, mine in left.groupby("chromosome").indices.items():
        if chromosome not in rows_of:
            continue
        theirs = rows_of[chromosome]
        theirs = theirs[np.argsort(right["start"].to_numpy()[theirs], kind="stable")]
        starts, ends = (right[side].to_numpy()[theirs] for side in ("start", "end"))
        my_starts, my_ends = (left[side].to_numpy()[mine] for side in ("start", "end"))
        # Sorted by start, all that end too early come first, up to where the latest end suffices.
        first = np.searchsorted(np.maximum.accumulate(ends), my_starts, side="right")
        count = np.maximum(np.searchsorted(starts, my_ends, side="left") - first, 0)
        of_mine = np.repeat(np.arange(len(mine)), count)
        of_theirs = np.arange(count.sum()) + np.repeat(first - np.cumsum(count) + count, count)
        shares = ends[of_theirs] > my_starts[of_mine]
        pairs.append((mine[of_mine[shares]], theirs[of_theirs[shares]]))
    return tuple(map(np.concatenate, zip(*pairs, strict=True)))
