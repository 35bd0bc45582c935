"""How well changes of perturbed cells are predicted: figures that averages win, and others.

`pcc_delta` (Roohani et al. 2024, Nature Biotechnology 42:927) is Pearson's correlation over genes
of predicted and true change. What all perturbations have in common, the mean shift, wins much of
it (Ahlmann-Eltze et al. 2025, Nature Methods), so that `pcc_beyond_shift` takes it out of both, and
`rank` asks of which perturbation the predicted profile reminds most: the share of the others that
fit it better than the true one, 0 best and .5 by chance.
"""

import numpy as np
from jaxtyping import Float, Int

MOST_CHANGED = 20
FIGURES = (
    "pcc_delta",
    "pcc_beyond_shift",
    "rank",
    "pcc_delta_de",
    "wrong_direction_de",
    "mse",
    "mse_de",
)


def correlate_rows(
    one: Float[np.ndarray, "row gene"], other: Float[np.ndarray, "row gene"]
) -> Float[np.ndarray, " row"]:
    """Pearson's correlation of each row with its partner; 0 where either does not vary."""
    return np.sum(standardise_rows(one) * standardise_rows(other), axis=1)


def standardise_rows(values: Float[np.ndarray, "row gene"]) -> Float[np.ndarray, "row gene"]:
    """Rows of mean 0 and norm 1; zeros where a row does not vary."""
    centred = values.astype(np.float64) - values.mean(axis=1, keepdims=True, dtype=np.float64)
    norm = np.sqrt(np.sum(centred**2, axis=1, keepdims=True))
    floor = 1e-6 * np.abs(values).max(axis=1, keepdims=True, initial=0) + 1e-12
    return np.where(norm > floor, centred / np.where(norm > 0, norm, 1), 0.0)


def find_most_changed(
    true: Float[np.ndarray, "row gene"], spread: Float[np.ndarray, " gene"], count: int
) -> Int[np.ndarray, "row place"]:
    """The genes whose change is largest beside its spread among control cells, largest first."""
    size = np.abs(true) / np.where(spread > 0, spread, np.inf)
    return np.argsort(-size, axis=1, kind="stable")[:, :count]


def score_profiles(
    predicted: Float[np.ndarray, "row gene"],
    true: Float[np.ndarray, "row gene"],
    *,
    shift: Float[np.ndarray, " gene"],
    others: Float[np.ndarray, "other gene"],
    place: Int[np.ndarray, " row"],
    most_changed: Int[np.ndarray, "row place"],
) -> dict[str, Float[np.ndarray, " row"]]:
    """`FIGURES` of each condition.

    Args:
        predicted: changes of the mean expression against control, as is `true`.
        shift: the mean change of the train conditions.
        others: true changes of the conditions among which the true one is looked for.
        place: where each row's own condition stands among them.
        most_changed: genes of each row that the figures on changed genes are of.
    """
    beyond, truth = predicted - shift, others - shift
    likeness = standardise_rows(beyond) @ standardise_rows(truth).T  # [row, other]
    own = np.take_along_axis(likeness, place[:, None], axis=1)
    better, same = (likeness > own).sum(axis=1), (likeness == own).sum(axis=1) - 1
    at = most_changed
    few, few_true = (np.take_along_axis(x, at, axis=1) for x in (predicted, true))
    return {
        "pcc_delta": correlate_rows(predicted, true),
        "pcc_beyond_shift": own[:, 0],
        "rank": (better + same / 2) / max(len(others) - 1, 1),
        "pcc_delta_de": correlate_rows(few, few_true),
        "wrong_direction_de": np.mean(np.sign(few) * np.sign(few_true) < 0, axis=1),
        "mse": np.mean((predicted - true) ** 2, axis=1, dtype=np.float64),
        "mse_de": np.mean((few - few_true) ** 2, axis=1, dtype=np.float64),
    }
