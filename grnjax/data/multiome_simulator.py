"""Simulated multiome: a network whose TFs open regions, and whose regions drive genes.

On top of `grnjax.data.simulator`, where a gene is produced by the sum of the Hill responses of its
regulators: each response is now a region near the gene, whose openness it is. An activator opens
its region as its level rises, a repressor closes it, and an open region adds to production: TF
drives region, region drives gene. Cells are then read by an assay of few reads.

Two kinds of decoys stand beside each such region, near the same gene: regions with a motif of some
TF that are open at random, and regions without a motif that go with another gene's regulator. A
share of all regions and TFs has motif hits by chance besides. Genes stand so close that each
region lies within reach of several.

Nothing here is fitted to a real assay; sparsity is of the order of one (12 % of entries).
"""

import dataclasses
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.config import Count, Positive, Range, Settings, Weight
from grnjax.data.simulator import (
    SimulatorConfig,
    hill_response,
    sequence,
    simulate_levels,
)

WIDTH = 500  # bases of a region
CHROMOSOMES = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultiomeConfig(Settings):
    """How a multiome is simulated."""

    simulator: SimulatorConfig = SimulatorConfig(
        genes=600,
        tfs=20,
        master_regulators=20,
        cell_types=20,
        tfs_per_programme=6,
        max_in_degree=2,
        noise=0.5,
    )
    paired: bool = True
    """RNA and accessibility of the same cells; else of as many others of the same types."""
    spacing: Positive = 60_000
    """Bases between start sites."""
    reach: Positive = 30_000
    """Bases between a region and its gene's start site at most."""
    motif_decoys: Weight = 1.0
    """Regions with a motif and random openness, for each true region."""
    open_decoys: Weight = 1.0
    """Regions without a motif that follow the regulator of another gene, for each true region."""
    false_hits: Annotated[float, Range(0, 1)] = 0.03
    """Share of regions and TFs with a motif hit by chance."""
    depth: Weight = 0.25
    """Mean count of a region that is as open as can be, in a cell of mean depth."""
    background: Annotated[float, Range(0, 1)] = 0.02
    """Openness of a closed region."""
    permuted: Literal["nothing", "counts", "counts-and-hits"] = "nothing"
    """Controls: counts of regions permuted among them, so that none goes with the genes near it,
    while a motif still lies near the genes of its TF; or counts and motif hits, each by itself."""
    motif_seed: Count = 0
    """Of decoys and chance hits, apart from that of the network."""


@dataclasses.dataclass(frozen=True, eq=False)
class SimulatedMultiome:
    """Counts of both assays, and all that is true of them."""

    rna: pd.DataFrame  # [cell, gene] counts, barcodes as index
    atac: sparse.csr_matrix  # [cell of ATAC, peak] counts
    atac_cells: np.ndarray  # [cell of ATAC] str
    rna_types: np.ndarray  # [cell] str
    atac_types: np.ndarray  # [cell of ATAC] str
    peaks: pd.DataFrame  # chromosome, start, end, kind: true, motif decoy, open decoy
    sites: pd.DataFrame  # chromosome, start, end, gene
    hits: pd.DataFrame  # peak (chr:start-end), tf, score
    tfs: np.ndarray
    edges: pd.DataFrame  # tf, target, sign: the whole truth
    triplets: pd.DataFrame  # tf, region (chr:start-end), target, sign

    def to_anndata(self):
        """RNA and ATAC as two AnnData objects, with cell_type in .obs."""
        from anndata import AnnData

        rna = AnnData(
            self.rna.to_numpy(np.float32),
            pd.DataFrame({"cell_type": self.rna_types}, index=self.rna.index),
            pd.DataFrame(index=self.rna.columns),
        )
        names = pd.Index(name_regions(self.peaks))
        atac = AnnData(
            self.atac.astype(np.float32),
            pd.DataFrame({"cell_type": self.atac_types}, index=pd.Index(self.atac_cells)),
            pd.DataFrame(index=names),
        )
        return rna, atac


def simulate_multiome(config: MultiomeConfig, *, seed: int) -> SimulatedMultiome:
    """RNA and ATAC of cells under a random signed network; same seed, same bytes."""
    rng = np.random.default_rng([seed, 6])
    cells, doubled = config.simulator.cells, config.simulator
    if not config.paired:
        doubled = dataclasses.replace(doubled, cells=2 * cells)
    levels = simulate_levels(doubled, rng)
    of_rna = of_atac = np.arange(cells)
    if not config.paired:
        of_rna, of_atac = np.arange(0, 2 * cells, 2), np.arange(1, 2 * cells, 2)
    counts = sequence(config.simulator, rng, levels.mrna[of_rna])
    tfs = levels.genes[: config.simulator.tfs]
    sites = place_genes(levels.genes, config)
    own = np.random.default_rng([seed, config.motif_seed, 7])
    peaks = place_regions(levels.edges, levels.genes, sites, config, own)
    openness = open_regions(peaks, levels.mrna[of_atac][:, : len(tfs)], levels.half, config, own)
    other = np.random.default_rng([seed, config.motif_seed, 8])
    if config.permuted != "nothing":
        openness = openness[:, other.permutation(openness.shape[1])]
    depth = config.depth * own.lognormal(0, 0.3, size=(len(openness), 1))
    atac = sparse.csr_matrix(own.poisson(openness * depth).astype(np.int32))
    hits = hit_motifs(peaks, tfs, config, np.random.default_rng([seed, config.motif_seed, 9]))
    if config.permuted == "counts-and-hits":
        names = name_regions(peaks)
        hits["peak"] = hits["peak"].map(dict(zip(names, other.permutation(names), strict=True)))
    true = peaks[peaks["kind"] == "true"]
    triplets = pd.DataFrame(
        {
            "tf": tfs[true["tf"]],
            "region": name_regions(true),
            "target": levels.genes[true["gene"]],
            "sign": true["sign"].to_numpy(),
        }
    )
    barcodes = draw_barcodes(2 * cells, own)
    types = np.array([f"type{number + 1}" for number in levels.cell_types])
    return SimulatedMultiome(
        rna=pd.DataFrame(counts, index=barcodes[of_rna], columns=levels.genes),
        atac=atac,
        atac_cells=barcodes[of_atac],
        rna_types=types[of_rna],
        atac_types=types[of_atac],
        peaks=peaks[["chromosome", "start", "end", "kind"]],
        sites=sites,
        hits=hits,
        tfs=tfs,
        edges=levels.edges,
        triplets=triplets,
    )


