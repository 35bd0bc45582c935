"""What predicts perturbations without a deep model: averages, sums, neighbours, a linear model.

All are functions of the train conditions' changes; each returns the changes of other conditions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Genes = tuple[str, ...]
RIDGE = 0.1
PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 100.0)


class KnownChanges(NamedTuple):
    """What is learned from: changes of conditions against control."""

    perturbed: list[Genes]  # of each condition
    changes: Float[np.ndarray, "condition gene"]
    genes: np.ndarray  # [gene] str
    control: Float[np.ndarray, " gene"]  # mean of the control cells

    @property
    def shift(self) -> Float[np.ndarray, " gene"]:
        """The mean change."""
        return self.changes.mean(axis=0)

    def place(self) -> dict[str, int]:
        """The column of each gene."""
        return {str(name): at for at, name in enumerate(self.genes)}


def predict_no_change(known: KnownChanges, wanted: Sequence[Genes]) -> np.ndarray:
    """Zeros."""
    return np.zeros((len(wanted), len(known.genes)), np.float32)


def predict_shift(known: KnownChanges, wanted: Sequence[Genes]) -> np.ndarray:
    """The mean change of the train conditions, the same for all."""
    return np.tile(known.shift, (len(wanted), 1))


def learn_own_change(known: KnownChanges) -> tuple[float, float]:
    """What becomes of a perturbed gene itself: a multiple of its control mean, or a sum.

    Whichever of the two explains the train conditions better; the other is 0. A gene that is not
    measured says nothing.
    """
    place, levels, changes = known.place(), [], []
    for genes, change in zip(known.perturbed, known.changes, strict=True):
        for at in (place[gene] for gene in genes if gene in place):
            levels.append(known.control[at])
            changes.append(change[at])
    level, change = np.array(levels, np.float64), np.array(changes, np.float64)
    if not len(level):
        return 0.0, 0.0
    multiple = float(level @ change / max(level @ level, 1e-12))
    total = float(change.mean())
    is_multiple = np.sum((change - multiple * level) ** 2) <= np.sum((change - total) ** 2)
    return (multiple, 0.0) if is_multiple else (0.0, total)


def predict_own_gene(known: KnownChanges, wanted: Sequence[Genes]) -> np.ndarray:
    """The mean change, and that of the perturbed genes themselves as it mostly was."""
    found, place = predict_shift(known, wanted), known.place()
    multiple, total = learn_own_change(known)
    for row, genes in enumerate(wanted):
        for at in (place[gene] for gene in genes if gene in place):
            found[row, at] = multiple * known.control[at] + total
    return found


def predict_sum(known: KnownChanges, wanted: Sequence[Genes]) -> np.ndarray:
    """The sum of the changes of single perturbations; the mean single one for genes without."""
    singles = {g[0]: x for g, x in zip(known.perturbed, known.changes, strict=True) if len(g) == 1}
    usual = np.mean([*singles.values()], axis=0) if singles else known.shift
    return np.array([sum(singles.get(gene, usual) for gene in genes) for genes in wanted])


def predict_nearest(
    known: KnownChanges,
    wanted: Sequence[Genes],
    likeness: Float[np.ndarray, "wanted condition"],
) -> np.ndarray:
    """The change of the most alike train condition, the mean of equal ones; else the mean change.

    Args:
        likeness: of each wanted condition to each known one, 0 for none.
    """
    found = predict_shift(known, wanted)
    for row, alike in enumerate(likeness):
        if alike.max(initial=0) > 0:
            found[row] = known.changes[alike == alike.max()].mean(axis=0)
    return found


def predict_linear(
    known: KnownChanges,
    wanted: Sequence[Genes],
    *,
    vectors: Float[np.ndarray, "gene dim"] | None = None,
    components: int = 10,
) -> np.ndarray:
    """The linear model of Ahlmann-Eltze et al. 2025 (Nature Methods), Y = G W P' + mean change.

    G holds vectors of the genes that are read, P those of the genes that are perturbed, a double
    the sum of its two; W is a ridge solution in closed form. G are principal components of the
    train changes; so is P, unless `vectors` of all genes are given.
    """
    shift, place = known.shift, known.place()
    centred = (known.changes - shift).T.astype(np.float64)  # [gene, condition]
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    kept = min(components, int((size > 1e-9 * size.max(initial=1)).sum()))
    read = left[:, :kept]
    table = read if vectors is None else standardise(vectors.astype(np.float64))

    def stack(conditions: Sequence[Genes]) -> np.ndarray:
        at = [[place[gene] for gene in genes if gene in place] for genes in conditions]
        return np.array([table[own].sum(axis=0) for own in at])

    p, q = stack(known.perturbed), stack(wanted)
    scale = np.sqrt(np.mean(np.sum(p**2, axis=1))) or 1.0
    p, q = p / scale, q / scale
    inner = read.T @ centred @ p @ np.linalg.inv(p.T @ p + RIDGE * np.eye(p.shape[1]))
    return shift + q @ (np.linalg.inv(read.T @ read + RIDGE * np.eye(kept)) @ inner).T @ read.T


def standardise(vectors: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and deviation 1; zeros where one does not vary."""
    spread = vectors.std(axis=0)
    return (vectors - vectors.mean(axis=0)) / np.where(spread > 0, spread, np.inf)


