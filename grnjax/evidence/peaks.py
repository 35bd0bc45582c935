"""Accessible peaks and the motif hits in them, as one row of hits a gene."""

from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.data.names import count_names, list_names, match_names
from grnjax.data.tables import read_table_rows
from grnjax.errors import EdgeFormatError, GeneMismatchError
from grnjax.evidence.hit_tables import GENE_HEADINGS, check_scores
from grnjax.evidence.intervals import (
    has_intervals,
    join_overlaps,
    meet_chromosomes,
    name_peaks,
    read_bed,
    read_named_peaks,
    shift_starts,
)
from grnjax.evidence.motifs import describe_hits
from grnjax.evidence.types import Evidence

MOTIF_HEADINGS = ("tf", "motif", "factor", "motif_id")
SCORE_HEADINGS = ("score",)
TSS_DISTANCE = 1_000  # the most bases between a peak and a site of its gene: a promoter


def read_peaks(
    peaks: str | Path,
    hits: str | Path,
    names: np.ndarray,
    tfs: np.ndarray,
    *,
    tss: str | Path | None = None,
    factors: str | Path | None = None,
    name: str = "peaks",
) -> Evidence:
    """Motif profiles of genes over their accessible peaks, and what follows as in `read_motifs`.

    A gene has a hit where one of its peaks has one; with scores, the highest counts.

    Args:
        peaks: BED (chromosome, start, end, perhaps gene), or a table whose peaks are named
            chr_start_end or chr:start-end, perhaps with a gene column.
        hits: a table of peak, TF or motif, perhaps score; or BED intervals with TF or motif as
            their name, which hit the peaks they share a base with.
        tss: BED of transcription start sites. A peak without a gene, or under a name that neither
            the run nor this file knows, belongs to every gene with a site within `TSS_DISTANCE`.
        factors: a table with columns Motif and Factor, which turns motifs into TFs.
    """
    files = {"peaks": peaks, "hits": hits, "tss": tss, "factors": factors}
    listed = read_peak_list(peaks)
    owners, of_peaks = assign_genes(listed, names, tss, peaks)
    found, of_hits = read_hits(hits, listed)
    report = {"source": str(peaks), **of_peaks, **of_hits}
    report["files"] = {role: str(path) for role, path in files.items() if path is not None}
    report["hits_in_peaks_of_genes"] = int(found["peak"].isin(owners["peak"]).sum())
    table = spread_hits(found, owners, peaks)
    if factors is not None:
        table, report["motifs_without_factor"] = merge_motifs(table, factors)
    return describe_hits(table, names, tfs, name=name, kind="peaks", report=report)


def read_peak_list(path: str | Path) -> pd.DataFrame:
    """The peaks as `read_bed` has intervals: `name` is the gene or ""; `peak` is one text each."""
    if has_intervals(path):
        listed = read_bed(path)
        return listed.assign(peak=name_peaks(listed))
    listed = read_named_peaks(path, {"name": GENE_HEADINGS})
    return listed if "name" in listed else listed.assign(name="")


def read_hits(path: str | Path, listed: pd.DataFrame) -> tuple[pd.DataFrame, dict]:
    """The hits inside the listed peaks, as `peak`, `motif` and `score`, and counts of all."""
    if has_intervals(path):
        scanned = read_bed(path).rename(columns={"name": "motif"})
        scanned = meet_chromosomes(scanned, listed, path)
        unique = listed.drop_duplicates("peak")
        hit, peak = join_overlaps(scanned, unique)
        hits = pd.DataFrame({"peak": unique["peak"].to_numpy()[peak]})
        hits = hits.assign(motif=scanned["motif"].to_numpy()[hit], score=np.float32(1))
        inside = len(np.unique(hit))
    else:
        scanned = read_named_peaks(path, {"motif": MOTIF_HEADINGS, "score": SCORE_HEADINGS})
        if "motif" not in scanned:
            raise EdgeFormatError(
                f"{path}: no TF or motif beside the peaks. Name its column one of "
                f"{', '.join(MOTIF_HEADINGS)}; a table of peaks x TFs is read as motifs."
            )
        text = scanned["score"] if "score" in scanned else np.ones(len(scanned))
        scores = np.float32(pd.to_numeric(text, errors="coerce"))
        check_scores(scores, str(path))
        scanned = shift_starts(meet_chromosomes(scanned, listed, path), listed, path)
        is_inside = scanned["peak"].isin(listed["peak"])
        hits = scanned.assign(score=scores).loc[is_inside, ["peak", "motif", "score"]]
        inside = len(hits)
    is_named = hits["motif"] != ""
    if not is_named.any():
        raise GeneMismatchError(
            f"{path}: none of its {len(scanned):,} hits ({list_names(name_peaks(scanned[:6]))}) "
            f"names a motif and lies in one of the {len(listed):,} peaks "
            f"({list_names(listed['peak'][:6])}). Give hits on the same genome assembly."
        )
    counts = {
        "hits": len(scanned),
        "hits_outside_peaks": len(scanned) - inside,
        "hits_without_motif": int((~is_named).sum()),
    }
    return hits[is_named], counts


