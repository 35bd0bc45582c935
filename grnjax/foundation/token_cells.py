"""All cells of a data set as tokens of one length, in memory, for training."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from grnjax.errors import ConfigError
from grnjax.foundation.token_stream import Bucket, TokenStream

CELLS_AT_ONCE = 64


class TokenTable(NamedTuple):
    """Cells with tokens, in the order of the data."""

    tokens: Int[np.ndarray, "cell token"]  # in the smallest type that holds them
    values: Float[np.ndarray, "cell token"] | None  # float32
    lengths: Int[np.ndarray, " cell"]
    rows: Int[np.ndarray, " cell"]  # of the data; cells without tokens are left out


def collect(stream: TokenStream, longest: int, *, with_values: bool) -> TokenTable:
    """The tokens of all cells of a stream, padded to the longest of them.

    Args:
        stream: whose buckets are replaced.
        longest: most tokens of a cell.

    Raises:
        ConfigError: no cell has tokens.
    """
    stream.buckets = (Bucket(longest, CELLS_AT_ONCE),)
    parts, length = [], 0
    for batch in stream:
        real = batch.cells >= 0
        sizes = batch.is_real[real].sum(axis=1)
        most = int(sizes.max(initial=0))
        length = max(length, most)
        small = np.min_scalar_type(int(batch.tokens.max(initial=0)))
        values = batch.values[real, :most].copy() if with_values else None
        tokens = batch.tokens[real, :most].astype(small)
        parts.append((tokens, values, sizes, batch.cells[real]))
    if not parts:
        raise ConfigError(
            f"{stream.rows.name}: none of {len(stream.rows):,} cells has enough genes of the model."
        )

    def join(place: int, pad: float):
        found = [
            np.pad(part[place], [(0, 0), (0, length - part[place].shape[1])], constant_values=pad)
            for part in parts
        ]
        return np.concatenate(found)

    sizes, rows = (np.concatenate([part[place] for part in parts]) for place in (2, 3))
    order = np.argsort(rows)
    tokens = join(0, 0)[order]  # what pads is never read
    values = join(1, stream.value)[order] if with_values else None
    return TokenTable(tokens, values, sizes[order].astype(np.int32), rows[order])
