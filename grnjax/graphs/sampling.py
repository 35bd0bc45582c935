"""Neighbours of genes in the networks of single cells, drawn inside jit from one table of edges.

The networks of 10^5 cells are never edge lists: all cells share one table of regulon edges, and a
cell says which regulons are active in it (GRNFormer, section "hierarchical network"). From that
table a step draws, for each gene of a cell, at most a fan-out of the genes that it is joined to
(GraphSAGE, Hamilton, Ying and Leskovec 2017, section 3.1), which bounds the say of hub TFs. Edges
carry messages both ways.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from grnjax.types import AnyArray, shapes


class RegulonGraph(NamedTuple):
    """The edges of all regulons over the genes of a model, and each gene's places among them.

    Every edge has two places, one at either gene; places stand sorted by gene.
    """

    tf: Int[AnyArray, " edge"]
    target: Int[AnyArray, " edge"]
    regulon: Int[AnyArray, " edge"]
    first: Int[AnyArray, " gene_and_end"]  # of a gene's places; at last, their number
    edge: Int[AnyArray, " place"]  # the edge of a place
    neighbour: Int[AnyArray, " place"]  # the gene at its other end


class AddedEdges(NamedTuple):
    """Edges of one cell beside those of its regulons, in arrays of a fixed size."""

    tf: Int[Array, " added"]
    target: Int[Array, " added"]
    is_there: Bool[Array, " added"]


class Neighbours(NamedTuple):
    """Drawn neighbours of the genes of cells."""

    genes: Int[Array, "cell gene fan_out"]
    is_drawn: Bool[Array, "cell gene fan_out"]
    degree: Int[Array, "cell gene"]  # of all neighbours, drawn or not


def build_regulon_graph(
    edges: Int[np.ndarray, "edge 2"], regulon: Int[np.ndarray, " edge"], genes: int
) -> RegulonGraph:
    """The table of the edges of regulons; the order of the edges changes nothing.

    Args:
        edges: gene indices, TF first; an edge of a gene with itself is left out, as every encoder
            gives a gene its own part.
        regulon: the regulon of each edge.
        genes: how many there are.

    Raises:
        ValueError: an index outside the genes.
    """
    edges, regulon = np.asarray(edges).reshape(-1, 2), np.asarray(regulon)
    if edges.size and (edges.min() < 0 or edges.max() >= genes):
        raise ValueError(f"edges between genes {edges.min()} to {edges.max()} of {genes}")
    order = np.lexsort((regulon, edges[:, 1], edges[:, 0]))
    order = order[edges[order, 0] != edges[order, 1]]
    (tf, target), regulon = edges[order].T, regulon[order]
    gene, other = np.concatenate([tf, target]), np.concatenate([target, tf])
    edge = np.tile(np.arange(len(tf)), 2)
    places = np.lexsort((edge, other, gene))
    first = np.searchsorted(gene[places], np.arange(genes + 1))
    arrays = tf, target, regulon, first, edge[places], other[places]
    return RegulonGraph(*(array.astype(np.int32) for array in arrays))


@shapes
def draw_neighbours(
    graph: RegulonGraph,
    is_kept: Bool[Array, "cell edge"],
    added: AddedEdges | None,
    fan_out: int,
    key: jax.Array,
) -> Neighbours:
    """At most `fan_out` neighbours of each gene in each cell.

    A gene with no more than that many has all of them, once for each of its edges. Of more, every
    one is equally likely: those at even distances from a random start, so that none comes twice.

    Args:
        is_kept: the edges of the table that a cell's network has.
        added: other edges of each cell, with a leading axis of cells.
    """
    if added is None:
        nothing = jnp.zeros((len(is_kept), 0), jnp.int32)
        added = AddedEdges(nothing, nothing, nothing.astype(bool))
    graph = jax.tree.map(jnp.asarray, graph)
    starts = jax.random.uniform(key, (len(is_kept), len(graph.first) - 1))
    return jax.vmap(_draw_in_cell, (None, 0, 0, None, 0))(graph, is_kept, added, fan_out, starts)


def _draw_in_cell(graph, is_kept, added: AddedEdges, fan_out: int, starts) -> Neighbours:
    genes = len(starts)
    upto = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(is_kept[graph.edge])])
    before, kept = upto[graph.first[:-1]], jnp.diff(upto[graph.first])

    owner = jnp.concatenate([added.tf, added.target])
    other = jnp.concatenate([added.target, added.tf])
    owner = jnp.where(jnp.tile(added.is_there, 2), owner, genes)
    order = jnp.argsort(owner)
    first_added = jnp.searchsorted(owner[order], jnp.arange(genes + 1))
    degree = kept + jnp.diff(first_added)

    turn = jnp.arange(fan_out)
    spread = ((turn + starts[:, None]) * (degree[:, None] / fan_out)).astype(jnp.int32)
    spread = jnp.minimum(spread, jnp.maximum(degree, 1)[:, None] - 1)
    number = jnp.where(degree[:, None] > fan_out, spread, turn)  # [gene, fan_out]
    is_drawn = turn < degree[:, None]

    # the n-th kept place of a gene is where the count of kept places passes those before it
    wanted = before[:, None] + jnp.minimum(number, jnp.maximum(kept - 1, 0)[:, None])
    place = jnp.searchsorted(upto, wanted, side="right") - 1
    drawn = jnp.zeros_like(number)
    if len(graph.neighbour):
        drawn = graph.neighbour[jnp.minimum(place, len(graph.neighbour) - 1)]
    if len(owner):
        beyond = jnp.maximum(number - kept[:, None], 0) + first_added[:-1, None]
        extra = other[order][jnp.minimum(beyond, len(owner) - 1)]
        drawn = jnp.where(number < kept[:, None], drawn, extra)
    return Neighbours(jnp.where(is_drawn, drawn, 0), is_drawn, degree)


@shapes
def sum_neighbours(
    values: Float[Array, "cell gene dim"], neighbours: Neighbours
) -> Float[Array, "cell gene dim"]:
    """The sum over each gene's drawn neighbours; zeros for a gene without any."""

    def add(total, drawn):
        genes, is_drawn = drawn
        found = jnp.take_along_axis(values, genes[..., None], axis=1)
        return total + jnp.where(is_drawn[..., None], found, 0), None

    turns = jax.tree.map(lambda x: jnp.moveaxis(x, 2, 0), neighbours[:2])
    return jax.lax.scan(add, jnp.zeros_like(values), turns)[0]
