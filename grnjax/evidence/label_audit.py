"""Do two networks share experiments? How far their labels of the same genes agree, TF by TF.

ChIP networks of one species are often built from one collection. In BEELINE's, the labels of CBX7
in mESC and mHSC-E agree with a phi of .90 (TFs+500), and those of BRCA1 in hHEP with those of KLF5
in hESC with .92: 18 targets of 21 and of 18. What a model says of such a TF is a copy.
"""

import numpy as np
from jaxtyping import Float

from grnjax.data.label_matrix import LabelMatrix
from grnjax.data.names import list_names
from grnjax.progress import logger

SAME_EXPERIMENT = 0.8  # labels that agree with a larger phi are taken to share their experiment
FEWEST_IN_COMMON = 5  # of two TFs by different names; fewer common targets are soon a coincidence


def audit_labels(source: LabelMatrix, target: LabelMatrix, names: np.ndarray) -> list[dict]:
    """For each TF of the target, the phi of its labels with those of the source's TFs.

    `phi` is that with the same TF, None where the source has no labels of it or one of the two is
    constant. `overlap` is the share of the shorter target list that the longer one has, too: near
    1 where one list is the other under a stricter threshold, whatever phi says. `nearest_phi` is
    the largest with any TF of the source, `nearest_tf`: one experiment may stand under two names.
    TFs beyond `SAME_EXPERIMENT` are named in a warning.

    Args:
        names: of the genes that both matrices have for columns.
    """
    agreement = measure_agreement(source, target)
    overlap, by_chance = measure_overlap(source, target)
    in_common = target.labels @ source.labels.T
    place = {tf: row for row, tf in enumerate(source.tfs.tolist())}
    rows = []
    for row, tf in enumerate(target.tfs.tolist()):
        of_tf, same = agreement[row], place.get(tf)
        nearest = int(np.nan_to_num(of_tf, nan=-2).argmax())
        rows.append(
            {
                "tf": str(names[tf]),
                "is_shared": same is not None,
                "phi": None if same is None else as_number(of_tf[same]),
                "overlap": None if same is None else as_number(overlap[row, same]),
                "overlap_by_chance": None if same is None else as_number(by_chance[row, same]),
                "nearest_tf": str(names[source.tfs[nearest]]),
                "nearest_phi": as_number(of_tf[nearest]),
                "nearest_common_targets": int(in_common[row, nearest]),
            }
        )
    warn_of_copies(rows)
    return rows


def measure_agreement(source: LabelMatrix, target: LabelMatrix) -> Float[np.ndarray, "tf2 tf"]:
    """Phi, the correlation of 0/1 labels, of each target TF with each source TF.

    Over the genes that both sets pair with these TFs; NaN where one of the two is constant there.
    """
    pairs, both, of_target, of_source = count_shared(source, target)
    spread = of_target * (pairs - of_target) * of_source * (pairs - of_source)
    covariance = pairs * both - of_target * of_source
    return np.where(spread > 0, covariance / np.sqrt(np.maximum(spread, 1)), np.nan)


def measure_overlap(source: LabelMatrix, target: LabelMatrix) -> tuple[np.ndarray, np.ndarray]:
    """Shares [tf2, tf] of the shorter of two target lists in the longer, found and by chance."""
    pairs, both, of_target, of_source = count_shared(source, target)
    shorter, longer = np.minimum(of_target, of_source), np.maximum(of_target, of_source)
    found = np.where(shorter > 0, both / np.maximum(shorter, 1), np.nan)
    return found, np.where(shorter > 0, longer / np.maximum(pairs, 1), np.nan)


def count_shared(source: LabelMatrix, target: LabelMatrix) -> tuple[np.ndarray, ...]:
    """Counts [tf2, tf] over the genes both sets pair: all, targets of both, of each of the two."""
    return (
        target.observed @ source.observed.T,
        target.labels @ source.labels.T,
        target.labels @ source.observed.T,
        target.observed @ source.labels.T,
    )


def as_number(value: float) -> float | None:
    """The number for a results row; None where it is not defined."""
    return None if np.isnan(value) else float(value)


def warn_of_copies(rows: list[dict]) -> None:
    """Names the TFs whose labels agree with those of their own or of another TF of the source."""
    same = [f"{row['tf']} ({row['phi']:.2f})" for row in rows if is_copy(row["phi"])]
    other = [
        f"{row['tf']} ({row['nearest_tf']} {row['nearest_phi']:.2f})"
        for row in rows
        if row["nearest_tf"] != row["tf"]
        and row["nearest_common_targets"] >= FEWEST_IN_COMMON
        and is_copy(row["nearest_phi"])
    ]
    for suspects, whose in ((same, "the same TF"), (other, "another TF")):
        if suspects:
            logger.warning(
                f"labels of {len(suspects):,} TFs agree with the source's of {whose} beyond a phi "
                f"of {SAME_EXPERIMENT}, as from one experiment: {list_names(suspects)}"
            )


def is_copy(phi: float | None) -> bool:
    """Whether labels agree beyond what two experiments do."""
    return phi is not None and phi > SAME_EXPERIMENT
