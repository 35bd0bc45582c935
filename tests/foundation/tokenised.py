"""Cells of six genes and the vocabularies of the four models over these."""

from grnjax.foundation import (
    tokenise_scbert,
    tokenise_scfoundation,
    tokenise_scgpt,
)
from grnjax.foundation.tokenise_geneformer import make_vocabulary
from grnjax.foundation.tokenise_scbert import ScBertTokeniserConfig
from grnjax.foundation.tokenise_scfoundation import ScFoundationTokeniserConfig
from grnjax.foundation.tokenise_scgpt import (
    ScGPTTokeniserConfig,
    read_special,
)
from grnjax.foundation.vocabulary import match_genes, number_genes

GENES = ["GA", "GB", "GC", "GD", "GE", "GF"]
MEDIANS = dict(zip(GENES, [1.0, 2.0, 4.0, 0.5, 1.0, 1.0]))
PLAIN = make_vocabulary(
    {"<pad>": 0, "<mask>": 1} | {g: i + 2 for i, g in enumerate(GENES)}, MEDIANS
)
WITH_ENDS = make_vocabulary(
    {"<pad>": 0, "<mask>": 1, "<cls>": 2, "<eos>": 3} | {g: i + 4 for i, g in enumerate(GENES)},
    MEDIANS,
)
SCGPT = read_special(number_genes(GENES))


def match(genes=GENES, vocabulary=PLAIN.tokens):
    return match_genes(genes, vocabulary, source="cells")


def lists_of(tokens):
    return [tokens.list_of(place)[0].tolist() for place in range(len(tokens))]


def values_of(tokens):
    return [tokens.list_of(place)[1].tolist() for place in range(len(tokens))]


def scbert(counts, genes=GENES, **settings):
    config = ScBertTokeniserConfig(**{"least_genes": 0, **settings})
    found = match(genes, number_genes(GENES))
    return tokenise_scbert.tokenise(counts, found, len(GENES), config)


def scfoundation(counts, **settings):
    config, found = ScFoundationTokeniserConfig(**settings), match(GENES, number_genes(GENES))
    return tokenise_scfoundation.tokenise(counts, found, len(GENES), config)


def scgpt(counts, genes=GENES, **settings):
    config = ScGPTTokeniserConfig(**settings)
    return tokenise_scgpt.tokenise(counts, match(genes, SCGPT), SCGPT, config)
