"""GRN-Transformer as a method: attention over genes learned from cells, and a forest on its maps.

Shu et al. 2022 (Briefings in Bioinformatics 23(5), bbac389). The first stage sees no label; each of
its maps, as it is and corrected for rows and columns, is a feature of a pair. The second learns
from train labels of these cells, as every method here does; the published one took those of a
ChIP-seq network of no cell type.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float

from grnjax.baselines import correlation, pidc
from grnjax.baselines.correlation import CorrelationConfig
from grnjax.baselines.pidc import PIDCConfig
from grnjax.config import Positive
from grnjax.data.expression_features import find_varying, standardise
from grnjax.methods.controls import permute_expression, rewire
from grnjax.methods.method import Control, MethodConfig, Problem, Scorer, check_expression
from grnjax.models.grn_transformer import GRNTransformerConfig, correct_products
from grnjax.training.axial_masking import (
    AxialMaskingConfig,
    AxialMaskingObjective,
    MatrixData,
    map_genes,
)
from grnjax.training.loop import make_trainer
from grnjax.training.recorder import FitRecorder
from grnjax.types import GeneTable, LabelledPairs, Part

LARGEST = 20.0  # of a standardised value
FORESTS = 10  # that find train pairs to leave out
DEVIATIONS = 2.0

NetworkName = Literal["pearson", "spearman", "covariance", "precision", "pidc"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class GRNTransformerMethod(MethodConfig):
    """GRN-Transformer, with train labels of these cells and fewer steps than published."""

    PAPER: ClassVar[str] = "Shu et al. 2022, Brief. Bioinform. 23(5), bbac389"
    READS: ClassVar[frozenset[str]] = frozenset({"labels", "expression"})
    GIVES: ClassVar[frozenset[str]] = frozenset({"probabilities"})

    model: GRNTransformerConfig = GRNTransformerConfig()
    training: AxialMaskingConfig = AxialMaskingConfig()
    networks: tuple[NetworkName, ...] = (
        "pearson",
        "spearman",
        "covariance",
        "precision",
        "pidc",
    )
    """Networks that attention between genes leans on; precision is the inverse of the covariance,
    shrunk by Ledoit and Wolf."""
    trees: Positive = 100
    """Of a forest."""
    clean: bool = True
    """Leave out train pairs that forests place with the other label far more than most, as
    published."""

    @property
    def engine(self):
        """How the encoder is trained."""
        return self.training

    def check(self, problem: Problem) -> None:
        """Refuses what it does not read, and a data set without expression."""
        super().check(problem)
        check_expression(problem, self)

    def controls(self) -> Mapping[str, Control]:
        """Expression permuted over genes, and labels rewired."""
        return {"expression-permuted": permute_expression, "labels-rewired": rewire}

    def fit_all(
        self,
        problem: Problem,
        parts: Sequence[Part],
        recorder: FitRecorder,
        *,
        mesh: Mesh | None = None,
    ) -> Iterator["ForestScorer"]:
        """A forest of each part, on maps of one fit that sees no label."""
        del mesh  # the encoder is one fit, of one device
        genes = problem.dataset.genes
        varying = np.flatnonzero(find_varying(genes))
        data = self.make_data(genes.take(varying))
        trainer = make_trainer(AxialMaskingObjective(self.model, self.training))
        result = recorder.fit(trainer, data, name=parts[0].name, seed=problem.seed)
        parameters = result.variables["params"]
        maps = map_genes(self.model, parameters, data, self.training.batch_size)
        features = place_maps(maps, varying, problem.tfs, len(genes.names))
        for part in parts:
            yield self.fit_forest(part, features, problem.tfs)

    def make_data(self, genes: GeneTable) -> MatrixData:
        """Values of genes that vary, which are 0, and the networks of these genes."""
        is_zero = np.asarray(genes.as_measured) == 0
        networks = infer_networks(genes, self.networks)
        return MatrixData(standardise_nonzero(genes.in_memory, is_zero), is_zero, networks)

    def fit_forest(
        self, part: Part, features: Float[np.ndarray, "tf gene feature"], tfs: np.ndarray
    ) -> "ForestScorer":
        """The forest of the part's train pairs."""
        train = part.split.train
        x, y = features[np.searchsorted(tfs, train.pairs[:, 0]), train.pairs[:, 1]], train.labels
        weights = np.where(y > 0, 1.0, part.negative_weight)
        kept = np.ones(len(y), bool)
        if self.clean:
            kept = find_consistent(
                np.stack(
                    [
                        self.make_forest(part.seed + number, out_of_bag=True)
                        .fit(x, y, weights)
                        .oob_decision_function_[:, 1]
                        for number in range(1, FORESTS + 1)
                    ]
                ),
                y,
            )
        forest = self.make_forest(part.seed).fit(x[kept], y[kept], weights[kept])
        return ForestScorer(forest, features, tfs, int((~kept).sum()))

    def make_forest(self, seed: int, *, out_of_bag: bool = False):
        """scikit-learn's forest."""
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(
            self.trees, oob_score=out_of_bag, random_state=seed % 2**32, max_features="sqrt"
        )


