"""Where each gene stands in a network: Laplacian eigenvectors, random-walk returns, degrees.

All are made from known edges, so an edge that is held out must not be among them. Directions count
for the degrees only: the published eigenvectors are those of a Laplacian that is not symmetric, of
which the imaginary parts are dropped (Teji et al. 2025, their code), and mean nothing definite.
Self loops are left out, as they hold no information on a place.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import eigsh

from grnjax.config import Count, Settings
from grnjax.graphs.topology import adjacency
from grnjax.types import shapes

DENSE = 1000
"""Genes of a component up to which all its eigenvectors are found at once, in half a second."""
APART = 1e-6
"""Eigenvalues that are nearer to each other count as one."""
BLOCK = 512  # genes whose walks are followed at once


@dataclasses.dataclass(frozen=True, kw_only=True)
class PositionConfig(Settings):
    """What a gene's position is made of."""

    eigenvectors: Count = 16
    """How many Laplacian eigenvectors."""
    walks: Count = 8
    """How many return probabilities: of random walks of 2, 3, ... steps."""
    degrees: bool = True
    """Whether the logarithms of a gene's in- and out-degree are among them."""


class Positions(NamedTuple):
    """The positions of all genes, float32; rows of zeros for those without an edge."""

    eigenvectors: Float[np.ndarray, "gene dim"]  # mean square 1; each known up to its sign
    structure: Float[np.ndarray, "gene dim2"]  # return probabilities, degrees; standardised


def encode_positions(
    edges: Int[np.ndarray, "edge 2"], genes: int, config: PositionConfig
) -> Positions:
    """The positions of the genes in the network of `edges`."""
    connected = np.zeros(genes, bool)
    connected[edges[edges[:, 0] != edges[:, 1]]] = True
    _, vectors = laplacian_eigenvectors(edges, genes, config.eigenvectors)
    vectors *= np.sqrt(connected.sum())  # of length 1 they would vanish in a large network
    structure = return_probabilities(edges, genes, config.walks)
    if config.degrees:
        structure = np.concatenate([structure, degree_encoding(edges, genes)], axis=1)
    structure[connected] = standardise(structure[connected])
    return Positions(vectors.astype(np.float32), structure)


def standardise(columns: Float[np.ndarray, "gene dim"]) -> Float[np.ndarray, "gene dim"]:
    """Each column with mean 0 and deviation 1, or 0 where all genes are alike."""
    centred = columns - columns.mean(axis=0) if len(columns) else columns
    spread = centred.std(axis=0) if len(columns) else np.ones(columns.shape[1])
    return centred / np.where(spread > 1e-9, spread, np.inf)


# Eigenvectors


def laplacian_eigenvectors(
    edges: Int[np.ndarray, "edge 2"], genes: int, count: int
) -> tuple[Float[np.ndarray, " dim"], Float[np.ndarray, "gene dim"]]:
    """The smallest eigenvalues above 0 of L = I - D^-1/2 A D^-1/2, and their eigenvectors.

    A is the network without directions (Dwivedi and Bresson 2021). Only an eigenvalue with a single
    eigenvector has it up to sign: what a solver returns of several is arbitrary, and
    depends on the order of the genes, so these are left out, with the zero of each component, whose
    vector says no more than degrees do. Targets with the same regulators share an eigenvalue of 1,
    so a network of few TFs has few eigenvectors below it. Columns of zeros, with the eigenvalue
    NaN, fill up to `count`.
    """
    matrix = normalised_adjacency(edges, genes)
    spectra = [component_spectrum(matrix, members, count) for members in list_components(matrix)]
    places = [(own, place) for own, part in enumerate(spectra) for place in range(len(part.values))]
    values = np.array([spectra[own].values[place] for own, place in places])
    alone = np.array([spectra[own].alone[place] for own, place in places], bool)
    order = np.argsort(values, kind="stable")
    nearest = np.diff(values[order], prepend=-np.inf, append=np.inf)
    alone = alone[order] & (np.minimum(nearest[:-1], nearest[1:]) > APART)
    kept = order[alone & (values[order] > APART)][:count]
    found, vectors = np.full(count, np.nan), np.zeros((genes, count))
    for column, index in enumerate(kept):
        own, place = places[index]
        found[column] = values[index]
        vectors[spectra[own].members, column] = spectra[own].vectors[:, place]
    return found, vectors


class Spectrum(NamedTuple):
    """The smallest eigenvalues of the Laplacian of one component, ascending."""

    members: Int[np.ndarray, " gene"]
    values: Float[np.ndarray, " dim"]
    vectors: Float[np.ndarray, "gene dim"]
    alone: np.ndarray  # [dim] bool: False where the vector is known to be one of several


