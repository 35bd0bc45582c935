"""GENELink as a method: standardised profiles, attention over train edges, three scores.

Chen and Liu 2022 (Bioinformatics 38:4522); the model is `models/genelink.py`.
"""

import dataclasses
from typing import ClassVar

from grnjax.methods.pair_models import PairInputConfig
from grnjax.methods.profiles import ProfileMethod
from grnjax.models.genelink import GENELink, GENELinkConfig
from grnjax.training.scheduled import ScheduledConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class GENELinkMethod(ProfileMethod):
    """GENELink with its published settings, except that validation pairs choose the epoch."""

    PAPER: ClassVar[str] = "Chen and Liu 2022, Bioinformatics 38:4522"
    PASSES_MESSAGES: ClassVar[bool] = True

    model: GENELinkConfig = GENELinkConfig()
    inputs: PairInputConfig = PairInputConfig(messages="symmetric")
    training: ScheduledConfig = ScheduledConfig(
        epochs=20, batch_size=256, learning_rate=3e-3, decay=0.99
    )
    """How it is trained: the published learning rate falls with every batch, so that 100 steps at
    the full rate are all that any number of epochs comes to."""

    def make_module(self) -> GENELink:
        """Attention, the networks of TFs and of targets, and the score."""
        return GENELink(self.model)
