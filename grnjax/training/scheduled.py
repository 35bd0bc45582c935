"""Pair models trained as their papers say: learning rates that fall, clipped gradients, momentum.

The published programs of GENELink, GNNLink, GNE, CNNC and their kin differ in little else. Where
they report the last epoch, or an epoch chosen on test pairs, here validation pairs choose it unless
`choose` says `last`.
"""

import dataclasses
import functools
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import optax

from grnjax.config import DropRate, Positive, Range, Weight
from grnjax.training.pair_objective import Model, PairObjective, TrainingConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScheduledConfig(TrainingConfig):
    """How a published pair model is fitted."""

    weight_decay: Weight = 0.0
    """L2 added to the gradient."""
    evaluate_every: Positive = 1
    """Epochs between evaluations on the validation pairs."""
    patience: Positive = 1_000
    """Evaluations without a better validation score before the fit stops."""
    select_on: Literal["average_precision", "auroc"] = "auroc"
    """Validation score that chooses the epoch."""
    unseen_share: DropRate = 0.0
    """Share of genes that every second step treats as never seen; none in what is published."""
    choose: Literal["validation", "last"] = "validation"
    """Which epoch's model is taken; published programs take the last."""
    decay: Annotated[float, Range(0, 1, ends="(]")] = 1.0
    """Factor of the learning rate after every `decay_steps` steps."""
    decay_steps: Positive = 1
    """Steps after each of which the learning rate falls."""
    inverse_decay: Weight = 0.0
    """The learning rate is divided by 1 + this for each step, as Keras' `decay` does."""
    clip: Weight = 0.0
    """Largest norm of a gradient; 0 leaves it as it is."""
    clip_values: Weight = 0.0
    """Largest size of any number of a gradient; 0 leaves it as it is."""
    momentum: DropRate = 0.0
    """Nesterov's momentum of SGD."""
    scored_at_once: Positive = 65_536
    """Validation pairs whose activations are in memory together."""

    @property
    def first_choice(self) -> int:
        """Epoch before which no evaluation counts (`Schedule`)."""
        return self.epochs if self.choose == "last" else 0

    def make_objective(self, model: Model) -> "ScheduledObjective":
        return ScheduledObjective(model, self)

    def schedule_rate(self, step):
        """The negative learning rate of a step."""
        falls = self.decay ** (step // self.decay_steps).astype(jnp.float32)
        return -self.learning_rate * falls / (1 + self.inverse_decay * step)


@dataclasses.dataclass(frozen=True, eq=False)
class ScheduledObjective(PairObjective):
    """A pair model with a published optimiser; validation pairs are scored in chunks."""

    config: ScheduledConfig

    @functools.cached_property
    def optimizer(self) -> optax.GradientTransformation:
        """Clip, weight decay, the rule, and the learning rate of the step, in this order."""
        config = self.config
        rule = {
            "adam": optax.scale_by_adam(),
            "rmsprop": optax.scale_by_rms(decay=0.99, eps=1e-8, eps_in_sqrt=False),
            "sgd": optax.trace(config.momentum, nesterov=True)
            if config.momentum
            else optax.identity(),
        }[config.optimizer]
        parts = [
            optax.clip_by_global_norm(config.clip) if config.clip else None,
            optax.clip(config.clip_values) if config.clip_values else None,
            optax.add_decayed_weights(config.weight_decay) if config.weight_decay else None,
            rule,
            optax.scale_by_schedule(config.schedule_rate),
        ]
        return optax.chain(*(part for part in parts if part is not None))

    def score(self, variables, genes, pairs, key):
        """Logits of the pairs, so many at once as the settings say."""
        size, count = self.config.scored_at_once, len(pairs.labels)
        if count <= size:
            return super().score(variables, genes, pairs, key)
        padding = len(genes.nodes) - 1
        spare = -count % size

        def cut(name, array):
            fill = padding if name == "pairs" else 0
            array = jnp.pad(
                jnp.asarray(array), [(0, spare)] + [(0, 0)] * (array.ndim - 1), constant_values=fill
            )
            return array.reshape((count + spare) // size, size, *array.shape[1:])

        chunks = pairs._make(map(cut, pairs._fields, pairs))
        whole = super().score
        logits = jax.lax.map(lambda chunk: whole(variables, genes, chunk, key), chunks)
        return logits.reshape(-1)[:count]
