"""Scores of genes that were not there when the model was fitted."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from grnjax.data.names import list_names
from grnjax.errors import ConfigError
from grnjax.evidence.types import Evidence, Profiles
from grnjax.methods.kernel_factor.bank import COVERAGE, FeatureBank, mark_coverage
from grnjax.methods.kernel_factor.fit import KernelFactorFit
from grnjax.models.gene_kernels import KernelSpace
from grnjax.models.nearest_genes import ask_nearest, find_nearest
from grnjax.models.pair_features import standardise_pairs
from grnjax.training.factor_ensemble import score_members


def take_genes(evidence: Sequence[Evidence], genes: np.ndarray) -> list[Evidence]:
    """The evidence of some of its genes, by index or mask, for the same TFs."""
    return [
        dataclasses.replace(
            item,
            genes=tuple(
                dataclasses.replace(b, values=b.values[genes], covered=b.covered[genes])
                for b in item.genes
            ),
            pairs=tuple(dataclasses.replace(b, values=b.values[:, genes]) for b in item.pairs),
            profiles=item.profiles and Profiles(item.profiles.values[genes]),
        )
        for item in evidence
    ]


def score_new_genes(
    fit: KernelFactorFit, bank: FeatureBank, evidence: Sequence[Evidence]
) -> Float[np.ndarray, "tf new"]:
    """Mean logits of every TF of the run with genes that the run did not have.

    New genes have no identity: what is left is what their features say, and the genes of the run
    that are nearest to them in expression.

    Args:
        evidence: of the new genes, for the same TFs: `take_genes` of evidence that was read for
            the genes of the run and the new ones together. Read apart, sources would drop other
            columns, and principal components would be others.

    Raises:
        ConfigError: as `read_features`.
    """
    z, features = read_features(fit, bank, evidence)
    shape = (len(bank.tfs), len(z))
    grid = fit.grid._replace(
        z=z,
        features=features,
        attention=np.zeros((len(bank.similarities), *shape), np.float32),
        known_target=np.zeros(len(z), np.float32),
        neighbours=ask_of_new(fit, bank, evidence),
    )
    members = dict(fit.learned.members)
    for name in ("target_bias", "target_factors"):
        of_run = members[name]
        members[name] = np.zeros((len(of_run), len(z), *of_run.shape[2:]), of_run.dtype)
    return np.asarray(score_members(members, grid)).mean(axis=0)


def give_features(
    fit: KernelFactorFit, bank: FeatureBank, evidence: Sequence[Evidence]
) -> KernelFactorFit:
    """The fit with what another data set says of the same genes; identities stay as learned.

    So does what nearest genes say, where the run had profiles.

    Raises:
        ConfigError: as `read_features`.
    """
    z, features = read_features(fit, bank, evidence)
    return dataclasses.replace(
        fit, grid=fit.grid._replace(z=z, features=features), coordinates=None
    )


def ask_of_new(
    fit: KernelFactorFit, bank: FeatureBank, evidence: Sequence[Evidence]
) -> Float[np.ndarray, "count tf new"] | None:
    """What train labels say of the genes of the run nearest to the new ones, by the same cells.

    Raises:
        ConfigError: the new genes have no profiles over these cells, and the run has.
    """
    if fit.grid.neighbours is None or bank.profiles is None:
        return None
    of_run = bank.profiles.values
    new = next((x.profiles.values for x in evidence if x.profiles is not None), of_run[:, :0])
    if new.shape[1] != of_run.shape[1]:
        raise ConfigError(
            f"The new genes have expression in {new.shape[1]:,} cells and the run in "
            f"{of_run.shape[1]:,}: read the evidence of both together and take either part "
            "(take_genes)."
        )
    nearest, model = find_nearest(new, of_run), fit.model
    return ask_nearest(
        nearest, fit.train, model.neighbours, least=model.neighbour_least, of_run=bank.nearest
    )


def read_features(
    fit: KernelFactorFit, bank: FeatureBank, evidence: Sequence[Evidence]
) -> tuple[Float[np.ndarray, "new dim"], Float[np.ndarray, "feature tf new"]]:
    """Coordinates, by kernels with the genes of the run (Nystroem), and features of pairs.

    Raises:
        ConfigError: the evidence lacks a source or has other columns, or kernels are random
            features, which stand for the genes of the run alone.
    """
    if not isinstance(bank.space, KernelSpace):
        raise ConfigError(
            "New genes need the kernels of the run, and this one has none or random features of "
            "them: fit with fewer genes, or with the new genes among them."
        )
    blocks = {block.name: block for item in evidence for block in item.genes}
    pairs = {block.name: block.values for item in evidence for block in item.pairs}
    needed = [name for name in bank.blocks if name != COVERAGE]
    absent = [name for name in needed if name not in blocks]
    absent += [name for name in bank.pair_names if name not in pairs]
    if absent:
        raise ConfigError(
            f"The evidence of the new genes lacks {len(absent):,} of the run's blocks "
            f"({list_names(absent)}); read it from the same sources."
        )
    if bank.coverage:
        blocks[COVERAGE] = mark_coverage(list(blocks.values()), bank.coverage)
    for kernel in bank.space.kernels:
        widths = kernel.reference.shape[1], blocks[kernel.name].values.shape[1]
        if widths[0] != widths[1]:
            raise ConfigError(
                f"{kernel.name}: {widths[1]:,} columns for the new genes and {widths[0]:,} for the "
                "run: read the evidence of both together and take either part (take_genes)."
            )
    z = bank.space.extend(fit.learned.weights, list(blocks.values()))
    features = [
        standardise_pairs(pairs[name], scale)
        for name, scale in zip(bank.pair_names, bank.pair_scales, strict=True)
    ]
    if features:
        return z, np.stack(features)
    return z, np.zeros((0, len(bank.tfs), len(z)), np.float32)