def place_genes(genes: np.ndarray, config: MultiomeConfig) -> pd.DataFrame:
    """A start site for each gene, in the order of the genes along a few chromosomes."""
    number = np.arange(len(genes))
    start = 1_000_000 + number // CHROMOSOMES * config.spacing
    chromosome = np.array([f"chr{n % CHROMOSOMES + 1}" for n in number])
    return pd.DataFrame({"chromosome": chromosome, "start": start, "end": start + 1, "gene": genes})


def place_regions(
    edges: pd.DataFrame,
    genes: np.ndarray,
    sites: pd.DataFrame,
    config: MultiomeConfig,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """True regions, one an edge, and decoys, in the order of their places.

    Columns: chromosome, start, end, kind, gene, tf (whose level it follows; of a motif decoy, whose
    motif it has) and sign.
    """
    index = pd.Index(genes)
    tf, gene = index.get_indexer(edges["tf"]), index.get_indexer(edges["target"])
    rows = [pd.DataFrame({"kind": "true", "tf": tf, "gene": gene, "sign": edges["sign"]})]
    for kind, per_edge in (
        ("motif decoy", config.motif_decoys),
        ("open decoy", config.open_decoys),
    ):
        some = rng.integers(len(edges), size=round(per_edge * len(edges)))
        other = rng.integers(len(edges), size=len(some))
        table = {
            "kind": kind,
            "tf": tf[other],
            "gene": gene[some],
            "sign": edges["sign"].to_numpy()[other],
        }
        rows.append(pd.DataFrame(table))
    peaks = pd.concat(rows, ignore_index=True)
    bins = 2 * config.reach // (2 * WIDTH)  # places that do not overlap
    taken: dict[int, list[int]] = {}
    place = []
    for owner in peaks["gene"]:
        if owner not in taken:
            taken[owner] = rng.permutation(bins).tolist()
        place.append(taken[owner].pop() if taken[owner] else -1)
    peaks = peaks[np.array(place) >= 0]
    place = np.array(place)[np.array(place) >= 0]
    site = sites.iloc[peaks["gene"]]
    start = site["start"].to_numpy() - config.reach + place * 2 * WIDTH
    peaks = peaks.assign(chromosome=site["chromosome"].to_numpy(), start=start, end=start + WIDTH)
    peaks = peaks.drop_duplicates(["chromosome", "start"])
    order = ["chromosome", "start"]
    return peaks.sort_values(order, kind="stable").reset_index(drop=True)


def open_regions(
    peaks: pd.DataFrame,
    levels: np.ndarray,
    half: np.ndarray,
    config: MultiomeConfig,
    rng: np.random.Generator,
) -> np.ndarray:
    """Openness [cell, peak] from `background` to 1: what the TF's level makes of it, or random."""
    response = hill_response(np.maximum(levels, 0), half, config.simulator.hill)  # [cell, tf]
    followed = response[:, peaks["tf"]]
    followed = np.where(peaks["sign"].to_numpy() > 0, followed, 1 - followed)
    is_random = (peaks["kind"] == "motif decoy").to_numpy()
    chance = rng.random(followed.shape)
    openness = np.where(is_random, chance, followed)
    return config.background + (1 - config.background) * openness


def hit_motifs(
    peaks: pd.DataFrame, tfs: np.ndarray, config: MultiomeConfig, rng: np.random.Generator
) -> pd.DataFrame:
    """Motif hits: of true regions and motif decoys their TF's, and some of any TF by chance."""
    table = rng.random((len(peaks), len(tfs))) < config.false_hits
    has_motif = (peaks["kind"] != "open decoy").to_numpy()
    table[np.flatnonzero(has_motif), peaks["tf"].to_numpy()[has_motif]] = True
    peak, tf = np.nonzero(table)
    return pd.DataFrame({"peak": name_regions(peaks)[peak], "tf": tfs[tf], "score": 1})


def name_regions(peaks: pd.DataFrame) -> np.ndarray:
    """chr:start-end of each."""
    start, end = peaks["start"].astype(str), peaks["end"].astype(str)
    return (peaks["chromosome"] + ":" + start + "-" + end).to_numpy(object)


def draw_barcodes(count: int, rng: np.random.Generator) -> np.ndarray:
    """Different barcodes of 16 bases with the suffix of a sample."""
    letters = np.array(list("ACGT"))
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(rng.choice(letters, 16)) + "-1"] = None
    return np.array(list(found), object)
