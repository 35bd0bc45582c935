"""The method `enhancer`: which TFs act through which open regions on which genes.

    grnjax infer RNA --method=enhancer --method.atac=ATAC --method.motifs=TABLE --method.sites=BED

RNA and accessibility of cells, motif hits and start sites become eRegulons, triplets of TF, region
and gene, by the steps of SCENIC+ (Bravo González-Blas et al. 2023, Nature Methods 20:1355), which
GRNFormer (Qiu et al. 2025, Findings of ACL 2025) builds on. Written from the published
descriptions, without topic models or motif databases; one step a file of this folder.

    cells, metacells    cells joined by barcode or cell type, and averaged
    smoothing           accessibility filled in by low rank
    region_gene         peaks near each gene, and how far they go with its expression
    tf_gene             what each TF's expression says of each gene
    motifs              where each TF may bind
    modules             candidate targets, by the best peaks of each gene that carry the motif
    leading_edge        which of them stand high among the genes that the TF explains
    regulons, triplets  the triplets that are left, scored by all three kinds of evidence
    ranking             one score for every pair
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import pandas as pd
from jax.sharding import Mesh
from jaxtyping import Float

from grnjax.baselines.controls import scores_at
from grnjax.config import Items
from grnjax.data.accessibility import Accessibility, read_accessibility
from grnjax.errors import ConfigError
from grnjax.methods.controls import permute_expression
from grnjax.methods.enhancer.cells import JoinedCells, Pairing, bring_together
from grnjax.methods.enhancer.leading_edge import LeadingEdgeConfig
from grnjax.methods.enhancer.metacells import MetacellConfig, Metacells, draw_metacells
from grnjax.methods.enhancer.modules import Module, ModuleConfig, make_modules
from grnjax.methods.enhancer.motifs import Motifs, read_tf_motifs
from grnjax.methods.enhancer.ranking import score_pairs
from grnjax.methods.enhancer.region_gene import LinkConfig, Links, link, search_space
from grnjax.methods.enhancer.regulons import Relations, SignPair, find_triplets, tabulate
from grnjax.methods.enhancer.smoothing import SmoothingConfig, smooth
from grnjax.methods.enhancer.tf_gene import TfGeneConfig, hold_against
from grnjax.methods.expression_only import mark, refuse_many_pairs
from grnjax.methods.method import Control, Cost, MethodConfig, Problem, Scorer, check_expression
from grnjax.training.recorder import FitRecorder
from grnjax.types import GeneTable, LabelledPairs, Part


@dataclasses.dataclass(frozen=True, kw_only=True)
class EnhancerMethod(MethodConfig):
    """Triplets of TF, open region and gene, from RNA, ATAC, motif hits and start sites."""

    PAPER: ClassVar[str] = (
        "Qiu et al. 2025, Findings of ACL; Bravo González-Blas et al. 2023, Nat. Methods 20:1355"
    )
    READS: ClassVar[frozenset[str]] = frozenset({"expression"})

    atac: str | None = None
    """Counts of peaks in cells: .h5ad, .h5mu, .zarr, or the .h5 or folder of 10x, perhaps the file
    that holds the RNA. Without it the network is of RNA and motifs of genes alone."""
    motifs: str | None = None
    """Where TFs may bind: a table of peak and TF, BED, or peaks x TFs; or motifs of genes, as genes
    x TFs or TF and target, which count at all peaks of a gene."""
    sites: str | None = None
    """BED of the start sites of genes, with the gene in column 4."""
    factors: str | None = None
    """Table of Motif and Factor, which turns motifs into TFs; without it a motif is its TF."""
    groups: str | None = None
    """Cell types: a column of .obs, or a table of cell and group. Unpaired cells need them."""
    pairing: Pairing = "auto"
    """Whether RNA and ATAC are of the same cells; auto looks whether they share barcodes."""
    keep: Annotated[tuple[SignPair, ...], Items(different=True)] = ("+/+",)
    """Which eRegulons: the sign of TF and gene, then that of region and gene."""
    metacells: MetacellConfig = MetacellConfig()
    smoothing: SmoothingConfig = SmoothingConfig()
    links: LinkConfig = LinkConfig()
    tf_gene: TfGeneConfig = TfGeneConfig()
    modules: ModuleConfig = ModuleConfig()
    leading_edge: LeadingEdgeConfig = LeadingEdgeConfig()

    def files(self) -> dict[str, str | None]:
        """The files beside RNA; a column of groups is none."""
        named = {name: getattr(self, name) for name in ("atac", "motifs", "sites", "factors")}
        return named | {
            "groups": self.groups if self.groups and Path(self.groups).is_file() else None
        }

    def check(self, problem: Problem) -> None:
        """Refuses what it does not read, no expression, and settings that lack others."""
        super().check(problem)
        check_expression(problem, self)
        needs = {
            "sites": (self.atac, "the start sites of genes, a BED file with the gene in column 4"),
            "motifs": (self.atac, "where TFs may bind, a table of peak and TF"),
        }
        for name, (given, what) in needs.items():
            if given is not None and getattr(self, name) is None:
                raise ConfigError(f"enhancer with --method.atac needs --method.{name}: {what}.")
        for name, other in (("sites", "atac"), ("factors", "motifs")):
            if getattr(self, name) is not None and getattr(self, other) is None:
                raise ConfigError(
                    f"--method.{name} says nothing without --method.{other}; give both, or neither."
                )
        if self.pairing != "auto" and self.atac is None:
            raise ConfigError(
                f"--method.pairing={self.pairing} says how RNA and ATAC go together; give "
                "--method.atac, or leave it out."
            )

    def controls(self) -> Mapping[str, Control]:
        """Expression permuted over genes."""
        return {"expression-permuted": permute_expression}

    def estimate(self, tfs: int, genes: int, cells: int, fits: int) -> Cost:
        """Mostly of boosting, which takes ten times as many trees on meta-cells as on cells."""
        metacells = max(20, cells * self.metacells.coverage / self.metacells.size)
        boosting = genes * (1.5e-2 + 3e-7 * tfs * metacells)
        seconds = 10 + boosting * (self.tf_gene.importance == "boosting")
        return Cost(seconds + 0.05 * tfs * (self.motifs is not None), 1e9 + 150 * tfs * genes)

    def fit_all(
        self,
        problem: Problem,
        parts: Sequence[Part],
        recorder: FitRecorder,
        *,
        mesh: Mesh | None = None,
    ) -> Iterator["EnhancerScorer"]:
        """The same scorer for each part, as no part is learned from."""
        del recorder, mesh
        genes = dataclasses.replace(problem.dataset.genes, is_tf=mark(problem))
        refuse_many_pairs(len(genes.tfs), len(genes.names))
        fit = infer_regulons(genes, self, seed=problem.seed, folder=problem.folder)
        for _ in parts:
            yield fit


@dataclasses.dataclass(frozen=True, eq=False)
class EnhancerScorer(Scorer):
    """Scores of all pairs, none of them fitted, and the eRegulons."""

    matrix: Float[np.ndarray, "tf gene"]
    tfs: np.ndarray
    regulons: pd.DataFrame | None  # None without motifs
    counts: dict

    def logits(self, pairs: LabelledPairs) -> Float[np.ndarray, "1 pair"]:
        """The scores, which are no logits but rank as such; 0 for a TF with itself."""
        return scores_at(self.matrix, pairs, self.tfs)[None]

    def tables(self) -> dict[str, pd.DataFrame]:
        """The eRegulons, a row a triplet, in the columns of SCENIC+ (`regulons.COLUMNS`)."""
        return {} if self.regulons is None else {"eregulons": self.regulons}

    def report(self) -> dict:
        """What was counted at each step."""
        return self.counts


def infer_regulons(
    genes: GeneTable, method: EnhancerMethod, *, seed: int, folder: Path | None = None
) -> EnhancerScorer:
    """All steps: eRegulons, and a score of every pair.

    Args:
        genes: names, TFs, and expression of named cells.
        folder: keeps what takes long, block by block.
    """
    atac = None if method.atac is None else read_accessibility(method.atac)
    peaks = None if atac is None else atac.peaks
    motifs = None
    if method.motifs is not None:
        motifs = read_tf_motifs(method.motifs, genes.names, genes.tfs, peaks, method.factors)
    cells = bring_together(genes, atac, method.pairing, method.groups)
    return infer_from_cells(genes, cells, atac, motifs, method, seed=seed, folder=folder)


def infer_from_cells(
    genes: GeneTable,
    cells: JoinedCells,
    atac: Accessibility | None,
    motifs: Motifs | None,
    method: EnhancerMethod,
    *,
    seed: int,
    folder: Path | None = None,
) -> EnhancerScorer:
    """The steps from cells that have been brought together and motifs that have been read."""
    metacells = draw_metacells(cells, method.metacells, seed=seed)
    expression = np.asarray(metacells.of_rna @ cells.expression, np.float32)
    report: dict = {"cells": cells.report, "metacells": metacells.report}
    links = None
    if atac is not None:
        links, report["links"] = find_links(
            genes, expression, cells, metacells, atac, method, seed=seed
        )
        report["atac"] = atac.report
    tf_gene = hold_against(genes, expression, method.tf_gene, seed=seed, folder=folder)
    evidence = name_evidence(cells, motifs)
    table = None
    if motifs is not None:
        report["motifs"] = motifs.report
        known = Relations(links, tf_gene, motifs)
        modules, universe = candidate_targets(links, motifs, expression, method)
        triplets, report["regulons"] = find_triplets(
            modules, known, universe, method.keep, method.leading_edge, seed=seed
        )
        peaks = None if atac is None else atac.peaks
        table = tabulate(
            triplets,
            known,
            genes.names,
            genes.tfs,
            peaks,
            evidence=evidence,
            seed=seed,
        )
    scores = score_pairs(tf_gene, links, motifs)
    varies = np.ptp(expression, axis=0) > 0
    scores = np.where(varies & varies[genes.tfs][:, None], scores, 0)
    scores[np.arange(len(genes.tfs)), genes.tfs] = 0
    report |= {"evidence": evidence, "seed": seed}
    return EnhancerScorer(scores, genes.tfs, table, report)


def find_links(
    genes: GeneTable,
    expression: Float[np.ndarray, "metacell gene"],
    cells: JoinedCells,
    metacells: Metacells,
    atac: Accessibility,
    method: EnhancerMethod,
    *,
    seed: int,
) -> tuple[Links, dict]:
    """The links of peaks and genes over meta-cells, and counts."""
    config = method.links
    assert method.sites is not None and cells.counts is not None and metacells.of_atac is not None
    pairs, report = search_space(method.sites, genes.names, atac.peaks, config.distance)
    smoothed = smooth(cells.counts, method.smoothing, seed=seed)
    links, counts = link(pairs, expression, smoothed, metacells.of_atac, config, seed=seed)
    return links, report | counts


def candidate_targets(
    links: Links | None,
    motifs: Motifs,
    expression: Float[np.ndarray, "metacell gene"],
    method: EnhancerMethod,
) -> tuple[list[Module], np.ndarray]:
    """The modules of all cuts, and the genes that are ranked: those that vary and have a link."""
    count = expression.shape[1]
    varies = np.ptp(expression, axis=0) > 0
    if links is None:
        module = Module("motif", 1, np.zeros(0, bool), motifs.hits)
        return [module], np.flatnonzero(varies)
    modules = make_modules(
        links, motifs.hits, method.modules, genes=count, of_genes=motifs.of_genes
    )
    return modules, np.flatnonzero(varies & (np.bincount(links.gene, minlength=count) > 0))


def name_evidence(cells: JoinedCells, motifs: Motifs | None) -> str:
    """What the network rests on: rna, or rna+atac with how cells go together and whose motifs."""
    if cells.counts is None:
        return "rna"
    pairing = "paired" if cells.is_paired else "unpaired"
    of = "" if motifs is None or not motifs.of_genes else ", motifs of genes"
    return f"rna+atac, {pairing}{of}"
