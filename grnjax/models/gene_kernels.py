"""Gene kernels: how alike genes are by each block of features (kernel factor model, stage 0).

Every kernel is centred over the genes that its source covers and has a mean of 1 on their
diagonal; a gene that a source does not cover is like no other there, so that being covered says
nothing. A weighted sum of kernels becomes coordinates: the principal coordinates of the kernel
itself, all or the leading ones, or random features of it where genes are many.
"""

import dataclasses
import sys
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float

from grnjax.evidence.types import GeneBlock, Kernel

REACH = 1.0  # megabases within which two genes are neighbours
NEGLIGIBLE = 1e-5  # of the largest eigenvalue: smaller ones are rounding
ROWS_FOR_WIDTH = 2_000


@dataclasses.dataclass(frozen=True, eq=False)
class GeneKernel:
    """One kernel of one block, fitted on reference genes; `compare` extends it to any others."""

    name: str
    kind: Kernel
    reference: Float[np.ndarray, "gene dim"]  # prepared values
    covered: Bool[np.ndarray, " gene"]
    centre: Float[np.ndarray, " dim"]
    spread: Float[np.ndarray, " dim"]
    width: float  # squared width of the Gaussian
    column_mean: Float[np.ndarray, " gene"]
    scale: float

    def compare(
        self, values: Float[np.ndarray, "new dim"], covered: Bool[np.ndarray, " new"]
    ) -> Float[np.ndarray, "new gene"]:
        """The centred kernel between genes with these values and the reference genes."""
        raw = raw_kernel(self.kind, self._prepare(values), self.reference, self.width)
        centred = raw - raw[:, self.covered].mean(axis=1, keepdims=True) - self.column_mean
        centred += self.column_mean[self.covered].mean()
        return np.where(covered[:, None] & self.covered, centred / self.scale, 0)

    def _prepare(self, values: np.ndarray) -> np.ndarray:
        return (values.astype(np.float64) - self.centre) / self.spread


@dataclasses.dataclass(frozen=True, eq=False)
class Coordinates:
    """Where genes lie: `z`, and what each kernel puts into it; z is the sum of the parts."""

    z: Float[np.ndarray, "gene dim"]  # float32, mean squared norm 1
    part: Callable[[int], Float[np.ndarray, "gene dim"]]  # of the kernel at this place


