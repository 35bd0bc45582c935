"""What TFs reached whose ranking rests on as much, written for `infer` to tell.

Run:     python -m experiments.compendium.classes
Cost:    seconds; the rows are those of experiments/compendium/scorer.py
Expect:  grnjax/shipped/compendium-classes.json, and the same again

By each row that ranks, for TFs with lists in one, two or more other cell types, with a motif alone
and with nothing: the mean within-TF AUROC over networks of lines left out, with the interval over
resampled networks, and the mean swap concordance of the lines that have two TFs of the group, each
line by its networks.
"""

from pathlib import Path

import numpy as np

from experiments.compendium.scorer import CALIBRATION, LOOK_UP, NETWORKS, SCORER
from experiments.shared.record import read_rows
from grnjax.methods.compendium.classes import MEASURED
from grnjax.storage.files import write_json

TARGET = Path(__file__).parents[2] / "grnjax" / "shipped" / MEASURED
SAMPLES = 2000


def summarise() -> dict[str, dict[str, dict]]:
    """The figures of each group by the row that ranked it (`Figures`)."""
    found: dict[str, dict[str, dict]] = {}
    for method in (LOOK_UP, SCORER):
        networks = read_rows(NETWORKS, method=method)
        lines = read_rows(CALIBRATION, method=method)
        found[method] = {
            group: describe(
                np.array([row["auroc"] for row in networks if row["group"] == group]),
                [row for row in lines if row["split"] == group and row.get("swap") is not None],
            )
            for group in sorted({row["group"] for row in networks})
        }
    return found


def describe(aurocs: np.ndarray, lines: list[dict]) -> dict:
    """The figures of a group."""
    drawn = np.random.default_rng(0).integers(len(aurocs), size=(SAMPLES, len(aurocs)))
    low, high = np.quantile(aurocs[drawn].mean(axis=1), [0.025, 0.975])
    weights = [row["networks"] for row in lines]
    swap = np.average([row["swap"] for row in lines], weights=weights) if lines else None
    return {
        "within_tf_auroc": round(float(aurocs.mean()), 4),
        "within_tf_auroc_low": round(float(low), 4),
        "within_tf_auroc_high": round(float(high), 4),
        "swap": None if swap is None else round(float(swap), 4),
        "networks": len(aurocs),
    }


if __name__ == "__main__":
    write_json(TARGET, summarise())
