"""What models see that take the whole profile of a gene over cells, as GENELink's kin do."""

from typing import Literal

import numpy as np
from jaxtyping import Float

from grnjax.data.expression_features import standardise
from grnjax.errors import ConfigError
from grnjax.methods.method import MethodConfig, Problem
from grnjax.methods.pair_models import PairInputConfig
from grnjax.training.batches import ModelInputs, Sizes
from grnjax.types import GeneTable


def profiles(genes: GeneTable) -> Float[np.ndarray, "gene cell"]:
    """Standardised expression of each gene; one column of zeros where nothing was measured."""
    if not genes.measured.any():
        return np.zeros((len(genes.names), 1), np.float32)
    return standardise(genes.expression).T


def refuse_messages(method: MethodConfig, inputs: PairInputConfig) -> None:
    """Refuses that messages pass along edges in a model that has no graph.

    Raises:
        ConfigError: naming the flag.
    """
    if inputs.messages != "none":
        raise ConfigError(
            f"{method.name()} passes no messages; leave --method.inputs.messages out."
        )


def make_profile_inputs(
    problem: Problem,
    sizes: Sizes,
    messages: Literal["symmetric", "directed", "none"],
    nodes: Float[np.ndarray, "gene dim"] | None = None,
) -> ModelInputs:
    """The inputs of a model of profiles.

    Args:
        nodes: what stands for the profiles, if not they themselves.
    """
    return ModelInputs(
        genes=problem.dataset.genes,
        nodes=profiles(problem.dataset.genes) if nodes is None else nodes,
        embedding=problem.embedding,
        coexpression=None,
        tfs=problem.tfs,
        padded_pairs=sizes.pairs,
        padded_edges=sizes.edges,
        messages=messages,
    )