def component_spectrum(
    matrix: sparse.csr_array, members: Int[np.ndarray, " gene"], count: int
) -> Spectrum:
    """All eigenvalues of a small component, the first `count` + 2 of a large one.

    A Krylov method finds but one vector of an eigenvalue that has several, and which one depends on
    where it starts. So it starts twice, and a vector that is not found again does not stand alone.
    """
    part = matrix[members][:, members]
    genes = len(members)
    if genes <= max(DENSE, 2 * count + 4):
        values, vectors = np.linalg.eigh(np.eye(genes) - part.toarray())
        return Spectrum(members, values, vectors, np.ones(genes, bool))
    angles = np.arange(genes)
    starts = np.sin(1 + angles), np.cos(1 + angles)  # fixed, and like no eigenvector
    (values, vectors), (_, again) = (eigsh(part, k=count + 2, which="LA", v0=v) for v in starts)
    alone = np.abs(vectors.T @ again).max(axis=1) > 1 - APART
    order = np.argsort(-values)
    return Spectrum(members, 1 - values[order], vectors[:, order], alone[order])


def list_components(matrix: sparse.csr_array) -> list[Int[np.ndarray, " gene"]]:
    """The genes of each connected part of the network that has an edge."""
    _, component = connected_components(matrix, directed=False)
    order = np.argsort(component, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(component[order])) + 1)
    return [members for members in parts if len(members) > 1]


def normalised_adjacency(edges: Int[np.ndarray, "edge 2"], genes: int) -> sparse.csr_array:
    """D^-1/2 A D^-1/2 of the network without directions, weights and self loops."""
    directed = adjacency(edges[edges[:, 0] != edges[:, 1]], genes).astype(np.float64)
    undirected = directed.maximum(directed.T).sign()
    degree = undirected.sum(axis=1)
    scale = sparse.diags_array(1 / np.sqrt(np.maximum(degree, 1)))
    return (scale @ undirected @ scale).tocsr()


# Their signs


@shapes
def flip_signs(vectors: Float[Array, "node dim"], key: jax.Array) -> Float[Array, "node dim"]:
    """The eigenvectors with random signs: what a model learns must hold for any.

    Dwivedi and Bresson 2021. To be drawn at each training step.
    """
    return vectors * jax.random.rademacher(key, (vectors.shape[1],), vectors.dtype)


@shapes
def settle_signs(vectors: Float[Array, "node dim"]) -> Float[Array, "node dim"]:
    """The eigenvectors with signs that do not depend on those they came with, nor on gene order.

    The sum of cubes is made positive: the few genes far out on one side are on the positive one. Of
    a vector whose sides are alike the first gene, in the order of the table, that is among the
    farthest decides. For evaluation; an even function of single entries, phi(v) + phi(-v), would
    do as well but could not tell two genes on one side from two on opposite ones.
    """
    size = jnp.abs(vectors)
    cubes, most = jnp.sum(vectors**3, axis=0), jnp.sum(size**3, axis=0)
    first = jnp.argmax(size >= size.max(axis=0) * (1 - 1e-3), axis=0)
    farthest = jnp.take_along_axis(vectors, first[None], axis=0)[0]
    side = jnp.where(jnp.abs(cubes) > 1e-3 * most, cubes, farthest)
    return vectors * jnp.where(side < 0, -1.0, 1.0)


# Walks and degrees


def return_probabilities(
    edges: Int[np.ndarray, "edge 2"], genes: int, walks: int
) -> Float[np.ndarray, "gene dim"]:
    """How probably a random walk of 2, 3, ... steps from each gene ends where it began; float32.

    Dwivedi et al. 2022 (LSPE), on the network without directions, in which walks along the
    edges of a TF would hardly ever return; there is no return in one step. A walk of a + b steps
    returns with the inner product of where two walks of a and b steps lead, under the symmetric
    D^-1/2 A D^-1/2, which has the diagonal of the walk's own matrix in every power.
    """
    step = normalised_adjacency(edges, genes).astype(np.float32)
    found = np.zeros((genes, walks), np.float32)
    connected = np.flatnonzero(step.sum(axis=1) > 0)
    for start in range(0, len(connected), BLOCK):
        block = connected[start : start + BLOCK]
        reached = [step[:, block].toarray()]
        for column, steps in enumerate(range(2, walks + 2)):
            if 2 * len(reached) < steps:
                reached.append(step @ reached[-1])
            half, rest = reached[steps // 2 - 1], reached[-(-steps // 2) - 1]
            found[block, column] = np.einsum("gb,gb->b", half, rest)
    return found


def degree_encoding(edges: Int[np.ndarray, "edge 2"], genes: int) -> Float[np.ndarray, "gene 2"]:
    """log(1 + targets) and log(1 + regulators) of each gene, itself not counted; float32."""
    directed = adjacency(edges[edges[:, 0] != edges[:, 1]], genes).sign()
    degrees = np.stack([directed.sum(axis=1), directed.sum(axis=0)], axis=1)
    return np.log1p(degrees, dtype=np.float32)
