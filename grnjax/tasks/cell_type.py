"""Cell types predicted from gene embeddings, beside what needs no embedding.

GT-GRN reports annotation of blood cells from learned embeddings; its protocol is not published.
Here a cell is the mean of its genes' vectors, weighted by their expression in it, and a classifier
is judged on folds of cells. Everything that is fitted to cells is fitted inside a fold, but the
gene vectors: whoever made them may have seen the expression, never the types, of all cells.
"""

import dataclasses

import numpy as np
from jaxtyping import Float
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from grnjax.config import AtLeastTwo, Positive, Rate, Settings
from grnjax.data.names import match_names
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.progress import logger
from grnjax.types import LabelledCells

CLASSIFIERS = LOGISTIC, NEIGHBOURS = ("logistic regression", "nearest neighbours")
COMPONENTS = "principal components"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellTypeConfig(Settings):
    """How cells are classified."""

    folds: AtLeastTwo = 5
    """Folds, each with its share of every type."""
    neighbours: Positive = 15
    """Neighbours that vote on a cell's type."""
    inverse_ridge: Rate = 1.0
    """scikit-learn's C of logistic regression, on features of deviation 1."""


@dataclasses.dataclass(frozen=True, eq=False)
class GeneVectors:
    """Any table of gene vectors."""

    genes: np.ndarray  # [gene] str
    vectors: Float[np.ndarray, "gene dim"]


def annotate_cells(
    cells: LabelledCells, table: GeneVectors, config: CellTypeConfig, *, seed: int
) -> list[dict]:
    """One row a fold, features and classifier, with its accuracy and macro-F1.

    The features are the cells' means of the vectors; the same of random vectors and of the vectors
    permuted among their genes, which show what the width and the values alone are worth;
    as many principal components as a vector is wide; and the expression itself. The vectors'
    features use the genes that have a vector, the other two all genes.

    Args:
        table: names are joined as everywhere, by spelling and else in upper case.
        seed: draws the folds, the random vectors and the permutation.
    """
    check_types(cells, config)
    expression, vectors = match_vectors(cells, table)
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=vectors.shape)
    features = {
        "gene vectors": average_vectors(expression, vectors),
        "random vectors": average_vectors(expression, drawn),
        "permuted vectors": average_vectors(expression, rng.permutation(vectors)),
        COMPONENTS: cells.expression,
        "expression": cells.expression,
    }
    rows = []
    folds = StratifiedKFold(config.folds, shuffle=True, random_state=seed)
    for fold, (train, test) in enumerate(folds.split(cells.expression, cells.types)):
        for name, values in features.items():
            width = vectors.shape[1] if name == COMPONENTS else None
            for kind in CLASSIFIERS:
                model = make_model(kind, width, values[train].shape, config, seed)
                guessed = model.fit(values[train], cells.types[train]).predict(values[test])
                row = {"features": name, "classifier": kind, "fold": fold, "seed": seed}
                row["width"] = width or values.shape[1]
                row["genes"] = len(vectors) if name.endswith("vectors") else len(cells.genes)
                rows.append(row | score_types(cells.types[test], guessed))
    return rows


def check_types(cells: LabelledCells, config: CellTypeConfig) -> None:
    """Refuses types too rare to stand in every fold."""
    types, counts = np.unique(cells.types, return_counts=True)
    if len(types) < 2 or counts.min() < config.folds:
        raise ConfigError(
            f"{len(types)} cell types, the rarest ({types[counts.argmin()]}) with {counts.min()} "
            f"cells: need two types with at least {config.folds} cells each, one a fold."
        )


def match_vectors(
    cells: LabelledCells, table: GeneVectors
) -> tuple[Float[np.ndarray, "cell gene"], Float[np.ndarray, "gene dim"]]:
    """Expression and vectors of the genes that have both; a vector of zeros is none."""
    place = match_names(cells.genes.tolist(), table.genes.tolist()).positions
    is_found = place >= 0
    is_found[is_found] = table.vectors[place[is_found]].any(axis=1)
    if not is_found.any():
        raise GeneMismatchError(
            f"None of the {len(cells.genes):,} genes of the cells has a vector among "
            f"{len(table.genes):,}. Give vectors of the same species and kind of name."
        )
    logger.info(f"vectors of {is_found.sum():,} of {len(is_found):,} genes of the cells")
    return cells.expression[:, is_found], table.vectors[place[is_found]]


def average_vectors(
    expression: Float[np.ndarray, "cell gene"], vectors: Float[np.ndarray, "gene dim"]
) -> Float[np.ndarray, "cell dim"]:
    """The mean of the genes' vectors in each cell, weighted by their expression there.

    A cell that expresses none of the genes is zeros.
    """
    total = expression.sum(axis=1, keepdims=True, dtype=np.float64)
    return expression @ vectors / np.where(total > 0, total, 1)


def make_model(
    classifier: str,
    components: int | None,
    shape: tuple[int, int],
    config: CellTypeConfig,
    seed: int,
) -> Pipeline:
    """A classifier with what is fitted before it.

    Logistic regression gets standardised features, and neighbours are near on the features' own
    scale; components are those of the features so prepared, and stay on their scale. Of what was
    tried on the two sets this served principal components, the ones to beat, best.

    Args:
        components: how many; None leaves the features as they are.
        shape: of the train cells' features, which there cannot be more components than.
    """
    steps = [StandardScaler()] if classifier == LOGISTIC else []
    if components:
        steps.append(PCA(min(components, *shape), random_state=seed))
    if classifier == LOGISTIC:
        return make_pipeline(*steps, LogisticRegression(C=config.inverse_ridge, max_iter=2_000))
    return make_pipeline(*steps, KNeighborsClassifier(config.neighbours))


def score_types(types: np.ndarray, guessed: np.ndarray) -> dict[str, float]:
    """Share of cells with the right type, and the mean over types of their F1 scores."""
    return {
        "accuracy": float(accuracy_score(types, guessed)),
        "macro_f1": float(f1_score(types, guessed, average="macro", zero_division=0)),
    }
