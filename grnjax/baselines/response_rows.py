"""What predicts drug response without a deep model: means, the nearest line, ridge, trees.

All return the values of other pairs. A drug or line without train pairs has the mean of all.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

SHRINKAGE = 2.0  # pairs of average value that a mean starts from
PENALTIES = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


@dataclasses.dataclass(frozen=True, eq=False)
class KnownResponses:
    """Train pairs, and vectors of all lines and drugs."""

    line: Int[np.ndarray, " pair"]
    drug: Int[np.ndarray, " pair"]
    value: Float[np.ndarray, " pair"]
    vectors: Float[np.ndarray, "line feature"]  # standardised on train lines
    drugs: Float[np.ndarray, "drug feature"]

    @property
    def mean(self) -> float:
        """The mean of all values."""
        return float(self.value.mean())


def average(
    group: Int[np.ndarray, " pair"], value: Float[np.ndarray, " pair"], count: int
) -> Float[np.ndarray, " group"]:
    """The mean of each group, drawn a little to 0, which is what an unseen group has."""
    total = np.bincount(group, value, minlength=count)
    return total / (np.bincount(group, minlength=count) + SHRINKAGE)


def average_drugs(known: KnownResponses) -> Float[np.ndarray, " drug"]:
    """The mean of each drug."""
    return known.mean + average(known.drug, known.value - known.mean, len(known.drugs))


def average_lines(known: KnownResponses) -> Float[np.ndarray, " line"]:
    """How much each line lies above the means of its drugs."""
    beyond = known.value - average_drugs(known)[known.drug]
    return average(known.line, beyond, len(known.vectors))


def predict_drug_mean(known: KnownResponses, line, drug) -> np.ndarray:
    """The mean of the drug."""
    return average_drugs(known)[drug]


def predict_line_mean(known: KnownResponses, line, drug) -> np.ndarray:
    """The mean of all, and by how much the line lies above its drugs' means."""
    return known.mean + average_lines(known)[line]


def predict_both_means(known: KnownResponses, line, drug) -> np.ndarray:
    """The mean of the drug and the offset of the line."""
    return average_drugs(known)[drug] + average_lines(known)[line]


def tabulate(known: KnownResponses) -> Float[np.ndarray, "line drug"]:
    """Train values, NaN where there is none."""
    table = np.full((len(known.vectors), len(known.drugs)), np.nan, np.float32)
    table[known.line, known.drug] = known.value
    return table


def predict_nearest_line(known: KnownResponses, line, drug) -> np.ndarray:
    """The value of the drug in the line that is most alike and has one, by correlation."""
    unit = known.vectors - known.vectors.mean(axis=1, keepdims=True)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    table, found = tabulate(known), average_drugs(known)[drug].astype(np.float32)
    for one in np.unique(line):
        order = np.argsort(-(unit @ unit[one]), kind="stable")
        order = order[order != one]
        rows, wanted = table[order], line == one
        there = np.isfinite(rows)
        nearest = rows[there.argmax(axis=0), np.arange(rows.shape[1])]
        own = nearest[drug[wanted]]
        found[wanted] = np.where(np.isfinite(own), own, found[wanted])
    return found


def predict_ridge(known: KnownResponses, line, drug) -> np.ndarray:
    """Ridge of each drug on the lines' vectors, beyond both means where the line has one.

    The offset of a line is itself ridge on its vectors for a line that was not seen. One penalty
    serves all drugs: that of the least squared error on a fifth of the train lines.
    """
    lines = np.unique(known.line)
    held = np.isin(known.line, np.random.default_rng(0).permutation(lines)[: len(lines) // 5])
    part = dataclasses.replace(
        known, line=known.line[~held], drug=known.drug[~held], value=known.value[~held]
    )
    asked, true = (known.line[held], known.drug[held]), known.value[held]
    errors = [np.mean((solve_ridge(part, *asked, x) - true) ** 2) for x in PENALTIES]
    return solve_ridge(known, line, drug, PENALTIES[int(np.argmin(errors))])


def solve_ridge(known: KnownResponses, line, drug, penalty: float) -> np.ndarray:
    """`predict_ridge` with a penalty."""
    vectors, of_drug = known.vectors.astype(np.float64), average_drugs(known)
    seen, offset = np.unique(known.line), average_lines(known)
    square = penalty * np.eye(vectors.shape[1])
    weights = np.linalg.solve(
        vectors[seen].T @ vectors[seen] + square, vectors[seen].T @ offset[seen]
    )
    offset = np.where(np.isin(np.arange(len(vectors)), seen), offset, vectors @ weights)
    left = known.value - of_drug[known.drug] - offset[known.line]
    found = of_drug[drug] + offset[line]
    order = np.argsort(known.drug, kind="stable")
    ends = np.searchsorted(known.drug[order], np.arange(len(of_drug) + 1))
    for one in np.unique(drug):
        own = order[ends[one] : ends[one + 1]]
        if len(own):
            x = vectors[known.line[own]]
            weights = np.linalg.solve(x.T @ x + square, x.T @ left[own])
            wanted = drug == one
            found[wanted] += vectors[line[wanted]] @ weights
    return found


def join_features(known: KnownResponses, line, drug) -> tuple[np.ndarray, np.ndarray]:
    """What trees read of the train pairs, and of those asked for: means, vectors of line and drug.

    The mean of an end is left out where none of the pairs asked for has one: trees would learn
    from it what it will not tell.
    """
    means = []
    if np.isin(line, known.line).any():
        means.append(lambda line, _: average_lines(known)[line])
    if np.isin(drug, known.drug).any():
        means.append(lambda _, drug: average_drugs(known)[drug])
    found = [
        np.column_stack([known.vectors[of[0]], known.drugs[of[1]], *(f(*of) for f in means)])
        for of in ((known.line, known.drug), (line, drug))
    ]
    return found[0], found[1]


def predict_forest(known: KnownResponses, line, drug, *, seed: int, trees: int = 100) -> np.ndarray:
    """scikit-learn's random forest, each tree on 20,000 pairs at most."""
    from sklearn.ensemble import RandomForestRegressor

    share = min(1.0, 20_000 / len(known.line))
    model = RandomForestRegressor(
        trees, max_features=0.3, max_samples=share, min_samples_leaf=3, random_state=seed, n_jobs=-1
    )
    x, asked = join_features(known, line, drug)
    return model.fit(x, known.value).predict(asked)


def predict_boosting(
    known: KnownResponses, line, drug, *, seed: int, rounds: int = 300
) -> np.ndarray:
    """LightGBM where it is installed, else scikit-learn's boosting on the same histograms."""
    x, asked = join_features(known, line, drug)
    if has_lightgbm():
        import lightgbm

        model = lightgbm.LGBMRegressor(
            n_estimators=rounds,
            learning_rate=0.1,
            num_leaves=63,
            random_state=seed,
            verbose=-1,
            deterministic=True,
            force_row_wise=True,
        )
    else:
        from sklearn.ensemble import HistGradientBoostingRegressor

        model = HistGradientBoostingRegressor(
            max_iter=rounds,
            learning_rate=0.1,
            max_leaf_nodes=63,
            random_state=seed,
            early_stopping=False,
        )
    return model.fit(x, known.value).predict(asked)


def has_lightgbm() -> bool:
    """Whether LightGBM is installed."""
    import importlib.util

    return importlib.util.find_spec("lightgbm") is not None
