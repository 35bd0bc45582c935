"""STGRNS as a method: windows of ordered cells, log expression, a transformer layer.

Xu, Zhang, Liu and Zhang 2023 (Bioinformatics 39(4), btad165); the model is `models/stgrns.py`.
"""

import dataclasses
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float, Int

from grnjax.data.expression_bins import OFFSET
from grnjax.data.expression_features import standardise
from grnjax.errors import ConfigError
from grnjax.methods.method import Problem
from grnjax.methods.profiles import ProfileMethod
from grnjax.models.stgrns import STGRNS, STGRNSConfig
from grnjax.training.scheduled import ScheduledConfig
from grnjax.types import GeneTable

PSEUDOTIME = "pseudotime"


@dataclasses.dataclass(frozen=True, kw_only=True)
class STGRNSMethod(ProfileMethod):
    """STGRNS with its published settings, except that validation pairs choose the epoch."""

    PAPER: ClassVar[str] = "Xu et al. 2023, Bioinformatics 39(4), btad165"

    model: STGRNSConfig = STGRNSConfig()
    order: Literal["component", "pseudotime"] = "component"
    """By what cells stand in a row: the first principal component of expression, for sets without
    a time course, or the column `pseudotime` of the cells."""
    training: ScheduledConfig = ScheduledConfig(
        epochs=100,
        batch_size=32,
        learning_rate=3e-4,
        weight_decay=1e-5,
        clip=10.0,
        patience=20,
        scored_at_once=2_048,
    )

    def make_module(self) -> STGRNS:
        """The transformer layer over windows."""
        return STGRNS(self.model)

    def check(self, problem: Problem) -> None:
        super().check(problem)
        genes, window = problem.dataset.genes, self.model.window
        if len(genes.expression) < window:
            raise ConfigError(
                f"--method.model.window {window}: the set has {len(genes.expression):,} cells, and "
                "a window must be full; give more cells, or a smaller window."
            )
        if genes.in_memory.min(initial=0) < 0:
            raise ConfigError(
                "STGRNS takes logs of expression, and some of it is below 0: give values that are "
                "neither centred nor scaled, and no batches."
            )
        if self.order == "pseudotime" and (genes.cells is None or PSEUDOTIME not in genes.cells):
            raise ConfigError(
                "--method.order pseudotime: nothing is known of the cells under `pseudotime`; add "
                "the column to .obs, or leave the order at component."
            )

    def make_nodes(self, genes: GeneTable) -> Float[np.ndarray, "gene cell"]:
        """log10(x + 0.01) in the order of the cells; zeros for a gene without expression."""
        logs = np.log10(genes.in_memory + OFFSET)[order_cells(genes, self.order)]
        return np.where(genes.measured[:, None], logs.T, 0).astype(np.float32)


def order_cells(genes: GeneTable, order: str) -> Int[np.ndarray, " cell"]:
    """The cells by pseudotime, or by the first principal component of standardised expression.

    Its largest entry is positive, which settles the sign.
    """
    if order == "pseudotime":
        assert genes.cells is not None  # by `check`
        return np.argsort(genes.cells[PSEUDOTIME].to_numpy(), kind="stable")
    z = standardise(genes.expression[:, genes.measured]).astype(np.float64)
    left = np.linalg.svd(z, full_matrices=False)[0][:, 0]
    left = left if left[np.abs(left).argmax()] > 0 else -left
    return np.argsort(left, kind="stable")
