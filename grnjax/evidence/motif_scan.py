"""Motif hits on both strands, as a convolution of one-hot bases with the scores of many motifs.

Motifs are batched by length, forward and reverse complement side by side; bases come in chunks of
one size, so that there is one compilation a length. Of the scores, those of groups of motifs in
which one reaches its threshold leave the device; all others never do.
"""

import dataclasses
import functools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from grnjax.data.fasta import UNKNOWN, Piece
from grnjax.evidence.motif_scores import ScoredMotif, look_up_p_values

CHUNK = 1 << 17  # places that are scanned in one call
BLOCK = 2048  # places whose scores stand in memory together
GROUP = 32  # motifs and strands that leave the device together
WIDTHS = (8, 10, 12, 16, 24, 36, 64, 100)  # to which shorter motifs are filled up
ROOM = 4  # times the groups that are expected to have a hit


class Hits(NamedTuple):
    """Hits, in the order of their places, then of motifs, the forward strand before the other."""

    sequence: Int[np.ndarray, " hit"]  # number of the sequence
    start: Int[np.ndarray, " hit"]  # place of the first base in it, from 0, on the forward strand
    motif: Int[np.ndarray, " hit"]
    is_reverse: np.ndarray  # [hit] bool
    score: Int[np.ndarray, " hit"]  # in steps
    p_value: Float[np.ndarray, " hit"]


@dataclasses.dataclass(eq=False)
class Batch:
    """Motifs of about the same length, ready for the device."""

    width: int
    weights: Array  # [width, 4, column] float32, at least 0; 0 is the worst base of a position
    threshold: Array  # [column] float32, of the sums of weights
    motif: np.ndarray  # [column] int64, -1 where it fills up a group
    is_reverse: np.ndarray  # [column] bool
    length: np.ndarray  # [column] int64
    threshold_steps: np.ndarray  # [column] int64, of the scores
    capacity: int  # groups with a hit that a block has room for


def make_batches(scored: Sequence[ScoredMotif], p_value: float) -> list[Batch]:
    """The motifs that can have hits, by length."""
    batches, shortest = [], 0
    for width in WIDTHS:
        places = [
            place
            for place, one in enumerate(scored)
            if one.threshold is not None and shortest < len(one.steps) <= width
        ]
        shortest = width
        if places:
            batches.append(make_batch(scored, places, width, p_value))
    return batches


