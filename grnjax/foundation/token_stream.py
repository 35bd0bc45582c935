"""Cells of any number as padded batches of tokens, in bounded memory.

Cells come in chunks of rows and leave in batches of a few fixed lengths (buckets), so that a model
is compiled once a bucket and a short cell is not padded to the longest. At most one chunk and one
unfinished batch a bucket are held. Batches leave as they fill, so cells leave out of order, each
with the number of its row.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int32, Int64
from scipy import sparse

from grnjax.data.cell_rows import CellRows
from grnjax.errors import ConfigError, GrnjaxError
from grnjax.foundation.tokens import CellTokens

ROWS_AT_ONCE = 512
TOKENS_AT_ONCE = 16_384
SHORTEST = 128


class TokenBatch(NamedTuple):
    """Cells of one bucket; rows that only fill the batch repeat its first cell."""

    tokens: Int32[np.ndarray, "cell token"]
    values: Float[np.ndarray, "cell token"]  # float32
    is_real: Bool[np.ndarray, "cell token"]  # False at padding
    cells: Int64[np.ndarray, " cell"]  # the row of each; -1 where it only fills the batch


@dataclasses.dataclass(frozen=True)
class Bucket:
    """Batches of so many cells of so many tokens."""

    length: int
    cells: int


def make_buckets(
    longest: int,
    *,
    tokens_at_once: int = TOKENS_AT_ONCE,
    shortest: int = SHORTEST,
) -> tuple[Bucket, ...]:
    """Buckets whose lengths double from the shortest on, each of about as many tokens a batch.

    The last holds a cell of the longest number of tokens.
    """
    lengths, length = [], shortest
    while length < longest:
        lengths.append(length)
        length *= 2
    return tuple(Bucket(length, max(1, tokens_at_once // length)) for length in (*lengths, longest))


class TokenStream:
    """The cells of a matrix as batches; iterate over it once or more.

    Args:
        rows: the cells.
        tokenise: tokens of a chunk, and of the totals of its cells where there are any, such as a
            partial of `tokenise_geneformer.tokenise`; it must not look beyond a single cell.
        buckets: by ascending length; the last must hold every cell.
        token: what pads the tokens.
        value: what pads the values.
        totals: [cell] of all rows, passed on to `tokenise` in chunks; None passes nothing.
        span: the rows to read, from the first to before the second; None for all. By it cells are
            divided among processes, and a run goes on where it stopped.
        genes: the report of the match of genes, which stands in that of the stream.
        rows_at_once: rows of a chunk; it changes memory and time, and the order of batches alone.

    Raises:
        ConfigError: no buckets, or a span outside the rows.
    """

    def __init__(
        self,
        rows: CellRows,
        tokenise: Callable[..., CellTokens],
        buckets: tuple[Bucket, ...],
        *,
        token: int,
        value: float,
        totals: np.ndarray | None = None,
        span: tuple[int, int] | None = None,
        genes: dict | None = None,
        rows_at_once: int = ROWS_AT_ONCE,
    ):
        start, stop = span or (0, len(rows))
        if not 0 <= start <= stop <= len(rows):
            raise ConfigError(
                f"{rows.name}: rows {start:,} to {stop:,} are asked for, and it has {len(rows):,}."
            )
        lengths = [bucket.length for bucket in buckets]
        if not buckets or lengths != sorted(set(lengths)):
            raise ConfigError(f"Buckets need ascending lengths, not {lengths or 'none'}.")
        self.rows, self.tokenise, self.buckets = rows, tokenise, buckets
        self.token, self.value, self.totals = token, value, totals
        self.start, self.stop, self.rows_at_once = start, stop, rows_at_once
        self.genes = genes
        self.report: dict = {}

    def __iter__(self) -> Iterator[TokenBatch]:
        """The batches; `report` then counts the cells and what happened to them."""
        self.report = {} if self.genes is None else {"genes": self.genes}
        waiting: list[list[TokenBatch]] = [[] for _ in self.buckets]
        for start in range(self.start, self.stop, self.rows_at_once):
            stop = min(start + self.rows_at_once, self.stop)
            tokens = self._tokenise(self.rows.read(start, stop), start, stop)
            for name, count in tokens.report.items():
                self.report[name] = self.report.get(name, 0) + count
            for place, rows in self._sort(tokens, start):
                waiting[place].append(rows)
                bucket = self.buckets[place]
                if sum(len(part.cells) for part in waiting[place]) >= bucket.cells:
                    *full, rest = _divide(_join(waiting[place]), bucket.cells)
                    waiting[place] = [TokenBatch(*map(np.copy, rest))]  # the rest of it may go
                    yield from full
        for bucket, parts in zip(self.buckets, waiting):
            if any(len(part.cells) for part in parts):
                yield _fill(_join(parts), bucket.cells)

    def _tokenise(self, chunk: sparse.csr_array, start: int, stop: int) -> CellTokens:
        totals = {} if self.totals is None else {"totals": self.totals[start:stop]}
        try:
            return self.tokenise(chunk, **totals)
        except GrnjaxError as error:
            where = f"{self.rows.name}, rows {start:,} to {stop - 1:,}"
            raise type(error)(f"{where}: {error}") from error

    def _sort(self, tokens: CellTokens, start: int) -> Iterator[tuple[int, TokenBatch]]:
        """The cells of a chunk padded to the length of their bucket, by the bucket's place."""
        lengths = np.array([bucket.length for bucket in self.buckets])
        place = np.searchsorted(lengths, tokens.lengths)
        if len(place) and place.max() == len(lengths):
            raise ConfigError(
                f"{self.rows.name}: a cell has {tokens.lengths.max():,} tokens and the longest "
                f"bucket {lengths[-1]:,}. Give a longer one, or cut the cells."
            )
        for number in np.unique(place).tolist():
            own, length = np.flatnonzero(place == number), int(lengths[number])
            padded = tokens.pad(own, length, token=self.token, value=self.value)
            yield number, TokenBatch(*padded, tokens.cells[own] + start)


def _join(parts: list[TokenBatch]) -> TokenBatch:
    return TokenBatch(*map(np.concatenate, zip(*parts, strict=True)))


def _divide(rows: TokenBatch, cells: int) -> list[TokenBatch]:
    """Whole batches of so many cells, and last what is left, which may be nothing."""
    starts = range(0, len(rows.cells) // cells * cells + 1, cells)
    return [TokenBatch(*(array[start : start + cells] for array in rows)) for start in starts]


def _fill(rows: TokenBatch, cells: int) -> TokenBatch:
    """A whole batch, in which the first cell stands in every row that is left."""
    index = np.zeros(cells, np.int64)
    index[: len(rows.cells)] = np.arange(len(rows.cells))
    filled = TokenBatch(*(array[index] for array in rows))
    filled.cells[len(rows.cells) :] = -1
    return filled
