"""Which TFs may bind where: motif hits in peaks, or, for want of a scan, motifs at genes.

Hits come as a table of peak and TF or motif, as BED, or as a matrix of peaks x TFs. Motifs at genes
come as a matrix of genes x TFs or a table of TF and target; they cannot tell the peaks of a gene
apart, so that all of them count as carrying the motif, which every run says.
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.data.names import count_names, list_names, match_names
from grnjax.data.safe_arrays import read_npz
from grnjax.data.safe_sparse import check_indices, check_pointers
from grnjax.data.sniff import identify
from grnjax.data.tables import is_number, open_parquet, parse_numbers, read_table_rows
from grnjax.errors import EdgeFormatError, GeneMismatchError
from grnjax.evidence.hit_tables import (
    GENE_HEADINGS,
    check_scores,
    choose_columns,
    read_hit_table,
    tabulate_best,
)
from grnjax.evidence.intervals import (
    find_peak,
    has_intervals,
    meet_chromosomes,
    name_peaks,
    shift_starts,
    split_peaks,
)
from grnjax.evidence.peaks import MOTIF_HEADINGS, merge_motifs, read_hits
from grnjax.progress import logger

TARGET_HEADINGS = ("target", "gene", "gene_symbol", "symbol", "gene_name")
TF_HEADINGS = ("tf", "factor", "regulator", "source")
CSR_PARTS = ("indptr", "indices", "shape", "genes", "tfs")


@dataclasses.dataclass(frozen=True, eq=False)
class Motifs:
    """Scores of the TFs' motifs, the best of each TF, 0 where it has none."""

    hits: sparse.csr_matrix  # [tf, peak] or [tf, gene] float32
    of_genes: bool
    report: dict


def read_tf_motifs(
    path: str | Path,
    names: np.ndarray,
    tfs: np.ndarray,
    peaks: pd.DataFrame | None,
    factors: str | Path | None = None,
) -> Motifs:
    """The motifs of the TFs of the run in the peaks, or at the genes, that a file tells of.

    Args:
        names: the genes of the run; `tfs` are places among them.
        peaks: `chromosome`, `start`, `end`; None without accessibility.
        factors: a table of Motif and Factor, which turns motifs into TFs. Without one a motif is
            its TF, and one such as FOS::JUN is both.

    Raises:
        EdgeFormatError: it is none of the forms.
        GeneMismatchError: it has no motif of any TF in any peak or gene of the run.
    """
    level, table = read_table(path, peaks)
    if factors is not None:
        table, lost = merge_motifs(table, factors)
    else:
        table, lost = split_complexes(table), None
    table = table.sort_index().sort_index(axis=1)
    match = match_names(names[tfs].tolist(), [str(name) for name in table.columns])
    report: dict = {"source": str(path), "level": level, "rule_of_tfs": match.rule}
    report |= match.report(f"{path}, TFs")
    found = match.positions >= 0
    values = table.to_numpy(np.float32)[:, match.positions[found]].T  # [tf, place]
    if level == "genes":
        rows = match_names(names.tolist(), [str(name) for name in table.index])
        report |= rows.report(f"{path}, genes")
        covered = rows.positions >= 0
        placed = np.zeros((len(values), len(names)), np.float32)
        placed[:, covered] = values[:, rows.positions[covered]]
        report |= {"genes_found": int(covered.sum())}
    else:
        assert peaks is not None
        order = pd.Series(np.arange(len(peaks)), name_peaks(peaks))
        placed = np.zeros((len(values), len(peaks)), np.float32)
        placed[:, order[table.index].to_numpy()] = values
    hits = spread(placed, np.flatnonzero(found), len(tfs))
    if not hits.nnz:
        raise GeneMismatchError(
            f"{path}: it has no motif of the {len(tfs):,} TFs of the run "
            f"({list_names(names[tfs])}) among its {table.shape[1]:,} "
            f"({list_names(table.columns)}) in any of the {level} of the run. Give motifs under "
            "the names of TFs, or --method.factors=TABLE of Motif and Factor."
        )
    has_hits = np.diff(hits.indptr) > 0
    report |= {
        "tfs_with_motif": int(has_hits.sum()),
        "tfs_without_motif": count_names(names[tfs[~has_hits]]),
        "hits": int(hits.nnz),
        "motifs_without_factor": lost,
        "scores_differ": bool(np.ptp(hits.data) > 0),
    }
    logger.info(
        f"{path}: motifs at {level} of {has_hits.sum():,} of {len(tfs):,} TFs, {hits.nnz:,} in all"
    )
    if level == "genes" and peaks is not None:
        logger.warning(
            f"{path}: these motifs are of genes and not of peaks, so that all peaks of a gene "
            "count as carrying the motifs of the gene; a scan of the peaks would tell them apart"
        )
    return Motifs(hits, level == "genes", report)


