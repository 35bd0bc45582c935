"""The methods that need expression and nothing else: every one ranks pairs and learns from none.

Targets are scored block by block. A run folder keeps each block when it is done, so that a run that
was cut off resumes with the next one and ends with the same bits.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from grnjax.baselines import boosting, correlation, forests, information, pidc
from grnjax.baselines.boosting import GRNBoost2Config
from grnjax.baselines.controls import scores_at
from grnjax.baselines.correlation import CorrelationConfig
from grnjax.baselines.exact_cuts import Presorted
from grnjax.baselines.forests import GENIE3Config
from grnjax.baselines.information import MutualInformationConfig
from grnjax.baselines.pidc import PIDCConfig
from grnjax.config import Positive, Settings
from grnjax.data.expression_features import find_varying
from grnjax.data.names import list_names
from grnjax.data.pooled_cells import check_pool, pool_cells
from grnjax.errors import ConfigError, NonFiniteError
from grnjax.methods.controls import permute_expression
from grnjax.methods.method import (
    Control,
    Cost,
    MethodConfig,
    Problem,
    Scorer,
    check_expression,
    make_method,
)
from grnjax.methods.score_blocks import digest_run, read_block, write_block
from grnjax.progress import ProgressBar
from grnjax.storage.memory import count_cores
from grnjax.training.recorder import FitRecorder
from grnjax.types import GeneTable, LabelledPairs, Part

MOST_PAIRS = 50_000_000
BYTES_A_PAIR = 100  # of the table of edges while it is made

ExpressionOnlyName = Literal[
    "pearson", "spearman", "mutual-information", "pidc", "genie3", "grnboost2"
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExpressionOnlyMethod(MethodConfig):
    """A method whose scores of 0 or more, higher for more confident, come from expression alone.

    A subclass names what scores a block of targets, as `SCORE(genes, targets, settings, seed=...)
    -> [tf, target]`, whose scores do not depend on which targets share the block.
    """

    READS: ClassVar[frozenset[str]] = frozenset({"expression"})
    SCORE: ClassVar[Callable]
    TARGETS_A_BLOCK: ClassVar[int | None] = None
    """None where all targets take hardly longer than some."""

    @property
    def settings(self) -> Settings:
        """What `SCORE` takes: the fields that are the method's own."""
        configs = [base for base in type(self).__mro__ if base.__name__.endswith("Config")]
        own = configs[0]  # before `MethodConfig`, where there are any settings
        if own is MethodConfig:
            return self
        return own(**{field.name: getattr(self, field.name) for field in dataclasses.fields(own)})

    def check(self, problem: Problem) -> None:
        """Refuses what it does not read, and a data set without expression."""
        super().check(problem)
        check_expression(problem, self)

    def prepare_cells(self, genes: GeneTable, seed: int) -> GeneTable:
        """The cells that are read: those of the run."""
        del seed
        return genes

    def algorithm(self, cells: int) -> str:
        """What else than the settings decides the last bits: a change makes old blocks useless."""
        del cells
        return ""

    def controls(self) -> Mapping[str, Control]:
        """Expression permuted over genes."""
        return {"expression-permuted": permute_expression}

    def fit_all(
        self,
        problem: Problem,
        parts: Sequence[Part],
        recorder: FitRecorder,
        *,
        mesh: Mesh | None = None,
    ) -> Iterator["MatrixScorer"]:
        """The same scorer for each part, as no part is learned from."""
        del recorder, mesh
        genes = dataclasses.replace(problem.dataset.genes, is_tf=mark(problem))
        scores = score_genes(genes, self, seed=problem.seed, folder=problem.folder)
        for _ in parts:
            yield MatrixScorer(scores, problem.tfs)


