"""One score of each pair by lists of other cells."""

import dataclasses
from collections.abc import Sequence
from importlib import resources
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float

from grnjax.baselines.other_lists import rate_and_residual_same
from grnjax.data.compendium.aliases import name_cell_type
from grnjax.data.compendium.lists import TargetLists
from grnjax.data.names import list_names
from grnjax.errors import ConfigError
from grnjax.methods.compendium.features import describe_pairs
from grnjax.methods.compendium.pretraining import TrainedScorer, read_scorer
from grnjax.progress import logger

AT_ONCE = 64  # TFs whose features are in memory
By = Literal["auto", "scorer", "look-up"]


class PairScore:
    """What makes scores [tf, gene] of lists of other cells; higher is a likelier target."""

    name: ClassVar[str]
    """What ranks TFs with lists."""
    without_lists: ClassVar[str]
    """What it comes to for a TF without any."""

    @property
    def report(self) -> dict:
        """What it is, for run.json."""
        return {"name": self.name}

    def __call__(self, lists: TargetLists, tfs: list[str]) -> Float[np.ndarray, "tf gene"]:
        """Scores of these TFs with all genes of the lists."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class LookUp(PairScore):
    """How often other TFs bind the gene, and the TF's own lists: nothing is fitted."""

    name: ClassVar[str] = "rate + residual same"
    without_lists: ClassVar[str] = "rate"

    def __call__(self, lists: TargetLists, tfs: list[str]) -> Float[np.ndarray, "tf gene"]:
        """2 log(1 + rate) + residual same."""
        return rate_and_residual_same(lists, tfs)


@dataclasses.dataclass(frozen=True, eq=False)
class LearntScore(PairScore):
    """The scorer that was trained across TFs and cell types, on the same lists and on motifs."""

    scorer: TrainedScorer
    motifs: TargetLists | None = None
    name: ClassVar[str] = "scorer"
    without_lists: ClassVar[str] = "scorer"

    @property
    def report(self) -> dict:
        """What it was trained on, too."""
        about = self.scorer.about
        told = {"compendium": about.get("compendium"), "cell_types": about.get("cells")}
        return {"name": self.name, "trained_on": told}

    def __call__(self, lists: TargetLists, tfs: list[str]) -> Float[np.ndarray, "tf gene"]:
        """The mean logit over members."""
        found = [
            self.scorer.score(*describe_pairs(lists, self.motifs, tfs[first : first + AT_ONCE]))
            for first in range(0, len(tfs), AT_ONCE)
        ]
        return np.concatenate(found)


def choose_score(
    checkpoint: str | None,
    by: By,
    without: Sequence[str],
    motifs: TargetLists | None,
) -> PairScore:
    """The scorer of a checkpoint, or that which comes with grnjax, or the look-up.

    The look-up stands in for the scorer that comes with grnjax where that has seen cells that are
    to be left out, which is said.

    Raises:
        ConfigError: a scorer that is asked for has seen them.
    """
    if by == "look-up":
        if checkpoint is not None:
            raise ConfigError(
                "--method.by=look-up takes no trained scorer; leave out --method.checkpoint or it."
            )
        return LookUp()
    if checkpoint is None:
        with resources.as_file(resources.files("grnjax") / "shipped") as folder:
            scorer = read_scorer(folder)
    else:
        scorer = read_scorer(checkpoint)
    left, known = ({name_cell_type(cell) for cell in cells} for cells in (without, scorer.cells))
    seen = sorted(left & known)
    if not seen:
        return LearntScore(scorer, motifs)
    place = checkpoint or "the scorer that comes with grnjax"
    if checkpoint is not None or by == "scorer":
        raise ConfigError(
            f"{place} was trained on lists of {list_names(seen)}, which --method.without leaves "
            f"out; grnjax pretrain --without {' '.join(seen)} trains one that has not seen them, "
            "and --method.by=look-up needs none."
        )
    logger.warning(
        f"{place} was trained on lists of {list_names(seen)}, so pairs are ranked by the look-up; "
        f"grnjax pretrain --without {' '.join(seen)} trains one for --method.checkpoint"
    )
    return LookUp()