def assign_genes(
    listed: pd.DataFrame, names: np.ndarray, tss: str | Path | None, path: str | Path
) -> tuple[pd.DataFrame, dict]:
    """Which `gene` each `peak` belongs to, a row a pair, and counts of the peaks.

    With start sites, a peak under a name that is no gene there or in the run counts as unnamed:
    the fourth column of BED often numbers the peaks.
    """
    is_owned = listed["name"] != ""
    if tss is None:
        owners = listed[is_owned]
    else:
        sites = read_bed(tss)
        sites = meet_chromosomes(sites[sites["name"] != ""], listed, tss)
        known = set(sites["name"])
        in_run = match_names(listed["name"].unique().tolist(), names.tolist()).positions >= 0
        known.update(listed["name"].unique()[in_run])
        is_owned &= listed["name"].isin(known)
        first, last = sites["start"] - TSS_DISTANCE, sites["end"] + TSS_DISTANCE
        free = listed[~is_owned]
        peak, site = join_overlaps(free, sites.assign(start=first, end=last))
        nearby = free.iloc[peak].assign(name=sites["name"].to_numpy()[site])
        owners = pd.concat([listed[is_owned], nearby])
    owners = owners[["peak", "name"]].rename(columns={"name": "gene"}).drop_duplicates()
    count = int(listed["peak"].nunique())
    if owners.empty:
        lack = "names a gene" if tss is None else f"lies near a site of {tss}"
        raise GeneMismatchError(
            f"{path}: none of its {count:,} peaks ({list_names(listed['peak'][:6])}) {lack}. Give "
            "peaks with a gene column, or the start sites of genes on the same genome assembly."
        )
    return owners, {"peaks": count, "peaks_without_gene": count - int(owners["peak"].nunique())}


def spread_hits(hits: pd.DataFrame, owners: pd.DataFrame, path: str | Path) -> pd.DataFrame:
    """The highest score of each gene (index) for each motif (column) over the gene's peaks."""
    pairs = hits.merge(owners, on="peak")
    if pairs.empty:
        raise GeneMismatchError(
            f"{path}: none of {len(hits):,} hits lies in one of the "
            f"{owners['peak'].nunique():,} peaks that have a gene. Give more peaks or hits."
        )
    motif, motifs = pd.factorize(pairs["motif"], sort=True)
    genes = np.unique(owners["gene"].to_numpy(str))
    scores = np.zeros((len(genes), len(motifs)), np.float32)
    row = np.searchsorted(genes, pairs["gene"].to_numpy(str))
    np.maximum.at(scores, (row, motif), pairs["score"].to_numpy())
    return pd.DataFrame(scores, index=genes, columns=motifs)


def merge_motifs(table: pd.DataFrame, path: str | Path) -> tuple[pd.DataFrame, dict]:
    """The hits of each TF, the highest over its motifs, and which motifs have no TF.

    `path` is a table with columns Motif and Factor.
    """
    headings, rows = read_table_rows(path, EdgeFormatError)
    lower = [heading.lower() for heading in headings]
    if "motif" not in lower or "factor" not in lower:
        raise EdgeFormatError(
            f"{path}: no columns Motif and Factor among {list_names(headings)}. Name them so."
        )
    motif, factor = lower.index("motif"), lower.index("factor")
    place = {name: i for i, name in enumerate(table.columns)}
    motifs_of, known = {}, set()
    for fields in rows:
        if fields[motif] in place and fields[factor]:
            motifs_of.setdefault(fields[factor], set()).add(place[fields[motif]])
            known.add(fields[motif])
    if not known:
        raise GeneMismatchError(
            f"{path}: it has a factor for none of the {len(place):,} motifs that were found "
            f"({list_names(place)}). Give the table of the same motif collection."
        )
    scores = table.to_numpy()
    merged = {tf: scores[:, sorted(motifs_of[tf])].max(axis=1) for tf in sorted(motifs_of)}
    lost = count_names(name for name in place if name not in known)
    return pd.DataFrame(merged, index=table.index), lost