def make_batch(
    scored: Sequence[ScoredMotif], places: Sequence[int], width: int, p_value: float
) -> Batch:
    """These motifs and their reverse complements, filled up to one width and to whole groups."""
    columns = -(-2 * len(places) // GROUP) * GROUP
    weights = np.zeros((width, 4, columns), np.float32)
    threshold = np.full(columns, np.inf, np.float32)
    motif, length, steps = (np.full(columns, -1, np.int64) for _ in range(3))
    is_reverse = np.zeros(columns, bool)
    for number, place in enumerate(places):
        one = scored[place]
        lifted = one.steps - one.steps.min(axis=1, keepdims=True)
        for strand, values in enumerate((lifted, lifted[::-1, ::-1])):
            column = 2 * number + strand
            weights[: len(values), :, column] = values
            threshold[column] = one.threshold - one.steps.min(axis=1).sum()
            motif[column], length[column], steps[column] = place, len(values), one.threshold
            is_reverse[column] = bool(strand)
    expected = BLOCK * columns * p_value
    most = BLOCK * columns // GROUP
    capacity = int(min(most, max(256, 1 << int(np.ceil(np.log2(ROOM * expected + 1))))))
    on_device = jnp.asarray(weights), jnp.asarray(threshold)
    return Batch(width, *on_device, motif, is_reverse, length, steps, capacity)


@functools.partial(jax.jit, static_argnames=("capacity",))
def scan_chunk(
    codes: UInt8[Array, " base"],
    weights: Float[Array, "width 4 column"],
    threshold: Float[Array, " column"],
    capacity: int,
) -> tuple[Array, Array, Array]:
    """Groups of columns in which a sum of weights reaches its threshold.

    Returns:
        Of each block of `BLOCK` places: how many such groups it has; the number of each, place x
        groups + group, ascending, as far as there is room [block, capacity]; and by how much each
        column of it exceeds its threshold [block, capacity, GROUP].
    """
    width, _, columns = weights.shape
    groups = columns // GROUP

    def scan_block(first):
        piece = jax.lax.dynamic_slice(codes, (first,), (BLOCK + width - 1,))
        bases = (piece[None, :, None] == jnp.arange(4, dtype=jnp.uint8)).astype(jnp.float32)
        sums = jax.lax.conv_general_dilated(
            bases,
            weights,
            (1,),
            "VALID",
            dimension_numbers=("NWC", "WIO", "NWC"),
            precision=jax.lax.Precision.HIGHEST,  # whole numbers stay exact on every device
        )[0]
        excess = (sums - threshold).reshape(BLOCK * groups, GROUP)
        reached = excess.max(axis=1) >= 0
        (found,) = jnp.nonzero(reached, size=capacity, fill_value=0)
        return reached.sum(), found, excess[found]

    return jax.lax.map(scan_block, jnp.arange(0, CHUNK, BLOCK))


class Segment(NamedTuple):
    """Where bases of a sequence stand in the stream of all bases."""

    begin: int  # in the stream
    sequence: int
    start: int  # in the sequence


def scan(
    pieces: Iterable[Piece], scored: Sequence[ScoredMotif], p_value: float, names: list[str]
) -> Iterator[Hits]:
    """Yields the hits of each chunk of the sequences, in order.

    A hit has known bases only. Memory is that of a chunk, whatever the sequences.

    Args:
        pieces: sequences as `read_pieces` and `cut_peaks` yield them.
        names: the name of each sequence is appended as it comes; its place is its number.
    """
    batches = make_batches(scored, p_value)
    if not batches:
        for piece in pieces:
            if piece.start == 0:
                names.append(piece.name)
        return
    overlap = max(batch.width for batch in batches) - 1
    for codes, begin, segments in chunk_pieces(pieces, overlap, names):
        unknown = np.concatenate([[0], np.cumsum(codes == UNKNOWN)])
        parts = [part for batch in batches for part in scan_batch(codes, batch, unknown)]
        place, motif, is_reverse, score = map(np.concatenate, zip(*parts, strict=True))
        order = np.lexsort((is_reverse, motif, place))
        place, motif, is_reverse, score = (x[order] for x in (place, motif, is_reverse, score))
        begins = np.array([segment.begin for segment in segments])
        of = np.searchsorted(begins, place + begin, side="right") - 1
        sequence = np.array([segment.sequence for segment in segments])[of]
        start = place + begin - begins[of] + np.array([x.start for x in segments])[of]
        yield Hits(
            sequence, start, motif, is_reverse, score, look_up_p_values(scored, motif, score)
        )


def scan_batch(
    codes: UInt8[np.ndarray, " base"], batch: Batch, unknown: Int[np.ndarray, " base"]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Yields place, motif, strand and score in steps of the hits of a batch in a chunk.

    Args:
        unknown: how many unknown bases there are before each place.
    """
    most = BLOCK * len(batch.motif) // GROUP
    while True:
        result = scan_chunk(codes, batch.weights, batch.threshold, batch.capacity)
        counts = np.asarray(result[0])
        if counts.max() <= batch.capacity:
            break
        batch.capacity = min(most, max(4 * batch.capacity, int(counts.max())))
    is_used = np.arange(batch.capacity) < counts[:, None]  # [block, capacity]
    block, _ = np.nonzero(is_used)
    found, excess = np.asarray(result[1])[is_used], np.asarray(result[2])[is_used]
    row, within = np.nonzero(excess >= 0)
    groups = len(batch.motif) // GROUP
    place = block[row] * BLOCK + found[row] // groups
    column = found[row] % groups * GROUP + within
    is_known = unknown[place + batch.length[column]] == unknown[place]
    place, column = place[is_known], column[is_known]
    score = batch.threshold_steps[column] + excess[row, within][is_known].astype(np.int64)
    yield place, batch.motif[column], batch.is_reverse[column], score


def chunk_pieces(
    pieces: Iterable[Piece], overlap: int, names: list[str]
) -> Iterator[tuple[np.ndarray, int, list[Segment]]]:
    """Yields chunks of the stream of all bases, an unknown one between two sequences.

    A chunk has `CHUNK` places and the `overlap` bases after them, with which the next one begins.
    Beside it stand its place in the stream, and the segments in it, the first of which begins at
    or before it.
    """
    size = CHUNK + overlap
    chunk, filled, begin = np.full(size, UNKNOWN, np.uint8), 0, 0
    segments: deque[Segment] = deque()

    def flush() -> tuple[np.ndarray, int, list[Segment]]:
        return chunk.copy(), begin, list(segments)

    for piece in pieces:
        codes = piece.codes
        if piece.start == 0:
            names.append(piece.name)
            codes = np.concatenate([np.array([UNKNOWN], np.uint8), codes])
        segments.append(Segment(begin + filled + (piece.start == 0), len(names) - 1, piece.start))
        while len(codes):
            taken = min(len(codes), size - filled)
            chunk[filled : filled + taken] = codes[:taken]
            codes, filled = codes[taken:], filled + taken
            if filled == size:
                yield flush()
                chunk[:overlap], filled, begin = chunk[CHUNK:].copy(), overlap, begin + CHUNK
                while len(segments) > 1 and segments[1].begin <= begin:
                    segments.popleft()
    if filled:
        chunk[filled:] = UNKNOWN
        yield flush()
