"""How many of a ranking's new edges a curated network lists, and how many base rates would find.

Curated networks list what was studied: a few TFs and targets hold most of the edges, so a ranking
scores well by naming popular genes. The control therefore has the same number of edges for each
TF and for each target as the top of the ranking, and only pairs them differently. Whatever its
TFs and targets bring by themselves, the control brings too; what is left is the pairing.

Drawing each TF's targets in proportion to their degree is not enough: a TF can have a target only
once, so popular targets come up too rarely, and a ranking by base rates alone looks enriched.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from grnjax.errors import ConfigError, EdgeFormatError, GeneMismatchError, NonFiniteError
from grnjax.evaluation.rewiring import trade_targets
from grnjax.progress import logger

TOPS = (100, 500, 1000, 2000)
ROUNDS = 20  # of trades among all TFs, from a top to its hub and from the hub to each control
RESAMPLES = 1000  # of the TFs, for the interval of an enrichment
SHOWN = 5

Choice = Bool[np.ndarray, "tf target"]


@dataclasses.dataclass(frozen=True, eq=False)
class Support:
    """What a curated network says of the new edges of a ranking."""

    rows: list[dict]  # one a top; see `measure_top`
    report: dict  # what was left out on the way, and how far known edges are curated ones


def measure_support(
    ranked: pd.DataFrame,
    known: pd.DataFrame,
    reference: pd.DataFrame,
    *,
    seed: int,
    tops: tuple[int, ...] = TOPS,
    controls: int = 1000,
) -> Support:
    """How many of the best new edges the reference lists, beside a degree-matched control.

    Only pairs count that are not known and that the reference could list: its TF is a TF and its
    target a target of some reference edge. A top holds the best of those. Names are joined in
    upper case; among equal importances the order of the rows decides.

    Args:
        ranked: tf, target, importance of every scored pair, in any order.
        known: tf, target of the edges the ranking was trained on.
        reference: tf, target of the curated edges.
        controls: how many degree-matched controls; no p-value is below 1 / (controls + 1).
    """
    if controls < 1 or not tops or min(tops) < 1:
        raise ConfigError(
            f"{controls} controls and tops of {tops}: give at least one control, and tops of at "
            "least one edge."
        )
    candidates, report = _keep_candidates(ranked, known, reference)
    fitting = [top for top in tops if top <= len(candidates)]
    report["tops_beyond_the_candidates"] = [top for top in tops if top > len(candidates)]
    if len(fitting) < len(tops):
        logger.warning(
            "tops of %s are left out: there are %d candidates",
            report["tops_beyond_the_candidates"],
            len(candidates),
        )
    rows = [
        measure_top(candidates, top, np.random.default_rng([seed, top]), controls=controls)
        for top in fitting
    ]
    return Support(rows, report)


def measure_top(
    candidates: pd.DataFrame, top: int, rng: np.random.Generator, *, controls: int
) -> dict:
    """One row: the supported edges among the first `top` candidates, and in their controls.

    `enrichment` is `supported` over `expected`, the mean of the controls, with a 95 % interval
    from resampling TFs; 95 % of the controls lie from `expected_low` to `expected_high`. `p_value`
    is the share of controls with at least as much support, the top itself counted among them.
    `kept` is the mean share of the top in a control: at 1 the degrees leave no other pairing, and
    the comparison is void. `uniform_enrichment` compares with all candidates, where base
    rates do count. `ties_left_out` are candidates just as important as the last of the top. None
    stands for a ratio without a denominator.
    """
    chosen, allowed, listed = _tabulate_top(candidates, top)
    by_tf, kept = np.zeros((controls, len(chosen)), int), 0
    for place, control in enumerate(draw_controls(chosen, allowed, rng, controls)):
        by_tf[place] = (control & listed).sum(axis=1)
        kept += (control & chosen).sum()
    supported_by_tf = (chosen & listed).sum(axis=1)
    counts, supported = by_tf.sum(axis=1), int(supported_by_tf.sum())
    low, high = _resample_ratio(supported_by_tf, by_tf.mean(axis=0), rng)
    importance = candidates["importance"].to_numpy()
    uniform = candidates["listed"].mean()
    return {
        "top": top,
        "tfs": len(chosen),
        "targets": chosen.shape[1],
        "ties_left_out": int((importance[top:] == importance[top - 1]).sum()),
        "supported": supported,
        "precision": supported / top,
        "uniform_precision": float(uniform),
        "uniform_enrichment": _ratio(supported / top, uniform),
        "expected": float(counts.mean()),
        "expected_low": float(np.quantile(counts, 0.025)),
        "expected_high": float(np.quantile(counts, 0.975)),
        "enrichment": _ratio(supported, counts.mean()),
        "enrichment_low": low,
        "enrichment_high": high,
        "p_value": float((1 + (counts >= supported).sum()) / (1 + controls)),
        "kept": float(kept / controls / top),
        "controls": controls,
    }


def draw_controls(
    chosen: Choice, allowed: Choice, rng: np.random.Generator, controls: int
) -> Iterator[Choice]:
    """Other choices among the allowed pairs with as many edges for every TF and every target.

    All start from one hub that is itself reached from the choice, so that the choice and its
    controls are exchangeable and a p-value holds however well the trades have mixed (Besag and
    Clifford 1989, the parallel method).
    """
    hub = trade_targets(np.where(allowed, chosen, -1), rng, ROUNDS)
    for _ in range(controls):
        yield trade_targets(hub, rng, ROUNDS) == 1


def _keep_candidates(
    ranked: pd.DataFrame, known: pd.DataFrame, reference: pd.DataFrame
) -> tuple[pd.DataFrame, dict]:
    """The new pairs the reference could list, best first, with `listed`; and what was left out."""
    pairs = _read_pairs(ranked, "ranking", ("tf", "target", "importance"))
    known, reference = _read_pairs(known, "known"), _read_pairs(reference, "reference")
    bad = int((~np.isfinite(pairs["importance"].astype(np.float64))).sum())
    if bad:
        raise NonFiniteError(
            f"{bad:,} of {len(pairs):,} importances are NaN or infinite; give every pair a number."
        )
    pairs = pairs.sort_values("importance", ascending=False, kind="stable")
    report: dict[str, Any] = {"ranked": len(pairs)}

    def drop(wrong: pd.Series, what: str) -> pd.DataFrame:
        report[what] = int(wrong.sum())
        return pairs[~wrong]

    pairs = drop(pairs["tf"] == pairs["target"], "self_loops")
    pairs = drop(pairs.duplicated(["tf", "target"]), "repeated_pairs")
    pairs = drop(_is_among(pairs, known), "known")
    for role in ("tf", "target"):
        is_unknown = ~pairs[role].isin(reference[role])
        names = sorted(pairs[role][is_unknown].unique())
        report[f"{role}s_unknown_to_the_reference"] = {"count": len(names), "first": names[:SHOWN]}
        pairs = drop(is_unknown, f"pairs_of_unknown_{role}s")
    if pairs.empty:
        raise GeneMismatchError(
            f"None of {report['ranked']:,} ranked pairs is new and between a TF and a target of "
            f"the reference: the ranking has {_name_some(ranked)}, the reference "
            f"{_name_some(reference)}. Use the same kind of gene names."
        )
    pairs = pairs.assign(listed=_is_among(pairs, reference)).reset_index(drop=True)
    known = known.drop_duplicates(["tf", "target"])
    testable = known["tf"].isin(reference["tf"]) & known["target"].isin(reference["target"])
    report |= {
        "candidates": len(pairs),
        "candidates_listed": int(pairs["listed"].sum()),
        "known_edges": len(known),
        "known_edges_the_reference_could_list": int(testable.sum()),
        "known_edges_listed": int(_is_among(known, reference).sum()),
    }
    logger.info(
        "%d of %d ranked pairs are new and between genes of the reference, which lists %d of them; "
        "it lists %d of %d known edges",
        report["candidates"],
        report["ranked"],
        report["candidates_listed"],
        report["known_edges_listed"],
        report["known_edges"],
    )
    return pairs, report


def _read_pairs(
    frame: pd.DataFrame, what: str, columns: tuple[str, ...] = ("tf", "target")
) -> pd.DataFrame:
    """These columns of the frame, names in upper case."""
    missing = [name for name in columns if name not in frame]
    if missing:
        raise EdgeFormatError(
            f"{what}: no column {' or '.join(missing)} among {', '.join(map(str, frame.columns))}."
        )
    upper = {role: frame[role].astype(str).str.upper() for role in ("tf", "target")}
    return frame[list(columns)].assign(**upper)


def _is_among(pairs: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
    """Mask of the pairs that are among the others."""
    both = ["tf", "target"]
    return pd.MultiIndex.from_frame(pairs[both]).isin(pd.MultiIndex.from_frame(others[both]))


def _name_some(pairs: pd.DataFrame) -> str:
    return ", ".join(f"{tf}-{target}" for tf, target in pairs[["tf", "target"]].head(2).to_numpy())


def _tabulate_top(candidates: pd.DataFrame, top: int) -> tuple[Choice, Choice, Choice]:
    """Over the TFs and targets of the top: its pairs, all candidates, and those that are listed."""
    best = candidates.iloc[:top]
    row, tfs = pd.factorize(best["tf"])
    column, targets = pd.factorize(best["target"])
    chosen, allowed, listed = np.zeros((3, len(tfs), len(targets)), bool)
    chosen[row, column] = True

    here = candidates["tf"].isin(tfs) & candidates["target"].isin(targets)
    rest = candidates[here]
    cells = pd.Index(tfs).get_indexer(rest["tf"]), pd.Index(targets).get_indexer(rest["target"])
    allowed[cells] = True
    listed[cells] = rest["listed"]
    return chosen, allowed, listed


def _resample_ratio(
    supported: Int[np.ndarray, " tf"], expected: np.ndarray, rng: np.random.Generator
) -> tuple[float | None, float | None]:
    """The 95 % interval of sum(supported) / sum(expected) over resampled TFs; None if open."""
    tfs = len(supported)
    weights = rng.multinomial(tfs, np.full(tfs, 1 / tfs), size=RESAMPLES)  # [resample, tf]
    above, below = weights @ supported, weights @ expected
    if not (below > 0).all():
        return None, None
    low, high = np.quantile(above / below, (0.025, 0.975))
    return float(low), float(high)


def _ratio(above: float, below: float) -> float | None:
    return float(above / below) if below > 0 else None
