"""Hits of the scan: those of brute force and of another scanner, on both strands."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grnjax.data.fasta import UNKNOWN, Piece, read_pieces
from grnjax.evidence import motif_scan
from grnjax.evidence.motif_models import Motif, read_motif_models
from grnjax.evidence.motif_scan import scan, scan_chunk
from grnjax.evidence.motif_scores import MotifScoreConfig, score_motif

GOLDEN = Path(__file__).parents[1] / "golden/motif_scan"
UNIFORM = np.full(4, 0.25)
FIELDS = ("sequence", "start", "motif", "is_reverse", "score", "p_value")


@pytest.fixture
def small(monkeypatch):
    """Chunks so small that sequences cross them."""
    monkeypatch.setattr(motif_scan, "CHUNK", 256)
    monkeypatch.setattr(motif_scan, "BLOCK", 64)
    scan_chunk.clear_cache()
    yield
    scan_chunk.clear_cache()


def draw_motifs(lengths, p_value, seed=0):
    rng = np.random.default_rng(seed)
    config = MotifScoreConfig(p_value=p_value)
    counts = [rng.multinomial(50, rng.dirichlet(np.full(4, 0.3), length)) for length in lengths]
    motifs = [Motif(f"M{i}", (f"TF{i}",), x.astype(float)) for i, x in enumerate(counts)]
    return [score_motif(motif, UNIFORM, config) for motif in motifs]


def draw_sequences(sizes, seed=1, unknown=0.02):
    rng = np.random.default_rng(seed)
    codes = [rng.integers(0, 4, size).astype(np.uint8) for size in sizes]
    for one in codes:
        one[rng.random(len(one)) < unknown] = UNKNOWN
    return [Piece(f"s{i}", 0, one) for i, one in enumerate(codes)]


def find(sequences, scored, p_value):
    """The hits as tuples in the order in which they come."""
    names = []
    parts = list(scan(sequences, scored, p_value, names))
    rows = [np.concatenate([getattr(x, field) for x in parts]).tolist() for field in FIELDS]
    assert names == list(dict.fromkeys(piece.name for piece in sequences))
    return list(zip(*rows, strict=True))


def brute(sequences, scored):
    """The hits by looking at every word."""
    hits = []
    for number, piece in enumerate(sequences):
        for start in range(len(piece.codes)):
            for place, one in enumerate(scored):
                word = piece.codes[start : start + len(one.steps)]
                if one.threshold is None or len(word) < len(one.steps) or (word > 3).any():
                    continue
                for is_reverse, steps in ((False, one.steps), (True, one.steps[::-1, ::-1])):
                    score = steps[np.arange(len(word)), word].sum()
                    if score >= one.threshold:
                        p = one.p_values[one.scores == score]
                        hits.append((number, start, place, is_reverse, score, *p.tolist()))
    return hits


@pytest.mark.slow
def test_hits_are_those_of_brute_force(small):
    scored = draw_motifs([4, 6, 8, 9, 14, 20, 30], 0.008)
    sequences = draw_sequences([1, 7, 600, 0, 64, 256, 31])
    expected = brute(sequences, scored)
    assert len(expected) > 50
    assert find(sequences, scored, 0.008) == expected


@pytest.mark.slow
def test_pieces_of_a_sequence_are_as_the_whole(small):
    scored, [whole] = draw_motifs([5, 12], 0.01), draw_sequences([1000])
    cuts = [0, 1, 300, 300, 777, 1000]
    cut = [Piece("s0", a, whole.codes[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)]
    assert find(cut, scored, 0.01) == find([whole], scored, 0.01) != []


def test_more_hits_than_there_is_room_for_are_all_found(small):
    [scored] = draw_motifs([4], 0.02)
    best = scored.steps.argmax(axis=1).astype(np.uint8)
    sequences = [Piece("s0", 0, np.tile(best, 400))]
    hits = [x for x in find(sequences, [scored], 1e-6) if not x[3] and x[1] % 4 == 0]
    assert len(hits) == 400


@pytest.mark.slow
def test_hits_equal_those_of_other_scanners():
    """lightmotif's hits at MOODS's thresholds (`tests/golden/motif_scan/make.py`)."""
    config = MotifScoreConfig(p_value=1e-3)
    scored = [score_motif(x, UNIFORM, config) for x in read_motif_models(GOLDEN / "motifs.jaspar")]
    thresholds = pd.read_csv(GOLDEN / "thresholds.tsv", sep="\t", index_col=0)["steps"]
    for one in scored:  # theirs may lie where no word scores
        assert thresholds[one.motif.name] <= one.threshold
        all_scores = np.unique(score_random_words(one.steps))
        assert not ((all_scores >= thresholds[one.motif.name]) & (all_scores < one.threshold)).any()
    golden = pd.read_csv(GOLDEN / "hits.tsv", sep="\t")
    names = [one.motif.name for one in scored]
    expected = {
        (int(row.sequence[1:]), row.start, names.index(row.motif), row.strand == "-", row.steps)
        for row in golden.itertuples()
    }
    found = find(list(read_pieces(GOLDEN / "sequences.fa")), scored, 1e-3)
    assert len(expected) == len(golden) > 100
    assert {row[:5] for row in found} == expected


def score_random_words(steps):
    words = np.random.default_rng(0).integers(0, 4, (20_000, len(steps)))
    return steps[np.arange(len(steps)), words].sum(axis=1)


@pytest.mark.slow
def test_planted_sites_are_found(small):
    scored = draw_motifs([10, 12, 16], 1e-5, seed=3)
    sequences, rng, planted = draw_sequences([500] * 6, unknown=0), np.random.default_rng(2), set()
    for number, piece in enumerate(sequences):
        for place, one in enumerate(scored):
            word = one.steps.argmax(axis=1).astype(np.uint8)
            start, is_reverse = 150 * place + int(rng.integers(0, 100)), bool(rng.integers(2))
            piece.codes[start : start + len(word)] = 3 - word[::-1] if is_reverse else word
            planted.add((number, start, place, is_reverse))
    found = {row[:4] for row in find(sequences, scored, 1e-5)}
    assert planted <= found and len(found) <= len(planted) + 3


@pytest.mark.slow
def test_the_other_strand_has_the_same_hits_turned_around(small):
    scored, sequences = draw_motifs([6, 9, 13], 0.005), draw_sequences([700, 90])
    turned = [
        Piece(x.name, 0, np.where(x.codes > 3, UNKNOWN, 3 - x.codes)[::-1].astype(np.uint8))
        for x in sequences
    ]
    lengths, sizes = [len(x.steps) for x in scored], [len(x.codes) for x in sequences]
    back = sorted(
        (number, sizes[number] - start - lengths[motif], motif, not is_reverse, *rest)
        for number, start, motif, is_reverse, *rest in find(turned, scored, 0.005)
    )
    assert back == sorted(find(sequences, scored, 0.005)) != []


@pytest.mark.slow
def test_order_of_motifs_and_sequences_changes_nothing(small):
    scored, sequences = draw_motifs([6, 9, 13, 7], 0.005), draw_sequences([300, 90, 200])
    order, motifs = [2, 0, 1], [3, 1, 0, 2]
    shuffled = find([sequences[i] for i in order], [scored[i] for i in motifs], 0.005)
    named = {(order[s], start, motifs[m], *rest) for s, start, m, *rest in shuffled}
    assert named == set(find(sequences, scored, 0.005))


def test_unknown_bases_never_hit(small):
    vague = score_motif(
        Motif("M", ("TF",), np.array([[9.0, 0, 0, 0], [1, 1, 1, 1], [0, 9, 0, 0]])),
        UNIFORM,
        MotifScoreConfig(p_value=0.1),
    )
    hits = find([Piece("s", 0, np.array([0, 4, 1, 4, 0, 2, 1, 4, 4], np.uint8))], [vague], 0.1)
    assert [row[1] for row in hits if not row[3]] == [4]
    assert find([Piece("s", 0, np.full(500, UNKNOWN, np.uint8))], [vague], 0.1) == []


@pytest.mark.slow
def test_one_compilation_a_width_serves_all_sequences(small):
    scored = draw_motifs([7, 8, 9, 10], 0.005)
    find(draw_sequences([900]), scored, 0.005)
    before = scan_chunk._cache_size()
    find(draw_sequences([5, 2000, 300], seed=5), scored, 0.005)
    assert scan_chunk._cache_size() == before == 2