class PearsonMethod(ExpressionOnlyMethod):
    """How strongly a TF and a target are correlated, whichever way."""

    PAPER: ClassVar[str] = "Pearson 1895"
    READS_CELLS: ClassVar[bool] = False
    SCORE: ClassVar[Callable] = staticmethod(correlation.score_targets)

    @property
    def settings(self) -> CorrelationConfig:
        """The coefficient."""
        return CorrelationConfig()


class SpearmanMethod(ExpressionOnlyMethod):
    """The same of ranks."""

    PAPER: ClassVar[str] = "Spearman 1904"
    READS_CELLS: ClassVar[bool] = False
    SCORE: ClassVar[Callable] = staticmethod(correlation.score_targets)

    @property
    def settings(self) -> CorrelationConfig:
        """The coefficient."""
        return CorrelationConfig(coefficient="spearman")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MutualInformationMethod(MutualInformationConfig, ExpressionOnlyMethod):
    """Mutual information of discretised expression."""

    PAPER: ClassVar[str] = "Butte and Kohane 2000, Pac. Symp. Biocomput. 418"
    SCORE: ClassVar[Callable] = staticmethod(information.score_targets)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PIDCMethod(PIDCConfig, ExpressionOnlyMethod):
    """Partial information decomposition and context."""

    PAPER: ClassVar[str] = "Chan, Stumpf and Babtie 2017, Cell Systems 5:251"
    SCORE: ClassVar[Callable] = staticmethod(pidc.score_targets)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TreeMethod(ExpressionOnlyMethod):
    """One whose trees take the longer the more cells there are."""

    meta_cells: Positive | None = None
    """Means of so many groups of like cells that stand for the cells (`data/pooled_cells.py`)."""

    def prepare_cells(self, genes: GeneTable, seed: int) -> GeneTable:
        """The cells, or meta-cells of them."""
        return genes if self.meta_cells is None else pool_cells(genes, self.meta_cells, seed=seed)

    def check(self, problem: Problem) -> None:
        """Refuses as few cells as meta-cells, too."""
        super().check(problem)
        self.check_cells(len(problem.dataset.genes.expression))

    @property
    def reads_cells(self) -> bool:
        """All cells are read to find which are alike."""
        return self.READS_CELLS or self.meta_cells is not None

    def check_cells(self, cells: int) -> None:
        """Refuses as few cells as meta-cells."""
        if self.meta_cells is not None:
            check_pool(cells, self.meta_cells)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GENIE3Method(GENIE3Config, TreeMethod):
    """Importances of TFs in forests that predict each target."""

    PAPER: ClassVar[str] = "Huynh-Thu et al. 2010, PLoS ONE 5:e12776"
    SCORE: ClassVar[Callable] = staticmethod(forests.score_targets)
    TARGETS_A_BLOCK: ClassVar[int | None] = 16

    def estimate(self, tfs: int, genes: int, cells: int, fits: int) -> Cost:
        """By eight targets of 2,638 cells and 176 TFs."""
        cells = self.meta_cells or cells
        seconds = 8e-8 * genes * self.trees * cells * tfs**0.5
        return Cost(seconds, 5e8 + BYTES_A_PAIR * tfs * genes)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GRNBoost2Method(GRNBoost2Config, TreeMethod):
    """Importances of TFs in boosted trees that predict each target."""

    PAPER: ClassVar[str] = "Moerman et al. 2019, Bioinformatics 35:2159"
    READS_CELLS: ClassVar[bool] = False
    SCORE: ClassVar[Callable] = staticmethod(boosting.score_targets)
    TARGETS_A_BLOCK: ClassVar[int | None] = 1024

    def algorithm(self, cells: int) -> str:
        """How cuts are searched for, which differs between processors and accelerators."""
        return self.searcher(cells).__name__

    def stream_bytes(self, tfs: int, genes: int, cells: int) -> float:
        """Values, bins and tables of the TFs, and targets of a block with what is left of them."""
        tables = 9 * (2**self.depth - 1) * self.tried(tfs)  # of all nodes, where no value is 0
        grown = 25 * 32 * count_cores()  # a block of 32 targets each
        return cells * (5 * tfs + tables + 12 * min(genes, 1024) + grown)

    def estimate(self, tfs: int, genes: int, cells: int, fits: int) -> Cost:
        """By 383 to 5,000 cells (experiments/bench/unsupervised.py and rivals.py)."""
        cells = self.meta_cells or cells
        of_pair = 3e-8 if self.searcher(cells) is Presorted else 2e-8  # seconds, of a cell
        seconds = 5 + genes * (1.5e-3 + of_pair * tfs * cells)
        return Cost(seconds, 8e8 + BYTES_A_PAIR * tfs * genes)


