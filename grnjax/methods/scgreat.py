"""scGREAT as a method: profiles of genes, vectors of their names, a transformer over both tokens.

Wang et al. 2024 (iScience 27(4), 109352); the model is `models/scgreat.py`.
"""

import dataclasses
from typing import ClassVar

from grnjax.errors import ConfigError
from grnjax.foundation.encoder_config import SetEncoderConfig
from grnjax.methods.frozen_vectors import add_vectors, is_model, name_file
from grnjax.methods.method import Problem
from grnjax.methods.profiles import ProfileMethod
from grnjax.models.scgreat import ScGREAT, ScGREATConfig
from grnjax.training.scheduled import ScheduledConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScGREATMethod(ProfileMethod):
    """scGREAT with its published settings, except that validation pairs choose the epoch.

    Without `embedding` a token is made of the profile alone.
    """

    PAPER: ClassVar[str] = "Wang et al. 2024, iScience 27(4), 109352"

    embedding: str | None = None
    """Vectors of what is written of each gene: a table, as --data.embedding takes it; published
    were those of a biomedical language model, 768 numbers each."""
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

    def files(self) -> dict[str, str | None]:
        """The table."""
        return {"embedding": name_file(self.embedding)}

    def prepare(self, problem: Problem) -> Problem:
        """The problem with the vectors.

        Raises:
            ConfigError: they have another width than tokens, or are no table.
        """
        if self.embedding is None:
            return problem
        if is_model(self.embedding):
            raise ConfigError(
                f"--method.embedding {self.embedding}: scGREAT takes vectors of texts, and this is "
                "a folder; give a table of genes and numbers."
            )
        found = add_vectors(problem, self.embedding, SetEncoderConfig())
        assert found.embedding is not None
        width = found.embedding.shape[1]
        if width != self.model.width:
            raise ConfigError(
                f"--method.embedding has vectors of {width} numbers, which are added to tokens of "
                f"{self.model.width}; give --method.model.width {width}."
            )
        return found
