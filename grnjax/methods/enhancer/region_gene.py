"""Peaks near genes, and how far the accessibility of each goes with the expression of the gene."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy import sparse

from grnjax.config import Positive, Range, Rate, Settings
from grnjax.data.expression_features import standardise
from grnjax.data.names import count_names, list_names, match_names
from grnjax.errors import GeneMismatchError
from grnjax.evidence.intervals import join_overlaps, meet_chromosomes, read_bed
from grnjax.methods.enhancer.smoothing import Smoothed
from grnjax.progress import ProgressBar, logger

NUMBERS_AT_ONCE = 4_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinkConfig(Settings):
    """Which peaks are linked to which genes."""

    distance: Positive = 150_000
    """Bases between a peak and a start site of the gene at most."""
    least_r: Annotated[float, Range(0, 1)] = 0.03
    """Links of a smaller or equal |Pearson r| are dropped."""
    importance: Literal["r2-share", "boosting"] = "r2-share"
    """What a peak is worth to a gene: its share of the sum of r^2 over the gene's peaks, or its
    importance in boosted trees that predict the gene, which takes about half a second a gene."""
    trees: Positive = 500
    """Of boosting."""
    learning_rate: Rate = 0.01


@dataclasses.dataclass(frozen=True, eq=False)
class Links:
    """Peaks and genes that go together, sorted by gene and then peak."""

    gene: Int[np.ndarray, " link"]
    peak: Int[np.ndarray, " link"]
    r: Float[np.ndarray, " link"]
    importance: Float[np.ndarray, " link"]

    def __len__(self) -> int:
        return len(self.gene)

    def take(self, chosen: np.ndarray) -> "Links":
        """Some of the links: a mask or places."""
        return Links(self.gene[chosen], self.peak[chosen], self.r[chosen], self.importance[chosen])

    def matrix(self, values: np.ndarray, peaks: int, genes: int) -> sparse.csr_matrix:
        """Values of the links as [peak, gene]."""
        return sparse.csr_matrix((values, (self.peak, self.gene)), shape=(peaks, genes))


def search_space(
    path: str | Path, names: np.ndarray, peaks: pd.DataFrame, distance: int
) -> tuple[Int[np.ndarray, "link 2"], dict]:
    """Each gene with each peak within reach of one of its start sites, sorted, and counts.

    Args:
        path: BED of start sites, the gene in column 4; a gene may have several.
        names: the genes of the run.

    Raises:
        GeneMismatchError: no gene of the run has a site, or no peak lies near any.
    """
    sites = read_bed(path)
    named = sites[sites["name"] != ""]
    match = match_names(named["name"].unique().tolist(), names.tolist())
    place = dict(zip(named["name"].unique(), match.positions.tolist(), strict=True))
    named = named.assign(gene=named["name"].map(place))
    named = named[named["gene"] >= 0]
    if named.empty:
        raise GeneMismatchError(
            f"{path}: its {len(sites):,} start sites ({list_names(sites['name'].unique())}) name "
            f"none of the {len(names):,} genes of the run ({list_names(names)}); give BED with the "
            "same names of genes in column 4."
        )
    named = meet_chromosomes(named, peaks, path)
    reach = named.assign(start=named["start"] - distance, end=named["end"] + distance)
    peak, site = join_overlaps(peaks, reach)
    if not len(peak):
        raise GeneMismatchError(
            f"{path}: none of {len(peaks):,} peaks ({list_names(peaks['peak'])}) lies within "
            f"{distance:,} bases of a start site of {named['gene'].nunique():,} genes "
            f"({list_names(sorted(set(named['chromosome'])))}); give sites of the same genome "
            "assembly."
        )
    pairs = np.unique(np.stack([named["gene"].to_numpy()[site], peak], axis=1), axis=0)
    without = np.setdiff1d(np.arange(len(names)), named["gene"])
    report = {
        "start_sites": len(sites),
        "genes_without_site": count_names(names[without]),
        "genes_without_peak": count_names(names[np.setdiff1d(named["gene"].unique(), pairs[:, 0])]),
        "genes_with_peaks": len(np.unique(pairs[:, 0])),
        "peaks_near_genes": len(np.unique(pairs[:, 1])),
        "pairs_of_peak_and_gene": len(pairs),
        "rule_of_names": match.rule,
        **match.report(path),
    }
    logger.info(
        f"{path}: {report['pairs_of_peak_and_gene']:,} pairs of a peak and a gene within "
        f"{distance:,} bases: {report['genes_with_peaks']:,} of {len(names):,} genes, "
        f"{report['peaks_near_genes']:,} of {len(peaks):,} peaks; {len(without):,} genes have no "
        "start site"
    )
    return pairs, report


def link(
    pairs: Int[np.ndarray, "link 2"],
    expression: Float[np.ndarray, "metacell gene"],
    accessibility: Smoothed,
    weights: sparse.csr_matrix,
    config: LinkConfig,
    *,
    seed: int,
) -> tuple[Links, dict]:
    """The pairs whose peak and gene correlate over meta-cells, and what each peak is worth.

    Args:
        pairs: gene and peak, sorted (`search_space`).
        weights: of the cells of ATAC in each meta-cell.
    """
    gene, peak = pairs.T
    r = np.zeros(len(pairs))
    z, order = standardise(expression), np.argsort(peak, kind="stable")
    for chosen, open_ in walk_blocks(peak[order], accessibility, weights):
        mine = order[chosen]
        step = max(1, NUMBERS_AT_ONCE // len(z))
        values, places = standardise(open_[1]), np.searchsorted(open_[0], peak[mine])
        for first in range(0, len(mine), step):
            some = slice(first, first + step)
            product = values[:, places[some]] * z[:, gene[mine[some]]]
            r[mine[some]] = product.mean(axis=0, dtype=np.float64)
    if config.importance == "boosting":
        importance = boost(pairs, expression, accessibility, weights, config, seed=seed)
    else:
        total = np.bincount(gene, r**2, minlength=expression.shape[1])[gene]
        importance = r**2 / np.where(total > 0, total, 1)
    kept = (np.abs(r) > config.least_r) & (importance > 0)
    links = Links(gene, peak, np.clip(r, -1, 1), importance).take(kept)
    report = {
        "links": int(kept.sum()),
        "positive_links": int((links.r > 0).sum()),
        "links_dropped": int((~kept).sum()),
        "median_abs_r": float(np.median(np.abs(r))),
    }
    logger.info(
        f"{report['links']:,} links of a peak and a gene of |r| above {config.least_r} "
        f"({report['positive_links']:,} positive), {report['links_dropped']:,} dropped"
    )
    return links, report


def walk_blocks(
    peaks: Int[np.ndarray, " link"], accessibility: Smoothed, weights: sparse.csr_matrix
) -> Iterator[tuple[slice, tuple[np.ndarray, np.ndarray]]]:
    """Which of the sorted links have a peak of each block, and the block's accessibility."""
    for block, values in accessibility.blocks(weights, np.unique(peaks)):
        first, last = np.searchsorted(peaks, [block[0], block[-1] + 1])
        yield slice(first, last), (block, values)


def boost(
    pairs: Int[np.ndarray, "link 2"],
    expression: Float[np.ndarray, "metacell gene"],
    accessibility: Smoothed,
    weights: sparse.csr_matrix,
    config: LinkConfig,
    *,
    seed: int,
) -> Float[np.ndarray, " link"]:
    """The importance of each gene's peaks in boosted trees that predict its expression."""
    from sklearn.ensemble import GradientBoostingRegressor

    importance = np.zeros(len(pairs))
    genes, first = np.unique(pairs[:, 0], return_index=True)
    last = np.append(first[1:], len(pairs))
    with ProgressBar(len(genes), "boosting genes on their peaks", unit="gene") as bar:
        for gene, start, end in zip(genes, first, last, strict=True):
            target = expression[:, gene]
            if np.ptp(target) > 0:
                model = GradientBoostingRegressor(
                    n_estimators=config.trees,
                    learning_rate=config.learning_rate,
                    max_features=0.1,
                    random_state=np.random.default_rng([seed, 3, gene]).integers(2**31),
                )
                values = accessibility.average(weights, pairs[start:end, 1])
                importance[start:end] = model.fit(values, target).feature_importances_
            bar.update()
    return importance
