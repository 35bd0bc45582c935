"""DeepDRIM as a method: images of pairs beside those of the genes that covary with them.

Chen et al. 2021 (Briefings in Bioinformatics 22(6), bbab325); the model is `models/deepdrim.py`.
"""

import dataclasses
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from grnjax.data.expression_bins import list_neighbours
from grnjax.errors import ConfigError
from grnjax.methods.cnnc import PairImageMethod
from grnjax.methods.method import Problem
from grnjax.models.deepdrim import DeepDRIM, DeepDRIMConfig
from grnjax.training.scheduled import ScheduledConfig
from grnjax.types import GeneTable


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeepDRIMMethod(PairImageMethod):
    """DeepDRIM with its published settings."""

    PAPER: ClassVar[str] = "Chen et al. 2021, Brief. Bioinform. 22(6), bbab325"

    model: DeepDRIMConfig = DeepDRIMConfig()
    absolute_covariance: bool = False
    """Whether genes of negative covariance are neighbours, too."""
    training: ScheduledConfig = ScheduledConfig(
        epochs=200,
        batch_size=32,
        optimizer="sgd",
        learning_rate=0.01,
        momentum=0.9,
        inverse_decay=1e-6,
        patience=10,
        scored_at_once=64,
    )

    def make_module(self) -> DeepDRIM:
        """The network over a pair's images."""
        return DeepDRIM(self.model)

    def check(self, problem: Problem) -> None:
        super().check(problem)
        measured = int(problem.dataset.genes.measured.sum())
        if measured <= self.model.neighbours:
            raise ConfigError(
                f"--method.model.neighbours {self.model.neighbours}: {measured} genes have "
                "expression, and a gene is none of its neighbours; ask for fewer."
            )

    def make_nodes(self, genes: GeneTable) -> Float[np.ndarray, "gene column"]:
        """Bins of cells, and the places of the neighbours, which are genes with expression."""
        count, measured = self.model.neighbours, np.flatnonzero(genes.measured)
        expression = genes.expression[:, measured].astype(np.float64)
        among = list_neighbours(expression, count, absolute=self.absolute_covariance)
        neighbours = np.zeros((len(genes.names), count), np.float32)
        neighbours[measured] = measured[among]
        return np.concatenate([super().make_nodes(genes), neighbours], axis=1)
