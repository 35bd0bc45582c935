"""`grnjax.read`: a finished run of `grnjax infer` as what `grnjax.infer` returns, or data.

Read back are the edges, what is known of their quality, what they rest on and further tables. The
scores of the trivial rows and the expression are not kept in a run: their figures are.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from grnjax.data.edges import find_edges
from grnjax.data.expression import DataConfig
from grnjax.errors import ConfigError, GrnjaxError
from grnjax.methods.method import make_method
from grnjax.progress import logger
from grnjax.storage.files import RECORD, digest_file
from grnjax.storage.outputs import OUTPUTS, RESULT, is_as_written
from grnjax.tasks.group_comparison import GroupDifferences
from grnjax.tasks.group_networks import GroupNetworks
from grnjax.tasks.inputs import load_genes_and_edges
from grnjax.tasks.loading import load_folder
from grnjax.tasks.python_words import speaks_python
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.types import GeneTable

NETWORK, SCORES = "network.h5ad", "scores.npz"
DIFFERENCES = {"tfs": "tf_differences.tsv", "edges": "edge_differences.tsv"}
WORDS = {
    *("TF", "tf", "target", "status", "unseen", "group", "regulon", "region", "name"),
    *("rests_on", "ranked_by"),
}
"""Columns of text; all others hold numbers."""


@speaks_python
def read(expression, known=None, tfs=None, *, data: DataConfig | None = None):
    """A run folder as the network that it holds; or genes, expression and known pairs, joined.

    Args:
        expression: without `known`, the folder of a finished run of `infer`, or the name or folder
            of a benchmark set; with it, as in `infer`.
        known: as in `infer`.
        tfs: names or the path of a list; by default the sources of the known edges.

    Returns:
        The network (`RankedNetwork`) of a run, or those of its groups (`GroupNetworks`); else a
        `Dataset`.

    Raises:
        GrnjaxError: one sentence on what is wrong with the folder or the inputs.
    """
    if known is None and isinstance(expression, (str, Path)) and is_run(Path(expression)):
        return read_run(expression)
    data = data or DataConfig()
    if known is None:
        if not isinstance(expression, (str, Path)):
            raise ConfigError(
                "read takes a run folder, expression with known edges, or the name of a benchmark "
                "set; give known=EDGES, or rank by expression alone with grnjax.infer."
            )
        return load_folder(expression, data)[0]
    return load_genes_and_edges(make_method("kernel-factor"), expression, known, tfs, data)[0]


def is_run(path: Path) -> bool:
    """Whether this is the folder of a run, finished or not."""
    return path.is_dir() and ((path / RESULT).exists() or (path / RECORD).exists())


def read_run(folder: str | Path) -> RankedNetwork | GroupNetworks:
    """The network of a run folder; of a run `--by`, those of its groups and what differs.

    Raises:
        ConfigError: it has not finished, is damaged, or is that of another command.
    """
    folder = Path(folder)
    told = read_result(folder)
    if told.get("command") != "infer":
        raise ConfigError(
            f"{folder} is a run of grnjax {told.get('command')}, which ranks no network; give the "
            "folder of grnjax infer."
        )
    if "groups" not in told:
        return read_network(folder, told)
    folders = told["groups"]["folders"]
    networks = {
        name: read_network(folder / place, read_result(folder / place))
        for name, place in folders.items()
    }
    check_files(folder, told, *DIFFERENCES.values())
    tables = {key: read_table(folder / name) for key, name in DIFFERENCES.items()}
    return GroupNetworks(networks, GroupDifferences(**tables), told["groups"])


def read_one(folder: str | Path, group: str | None = None) -> RankedNetwork:
    """The network of a run folder, of the named group where there are several.

    Raises:
        ConfigError: a group is missing, or is none.
    """
    found = read_run(folder)
    if isinstance(found, RankedNetwork):
        if group is not None:
            raise ConfigError(f"{folder} holds one network and no groups; leave out --group.")
        return found
    if group not in found.networks:
        names = ", ".join(found.networks)
        what = "holds a network a group" if group is None else f"has no group {group!r}"
        raise ConfigError(f"{folder} {what}; give --group=NAME, one of {names}.")
    return found.networks[group]


def read_result(folder: Path) -> dict[str, Any]:
    """What run.json says of a finished run."""
    path = folder / RESULT
    if not path.exists():
        if (folder / RECORD).exists():
            raise ConfigError(
                f"{folder}: this run has not finished; the command that began it goes on from here."
            )
        raise ConfigError(
            f"{folder} is no folder of a run: it has no {RESULT}; give the --out of a finished run."
        )
    return parse_record(path)


def parse_record(path: Path) -> dict[str, Any]:
    """What a record that a command has written says."""
    try:
        written = path.read_bytes()
        told = json.loads(written)
        if not isinstance(told, dict):
            raise ValueError("no object")
        if not is_as_written(told, written):
            raise ValueError("it is not as it was written")
    except (ValueError, RecursionError, OSError) as problem:
        raise ConfigError(
            f"{path} is damaged ({problem}); the command that made the run makes it again."
        ) from problem
    return told


def read_network(folder: Path, told: dict[str, Any]) -> RankedNetwork:
    """The network that lies in this folder."""
    metrics, files = told.get("metrics", {}), told.get(OUTPUTS, {})
    edges = find_edges(folder)
    known = {edges.name, *DIFFERENCES.values()}
    others = sorted(name for name in files if name.endswith(".tsv") and "/" not in name)
    check_files(folder, told, edges.name, NETWORK, *others, *({SCORES} & {*files}))
    return RankedNetwork(
        method=str(told.get("method")),
        genes=read_genes(folder / NETWORK),
        edges=read_table(edges).rename(columns={"TF": "tf"}),
        rows=metrics.get("rows", []),
        calibration=metrics.get("calibration", {}),
        evidence=told.get("evidence", {}),
        overlap=told.get("label_overlap", []),
        worth=told.get("blocks", []),
        tables={
            name.removesuffix(".tsv"): read_table(folder / name)
            for name in others
            if name not in known
        },
        every_score=read_scores(folder / SCORES) if SCORES in files else None,
        report=told.get("found", {}),
        about={key: told[key] for key in ("config", "versions", "seed", "inputs") if key in told},
        folder=folder,
    )


def check_files(folder: Path, told: dict[str, Any], *names: str) -> None:
    """Refuses files of a run that are missing, or are not as it left them by their digests.

    Args:
        told: its run.json; one of an earlier version has no digests.
    """
    for name in names:
        path, stated = folder / name, told.get(OUTPUTS, {}).get(name, {}).get("sha256")
        if not path.is_file() or (stated is not None and digest_file(path) != stated):
            what = "is not as it was written" if path.is_file() else "is missing"
            raise ConfigError(f"{path} {what}; the command that made the run makes it again.")


def read_table(path: Path) -> pd.DataFrame:
    """A table of a run; names such as NA are names, and empty numbers are missing."""
    try:
        headings = pd.read_csv(path, sep="\t", nrows=0).columns
        words = {name: str for name in headings if name in WORDS}
        empty = {name: ["", "nan"] for name in headings if name not in words}
        return pd.read_csv(
            path,
            sep="\t",
            dtype=words,
            na_values=empty,
            keep_default_na=False,
            float_precision="round_trip",
        )
    except (ValueError, OSError) as problem:
        raise ConfigError(
            f"{path} is damaged or missing ({problem}); the command that made the run makes it "
            "again."
        ) from problem


def read_genes(path: Path) -> GeneTable:
    """The genes of the network, which are TFs and which were measured; their expression is gone."""
    from grnjax.data.annotated import open_hdf5

    with open_hdf5(path, ConfigError) as file:
        from anndata.io import read_elem

        table = read_elem(file["var"])
    names = table.index.to_numpy(str)
    empty = np.zeros((0, len(names)), np.float32)
    return GeneTable(names, table["is_tf"].to_numpy(bool), empty, table["measured"].to_numpy(bool))


def read_scores(path: Path) -> pd.DataFrame | None:
    """Scores [tf, gene] of all pairs, where the tables list the best alone."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            return pd.DataFrame(kept["score"], kept["tf"], kept["target"])
    except (ValueError, KeyError, OSError, GrnjaxError) as problem:
        logger.warning(f"{path}: cannot be read ({problem}); only the listed pairs have scores")
        return None
