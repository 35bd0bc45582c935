"""What a run leaves behind: its record and the network in the formats of other tools."""

import platform
from importlib import metadata
from pathlib import Path

from grnjax.data.edges import write_edges, write_ranked_edges
from grnjax.storage.files import digest_file, replace_whole
from grnjax.tasks.ranked_network import RankedNetwork

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


def write_network(folder: Path, network: RankedNetwork, about: dict) -> None:
    """The ranked network as edges.tsv, rankedEdges.csv (BEELINE) and network.h5ad.

    Args:
        about: metadata for `.uns['grn']` of the .h5ad.
    """
    write_edges(network.edges, folder / "edges.tsv")
    write_ranked_edges(network.edges, folder / "rankedEdges.csv")
    table = network.to_anndata(about=about)
    with replace_whole(folder / "network.h5ad") as partial:
        table.write_h5ad(partial)
