"""Where genes lie on their chromosomes, from a BED file of transcription start sites."""

from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.data.names import count_names
from grnjax.errors import EdgeFormatError
from grnjax.evidence.coverage import cover_genes
from grnjax.evidence.intervals import read_bed
from grnjax.evidence.types import Evidence, GeneBlock
from grnjax.progress import logger

MEGABASE = 1e6


def read_positions(
    path: str | Path, names: np.ndarray, tfs: np.ndarray, *, name: str = "position"
) -> Evidence:
    """The chromosome and the place on it, in megabases, of each gene's start sites.

    Neighbours on a chromosome share enhancers and chromatin domains, and so regulators. A gene
    with several start sites lies at their median. Chromosomes are numbered from 1 in the order of
    their names. Between 128 and 256 megabases, where the longest human and mouse chromosomes end,
    neighbouring float32 numbers are 15 bases apart.

    Args:
        path: BED: chromosome, start, end, gene. A start site is the middle of its interval.
    """
    sites = read_bed(path)
    named = sites[sites["name"] != ""]
    if named.empty:
        raise EdgeFormatError(
            f"{path}: none of its {len(sites):,} intervals has a name. Put the gene in column 4."
        )
    places, scattered = place_genes(named)
    coverage = cover_genes(places.index.tolist(), names, tfs, path)
    covered = coverage.covered
    values = np.zeros((len(names), 2), np.float32)
    values[covered] = places[["number", "megabases"]].to_numpy()[coverage.positions[covered]]
    report = coverage.report | {
        "intervals": len(sites),
        "intervals_without_name": len(sites) - len(named),
        "chromosomes": int(named["chromosome"].nunique()),
        "on_several_chromosomes": count_names(scattered),
    }
    logger.info(f"{path}: positions of {report['found']:,} of {len(names):,} genes")
    return Evidence(
        name, "positions", report, genes=(GeneBlock(name, values, covered, ("proximity",)),)
    )


def place_genes(sites: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Each gene's chromosome `number` and `megabases`, and the genes on several chromosomes.

    Such a gene goes to the chromosome that has most of its start sites, then to the first by name.
    """
    number = {chromosome: i for i, chromosome in enumerate(sorted(set(sites["chromosome"])), 1)}
    middle = (sites["start"] + sites["end"]) / (2 * MEGABASE)
    groups = sites.assign(megabases=middle).groupby(["name", "chromosome"])["megabases"]
    places = groups.agg(sites="size", megabases="median").reset_index()
    places["number"] = places["chromosome"].map(number)
    scattered = places.loc[places["name"].duplicated(), "name"].unique().tolist()
    order = places.sort_values(["name", "sites", "number"], ascending=[True, False, True])
    return order.drop_duplicates("name").set_index("name"), scattered
