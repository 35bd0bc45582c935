"""How much each TF's expression says of each gene's over meta-cells, and in which direction."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float

from grnjax.baselines.boosting import GRNBoost2Config
from grnjax.config import Range, Settings
from grnjax.data.expression_features import correlation, joint_regression
from grnjax.methods.expression_only import GRNBoost2Method, score_genes
from grnjax.types import GeneTable

SELF = 1e-5  # by how much a TF's importance for itself is above its largest for others


@dataclasses.dataclass(frozen=True, kw_only=True)
class TfGeneConfig(Settings):
    """How TFs are held against genes."""

    importance: Literal["boosting", "ridge", "pearson"] = "boosting"
    """Of boosted trees (GRNBoost2), of a ridge regression on all TFs together, or |r|; the latter
    two take seconds."""
    boosting: GRNBoost2Config = GRNBoost2Config()
    least_r: Annotated[float, Range(0, 1)] = 0.03
    """A TF and a gene of a smaller or equal |Pearson r| go in no direction."""


@dataclasses.dataclass(frozen=True, eq=False)
class TfGene:
    """What each TF says of each gene, itself too."""

    importance: Float[np.ndarray, "tf gene"]  # 0 or more
    r: Float[np.ndarray, "tf gene"]
    sign: Float[np.ndarray, "tf gene"]  # 1, -1, or 0 by the cut


def hold_against(
    genes: GeneTable,
    expression: Float[np.ndarray, "metacell gene"],
    config: TfGeneConfig,
    *,
    seed: int,
    folder: Path | None,
) -> TfGene:
    """Importance and correlation of TFs and genes over meta-cells.

    Args:
        genes: names, and which are TFs.
        folder: keeps what boosting has done, block by block.
    """
    table = GeneTable(genes.names, genes.is_tf, expression.astype(np.float32), genes.measured)
    tfs = genes.tfs
    r = correlation(table, tfs)
    if config.importance == "boosting":
        method = GRNBoost2Method(**vars(config.boosting))
        importance = score_genes(table, method, seed=seed, folder=folder)
    elif config.importance == "ridge":
        importance = np.abs(joint_regression(table, tfs))
    else:
        importance = np.abs(r)
    importance = importance.astype(np.float32)
    own = np.arange(len(tfs)), tfs
    importance[own] = 0
    importance[own] = importance.max(axis=1, initial=0) + SELF
    varies = np.ptp(table.expression[:, tfs], axis=0) > 0
    importance[~varies] = 0
    r[own] = varies
    sign = np.where(np.abs(r) > config.least_r, np.sign(r), 0).astype(np.float32)
    return TfGene(importance, r, sign)
