"""Binned tokens of scGPT (Cui et al. 2024, Methods, "input embeddings" and "value binning").

A cell is `<cls>` and its detected genes. The values of these are binned within the cell, so that
they stand on one scale whatever the depth: with `bins` bins, edges at `bins` - 1 quantiles of the
cell's non-zero values, bin 0 for zeros alone. A cell with more genes than the length holds keeps a
random sample of them, drawn after the binning.

Ties: a value may equal several edges. `upper` puts it above all of them, always the same; `random`
spreads it over the bins between, as the reference does. What is drawn comes from the seed and the
content of the cell, so that order and number of cells, chunks and columns change nothing. Genes
stand in the order of the columns, which the model, having no positions, does not see.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from grnjax.config import AtLeastTwo, Count
from grnjax.errors import ConfigError
from grnjax.foundation.tokens import (
    CellTokens,
    TokeniserConfig,
    join_lists,
    keep_cells,
    select_genes,
    take_rows,
)
from grnjax.foundation.vocabulary import GeneMatch

SPECIAL = ("<pad>", "<cls>", "<eoc>")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScGPTTokeniserConfig(TokeniserConfig):
    """How cells become genes with binned values; the first three fields are those of args.json."""

    bins: AtLeastTwo = 51
    """n_bins; bin 0 is for zeros."""
    length: AtLeastTwo = 1200
    """max_seq_len, `<cls>` counted."""
    pad_value: float = -2.0
    """What stands in the place of a value at `<cls>` and at padding."""
    ties: Literal["upper", "random"] = "upper"
    """Which bin a value takes that equals several edges."""
    seed: Count = 0
    """Of the sample of genes of large cells, and of `random` ties."""

    def __post_init__(self):
        super().__post_init__()
        if self.bins < 3:
            raise ConfigError("bins must be 3 or more: one for zeros and one edge within others.")


def read_special(vocabulary: Mapping[str, int]) -> dict[str, int]:
    """The vocabulary with <pad>, <cls> and <eoc>; those that it lacks are appended, as by scGPT.

    Raises:
        ConfigError: the tokens are not 0, 1, ... each once.
    """
    full = {name: int(token) for name, token in vocabulary.items()}
    if sorted(full.values()) != list(range(len(full))):
        raise ConfigError(
            f"The {len(full):,} tokens of the vocabulary are not 0 to {len(full) - 1:,}, each once."
        )
    for name in SPECIAL:
        full.setdefault(name, len(full))
    return full


def find_edges(values: Float[np.ndarray, " gene"], bins: int) -> Float[np.ndarray, " edge"]:
    """The edges of the bins of a cell: `bins` - 1 quantiles of its non-zero values.

    Those of `np.quantile`, with which a cell took ten times as long.
    """
    ordered = np.sort(values)
    places = np.linspace(0, 1, bins - 1) * (len(ordered) - 1)
    below = places.astype(np.int64)
    above = np.minimum(below + 1, len(ordered) - 1)
    share, step = places - below, ordered[above] - ordered[below]
    return np.where(share < 0.5, ordered[below] + step * share, ordered[above] - step * (1 - share))


def bin_range(
    values: Float[np.ndarray, " gene"], edges: Float[np.ndarray, " edge"]
) -> tuple[Int[np.ndarray, " gene"], Int[np.ndarray, " gene"]]:
    """The lowest and the highest bin that each value may take, both included."""
    highest = np.searchsorted(edges, values, side="right")
    lowest = np.searchsorted(edges, values, side="left")
    return np.minimum(lowest + 1, highest), highest


def bin_values(
    values: Float[np.ndarray, " gene"],
    bins: int,
    draws: np.random.Generator | None = None,
) -> Int[np.ndarray, " gene"]:
    """The bin of each non-zero value of a cell, 1 to `bins` - 1.

    Args:
        draws: spreads values that equal several edges; None puts them above all of these.
    """
    lowest, highest = bin_range(values, find_edges(values, bins))
    if draws is None:
        return highest
    return draws.integers(lowest, highest, endpoint=True)


def tokenise(
    values,
    match: GeneMatch,
    vocabulary: Mapping[str, int],
    config: ScGPTTokeniserConfig = ScGPTTokeniserConfig(),
) -> CellTokens:
    """`<cls>` and the detected genes of each cell, and the bin of each, `pad_value` at `<cls>`.

    Args:
        values: [cell, gene] of a chunk, CSR or dense; only their order in a cell counts.
        match: of the columns with the vocabulary.
        vocabulary: as `read_special` returns it.

    Raises:
        ExpressionFormatError: values that are not what the settings say, or a cell without any gene
            of the vocabulary where these are refused.
    """
    rows = take_rows(values, config)
    selected, tokens = select_genes(rows, match, config)
    sizes = np.diff(selected.indptr)
    cells, report = keep_cells(sizes > 0, config, "have no gene of the vocabulary")
    room, start = config.length - 1, [vocabulary["<cls>"]]
    lists, beside = [], []
    for cell in cells:
        part = slice(*selected.indptr[cell : cell + 2])
        own, counts = tokens[selected.indices[part]], selected.data[part]
        by_token = np.argsort(own)
        is_drawn = config.ties == "random", len(own) > room
        draws = seed_cell(own[by_token], counts[by_token], config.seed) if any(is_drawn) else None
        binned = np.empty(len(own))
        tied = draws if is_drawn[0] else None
        binned[by_token] = bin_values(counts[by_token], config.bins, tied)
        if draws is not None and is_drawn[1]:
            kept = np.sort(by_token[draws.choice(len(own), room, replace=False)])
            own, binned = own[kept], binned[kept]
        lists.append(np.concatenate([start, own]))
        beside.append(np.concatenate([[config.pad_value], binned]))
    report["sampled"] = int((sizes > room).sum())
    return join_lists(lists, beside, cells, report)


def seed_cell(tokens: np.ndarray, values: np.ndarray, seed: int) -> np.random.Generator:
    """Random numbers that belong to the content of a cell, its tokens in ascending order."""
    content = np.ascontiguousarray(tokens).astype("<i8").tobytes()
    content += np.ascontiguousarray(values).astype("<f8").tobytes()
    digest = hashlib.blake2b(content, digest_size=16).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest, "<u4").tolist()])