@dataclasses.dataclass(frozen=True, eq=False)
class MatrixScorer(Scorer):
    """Scores of all pairs, none of them fitted."""

    matrix: Float[np.ndarray, "tf gene"]
    tfs: np.ndarray

    def logits(self, pairs: LabelledPairs) -> Float[np.ndarray, "1 pair"]:
        """The scores, which are no logits but rank as such."""
        return scores_at(self.matrix, pairs, self.tfs)[None]


def mark(problem: Problem) -> np.ndarray:
    """Mask of the genes that are TFs of the problem."""
    is_tf = np.zeros(len(problem.dataset.genes.names), bool)
    is_tf[problem.tfs] = True
    return is_tf


def score_genes(
    genes: GeneTable,
    method: ExpressionOnlyMethod | ExpressionOnlyName,
    *,
    seed: int,
    folder: str | Path | None = None,
) -> Float[np.ndarray, "tf gene"]:
    """The method's score of every TF with every gene; 0 for self pairs and genes that do not vary.

    Args:
        folder: keeps each block of targets when it is done, and reads back those that it has.
    """
    chosen = make_method(method)
    assert isinstance(chosen, ExpressionOnlyMethod)
    name, settings = chosen.name(), chosen.settings
    genes = chosen.prepare_cells(genes, seed)
    tfs, targets = genes.tfs, np.flatnonzero(find_varying(genes))
    refuse_many_pairs(len(tfs), len(targets))
    size = chosen.TARGETS_A_BLOCK or max(len(targets), 1)
    kept = None if folder is None else Path(folder) / "checkpoints" / name
    key = digest_run(genes, name + chosen.algorithm(len(genes.expression)), settings, seed)
    scores = np.zeros((len(tfs), len(genes.names)), np.float32)
    with ProgressBar(len(targets), f"inferring by {name}", unit="target") as bar:
        for first in range(0, len(targets), size):
            part = targets[first : first + size]
            path = kept and kept / f"{first:06d}.block"
            if path and path.exists():
                block = read_block(path, part, key)
            else:
                block = chosen.SCORE(genes, part, settings, seed=seed)
                refuse_non_finite(block, genes.names[part], name)
                if path:
                    write_block(path, block, part, key)
            scores[:, part] = block
            bar.update(len(part))
    return scores


def refuse_many_pairs(tfs: int, targets: int) -> None:
    """Refuses a table of edges that is larger than most memories."""
    if tfs * targets > MOST_PAIRS:
        raise ConfigError(
            f"{tfs:,} TFs and {targets:,} targets make {tfs * targets:,} pairs, a table of about "
            f"{tfs * targets * BYTES_A_PAIR / 1e9:,.0f} GB; name fewer TFs or fewer genes, for at "
            f"most {MOST_PAIRS:,} pairs."
        )


def refuse_non_finite(block: np.ndarray, targets: np.ndarray, method: str) -> None:
    """Raises on scores that cannot be ranked."""
    wrong = targets[~np.isfinite(block).all(axis=0)]
    if len(wrong):
        raise NonFiniteError(
            f"{method} gives scores that are not finite for {len(wrong):,} targets "
            f"({list_names(wrong)}); look at their expression, or choose another method."
        )
