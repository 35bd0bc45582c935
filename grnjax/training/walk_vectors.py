"""One vector a gene from a language model of walks, GT-GRN's global embedding (stage 2)."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from grnjax.graphs.walks import ENDED, WalkGraph, draw_walks
from grnjax.models.walk_model import WalkModel
from grnjax.models.walk_tokens import make_sentences
from grnjax.training.walk_training import WalkTrainingConfig


class WalkVectors(NamedTuple):
    """A vector of each gene, and which genes are in any network."""

    vectors: Float[np.ndarray, "gene dim"]
    in_network: Bool[np.ndarray, " gene"]


def embed_genes(
    variables: dict, graph: WalkGraph, genes: int, config: WalkTrainingConfig, *, seed: int
) -> WalkVectors:
    """The mean last-layer state of each gene over its places in walks where nothing is hidden.

    A gene in no network has no such place and gets its row of the input table, as all genes do if
    the settings say so. Those rows were pushed away from every walk and are on a scale of their
    own: whoever uses them should look at `in_network`.
    """
    rows = np.asarray(variables["params"]["table"][:genes])
    in_network = np.zeros(genes, bool)
    in_network[np.asarray(graph.starts) % genes] = True
    if config.vector == "row":
        return WalkVectors(rows, in_network)
    key = jax.random.key(seed)
    sums, counts = sum_states(variables, graph, key, config=config, genes=genes)
    means = np.asarray(sums) / np.maximum(counts, 1)[:, None]
    return WalkVectors(np.where(in_network[:, None], means, rows), in_network)


@functools.partial(jax.jit, static_argnames=("config", "genes"))
def sum_states(
    variables, graph, key, *, config, genes
) -> tuple[Float[Array, "gene dim"], Int[Array, " gene"]]:
    """The summed states of each gene in walks from every node, and how many they are."""
    model = WalkModel(config.model, genes, config.walks.length + 2)
    size = config.batch_size
    starts = jnp.tile(graph.starts, config.vector_walks)
    batches = math.ceil(len(starts) / size)
    starts = jnp.pad(starts, (0, batches * size - len(starts)), constant_values=ENDED)

    def add(totals, batch):
        starts, key = batch
        tokens = make_sentences(draw_walks(graph, starts, config.walks, key), genes)
        states = model.apply(variables, tokens, method="encode")
        sums, counts = totals
        sums = sums.at[tokens].add(states, mode="drop")  # other tokens lie past the genes
        return (sums, counts.at[tokens].add(1, mode="drop")), None

    totals = jnp.zeros((genes, config.model.width)), jnp.zeros(genes, jnp.int32)
    batched = starts.reshape(batches, size), jax.random.split(key, batches)
    totals, _ = jax.lax.scan(add, totals, batched)
    return totals
