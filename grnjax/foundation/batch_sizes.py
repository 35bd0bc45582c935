"""How many cells of a length make a batch, from the memory at hand.

A cell's memory is estimated from the sizes of the model: what stands at once in a block, scores of
attention above all. The estimate is an upper one; `tests/foundation/test_batch_sizes.py` holds it
against what the compiler says. No result depends on the choice beyond rounding.
"""

import dataclasses
from collections.abc import Sequence

import jax

from grnjax.config import Settings
from grnjax.errors import ConfigError
from grnjax.foundation.performer import PerformerConfig
from grnjax.foundation.scbert import ScBertConfig
from grnjax.foundation.scfoundation import ScFoundationConfig
from grnjax.foundation.token_stream import TOKENS_AT_ONCE, Bucket
from grnjax.foundation.transformer import TransformerConfig
from grnjax.models.attention import SCORES_AT_ONCE
from grnjax.progress import logger
from grnjax.storage.memory import find_memory

NUMBER = 4  # bytes of a float32
USED = 0.5  # of the memory at hand, at most
TOKENS_ON_ACCELERATOR = 2**18  # of a batch and device; more are no faster


@dataclasses.dataclass(frozen=True)
class BatchSizes:
    """Buckets with their cells, and what they were chosen by."""

    buckets: tuple[Bucket, ...]
    at_hand: int  # bytes of a device
    needed: int  # bytes of a device for the largest of the batches, estimated

    def tell(self) -> None:
        """Says what was chosen, and warns where one cell is more than there is."""
        sizes = ", ".join(f"{x.cells:,} of up to {x.length:,} tokens" for x in self.buckets)
        memory = f"{self.needed / 2**30:.2f} of {self.at_hand / 2**30:.1f} GiB at hand"
        logger.info("cells of a batch: %s (%s)", sizes, memory)
        if self.needed > self.at_hand:
            logger.warning(
                "one cell of %s tokens may take %s: close other programs, or take a smaller model",
                *(f"{self.buckets[-1].length:,}", memory),
            )


def choose_batches(
    config: Settings,
    lengths: Sequence[int],
    devices: Sequence[jax.Device],
    *,
    shares: int,
    most_cells: int,
    at_hand: int | None = None,
) -> BatchSizes:
    """The cells of a batch for each length: a power of two a device, as memory allows.

    Args:
        config: settings of the model.
        lengths: tokens of the buckets, ascending.
        devices: that a batch is for.
        shares: into which its cells are divided, fewer than devices where these share a model.
        most_cells: that there are at once.
        at_hand: bytes of a device; by default as found.
    """
    at_hand = find_memory(devices) if at_hand is None else at_hand
    on_cpu = devices[0].platform == "cpu"
    tokens = TOKENS_AT_ONCE // shares if on_cpu else TOKENS_ON_ACCELERATOR
    buckets, needed = [], 0
    for length in lengths:
        cell = estimate_cell(config, length)
        most = min(tokens // count_tokens(config, length), int(USED * at_hand) // cell)
        own = 2 ** (max(1, most).bit_length() - 1)
        own = min(own, -(-most_cells // shares))  # of few cells none are computed for nothing
        buckets.append(Bucket(length, own * shares))
        needed = max(needed, own * cell)
    return BatchSizes(tuple(buckets), at_hand, needed)


def count_tokens(config: Settings, length: int) -> int:
    """Tokens that a cell of a bucket is computed for; scFoundation decodes all places of any."""
    return max(length, config.places) if isinstance(config, ScFoundationConfig) else length


def estimate_cell(config: Settings, tokens: int) -> int:
    """Bytes that a cell of so many tokens takes in a forward pass, beside the parameters.

    Raises:
        ConfigError: a model of which that is not known.
    """
    if isinstance(config, TransformerConfig):
        return estimate_blocks(config, tokens)
    if isinstance(config, ScBertConfig):
        return estimate_performer(config.performer, tokens)
    if isinstance(config, ScFoundationConfig):
        places, width = config.places, config.encoder.width
        values = places * (3 * width + 4 * config.value_bins) * NUMBER
        return (
            estimate_blocks(config.encoder, tokens)
            + estimate_performer(config.decoder, places)
            + values
        )
    raise ConfigError(f"the memory of a {type(config).__name__} is not known; give --batch-size.")


def estimate_blocks(config: TransformerConfig, tokens: int) -> int:
    """The vectors of a block, and scores as they are normalised, of heads that stand at once."""
    heads = 1 if jax.default_backend() == "cpu" else config.heads  # `models.attention.attend`
    scores = 3 * heads * min(tokens**2, SCORES_AT_ONCE)
    vectors = tokens * (10 * config.width + 2 * config.feed_forward)
    return (scores + vectors) * NUMBER


def estimate_performer(config: PerformerConfig, tokens: int) -> int:
    """Vectors of a layer, queries, keys and values, each also in blocks; sums over keys."""
    inner = config.heads * config.head_width
    vectors = tokens * (6 * config.width + 9 * inner + 2 * config.feed_forward)
    sums = 4 * config.heads * config.features * (config.head_width + 1)
    return (vectors + sums) * NUMBER
