"""How much chance there is in expression of few cells: what is refused, and what is said."""

import math

from scipy.stats import t

from grnjax.errors import ConfigError
from grnjax.methods.method import MethodConfig
from grnjax.progress import logger
from grnjax.types import GeneTable

FEWEST_CELLS = 4  # in fewer no correlation has an interval: Fisher's z varies by 1 / (n - 3)
STRONG = 0.5  # a correlation that many would believe


def strongest_by_chance(cells: int, pairs: int) -> float:
    """The |r| above which one of so many pairs of genes is to be expected, where none go together.

    By Student's t of r, with two degrees of freedom fewer than cells; 1 where there are none.
    """
    free = cells - 2
    if free < 1:
        return 1.0
    found = float(t.isf(1 / (2 * max(pairs, 2)), free))
    return found / math.hypot(math.sqrt(free), found)


def tell_few_cells(method: MethodConfig, genes: GeneTable) -> None:
    """Warns of correlations that chance makes strong in so few cells, for a method that reads them.

    Raises:
        ConfigError: no more cells than any two genes can agree in, and nothing beside them.
    """
    pairs, cells = len(genes.tfs) * (len(genes.names) - 1), len(genes.expression)
    if "expression" not in method.READS or not cells:
        return
    if genes.batches is not None:  # the mean of each costs one
        cells -= int(genes.batches.of_cell.max())
    if cells < FEWEST_CELLS and "labels" not in method.READS:
        raise ConfigError(
            f"{cells} cell{'s' * (cells > 1)}: in so few any genes go together, and "
            f"{method.name()} would rank chance; give {FEWEST_CELLS} cells at least, "
            "and better a hundred."
        )
    chance = strongest_by_chance(cells, pairs)
    if chance > STRONG:
        logger.warning(
            f"{cells:,} cells are few: of {pairs:,} pairs of genes that have nothing to do with "
            f"each other, one would have a correlation of {chance:.2f} or more by chance; give "
            "more cells, or trust no rank by expression alone"
        )
