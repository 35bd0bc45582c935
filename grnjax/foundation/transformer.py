"""Transformer blocks that normalise after each part, as BERT and torch's encoder layer have them.

    x = LN(x + attention(x)),    x = LN(x + W2 act(W1 x))

(Vaswani et al. 2017, section 3.1; Devlin et al. 2019). Geneformer, the encoder of scFoundation and
scGPT are made of them and differ in sizes, activation and the epsilon of the norms.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from grnjax.config import DropRate, Positive, Range, Rate, Settings
from grnjax.errors import ConfigError
from grnjax.foundation.dense import Dense
from grnjax.models.attention import attend
from grnjax.models.layers import Dropout
from grnjax.types import AnyArray, shapes

SPREAD = 0.02
"""Standard deviation of weights before training, in all published config files."""
ACTIVATIONS: dict[str, Callable] = {
    "relu": jax.nn.relu,
    "gelu": functools.partial(jax.nn.gelu, approximate=False),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformerConfig(Settings):
    """Settings of `Block`, and how many there are."""

    layers: Annotated[int, Range(1, 256)]
    width: Positive
    """Numbers in the vector of a token; a multiple of the heads."""
    heads: Positive
    feed_forward: Positive
    """Width inside the feed-forward part of a block."""
    norm_epsilon: Rate
    """Added to the variance by each norm: 1e-12 in BERT, 1e-5 in torch."""
    activation: Literal["relu", "gelu"] = "relu"
    """Of the feed-forward part; gelu is the exact one."""
    dropout: DropRate = 0.0
    """Of what each part adds, while training."""
    attention_dropout: DropRate = 0.0
    """Of attention weights, while training."""
    inner_dropout: DropRate = 0.0
    """Inside the feed-forward part, while training; torch's encoder layer has it, BERT has none."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """What products are computed in; parameters, sums, norms and softmax are float32. The states
    of six blocks of width 256 before training, with a spread of 1, so differ by 0.0053 at most."""
    recompute: bool = False
    """Whether the backward pass computes the blocks again: less memory for a third more time."""
    scan: bool = False
    """Whether the program is one block, run with the parameters of each in turn, instead of all
    blocks: a small program for a second copy of the parameters. Its dropout draws differently."""

    def __post_init__(self):
        super().__post_init__()
        if self.width % self.heads:
            raise ConfigError(f"width {self.width} cannot be divided among {self.heads} heads.")

    @property
    def drops(self) -> bool:
        """Whether training draws anything."""
        return max(self.dropout, self.attention_dropout, self.inner_dropout) > 0


class Block(nn.Module):
    """Self-attention and a feed-forward network, each added to its input and then normalised."""

    config: TransformerConfig

    @nn.compact
    def __call__(
        self, x: Float[Array, "cell token dim"], is_real: Bool[AnyArray, "cell token"], train: bool
    ) -> Float[Array, "cell token dim"]:
        config = self.config
        attended = SelfAttention(config, name="attention")(x, is_real, train)
        x = x + Dropout(config.dropout)(attended, train=train).astype(jnp.float32)
        x = make_norm(config, "attention_norm")(x)
        inner = make_dense(config, config.feed_forward, "ffn_in")(x)
        inner = Dropout(config.inner_dropout)(ACTIVATIONS[config.activation](inner), train=train)
        outer = make_dense(config, config.width, "ffn_out")(inner)
        x = x + Dropout(config.dropout)(outer, train=train).astype(jnp.float32)
        return make_norm(config, "ffn_norm")(x)


class SelfAttention(nn.Module):
    """Tokens of a cell read each other; those that are not real are read by none.

    A cell without any real token, which fills a batch up, reads all of its own.
    """

    config: TransformerConfig

    @nn.compact
    def __call__(
        self, x: Float[Array, "cell token dim"], is_real: Bool[AnyArray, "cell token"], train: bool
    ) -> Float[Array, "cell token dim"]:
        config, heads = self.config, self.config.heads
        shape = (heads, config.width // heads)
        query, key, value = (
            make_dense(config, shape, name)(x) for name in ("query", "key", "value")
        )
        is_real = jnp.asarray(is_real)
        is_key = is_real | ~is_real.any(axis=1, keepdims=True)
        share = config.attention_dropout if train else 0.0
        rng = self.make_rng("dropout") if share else None
        read = attend(query, key, value, is_key, dropout=share, rng=rng)
        return make_dense(config, config.width, "out", axes=2)(read)


def make_dense(
    config: TransformerConfig, shape: int | tuple[int, ...], name: str, *, axes: int = 1
) -> Dense:
    """A linear map from the last axes to others, in the type of the config."""
    shape = (shape,) if isinstance(shape, int) else shape
    return Dense(shape, config.dtype, axes, init=nn.initializers.normal(SPREAD), name=name)


def make_norm(config: TransformerConfig, name: str) -> nn.LayerNorm:
    """A norm in float32, whose variance is the mean square of what is left without the mean."""
    return nn.LayerNorm(config.norm_epsilon, dtype=jnp.float32, use_fast_variance=False, name=name)


def make_blocks(config: TransformerConfig) -> list[Block]:
    """The blocks, `layer_0` and so on, for the setup of a module."""
    kind = nn.remat(Block, static_argnums=(3,)) if config.recompute else Block
    return [kind(config, name=f"layer_{i}") for i in range(config.layers)]


@shapes
def run_blocks(
    blocks: Sequence[nn.Module],
    x: Float[Array, "cell token dim"],
    is_real: Bool[AnyArray, "cell token"],
    *,
    train: bool,
) -> list[Float[Array, "cell token dim"]]:
    """What goes into the first block, and what comes out of each."""
    if blocks and blocks[0].config.scan and not blocks[0].is_initializing():
        return scan_blocks(blocks, x, is_real, train)
    states = [x]
    for block in blocks:
        states.append(block(states[-1], is_real, train))
    return states


def scan_blocks(blocks: Sequence[nn.Module], x, is_real, train: bool) -> list[jax.Array]:
    """The same, one block compiled for all."""
    first, config = blocks[0], blocks[0].config
    draws = train and config.drops
    keys = jax.random.split(first.make_rng("dropout") if draws else jax.random.key(0), len(blocks))
    params = [block.variables["params"] for block in blocks]
    block = Block(config, parent=None)

    def step(x, turn):
        params, key = turn
        rngs = {"dropout": key} if draws else {}
        x = block.apply({"params": params}, x, is_real, train, rngs=rngs)
        return x, x

    step = jax.checkpoint(step) if config.recompute else step
    turns = jax.tree.map(lambda *leaves: jnp.stack(leaves), *params), keys
    last, states = jax.lax.scan(step, x, turns)
    return [x, *(states[i] for i in range(len(blocks) - 1)), last]


def count_blocks(layers: int, layer: str) -> int:
    """How many blocks make the hidden state of a name; later ones need not run.

    Args:
        layer: `last`; `penultimate`, the one before it; or a number, 0 for what goes into the
            first.
    """
    named = {"last": layers, "penultimate": layers - 1}
    count = named.get(layer, int(layer) if layer.isdecimal() else -1)
    if not 0 <= count <= layers:
        raise ConfigError(
            f"there is no layer {layer}: it is last, penultimate, or 0 to {layers}, the number of "
            "blocks."
        )
    return count
