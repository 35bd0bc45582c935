"""Meta-cells: means of like cells, dense enough that accessibility and expression correlate.

Paired cells are averaged with their neighbours of the same group by expression. Unpaired ones are
drawn at random within a group, those of RNA and of ATAC apart, as SCENIC+ does (Bravo
González-Blas et al. 2023, Nature Methods 20:1355): what then correlates differs between groups.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from grnjax.config import Positive, Settings
from grnjax.data.cell_space import cluster, project
from grnjax.errors import ConfigError
from grnjax.methods.enhancer.cells import JoinedCells, drop_small
from grnjax.progress import logger

CELLS_AT_ONCE = 1024  # whose distances are held together
STARTS = 8  # of k-means


@dataclasses.dataclass(frozen=True, kw_only=True)
class MetacellConfig(Settings):
    """How cells are averaged."""

    size: Positive = 10
    """Cells in one meta-cell."""
    coverage: Positive = 2
    """Meta-cells in how many a cell is on average: a group of n cells gets coverage * n / size."""
    fewest_cells: Positive = 20
    """Groups of fewer cells are left out."""
    components: Positive = 50
    """Principal components of expression by which cells are neighbours."""
    variable_genes: Positive = 2000
    """Genes of the largest variance, which the components are of."""
    clusters: Positive = 20
    """Groups at most, where none are given: one for each 50 cells, by k-means on the components."""


@dataclasses.dataclass(frozen=True, eq=False)
class Metacells:
    """Which cells make up each meta-cell, as weights that add up to 1, and its group."""

    of_rna: sparse.csr_matrix  # [meta-cell, cell]
    of_atac: sparse.csr_matrix | None  # [meta-cell, cell of ATAC]
    groups: np.ndarray  # [meta-cell] str
    report: dict


def draw_metacells(cells: JoinedCells, config: MetacellConfig, *, seed: int) -> Metacells:
    """The meta-cells of each group, in the order of the groups' names.

    Raises:
        ConfigError: no group is large enough, or RNA and ATAC share none.
    """
    rng = np.random.default_rng([seed, 1])
    if cells.counts is not None and not cells.is_paired:
        return draw_unpaired(cells, config, rng)
    space = project(cells.expression, genes=config.variable_genes, components=config.components)
    groups = cells.groups
    report: dict = {"groups_from": "given"}
    if groups is None:
        count = int(np.clip(len(space) // 50, 1, config.clusters))
        width = len(str(count))
        number = cluster(space, count, rng, starts=STARTS)
        groups = np.array([f"{x + 1:0{width}d}" for x in number])
        report["groups_from"] = f"k-means on expression, {count} clusters"
        logger.info(
            f"no groups of cells are given (--method.groups=COLUMN): {count} clusters by k-means "
            f"on {space.shape[1]} principal components of expression"
        )
    places, left_out = drop_small(groups, config.fewest_cells, "RNA")
    members, names = [], []
    for name, inside in places.items():
        count = max(1, round(config.coverage * len(inside) / config.size))
        centres = np.sort(rng.choice(len(inside), min(count, len(inside)), replace=False))
        near = find_nearest(space[inside], centres, config.size)
        members.append(inside[near])
        names += [name] * len(near)
    weights = average(members, len(space))
    report |= {
        "metacells": len(names),
        "groups": {k: len(x) for k, x in places.items()},
        **left_out,
    }
    of_atac = weights if cells.counts is not None else None
    return Metacells(weights, of_atac, np.array(names), report)


def draw_unpaired(
    cells: JoinedCells, config: MetacellConfig, rng: np.random.Generator
) -> Metacells:
    """Meta-cells of cells drawn within the groups that RNA and ATAC share."""
    assert cells.groups is not None and cells.atac_groups is not None
    rna, left_out = drop_small(cells.groups, config.fewest_cells, "RNA")
    atac, also = drop_small(cells.atac_groups, config.fewest_cells, "ATAC")
    shared = [name for name in rna if name in atac]
    if not shared:
        raise ConfigError(
            f"RNA and ATAC share none of their groups of cells ({', '.join(rna)}; "
            f"{', '.join(atac)}); call them alike."
        )
    apart = sorted({*rna} ^ {*atac})
    if apart:
        logger.warning(f"left out, groups of RNA or of ATAC alone: {', '.join(apart)}")
    drawn: tuple[list, list] = ([], [])
    names = []
    for name in shared:
        least = min(len(rna[name]), len(atac[name]))
        count = max(1, round(config.coverage * least / config.size))
        names += [name] * count
        for inside, members in zip((rna[name], atac[name]), drawn, strict=True):
            size = min(config.size, len(inside))
            chosen = [rng.choice(inside, size, replace=False) for _ in range(count)]
            members.append(np.stack(chosen))
    assert cells.counts is not None
    report = {
        "groups_from": "given",
        "metacells": len(names),
        "groups": {name: [len(rna[name]), len(atac[name])] for name in shared},
        "groups_apart": apart,
        "rna": left_out,
        "atac": also,
    }
    of_rna = average(drawn[0], len(cells.expression))
    return Metacells(of_rna, average(drawn[1], cells.counts.shape[0]), np.array(names), report)


def average(members: list[Int[np.ndarray, "metacell size"]], cells: int) -> sparse.csr_matrix:
    """Weights [meta-cell, cell] of the means; a block of meta-cells may have another size."""
    rows = [np.repeat(np.arange(len(block)), block.shape[1]) for block in members]
    first = np.cumsum([0, *(len(block) for block in members)])
    row = np.concatenate([x + start for x, start in zip(rows, first, strict=False)])
    weights = np.concatenate([np.full(block.size, 1 / block.shape[1]) for block in members])
    column = np.concatenate([block.ravel() for block in members])
    matrix = sparse.csr_matrix((weights, (row, column)), shape=(first[-1], cells))
    matrix.sort_indices()
    return matrix


def find_nearest(
    space: Float[np.ndarray, "cell component"], centres: Int[np.ndarray, " centre"], size: int
) -> Int[np.ndarray, "centre size"]:
    """The nearest cells of each centre, itself first, ties by the order of the cells."""
    size, lengths, found = min(size, len(space)), (space**2).sum(axis=1), []
    for first in range(0, len(centres), CELLS_AT_ONCE):
        chosen = centres[first : first + CELLS_AT_ONCE]
        distance = lengths - 2 * space[chosen] @ space.T
        distance[np.arange(len(chosen)), chosen] = -np.inf
        found.append(np.argsort(distance, axis=1, kind="stable")[:, :size])
    return np.concatenate(found)
