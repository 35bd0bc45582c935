"""What each score rests on: terms that add up to the logit, and what a run loses without each."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from grnjax.data.label_matrix import places_of
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evaluation.report import half_width
from grnjax.methods.kernel_factor.bank import FeatureBank
from grnjax.methods.kernel_factor.fit import KernelFactorFit
from grnjax.types import LabelledPairs

FIXED = ("base", "TF bias", "target bias", "identity")
WORTH = ("auroc", "average_precision", "within_tf_auroc", "swap_micro")


@dataclasses.dataclass(frozen=True, eq=False)
class Explanation:
    """The logits of a fit, taken apart: mean over the members of each term of the equation."""

    names: tuple[str, ...]  # base, TF bias, target bias, identity, gene blocks, pair features
    kinds: tuple[str, ...]  # "fixed", "genes" or "pairs", of each term
    values: Float[np.ndarray, "term tf gene"]  # float32; they sum to the logit

    def at(self, rows: np.ndarray, genes: np.ndarray) -> Float[np.ndarray, "term pair"]:
        """The terms of some pairs, by row of the TF and gene index."""
        return self.values[:, rows, genes]


def explain_fit(fit: KernelFactorFit, bank: FeatureBank) -> Explanation:
    """The terms of every pair: biases, the identity product, gene blocks and pair features."""
    p = {name: values.astype(np.float64) for name, values in fit.learned.members.items()}
    grid = fit.grid
    tf_factors = p["tf_factors"] * grid.known_tf[:, None]  # [member, tf, rank]
    target_factors = p["target_factors"] * grid.known_target[:, None]
    shape = (len(bank.tfs), bank.genes)
    tf_bias = (p["tf_bias"] * grid.known_tf).mean(axis=0)[:, None]
    target_bias = (p["target_bias"] * grid.known_target).mean(axis=0)
    identity = np.einsum("mtr,mgr->tg", tf_factors, target_factors) / len(tf_factors)
    terms = [grid.base, tf_bias, target_bias, identity]
    blocks = tuple(dict.fromkeys(bank.blocks))
    for block in blocks:
        assert fit.coordinates is not None  # there are blocks
        parts = [fit.coordinates.part(k) for k, name in enumerate(bank.blocks) if name == block]
        z = functools.reduce(np.add, parts)
        bias = (z @ p["bias_map"].T).mean(axis=1)
        product = np.einsum("mtr,mgr->tg", tf_factors, z @ p["factor_map"]) / len(tf_factors)
        terms.append(bias + product)
    weights = (p["shared"][:, None] + p["per_tf"] * grid.known_tf[:, None]).mean(axis=0)
    seen = grid.known_target.astype(bool)
    features = [*grid.features, *(np.where(seen, x, 0) for x in grid.attention)]
    terms += [weights[:, [place]] * feature for place, feature in enumerate(features)]
    asked = fit.model.neighbours if grid.neighbours is not None else ()
    if asked:
        own = p["neighbours"][:, None] + p["neighbours_per_tf"] * grid.known_tf[:, None]
        pairs = zip(own.mean(axis=0).T, grid.neighbours, strict=True)
        terms += [weight[:, None] * feature for weight, feature in pairs]
    return Explanation(
        names=FIXED + blocks + name_pairs(bank, asked),
        kinds=("fixed",) * len(FIXED)
        + ("genes",) * len(blocks)
        + ("pairs",) * (len(features) + len(asked)),
        values=np.stack([np.broadcast_to(term, shape) for term in terms]).astype(np.float32),
    )


def name_pairs(bank: FeatureBank, asked: Sequence[int]) -> tuple[str, ...]:
    """The pair features in the order of the weights: of sources, attention, nearest genes."""
    similar = tuple(f"similar TFs: {one.name}" for one in bank.similarities)
    return bank.pair_names + similar + tuple(f"nearest genes: {count}" for count in asked)


def measure_worth(
    explanation: Explanation,
    fit: KernelFactorFit,
    bank: FeatureBank,
    pairs: LabelledPairs,
    *,
    seed: int,
) -> list[dict]:
    """One row a block and pair feature: its weight, and how much worse the fit is without it.

    Without it means with its term permuted over genes, so that each gene has another's.
    Nothing is fitted again. `weight` is the share of a block's kernels in the total, None for a
    pair feature; `drop_...` is the metric as fitted less the metric then, on the given pairs.
    """
    at = places_of(pairs, bank.tfs, bank.genes)
    order = np.random.default_rng(seed).permutation(bank.genes)
    logits = explanation.values.sum(axis=0)
    as_fitted = evaluate_pairs(pairs.pairs, pairs.labels, logits[at], only=WORTH)
    shares = fit.learned.weights / max(fit.learned.weights.sum(), 1e-12)
    found = []
    for name, kind, term in zip(
        explanation.names, explanation.kinds, explanation.values, strict=True
    ):
        if kind == "fixed":
            continue
        without = logits + term[:, order] - term
        metrics = evaluate_pairs(pairs.pairs, pairs.labels, without[at], only=WORTH)
        weight = sum(w for w, block in zip(shares, bank.blocks, strict=True) if block == name)
        drops = {f"drop_{key}": subtract(as_fitted[key], metrics[key]) for key in WORTH}
        weight = float(weight) if kind == "genes" else None
        found.append({"name": name, "kind": kind, "weight": weight, **drops})
    return found


def subtract(a: float | None, b: float | None) -> float | None:
    """The difference, None where one of the two is undefined."""
    return None if a is None or b is None else a - b


def summarise_worth(rows: list[dict]) -> list[dict]:
    """One row a block and pair feature: means over draws or folds, and 95 % t intervals of drops.

    Sorted by what average precision loses, most first. A figure that no draw has is None.
    """
    found = []
    for name in dict.fromkeys(row["name"] for row in rows):
        own = [row for row in rows if row["name"] == name]
        summary = {"name": name, "kind": own[0]["kind"], "weight": mean_of(own, "weight")}
        for key in (f"drop_{metric}" for metric in WORTH):
            values = [row[key] for row in own if row[key] is not None]
            summary[key] = mean_of(own, key)
            if len(values) > 1:
                half = half_width(np.array(values))
                summary |= {f"{key}_low": summary[key] - half, f"{key}_high": summary[key] + half}
        found.append(summary)
    return sorted(found, key=lambda row: row["drop_average_precision"] or 0.0, reverse=True)


def mean_of(rows: list[dict], key: str) -> float | None:
    """The mean of a figure over the rows that have it."""
    values = [row[key] for row in rows if row[key] is not None]
    return float(np.mean(values)) if values else None
