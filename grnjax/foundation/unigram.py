"""What can be said of a hidden token without reading its cell, which a model has to beat.

The rows are judged on the same hidden tokens of the same cells as the model. `unigram` knows how
often each word or bin occurs, or the mean value; `of the gene` knows that for each gene, and
`unigram, none twice` that no gene stands in a cell a second time.
"""

from typing import Any

import numpy as np

from grnjax.foundation.token_objectives import (
    GeneformerObjective,
    ScBertObjective,
    ScFoundationObjective,
    ScGPTObjective,
)
from grnjax.foundation.token_training import HiddenTokens, TokenData, TokenObjective
from grnjax.foundation.tokenise_scfoundation import fill_places

UNIGRAM, OF_GENE, NONE_TWICE = "unigram", "unigram of the gene", "unigram, none twice"
PRIOR = 5  # tokens of any gene, in what is said of one


def judge_unigram(
    objective: TokenObjective, data: TokenData, held_out: HiddenTokens
) -> dict[str, float]:
    """The mean loss of hidden tokens by each row, in the unit of the objective's."""
    kinds: dict[type, Any] = {
        GeneformerObjective: judge_words,
        ScBertObjective: judge_bins,
        ScGPTObjective: judge_values,
        ScFoundationObjective: judge_places,
    }
    return kinds[type(objective)](objective, data, held_out)


def find_real(data: TokenData) -> np.ndarray:
    """Where tokens are real."""
    return np.arange(data.tokens.shape[1]) < np.asarray(data.lengths)[:, None]


def judge_words(objective: GeneformerObjective, data: TokenData, held_out: HiddenTokens):
    """Of which gene it is, by how many train cells have each; every word counts once more."""
    tokens = np.asarray(data.tokens)
    is_gene = find_real(data) & ~np.isin(tokens, objective.special)
    train, cells, is_hidden = (np.asarray(x) for x in (data.train, *held_out))
    counts = np.bincount(tokens[train][is_gene[train]], minlength=objective.model.vocabulary) + 1.0
    counts[list(objective.special)] = 0
    shown = np.where(is_gene[cells] & ~is_hidden, counts[tokens[cells]], 0).sum(axis=1)
    left = np.broadcast_to((counts.sum() - shown)[:, None], is_hidden.shape)[is_hidden]
    own = np.log(counts[tokens[cells][is_hidden]])
    return {
        UNIGRAM: float(np.mean(np.log(counts.sum()) - own)),
        NONE_TWICE: float(np.mean(np.log(left) - own)),
    }


def judge_bins(objective: ScBertObjective, data: TokenData, held_out: HiddenTokens):
    """Of the bin of a detected gene."""
    tokens, bins = np.asarray(data.tokens), objective.model.bins
    train, cells, is_hidden = (np.asarray(x) for x in (data.train, *held_out))
    counts = np.stack([(tokens[train] == b).sum(axis=0) for b in range(1, bins + 1)], axis=1)
    shares = (counts.sum(axis=0) + 1) / (counts.sum() + bins)
    by_gene = counts + PRIOR * shares
    by_gene /= by_gene.sum(axis=1, keepdims=True)
    own, gene = tokens[cells][is_hidden] - 1, np.nonzero(is_hidden)[1]
    return {
        UNIGRAM: float(-np.log(shares[own]).mean()),
        OF_GENE: float(-np.log(by_gene[gene, own]).mean()),
    }


def judge_values(objective: ScGPTObjective, data: TokenData, held_out: HiddenTokens):
    """Of the bin of a detected gene, as a number."""
    tokens, values = np.asarray(data.tokens), np.asarray(data.values, np.float64)
    is_gene = find_real(data) & (tokens != objective.cls)
    train, cells, is_hidden = (np.asarray(x) for x in (data.train, *held_out))
    genes, known = tokens[train][is_gene[train]], values[train][is_gene[train]]
    size, mean = objective.model.vocabulary, known.mean()
    totals, counts = np.bincount(genes, known, size), np.bincount(genes, minlength=size)
    by_gene = (totals + PRIOR * mean) / (counts + PRIOR)
    true = values[cells][is_hidden]
    return {
        UNIGRAM: float(np.mean((true - mean) ** 2)),
        OF_GENE: float(np.mean((true - by_gene[tokens[cells][is_hidden]]) ** 2)),
    }


def judge_places(objective: ScFoundationObjective, data: TokenData, held_out: HiddenTokens):
    """Of the value of a gene; detected ones are hidden more often, and count by that."""
    genes, config = objective.model.genes, objective.config
    train, cells, is_hidden = (np.asarray(x) for x in (data.train, *held_out))
    tokens, given = np.asarray(data.tokens), np.asarray(data.values)
    values = fill_places(tokens, given, find_real(data), genes)[:, :genes]
    share = float(np.mean(config.masked_shares))
    chance = np.where(values[train] > 0, share, config.masked_zeros)
    total, weight = (chance * values[train]).sum(axis=0), chance.sum(axis=0)
    mean = total.sum() / weight.sum()
    prior = PRIOR * weight / len(train)
    by_gene = (total + prior * mean) / np.maximum(weight + prior, 1e-12)
    hidden = is_hidden[:, :genes]
    true, gene = values[cells][hidden], np.nonzero(hidden)[1]
    return {
        UNIGRAM: float(np.mean((true - mean) ** 2)),
        OF_GENE: float(np.mean((true - by_gene[gene]) ** 2)),
    }
