"""What users call from Python: from files or objects to a network, or to results on a benchmark."""

import dataclasses
import numbers
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import pandas as pd

from grnjax.data.expression import DataConfig
from grnjax.data.species import Species
from grnjax.errors import ConfigError
from grnjax.methods.method import MethodConfig, make_method
from grnjax.tasks import link_prediction, network_inference
from grnjax.tasks import transfer as transfer_design
from grnjax.tasks.activity import Activity, ActivityConfig
from grnjax.tasks.annotation import KEY, annotate, find_table
from grnjax.tasks.cell_samples import bound_edges, tell_apart
from grnjax.tasks.compendium_evidence import ListsConfig
from grnjax.tasks.default_method import choose_default
from grnjax.tasks.group_networks import GroupConfig, GroupNetworks, infer_each
from grnjax.tasks.inputs import load_extras, load_genes_and_edges
from grnjax.tasks.link_prediction import Results
from grnjax.tasks.loading import GeneScope, load_embedding, load_folder, load_splits
from grnjax.tasks.network_inference import InferenceConfig
from grnjax.tasks.python_words import speaks_python
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.tasks.record import claim_folder
from grnjax.tasks.reference_mapping import MappingConfig, find_activity
from grnjax.tasks.split_fits import LinkPredictionConfig, draw_splits
from grnjax.tasks.transfer import TransferResults
from grnjax.types import Dataset


@overload
def infer(expression, known=None, *, by: None = None, **settings: Any) -> RankedNetwork: ...


@overload
def infer(expression, known=None, *, by: str, **settings: Any) -> GroupNetworks: ...


@speaks_python  # type: ignore[misc]  # above stands only the setting that the result hangs on
def infer(
    expression,
    known=None,
    *,
    method: MethodConfig | str | None = None,
    tfs=None,
    species: Species = "auto",
    evidence: Sequence[str] = (),
    lists: ListsConfig | None = None,
    walk_on: Sequence[str | Path] = (),
    config: InferenceConfig | None = None,
    data: DataConfig | None = None,
    genes: GeneScope = "measured",
    seed: int = 0,
    folder: str | Path | None = None,
    by: str | None = None,
    groups: GroupConfig | None = None,
    batch: str | None = None,
    donor: str | None = None,
    key_added: str | None = KEY,
    copy: bool = False,
) -> RankedNetwork | GroupNetworks:
    """A ranked network of TF-target pairs, as `grnjax infer` makes it; with `by` one a group.

    Args:
        expression: AnnData object (also backed by a file), MuData with a modality rna, data frame
            of cells x genes, or the path of any file that the command line takes.
        known: known edges: data frame with columns tf and target, networkx.DiGraph, pairs of
            names, or the path of a table. Methods that read expression alone need none, and are
            judged by any that are given.
        method: a name of `list_methods()`, or the method's config; by default that of `config`,
            which is kernel-factor, or compendium where no known edges are given.
        tfs: names or the path of a list; by default the sources of the known edges, or all genes.
        species: what the genes are of, human or mouse, where lists of other cells or of TFs count.
        evidence: further evidence, a folder or KIND=PATH each (`grnjax infer --evidence`).
        lists: which lists of other cells join the evidence; by default all that may.
        walk_on: edge tables made elsewhere for GT-GRN to walk on.
        config: how candidates are cross-fitted.
        data: how the files are read.
        genes: what is ranked: measured genes, or all genes of the network, too.
        folder: keeps checkpoints; the same call resumes from there. None keeps nothing.
        by: column of .obs, such as the cell type; each group of cells has a network of its own.
        groups: which groups have one, and how they are compared.
        batch: column of .obs; every gene has one mean in all batches, so that no difference between
            them makes two genes go together.
        donor: column of .obs; intervals are over its values, two or more, by default over batches.
        key_added: where an AnnData, or the rna of a MuData, gets the network, `.varp[key]` its best
            100,000 edges and `.uns[key]` what they are (`tasks/annotation.py`); None writes
            nothing. With `by`, and where a path or a data frame is given, nothing is written.
        copy: leaves the object as it is, and writes into a copy, the network's `.adata`.

    Returns:
        The network, its edges best first; with `by` the networks of the groups by name, and what
        differs between them.

    Raises:
        GrnjaxError: one sentence on what is wrong with the inputs or settings.
    """
    check_seed(seed)
    if by is None and groups is not None:
        raise ConfigError("groups= says how by=COLUMN compares groups; give it, too.")
    config, data = choose_method(config or InferenceConfig(), method), data or DataConfig()
    named = method is not None or config.method != InferenceConfig().method
    chosen = choose_default(
        config.method,
        is_named=named,
        has_network=known is not None,
        has_tfs=tfs is not None,
        species=species,
    )
    config = dataclasses.replace(config, method=chosen)
    dataset, judged = load_genes_and_edges(
        config.method,
        expression,
        known,
        tfs,
        data,
        genes=genes,
        species=species,
        reads_cells=(by, batch, donor) != (None, None, None),
    )
    if by is None:
        network_inference.check_size(config, dataset.genes)
    samples = tell_apart(dataset, judged, batch, donor, "expression")
    dataset, judged, donors = samples.dataset, samples.judged, samples.donors

    def rank(name: str, own: Dataset, judged: Dataset | None) -> RankedNetwork:
        extras = load_extras(
            config.method,
            own,
            data,
            evidence=evidence,
            walk_on=walk_on,
            lists=lists or ListsConfig(),
            species=species,
        )
        place = folder if folder is None else Path(folder, name)
        claim_folder(place, "infer", config, seed=seed, dataset=own, extras=extras)
        return network_inference.infer(
            own, config, seed=int(seed), judged=judged, folder=place, **vars(extras)
        )

    if by is None:
        network = rank("", dataset, judged)
        edges = bound_edges(network.edges, dataset.genes, donors, seed=int(seed))
        network = dataclasses.replace(network, edges=edges)
        if key_added is None or find_table(expression) is None:
            return network
        cells = expression.copy() if copy else expression
        annotate(cells, network, key_added, config, int(seed))
        return dataclasses.replace(network, adata=cells) if copy else network
    return infer_each(
        dataset,
        judged,
        by,
        groups or GroupConfig(),
        rank,
        method=config.method,
        seed=int(seed),
        donors=donors,
        batch=batch,
    )


