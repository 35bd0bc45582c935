"""What methods share that see the expression of genes over cells, as GENELink's kin do."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from grnjax.data.expression_features import standardise
from grnjax.errors import ConfigError
from grnjax.methods.controls import permute_expression, rewire
from grnjax.methods.method import Control, Problem, check_expression
from grnjax.methods.pair_models import PairMethod
from grnjax.training.batches import ModelInputs, Sizes
from grnjax.types import GeneTable


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProfileMethod(PairMethod):
    """A pair model over what `make_nodes` makes of the expression of each gene."""

    READS: ClassVar[frozenset[str]] = frozenset({"labels", "expression"})
    PASSES_MESSAGES: ClassVar[bool] = False
    """Whether the model has a graph."""

    def check(self, problem: Problem) -> None:
        super().check(problem)
        check_expression(problem, self)
        if self.inputs.messages != "none" and not self.PASSES_MESSAGES:
            raise ConfigError(
                f"{self.name()} passes no messages; leave --method.inputs.messages out."
            )

    def controls(self) -> Mapping[str, Control]:
        """Expression permuted over genes, and labels rewired."""
        return {"expression-permuted": permute_expression, "labels-rewired": rewire}

    def make_nodes(self, genes: GeneTable) -> Float[np.ndarray, "gene column"]:
        """What the model is given of each gene: its standardised profile over cells."""
        return standardise(genes.in_memory).T

    def make_inputs(self, problem: Problem, sizes: Sizes) -> ModelInputs:
        genes = problem.dataset.genes
        return ModelInputs(
            genes=genes,
            nodes=self.make_nodes(genes),
            embedding=problem.embedding,
            coexpression=None,
            tfs=problem.tfs,
            padded_pairs=sizes.pairs,
            padded_edges=sizes.edges,
            messages=self.inputs.messages,
        )