@dataclasses.dataclass(frozen=True, eq=False)
class KernelSpace:
    """All kernels between all genes of a run."""

    kernels: tuple[GeneKernel, ...]
    values: Float[np.ndarray, "kernel gene gene"]  # float32
    dim: int  # coordinates of a gene

    @property
    def blocks(self) -> tuple[str, ...]:
        """The block of each kernel."""
        return tuple(kernel.name for kernel in self.kernels)

    def among(self, genes: np.ndarray) -> Float[np.ndarray, "kernel some some"]:
        """The kernels between some of the genes."""
        return self.values[:, genes[:, None], genes]

    def locate(self, weights: Float[np.ndarray, " kernel"]) -> Coordinates:
        """The leading principal coordinates of the weighted mean kernel, `dim` of them.

        With K = sum_k w_k K_k they are Q L^(1/2) = K Q L^(-1/2), for eigenvectors Q and
        eigenvalues L: linear in the kernels, so that each has its part. Coordinates of negligible
        eigenvalues are zeros, so that there are as many whatever the weights.
        """
        shares, basis = self.principal_basis(weights)

        def part(k: int) -> np.ndarray:
            return shares[k] * (self.values[k] @ basis)

        return Coordinates(np.tensordot(shares, self.values, axes=1) @ basis, part)

    def extend(
        self, weights: Float[np.ndarray, " kernel"], blocks: Sequence[GeneBlock]
    ) -> Float[np.ndarray, "new dim"]:
        """Coordinates of new genes (Nystroem): their kernel with the genes of the run, times the
        same basis.

        Args:
            blocks: of the new genes, under the names and with the columns of those fitted.
        """
        shares, basis = self.principal_basis(weights)
        new = {block.name: block for block in blocks}
        total = sum(
            share * kernel.compare(new[kernel.name].values, new[kernel.name].covered)
            for share, kernel in zip(shares, self.kernels, strict=True)
        )
        return (total @ basis).astype(np.float32)

    def principal_basis(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The kernels' shares of the total and Q L^(-1/2), [gene, dim]; both float32."""
        shares = (weights / weights.sum()).astype(np.float32)
        total = np.tensordot(shares, self.values, axes=1).astype(np.float64)
        factor = 1 / max(np.diag(total).mean(), 1e-12)
        eigenvalues, vectors = np.linalg.eigh((total + total.T) * factor / 2)
        eigenvalues, vectors = eigenvalues[-self.dim :], vectors[:, -self.dim :]
        kept = eigenvalues > NEGLIGIBLE * eigenvalues[-1]
        basis = vectors * np.where(kept, eigenvalues, np.inf) ** -0.5
        return shares, (factor * basis).astype(np.float32)


def fit_kernels(blocks: Sequence[GeneBlock], most_coordinates: int = sys.maxsize) -> KernelSpace:
    """Every kernel of every block, on the genes of the blocks.

    Args:
        most_coordinates: of a gene; by default as many as genes.
    """
    of = {block.name: block for block in blocks}
    kernels = tuple(fit_kernel(block, kind) for block in blocks for kind in block.kernels)
    values = [k.compare(of[k.name].values, of[k.name].covered) for k in kernels]
    dim = min(len(values[0]), most_coordinates)
    return KernelSpace(kernels, np.stack(values).astype(np.float32), dim)


def fit_kernel(block: GeneBlock, kind: Kernel) -> GeneKernel:
    """The kernel of this kind on a block's own genes."""
    values, covered = block.values.astype(np.float64), block.covered
    centre, spread = np.zeros(values.shape[1]), np.ones(values.shape[1])
    if kind in ("rbf", "linear"):
        centre, spread = values[covered].mean(axis=0), values[covered].std(axis=0)
        if block.has_one_scale:
            spread = np.full_like(spread, np.sqrt(np.mean(spread**2)))
        spread = np.where(spread > 1e-9, spread, 1)
    prepared = (values - centre) / spread
    width = median_squared_distance(prepared[covered]) if kind == "rbf" else 1.0
    raw = raw_kernel(kind, prepared, prepared, width)
    column_mean = raw[covered].mean(axis=0)
    inside = column_mean[covered]
    diagonal = np.diag(raw)[covered] - 2 * inside + inside.mean()
    scale = max(diagonal.mean(), 1e-12)
    return GeneKernel(
        block.name, kind, prepared, covered, centre, spread, width, column_mean, scale
    )


def raw_kernel(kind: Kernel, a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
    """The kernel before centring, [len(a), len(b)]."""
    if kind == "proximity":
        near = np.maximum(0, 1 - np.abs(a[:, None, 1] - b[None, :, 1]) / REACH)
        return np.where(a[:, None, 0] == b[None, :, 0], near, 0)
    if kind == "cosine":
        a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9) for x in (a, b))
    product = a @ b.T
    if kind != "rbf":
        return product
    square = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * product
    return np.exp(-np.maximum(square, 0) / (2 * width))


def median_squared_distance(values: np.ndarray) -> float:
    """Median of the squared distances between rows; of a fixed sample of rows where they are many.

    1 where there are no two rows.
    """
    if len(values) > ROWS_FOR_WIDTH:
        chosen = np.random.default_rng(0).choice(len(values), ROWS_FOR_WIDTH, replace=False)
        values = values[chosen]
    if len(values) < 2:
        return 1.0
    norm = (values**2).sum(axis=1)
    square = norm[:, None] + norm - 2 * values @ values.T
    return max(float(np.median(square[np.triu_indices(len(values), 1)])), 1e-9)
