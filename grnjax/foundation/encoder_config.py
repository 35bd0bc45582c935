"""Settings of an encoder, apart from the models, so that who has only settings imports little."""

import dataclasses
from pathlib import Path
from typing import Literal

from grnjax.config import Count, Settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class StateConfig(Settings):
    """Which states of a model are taken, and what single models are told."""

    layer: str | None = None
    """last, penultimate or, of Geneformer and scGPT, a number of blocks; by default as published:
    penultimate of Geneformer, last of the others."""
    average: Literal["published", "detected"] = "published"
    """A gene's vector is the mean over the cells in which it was detected; as published, over all
    cells for scBERT and scFoundation, which give one to any gene of their lists."""
    least_genes: Count | None = None
    """Of scBERT, genes that a cell needs; 200 by default, as published."""
    depth: str | None = None
    """Of scFoundation, the depth that is asked for, such as t4 or, by default, f2."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderConfig(StateConfig):
    """How a model reads cells, and which of its states are taken."""

    expression: Literal["counts", "estimated", "log"] = "counts"
    """What the values are: whole counts, estimated ones, or logs of normalised ones."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetEncoderConfig(StateConfig):
    """How a converted model reads the expression of a data set for the vectors of its genes."""

    expression: Literal["log", "unlogged", "counts", "estimated"] | None = None
    """What the values of the data set are, which must be said. log: logs of normalised values, such
    as BEELINE's, and counts after grnjax has normalised them; used as they are. unlogged:
    exp(x) - 1 of such values, in the place of counts. counts, estimated: with
    --data.normalise=never."""
    orthologues: Path | None = None
    """Table of orthologues, with a column for each species, where the model is of another one."""
    species: tuple[str, str] = ("mouse", "human")
    """Headings of that table: species of the data set, then of the model."""
