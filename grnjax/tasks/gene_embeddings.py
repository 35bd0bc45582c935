"""The inputs of GT-GRN that no label enters: expression embedding and global embedding.

Teji et al. 2025, stages 1 and 2. The networks of the global embedding are inferred here, from the
same expression. Others may be given, and then no held-out pair may be in them (`check_networks`).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from grnjax.baselines.unsupervised import UnsupervisedMethod
from grnjax.data.blocks.expression import standardise
from grnjax.data.gene_profiles import build_profiles
from grnjax.data.names import list_names
from grnjax.errors import SplitError
from grnjax.graphs.walks import InferredNetwork, build_walk_graph, keep_top_edges
from grnjax.models.autoencoder import AutoencoderConfig
from grnjax.progress import logger
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.tasks.unsupervised import score_genes
from grnjax.training.expression_embedding import EmbeddingTrainingConfig, embed_expression
from grnjax.training.study import derive_seed
from grnjax.training.walk_training import WalkTrainingConfig, fit_walks
from grnjax.training.walk_vectors import embed_genes
from grnjax.types import GeneTable, Split


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneEmbeddingConfig:
    """How genes are embedded; published GT-GRN leaves all of this open."""

    networks: tuple[UnsupervisedMethod, ...] = (
        "pearson", "spearman", "mutual-information", "grnboost2"
    )
    """Methods whose networks the walks are on."""
    edges_a_gene: int = 10
    """Edges that are kept of each network, over its genes."""
    autoencoder: AutoencoderConfig = AutoencoderConfig()
    expression: EmbeddingTrainingConfig = EmbeddingTrainingConfig()
    walks: WalkTrainingConfig = WalkTrainingConfig()

    def __post_init__(self):
        if self.edges_a_gene < 1:
            raise ValueError(f"edges_a_gene must be at least 1, got {self.edges_a_gene}")


@dataclasses.dataclass(frozen=True, eq=False)
class GeneEmbeddings:
    """Two vectors of each gene; standardised, zeros for a gene that has none."""

    expression: Float[np.ndarray, "gene dim"]
    has_expression: Bool[np.ndarray, " gene"]
    walks: Float[np.ndarray, "gene dim2"]  # of places in walks: the global embedding
    report: dict


def embed_dataset(
    genes: GeneTable,
    config: GeneEmbeddingConfig,
    *,
    seed: int,
    folder: Path | None = None,
    networks: Mapping[str, InferredNetwork] | None = None,
) -> GeneEmbeddings:
    """Both embeddings of the genes of a run.

    Args:
        folder: keeps scores and checkpoints; the same call goes on from there.
        networks: others to walk on, by name, beside those that are inferred here.
    """
    embedded = embed_expression(
        build_profiles(genes, seed=seed),
        config.autoencoder,
        config.expression,
        seed=derive_seed(seed, 0),
        store=_open(folder, "expression"),
    )
    inferred = {}
    for method in config.networks:
        scores = score_genes(genes, method, seed=seed, folder=folder)
        kept = config.edges_a_gene * len(genes.names)
        inferred[method] = keep_top_edges(scores, genes.tfs, kept)
    inferred |= networks or {}
    graph = build_walk_graph(list(inferred.values()), len(genes.names))
    fitted = fit_walks(
        graph,
        len(genes.names),
        config.walks,
        seed=derive_seed(seed, 1),
        store=_open(folder, "walks"),
    )
    found = embed_genes(
        fitted.result.variables, graph, len(genes.names), config.walks, seed=derive_seed(seed, 2)
    )
    report = {
        "expression": {
            "variance_explained_held_out": embedded.held_out,
            "epochs": embedded.epochs,
            "best_epoch": embedded.best_epoch,
            "genes": int(embedded.covered.sum()),
        },
        "walks": {
            "edges": {name: len(network.edges) for name, network in inferred.items()},
            "held_out_loss": -fitted.result.best_score,
            "unigram_entropy": fitted.unigram_entropy,
            "genes": int(found.in_network.sum()),
        },
    }
    logger.info("gene embeddings: %s", report)
    return GeneEmbeddings(
        standardise_rows(embedded.vectors, embedded.covered),
        embedded.covered,
        standardise_rows(found.vectors, found.in_network),
        report,
    )


def standardise_rows(
    vectors: Float[np.ndarray, "gene dim"], covered: Bool[np.ndarray, " gene"]
) -> Float[np.ndarray, "gene dim"]:
    """The covered rows with each column of mean 0 and deviation 1; zeros elsewhere."""
    result = np.zeros_like(vectors, dtype=np.float32)
    result[covered] = standardise(vectors[covered])
    return result


def read_network(edges: pd.DataFrame, genes: GeneTable) -> InferredNetwork:
    """A table of TF, target and perhaps importance, joined by gene name; other rows are dropped."""
    names = pd.Index(genes.names)
    ends = np.stack([names.get_indexer(edges[end]) for end in ("tf", "target")], axis=1)
    known = (ends >= 0).all(axis=1)
    weights = edges["importance"] if "importance" in edges else np.ones(len(edges))
    weights = np.asarray(weights, np.float32)[known]
    positive = weights > 0
    if dropped := int(len(edges) - positive.sum()):
        logger.warning("%d of %d edges are dropped: of other genes or without weight", dropped,
                       len(edges))
    return InferredNetwork(ends[known][positive].astype(np.int32), weights[positive])


def check_networks(
    networks: Mapping[str, InferredNetwork], splits: Sequence[Split], genes: GeneTable
) -> None:
    """Refuses networks from outside that hold a positive validation or test pair of a split.

    A network that was inferred from expression may hold them by merit, but nothing in a table
    tells that from a copy, so such a table must be made here, from the expression itself, or come
    without held-out pairs, positive and negative alike (`drop_held_out`).

    Raises:
        SplitError: naming the pairs.
    """
    for name, network in networks.items():
        for split in splits:
            held_out = np.concatenate([split.validation.positives, split.test.positives])
            found = held_out[np.isin(_key(held_out, genes), _key(network.edges, genes))]
            if len(found):
                pairs = [f"{genes.names[tf]}-{genes.names[target]}" for tf, target in found]
                raise SplitError(
                    f"network {name} holds {len(found):,} of the {len(held_out):,} held-out edges "
                    f"of draw {split.draw} ({list_names(pairs)}); drop every held-out pair from "
                    "it (drop_held_out), or infer a network from the expression."
                )


def drop_held_out(network: InferredNetwork, split: Split, genes: GeneTable) -> InferredNetwork:
    """The network without any validation or test pair of the split, whatever its label."""
    held_out = np.concatenate([split.validation.pairs, split.test.pairs])
    kept = ~np.isin(_key(network.edges, genes), _key(held_out, genes))
    return InferredNetwork(network.edges[kept], network.weights[kept])


def _key(pairs: np.ndarray, genes: GeneTable) -> np.ndarray:
    """One number for each pair; the order of its ends counts not, as walks go both ways."""
    ends = np.sort(pairs.astype(np.int64), axis=1)
    return ends[:, 0] * len(genes.names) + ends[:, 1]


def _open(folder: Path | None, name: str) -> CheckpointStore | None:
    return None if folder is None else CheckpointStore(folder / "checkpoints" / name)
