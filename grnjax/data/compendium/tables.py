"""Users' own target lists read: edges with a column of cells, ChIP-Atlas tables, GMT, BEELINE sets.

Which of these a file is, its content says. Everything becomes a row a TF, cell type and target.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.config import Settings
from grnjax.data.beeline import read_folder
from grnjax.data.compendium.aliases import name_tf, warn_of_alike
from grnjax.data.compendium.source import About, Kind, ListSource, make_source
from grnjax.data.dialect import is_number
from grnjax.data.edge_forms import name_columns
from grnjax.data.edges import find_heading, parse_labels, parse_weights
from grnjax.data.headings import find_columns, plain
from grnjax.data.names import check_genes, list_names
from grnjax.data.regulon_lists import allow_long_fields, is_gmt, split_name, take_gmt
from grnjax.data.rewritings import warn_of_dates
from grnjax.data.safe_text import hold_rows
from grnjax.data.sniff import identify
from grnjax.data.tables import read_parquet, read_rows
from grnjax.data.tf_lists import read_own_list, read_tf_list
from grnjax.errors import ConfigError, EdgeFormatError
from grnjax.progress import logger
from grnjax.storage.files import digest_file

CELL_WORDS = "cell cells cellline celltype cellname biosample biosampletermname tissue".split()
CHIP_ATLAS, AVERAGE = "targetgenes", "Average"  # headings of its tables
GENOME = re.compile(r"(hg|mm|grch|grcm)\d+", re.IGNORECASE)
SPECIES = ("human", "mouse")
UNNAMED = "name their cell type by --cell, or its column by --cell-column"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListsConfig(Settings):
    """How a table becomes lists of a compendium."""

    species: str
    """Species of its genes: human, mouse, or another one's name."""
    name: str | None = None
    """What to call the source; by default as the file."""
    cell: str | None = None
    """The cell type of all its lists, where no column tells it or it goes by another name."""
    cell_column: str | None = None
    """Heading of the cell types, where it is not cell, cell_line, cell_type, tissue or the like."""
    at_least: float | None = None
    """The smallest weight, or score of ChIP-Atlas, of a listed target; by default every row is
    one, and every score above 0."""
    universe: Path | None = None
    """List of the genes that were looked at; by default those that the table names."""
    kind: Kind = "binding"
    """What put a gene on a list: binding (ChIP-seq and the like), footprints, or motifs alone."""
    licence: str = "not stated"
    """Licence of the lists, which is kept with them."""
    origin: str | None = None
    """Where they are from: paper, address, release. The file and its SHA-256 are kept besides."""


def read_lists(path: str | Path, config: ListsConfig, *, folder: Path | None = None) -> ListSource:
    """The source that a table is, with its lists.

    Args:
        path: a table in text (gzip too) or .parquet, or the name of a set of BEELINE's layout.
        folder: that of the set, where `path` names one.

    Raises:
        EdgeFormatError: it is damaged, or no lists.
        ConfigError: the cell types are not told, or a setting does not apply.
    """
    universe = None if config.universe is None else read_tf_list(config.universe)
    if folder is not None:
        edges, own = read_set(folder, config)
        universe = universe or own
    else:
        edges = read_table(path, config)
    if edges.empty:
        raise EdgeFormatError(f"{path}: no row is left that lists a target.")
    for role in ("tf", "target"):
        check_genes(edges[role].unique(), path, EdgeFormatError)
    warn_of_dates(edges["target"].unique().tolist(), path)
    warn_of_alike(edges["cell"].unique().tolist(), path)
    warn_of_strangers(edges["tf"].unique().tolist(), config.species.lower(), path)
    if config.species.lower() not in SPECIES:
        logger.warning(
            f"{path}: lists of {config.species} count in runs of that species alone; only between "
            f"{' and '.join(SPECIES)} are orthologues known"
        )
    title = Path(path).name if folder is None else str(path)
    file = f"{title}, SHA-256 {digest_file(path)}" if folder is None else title
    about = About(
        name=config.name or name_file(path),
        title=f"lists of {title}",
        origin=f"{config.origin} ({file})" if config.origin else file,
        licence=config.licence,
        species=config.species.lower(),
        kind=config.kind,
    )
    return make_source(edges, about, universe=universe)


