"""GRNBoost2: how much each TF's expression helps boosted trees to predict a target's.

Moerman et al. 2019, Bioinformatics 35:2159; settings of its program arboreto. For each target,
stochastic gradient boosting of small regression trees on the expression of the other TFs, stopped
when trees no longer help cells outside their bag. A TF's score is its share of what all trees of
the target lowered the squared error by, times the number of trees, so that targets which are
explained well weigh more.

All targets are boosted at once and share the draws of a round (`grnjax.baselines.trees`). Two
things differ from scikit-learn, on which arboreto rests: TFs are spread evenly over the rounds,
and a node in which none of the TFs tried varies is left whole, where scikit-learn would try more.
A third does for many cells: cuts are tried between bins (`GRNBoost2Config.cuts`).
"""

import dataclasses
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from grnjax.baselines.binned_cuts import Binned
from grnjax.baselines.exact_cuts import Presorted
from grnjax.baselines.sparse_cuts import SparseBinned, SparseDraw
from grnjax.baselines.trees import Draw, Plan, grow_trees
from grnjax.config import Positive, Range, Rate, Settings, Share
from grnjax.data.expression_features import find_varying, standardise
from grnjax.storage.memory import count_cores
from grnjax.types import GeneTable

REGROUP_EVERY = 5  # rounds until targets that stopped make room for others
MANY_CELLS = 1000  # from so many on, cuts are tried between bins
NOWHERE = -1


@dataclasses.dataclass(frozen=True, kw_only=True)
class GRNBoost2Config(Settings):
    """How each target is boosted; the defaults are arboreto's."""

    learning_rate: Rate = 0.01
    rounds: Positive = 5000
    """Trees at most."""
    depth: Annotated[int, Range(1, 6)] = 3
    tf_share: Annotated[float, Range(0, 1, ends="(]")] = 0.1
    """Share of the candidate TFs that is tried at each node; one at least."""
    bag_share: Share = 0.9
    """Share of the cells that a tree is grown on."""
    window: Positive = 25
    """A target stops when the mean improvement of so many rounds falls below zero."""
    improvement: Literal["same-cells", "new-cells"] = "same-cells"
    """What a round improved: the error on the cells outside its bag, from before the round to
    after it; or, new-cells, from after the round before on the cells outside the bag of that one,
    which is what scikit-learn reports since 1.3, and which ends after some 30 rounds by chance."""
    cuts: Literal["auto", "exact", "binned"] = "auto"
    """Where a tree may cut: between any two neighbouring values of a TF, or between 32 bins of
    them; auto: exact below 1,000 cells."""

    def tried(self, candidates: int) -> int:
        """How many of so many candidate TFs are tried at a node."""
        return max(1, int(self.tf_share * candidates))

    def plan(self, cells: int, tfs: int) -> Plan:
        """What a round draws; each node one TF more if a target among them would lack it."""
        return Plan(
            depth=self.depth,
            cells=cells,
            tfs=tfs,
            bag=max(1, int(self.bag_share * cells)),
            tried=self.tried(tfs),
            slots=min(tfs, max(self.tried(tfs), self.tried(tfs - 1) + 1)),
        )

    def searcher(self, cells: int) -> type[Presorted | Binned | SparseBinned]:
        """What draws trees of so many cells, and finds their cuts."""
        if self.cuts == "exact" or (self.cuts == "auto" and cells < MANY_CELLS):
            return Presorted
        return SparseBinned if jax.default_backend() == "cpu" else Binned


class Block(NamedTuple):
    """Targets that are boosted together, and how far they have come; targets stand last."""

    residual: Float[Array, "cell target"]  # of expression with deviation 1
    gains: Float[Array, "tf target"]  # by how much each TF lowered the sum of squares
    improved: Float[Array, "window target"]  # by the last rounds, each in its turn
    error: Float[Array, " target"]  # outside the bag of the last round
    rounds: Int[Array, " target"]  # trees so far
    runs: Bool[Array, " target"]  # until the target stops
    own: Int[Array, " target"]  # place of the target among the TFs; -1 if it is none
    place: Int[Array, " target"]  # among the targets asked for


def score_targets(
    genes: GeneTable, targets: Int[np.ndarray, " target"], config: GRNBoost2Config, *, seed: int
) -> Float[np.ndarray, "tf target"]:
    """Importance of every TF for the targets; 0 for self pairs and genes that never vary.

    A round draws from the seed and its number alone, so what a target gets does not depend on
    which others are asked for; many at once are faster.
    """
    scores = np.zeros((len(genes.tfs), len(targets)), np.float32)
    varies = find_varying(genes)
    rows = np.flatnonzero(varies[genes.tfs])  # the other TFs can cut nothing
    tfs = genes.tfs[rows]
    left = start(genes, targets, tfs, varies, config)
    if not len(left.place):
        return scores
    prepared = config.searcher(len(genes.expression))(genes.expression[:, tfs])
    plan = config.plan(len(genes.expression), len(tfs))
    with ThreadPoolExecutor(count_cores()) as cores:
        for first in range(0, config.rounds, REGROUP_EVERY):
            if not len(left.place):
                break
            blocks = split(left, prepared.choose_width(plan, len(left.place)))
            numbers = range(first, min(first + REGROUP_EVERY, config.rounds))
            for number in numbers:
                blocks = boost_all(blocks, prepared.draw(seed, number, plan), number, config, cores)
            left = join(blocks)
            ends = ~left.runs | (numbers.stop == config.rounds)
            ended, left = take(left, ends), take(left, ~ends)
            scores[np.ix_(rows, ended.place)] = importance(ended)
    return scores


