"""What short runs have left: results, what is half-written, what should have been tidied up."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.storage.files import read_json_lines

RESULTS = ("edges.tsv", "rankedEdges.csv", "network.h5ad", "evaluation.json")
RESULTS += ("tf_differences.tsv", "edge_differences.tsv", "cells.h5ad", "genes.npz", "lists.npz")
RESULTS += ("active.h5ad", "model.safetensors", "vocab.json", "args.json")
RESULTS += ("converted.tsv", "hits.tsv", "rows.tsv", "units.tsv", "page.html", "picture.png")
RESULTS += tuple(f"regulons.{suffix}" for suffix in ("gmt", "json", "csv", "tsv"))
RECORDS = ("run.json", "active.json", "hits.tsv.json")
UNLIKE = ("seconds", "outputs", "digest")  # of run.json, from run to run
SPENT = ("seconds", "cpu_seconds", "peak_mib")  # of the rows of a comparison


def read_results(folder: Path) -> dict:
    """All that a finished run is for: the bytes of its outputs, and records but for their times.

    Of a model that it leaves, the digest of its arrays, as Orbax writes the time into its files.
    """
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*"))}
    files = {name: path for name, path in files.items() if path.is_file()}
    found = {name: path.read_bytes() for name, path in files.items() if path.name in RESULTS}
    log = folder / "metrics.jsonl"
    if log.exists():
        found["log"] = sorted(json.dumps(drop_spent(x)) for x in read_json_lines(log))
    for name in (name for name, path in files.items() if path.name in RECORDS):
        result = json.loads(files[name].read_bytes())
        found[name] = drop_spent({k: value for k, value in result.items() if k not in UNLIKE})
    table = folder / "comparison.tsv"
    if table.exists():
        found[table.name] = pd.read_csv(table, sep="\t").drop(columns=list(SPENT)).to_csv()
    found |= dict(digest_models(folder))
    return found


def find_halves(out: Path, expected: dict) -> list[str]:
    """The outputs of a run that was cut off which are neither whole nor absent."""
    found = read_results(out) if out.exists() else {}
    own = {name: x for name, x in found.items() if name != "log" and not name.endswith(".json")}
    return [f"{name} is neither whole nor absent" for name, x in own.items() if x != expected[name]]


def find_leftovers(out: Path) -> list[str]:
    """What a run that has ended should have tidied up."""
    left = [p for p in out.rglob("*") if ".partial" in p.name or p.name.endswith(".replaced")]
    return [f"{path} is left" for path in left]


def drop_spent(value):
    """A record without the time and memory that its rows took."""
    if isinstance(value, list):
        return [drop_spent(item) for item in value]
    if not isinstance(value, dict):
        return value
    is_row = value.keys() >= {*SPENT}
    return {k: drop_spent(x) for k, x in value.items() if not (is_row and k in SPENT)}


def digest_models(folder: Path) -> Iterator[tuple[str, str]]:
    """Each model that a run leaves, by its folder, and the digest of its arrays."""
    from grnjax.errors import GrnjaxError
    from grnjax.foundation.convert import load_model, read_about
    from grnjax.foundation.weights import name_leaves

    for model in (folder, folder / "model"):
        if not (model / "run.json").exists() or not (model / "checkpoints/0").exists():
            continue
        try:
            read_about(model)
        except GrnjaxError:  # checkpoints of a fit
            continue
        digest = hashlib.sha256()
        for name, leaf in name_leaves(load_model(model, on_host=True).variables):
            digest.update(name.encode() + np.ascontiguousarray(leaf).tobytes())
        yield f"arrays of {model.relative_to(folder)}", digest.hexdigest()