def spread(rows: np.ndarray, places: np.ndarray, count: int) -> sparse.csr_matrix:
    """Some rows of a matrix of so many, the others empty."""
    row, column = np.nonzero(rows)
    shape = (count, rows.shape[1])
    return sparse.csr_matrix((rows[row, column], (places[row], column)), shape=shape)


def read_table(path: str | Path, peaks: pd.DataFrame | None) -> tuple[str, pd.DataFrame]:
    """Whether motifs are of "peaks" or "genes", and scores [peak or gene, motif].

    Peaks are called chr_start_end, and are those of the run.
    """
    kind = identify(path, EdgeFormatError).kind
    if kind == "npz":
        return "genes", read_csr(path)
    if kind not in ("text", "parquet"):
        raise EdgeFormatError(
            f"{path}: {kind} is not read as motifs; give a table of peak and TF, BED, a matrix of "
            "peaks or genes x TFs (text, parquet), or TF and target."
        )
    headings, first = peek(path, kind)
    lower = [heading.lower() for heading in headings]
    has_motif = any(name in lower for name in (*MOTIF_HEADINGS, *TF_HEADINGS))
    names_genes = any(name in lower for name in GENE_HEADINGS)
    is_bed = kind == "text" and not names_genes and has_intervals(path)
    of_peaks = is_bed or find_peak(headings) is not None or find_peak(first) is not None
    if not of_peaks:
        if any(name in lower for name in TF_HEADINGS):
            return "genes", read_targets(path)
        return "genes", read_hit_table(path)[0]
    if peaks is None:
        raise EdgeFormatError(
            f"{path}: these are motifs in peaks, and there is no accessibility to tell which peaks "
            "go with which genes; give --method.atac, or motifs of genes."
        )
    listed = peaks.assign(peak=name_peaks(peaks), name="")
    if is_bed or has_motif:
        hits, _ = read_hits(path, listed)
        return "peaks", hits.groupby(["peak", "motif"])["score"].max().unstack(fill_value=0)
    return "peaks", read_peak_matrix(path, kind, listed)


def peek(path: str | Path, kind: str) -> tuple[list[str], list[str]]:
    """The headings of a table, and the fields of its first row as text."""
    if kind == "parquet":
        with open_parquet(path, EdgeFormatError) as file:
            batch = next(file.iter_batches(batch_size=1), None)
            first = [] if batch is None else [str(x[0].as_py()) for x in batch.columns]
            return list(file.schema_arrow.names), first
    headings, rows = read_table_rows(path, EdgeFormatError)
    return headings, next(rows, [])


