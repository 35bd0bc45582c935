"""Data sets from what a user names: files, an AnnData object, a folder, or nothing at all."""

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from grnjax.data.data_set import LoadedSet
from grnjax.data.edges import take_network
from grnjax.data.expression import DataConfig
from grnjax.data.expression_stream import open_expression
from grnjax.data.genes import build_dataset
from grnjax.data.sets import load_set
from grnjax.data.simulator import EmbeddedConfig
from grnjax.data.tf_lists import list_tfs
from grnjax.errors import ConfigError, EdgeFormatError
from grnjax.evidence.motifs import describe_hits
from grnjax.evidence.types import Evidence
from grnjax.evidence.vectors import read_vectors
from grnjax.progress import logger
from grnjax.types import Dataset, Split, SplitProtocol

GeneScope = Literal["measured", "all"]


@dataclasses.dataclass(frozen=True, eq=False)
class EmbeddedData:
    """The embedded data set; part of its network is known, all of it is at hand."""

    dataset: Dataset
    truth: pd.DataFrame  # columns tf, target, sign
    motifs: Evidence  # a simulated scan of promoters


def frame_network(network):
    """A network in memory as a data frame: networkx's directed edges, pairs, or pairs and weights.

    Data frames, paths and None are given back as they are.
    """
    if network is None or isinstance(network, (pd.DataFrame, str, Path)):
        return network
    if hasattr(network, "is_directed") and hasattr(network, "edges"):
        if not network.is_directed():
            raise EdgeFormatError(
                "network: this graph has no directions, and edges run from TF to target; give a "
                "networkx.DiGraph."
            )
        edges = [(tf, target, data.get("weight")) for tf, target, data in network.edges(data=True)]
        is_weighted = bool(edges) and all(weight is not None for *_, weight in edges)
        rows = edges if is_weighted else [edge[:2] for edge in edges]
    else:
        try:
            rows = [tuple(row) if not isinstance(row, str) else () for row in network]
        except TypeError:
            rows = [()]
    lengths = {len(row) for row in rows}
    if not lengths <= {2} and not lengths <= {3}:
        raise EdgeFormatError(
            f"network: what is given ({type(network).__name__}) is no network; give a data frame "
            "with columns tf and target, a networkx.DiGraph, pairs (tf, target), or a path."
        )
    headings = ["tf", "target", "weight"][: max(lengths, default=2)]
    return pd.DataFrame(rows, columns=headings)


def load_dataset(
    expression,
    network,
    tfs,
    config: DataConfig,
    *,
    genes: GeneScope = "all",
    may_stream: bool = False,
) -> Dataset:
    """Genes and known pairs from expression, a network and perhaps a TF list.

    Args:
        expression: as `read_expression` takes it, or None for genes without expression.
        network: path, a data frame with columns tf and target (perhaps label, sign, weight), or
            what `frame_network` makes one of.
        tfs: path, names, or None for the sources of the network.
        genes: those that were measured, or all of expression and network.
        may_stream: whether expression that is large may stay in its file.
    """
    edges, source = take_network(frame_network(network), "network")
    tf_names = list_tfs(tfs)
    reference = set(edges["tf"]) | set(edges["target"]) | set(tf_names or [])
    read = None
    if expression is not None:
        read = open_expression(expression, config, reference, may_stream=may_stream)
    universe = read.genes.tolist() if read is not None and genes == "measured" else None
    dataset = build_dataset(read, edges, tfs=tf_names, universe=universe, source=source)
    if universe is not None and dataset.report["edges"]["unknown"]:
        logger.warning(
            "%s: only measured genes are ranked; --genes=all takes all of the network", source
        )
    return dataset


def load_embedded(config: EmbeddedConfig, data: DataConfig | None = None) -> EmbeddedData:
    """The simulated data set, read by the same readers as a file, with the same settings."""
    import anndata

    simulated, known = config.make()
    cells = [f"cell{i}" for i in range(len(simulated.counts))]
    matrix = anndata.AnnData(
        simulated.counts.astype(np.float32),
        obs=pd.DataFrame(index=cells),
        var=pd.DataFrame(index=simulated.genes),
    )
    dataset = load_dataset(matrix, known, simulated.tfs.tolist(), data or DataConfig())
    genes, report = dataset.genes, {"source": "embedded"}
    motifs = describe_hits(
        simulated.motifs, genes.names, genes.tfs, name="motifs", kind="motifs", report=report
    )
    return EmbeddedData(dataset, simulated.edges, motifs)


def load_folder(folder: str | Path, config: DataConfig) -> tuple[Dataset, LoadedSet]:
    """Genes and labelled pairs of a set with a network, and the files that go with it.

    Args:
        folder: a folder of labels, or the name of a set as `grnjax data list` shows it.
        config: what else to read; `root`, `expression` and `split` may replace what the set has.
    """
    loaded = load_set(folder, config)
    if not isinstance(loaded.data, Dataset):
        raise ConfigError(
            f"{folder}: these are cells with their types, and no network of genes comes with them. "
            "Take another set of `grnjax data list`."
        )
    return loaded.data, loaded


def load_splits(loaded: LoadedSet, dataset: Dataset, protocol: SplitProtocol) -> list[Split] | None:
    """The published splits that `load_folder` found, one a draw; None where pairs must be drawn."""
    return dataclasses.replace(loaded, data=dataset).read_splits(protocol)


def load_embedding(config: DataConfig, dataset: Dataset) -> np.ndarray | None:
    """The frozen embedding [gene, dim] that the settings name, or None."""
    if config.embedding is None:
        return None
    vectors = read_vectors(config.embedding, dataset.genes.names, dataset.genes.tfs)
    dataset.report["embedding"] = vectors.report
    return vectors.genes[0].values
