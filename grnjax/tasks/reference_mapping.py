"""Networks for cells without accessibility: lent by their nearest cells in a reference.

GRNFormer embeds a cell, and its nearest neighbour in the multiome reference lends its network. It
rests on an assumption that no figure here tests: that the reference has such cells. The other way,
the reference's regulons scored in the cell itself, is `tasks.activity.apply_reference`; which of
the two was used, and how much is on, is in the report.
"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from jaxtyping import Float, Int

from grnjax.config import Positive, Range, Settings
from grnjax.data.annotated import read_annotated
from grnjax.data.cell_groups import take_groups
from grnjax.data.cells import Cells, read_cells
from grnjax.data.expression import DataConfig
from grnjax.data.expression_matrix import take_object
from grnjax.data.names import list_names
from grnjax.data.regulon_store import StoredActivity, read_activity
from grnjax.data.regulons import read_regulons
from grnjax.errors import ConfigError, EdgeFormatError
from grnjax.graphs.cell_networks import TYPE_SHARE
from grnjax.progress import logger
from grnjax.tasks.activity import (
    Activity,
    ActivityConfig,
    apply_reference,
    describe,
    find_type_networks,
    measure_activity,
)

if TYPE_CHECKING:  # its import costs half a second
    from anndata import AnnData

AT_ONCE = 1 << 25  # similarities in a chunk
DISTANT = 0.3


@dataclasses.dataclass(frozen=True, kw_only=True)
class MappingConfig(Settings):
    """How cells find their like in a reference."""

    embedding: str = "X_pca"
    """Key of .obsm in which both are embedded alike."""
    neighbours: Positive = 1
    """Reference cells that lend a network; of several, each regulon and the type by majority."""
    least_similarity: Annotated[float, Range(-1, 1)] = DISTANT
    """Cosine below which a neighbour is said to be far."""


def find_activity(
    cells,
    regulons,
    reference,
    config: ActivityConfig,
    *,
    mapping: MappingConfig | None,
    data: DataConfig,
    seed: int,
) -> Activity:
    """Activity with thresholds of these cells, or by a reference in one of the two ways.

    Args:
        cells: a file or object of expression.
        regulons: a table; or else a reference is given, cells with their activity.
        config: of a reference, groups, donor and type_share alone count.
        mapping: lets the nearest cells lend their networks.

    Raises:
        ConfigError: both of regulons and reference, or neither.
    """
    if (regulons is None) == (reference is None):
        raise ConfigError("activity takes either regulons or a reference with activity of its own.")
    if reference is None and mapping is not None:
        raise ConfigError("mapping needs a reference, whose nearest cells lend their networks.")
    if reference is None:
        table = read_regulons(regulons, config.table)
        found = read_cells(cells, data, {*table.edges["target"]})
        donors = take_donors(found, config.donor)
        activity = measure_activity(found, table, config, seed=seed)
        return dataclasses.replace(activity, donors=donors)
    source = str(reference) if isinstance(reference, (str, Path)) else "reference"
    is_path = source != "reference"
    lender = read_annotated(reference, EdgeFormatError) if is_path else take_object(reference)
    stored = read_activity(lender, source)
    found = read_cells(cells, data, {*stored.regulons.edges["target"]})
    donors = take_donors(found, config.donor)
    if mapping is None:
        activity = apply_reference(found, stored, config)
    else:
        more = {"groups": config.groups, "type_share": config.type_share, "source": source}
        activity = lend_networks(found, lender, stored, mapping, **more)
    return dataclasses.replace(activity, donors=donors)


def take_donors(cells: Cells, column: str | None) -> np.ndarray | None:
    """The donor of each cell, [cell] str; None where no column is named."""
    if column is None:
        return None
    return take_groups(cells.adata.obs, column, cells.report["source"], flag="--donor")


def find_neighbours(
    cells: Float[np.ndarray, "cell dim"],
    reference: Float[np.ndarray, "reference dim"],
    number: int,
    *,
    names: np.ndarray,
) -> tuple[Int[np.ndarray, "cell neighbour"], Float[np.ndarray, "cell neighbour"]]:
    """The nearest reference cells by cosine, nearest first, and their similarities.

    Both embeddings are centred by the mean of the reference. Of equally near cells the one whose
    name comes first is nearer, whatever their order.

    Args:
        names: of the reference cells.
    """
    order = np.argsort(names, kind="stable")
    centre = reference.astype(np.float64).mean(axis=0)

    def scale(vectors: np.ndarray) -> np.ndarray:
        vectors = vectors.astype(np.float64) - centre
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.where(length > 0, length, 1)

    ours, theirs = scale(cells), scale(reference[order])
    step = max(1, AT_ONCE // len(theirs))
    places = np.empty((len(ours), number), np.int64)
    similarity = np.empty((len(ours), number))
    for start in range(0, len(ours), step):
        found = (ours[start : start + step] @ theirs.T).round(12)
        nearest = np.argsort(-found, axis=1, kind="stable")[:, :number]
        places[start : start + step] = nearest
        similarity[start : start + step] = np.take_along_axis(found, nearest, axis=1)
    return order[places], similarity


def lend_networks(
    cells: Cells,
    reference: "AnnData",
    stored: StoredActivity,
    config: MappingConfig,
    *,
    groups: str | None = None,
    type_share: float = TYPE_SHARE,
    source: str = "reference",
) -> Activity:
    """Each cell with the regulons, and the type, of its nearest cells in the reference.

    Of several neighbours a regulon is on if it is in more than half of them, or in half of them
    with the nearest among these; a type likewise is the most frequent, or of several the nearest.
    The activity is the neighbours' mean: nothing was measured in the cell itself.

    Args:
        groups: column of .obs of the reference with cell types, which are lent, too.
        type_share: as in `ActivityConfig`.

    Raises:
        ConfigError: an embedding is missing, or of another width.
    """
    ours = take_embedding(cells.adata, config.embedding, cells.report["source"])
    theirs = take_embedding(reference, config.embedding, source)
    if ours.shape[1] != theirs.shape[1]:
        raise ConfigError(
            f"{config.embedding} has {ours.shape[1]:,} dimensions in {cells.report['source']} and "
            f"{theirs.shape[1]:,} in {source}: embed both by one model (--mapping.embedding)."
        )
    number = min(config.neighbours, len(theirs))
    names = np.asarray(reference.obs_names).astype(str)
    nearest, similarity = find_neighbours(ours, theirs, number, names=names)
    votes = stored.active[nearest].mean(axis=1)
    active = (votes > 0.5) | ((votes == 0.5) & stored.active[nearest[:, 0]])
    obs, lent_types = {"reference_cell": names[nearest[:, 0]]}, None
    if groups is not None:
        lent_types = vote_types(take_groups(reference.obs, groups, source)[nearest])
        obs["reference_type"] = lent_types
    types = find_type_networks(active, lent_types, type_share)
    activity = stored.activity[nearest].mean(axis=1, dtype=np.float64).astype(np.float32)
    settings = {**stored.settings, "assigned": "nearest", "neighbours": number}
    settings |= {"embedding": config.embedding, "type_share": type_share}
    lent = dataclasses.replace(
        stored,
        activity=activity,
        active=active,
        type_names=types[0],
        type_share=types[1],
        type_active=types[2],
        settings=settings,
    )
    is_far = similarity[:, 0] < config.least_similarity
    report = {
        "assigned": "nearest",
        "reference": source,
        "median_similarity": float(np.median(similarity[:, 0])),
        "far": int(is_far.sum()),
        "reference_cells_used": len(np.unique(nearest)),
        "share_on_in_reference": float(stored.active.mean()),
    }
    if is_far.any():
        logger.warning(
            f"{cells.report['source']}: {is_far.sum():,} of {len(ours):,} cells have no reference "
            f"cell with a cosine of {config.least_similarity:g} or more: "
            f"{list_names(cells.adata.obs_names[is_far])}"
        )
    found = describe(cells, lent, lent_types, report)
    return dataclasses.replace(found, obs=obs)


def take_embedding(adata: "AnnData", key: str, source: str) -> np.ndarray:
    """The embedding [cell, dim] under a key of obsm."""
    if key not in adata.obsm:
        raise ConfigError(
            f"{source}: .obsm has no {key!r}; it has {list_names(adata.obsm) or 'nothing'}. Embed "
            "both sets of cells by one model, and name it by --mapping.embedding."
        )
    values = np.asarray(adata.obsm[key])
    if values.ndim != 2 or values.dtype.kind not in "biuf" or not np.isfinite(values).all():
        raise ConfigError(f"{source}: .obsm[{key!r}] is no matrix of finite numbers.")
    return values


def vote_types(types: np.ndarray) -> np.ndarray:
    """The most frequent type of each row, nearest first; of several the nearest one."""
    names, codes = np.unique(types, return_inverse=True)
    codes = codes.reshape(types.shape)
    counts = (codes[:, :, None] == codes[:, None, :]).sum(axis=2)  # of each neighbour's type
    return names[np.take_along_axis(codes, counts.argmax(axis=1)[:, None], axis=1)[:, 0]]
