"""Controls: a problem with inputs permuted or labels rewired, the same for every method.

What a method still scores on one is what the rest of its inputs, or base rates, are worth.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np

from grnjax.errors import ConfigError
from grnjax.evaluation.rewiring import rewire_labels
from grnjax.evidence.types import Evidence
from grnjax.methods.method import Problem
from grnjax.types import LabelledPairs, Part


def rewire(problem: Problem, seed: int) -> Problem:
    """Train and validation labels of the draw `seed` under the same degrees (`rewire_labels`).

    Each part draws by its own seed.
    """

    def alter(part: Part) -> Part:
        def new(pairs: LabelledPairs) -> LabelledPairs:
            return rewire_labels(pairs, seed=part.seed)

        split = part.split
        if split.draw != seed:
            return part
        split = dataclasses.replace(split, train=new(split.train), validation=new(split.validation))
        return dataclasses.replace(part, split=split)

    return dataclasses.replace(problem, parts=[alter(part) for part in problem.parts])


def permute_expression(problem: Problem, seed: int) -> Problem:
    """The profiles of the measured genes, permuted among them."""
    genes = problem.dataset.genes
    measured, order = np.flatnonzero(genes.measured), np.arange(len(genes.names))
    order[measured] = np.random.default_rng(seed).permutation(measured)
    dataset = dataclasses.replace(problem.dataset, genes=genes.with_profiles(order))
    return dataclasses.replace(problem, dataset=dataset)


def alter_embedding(
    problem: Problem, seed: int, *, how: Literal["zero", "random", "permuted"]
) -> Problem:
    """Zeros, normal numbers of the same scale, or the rows permuted, for genes that have a vector.

    Genes the table lacks keep their zeros, so coverage is the same in every control.

    Raises:
        ConfigError: there is no embedding.
    """
    embedding, rng = problem.embedding, np.random.default_rng(seed)
    if embedding is None:
        raise ConfigError(f"the control embedding-{how} needs an embedding: give --data.embedding.")
    found = np.flatnonzero(problem.embedded)
    altered = np.zeros_like(embedding)
    if how == "random":
        drawn = rng.normal(size=(len(found), embedding.shape[1]))
        altered[found] = drawn * embedding[found].std()
    elif how == "permuted":
        altered[found] = embedding[rng.permutation(found)]
    return dataclasses.replace(problem, embedding=altered)


def permute_sources(problem: Problem, seed: int) -> Problem:
    """All evidence with its genes permuted, in one way, and its TFs in one (`permute_evidence`)."""
    return dataclasses.replace(problem, evidence=permute_evidence(problem.evidence, seed))


def permute_evidence(evidence: Sequence[Evidence], seed: int) -> list[Evidence]:
    """All sources with their genes permuted, in one way, and their TFs in one.

    The values of a source stay as they are, and stand at the wrong genes. Rows of pair features and
    of similarities follow the TFs, columns of pair features the genes.
    """
    rng = np.random.default_rng(seed)
    order: dict[int, np.ndarray] = {}

    def shuffle(size: int) -> np.ndarray:
        return order.setdefault(size, rng.permutation(size))

    def permute(item: Evidence) -> Evidence:
        genes = [
            dataclasses.replace(b, values=b.values[o], covered=b.covered[o])
            for b in item.genes
            for o in [shuffle(len(b.values))]
        ]
        pairs = [
            dataclasses.replace(b, values=b.values[shuffle(tfs)][:, shuffle(genes)])
            for b in item.pairs
            for tfs, genes in [b.values.shape]
        ]
        similarities = [
            dataclasses.replace(s, values=s.values[o][:, o])
            for s in item.similarities
            for o in [shuffle(len(s.values))]
        ]
        profiles = item.profiles and dataclasses.replace(
            item.profiles,
            values=item.profiles.values.take(shuffle(item.profiles.values.shape[1]), axis=1),
        )
        return dataclasses.replace(
            item,
            genes=tuple(genes),
            pairs=tuple(pairs),
            similarities=tuple(similarities),
            profiles=profiles,
        )

    return [permute(item) for item in evidence]