def boost_all(
    blocks: list[Block],
    draw: Draw | SparseDraw,
    number: int,
    config: GRNBoost2Config,
    cores: ThreadPoolExecutor,
) -> list[Block]:
    """All blocks after one more round, one after the other or, by sparse tables, one a core."""
    if isinstance(draw, Draw):
        return [boost(block, draw, number, config=config) for block in blocks]
    return list(cores.map(lambda block: boost_by_tables(block, draw, number, config), blocks))


def start(
    genes: GeneTable,
    targets: Int[np.ndarray, " target"],
    tfs: Int[np.ndarray, " tf"],
    varies: Bool[np.ndarray, " gene"],
    config: GRNBoost2Config,
) -> Block:
    """The targets that can be explained, before the first round: predicted by their mean."""
    own = np.full(len(genes.names), -1, np.int32)
    own[tfs] = np.arange(len(tfs))
    place = np.flatnonzero(varies[targets] & (len(tfs) > (own[targets] >= 0)))
    count = len(place)
    return Block(
        residual=standardise(genes.expression[:, targets[place]]),
        gains=np.zeros((len(tfs), count), np.float32),
        improved=np.zeros((config.window, count), np.float32),
        error=np.zeros(count, np.float32),
        rounds=np.zeros(count, np.int32),
        runs=np.ones(count, bool),
        own=own[targets[place]],
        place=place.astype(np.int32),
    )


def take(block: Block, chosen: np.ndarray) -> Block:
    """Some targets of a block: a mask, a slice or places."""
    return jax.tree.map(lambda array: array[..., chosen], block)


def split(block: Block, width: int) -> list[Block]:
    """Blocks of just so many targets; the last is filled up with some that `join` drops."""
    return [
        fill_up(take(block, slice(first, first + width)), width)
        for first in range(0, len(block.place), width)
    ]


def fill_up(block: Block, width: int) -> Block:
    """The block with copies of its first target, without a place among those asked for."""
    missing = width - len(block.place)
    filled = take(block, np.append(np.arange(len(block.place)), np.zeros(missing, int)))
    filled.place[width - missing :] = NOWHERE
    return filled


def join(blocks: list[Block]) -> Block:
    """The targets of all blocks, without what filled them up."""
    joined = jax.tree.map(lambda *arrays: np.concatenate(arrays, axis=-1), *blocks)
    return take(joined, joined.place != NOWHERE)


def importance(block: Block) -> Float[np.ndarray, "tf target"]:
    """Each TF's share of what the trees of a target explain, times their number."""
    total = block.gains.sum(axis=0)
    return block.gains / np.where(total > 0, total, 1) * block.rounds


@functools.partial(jax.jit, static_argnames="config")
def boost(block: Block, draw: Draw, number: int, *, config: GRNBoost2Config) -> Block:
    """The block after one more round; targets that stopped keep their gains and rounds."""
    allowed = find_allowed(draw.tried, block.own, config, tfs=len(block.gains))
    grown = grow_trees(block.residual, draw, allowed, depth=config.depth, tfs=len(block.gains))
    return learn(block, *grown, draw.in_bag, number, config=config)


def boost_by_tables(block: Block, draw: SparseDraw, number: int, config: GRNBoost2Config) -> Block:
    """The same by trees that sparse tables grow."""
    tfs = len(block.gains)
    allowed = np.asarray(find_allowed(draw.tried, block.own, config, tfs=tfs))
    grown = draw.grow(np.asarray(block.residual), allowed, depth=config.depth, tfs=tfs)
    return learn(block, *grown, draw.in_bag, number, config=config)


@functools.partial(jax.jit, static_argnames="config")
def learn(
    block: Block,
    predicted: Float[Array, "cell target"],
    gains: Float[Array, "tf target"],
    in_bag: Float[Array, " cell"],
    number: int,
    *,
    config: GRNBoost2Config,
) -> Block:
    """The block once it has the trees of a round: their gains, and what is left to predict."""
    residual = block.residual - config.learning_rate * predicted
    outside = (1 - in_bag) / jnp.sum(1 - in_bag)
    before = jnp.matmul(outside, block.residual**2, precision="highest")
    after = jnp.matmul(outside, residual**2, precision="highest")
    if config.improvement == "new-cells":
        before = jnp.where(number == 0, before, block.error)
    improved = block.improved.at[number % config.window].set(before - after)
    stops = (number >= config.window - 1) & (improved.mean(axis=0) < 0)
    return Block(
        residual=residual,
        gains=jnp.where(block.runs, block.gains + gains, block.gains),
        improved=improved,
        error=after,
        rounds=block.rounds + block.runs,
        runs=block.runs & ~stops,
        own=block.own,
        place=block.place,
    )


@functools.partial(jax.jit, static_argnames=("config", "tfs"))
def find_allowed(
    tried: Int[Array, " slot"], own: Int[Array, " target"], config: GRNBoost2Config, *, tfs: int
) -> Bool[Array, "slot target"]:
    """Which slots a target may use: so many of each node as it tries, and never itself."""
    tried = tried.reshape(2**config.depth - 1, -1)
    is_own = tried[..., None] == own  # [node, slot, target]
    slot = jnp.arange(tried.shape[1])[:, None]
    own_slot = jnp.where(is_own, slot, len(slot)).min(axis=1, keepdims=True)
    most = jnp.where(own < 0, config.tried(tfs), config.tried(tfs - 1))
    return (~is_own & (slot - (slot > own_slot) < most)).reshape(tried.size, -1)
