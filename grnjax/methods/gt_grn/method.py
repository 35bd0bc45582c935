"""GT-GRN as a method: gene embeddings made once, positions in the train edges of each fit.

Teji, Roy, Bhandari and Kalita 2025 (Briefings in Bioinformatics 26(6), bbaf584); the model is
`models/gt_grn.py`. No label enters the embeddings, so one pair of them serves all parts.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from grnjax.data.expression_features import coexpression_block, expression_statistics
from grnjax.errors import ConfigError
from grnjax.graphs.positional import PositionConfig
from grnjax.methods.controls import rewire
from grnjax.methods.gt_grn.embeddings import GeneEmbeddingConfig, GeneEmbeddings, embed_dataset
from grnjax.methods.gt_grn.inputs import GTGRNModelInputs, add_neighbours
from grnjax.methods.gt_grn.walk_networks import check_networks
from grnjax.methods.method import Control, Problem
from grnjax.methods.pair_models import PairMethod
from grnjax.models.gt_grn import GTGRN, GTGRNConfig
from grnjax.training.batches import ModelInputs, Sizes
from grnjax.types import LabelledPairs


@dataclasses.dataclass(frozen=True, eq=False)
class Prepared:
    """What GT-GRN makes of a problem, and what a control altered of it."""

    embeddings: GeneEmbeddings
    profile: np.ndarray  # [gene] whose expression and its embedding stands for a gene's
    order: np.ndarray | None = None  # of genes, by which positions are permuted

    @property
    def report(self) -> dict:
        """How the embeddings came out, for the record of a run."""
        return self.embeddings.report


@dataclasses.dataclass(frozen=True, kw_only=True)
class GTGRNMethod(PairMethod):
    """GT-GRN; the defaults are the interacting form (`models.gt_grn.faithful` the published)."""

    PAPER: ClassVar[str] = "Teji, Roy, Bhandari and Kalita 2025, Brief. Bioinform. 26(6), bbaf584"
    FORM: ClassVar[str] = "interacting form"
    READS: ClassVar[frozenset[str]] = frozenset({"labels", "expression", "networks"})

    model: GTGRNConfig = GTGRNConfig()
    embeddings: GeneEmbeddingConfig = GeneEmbeddingConfig()
    """Of genes, made with the seed of the run."""
    positions: PositionConfig = PositionConfig()
    """Of genes among train edges."""

    def make_module(self) -> GTGRN:
        """The graph transformer with its inputs and decoder."""
        return GTGRN(self.model)

    def check(self, problem: Problem) -> None:
        """Refuses a data set without expression, or nothing to walk on."""
        super().check(problem)
        if not problem.dataset.genes.measured.any():
            raise ConfigError(
                "GT-GRN embeds genes by their expression, and there is none here: give "
                "--data.expression."
            )
        if not self.embeddings.networks and not problem.networks:
            raise ConfigError(
                "GT-GRN has no network to walk on: name methods for --method.embeddings.networks "
                "or give --walk-on."
            )

    def prepare(self, problem: Problem) -> Problem:
        """The problem with both embeddings of its genes."""
        splits = [part.split for part in problem.parts]
        check_networks(problem.networks, splits, problem.dataset)
        genes = problem.dataset.genes
        embeddings = embed_dataset(
            genes,
            self.embeddings,
            seed=problem.seed,
            folder=problem.folder,
            networks=problem.networks,
        )
        prepared = Prepared(embeddings, np.arange(len(genes.names)))
        return dataclasses.replace(problem, prepared=prepared)

    def controls(self) -> Mapping[str, Control]:
        """Each input permuted over genes, and labels rewired."""
        both = ("expression", "global")
        return {
            "expression-permuted": functools.partial(permute_prepared, what=both[:1]),
            "global-permuted": functools.partial(permute_prepared, what=both[1:]),
            "embeddings-permuted": functools.partial(permute_prepared, what=both),
            "positions-permuted": functools.partial(permute_prepared, what=("positions",)),
            "labels-rewired": rewire,
        }

    def make_inputs(self, problem: Problem, sizes: Sizes) -> GTGRNModelInputs:
        """Embeddings, statistics and co-expression, permuted as a control says."""
        genes, prepared = problem.dataset.genes, problem.prepared
        given, profile = prepared.embeddings, prepared.profile
        permuted = genes.with_profiles(profile)
        block = coexpression_block(permuted, problem.tfs) if self.model.coexpression else None
        return GTGRNModelInputs(
            genes=genes,
            nodes=given.expression[profile],
            embedding=given.walks,
            coexpression=block,
            tfs=problem.tfs,
            padded_pairs=sizes.pairs,
            padded_edges=sizes.edges,
            messages=self.inputs.messages,
            statistics=expression_statistics(genes)[profile],
            has_expression=given.has_expression,
            profiles=permuted,
            positions=self.positions,
            order=prepared.order,
        )

    def add_to_inputs(self, inputs: ModelInputs, train: LabelledPairs) -> ModelInputs:
        """The inputs of one fit; the form for new targets also sees its neighbours' labels."""
        if self.model.new_targets and self.model.coexpression:
            assert isinstance(inputs, GTGRNModelInputs)  # from `make_inputs`
            return add_neighbours(inputs, train)
        return inputs


def permute_prepared(problem: Problem, seed: int, *, what: tuple[str, ...]) -> Problem:
    """The control: genes permuted in the expression they have, in the walks, or in positions."""
    prepared, rng = problem.prepared, np.random.default_rng(seed)
    given, profile, order = prepared.embeddings, prepared.profile.copy(), None
    if "expression" in what:
        profile[given.has_expression] = rng.permutation(np.flatnonzero(given.has_expression))
    if "global" in what:
        walks = given.walks.copy()
        placed = np.flatnonzero(walks.any(axis=1))
        walks[placed] = walks[rng.permutation(placed)]
        given = dataclasses.replace(given, walks=walks)
    if "positions" in what:
        order = rng.permutation(len(profile))
    return dataclasses.replace(problem, prepared=Prepared(given, profile, order))