@speaks_python
def train(
    data_set: str | Path,
    *,
    method: MethodConfig | str | None = None,
    evidence: Sequence[str] = (),
    lists: ListsConfig | None = None,
    species: Species = "auto",
    walk_on: Sequence[str | Path] = (),
    config: LinkPredictionConfig | None = None,
    data: DataConfig | None = None,
    folder: str | Path | None = None,
) -> Results:
    """A method fitted and judged on a benchmark set beside the trivial rows (`grnjax train`).

    Args:
        data_set: name of a set under the benchmark root, or a folder.
        method: as in `infer`; by default that of `config`, which is scRegNet.
        lists, species: as in `infer`.
        config: splits, seeds and controls.

    Raises:
        GrnjaxError: one sentence on what is wrong with the inputs or settings.
    """
    config, data = choose_method(config or LinkPredictionConfig(), method), data or DataConfig()
    dataset, found = load_folder(data_set, data)
    splits = load_splits(found, dataset, config.split.protocol)
    splits = splits or draw_splits(dataset, config.split)
    extras = load_extras(
        config.method,
        dataset,
        data,
        splits=splits,
        evidence=evidence,
        walk_on=walk_on,
        lists=lists or ListsConfig(),
        species=species,
        set_name=str(data_set),
    )
    claim_folder(folder, "train", config, dataset=dataset, splits=splits, extras=extras)
    return link_prediction.run_study(
        dataset, splits, config, folder=None if folder is None else Path(folder), **vars(extras)
    )


@speaks_python
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
    claim_folder(folder, "transfer", config, datasets=datasets, embeddings=embeddings)
    return transfer_design.transfer(
        datasets[0],
        datasets[1],
        config,
        source_embedding=embeddings[0],
        target_embedding=embeddings[1],
        folder=None if folder is None else Path(folder),
    )


@speaks_python
def activity(
    cells,
    regulons=None,
    *,
    reference=None,
    groups: str | None = None,
    config: ActivityConfig | None = None,
    mapping: MappingConfig | None = None,
    data: DataConfig | None = None,
    seed: int = 0,
) -> Activity:
    """Activity of regulons in cells, on or off, and the networks that follow (`grnjax activity`).

    Args:
        cells: as the expression in `infer`.
        regulons: path of a table, data frame, or dict of lists of genes; eRegulons, edges of
            `infer`, pySCENIC's motif table, GMT and decoupler's networks are told apart.
        reference: in the place of regulons, cells with their activity (an AnnData object of this
            function or its file), whose regulons and thresholds hold for these cells, too.
        groups: column of .obs with cell types, in the reference where that lends networks.
        config: AUCell, how the table is read, and which regulons count.
        mapping: lets the nearest cells of the reference lend their networks, without AUCell.
        data: how a file of cells is read; nothing is normalised.
        seed: draws the order of equal values in a cell.

    Raises:
        GrnjaxError: one sentence on what is wrong with the inputs or settings.
    """
    check_seed(seed)
    config = config or ActivityConfig()
    config = config if groups is None else dataclasses.replace(config, groups=groups)
    return find_activity(
        cells,
        regulons,
        reference,
        config,
        mapping=mapping,
        data=data or DataConfig(),
        seed=int(seed),
    )


def check_seed(seed: object) -> None:
    """Refuses what is no seed."""
    if not isinstance(seed, numbers.Integral) or not 0 <= int(seed) < 2**63:
        raise ConfigError(f"seed={seed!r} is no whole number from 0 to 2**63 - 1.")


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
