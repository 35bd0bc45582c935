"""Motif scan: hits and time beside lightmotif, a scanner in SIMD instructions, in parallel.

Run:     GRNJAX_DATA=... python -m experiments.bench.motif_scan
Cost:    10 min on two cores beside other work, 1 GiB
Prints:  one JSON line a case; ratio = peer / ours

Sequences are random, 1,000 bases each; motifs are the first of JASPAR's CORE vertebrates by name;
p is 1e-4 in a uniform background; both strands. Both sides get the sequences in memory and end with
arrays of all hits; ours is compiled before. The peer scans all sequences as one text with N between
them, with its fast scanner, motifs shared out among processes that are up and have the text before
the clock starts. With scores rounded as ours are, any difference of hits is an error. With scores
as they are (case `1000x100`), and thresholds midway between the least score of a hit and the next
below, `differing` counts the hits that only one side has, which rounding has carried across, at
most half a step a position; `furthest_steps` is the largest distance from the threshold seen.
"""

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from experiments.bench.line import BenchFile, peak_mib, run_alone
from grnjax.data.data_set import find_root
from grnjax.data.fasta import BASES, Piece
from grnjax.evidence.motif_models import Motif, read_motif_models
from grnjax.evidence.motif_scan import scan
from grnjax.evidence.motif_scores import (
    MotifScoreConfig,
    ScoredMotif,
    distribute_scores,
    log_odds,
    score_motif,
)

MODELS = "motif_models/jaspar2026_core_vertebrates.json.gz"
LENGTH = 1_000
CASES = {"1000x100": (1_000, 100), "20000x800": (20_000, 800)}
CONFIG = MotifScoreConfig()
UNIFORM = np.full(4, 0.25)
Hits = np.ndarray  # [hit, 4]: sequence, start, motif, strand


def main() -> None:
    """Measures both cases; the hits of the smaller are compared."""
    file = BenchFile("motif_scan")
    models = read_motif_models(find_root(None) / MODELS)
    for case, (sequences, count) in CASES.items():
        codes = np.random.default_rng(0).integers(0, 4, (sequences, LENGTH)).astype(np.uint8)
        chosen = models[:count]
        first, ours_s, ours, peak = run_alone(run_ours, codes, chosen)
        rounded = [one.steps.astype(float) for one in map(score, chosen)]
        thresholds = [one.threshold for one in map(score, chosen)]
        peer_s, theirs = run_peer(codes, rounded, thresholds)
        check_equal(case, ours, theirs)
        facts = {"hits": len(ours), "peer_processes": os.cpu_count()}
        facts |= {"compile_s": round(first, 2)}
        if case == "1000x100":
            facts |= compare_unrounded(codes, chosen, ours, thresholds)
        file.add(f"{case}/lightmotif", "s", ours_s, peer_s, peak, **facts)


def score(motif: Motif) -> ScoredMotif:
    """The motif with its scores and threshold."""
    return score_motif(motif, UNIFORM, CONFIG)


def run_ours(codes: np.ndarray, models: list[Motif]) -> tuple[float, float, Hits, float]:
    """Seconds that compilation takes, seconds of the scan, the hits, and the peak memory."""
    begun = time.perf_counter()
    find(codes[:1], models)
    compiled = time.perf_counter()
    hits = find(codes, models)
    return compiled - begun, time.perf_counter() - compiled, hits, peak_mib()


def find(codes: np.ndarray, models: list[Motif]) -> Hits:
    """The hits, p-values included in the work."""
    pieces = (Piece(str(number), 0, row) for number, row in enumerate(codes))
    scored = [score(motif) for motif in models]
    parts = [np.empty((0, 4), np.int64)]
    for x in scan(pieces, scored, CONFIG.p_value, []):
        parts.append(np.stack([x.sequence, x.start, x.motif, x.is_reverse], axis=1))
    return np.concatenate(parts)


