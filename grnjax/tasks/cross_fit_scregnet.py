"""Out-of-fold scores of every candidate by scRegNet."""

import functools

import jax
import numpy as np
from jax.sharding import Mesh

from grnjax.models.scregnet import ScRegNetConfig
from grnjax.tasks.cross_fitting import CrossFit, Fold
from grnjax.tasks.inputs import InputConfig, make_scregnet_trainer, model_inputs
from grnjax.training.batches import (
    ModelInputs,
    add_topology,
    build_fit_data,
    build_pair_batch,
    shared_sizes,
)
from grnjax.training.keeper import FitResult
from grnjax.training.loop import Trainer
from grnjax.training.pair_objective import FitData, TrainingConfig
from grnjax.training.recorder import FitRecorder, Job, derive_seed
from grnjax.types import Dataset, LabelledPairs

SCORED_AT_ONCE = 65_536


def cross_fit_scregnet(
    dataset: Dataset,
    candidates: LabelledPairs,
    folds: list[Fold],
    model: ScRegNetConfig,
    model_input: InputConfig,
    training: TrainingConfig,
    recorder: FitRecorder,
    seed: int,
    embedding: np.ndarray | None,
    mesh: Mesh | None = None,
) -> CrossFit:
    """Logits of every candidate by the fits that did not train on it.

    Args:
        embedding: frozen gene vectors [gene, dim] in the order of the data set.
        mesh: devices that share each fit; None leaves it to one.
    """
    genes = dataset.genes
    sizes = shared_sizes([f.train for f in folds], len(genes.names), training.batch_size)
    inputs = model_inputs(
        genes,
        embedding,
        genes.tfs,
        model_input,
        sizes,
        coexpression=model.coexpression,
    )
    trainer = make_scregnet_trainer(model, training, mesh)
    validation_size = max(len(fold.validation) for fold in folds)
    logits = np.full((len({fold.member for fold in folds}), len(candidates)), np.nan)

    def inputs_of(fold: Fold) -> ModelInputs:
        return add_topology(inputs, fold.train) if model.topology else inputs

    def build(fold: Fold) -> FitData:
        return build_fit_data(
            inputs_of(fold),
            fold.train,
            fold.validation,
            folds=training.edge_folds,
            seed=derive_seed(seed, fold.member, fold.fold),
            negative_weight=fold.negative_weight * model_input.negative_weight,
            validation_size=validation_size,
        )

    jobs = [
        Job(
            f"member{fold.member}-fold{fold.fold}",
            derive_seed(seed, fold.member, fold.fold),
            functools.partial(build, fold),
        )
        for fold in folds
    ]
    fits = recorder.fit_all(trainer, jobs)
    for fold, job, (result, data) in zip(folds, jobs, fits, strict=True):
        logits[fold.member, fold.held_out] = score_pairs(
            trainer, result, inputs_of(fold), data, fold.hidden, job.seed
        )
    return CrossFit(logits, np.unique(candidates.positives[:, 0]), worth=[], terms={})


def score_pairs(
    trainer: Trainer,
    result: FitResult,
    inputs: ModelInputs,
    data: FitData,
    pairs: LabelledPairs,
    seed: int,
) -> np.ndarray:
    """Logits [pair] of the selected model, in blocks of one size so that they compile once."""
    size = min(SCORED_AT_ONCE, -(-len(pairs) // 1024) * 1024)
    scores = []
    for start in range(0, len(pairs), size):
        block = pairs.take(slice(start, start + size))
        batch = build_pair_batch(inputs, block, size)
        logits = trainer.score(result.variables, data.genes, batch, jax.random.key(seed))
        scores.append(np.asarray(logits)[: len(block)])
    return np.concatenate(scores)