def warn_of_strangers(tfs: Sequence[str], species: str, source: str | Path) -> None:
    """A warning where most of the TFs are on no list of TFs, as of a table turned around."""
    known = read_own_list(species) if species in SPECIES else set(map(name_tf, tfs))
    strange = [tf for tf in tfs if name_tf(tf) not in known]
    if 2 * len(strange) > len(tfs):
        logger.warning(
            f"{source}: {len(strange):,} of {len(tfs):,} TFs are not on the list of {species} TFs "
            f"that comes with grnjax ({list_names(strange)}); are they TFs, and not targets, cells "
            "or genes of another species?"
        )


def name_file(path: str | Path) -> str:
    """A name for the source of a file: its own without endings; for a set, with hyphens."""
    text = str(path).strip("/")
    name = text if re.fullmatch(r"[^/]+/[^/]+/TFs\+\d+", text) else Path(text).name
    name = re.sub(r"(\.(gz|tsv|csv|txt|gmt|parquet|sif|tab|bz2))+$", "", name, flags=re.IGNORECASE)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")


def read_table(path: str | Path, config: ListsConfig) -> pd.DataFrame:
    """Rows of tf, cell, target and perhaps label of a file."""
    if identify(path, EdgeFormatError).kind == "parquet":
        return take_edge_table(read_parquet(path, EdgeFormatError), str(path), config)
    with allow_long_fields():
        rows = hold_rows(read_rows(path, EdgeFormatError), path, EdgeFormatError)
    if plain(rows[0][0]) == CHIP_ATLAS and len(rows[0]) > 1 and "|" in rows[0][1]:
        return take_chip_atlas(rows, path, config)
    if is_gmt(rows, path):
        refuse(path, config, "at_least", "cell_column")
        return take_set_names(take_gmt(rows, path), path, config)
    return take_edge_table(name_columns(rows, path), str(path), config)


def refuse(source: str | Path, config: ListsConfig, *settings: str) -> None:
    """Refuses settings that mean nothing to this kind of table."""
    given = [name for name in settings if getattr(config, name) is not None]
    if given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ConfigError(f"{source}: {names} means nothing to a table of this form; leave it out.")


def take_edge_table(frame: pd.DataFrame, source: str, config: ListsConfig) -> pd.DataFrame:
    """Rows of an edge table with a column of cells, those of the species where it names several."""
    headings = list(map(str, frame.columns))
    words, columns = list(map(plain, headings)), find_columns(headings)
    if not {"tf", "target"} <= columns.keys():
        raise EdgeFormatError(
            f"{source}: no TF and target among its {len(headings):,} columns "
            f"({list_names(headings)}); give a row an edge under the headings TF, cell and target."
        )
    place = next((words.index(word) for word in CELL_WORDS if word in words), None)
    if config.cell_column is not None:
        place = find_heading(config.cell_column, headings, source)
    if place is None and config.cell is None:
        raise ConfigError(
            f"{source}: no column of cell types among {list_names(headings)}; {UNNAMED}."
        )

    def text(position: int) -> pd.Series:
        column = frame.iloc[:, position].reset_index(drop=True).astype(object)
        return column.where(column.notna(), "").astype(str).str.strip()

    table = pd.DataFrame({role: text(columns[role]) for role in ("tf", "target")})
    table["cell"] = text(place) if config.cell is None else config.cell
    if "label" in columns:
        table["label"] = parse_labels(text(columns["label"]), source)
    kept = pd.Series(True, index=table.index)
    if "species" in words:
        species = text(words.index("species")).str.lower()
        kept &= species == config.species.lower()
        if not kept.any():
            raise ConfigError(
                f"{source}: none of its {len(table):,} rows is of --species {config.species}; they "
                f"are of {list_names(sorted(species.unique()))}."
            )
    if config.at_least is not None:
        if "weight" not in columns:
            raise ConfigError(f"{source}: no column of weights for --at-least to look at.")
        kept &= parse_weights(text(columns["weight"]), source) >= config.at_least
    if (table.loc[kept, "cell"] == "").any():
        row = int(np.flatnonzero(kept & (table["cell"] == ""))[0]) + 1
        raise EdgeFormatError(f"{source}: row {row} has no cell type; {UNNAMED}.")
    if not kept.all():
        logger.info(f"{source}: {(~kept).sum():,} of {len(table):,} rows left out")
    return table[kept].reset_index(drop=True)


