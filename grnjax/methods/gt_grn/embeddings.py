"""The inputs of GT-GRN that no label enters: expression embedding and global embedding.

Teji et al. 2025, stages 1 and 2. The networks of the global embedding are inferred here, from the
same expression. Others may be given (`walk_networks.load_networks`).
"""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float

from grnjax.config import Positive, Settings
from grnjax.data.expression_features import find_varying, standardise
from grnjax.data.gene_profiles import build_profiles
from grnjax.data.names import list_names
from grnjax.errors import CheckpointError, ConfigError
from grnjax.graphs.walks import InferredNetwork, build_walk_graph, keep_top_edges
from grnjax.methods.expression_only import ExpressionOnlyName, score_genes
from grnjax.methods.gt_grn.walk_networks import keep_heaviest
from grnjax.methods.score_blocks import digest_run
from grnjax.models.autoencoder import AutoencoderConfig
from grnjax.progress import logger
from grnjax.storage.files import write_atomic
from grnjax.training.expression_embedding import EmbeddingTrainingConfig, embed_expression
from grnjax.training.recorder import FitRecorder, RecordedFit, derive_seed
from grnjax.training.walk_training import WalkTrainingConfig, fit_walks
from grnjax.training.walk_vectors import embed_genes
from grnjax.types import GeneTable

Fit = TypeVar("Fit")


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneEmbeddingConfig(Settings):
    """How genes are embedded; published GT-GRN leaves all of this open."""

    networks: tuple[ExpressionOnlyName, ...] = (
        "pearson",
        "spearman",
        "mutual-information",
        "grnboost2",
    )
    """Methods whose networks, inferred from the expression, the walks are on."""
    edges_a_gene: Positive = 10
    """Edges that are kept of each network, over the genes of the run."""
    autoencoder: AutoencoderConfig = AutoencoderConfig()
    expression: EmbeddingTrainingConfig = EmbeddingTrainingConfig()
    walks: WalkTrainingConfig = WalkTrainingConfig()


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
        folder: keeps scores and checkpoints; the same call resumes from there.
        networks: others to walk on, by name, beside those that are inferred here.

    Raises:
        CheckpointError: the folder holds embeddings of other genes, settings or networks.
        ConfigError: no network has an edge.
    """
    if folder is not None:
        claim_folder(folder, digest_call(genes, config, seed, networks or {}))
    inferred: dict[str, InferredNetwork] = {}
    most = config.edges_a_gene * len(genes.names)
    for method in config.networks:
        scores = score_genes(genes, method, seed=seed, folder=folder)
        inferred[method] = keep_top_edges(scores, genes.tfs, most)
    inferred |= {name: keep_heaviest(network, most) for name, network in (networks or {}).items()}
    check_edges(inferred, genes)
    embed = functools.partial(
        embed_expression,
        build_profiles(genes, seed=seed),
        config.autoencoder,
        config.expression,
        seed=derive_seed(seed, 0),
    )
    embedded = _keep_fit(folder, "expression", config.expression.epochs, embed)
    graph = build_walk_graph(list(inferred.values()), len(genes.names))
    walk = functools.partial(
        fit_walks, graph, len(genes.names), config.walks, seed=derive_seed(seed, 1)
    )
    fitted = _keep_fit(folder, "walks", config.walks.count_epochs(len(graph.starts)), walk)
    found = embed_genes(
        fitted.result.variables, graph, len(genes.names), config.walks, seed=derive_seed(seed, 2)
    )
    report: dict[str, dict[str, Any]] = {
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
    logger.info(
        "expression embedding of %d genes: %.0f %% of held-out variance explained",
        report["expression"]["genes"],
        100 * embedded.held_out,
    )
    logger.info(
        "global embedding of %d genes: held-out loss of walks %.3f nats, entropy of their genes "
        "%.3f",
        report["walks"]["genes"],
        report["walks"]["held_out_loss"],
        fitted.unigram_entropy,
    )
    return GeneEmbeddings(
        standardise_rows(embedded.vectors, embedded.covered),
        embedded.covered,
        standardise_rows(found.vectors, found.in_network),
        report,
    )


def digest_call(
    genes: GeneTable,
    config: GeneEmbeddingConfig,
    seed: int,
    networks: Mapping[str, InferredNetwork],
) -> str:
    """What embeddings depend on, as one SHA-256."""
    digest = hashlib.sha256(digest_run(genes, "embeddings", config, seed).encode())
    for name, network in networks.items():
        digest.update(name.encode())
        for array in network:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def claim_folder(folder: Path, key: str) -> None:
    """Marks the folder as that of one call, or refuses it as that of another."""
    path = folder / "embeddings.sha256"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, key.encode())
    elif path.read_bytes() != key.encode():
        raise CheckpointError(
            f"{folder} holds embeddings of other expression, settings or networks; choose another "
            "folder, or delete it."
        )


def check_edges(networks: Mapping[str, InferredNetwork], genes: GeneTable) -> None:
    """Refuses networks without any edge to walk on, and names the empty ones among others."""
    empty = [name for name, network in networks.items() if not len(network.edges)]
    if len(empty) == len(networks):
        varying = int(find_varying(genes)[genes.tfs].sum())
        raise ConfigError(
            f"None of the {len(networks)} networks ({list_names(empty)}) has an edge to walk on: "
            f"of {len(genes.tfs):,} TFs {varying:,} have expression that varies; name other TFs or "
            "give --walk-on."
        )
    if empty:
        logger.warning(f"{len(empty)} networks have no edge: {list_names(empty)}")


def standardise_rows(
    vectors: Float[np.ndarray, "gene dim"], covered: Bool[np.ndarray, " gene"]
) -> Float[np.ndarray, "gene dim"]:
    """The covered rows with each column of mean 0 and deviation 1; zeros elsewhere."""
    result = np.zeros_like(vectors, dtype=np.float32)
    result[covered] = standardise(vectors[covered])
    return result


def _keep_fit(folder: Path | None, name: str, epochs: int, fit: Callable[..., Fit]) -> Fit:
    """What a fit comes to, with its checkpoints and its log in the folder, behind a bar."""
    with FitRecorder(folder, 1, epochs, f"embedding {name}") as recorder:
        log = RecordedFit(recorder, name)
        return fit(store=recorder.open_store(name), log=log)
