"""GENELink as a method: standardised profiles, attention over train edges, three scores.

Chen and Liu 2022 (Bioinformatics 38:4522); the model is `models/genelink.py`.
"""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from grnjax.methods.controls import permute_expression, rewire
from grnjax.methods.expression_only import check_expression
from grnjax.methods.method import Control, Problem
from grnjax.methods.pair_models import PairInputConfig, PairMethod
from grnjax.methods.profiles import make_profile_inputs
from grnjax.models.genelink import GENELink, GENELinkConfig
from grnjax.training.batches import ModelInputs, Sizes
from grnjax.training.scheduled import ScheduledConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class GENELinkMethod(PairMethod):
    """GENELink with its published settings, except that validation pairs choose the epoch."""

    PAPER: ClassVar[str] = "Chen and Liu 2022, Bioinformatics 38:4522"
    READS: ClassVar[frozenset[str]] = frozenset({"labels", "expression"})

    model: GENELinkConfig = GENELinkConfig()
    inputs: PairInputConfig = PairInputConfig(messages="symmetric")
    training: ScheduledConfig = ScheduledConfig(
        epochs=20, batch_size=256, learning_rate=3e-3, decay=0.99
    )
    """How it is trained: the published learning rate falls with every batch, so that 100 steps at
    the full rate are all that any number of epochs comes to."""

    def check(self, problem: Problem) -> None:
        super().check(problem)
        check_expression(problem, self)

    def make_module(self) -> GENELink:
        """Attention, the networks of TFs and of targets, and the score."""
        return GENELink(self.model)

    def controls(self) -> Mapping[str, Control]:
        """Expression permuted over genes, and labels rewired."""
        return {"expression-permuted": permute_expression, "labels-rewired": rewire}

    def make_inputs(self, problem: Problem, sizes: Sizes) -> ModelInputs:
        return make_profile_inputs(problem, sizes, self.inputs.messages)
