"""CNNC as a method: a convolutional network over images of pairs, made as they are needed.

Yuan and Bar-Joseph 2019 (PNAS 116:27151); the model is `models/cnnc.py`. Its scores rest on the
expression of a pair alone, so that a fit can be transferred to other cells.
"""

import dataclasses
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from grnjax.data.expression_bins import bin_genes
from grnjax.methods.method import Problem
from grnjax.methods.pair_models import PairScorer, balance_pairs, put_features
from grnjax.methods.profiles import ProfileMethod
from grnjax.models.cnnc import CNNC, CNNCConfig
from grnjax.models.pair_images import BINS
from grnjax.training.batches import Sizes
from grnjax.training.scheduled import ScheduledConfig
from grnjax.types import GeneTable, LabelledPairs, Part


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairImageMethod(ProfileMethod):
    """A method that sees images of pairs of genes; a subclass says by which network."""

    balance: bool = True
    """Train on as many negatives as there are positives, drawn once a fit, as published; False
    takes all train pairs."""

    def choose_train(self, part: Part) -> LabelledPairs:
        """The train pairs, balanced."""
        return balance_pairs(part) if self.balance else part.split.train

    def weigh_negatives(self, part: Part) -> float:
        """As a positive, where both are balanced."""
        return 1.0 if self.balance else part.negative_weight

    def make_nodes(self, genes: GeneTable) -> Float[np.ndarray, "gene column"]:
        """What the network is given of each gene: bins of cells, below 0 where not measured."""
        bins = bin_genes(genes.expression, BINS).astype(np.float32)
        return np.where(genes.measured[:, None], bins, -1)

    def check_transfer(self, problem: Problem) -> None:
        """Images mean the same in other cells."""

    def transfer(self, scorer: PairScorer, problem: Problem) -> PairScorer:
        padded = Sizes(scorer.inputs.padded_pairs, scorer.inputs.padded_edges)
        return put_features(scorer, self.make_inputs(problem, padded))


@dataclasses.dataclass(frozen=True, kw_only=True)
class CNNCMethod(PairImageMethod):
    """CNNC with its published settings."""

    PAPER: ClassVar[str] = "Yuan and Bar-Joseph 2019, PNAS 116:27151"

    model: CNNCConfig = CNNCConfig()
    training: ScheduledConfig = ScheduledConfig(
        epochs=200,
        batch_size=1024,
        optimizer="sgd",
        learning_rate=0.01,
        momentum=0.9,
        inverse_decay=1e-6,
        patience=50,
        scored_at_once=256,
    )

    def make_module(self) -> CNNC:
        """The network over a pair's image."""
        return CNNC(self.model)