def read_peak_matrix(path: str | Path, kind: str, listed: pd.DataFrame) -> pd.DataFrame:
    """A matrix of peaks x TFs, cut to the peaks of the run; other columns than numbers are left.

    A peak of several rows, as where each gene of a peak has one, gets the highest scores.
    """
    if kind == "parquet":
        with open_parquet(path, EdgeFormatError) as file:
            frame = file.read().to_pandas()
    else:
        headings, rows = read_table_rows(path, EdgeFormatError)
        frame = pd.DataFrame(list(rows), columns=headings)
        for heading in headings:
            if len(frame) and is_number(frame[heading].iloc[0]):
                frame[heading] = pd.to_numeric(frame[heading], errors="coerce")
    first = [str(value) for value in frame.iloc[0]] if len(frame) else []
    place = find_peak(first)
    assert place is not None
    own = frame.columns[place]
    is_numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame]
    headings = [str(name) for name in frame]
    genes = [h for h in headings if h.lower() in GENE_HEADINGS]
    if not genes:
        headings[place], is_numeric[place] = "gene", False  # as `choose_columns` needs one
    _, columns, _ = choose_columns(headings, is_numeric, path)
    if not np.isfinite(frame[columns].to_numpy(np.float64)).all():
        raise EdgeFormatError(f"{path}: some scores are missing or infinite. Write 0 for no hit.")
    places = split_peaks(frame[own].astype(str), path)
    spelled = shift_starts(meet_chromosomes(places, listed, path), listed, path)["peak"]
    inside = spelled.isin(listed["peak"]).to_numpy()
    if not inside.any():
        raise GeneMismatchError(
            f"{path}: none of its {len(frame):,} peaks ({list_names(spelled)}) is one of the "
            f"{len(listed):,} of the accessibility ({list_names(listed['peak'])}). Give hits in "
            "the same peaks."
        )
    return frame.loc[inside, columns].groupby(spelled[inside].to_numpy()).max()


def read_targets(path: str | Path) -> pd.DataFrame:
    """A table of TF and target as a matrix of genes x TFs: the highest scores, or ones."""
    headings, rows = read_table_rows(path, EdgeFormatError)
    lower = [heading.lower() for heading in headings]
    tf, target = (
        next((lower.index(name) for name in known if name in lower), None)
        for known in (TF_HEADINGS, TARGET_HEADINGS)
    )
    if tf is None or target is None:
        raise EdgeFormatError(
            f"{path}: no target beside the TF among the columns {list_names(headings)}; name them "
            "tf and target."
        )
    score = lower.index("score") if "score" in lower else None
    tfs, targets, scores = [], [], []
    for fields in rows:
        tfs.append(fields[tf])
        targets.append(fields[target])
        text = ["1" if score is None else fields[score]]
        scores += list(parse_numbers(text, path, fields[target], ["score"], EdgeFormatError))
    check_scores(np.array(scores), f"{path}: column score")
    return tabulate_best(targets, tfs, scores)


def read_csr(path: str | Path) -> pd.DataFrame:
    """Genes x TFs of an .npz that has a CSR matrix of ones and names (`CSR_PARTS`)."""
    error = EdgeFormatError
    indptr, indices, shape, genes, tfs = read_npz(path, CSR_PARTS, error)
    if shape.tolist() != [len(genes), len(tfs)]:
        raise error(f"{path}: damaged: {shape} entries for {len(genes):,} genes, {len(tfs):,} TFs.")
    check_pointers(indptr, len(genes), len(indices), f"{path}: matrix", error)
    check_indices(indices, len(tfs), f"{path}: matrix", error)
    values = np.ones(len(indices), np.float32)
    matrix = sparse.csr_matrix((values, indices, indptr), shape=tuple(map(int, shape)))
    return pd.DataFrame(matrix.toarray(), index=genes.astype(str), columns=tfs.astype(str))


def split_complexes(table: pd.DataFrame) -> pd.DataFrame:
    """The highest scores of each TF over its motifs: one called FOS::JUN is of both."""
    columns = [str(name) for name in table.columns]
    if not any("::" in name for name in columns) and len(set(columns)) == len(columns):
        return table
    parts = [[part.strip() for part in name.split("::")] for name in columns]
    values = table.to_numpy(np.float32)
    owners: dict[str, list[int]] = {}
    for place, names in enumerate(parts):
        for name in dict.fromkeys(itertools.chain(names)):
            owners.setdefault(name, []).append(place)
    merged = {name: values[:, places].max(axis=1) for name, places in owners.items()}
    return pd.DataFrame(merged, index=table.index)
