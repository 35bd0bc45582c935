"""The methods that need expression and nothing else, by the names that users give."""

import dataclasses
from collections.abc import Callable
from typing import Literal

from grnjax.baselines import boosting, correlation, forests, information, pidc
from grnjax.baselines.boosting import GRNBoost2Config
from grnjax.baselines.correlation import CorrelationConfig
from grnjax.baselines.forests import GENIE3Config
from grnjax.baselines.information import MutualInformationConfig
from grnjax.baselines.pidc import PIDCConfig
from grnjax.config import Settings

UnsupervisedMethod = Literal[
    "pearson", "spearman", "mutual-information", "pidc", "genie3", "grnboost2"
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnsupervisedConfig(Settings):
    """Settings of the methods that have any; a field is called as its method."""

    mutual_information: MutualInformationConfig = MutualInformationConfig()
    pidc: PIDCConfig = PIDCConfig()
    genie3: GENIE3Config = GENIE3Config()
    grnboost2: GRNBoost2Config = GRNBoost2Config()


@dataclasses.dataclass(frozen=True)
class Method:
    """A method and its settings.

    `score_targets(genes, targets, config, seed=...)` gives a block [tf, target] of scores of 0 or
    more, higher for more confident, that do not depend on which targets share the block.
    """

    score_targets: Callable
    config: object  # the default settings
    targets_a_block: int | None = None  # None where all targets take hardly longer than some


METHODS = {
    "pearson": Method(correlation.score_targets, CorrelationConfig()),
    "spearman": Method(correlation.score_targets, CorrelationConfig(coefficient="spearman")),
    "mutual-information": Method(information.score_targets, MutualInformationConfig()),
    "pidc": Method(pidc.score_targets, PIDCConfig()),
    "genie3": Method(forests.score_targets, GENIE3Config(), targets_a_block=128),
    "grnboost2": Method(boosting.score_targets, GRNBoost2Config(), targets_a_block=1024),
}
