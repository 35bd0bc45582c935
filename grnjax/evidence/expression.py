"""What expression says of genes and of TF-target pairs."""

import numpy as np

from grnjax.data.expression_features import (
    coexpression_block,
    expression_statistics,
    principal_components,
)
from grnjax.data.names import count_names
from grnjax.evidence.types import Evidence, GeneBlock, PairBlock, Profiles
from grnjax.types import GeneTable

COMPONENTS = 30


def describe_expression(genes: GeneTable, tfs: np.ndarray, *, profile: bool = True) -> Evidence:
    """What expression says of the genes of a run and of the pairs of its TFs.

    Gene values are statistics and principal components of the measured genes; pair features are
    correlation and joint regression, each with its size.

    Args:
        profile: whether profiles over the cells and components of them are there; they mean
            something else in other cells.
    """
    measured, kernels = genes.measured, ("rbf", "linear")
    blocks = [GeneBlock("expression statistics", expression_statistics(genes), measured, kernels)]
    if profile:
        components = principal_components(genes, COMPONENTS)
        blocks.insert(
            0,
            GeneBlock("expression profile", components, measured, kernels, has_one_scale=True),
        )
    pairs = coexpression_block(genes, tfs)
    report = {
        "source": "expression",
        "found": int(measured.sum()),
        "absent": count_names(genes.names[~measured]),
        "tfs_found": int(measured[tfs].sum()),
        "cells": len(genes.expression),
    }
    return Evidence(
        "expression",
        "expression",
        report,
        genes=tuple(blocks),
        pairs=tuple(
            PairBlock(f"co-expression: {name}", pairs[..., place])
            for place, name in enumerate(("r", "|r|", "joint", "|joint|"))
        ),
        profiles=Profiles(genes.expression) if profile else None,
    )
