"""Fitting GRNFormer to masked expression: backbone, graph encoder and adapter, all at once.

Values of a cell are hidden and predicted from its other genes and from its networks. A hidden value
enters neither the tokens nor the links that edge perturbation adds. The cell's network itself comes
from activity that was computed on all its genes, which is part of the published method;
`networks_from="shown"` computes it again at every step from what is shown. Two paths stay open
then: the network of the cell's type is of all its cells, and counts were scaled by a total that has
the hidden ones in it.
"""

import dataclasses
import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from grnjax.config import Positive, Rate, Seconds, Settings, Share, Weight
from grnjax.graphs.activity import count_hits
from grnjax.graphs.augment import EdgePerturbation, most_added, perturb_edges
from grnjax.graphs.sampling import Neighbours, RegulonGraph, draw_neighbours
from grnjax.models.grnformer import CellBatch, GRNFormer, GRNFormerConfig
from grnjax.training.cell_batches import divide_cells, pad_cells
from grnjax.training.freezing import gather, split_frozen
from grnjax.training.losses import sum_over
from grnjax.training.objective import BatchLoss, Objective, Schedule
from grnjax.training.warm_start import take_over


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskedTrainingConfig(Settings):
    """How GRNFormer is fitted to masked expression."""

    model: GRNFormerConfig = GRNFormerConfig()
    masked_share: Share = 0.3
    """Share of a cell's detected genes that are hidden; that of scFoundation, as the next."""
    masked_zeros: Share = 0.03
    """Share of its other genes that are hidden."""
    perturbation: EdgePerturbation = "coexpression"
    """What becomes of edges that are dropped while training: links between genes detected in the
    cell, between any genes, or nothing is dropped."""
    dropped_edges: Share = 0.2
    """Share of a network's edges that are replaced at each step (alpha)."""
    networks_from: Literal["all", "shown"] = "all"
    """Expression that a cell's network is computed from: all of it once, or at each step that
    which is not hidden."""
    epochs: Positive = 30
    """Passes over the train cells at most."""
    batch_size: Positive = 16
    """Cells a step."""
    learning_rate: Rate = 1e-3
    """Where the warm-up ends; from there it falls to a tenth."""
    warm_up: Share = 0.05
    """Share of the steps over which the learning rate rises."""
    weight_decay: Weight = 0.01
    """AdamW's; of matrices, not of biases and scales."""
    most_gradient: Rate = 1.0
    """The norm that gradients are cut to."""
    freeze: tuple[str, ...] = ()
    """Parameters that are not learned, by their paths and patterns of these, such as
    backbone/layer_0 or backbone/model/embeddings."""
    evaluate_every: Positive = 1
    """Epochs between evaluations on the validation cells."""
    patience: Positive = 5
    """Evaluations without a lower validation loss before the fit stops."""
    checkpoint_seconds: Seconds = 10.0
    """Time between two checkpoints."""


class HeldOutCells(NamedTuple):
    """Cells to be judged on, each with genes that are hidden once and for all."""

    cells: Int[Array, " cell"]
    is_masked: Bool[Array, "cell token"]


class ShownNetworks(NamedTuple):
    """What a cell's network is computed from at each step (`graphs.activity.count_hits`)."""

    values: Float[Array, "cell gene"]  # of all genes, in the order in which equal ones stand
    place: Int[Array, " token"]  # the gene of each token
    members: Float[Array, "gene regulon"]
    thresholds: Float[Array, " regulon"]  # of hits; a regulon with more of them is active


class CellData(NamedTuple):
    """The arrays of a fit; tokens are genes in one order for all cells."""

    expression: Float[Array, "cell token"]  # on a log scale
    active: Bool[Array, "cell regulon"]  # of the cell's own network
    type_active: Bool[Array, "type regulon"]
    cell_type: Int[Array, " cell"]
    graph: RegulonGraph
    is_tf: Bool[Array, " token"]
    keys: Int[Array, " key"]  # tokens with an edge in some regulon
    train: Int[Array, " train"]
    validation: HeldOutCells
    shown: ShownNetworks | None = None  # where networks come from what is not hidden
    start: dict | None = None  # variables that the fit begins with; the others are drawn


