"""What a run leaves behind: its record and the network in the formats of other tools."""

import dataclasses
import hashlib
import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import numpy as np

from grnjax.config import Settings, to_json
from grnjax.data.edges import EDGES, RANKED, name_edges, write_edges, write_ranked_edges
from grnjax.data.h5ad_output import write_h5ad
from grnjax.evidence.types import Profiles
from grnjax.evidence.vectors import split_embedding
from grnjax.progress import logger
from grnjax.storage.files import (
    RECORD,
    RUN,
    compare_records,
    digest_file,
    digest_json,
    read_record,
    replace_whole,
    write_atomic,
    write_json,
)
from grnjax.storage.outputs import CHECKPOINTS
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.types import StreamedExpression

CONTENT = "by content"
NO_PART_OF_IT = ("out", "devices", "verbose")
"""Settings of a command that do not make a run another one."""

PACKAGES = (
    "grnjax",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "jraph",
    "orbax-checkpoint",
    "numpy",
    "scipy",
    "pandas",
    "anndata",
    "scikit-learn",
)


def describe_environment() -> dict:
    """Versions of Python and packages, and the devices that computed."""
    import jax

    devices = jax.devices()
    return {
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in PACKAGES},
        "device": {
            "backend": jax.default_backend(),
            "kind": devices[0].device_kind,
            "count": len(devices),
        },
    }


def digest_inputs(paths: dict[str, str | Path | None]) -> dict[str, str]:
    """SHA-256 of each input file by its role; of a folder's files, each."""
    digests = {}
    for role, path in paths.items():
        if path is None:
            continue
        path = Path(path)
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.is_file())
            digests |= {f"{role}/{file.relative_to(path)}": digest_file(file) for file in files}
        elif path.is_file():
            digests[role] = digest_file(path)
    return digests


def identify(record: dict) -> dict:
    """What of the record of a run tells it from others: files count by their content.

    How the path of a file is spelled, where it lies and what it is called do not count where its
    digest is among the inputs. Names of files of evidence do, as results name it.
    """
    config, inputs = dict(record.get("config", {})), dict(record.get("inputs", {}))
    for place, path in enumerate(config.get("walk_on") or ()):
        old, new = f"networks/{path}", f"networks/{place}"
        inputs = {
            new + role.removeprefix(old) if f"{role}/".startswith(f"{old}/") else role: digest
            for role, digest in inputs.items()
        }
    for part in (config, data := dict(config.get("data") or {})):
        part |= {key: forget_path(key, value, inputs) for key, value in part.items()}
    own = {role.split("/")[1] for role in inputs if role.startswith("method/")}
    if own:
        method = config["method"]
        content = {key: forget_path(key, method[key], inputs) for key in {*own} & {"embedding"}}
        config["method"] = {**method, **dict.fromkeys(own, CONTENT), **content}
    return {**record, "config": {**config, "data": data}, "inputs": inputs}


def forget_path(key: str, value: object, inputs: dict[str, str]) -> object:
    """A setting without the spelling of the paths in it whose files are among the inputs."""
    if key == "evidence":
        return [strip_folders(entry) for entry in value or ()]
    if key == "walk_on":
        return len(value or ())
    if not isinstance(value, str):
        return value
    if key in ("embedding", "target_embedding"):
        return [CONTENT, split_embedding(value)[1]]
    if key in ("expression", "network", "tfs", "gene_names"):
        roles = [role for role in inputs if role.startswith(f"{key}/")]  # files of a folder
        digested = bool(roles) or any(role == key or role.endswith(f"/{key}") for role in inputs)
        inside = any(role.endswith(f"/{os.path.basename(value)}") for role in inputs)
        return CONTENT if digested else os.path.basename(value) if inside else value
    if key in ("folder", "source", "target", "split"):  # or else the name of a set
        return CONTENT if os.path.exists(value) else value
    return CONTENT if key == "root" else value


