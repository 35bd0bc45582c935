"""What a run leaves behind: its record and the network in the formats of other tools."""

import json
import platform
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.data.edges import write_edges, write_ranked_edges
from grnjax.storage.files import digest_file, replace_whole, to_plain
from grnjax.types import Dataset

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


def write_network(folder: Path, edges: pd.DataFrame, dataset: Dataset, about: dict) -> None:
    """The ranked network as edges.tsv, rankedEdges.csv (BEELINE) and network.h5ad.

    Args:
        edges: tf, target, importance and further columns, such as probability; best first.
        about: metadata for `.uns['grn']` of the .h5ad.
    """
    write_edges(edges, folder / "edges.tsv")
    write_ranked_edges(edges, folder / "rankedEdges.csv")
    write_h5ad(folder / "network.h5ad", edges, dataset, about)


def write_h5ad(path: Path, edges: pd.DataFrame, dataset: Dataset, about: dict) -> None:
    """An AnnData file of genes only: `.varp['grn']` holds importance, [tf, target].

    Where the edges have probabilities, `.varp['grn_probability']` holds them.
    """
    import anndata

    genes = dataset.genes
    place = pd.Series(np.arange(len(genes.names)), index=genes.names)
    at = place[edges["tf"]].to_numpy(), place[edges["target"]].to_numpy()
    shape = (len(place), len(place))
    table = anndata.AnnData(
        np.zeros((0, len(place)), np.float32),
        var=pd.DataFrame(
            {"is_tf": genes.is_tf, "measured": genes.measured}, index=genes.names.astype(object)
        ),
    )
    for key, column in (("grn", "importance"), ("grn_probability", "probability")):
        if column in edges:
            values = edges[column].to_numpy(np.float32)
            table.varp[key] = sparse.csr_matrix((values, at), shape=shape)
    table.uns["grn"] = {
        key: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        for key, value in to_plain(about).items()
    }
    with replace_whole(path) as partial:
        table.write_h5ad(partial)