class WeighedBatch(NamedTuple):
    """Cells of one step."""

    cells: CellBatch
    weights: Float[Array, " cell"]  # 0 for those that only fill the batch up


@dataclasses.dataclass(frozen=True)
class MaskedObjective(Objective):
    """GRNFormer, fitted to the squared error of hidden values."""

    config: MaskedTrainingConfig
    steps: int  # of an epoch
    most_edges: int  # that a cell's network or a cell type's has
    cut: int = 0  # ranks that count for activity, where networks come from what is shown
    metrics = ("validation_loss",)

    @property
    def schedule(self) -> Schedule:
        """That of the settings."""
        return Schedule.of(self.config)

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """AdamW on clipped gradients, whose learning rate rises and falls once over all steps."""
        config, steps = self.config, self.steps * self.config.epochs
        rising = math.ceil(config.warm_up * (steps - 1))
        peak = config.learning_rate
        rate = optax.warmup_cosine_decay_schedule(0.0, peak, rising, steps, peak / 10)
        return optax.chain(
            optax.clip_by_global_norm(config.most_gradient),
            optax.adamw(
                rate,
                weight_decay=config.weight_decay,
                mask=lambda parameters: jax.tree.map(lambda x: x.ndim > 1, parameters),
            ),
        )

    def make_model(self, data: CellData) -> GRNFormer:
        """The model over the tokens."""
        return GRNFormer(self.config.model, data.expression.shape[1])

    def init(self, key, data: CellData):
        """Fresh variables but for those given; what is frozen is among the collections."""

        @jax.jit  # operation by operation it takes twice as long
        def make(key, data: CellData):
            one, is_masked = data.train[:1], jnp.zeros((1, data.expression.shape[1]), bool)
            example = self.show(data, one, is_masked, key, train=False)
            return self.make_model(data).init(key, example, train=False)

        variables = take_over(make(key, data._replace(start=None)), data.start)
        learned, frozen = split_frozen(variables.pop("params"), self.config.freeze)
        return learned, variables | frozen

    def divide(self, data: CellData, key, epoch):
        """Batches of train cells, in an order drawn by (seed, epoch), and their weights."""
        size = self.config.batch_size
        return divide_cells(data.train, self.steps, size, key, epoch)

    def batch(self, data: CellData, part, key) -> WeighedBatch:
        """The cells of a part, with genes hidden and networks perturbed as in no other step."""
        cells, weights = part
        mask_key, network_key = jax.random.split(jax.random.fold_in(key, 1))
        is_masked = draw_masks(data.expression[cells], self.config, mask_key)
        return WeighedBatch(self.show(data, cells, is_masked, network_key, train=True), weights)

    def show(self, data: CellData, cells, is_masked, key, *, train: bool) -> CellBatch:
        """What the model sees of cells: shown values and neighbours in their networks."""
        values, wanted = data.expression[cells], self.config.model.structure.networks
        cell_key, type_key = jax.random.split(key)
        is_shown = (values > 0) & ~is_masked
        cell = cell_type = None
        if wanted in ("cell", "both"):
            active = self.find_active(data, cells, is_masked)
            cell = self.draw(data, active, is_shown, cell_key, train=train)
        if wanted in ("type", "both"):
            active = data.type_active[data.cell_type[cells]]
            cell_type = self.draw(data, active, is_shown, type_key, train=train)
        genes = jnp.arange(values.shape[1])
        is_real = jnp.ones(values.shape, bool)
        return CellBatch(values, genes, is_masked, is_real, cell, cell_type, data.keys)

    def find_active(self, data: CellData, cells, is_masked) -> Bool[Array, "cell regulon"]:
        """The regulons of each cell's own network."""
        if data.shown is None:
            return data.active[cells]
        return count_shown(data.shown, cells, is_masked, self.cut) > data.shown.thresholds

    def draw(self, data: CellData, active, is_shown, key, *, train: bool) -> Neighbours:
        """Neighbours in networks of these active regulons, perturbed while training."""
        config, (edge_key, key) = self.config, jax.random.split(key)
        is_kept, added = active[:, data.graph.regulon], None
        if train and config.perturbation != "none" and self.most_edges:
            of_all = jnp.ones_like(is_shown)
            candidates = is_shown if config.perturbation == "coexpression" else of_all
            room, share = most_added(self.most_edges, config.dropped_edges), config.dropped_edges
            is_kept, added = perturb_edges(is_kept, candidates, data.is_tf, share, room, edge_key)
        return draw_neighbours(data.graph, is_kept, added, config.model.structure.fan_out, key)

    def loss(self, state, batch: WeighedBatch, data: CellData, key, *, axis=None) -> BatchLoss:
        """The mean squared error of hidden values."""
        errors = self.square_errors(gather(state), batch.cells, data, key)
        weights = batch.cells.is_masked * batch.weights[:, None]
        total = sum_over(axis, weights.sum())
        loss = jnp.sum(errors * weights) / jnp.maximum(total, 1)
        return BatchLoss(loss, state.collections)

    def square_errors(self, variables, cells: CellBatch, data: CellData, key=None):
        """Of each value, hidden or not; with a key, as in training."""
        rngs = None if key is None else {"dropout": key}
        model, train = self.make_model(data), key is not None
        predicted = model.apply(variables, cells, train=train, rngs=rngs)
        return (predicted - cells.values) ** 2

    def evaluate(self, state, data: CellData, key):
        """The loss on the validation cells, whose hidden genes and neighbours never change."""
        errors = self.judge(gather(state), data, data.validation)
        masked = data.validation.is_masked
        loss = jnp.sum(errors * masked) / masked.sum()
        return -loss, {"validation_loss": loss}

    def judge(
        self, variables, data: CellData, held_out: HeldOutCells
    ) -> Float[Array, "cell token"]:
        """Squared errors of the whole model (`freezing.thaw`) on held-out cells, batch by batch."""
        cells, size = len(held_out.cells), self.config.batch_size
        place = jnp.arange(-(-cells // size) * size).reshape(-1, size) % cells

        def judge_some(place):
            key = jax.random.fold_in(jax.random.key(0), place[0])  # of neighbours alone
            is_masked = held_out.is_masked[place]
            shown = self.show(data, held_out.cells[place], is_masked, key, train=False)
            return self.square_errors(variables, shown, data)

        errors = jax.lax.map(judge_some, place)
        return errors.reshape(-1, errors.shape[-1])[:cells]

    def count_rows(self, data: CellData) -> int:
        """Genes."""
        return data.expression.shape[1]

    def pad_batch(self, batch: WeighedBatch, data: CellData, parts: int) -> WeighedBatch:
        """The cells, and as many that weigh nothing as make their number divide."""
        missing = -len(batch.weights) % parts

        of_all = {"genes": batch.cells.genes, "keys": batch.cells.keys}
        cells = pad_cells(batch.cells, missing)._replace(**of_all)
        return WeighedBatch(cells, jnp.pad(batch.weights, (0, missing)))


def count_shown(
    shown: ShownNetworks, cells: Int[Array, " cell"], is_masked: Bool[Array, "cell token"], cut: int
) -> Float[Array, "cell regulon"]:
    """AUCell hits of regulons by what is shown of cells: a hidden value counts as 0."""
    values = shown.values[cells]
    is_hidden = jnp.zeros(values.shape, bool).at[:, shown.place].set(is_masked)
    return count_hits(jnp.where(is_hidden, 0.0, values), shown.members, cut)


def draw_masks(
    values: Float[Array, "cell token"], config: MaskedTrainingConfig, key: jax.Array
) -> Bool[Array, "cell token"]:
    """The genes that are hidden in each cell: a share of those detected, and one of the others."""
    chance = jnp.where(values > 0, config.masked_share, config.masked_zeros)
    return jax.random.uniform(key, values.shape) < chance
