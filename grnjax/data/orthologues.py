"""Tables of orthologues: which gene of one species a gene of another one is."""

from collections import Counter
from pathlib import Path

from grnjax.data.names import list_names
from grnjax.data.tables import read_rows
from grnjax.errors import GeneMismatchError
from grnjax.progress import logger


def read_orthologues(path: str | Path, source: str, target: str) -> dict[str, str]:
    """Gene of the source species -> its one orthologue of the target species.

    The table has a heading that names the species, as `human mouse type`, and a pair a row. Genes
    with several orthologues on either side are left out and counted: which of them a cell's counts
    belong to cannot be told. What the table says of that in other columns is not read; its own
    pairs are counted.

    Args:
        path: a table of text, tab or comma separated, gzipped or not.
        source: heading of the species of the cells, such as mouse.
        target: heading of the species of the model, such as human.

    Raises:
        GeneMismatchError: no such headings, or no pair that is one to one.
    """
    rows = iter(read_rows(path, GeneMismatchError))
    heading = [field.strip().lower() for field in next(rows, [])]
    if source.lower() not in heading or target.lower() not in heading:
        raise GeneMismatchError(
            f"{path}: no columns {source!r} and {target!r} in its heading "
            f"({list_names(heading) or 'none'}). Name the species by the headings of the table."
        )
    at = heading.index(source.lower()), heading.index(target.lower())
    read = {(row[at[0]].strip(), row[at[1]].strip()) for row in rows if len(row) > max(at)}
    pairs = sorted(pair for pair in read if all(pair))
    ours, theirs = (Counter(pair[side] for pair in pairs) for side in (0, 1))
    single = {a: b for a, b in pairs if ours[a] == 1 == theirs[b]}
    if not single:
        raise GeneMismatchError(
            f"{path}: none of its {len(pairs):,} pairs of {source} and {target} is one to one."
        )
    several = sorted(name for name in ours if name not in single)
    logger.info(
        f"{path}: {len(single):,} genes of {source} with one orthologue of {target}; left out: "
        f"{len(several):,} with several or a shared one ({list_names(several) or 'none'})"
    )
    return single
