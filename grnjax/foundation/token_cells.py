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
    tokens, values, sizes, rows = [], [], [], []
    length = 0
    for batch in stream:
        real = batch.cells >= 0
        sizes.append(batch.is_real[real].sum(axis=1))
        most = int(sizes[-1].max(initial=0))
        length = max(length, most)
        small = np.min_scalar_type(int(batch.tokens.max(initial=0)))
        tokens.append(batch.tokens[real, :most].astype(small))
        if with_values:
            values.append(batch.values[real, :most].copy())
        rows.append(batch.cells[real])
    if not rows:
        raise ConfigError(
            f"{stream.rows.name}: none of {len(stream.rows):,} cells has enough genes of the model."
        )

    cells = np.concatenate(rows)
    order = np.argsort(cells)

    def join(parts: list[np.ndarray], pad: float) -> np.ndarray:
        found = [
            np.pad(part, [(0, 0), (0, length - part.shape[1])], constant_values=pad)
            for part in parts
        ]
        return np.concatenate(found)[order]

    return TokenTable(
        tokens=join(tokens, 0),  # what pads is never read
        values=join(values, stream.value) if with_values else None,
        lengths=np.concatenate(sizes)[order].astype(np.int32),
        rows=cells[order],
    )