def predict_own_and_genes(known: KnownChanges, wanted: Sequence[Genes]) -> np.ndarray:
    """`predict_own_gene`, and what each perturbed gene adds to it (`add_genes`)."""
    told, asked = (predict_own_gene(known, x) for x in (known.perturbed, wanted))
    return add_genes(known, wanted, told, asked)


def predict_by_network(
    known: KnownChanges,
    wanted: Sequence[Genes],
    effects: Float[np.ndarray, "tf gene"],
    tfs: Sequence[str],
) -> np.ndarray:
    """`predict_own_and_genes` from what is propagated over a network, too.

    How much of that, is the least-squares fit on the train conditions, and 0 where it is negative:
    a network whose signs are wrong says nothing.

    Args:
        effects: of a unit push of each TF (`graphs.propagation`).
    """
    multiple, total = learn_own_change(known)
    row_of, place = {name: at for at, name in enumerate(tfs)}, known.place()

    def spread(conditions: Sequence[Genes]) -> np.ndarray:
        pushes = np.zeros((len(conditions), len(tfs)))
        for row, genes in enumerate(conditions):
            for gene in genes:
                if gene in row_of and gene in place:
                    pushes[row, row_of[gene]] = multiple * known.control[place[gene]] + total
        moved = pushes @ effects
        for row, genes in enumerate(conditions):
            moved[row, [place[gene] for gene in genes if gene in place]] = 0
        return moved

    told, moved = predict_own_gene(known, known.perturbed), spread(known.perturbed)
    typical = moved.mean(axis=0)  # the mean change holds that already
    moved = moved - typical
    scale = float(np.sum(moved * (known.changes - told)) / max(np.sum(moved**2), 1e-12))
    scale = max(scale, 0.0)
    asked = predict_own_gene(known, wanted) + scale * (spread(wanted) - typical)
    return add_genes(known, wanted, told + scale * moved, asked)


def add_genes(
    known: KnownChanges,
    wanted: Sequence[Genes],
    told: Float[np.ndarray, "condition gene"],
    asked: Float[np.ndarray, "wanted gene"],
) -> Float[np.ndarray, "wanted gene"]:
    """`asked`, and for each perturbed gene what the train conditions with it hold beyond `told`.

    Ridge regression of what `told` leaves on which genes were perturbed, singles and doubles alike;
    its penalty is the one with the least squared error when each condition is left out.
    """
    genes = sorted({gene for condition in known.perturbed for gene in condition})
    place = {gene: at for at, gene in enumerate(genes)}

    def mark(conditions: Sequence[Genes]) -> np.ndarray:
        found = np.zeros((len(conditions), len(genes)))
        for row, condition in enumerate(conditions):
            found[row, [place[gene] for gene in condition if gene in place]] = 1
        return found

    x, left = mark(known.perturbed), known.changes - told
    best, chosen = np.inf, np.zeros((len(genes), left.shape[1]))
    for penalty in PENALTIES:
        inverse = np.linalg.inv(x.T @ x + penalty * np.eye(len(genes))) @ x.T
        lever = np.sum(x * inverse.T, axis=1, keepdims=True)
        weights = inverse @ left
        error = np.sum(((left - x @ weights) / (1 - lever)) ** 2)
        if error < best:
            best, chosen = error, weights
    return asked + mark(wanted) @ chosen
