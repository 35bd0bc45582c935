"""scGREAT as a method: profiles of genes, vectors of their names, a transformer over both tokens.

Wang et al. 2024 (iScience 27(4), 109352); the model is `models/scgreat.py`.
"""

import dataclasses
from typing import ClassVar

from grnjax.errors import ConfigError
from grnjax.methods.method import Problem
from grnjax.methods.profiles import ProfileMethod
from grnjax.models.scgreat import ScGREAT, ScGREATConfig
from grnjax.training.scheduled import ScheduledConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScGREATMethod(ProfileMethod):
    """scGREAT with its published settings, except that validation pairs choose the epoch.

    Without --data.embedding a token is made of the profile alone.
    """

    PAPER: ClassVar[str] = "Wang et al. 2024, iScience 27(4), 109352"
    READS: ClassVar[frozenset[str]] = frozenset({"labels", "expression", "embedding"})

    model: ScGREATConfig = ScGREATConfig()
    training: ScheduledConfig = ScheduledConfig(
        epochs=80,
        batch_size=32,
        learning_rate=1e-5,
        decay=0.999,
        decay_steps=10,
        clip=0.1,
        patience=20,
        scored_at_once=1_024,
    )

    def make_module(self) -> ScGREAT:
        """The transformer over the tokens of both genes."""
        return ScGREAT(self.model)

    def check(self, problem: Problem) -> None:
        super().check(problem)
        given = problem.embedding
        if given is not None and given.shape[1] != self.model.width:
            raise ConfigError(
                f"--data.embedding has vectors of {given.shape[1]} numbers, which are added to "
                f"tokens of {self.model.width}; give --method.model.width {given.shape[1]}."
            )
