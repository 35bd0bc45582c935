"""What is known of the genes of a BEELINE set besides its labels: which file of the data folder
is of which species and cell, and which genes and expression a protocol may use.

The motif tables are for non-commercial academic use (every licence is listed in
experiments/kernel_factor/README.md).
"""

import dataclasses
from pathlib import Path

import numpy as np

from experiments.shared.studies import EMBEDDINGS, HESC, keep_genes
from grnjax.data.benchmark import BenchmarkSet
from grnjax.data.sets import find_sets
from grnjax.evidence.curated import read_curated
from grnjax.evidence.expression import describe_expression
from grnjax.evidence.gene_tables import read_gene_table
from grnjax.evidence.interactions import read_interactions
from grnjax.evidence.motifs import read_motifs
from grnjax.evidence.other_networks import merge_networks, read_other_network
from grnjax.evidence.positions import read_positions
from grnjax.evidence.types import Evidence
from grnjax.evidence.vectors import read_vectors
from grnjax.progress import logger
from grnjax.types import Dataset

NETWORK = "Specific"
FULL_NETWORKS = {
    "hESC": "human_hESC-ChIP-seq-filtered-network.csv.gz",
    "hHEP": "human_HepG2-ChIP-seq-network.csv.gz",
    "mDC": "mouse_mDC-ChIP-seq-network.csv.gz",
}
SITES = {"human": "hg38", "mouse": "mm10"}
DOROTHEA = {"human": "hs", "mouse": "mm"}
OTHER_NETWORKS = "other networks"
LEAST_MEASURED = 0.9  # share of genes with expression from which on the others tell nothing


def species_of(cell: str) -> str:
    """Human or mouse, by the first letter of a BEELINE cell type."""
    return {"h": "human", "m": "mouse"}[cell[0]]


def read_evidence(
    found: BenchmarkSet,
    root: Path,
    names: np.ndarray,
    tfs: np.ndarray,
    *,
    keep_same_tf: bool = False,
) -> list[Evidence]:
    """All sources but expression for the genes of a set.

    Args:
        names: the genes, sorted.
        tfs: indices of the TFs that have labels.
        keep_same_tf: whether other networks of the same species keep the TFs of this one, which
            the leak rule drops; only to measure what the rule costs.
    """
    cell, species = found.cell, species_of(found.cell)
    here = names, tfs
    ordering = root / "beeline_expression/gene_ordering" / f"{cell}_GeneOrdering.csv.gz"
    motifs, peaks = root / "motifs_tss", root / "mouse_hsc_scatac_peaks"
    string = root / "beeline_full_networks" / f"{species}_STRING-network.csv.gz"
    priors = root / "priors"
    dorothea = priors / f"dorothea_{DOROTHEA[species]}.csv.gz"
    evidence = [
        read_gene_table(ordering, *here, name="dispersion"),
        read_motifs(motifs / "mm10_promoter_base_GRN.parquet", *here, name="promoter motifs"),
        read_motifs(peaks / "TFinfo_dataframe.parquet", *here, name="HSC peak motifs"),
        read_positions(motifs / f"{SITES[species]}_tss_info.bed.gz", *here),
        read_interactions(string, *here, name="STRING"),
        read_curated(priors / f"trrust_rawdata.{species}.tsv", *here, name="TRRUST"),
        read_curated(priors / "collectri.csv.gz", *here, name="CollecTRI"),
        read_curated(dorothea, *here, name="DoRothEA A-C"),
    ]
    if cell == "hESC":
        evidence.append(read_vectors(root / EMBEDDINGS[HESC], *here, name="Geneformer"))
    networks = []
    for path, other in other_networks(found, root):
        differs = keep_same_tf or species_of(other) != species
        networks.append(read_other_network(path, *here, species_differs=differs, name=other))
    return [*evidence, merge_networks(networks, OTHER_NETWORKS)]


def other_networks(found: BenchmarkSet, root: Path) -> list[tuple[Path, str]]:
    """The networks of the other cell types: the whole file where it is there, else TFs+1000."""
    others = [one for one in find_sets(root, f"{NETWORK}/*/TFs+1000") if one.cell != found.cell]
    return [
        (root / "beeline_full_networks" / FULL_NETWORKS[one.cell], one.cell)
        if one.cell in FULL_NETWORKS
        else (one.labels, one.cell)
        for one in others
    ]


def choose_genes(dataset: Dataset, *, measured_only: bool) -> Dataset:
    """The data set without spike-ins, and of the measured genes alone where asked for.

    Where the others stay, expression stays for the genes that have it. It goes where it lacks a
    good part of them, as for four cell types of BEELINE: which genes were measured was then
    chosen by other authors, and depends on their labels.
    """
    keep = ~np.char.startswith(np.char.upper(dataset.genes.names), "ERCC-")
    if measured_only:
        keep &= dataset.genes.measured
    dataset = keep_genes(dataset, keep)
    genes = dataset.genes
    if genes.measured.mean() >= LEAST_MEASURED or not genes.measured.any():
        return dataset
    logger.warning(
        f"expression goes: {genes.measured.sum():,} of {len(genes.names):,} genes have it, fewer "
        f"than {LEAST_MEASURED:.0%}, and which ones may depend on their labels"
    )
    without = {"expression": genes.expression[:0], "measured": np.zeros_like(genes.measured)}
    return dataclasses.replace(dataset, genes=dataclasses.replace(genes, **without))


def add_expression(dataset: Dataset, evidence: list[Evidence], tfs: np.ndarray) -> list[Evidence]:
    """The evidence, with expression in front where there is any."""
    if not dataset.genes.measured.any():
        return evidence
    return [describe_expression(dataset.genes, tfs), *evidence]
