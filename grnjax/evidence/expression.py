"""What expression says of genes and of TF-target pairs."""

import numpy as np

from grnjax.data.expression_features import (
    coexpression_block,
    expression_statistics,
    principal_components,
)
from grnjax.data.names import count_names
from grnjax.evidence.types import Evidence, GeneBlock, PairBlock
from grnjax.types import GeneTable

COMPONENTS = 30


def describe_expression(genes: GeneTable, tfs: np.ndarray) -> Evidence:
    """What expression says of the genes of a run and of the pairs of its TFs.

    Gene values are statistics and principal components of the measured genes; pair features are
    correlation and joint regression, each with its size.
    """
    measured, kernels = genes.measured, ("rbf", "linear")
    components, statistics = principal_components(genes, COMPONENTS), expression_statistics(genes)
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
        genes=(
            GeneBlock("expression profile", components, measured, kernels, has_one_scale=True),
            GeneBlock("expression statistics", statistics, measured, kernels),
        ),
        pairs=tuple(
            PairBlock(f"co-expression: {name}", pairs[..., place])
            for place, name in enumerate(("r", "|r|", "joint", "|joint|"))
        ),
    )
