"""GT-GRN on the splits of a data set: its inputs, its controls, its trainer."""

import dataclasses
from typing import Literal

import jraph
import numpy as np
from jax.sharding import Mesh

from grnjax.baselines.neighbours import ask_neighbours
from grnjax.data.expression_features import coexpression_block, expression_statistics
from grnjax.data.label_matrix import label_matrix
from grnjax.graphs.build import build_gene_batch, pad_rows
from grnjax.graphs.edge_attention import edge_directions
from grnjax.graphs.positional import PositionConfig, Positions, encode_positions
from grnjax.models.gt_grn import GTGRN, GTGRNConfig, GTGRNInputs
from grnjax.models.pair_features import measure_scale, standardise_pairs
from grnjax.tasks.bench import Bench, Request
from grnjax.tasks.gene_embeddings import GeneEmbeddings
from grnjax.tasks.inputs import InputConfig
from grnjax.training.batches import ModelInputs
from grnjax.training.loop import Trainer
from grnjax.training.pair_objective import TrainingConfig, make_pair_trainer
from grnjax.types import Dataset, GeneTable, LabelledPairs, Split

GTGRNControl = Literal[
    "expression-permuted",
    "global-permuted",
    "embeddings-permuted",  # both of them
    "positions-permuted",
    "labels-rewired",
]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class GTGRNModelInputs(ModelInputs):
    """What fits of GT-GRN share; positions are those in the train edges of each fit."""

    statistics: np.ndarray  # [gene, statistic] of expression
    has_expression: np.ndarray  # [gene] bool
    profiles: GeneTable  # whose expression the features of pairs are of
    positions: PositionConfig
    order: np.ndarray | None  # of genes, by which a control deals out positions anew

    def build_genes(self, train: LabelledPairs, graph: jraph.GraphsTuple) -> GTGRNInputs:
        """The gene side of a fit with these train pairs."""
        count = len(self.genes.names)
        common = build_gene_batch(self.genes, self.nodes, self.embedding, train, self.tfs, graph)
        places = encode_positions(train.positives, count, self.positions)
        if self.order is not None:
            places = Positions(*(table[self.order] for table in places))
        return GTGRNInputs(
            expression_embedding=common.nodes,
            statistics=pad_rows(self.statistics, count + 1),
            measured=pad_rows(self.has_expression.astype(np.float32), count + 1),
            global_embedding=common.embedding,
            eigenvectors=pad_rows(places.eigenvectors, count + 1),
            structure=pad_rows(places.structure, count + 1),
            seen=common.seen,
            tfs=common.tfs,
            graph=graph,
            edge_features=self._direct(graph, train),
        )

    def _direct(self, graph: jraph.GraphsTuple, train: LabelledPairs) -> np.ndarray:
        """Which way each edge regulates, where messages pass both ways."""
        if self.messages == "symmetric":
            return edge_directions(graph, train.positives)
        return np.zeros((len(graph.edges), 0), np.float32)


class GTGRNBench(Bench):
    """A data set with its splits, for fits of GT-GRN."""

    def __init__(
        self,
        dataset: Dataset,
        splits: list[Split],
        embeddings: GeneEmbeddings,
        positions: PositionConfig | None = None,
        mesh: Mesh | None = None,
    ):
        super().__init__(dataset, splits, embeddings.walks, mesh)
        self.embeddings, self.positions = embeddings, positions or PositionConfig()

    def _inputs_of(self, request: Request) -> ModelInputs:
        """The inputs of a fit; the form for new targets also sees what its neighbours say."""
        inputs = super()._inputs_of(request)
        if request.settings.model.new_targets and request.settings.model.coexpression:
            return add_neighbours(inputs, request.train)
        return inputs

    def _make_trainer(self, model: GTGRNConfig, training: TrainingConfig) -> Trainer:
        return make_pair_trainer(GTGRN(model), training, self.mesh)

    def _make_inputs(
        self,
        config: InputConfig,
        batch_size: int,
        coexpression: bool,
        control: GTGRNControl | None,
        seed: int,
    ) -> GTGRNModelInputs:
        genes, rng = self.dataset.genes, np.random.default_rng(seed)
        sizes = self._share_sizes(config, batch_size)
        given, dealt = self.embeddings, np.arange(len(genes.names))
        walks = given.walks.copy()
        if control in ("expression-permuted", "embeddings-permuted"):
            dealt[given.has_expression] = rng.permutation(np.flatnonzero(given.has_expression))
        if control in ("global-permuted", "embeddings-permuted"):
            placed = np.flatnonzero(walks.any(axis=1))
            walks[placed] = walks[rng.permutation(placed)]
        permuted = dataclasses.replace(genes, expression=genes.expression[:, dealt])
        block = coexpression_block(permuted, self.tfs) if coexpression else None
        return GTGRNModelInputs(
            genes=genes,
            nodes=given.expression[dealt],
            embedding=walks,
            coexpression=block,
            tfs=self.tfs,
            padded_pairs=sizes.pairs,
            padded_edges=sizes.edges,
            messages=config.messages,
            statistics=expression_statistics(genes)[dealt],
            has_expression=given.has_expression,
            profiles=permuted,
            positions=self.positions,
            order=rng.permutation(len(walks)) if control == "positions-permuted" else None,
        )


def add_neighbours(inputs: GTGRNModelInputs, train: LabelledPairs) -> GTGRNModelInputs:
    """The inputs with what train pairs say of co-expressed targets among the features of a pair.

    No target is its own neighbour, so features of train pairs are like those of new targets.
    """
    votes = ask_neighbours(
        inputs.profiles, label_matrix(train, inputs.tfs, len(inputs.genes.names))
    )
    scaled = [standardise_pairs(vote, measure_scale(vote)) for vote in np.moveaxis(votes, -1, 0)]
    features = np.concatenate([inputs.coexpression, np.stack(scaled, axis=-1)], axis=-1)
    return dataclasses.replace(inputs, coexpression=features)
