"""One fit of the kernel-informed factor model: kernel weights, members, the step they stop at."""

import dataclasses
import functools
import sys
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int

from grnjax.config import Positive, Settings
from grnjax.data.label_matrix import LabelMatrix, label_matrix, places_of
from grnjax.errors import SplitError
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.methods.kernel_factor.bank import FeatureBank
from grnjax.methods.kernel_factor.large_fit import (
    MOST_WEIGHING,
    PER_TF,
    ask_some_first,
    choose_panel,
    logits_at,
    score_on_panel,
)
from grnjax.models.gene_kernels import Coordinates
from grnjax.models.kernel_factor import KernelFactorConfig, PairGrid, start_members
from grnjax.models.nearest_genes import ask_nearest
from grnjax.models.pair_features import attend_to_tfs
from grnjax.training.factor_blocks import BlockConfig, train_on_blocks
from grnjax.training.factor_ensemble import EnsembleConfig, score_members, train_members
from grnjax.training.factor_sharding import take_from_first
from grnjax.training.kernel_weights import KernelWeightConfig, learn_kernel_weights
from grnjax.types import LabelledPairs

POOLED = ("auroc", "average_precision", "swap_micro")
DISJOINT = ("within_tf_auroc", "swap_micro")


@dataclasses.dataclass(frozen=True, kw_only=True)
class KernelFactorSettings(Settings):
    """Settings of the kernel-informed factor model; one recipe for all splits."""

    model: KernelFactorConfig = KernelFactorConfig()
    kernels: KernelWeightConfig = KernelWeightConfig()
    training: EnsembleConfig = EnsembleConfig()
    most_genes: int = 3000
    """Above this many genes, kernels are replaced by random features of them."""
    all_coordinates: Positive = 1500
    """Above this many genes, a gene has the leading principal coordinates of kernels, not all."""
    coordinates: Positive = 512
    """How many those are."""
    blocks: BlockConfig = BlockConfig()
    """Where TFs times genes are many; kernels are replaced there, too."""

    def count_coordinates(self, genes: int) -> int:
        """The principal coordinates that one of so many genes has at most."""
        return genes if genes <= self.all_coordinates else self.coordinates

    def is_large(self, tfs: int, genes: int) -> bool:
        """Whether so many TFs and genes are worked through by blocks."""
        return tfs * genes > self.blocks.above


class Learned(NamedTuple):
    """Everything that training made."""

    weights: Float[np.ndarray, " kernel"]
    members: dict[str, np.ndarray]  # parameters [member, ...] at the chosen step
    step: Int[np.ndarray, ""]
    validation: Float[np.ndarray, " snapshot"]  # the score of each snapshot


class Inputs(NamedTuple):
    """Where genes lie, and all that is known of pairs."""

    coordinates: Coordinates | None  # None where no source has gene values
    grid: PairGrid


@dataclasses.dataclass(frozen=True, eq=False)
class KernelFactorFit:
    """What was learned, and what it is applied to."""

    learned: Learned
    grid: PairGrid
    coordinates: Coordinates | None  # None where no source has gene values
    model: KernelFactorConfig
    is_large: bool = False  # more pairs than are scored at once

    def logits_at(
        self, rows: Int[np.ndarray, " pair"], columns: Int[np.ndarray, " pair"]
    ) -> Float[np.ndarray, "member pair"]:
        """Logits of some pairs, by row of the TF and gene index, without those of all others."""
        return logits_at(self.learned.members, self.grid, rows, columns)

    def member_logits(self) -> Float[np.ndarray, "member tf gene"]:
        """Logits of every pair by each member."""
        return np.asarray(score_members(self.learned.members, self.grid))

    def logits(self) -> Float[np.ndarray, "tf gene"]:
        """Mean logits of the members."""
        return self.member_logits().mean(axis=0)


def fit_kernel_factor(
    bank: FeatureBank,
    train: LabelledPairs,
    validation: LabelledPairs,
    settings: KernelFactorSettings,
    *,
    seed: int,
    disjoint: bool,
    recall: Callable[[Callable[[], Learned], Callable[[], Learned]], Learned] | None = None,
    mesh: Mesh | None = None,
) -> KernelFactorFit:
    """The model fitted to train pairs; validation pairs choose the step it stops at.

    Args:
        disjoint: whether validation pairs have a TF or a target without train pairs: steps are
            then compared by within-TF AUROC and swap concordance, which base rates cannot raise,
            else by AUROC, AP and swap concordance.
        recall: given what describes the form of what is learned, and what learns it, reads it back
            or learns.
        mesh: devices that share the training of members.
    """
    matrix = label_matrix(train, bank.tfs, bank.genes)
    criterion = DISJOINT if disjoint else POOLED
    made: dict[bytes, Inputs] = {}
    is_large = settings.is_large(len(bank.tfs), bank.genes)

    def place(weights: np.ndarray) -> Inputs:
        """What the members see under these kernel weights; made once a fit."""
        if weights.tobytes() not in made:
            coordinates = locate_genes(bank, weights)
            grid = build_grid(bank, matrix, coordinates, settings.model, is_large=is_large)
            made[weights.tobytes()] = Inputs(coordinates, grid)
        return made[weights.tobytes()]

    def describe() -> Learned:
        return describe_learned(bank, settings)

    def learn() -> Learned:
        form = learn_on_blocks if is_large else learn_kernel_factor
        given = bank, matrix, validation, settings, seed, criterion
        return take_from_first(form(*given, place=place, mesh=mesh))

    learned = learn() if recall is None else recall(describe, learn)
    coordinates, grid = place(learned.weights)
    return KernelFactorFit(learned, grid, coordinates, settings.model, is_large)


