"""How each foundation model was trained: what is hidden, and the settings of the optimiser.

What is marked "from memory of the paper" could not be looked up where this was written: compare it
with the paper before you rest a claim on it. Published warm-ups are of millions of cells;
`most_warm_up` shortens them.
"""

import dataclasses
from typing import Annotated

from grnjax.config import Count, Items, Positive, Rate, Share, Weight
from grnjax.foundation.token_training import Chance, Fall, TokenTrainingConfig

Shares = Annotated[tuple[Share, ...], Items()]


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneformerTraining(TokenTrainingConfig):
    """Geneformer: which gene stands at a masked rank (Theodoris et al. 2023, Methods).

    15 % of the genes of a cell; of these 80 % masked, 10 % another word, as BERT's; cross-entropy.
    3 epochs of 27 million cells, batches of 12 a device, AdamW with weight decay .001, learning
    rate 1e-3 that rises over 10,000 updates and falls in a line, gradients cut at 1. All of this
    from memory of the paper.
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

    15 % of the detected genes of a cell, none of those that are 0; of these 90 % masked, the others
    left as they are; cross-entropy. Adam, learning rate 1e-4 that rises over 5 epochs and falls in
    cosines, batches of 3 cells a device whose gradients are summed over 60. All of this from memory
    of the paper; one cosine stands for the restarts.
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

    30 % of the detected and 3 % of the other genes, of these 80 % masked and 10 % another value;
    squared error. AdamW without weight decay, learning rate 1e-4 that rises over 9,766 updates,
    batches of 128 cells whose gradients are summed over 8, cut at 1; bfloat16 (give it with
    --settings dtype=bfloat16). How it falls then is not known to us, and cosine our choice.

    Published is also to thin half of the cells and to predict them from that, with T and S to tell
    the depths (from memory of the paper). That is not done here: T and S are those of the cell,
    unchanged.
    """

    masked_shares: Shares = (0.3,)
    masked_zeros: Chance = 0.03
    """Share of the genes of the list that a cell has not, which are to be predicted."""
    batch_size: Positive = 128
    accumulate: Positive = 8
    warm_up: Count = 9_766


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScGPTTraining(TokenTrainingConfig):
    """scGPT: the bin of a masked gene, from its own state and from the cell's (Cui et al. 2024).

    25, 50 or 75 % of the genes of a cell, all masked; squared error of bins by both heads. 6
    epochs, batches of 32 a device, Adam, learning rate 1e-4, a tenth less after each epoch,
    gradients cut at 1. All of this from memory of the paper. The published attention, in which
    masked genes read only what is shown and themselves, is not that of the encoder here: all tokens
    are read.
    """

    masked_shares: Shares = (0.25, 0.5, 0.75)
    replaced: Chance = 1.0
    others: Chance = 0.0
    epochs: Positive = 6
    batch_size: Positive = 32
    schedule: Fall = "epochs"
    warm_up: Count = 10_000
