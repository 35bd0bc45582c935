"""Random features of gene kernels, for more genes than a kernel between all of them allows.

The same kernels as in `gene_kernels`, each as the product of ordinary features: random Fourier
features for a Gaussian (Rahimi and Recht 2007), leading components for products and cosines.
Nearness on a chromosome has no few such features, and is left out. Work and memory grow with the
number of genes, not its square.
"""

import dataclasses

import numpy as np
from jaxtyping import Float

from grnjax.data.names import list_names
from grnjax.evidence.types import GeneBlock, Kernel
from grnjax.models.gene_kernels import Coordinates, median_squared_distance
from grnjax.progress import logger

WIDTH = 128  # features a kernel
SHOWN_TO = 256  # components of a block that a random feature looks at


@dataclasses.dataclass(frozen=True, eq=False)
class FeatureSpace:
    """Features of all genes whose products are the kernels between them."""

    blocks: tuple[str, ...]  # of each kernel
    features: tuple[Float[np.ndarray, "gene dim"], ...]

    @property
    def dim(self) -> int:
        """The number of coordinates: one a feature."""
        return sum(values.shape[1] for values in self.features)

    def among(self, genes: np.ndarray) -> Float[np.ndarray, "kernel some some"]:
        """The kernels between some of the genes."""
        return np.stack([values[genes] @ values[genes].T for values in self.features])

    def locate(self, weights: Float[np.ndarray, " kernel"]) -> Coordinates:
        """The features side by side, each kernel's by the root of its share of the total."""
        shares = weights / weights.sum()
        scaled = [np.sqrt(w) * x for w, x in zip(shares, self.features, strict=True)]
        z = np.concatenate(scaled, axis=1)
        factor = 1 / np.sqrt(max((z.astype(np.float64) ** 2).sum(axis=1).mean(), 1e-12))
        z = (factor * z).astype(np.float32)
        ends = np.cumsum([x.shape[1] for x in self.features])

        def part(k: int) -> np.ndarray:
            only = np.zeros_like(z)
            here = slice(ends[k] - self.features[k].shape[1], ends[k])
            only[:, here] = z[:, here]
            return only

        return Coordinates(z, part)


def draw_features(blocks: list[GeneBlock], seed: int) -> FeatureSpace | None:
    """Random features of every kernel of every block; None where no kernel has any."""
    rng = np.random.default_rng(seed)
    pairs = [(b, kind) for b in blocks for kind in b.kernels if kind != "proximity"]
    left_out = [block.name for block in blocks if "proximity" in block.kernels]
    if left_out:
        logger.warning(f"too many genes for kernels of nearness: {list_names(left_out)} left out")
    if not pairs:
        return None
    features = tuple(features_of(block, kind, rng) for block, kind in pairs)
    return FeatureSpace(tuple(block.name for block, _ in pairs), features)


def features_of(
    block: GeneBlock, kind: Kernel, rng: np.random.Generator
) -> Float[np.ndarray, "gene dim"]:
    """Features of one kernel: centred over the covered genes, where their mean square norm is 1."""
    covered = block.covered
    values = block.values[covered].astype(np.float32)
    if kind == "cosine":
        norm = np.linalg.norm(values, axis=1, keepdims=True)
        raw = leading_components(values / np.maximum(norm, 1e-9), WIDTH, rng)
    else:
        spread = values.std(axis=0)
        if block.has_one_scale:
            spread = np.full_like(spread, np.sqrt(np.mean(spread**2)))
        values = (values - values.mean(axis=0)) / np.where(spread > 1e-9, spread, 1)
        shown = leading_components(values, WIDTH if kind == "linear" else SHOWN_TO, rng)
        raw = shown if kind == "linear" else fourier_features(shown, rng)
    raw = raw - raw.mean(axis=0)
    features = np.zeros((len(covered), raw.shape[1]), np.float32)
    features[covered] = raw / np.sqrt(max((raw**2).sum(axis=1).mean(), 1e-12))
    return features


def fourier_features(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """sqrt(2 / D) cos(x W + b), whose products approach exp(-|x - y|^2 / (2 width))."""
    width = median_squared_distance(values)
    frequencies = rng.normal(size=(values.shape[1], WIDTH)) / np.sqrt(width)
    return np.sqrt(2 / WIDTH) * np.cos(values @ frequencies + rng.uniform(0, 2 * np.pi, WIDTH))


def leading_components(values: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Scores of the leading components of the rows; all of them where there are fewer."""
    from sklearn.utils.extmath import randomized_svd

    centred = values - values.mean(axis=0)
    count = min(count, *centred.shape)
    left, singular, _ = randomized_svd(
        centred, count, n_iter=2, random_state=int(rng.integers(2**31))
    )
    return left * singular
