"""Data sets from what a user names: files, an AnnData object, a folder, or nothing at all."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.data.beeline import BeelineFolder, read_folder
from grnjax.data.edges import PARSERS, clean_edges, find_columns, read_edges
from grnjax.data.expression import DataConfig, read_expression
from grnjax.data.genes import build_dataset, read_embedding, read_tf_list
from grnjax.data.names import list_names
from grnjax.data.simulator import EmbeddedConfig
from grnjax.errors import EdgeFormatError
from grnjax.types import Dataset


@dataclasses.dataclass(frozen=True, eq=False)
class EmbeddedData:
    """The embedded data set; part of its network is known, all of it is at hand."""

    dataset: Dataset
    truth: pd.DataFrame  # columns tf, target, sign


def load_dataset(expression, network, tfs, config: DataConfig) -> Dataset:
    """Genes and known pairs from expression, a network and perhaps a TF list.

    Args:
        expression: path, AnnData object, or None for genes without expression.
        network: path, or a data frame with columns tf and target (perhaps label, sign, weight).
        tfs: path, names, or None for the sources of the network.
    """
    if isinstance(network, pd.DataFrame):
        edges, source = take_edges(network), "network"
    else:
        edges, source = read_edges(network), str(network)
    tf_names = read_tf_list(tfs) if isinstance(tfs, (str, Path)) else tfs
    tf_names = None if tf_names is None else list(map(str, tf_names))
    reference = set(edges["tf"]) | set(edges["target"]) | set(tf_names or [])
    read = None if expression is None else read_expression(expression, config, reference)
    return build_dataset(read, edges, tfs=tf_names, universe=None, source=source)


def take_edges(frame: pd.DataFrame) -> pd.DataFrame:
    """A network in memory as `read_edges` gives that of a file: same headings, same checks."""
    columns = find_columns(list(map(str, frame.columns)))
    if "tf" not in columns or "target" not in columns:
        raise EdgeFormatError(
            f"network: no TF and target among its columns ({list_names(frame.columns)}). "
            "Name them tf and target."
        )
    edges = {}
    for role, place in columns.items():
        column = frame.iloc[:, place].reset_index(drop=True).astype(object)
        text = column.where(column.notna(), "").astype(str).str.strip()
        edges[role] = PARSERS[role](text, "network") if role in PARSERS else text
    return clean_edges(pd.DataFrame(edges), "network")


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
    return EmbeddedData(dataset, simulated.edges)


def load_folder(folder: Path, config: DataConfig) -> tuple[Dataset, BeelineFolder]:
    """Genes and labelled pairs of a GENELink or BEELINE folder; `data.expression` comes first."""
    beeline = read_folder(folder)
    path = config.expression or beeline.expression
    edges = beeline.edges
    names = set(beeline.genes or []) | set(edges["tf"]) | set(edges["target"])
    expression = None if path is None else read_expression(path, config, names)
    dataset = build_dataset(
        expression, edges, tfs=beeline.tfs, universe=beeline.genes, source=str(folder)
    )
    return dataset, beeline


def load_embedding(config: DataConfig, dataset: Dataset) -> np.ndarray | None:
    """The frozen embedding [gene, dim] that the settings name, or None."""
    if config.embedding is None:
        return None
    embedding, _, report = read_embedding(config.embedding, dataset.genes.names)
    dataset.report["embedding"] = report
    return embedding
