"""How each foundation model was trained: what is hidden, and the settings of the optimiser.

Each class says where its numbers are from: published configurations and code that were read; from
memory of the paper, which could not be looked up where this was written, so compare before you rest
a claim on it; or our choice. Of all four `most_warm_up`, which shortens warm-ups made for millions
of cells, `patience` and `evaluate_every` are our choice.
"""

import dataclasses
from typing import Annotated

from grnjax.config import Count, Items, Positive, Rate, Share, Weight
from grnjax.foundation.token_training import Chance, Fall, TokenTrainingConfig

Shares = Annotated[tuple[Share, ...], Items()]


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneformerTraining(TokenTrainingConfig):
    """Geneformer: which gene stands at a masked rank (Theodoris et al. 2023, Methods).

    From memory of the paper, all of it: 15 % of the genes of a cell, of these 80 % masked and 10 %
    another word, as BERT's; cross-entropy; 3 epochs, batches of 12 a device, AdamW with weight
    decay .001, learning rate 1e-3 that rises over 10,000 updates and falls in a line, gradients cut
    at 1.
    """

    epochs: Positive = 3
    batch_size: Positive = 12
    learning_rate: Rate = 1e-3
    schedule: Fall = "linear"
    warm_up: Count = 10_000
    weight_decay: Weight = 1e-3


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScBertTraining(TokenTrainingConfig):
    """scBERT: the bin of a masked gene (Yang et al. 2022, Methods).

    From memory of the paper: 15 % of the detected genes of a cell, none of those that are 0; of
    these 90 % masked, the others left as they are; cross-entropy; Adam, learning rate 1e-4, batches
    of 3 cells a device whose gradients are summed over 60, cut at 100. Our choice: 10,000 updates
    of warm-up, where the paper has 5 epochs; one cosine in the place of its restarts; 30 epochs.
    """

    replaced: Chance = 0.9
    others: Chance = 0.0
    batch_size: Positive = 3
    accumulate: Positive = 60
    warm_up: Count = 10_000
    most_gradient: Rate = 100.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScFoundationTraining(TokenTrainingConfig):
    """scFoundation: the value of a masked gene (Hao et al. 2024, Methods).

    From the published configuration: 30 % of the detected and 3 % of the other genes, of these 80 %
    masked and 10 % another value; AdamW without weight decay, learning rate 1e-4 that rises over
    9,766 updates, batches of 128 cells whose gradients are summed over 8, cut at 1; bfloat16 (give
    it with --settings dtype=bfloat16). From memory of the paper: squared error, and how cells are
    thinned (`thinning.py`). Our choice: a cosine after the warm-up, and 30 epochs.
    """

    masked_shares: Shares = (0.3,)
    masked_zeros: Chance = 0.03
    """Share of the genes of the list that a cell has not, which are to be predicted."""
    thinned: Chance = 0.5
    """Share of the cells of a step whose counts are thinned; needs counts."""
    thin_above: Weight = 1000.0
    """Counts that a cell needs to be thinned."""
    batch_size: Positive = 128
    accumulate: Positive = 8
    warm_up: Count = 9_766


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScGPTTraining(TokenTrainingConfig):
    """scGPT: the bin of a masked gene, from its own state and from the cell's (Cui et al. 2024).

    From an args.json of the published form: 25, 50 or 75 % of the genes of a cell, 6 epochs,
    batches of 32, learning rate 1e-4 after 10,000 updates of warm-up. From memory of the paper: all
    of them masked, squared error of bins by both heads, Adam, a tenth less after each epoch,
    gradients cut at 1.

    Left out: the published generative attention, in which what is masked is read by itself alone,
    and what it predicts is then read in turn. Here, as in fine-tuning, all tokens are read.
    """

    masked_shares: Shares = (0.25, 0.5, 0.75)
    replaced: Chance = 1.0
    others: Chance = 0.0
    epochs: Positive = 6
    batch_size: Positive = 32
    schedule: Fall = "epochs"
    warm_up: Count = 10_000