def learn_kernel_factor(
    bank: FeatureBank,
    train: LabelMatrix,
    validation: LabelledPairs,
    settings: KernelFactorSettings,
    seed: int,
    criterion: tuple[str, ...],
    *,
    place: Callable[[np.ndarray], "Inputs"],
    mesh: Mesh | None = None,
) -> Learned:
    """Kernel weights, then members, then the snapshot that is best on validation pairs.

    Args:
        place: what the members see under the weights.
    """
    weights = take_from_first(weigh_kernels(bank, train, settings.kernels, seed))
    grid = place(weights).grid
    rows = bank.labelled
    trained = train_members(
        settings.model,
        settings.training,
        take_tfs(grid, rows),
        train.labels[rows],
        train.observed[rows],
        seed,
        mesh=mesh,
    )
    snapshots = spread_rows(trained, rows, len(bank.tfs))
    scores = score_snapshots(snapshots, grid, bank, validation, criterion)
    best = int(np.argmax(scores))
    return Learned(
        weights=weights,
        members={name: values[best] for name, values in snapshots.items()},
        step=np.array((best + 1) * settings.training.evaluate_every, np.int32),
        validation=scores,
    )


def learn_on_blocks(
    bank: FeatureBank,
    train: LabelMatrix,
    validation: LabelledPairs,
    settings: KernelFactorSettings,
    seed: int,
    criterion: tuple[str, ...],
    *,
    place: Callable[[np.ndarray], "Inputs"],
    mesh: Mesh | None = None,
) -> Learned:
    """The same where pairs are many (`large_fit`); the best snapshot alone is kept."""
    weights = weigh_kernels(bank, train, settings.kernels, seed, most_tfs=MOST_WEIGHING)
    weights = take_from_first(weights)
    grid, rows, training = place(weights).grid, bank.labelled, settings.training
    every = len(rows) == len(bank.tfs)
    part = grid if every else take_tfs(grid, rows)
    labels, observed = (x if every else x[rows] for x in (train.labels, train.observed))
    plan = settings.blocks.plan(len(rows), bank.genes, training.steps, training.snapshots)
    panel = choose_panel(validation, bank.tfs, bank.genes, seed)
    best: dict[str, np.ndarray] = {}
    scores: list[float] = []
    given = settings.model, training, plan, part, labels, observed
    snapshots = train_on_blocks(*given, seed=seed, mesh=mesh)
    for members in snapshots:
        one = {name: x[None] for name, x in members.items()}
        whole = {name: x[0] for name, x in spread_rows(one, rows, len(bank.tfs)).items()}
        score = float(np.float32(score_on_panel(whole, grid, panel, criterion)))  # as it is kept
        best = whole if score > max(scores, default=-np.inf) else best
        scores.append(score)
    form = describe_learned(bank, settings).members
    return Learned(
        weights=weights,
        members={name: best.get(name, zeros) for name, zeros in form.items()},
        step=np.array((int(np.argmax(scores)) + 1) * plan.every, np.int32),
        validation=np.array(scores, np.float32),
    )


def describe_learned(bank: FeatureBank, settings: KernelFactorSettings) -> Learned:
    """Zeros in the form of what is learned."""
    block, dim = (len(bank.tfs), bank.genes), 0 if bank.space is None else bank.space.dim
    shapes = PairGrid(
        z=(bank.genes, dim),
        features=(len(bank.pairs), *block),
        attention=(len(bank.similarities), *block),
        known_tf=block[:1],
        known_target=block[1:],
        base=(),
    )
    if bank.profiles is not None and settings.model.neighbours:
        shapes = shapes._replace(neighbours=(len(settings.model.neighbours), *block))
    present = (shape for shape in shapes if shape is not None)
    grid = PairGrid(*(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in present))
    start = functools.partial(start_members, settings.model)
    members = jax.eval_shape(start, grid, jax.random.key(0))
    return Learned(
        weights=np.zeros(len(bank.blocks), np.float32),
        members={name: np.zeros(x.shape, x.dtype) for name, x in members.items()},
        step=np.zeros((), np.int32),
        validation=np.zeros(settings.training.snapshots, np.float32),
    )


