"""Pair models as an objective: cross-entropy of labelled pairs, chosen on validation pairs."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from grnjax.config import Count, DropRate, Positive, Rate, Seconds, Settings, Weight
from grnjax.models.terms import Term, refuse_unlisted, sum_penalties, without_ridge
from grnjax.training.loop import Trainer, make_trainer
from grnjax.training.losses import pair_loss, ranking_scores, sum_over
from grnjax.training.objective import BatchLoss, Objective
from grnjax.training.sharding import pad_pairs, share_score
from grnjax.types import GeneBatch, PairBatch


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig(Settings):
    """How a model is fitted."""

    epochs: Positive = 400
    """Passes over the train pairs at most, rounded up to whole evaluations."""
    batch_size: Count = 0
    """Pairs a step; 0 takes all of them, and the graph is then encoded once an epoch."""
    optimizer: Literal["adam", "rmsprop", "sgd"] = "adam"
    learning_rate: Rate = 0.02
    weight_decay: Weight = 3e-3
    """L2 added to the gradient of the parameters that have no ridge, as torch optimisers do."""
    evaluate_every: Positive = 10
    """Epochs between evaluations on the validation pairs."""
    patience: Positive = 10
    """Evaluations without a better validation score before the fit stops."""
    select_on: Literal["average_precision", "auroc"] = "average_precision"
    """Validation score that chooses the epoch."""
    edge_folds: int = 0
    """With K >= 2 each step is supervised by one of K folds and passes messages over the other
    edges; 0 leaves the supervised edges in the graph, as scRegNet does."""
    unseen_share: DropRate = 0.3
    """Share of genes that every second step treats as never seen."""
    checkpoint_seconds: Seconds = 10.0
    """Time between two checkpoints of a fit."""
    side_by_side: bool | None = None
    """Whether fits of equal shapes train side by side, whole ones on each device; by default on the
    accelerators of one process. False where their memory does not hold several."""

    def __post_init__(self):
        super().__post_init__()
        if self.edge_folds == 1 or self.edge_folds < 0:
            raise ValueError(f"edge_folds must be 0 or at least 2, got {self.edge_folds}")

    def make_objective(self, model: "Model") -> "PairObjective":
        """What is trained by these settings; a subclass may have another loss."""
        return PairObjective(model, self)


class FitData(NamedTuple):
    """One fit's arrays; every fit of a run has the same shapes, so there is one compilation."""

    genes: GeneBatch
    train: PairBatch
    validation: PairBatch
    edge_fold: Int[Array, " edge"]  # fold that supervises an edge; -1 for loops and padding


class Model(Protocol):
    """A Flax module that scores pairs of genes; one with terms lists them by `make_terms()`."""

    def __hash__(self) -> int:
        """Of its settings: equal models are compiled once."""

    def init(self, rngs, genes: GeneBatch, pairs: PairBatch, *, train: bool):
        """Fresh variables."""

    def apply(self, variables, genes: GeneBatch, pairs: PairBatch, *, train: bool, rngs: dict):
        """Logits [pair]."""


