"""A ranked network written into the AnnData or MuData that it was inferred from.

    varp[key]    the best edges, sparse [tf, target]: their probability, or importance without one
    uns[key]     method, settings, version, how far to trust it, and where the edges were cut

`.varp` holds the best 100,000 edges at most, so that a file of cells stays of the size of cells;
`RankedNetwork.edges` has all, and `.to_anndata()` too.
"""

import json
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.config import Settings, to_json
from grnjax.data.names import list_names
from grnjax.progress import logger
from grnjax.storage.files import to_plain
from grnjax.tasks.ranked_network import RankedNetwork

MOST_EDGES = 100_000
KEY = "grnjax"
FIGURES = ("average_precision", "ap_ratio", "auroc", "swap_micro")


def find_table(cells: Any) -> Any | None:
    """The AnnData that the network is written into: the object, or its modality rna; else None."""
    if hasattr(cells, "mod") and hasattr(cells, "obs"):
        return cells.mod["rna"] if "rna" in cells.mod else None
    return cells if hasattr(cells, "varp") and hasattr(cells, "uns") else None


def annotate(cells: Any, network: RankedNetwork, key: str, settings: Settings, seed: int) -> bool:
    """Writes the network into the object; whether there was one to write it into.

    Edges of genes that are not in `.var_names` are left out, counted and named.

    Args:
        cells: AnnData, or MuData with a modality rna; anything else is left as it is.
        key: the name of the entries.
        settings: of the inference.
    """
    table = find_table(cells)
    if table is None:
        return False
    best, value = choose_best(network)
    place = pd.Series(np.arange(table.n_vars), index=table.var_names)
    place = place[~place.index.duplicated(keep=False)]
    is_there = best["tf"].isin(place.index) & best["target"].isin(place.index)
    if not is_there.all():
        genes = pd.unique(best[["tf", "target"]].to_numpy().ravel())
        missing = pd.Index(genes).difference(place.index)
        logger.warning(
            f".varp[{key!r}] leaves out {(~is_there).sum():,} of {len(best):,} edges, whose genes "
            f"are not in .var_names, or there twice ({len(missing):,}: {list_names(missing)})"
        )
        best = best[is_there]
    at = place[best["tf"]].to_numpy(), place[best["target"]].to_numpy()
    shape = (table.n_vars, table.n_vars)
    values = best[value].to_numpy(np.float32)
    table.varp[key] = sparse.csr_matrix((values, at), shape=shape)
    about = {
        "method": network.method,
        "settings": json.dumps(to_plain(to_json(settings)), sort_keys=True),
        "seed": seed,
        "version": find_version(),
        "value": value,
        "edges": len(best),
        "of_edges": len(network.edges),
        "least": float(values.min()) if len(values) else 0.0,
        "trust": describe_trust(network),
    }
    table.uns[key] = about
    logger.info(
        f".varp[{key!r}] holds the {len(best):,} best of {len(network.edges):,} edges by "
        f"{value}, from {about['least']:.3g} up, and .uns[{key!r}] what they are"
    )
    return True


def choose_best(network: RankedNetwork) -> tuple[pd.DataFrame, str]:
    """The best edges, and the column of their value."""
    edges = network.edges
    has_probability = "probability" in edges and bool(edges["probability"].notna().any())
    value = "probability" if has_probability else "importance"
    return edges[edges[value] > 0].nlargest(MOST_EDGES, "importance"), value


def describe_trust(network: RankedNetwork) -> dict[str, Any]:
    """How well known edges were found that the models had not seen, beside the best trivial row.

    Each figure is a mean over folds; empty where nothing was known to judge by.
    """
    rows = pd.DataFrame(network.rows)
    shown = [name for name in FIGURES if name in rows]
    if rows.empty or not shown:
        return {}
    means = rows.groupby("method", sort=False)[shown].mean()
    trust: dict[str, Any] = {}
    for name in shown:
        others = means[name].drop(network.method, errors="ignore").dropna()
        if network.method in means.index and pd.notna(means.loc[network.method, name]):
            trust[name] = float(means.loc[network.method, name])
        if len(others):
            trust[f"{name}_of_best_trivial_row"] = float(others.max())
            trust[f"{name}_best_trivial_row"] = str(others.idxmax())
    error = network.calibration.get("reliability_error")
    return trust | ({} if error is None else {"reliability_error": float(error)})


def find_version() -> str:
    """The version of grnjax."""
    from importlib import metadata

    return metadata.version("grnjax")
