"""The genes of a model whose genes have fixed places, which its weights do not name."""

from collections.abc import Mapping
from pathlib import Path

from grnjax.data.cell_rows import open_rows
from grnjax.data.names import check_genes
from grnjax.data.safe_arrays import translate
from grnjax.data.tables import read_rows
from grnjax.errors import CheckpointError, ConfigError
from grnjax.foundation.reader import read_dictionary

INDEX = "index"


def read_gene_list(path: Path, count: int) -> list[str]:
    """The names of the genes in the order of their places.

    Args:
        path: an .h5ad, whose variables are the genes; a list in JSON, `{"genes": [...]}`; or text,
            a name a line or with its place under a heading `index`.
        count: places of the model.

    Raises:
        CheckpointError: the file cannot be read as such a list.
        ConfigError: there are more or fewer names than places.
    """
    if path.suffix == ".h5ad":
        with open_rows(path) as rows:
            genes = rows.name_genes().tolist()
    elif path.suffix == ".json":
        genes = read_dictionary(path).get("genes")
    else:
        genes = _read_text(path)
    if not isinstance(genes, list) or not all(isinstance(name, str) for name in genes):
        raise CheckpointError(f"{path}: holds no list of genes.")
    if len(genes) != count:
        raise ConfigError(
            f"{path}: {len(genes):,} genes, and the weights have places for {count:,}; take the "
            "gene list that was published with them."
        )
    check_genes(genes, path, ConfigError)
    if len({*genes}) < count:
        raise ConfigError(f"{path}: {count - len({*genes}):,} genes stand a second time.")
    return genes


def name_gene_list(vocabulary: Mapping[str, list]) -> dict[str, dict]:
    """The list as a file in JSON, for `name_files`; nothing where it was not given."""
    return {f"{role}.json": {role: genes} for role, genes in vocabulary.items()}


def _read_text(path: Path) -> list[str]:
    """Names of one column, or of two, the second one their places."""
    with translate(path, "gene list", CheckpointError):
        rows = list(read_rows(path, CheckpointError))
        if len(rows[0]) == 1:
            return [row[0] for row in rows]
        if len(rows[0]) != 2 or rows[0][1] != INDEX:
            raise CheckpointError(f"{path}: neither one column of genes nor genes and their index.")
        places = {int(place): name for name, place in rows[1:]}
        if sorted(places) != list(range(len(rows) - 1)):
            raise CheckpointError(
                f"{path}: the {len(rows) - 1:,} places are not 0 to {len(rows) - 2:,}, each once."
            )
    return [places[place] for place in range(len(places))]