def locate_genes(bank: FeatureBank, weights: np.ndarray) -> Coordinates | None:
    """Where the genes lie by these kernel weights."""
    return None if bank.space is None else bank.space.locate(weights)


def weigh_kernels(
    bank: FeatureBank,
    train: LabelMatrix,
    config: KernelWeightConfig,
    seed: int,
    most_tfs: int = sys.maxsize,
) -> Float[np.ndarray, " kernel"]:
    """Stage 1 on a random part of the train genes, where they are many, and of so many TFs."""
    if bank.space is None:
        return np.ones(0, np.float32)
    genes = np.flatnonzero(train.observed.any(axis=0))
    rng = np.random.default_rng(seed)
    pool = np.sort(rng.permutation(genes)[: config.pool])
    tfs = bank.labelled
    if len(tfs) > most_tfs:
        tfs = np.sort(rng.choice(tfs, most_tfs, replace=False))
    at = tfs[:, None], pool
    part = LabelMatrix(bank.tfs[tfs], train.labels[at], train.observed[at])
    return learn_kernel_weights(bank.space.among(pool), part, config, seed)


def build_grid(
    bank: FeatureBank,
    train: LabelMatrix,
    coordinates: Coordinates | None,
    model: KernelFactorConfig,
    *,
    is_large: bool = False,
) -> PairGrid:
    """Everything that the model knows of all pairs; label-derived parts from train pairs.

    Args:
        is_large: whether nearest genes are asked for some TFs first, and left out where that tells
            too little.
    """
    z = np.zeros((bank.genes, 0), np.float32) if coordinates is None else coordinates.z
    attention = [attend_to_tfs(one, train) for one in bank.similarities]
    none = np.zeros((0, *train.labels.shape), np.float32)
    prevalence = train.prevalence
    if not 0 < prevalence < 1:
        raise SplitError(
            f"{int(train.observed.sum()):,} train pairs are all labelled {prevalence:.0f}: the "
            "model needs both labels; give it known edges and other pairs of their TFs."
        )
    nearest, asked = bank.nearest if model.neighbours else None, None
    if nearest is not None:
        ask = ask_some_first if is_large else ask_nearest
        asked = ask(nearest, train, model.neighbours, least=model.neighbour_least)
    return PairGrid(
        z=z,
        features=bank.pairs,
        attention=np.stack(attention) if attention else none,
        known_tf=train.observed.any(axis=1).astype(np.float32),
        known_target=train.observed.any(axis=0).astype(np.float32),
        base=np.float32(np.log(prevalence) - np.log1p(-prevalence)),
        neighbours=asked,
    )


def take_tfs(grid: PairGrid, rows: np.ndarray) -> PairGrid:
    """The grid of some of its TFs."""
    return grid._replace(
        features=grid.features[:, rows],
        attention=grid.attention[:, rows],
        known_tf=grid.known_tf[rows],
        neighbours=None if grid.neighbours is None else grid.neighbours[:, rows],
    )


def spread_rows(parameters: dict, rows: np.ndarray, tfs: int) -> dict[str, np.ndarray]:
    """The parameters [snapshot, member, ...] with zeros for the TFs that were not fitted."""
    spread = dict(parameters)
    for name in parameters.keys() & PER_TF:
        fitted = parameters[name]
        spread[name] = np.zeros((*fitted.shape[:2], tfs, *fitted.shape[3:]), fitted.dtype)
        spread[name][:, :, rows] = fitted
    return spread


def score_snapshots(
    snapshots: dict,
    grid: PairGrid,
    bank: FeatureBank,
    validation: LabelledPairs,
    criterion: tuple[str, ...],
) -> Float[np.ndarray, " snapshot"]:
    """The mean of the criterion's figures on validation pairs, of each snapshot.

    A figure that these pairs leave undefined is left out; AUROC serves where all are.
    """
    at = places_of(validation, bank.tfs, bank.genes)
    scores = np.zeros(len(snapshots["tf_bias"]), np.float32)
    for place in range(len(scores)):
        members = {name: values[place] for name, values in snapshots.items()}
        logits = np.asarray(score_members(members, grid)).mean(axis=0)[at]
        wanted = {*criterion, "auroc"}
        metrics = evaluate_pairs(validation.pairs, validation.labels, logits, only=wanted)
        known = [metrics[x] for x in criterion if metrics[x] is not None]
        scores[place] = np.mean(known or [metrics["auroc"]])  # type: ignore[arg-type]  # not None
    return scores