@dataclasses.dataclass(frozen=True, eq=False)
class ForestScorer(Scorer):
    """A forest on the maps of pairs."""

    forest: Any  # scikit-learn's
    features: Float[np.ndarray, "tf gene feature"]
    tfs: np.ndarray
    left_out: int  # train pairs

    def logits(self, pairs: LabelledPairs) -> Float[np.ndarray, "1 pair"]:
        """The logit of the share of trees, at least half a tree and at most all but that."""
        rows = np.searchsorted(self.tfs, pairs.pairs[:, 0])
        share = self.forest.predict_proba(self.features[rows, pairs.pairs[:, 1]])[:, 1]
        least = 0.5 / len(self.forest.estimators_)
        share = np.clip(share, least, 1 - least)
        return np.log(share / (1 - share)).astype(np.float32)[None]

    def report(self) -> dict:
        """Train pairs that were left out."""
        return {"train_pairs_left_out": self.left_out}


def standardise_nonzero(
    expression: Float[np.ndarray, "cell gene"], is_zero: Bool[np.ndarray, "cell gene"]
) -> Float[np.ndarray, "cell gene"]:
    """Each gene with mean 0 and variance 1 over the cells where it is not 0; 0 where it is."""
    count = np.maximum((~is_zero).sum(axis=0), 1)
    mean = expression.sum(axis=0) / count
    centred = np.where(is_zero, 0, expression - mean)
    deviation = np.sqrt((centred**2).sum(axis=0) / count)
    scaled = centred / np.where(deviation > 0, deviation, 1)
    return np.clip(scaled, -LARGEST, LARGEST).astype(np.float32)


def infer_networks(
    genes: GeneTable, names: Sequence[NetworkName]
) -> Float[np.ndarray, "network gene gene"]:
    """Sizes of links between genes, 1 the largest of a network and 0 of a gene to itself."""
    from sklearn.covariance import LedoitWolf

    every = np.arange(len(genes.names))
    one = dataclasses.replace(genes, is_tf=np.ones(len(every), bool))

    def find(name: NetworkName) -> np.ndarray:
        if name in ("pearson", "spearman"):
            config = CorrelationConfig(coefficient=name)
            return correlation.score_targets(one, every, config, seed=0)
        if name == "pidc":
            return pidc.score_targets(one, every, PIDCConfig(), seed=0)
        if name == "covariance":
            return np.abs(np.cov(one.expression, rowvar=False))
        return np.abs(LedoitWolf().fit(standardise(one.in_memory)).precision_)

    found = []
    for name in names:
        network = np.array(find(name), np.float32)
        np.fill_diagonal(network, 0)
        found.append(network / max(network.max(), np.finfo(np.float32).tiny))
    return np.stack(found) if found else np.zeros((1, len(every), len(every)), np.float32)


def place_maps(maps, varying: np.ndarray, tfs: np.ndarray, genes: int):
    """Features [tf, gene, 2 x maps]: how much the gene reads of the TF, as it is and corrected.

    0 for a gene that does not vary.
    """
    flat = jnp.asarray(maps).reshape(-1, *maps.shape[-2:])
    both = np.concatenate([np.asarray(flat), np.asarray(correct_products(flat))])
    features = np.zeros((len(tfs), genes, len(both)), np.float32)
    rows = np.flatnonzero(np.isin(tfs, varying))
    columns = np.searchsorted(varying, tfs[rows])
    features[rows[:, None], varying] = both[:, :, columns].transpose(2, 1, 0)
    return features


def find_consistent(
    shares: Float[np.ndarray, "forest pair"], labels: Float[np.ndarray, " pair"]
) -> Bool[np.ndarray, " pair"]:
    """Mask of the pairs that forests do not place with the other label far more than most.

    Left out is a pair whose share of the other label, out of bag, has a mean or a spread over
    forests that lies two standard deviations above the mean of the pairs of its label.
    """
    wrong = np.where(labels > 0, 1 - shares, shares)
    kept = np.ones(len(labels), bool)
    for figure in (np.nanmean(wrong, axis=0), np.nanstd(wrong, axis=0)):
        for label in (0, 1):
            own = labels == label
            if own.any():
                most = figure[own].mean() + DEVIATIONS * figure[own].std()
                kept[own] &= figure[own] <= most
    return kept