def check_equal(case: str, ours: Hits, theirs: Hits) -> None:
    """Refuses any difference."""
    if set(map(tuple, ours.tolist())) != set(map(tuple, theirs.tolist())):
        raise RuntimeError(f"{case}: {len(ours):,} hits of ours and {len(theirs):,} differ.")


def compare_unrounded(
    codes: np.ndarray, models: list[Motif], ours: Hits, thresholds: list[float | None]
) -> dict:
    """What rounding to steps changes: hits that only one side has, and how far they are off."""
    bits = [log_odds(x.counts, UNIFORM, CONFIG.pseudocount) for x in models]
    scaled = [CONFIG.steps_per_bit * x for x in bits]
    thresholds = [None if t is None else midway(score(x), t) for x, t in zip(models, thresholds)]
    theirs = run_peer(codes, scaled, thresholds)[1]
    one, two = (set(map(tuple, hits.tolist())) for hits in (ours, theirs))
    furthest = 0.0
    for sequence, start, motif, is_reverse in one ^ two:
        matrix = scaled[motif][::-1, ::-1] if is_reverse else scaled[motif]
        word = codes[sequence, start : start + len(matrix)]
        distance = abs(matrix[np.arange(len(word)), word].sum() - thresholds[motif])
        furthest = max(furthest, distance)
        if distance > len(matrix) / 2 + 1e-2:
            raise RuntimeError(f"{models[motif].name}: {distance:.2f} steps off the threshold.")
    return {"differing": len(one ^ two), "furthest_steps": round(float(furthest), 2)}


def midway(scored: ScoredMotif, threshold: int) -> float:
    """Between the least score of a hit and the next below."""
    lowest, chance = distribute_scores(scored.steps, UNIFORM)
    below = lowest + np.flatnonzero(chance[: threshold - lowest])[-1]
    return (threshold + below) / 2


# The peer

TEXT: dict = {}


def run_peer(
    codes: np.ndarray, matrices: list[np.ndarray], thresholds: list[float | None]
) -> tuple[float, Hits]:
    """Seconds on all cores, and the hits."""
    jobs = [(i, x, t) for i, (x, t) in enumerate(zip(matrices, thresholds)) if t is not None]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, hold_text, (codes,)) as pool:
        list(pool.map(find_theirs, jobs[:4]))
        begun = time.perf_counter()
        hits = np.concatenate(list(pool.map(find_theirs, jobs, chunksize=4)))
        return time.perf_counter() - begun, hits


def hold_text(codes: np.ndarray) -> None:
    """Keeps the sequences as the peer wants them."""
    import lightmotif

    letters = np.array(list(BASES + "N"))
    padded = np.concatenate([codes, np.full((len(codes), 1), 4, np.uint8)], axis=1)
    TEXT["striped"] = lightmotif.stripe("".join(letters[padded].ravel().tolist()))
    TEXT["sequences"] = len(codes)


def find_theirs(job: tuple[int, np.ndarray, float]) -> Hits:
    """Hits of a motif on both strands; those across the N between sequences are left out."""
    import lightmotif

    motif, matrix, threshold = job
    rows = dict(zip(BASES, [list(map(float, row)) for row in matrix.T], strict=True))
    forward, parts = lightmotif.lib.ScoringMatrix(rows), []
    for strand, one in enumerate((forward, forward.reverse_complement())):
        found = lightmotif.scan(one, TEXT["striped"], threshold=threshold - 1e-3)
        place = np.array([hit.position for hit in found], np.int64)
        sequence, start = np.divmod(place, LENGTH + 1)
        inside = (start + len(matrix) <= LENGTH) & (sequence < TEXT["sequences"])
        sequence, start = sequence[inside], start[inside]
        other = np.full((len(start), 2), (motif, strand))
        parts.append(np.concatenate([np.stack([sequence, start], axis=1), other], axis=1))
    return np.concatenate(parts)


if __name__ == "__main__":
    main()