def claim_folder(folder: str | Path | None, call: str, config: Settings, **parts: object) -> None:
    """Marks a folder as that of one call from Python, or refuses it as that of another.

    In the folder of a command only settings are compared, and it is said that inputs are not.

    Args:
        folder: None keeps nothing.
        call: the name of the function.
        parts: what is computed from: a seed, and datasets and arrays in any nesting.

    Raises:
        ConfigError: the folder holds another run.
    """
    if folder is None:
        return
    folder, values = Path(folder), to_json(config)
    inputs = {k: x if isinstance(x, int) else digest_parts(x) for k, x in parts.items()}
    here: dict = {"command": f"grnjax.{call}", "config": values, "inputs": inputs}
    if not (folder / RECORD).exists():
        if not (folder / CHECKPOINTS).exists():  # those of an earlier version had no record
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / RECORD, {**here, RUN: digest_json(here)})
        return
    there = {key: value for key, value in read_record(folder).items() if key != RUN}
    if there.get("command") == call:
        settings = there.get("config", {})
        values = {**inputs, **values}
        common = [key for key in values if key in settings and key != "class"]
        here, there = ({key: x[key] for key in common} for x in (values, settings))
        logger.warning("%s is of the command %s; its inputs are taken to be these", folder, call)
    compare_records(folder, here, there, place="folder")


def digest_parts(parts: object) -> str:
    """SHA-256 of all numbers and words in dataclasses, mappings, sequences and arrays."""
    digest = hashlib.sha256()

    def add(part: object) -> None:
        if isinstance(part, StreamedExpression):
            part = part.digest
        elif isinstance(part, Profiles) and isinstance(part.values, np.ndarray):
            part = {"values": part.values.T}  # as earlier versions had them
        elif dataclasses.is_dataclass(part):
            unread = ("report", "cells")  # as earlier versions had no names of cells,
            part = {key: value for key, value in vars(part).items() if key not in unread}
            if part.get("batches", part) is None:
                del part["batches"]  # nor any batches
        if isinstance(part, np.ndarray) and part.dtype != object:
            digest.update(f"{part.dtype}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
        elif isinstance(part, Mapping):
            add([*part.items()])
        elif isinstance(part, list | tuple | np.ndarray):
            digest.update(f"{len(part)} parts".encode())
            for item in part:
                add(item)
        else:
            known = isinstance(part, str | int | float | None | Path | np.generic)
            digest.update(repr(part if known else type(part).__name__).encode())

    add(parts)
    return digest.hexdigest()


def strip_folders(entry: str) -> str:
    """An entry of evidence, KIND=PATH,PATH or a folder, without the folders of its paths."""
    kind, mark, paths = entry.rpartition("=")
    names = [os.path.basename(path) for path in paths.split(",")] if mark else [CONTENT]
    return kind + mark + ",".join(names)


def write_network(folder: Path, network: RankedNetwork, about: dict) -> None:
    """The ranked network as edges.tsv, rankedEdges.csv (BEELINE) and network.h5ad.

    Both tables are gzipped where there are more than `MOST_PLAIN` edges.
    What else the method found stands beside them, NAME.tsv each, and in scores.npz, where the
    tables list the best pairs alone, the scores of all: score [tf, target], tf and target.

    Args:
        about: metadata for `.uns['grn']` of the .h5ad.
    """
    count = len(network.edges)
    write_edges(network.edges, folder / name_edges(EDGES, count))
    write_ranked_edges(network.edges, folder / name_edges(RANKED, count))
    write_h5ad(network.to_anndata(about=about), folder / "network.h5ad")
    if network.every_score is not None:
        every = network.every_score
        tf, target = every.index.to_numpy(str), every.columns.to_numpy(str)
        with replace_whole(folder / "scores.npz") as beside, open(beside, "wb") as file:
            np.savez(file, score=every.to_numpy(), tf=tf, target=target)
    for name, table in network.tables.items():
        write_atomic(folder / f"{name}.tsv", table.to_csv(sep="\t", index=False))