@dataclasses.dataclass(frozen=True, eq=False)
class PairObjective(Objective):
    """A pair model with the ridges of its terms, fitted to labelled pairs."""

    model: Model
    config: TrainingConfig
    metrics = ("auroc", "average_precision")

    @functools.cached_property
    def terms(self) -> Sequence[Term]:
        """The model's terms; other parameters have weight decay."""
        return getattr(self.model, "make_terms", list)()

    @functools.cached_property
    def optimizer(self) -> optax.GradientTransformation:
        """The optimiser in torch's convention: weight decay joins the gradient before scaling."""
        rule = {
            "adam": optax.scale_by_adam(),
            "rmsprop": optax.scale_by_rms(decay=0.99, eps=1e-8, eps_in_sqrt=False),
            "sgd": optax.identity(),
        }[self.config.optimizer]
        decayed = functools.partial(without_ridge, self.terms)
        decay = optax.add_decayed_weights(self.config.weight_decay, decayed)
        return optax.chain(decay, rule, optax.scale(-self.config.learning_rate))

    def init(self, key, data: FitData):
        """Fresh variables of the model.

        Raises:
            ConfigError: it uses a term with a ridge that it does not list.
        """
        with refuse_unlisted(self.terms):
            variables = self.model.init({"params": key}, data.genes, data.train, train=False)
        variables = dict(variables)
        return variables.pop("params"), variables

    def divide(self, data: FitData, key, epoch):
        """Batches of train pairs, shuffled by (seed, epoch)."""
        pairs = len(data.train.labels)
        size = self.config.batch_size or pairs
        if size >= pairs:
            return None
        shuffle = jax.random.uniform(jax.random.fold_in(key, -1 - epoch), (pairs,))
        order = jnp.argsort(jnp.where(data.train.weights > 0, shuffle, 2.0))  # padding comes last
        return order[: pairs // size * size].reshape(-1, size)

    def batch(self, data: FitData, part, key) -> PairBatch:
        """The train pairs of a part, or all of them."""
        del key
        return data.train if part is None else jax.tree.map(lambda a: a[part], data.train)

    def loss(self, state, batch: PairBatch, data: FitData, key, *, axis=None) -> BatchLoss:
        """Mean cross-entropy of the batch, and the ridges for each pair of all."""
        config, step, genes = self.config, state.step, data.genes
        dropout_key, unseen_key = jax.random.split(key)
        ridge = 1.0 / jnp.maximum(sum_over(axis, jnp.sum(data.train.weights)), 1.0)
        if config.unseen_share:  # every second step, or round of folds: no fold is always hidden
            hiding = step // max(config.edge_folds, 1) % 2
            drawn = jax.random.uniform(unseen_key, (len(genes.nodes),))
            kept = (drawn >= config.unseen_share * hiding).astype(jnp.float32)
            genes, batch = hide_genes(genes, kept), hide_topology(batch, kept)
            ridge = ridge * (1 - hiding)  # a learned vector that is hidden must not shrink
        if config.edge_folds:
            supervised = step % config.edge_folds
            batch = batch._replace(weights=batch.weights * (batch.fold == supervised))
            kept = genes.graph.edges * (data.edge_fold != supervised)
            genes = genes._replace(graph=genes.graph._replace(edges=kept))
        logits, collections = self.model.apply(
            {"params": state.parameters, **state.collections},
            genes,
            batch,
            train=True,
            rngs={"dropout": dropout_key},
            mutable=list(state.collections),
        )
        loss = pair_loss(logits, batch.labels, batch.weights, axis)
        ridge = ridge * sum_penalties(self.terms, state.parameters) / sum_over(axis, 1)
        return BatchLoss(loss + ridge, collections, sum_over(axis, jnp.sum(batch.weights)))

    def evaluate(self, state, data: FitData, key):
        """Scores of the validation pairs; the key matters to dropout at evaluation alone."""
        variables, pairs = {"params": state.parameters, **state.collections}, data.validation
        logits = self.score(variables, data.genes, pairs, key)
        auroc, average_precision = ranking_scores(logits, pairs.labels, pairs.weights)
        scores = {"auroc": auroc, "average_precision": average_precision}
        return scores[self.config.select_on], scores

    def score(self, variables, genes: GeneBatch, pairs: PairBatch, key) -> Float[Array, " pair"]:
        """Logits of the pairs."""
        return self.model.apply(variables, genes, pairs, train=False, rngs={"dropout": key})

    # On a mesh of devices

    @property
    def whole_batches(self) -> bool:
        """Without mini-batches."""
        return not self.config.batch_size

    def count_rows(self, data: FitData) -> int:
        """Genes and their padding node."""
        return len(data.genes.nodes)

    def pad_batch(self, batch: PairBatch, data: FitData, parts: int) -> PairBatch:
        """The pairs, and as many that weigh nothing as make their number divide."""
        return pad_pairs(batch, parts, padding_node=len(data.genes.nodes) - 1)


def make_pair_trainer(
    model: Model, config: TrainingConfig, mesh: jax.sharding.Mesh | None = None
) -> Trainer:
    """The trainer of a pair model, whose terms have their ridges and the rest weight decay.

    Args:
        mesh: devices that share each fit; without one, a single device.
    """
    objective = config.make_objective(model)
    score = jax.jit(objective.score) if mesh is None else share_score(mesh, objective.score)
    return make_trainer(objective, mesh, score=score)


def hide_genes(genes: GeneBatch, kept: Float[Array, " node"]) -> GeneBatch:
    """The batch with the genes where `kept` is 0 made unseen: no learned vectors, no edges.

    What a model learns on such a step must hold for genes it knows from their features alone.
    """
    graph = genes.graph
    both = jnp.minimum(kept[graph.senders], kept[graph.receivers])
    alive = jnp.where(graph.senders == graph.receivers, 1.0, both)
    return genes._replace(
        seen=genes.seen * kept[:, None], graph=graph._replace(edges=graph.edges * alive)
    )


def hide_topology(batch: PairBatch, kept: Float[Array, " node"]) -> PairBatch:
    """The pairs without what train edges say of those whose TF or target is hidden."""
    both = jnp.minimum(kept[batch.pairs[:, 0]], kept[batch.pairs[:, 1]])
    return batch._replace(topology=batch.topology * both[:, None])
