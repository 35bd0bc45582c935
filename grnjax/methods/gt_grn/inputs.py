"""What fits of GT-GRN see of the genes: embeddings, statistics, positions among train edges."""

import dataclasses

import jraph
import numpy as np

from grnjax.baselines.neighbours import ask_neighbours
from grnjax.data.label_matrix import label_matrix
from grnjax.graphs.build import build_gene_batch, pad_rows
from grnjax.graphs.edge_attention import edge_directions
from grnjax.graphs.positional import PositionConfig, Positions, encode_positions
from grnjax.models.gt_grn import GTGRNInputs
from grnjax.models.pair_features import measure_scale, standardise_pairs
from grnjax.training.batches import ModelInputs
from grnjax.types import GeneTable, LabelledPairs


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class GTGRNModelInputs(ModelInputs):
    """What fits of GT-GRN share; positions are those in the train edges of each fit."""

    statistics: np.ndarray  # [gene, statistic] of expression
    has_expression: np.ndarray  # [gene] bool
    profiles: GeneTable  # whose expression the features of pairs are of
    positions: PositionConfig
    order: np.ndarray | None  # of genes, by which a control permutes positions

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