def take_set_names(sets: pd.DataFrame, path: str | Path, config: ListsConfig) -> pd.DataFrame:
    """Rows of GMT sets, whose names are a TF or, without --cell, a TF and a cell type.

    What parts them is a blank, a bar or an underscore; a genome (hg19) and what follows it is no
    part of the cell type: CREB1 HepG2 hg19 is of HepG2.
    """
    if config.cell is not None:
        tfs = {name: split_name(re.split(r"[ |_]", name)[0])[0] for name in sets["regulon"]}
        return sets.assign(tf=sets["regulon"].map(tfs), cell=config.cell)[["tf", "cell", "target"]]
    named = {}
    for name in sets["regulon"].unique():
        tf, _, rest = name.partition(next((mark for mark in "| _" if mark in name), "\0"))
        pieces = re.split(r"([ |_])", rest.strip())
        end = next((i for i, piece in enumerate(pieces) if GENOME.fullmatch(piece)), len(pieces))
        named[name] = split_name(tf)[0], "".join(pieces[:end]).strip(" |_")
    lacking = [name for name, (_, cell) in named.items() if not cell]
    if lacking:
        raise ConfigError(
            f"{path}: {len(lacking):,} of {len(named):,} sets name no cell type beside the TF, as "
            f"GATA1_K562 does ({list_names(lacking)}); --cell names that of all."
        )
    shown = list_names(f"{tf} in {cell}" for tf, cell in named.values())
    logger.info(f"{path}: {len(named):,} sets: {shown}")
    keys = {
        key: {x: found[i] for x, found in named.items()} for i, key in enumerate(("tf", "cell"))
    }
    columns = {key: sets["regulon"].map(found) for key, found in keys.items()}
    return pd.DataFrame({**columns, "target": sets["target"]}).reset_index(drop=True)


def take_chip_atlas(
    rows: Sequence[list[str]], path: str | Path, config: ListsConfig
) -> pd.DataFrame:
    """Rows of ChIP-Atlas's table of one TF: genes by experiments, scored by MACS2.

    A gene is listed in a cell type where at least half of its experiments score it above 0, or at
    least as high as `at_least`. The columns of averages and of STRING are not read.
    """
    refuse(path, config, "cell_column")
    first, *body = rows
    tf, _, average = first[1].partition("|")
    experiments = [(i, *field.partition("|")[::2]) for i, field in enumerate(first) if "|" in field]
    cells = {i: cell.strip() for i, _, cell in experiments if i > 1}
    if average.strip() != AVERAGE or not cells or not all(cells.values()):
        raise EdgeFormatError(
            f"{path}: no table of ChIP-Atlas: the headings are {list_names(first)}, where "
            "Target_genes, TF|Average and SRX1|cell are expected; fetch it again."
        )
    wrong = next((n for n, row in enumerate(body, 1) if not is_scored(row, len(first), cells)), 1)
    if not body or not is_scored(body[wrong - 1], len(first), cells):
        raise EdgeFormatError(
            f"{path}: row {wrong} of {len(body):,} is not a gene and {len(first) - 1:,} numbers, "
            "as a table of ChIP-Atlas has it; the table is damaged, fetch it again."
        )
    scores = np.array([[row[i] for i in cells] for row in body], np.float64)
    least = np.nextafter(0, 1) if config.at_least is None else config.at_least
    genes = np.array([row[0].strip() for row in body])
    of_column = np.array([*cells.values()] if config.cell is None else [config.cell] * len(cells))
    found = []
    for cell in np.unique(of_column):
        share = (scores[:, of_column == cell] >= least).mean(axis=1)
        found.append(pd.DataFrame({"tf": tf, "cell": cell, "target": genes[share >= 0.5]}))
    logger.info(
        f"{path}: ChIP-Atlas, {tf} in {len(found):,} cell types by {len(cells):,} experiments"
    )
    return pd.concat(found, ignore_index=True)


def is_scored(row: Sequence[str], width: int, columns: Iterable[int]) -> bool:
    """Whether a row is as wide as the headings, with numbers in these columns."""
    return len(row) == width and all(is_number(row[i]) for i in columns)


def read_set(folder: Path, config: ListsConfig) -> tuple[pd.DataFrame, list[str] | None]:
    """Rows of a BEELINE set's network, and the genes of its Target.csv, which were looked at."""
    refuse(folder, config, "at_least", "cell_column")
    read, parts = read_folder(folder), Path(folder).resolve().parts
    network, cell = (parts[-3:-1]) if len(parts) > 3 else ("", "")
    if config.cell is None and network != "Specific":
        raise ConfigError(
            f"{folder}: a {network or 'single'} network is of no cell type that its path tells; "
            "--cell names it, or give one of Specific/CELL/SIZE."
        )
    edges = read.edges.assign(cell=config.cell or cell)
    return edges[["tf", "cell", "target", *({"label"} & {*edges})]], read.genes
