"""What users call from Python: from files or objects to a network, or to results on a benchmark."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from grnjax.data.expression import DataConfig
from grnjax.errors import ConfigError
from grnjax.methods.method import MethodConfig, make_method
from grnjax.tasks import link_prediction, network_inference
from grnjax.tasks import transfer as transfer_design
from grnjax.tasks.inputs import load_extras, load_genes_and_edges
from grnjax.tasks.link_prediction import Results
from grnjax.tasks.loading import load_embedding, load_folder, load_splits
from grnjax.tasks.network_inference import InferenceConfig
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.tasks.split_fits import LinkPredictionConfig, draw_splits
from grnjax.tasks.transfer import TransferResults
from grnjax.types import Dataset


def infer(
    expression,
    known=None,
    *,
    method: MethodConfig | str | None = None,
    tfs=None,
    evidence: Sequence[str] = (),
    walk_on: Sequence[str | Path] = (),
    config: InferenceConfig | None = None,
    data: DataConfig | None = None,
    seed: int = 0,
    folder: str | Path | None = None,
) -> RankedNetwork:
    """A ranked network of TF-target pairs, as `grnjax infer` makes it.

    Args:
        expression: AnnData object, or the path of an .h5ad, .zarr, .parquet or text file.
        known: known edges: data frame with columns tf and target, or the path of a table. Methods
            that read expression alone need none, and are judged by any that are given.
        method: a name of `list_methods()`, or the method's config; by default that of `config`,
            which is kernel-factor.
        tfs: names or the path of a list; by default the sources of the known edges, or all genes.
        evidence: further evidence, a folder or KIND=PATH each (`grnjax infer --evidence`).
        walk_on: edge tables made elsewhere for GT-GRN to walk on.
        config: how candidates are cross-fitted.
        data: how the files are read.
        folder: keeps checkpoints; the same call resumes from there. None keeps nothing.

    Raises:
        GrnjaxError: one sentence on what is wrong with the inputs or settings.
    """
    config, data = choose_method(config or InferenceConfig(), method), data or DataConfig()
    dataset, judged = load_genes_and_edges(config.method, expression, known, tfs, data)
    extras = load_extras(config.method, dataset, data, evidence=evidence, walk_on=walk_on)
    return network_inference.infer(
        dataset,
        config,
        seed=seed,
        judged=judged,
        folder=None if folder is None else Path(folder),
        **vars(extras),
    )


def train(
    data_set: str | Path,
    *,
    method: MethodConfig | str | None = None,
    evidence: Sequence[str] = (),
    walk_on: Sequence[str | Path] = (),
    config: LinkPredictionConfig | None = None,
    data: DataConfig | None = None,
    folder: str | Path | None = None,
) -> Results:
    """A method fitted and judged on a benchmark set beside the trivial rows (`grnjax train`).

    Args:
        data_set: name of a set under the benchmark root, or a folder.
        method: as in `infer`; by default that of `config`, which is scRegNet.
        config: splits, seeds and controls.

    Raises:
        GrnjaxError: one sentence on what is wrong with the inputs or settings.
    """
    config, data = choose_method(config or LinkPredictionConfig(), method), data or DataConfig()
    dataset, found = load_folder(data_set, data)
    splits = load_splits(found, dataset, config.split.protocol)
    splits = splits or draw_splits(dataset, config.split)
    extras = load_extras(
        config.method, dataset, data, splits=splits, evidence=evidence, walk_on=walk_on
    )
    return link_prediction.run_study(
        dataset, splits, config, folder=None if folder is None else Path(folder), **vars(extras)
    )


def transfer(
    source: str | Path,
    target: str | Path,
    *,
    method: MethodConfig | str | None = None,
    config: LinkPredictionConfig | None = None,
    data: DataConfig | None = None,
    target_data: DataConfig | None = None,
    folder: str | Path | None = None,
) -> TransferResults:
    """A method trained on one benchmark set and judged on another (`grnjax transfer`).

    Args:
        source: name or folder of the set whose labels train.
        target: that of the set that is judged.
        data: how the source is read, and the target unless `target_data` says otherwise.

    Raises:
        GrnjaxError: one sentence on what is wrong with the inputs or settings.
    """
    config, data = choose_method(config or LinkPredictionConfig(), method), data or DataConfig()
    ends = (source, data), (target, target_data or data)
    datasets = [load_folder(name, how)[0] for name, how in ends]
    embeddings = [load_embedding(how, one) for (_, how), one in zip(ends, datasets, strict=True)]
    return transfer_design.transfer(
        datasets[0],
        datasets[1],
        config,
        source_embedding=embeddings[0],
        target_embedding=embeddings[1],
        folder=None if folder is None else Path(folder),
    )


def read(expression, known=None, tfs=None, *, data: DataConfig | None = None) -> Dataset:
    """Genes, expression and known pairs, joined by name; or a benchmark set by its name.

    Args:
        expression: AnnData object or path; without `known`, the name or folder of a set.
        known: data frame with columns tf and target, or the path of a table.
        tfs: names or the path of a list; by default the sources of the known edges.
    """
    data = data or DataConfig()
    if known is None:
        if not isinstance(expression, (str, Path)):
            raise ConfigError(
                "read takes expression with known edges, or the name of a benchmark set; give "
                "known=EDGES, or rank by expression alone with grnjax.infer."
            )
        return load_folder(expression, data)[0]
    return load_genes_and_edges(make_method("kernel-factor"), expression, known, tfs, data)[0]


def choose_method(config, method: MethodConfig | str | None):
    """The settings with this method, if one is named."""
    return config if method is None else dataclasses.replace(config, method=make_method(method))


def infer_network(expression, network, tfs=None, *, blocks=(), config=None, data=None, seed=0):
    """The former name of `infer`, for one version."""
    return infer(expression, network, tfs=tfs, evidence=blocks, config=config, data=data, seed=seed)


def infer_unsupervised(
    expression, tfs=None, method="grnboost2", *, config=None, data=None, seed=0, folder=None
) -> pd.DataFrame:
    """The edges of `infer` by a method that reads expression alone, for one version.

    Args:
        config: settings of the method, as its own config class has them.
    """
    chosen = make_method(method)
    if config is not None:
        others = vars(config).keys() - vars(chosen).keys()
        if others:
            raise ConfigError(
                f"{chosen.name()} has no setting {min(others)}, which {type(config).__name__} has; "
                "give the method's own config."
            )
        chosen = dataclasses.replace(chosen, **vars(config))
    return infer(expression, method=chosen, tfs=tfs, data=data, seed=seed, folder=folder).edges
