"""What five repeats of cross-fitting buy over fewer: quality of the mean of some of them.

Run:     python -m experiments.kernel_factor.fewer_fits
Cost:    ten to fifteen seconds of CPU a fit, and there are 25 a set
Expect:  the table "less work" of this folder's page

`grnjax infer` fits every fold so many times, each time with other validation pairs and another
start, and ranks by the mean logit. All repeats of a set are fitted once. A row of `2 repeats` is a
fold judged by the mean of two of them that follow each other, averaged over where they begin, so
that rows of any number of repeats rest on the same fits.
"""

import dataclasses

import numpy as np

from experiments.kernel_factor.large_scale import FIGURES, LargeScaleStudy, fit_folds, load_all
from experiments.shared.studies import begin, run_program
from grnjax.config import AtLeastTwo, Count, Positive
from grnjax.data.candidates import list_candidates
from grnjax.methods.kernel_factor.method import KernelFactorMethod
from grnjax.progress import logger
from grnjax.tasks.cross_fitting import assign_folds
from grnjax.tasks.judging import judge_folds
from grnjax.tasks.network_inference import InferenceConfig
from grnjax.types import Dataset

STUDY = "kernel_factor_fewer_fits"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FewerFitsStudy(LargeScaleStudy):
    """What is fitted."""

    sets: tuple[str, ...] = tuple(
        f"Specific/{cell}/TFs+500" for cell in ("mDC", "hESC", "mESC", "hHEP", "mHSC-E")
    )
    networks: Count = 3
    repeats: Positive = 5
    folds: AtLeastTwo = 5


def main() -> None:
    """Fits the sets that have no rows yet."""
    study, results = begin(FewerFitsStudy, STUDY)
    for name, dataset in load_all(study):
        if not results.has(set=name):
            results.add(measure(dataset, study), set=name, split="cross-fitted")
        logger.info("%s: done", name)


def measure(dataset: Dataset, study: FewerFitsStudy) -> list[dict]:
    """A row for each number of repeats and each fold."""
    config = InferenceConfig(repeats=study.repeats, folds=study.folds)
    method, candidates = KernelFactorMethod(), list_candidates(dataset)
    folds = list(assign_folds(candidates, config, 0))
    logits = fit_folds(dataset, method, candidates, folds)
    assert isinstance(logits, np.ndarray)
    means = logits.reshape(study.repeats, -1, len(candidates)).mean(axis=1)
    rows = []
    for count in range(1, study.repeats + 1):
        starts = range(study.repeats if count < study.repeats else 1)
        scores = {
            str(start): np.roll(means, -start, axis=0)[:count].mean(axis=0) for start in starts
        }
        judged = judge_folds(candidates, scores, folds)
        for fold in range(study.folds):
            here = [row for row in judged if row["draw"] == fold]
            figures = {name: float(np.mean([row[name] for row in here])) for name in FIGURES}
            rows.append({"method": f"{count} repeats", "draw": fold, "seed": 0, **figures})
    return rows


if __name__ == "__main__":
    run_program(main)
