"""All evidence of a run, prepared once for every fit of the kernel-informed factor model."""

import dataclasses
import functools
import sys
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from grnjax.data.names import list_names
from grnjax.errors import ConfigError
from grnjax.evidence.types import Evidence, GeneBlock, PairBlock, Profiles, TfSimilarity
from grnjax.models.gene_kernels import KernelSpace, fit_kernels
from grnjax.models.nearest_genes import Nearest, find_nearest
from grnjax.models.pair_features import PairScale, measure_scale, standardise_pairs
from grnjax.models.random_features import FeatureSpace, draw_features
from grnjax.progress import logger

COVERAGE = "coverage"
TfSource = TypeVar("TfSource", PairBlock, TfSimilarity)


@dataclasses.dataclass(frozen=True, eq=False)
class FeatureBank:
    """Kernels of genes, features of pairs and similarities of TFs, on the model's scales."""

    tfs: np.ndarray  # [tf] gene indices, ascending
    labelled: np.ndarray  # rows of the TFs that have labels: the others have nothing to learn from
    genes: int
    space: KernelSpace | FeatureSpace | None  # None where no source has gene values
    coverage: tuple[str, ...]  # the blocks whose coverage is a column of the block of that name
    pair_names: tuple[str, ...]
    pair_scales: tuple[PairScale, ...]
    pairs: Float[np.ndarray, "feature tf gene"]
    similarities: tuple[TfSimilarity, ...]
    profiles: Profiles | None  # over cells, of the source that has them

    @functools.cached_property
    def nearest(self) -> Nearest | None:
        """The genes nearest to each in expression; None without expression."""
        return None if self.profiles is None else find_nearest(self.profiles.values)

    @property
    def blocks(self) -> tuple[str, ...]:
        """The gene block of each kernel."""
        return () if self.space is None else self.space.blocks


def build_bank(
    evidence: Sequence[Evidence],
    tfs: np.ndarray,
    genes: int,
    *,
    labelled: np.ndarray,
    most_genes: int,
    most_pairs: int = sys.maxsize,
    most_coordinates: int = sys.maxsize,
    seed: int = 0,
) -> FeatureBank:
    """The bank of these sources and of which genes they cover.

    Args:
        tfs: gene indices of the TFs, ascending, for which the evidence was read.
        genes: number of genes.
        labelled: gene indices of the TFs that have labels.
        most_genes: above this many genes, kernels are random features.
        most_pairs: and above this many pairs of a TF with a gene.
        most_coordinates: of a gene by the kernels; by default as many as genes.
        seed: of those random features.
    """
    blocks = [block for item in evidence for block in item.genes]
    covering = choose_covering(evidence)
    if covering:
        blocks.append(mark_coverage(blocks, covering))
    pairs = drop_empty([block for item in evidence for block in item.pairs])
    similarities = drop_empty([one for item in evidence for one in item.similarities])
    for items, what in (
        (blocks, "gene blocks"),
        (pairs, "pair features"),
        (similarities, "similarities of TFs"),
    ):
        check_names(items, what)
    space: KernelSpace | FeatureSpace | None = None
    if blocks and (genes > most_genes or len(tfs) * genes > most_pairs):
        logger.info(f"{genes:,} genes x {len(tfs):,} TFs: kernels by random features")
        space = draw_features(blocks, seed)
    elif blocks:
        space = fit_kernels(blocks, most_coordinates)
    scales = tuple(measure_scale(block.values) for block in pairs)
    standard = np.zeros((len(pairs), len(tfs), genes), np.float32)
    for place, (block, scale) in enumerate(zip(pairs, scales, strict=True)):
        standard[place] = standardise_pairs(block.values, scale)
    return FeatureBank(
        tfs=np.asarray(tfs),
        labelled=np.flatnonzero(np.isin(tfs, labelled)),
        genes=genes,
        space=space,
        coverage=covering,
        pair_names=tuple(block.name for block in pairs),
        pair_scales=scales,
        pairs=standard,
        similarities=tuple(similarities),
        profiles=next((x.profiles for x in evidence if x.profiles is not None), None),
    )


def choose_covering(evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """The gene blocks that cover some genes and not others, one of each set of genes.

    A gene without a promoter, a partner or a place in other networks is regulated less, or is
    listed less: that predicts labels, without being biology. Inside a source it has no effect
    (`gene_kernels`); as a block of its own it can be seen, and weighed. Expression is left out,
    since which genes were measured may have been chosen by their labels.
    """
    found: dict[bytes, str] = {}
    for item in evidence:
        for block in item.genes:
            if item.kind != "expression" and not block.covered.all():
                found.setdefault(block.covered.tobytes(), block.name)
    return tuple(found.values())


def mark_coverage(blocks: Sequence[GeneBlock], covering: Sequence[str]) -> GeneBlock:
    """The block of which of these blocks cover a gene."""
    covered = {block.name: block.covered for block in blocks}
    values = np.stack([covered[name] for name in covering], axis=1).astype(np.float32)
    return GeneBlock(COVERAGE, values, np.ones(len(values), bool), ("rbf", "linear"))


def drop_empty(items: Sequence[TfSource]) -> list[TfSource]:
    """The pair features or similarities that are not zero everywhere; the others are named."""
    empty = [item.name for item in items if not item.values.any()]
    if empty:
        logger.info(f"{len(empty):,} features are 0 for all of these TFs: {list_names(empty)}")
    return [item for item in items if item.values.any()]


def check_names(items: Sequence[GeneBlock | PairBlock | TfSimilarity], what: str) -> None:
    """Refuses sources that share a name."""
    names = [item.name for item in items]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(
            f"{len(repeated):,} {what} share a name with another ({list_names(repeated)}); give "
            "the sources different names."
        )
