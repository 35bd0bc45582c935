"""A fit with the features of another data set, in the kernels of its run."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from grnjax.data.names import list_names
from grnjax.errors import ConfigError
from grnjax.evidence.types import Evidence
from grnjax.methods.kernel_factor.bank import COVERAGE, FeatureBank, mark_coverage
from grnjax.methods.kernel_factor.fit import KernelFactorFit
from grnjax.models.gene_kernels import KernelSpace
from grnjax.models.pair_features import standardise_pairs


def give_features(
    fit: KernelFactorFit, bank: FeatureBank, evidence: Sequence[Evidence]
) -> KernelFactorFit:
    """The fit with what another data set says of the same genes.

    Identities stay as learned, and so do the answers of nearest genes, where the run had profiles.

    Raises:
        ConfigError: as `read_features`.
    """
    z, features = read_features(fit, bank, evidence)
    return dataclasses.replace(
        fit, grid=fit.grid._replace(z=z, features=features), coordinates=None
    )


def read_features(
    fit: KernelFactorFit, bank: FeatureBank, evidence: Sequence[Evidence]
) -> tuple[Float[np.ndarray, "gene dim"], Float[np.ndarray, "feature tf gene"]]:
    """Coordinates, by kernels with the genes of the run (Nystroem), and features of pairs.

    Raises:
        ConfigError: the evidence lacks a source or has other columns, or kernels are random
            features, which stand for the genes of the run alone.
    """
    if not isinstance(bank.space, KernelSpace):
        raise ConfigError(
            "Features of another data set need the kernels of the run, and this one has none or "
            "random features of them: fit with fewer genes."
        )
    blocks = {block.name: block for item in evidence for block in item.genes}
    pairs = {block.name: block.values for item in evidence for block in item.pairs}
    needed = [name for name in bank.blocks if name != COVERAGE]
    absent = [name for name in needed if name not in blocks]
    absent += [name for name in bank.pair_names if name not in pairs]
    if absent:
        raise ConfigError(
            f"The evidence of the other data set lacks {len(absent):,} of the run's blocks "
            f"({list_names(absent)}); read it from the same sources."
        )
    if bank.coverage:
        blocks[COVERAGE] = mark_coverage(list(blocks.values()), bank.coverage)
    for kernel in bank.space.kernels:
        widths = kernel.reference.shape[1], blocks[kernel.name].values.shape[1]
        if widths[0] != widths[1]:
            raise ConfigError(
                f"{kernel.name}: {widths[1]:,} columns in the other data set and {widths[0]:,} in "
                "the run; read the same columns of both."
            )
    z = bank.space.extend(fit.learned.weights, list(blocks.values()))
    features = [
        standardise_pairs(pairs[name], scale)
        for name, scale in zip(bank.pair_names, bank.pair_scales, strict=True)
    ]
    if features:
        return z, np.stack(features)
    return z, np.zeros((0, len(bank.tfs), len(z)), np.float32)
