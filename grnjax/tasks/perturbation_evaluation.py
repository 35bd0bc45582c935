"""A network judged by perturbed cells: a judge that needs no ChIP-seq.

A push of each perturbed TF is propagated over the network (`graphs.propagation`), and compared with
what was measured when that gene was perturbed, over all genes but itself. The mean change of each
gene over all perturbations is taken out first, as it says nothing of one TF. Whether a network
knows more than how many targets a TF and how many TFs a target has, is told by rewired ones of the
same degrees and weights: p is the share of them, with the network itself, that do as well.
"""

import dataclasses
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float

from grnjax.baselines.network_effects import (
    choose_signs,
    place_network,
    rewire_weights,
    sign_weights,
)
from grnjax.config import Count, Positive, Settings, Share
from grnjax.data.edges import take_network
from grnjax.data.names import list_names
from grnjax.data.perturbed_bulk import read_source
from grnjax.data.perturbed_cells import (
    PerturbedCells,
    Profiles,
    average_conditions,
    list_perturbed,
)
from grnjax.errors import GeneMismatchError
from grnjax.evaluation.perturbation_figures import correlate_rows
from grnjax.graphs.propagation import propagate
from grnjax.progress import ProgressBar, logger

EDGES_A_GENE = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerturbationJudgeConfig(Settings):
    """How a network is judged by perturbed cells."""

    damping: Share = 0.5
    """What is left of an effect after one edge."""
    top: Count = 0
    """Strongest edges of the network that are taken; 0: ten a gene at most."""
    rewirings: Positive = 200
    """Rewired networks of the same degrees; p can be 1 / (this + 1) at least."""
    seed: Count = 0
    """Of the rewirings."""


@dataclasses.dataclass(frozen=True, eq=False)
class PerturbationEvaluation:
    """How well a network predicts what perturbations did; printed, it is a few lines."""

    perturbations: pd.DataFrame  # perturbed, targets, correlation, rewired: mean of rewired ones
    correlation: float  # mean over perturbations
    rewired: Float[np.ndarray, " rewiring"]  # the same of each rewired network
    report: dict

    @property
    def p_value(self) -> float:
        """Share of the rewired networks, with this one, that do at least as well."""
        return float((1 + np.sum(self.rewired >= self.correlation)) / (1 + len(self.rewired)))

    def summarise(self) -> dict:
        """The figures for a record."""
        low, high = np.percentile(self.rewired, [2.5, 97.5])
        return {
            "correlation": self.correlation,
            "rewired_mean": float(self.rewired.mean()),
            "rewired_low": float(low),
            "rewired_high": float(high),
            "p_value": self.p_value,
            "perturbations": len(self.perturbations),
            **self.report,
        }

    def __str__(self) -> str:
        found = self.summarise()
        return (
            f"Predicted and measured change, {found['perturbations']:,} perturbed TFs of "
            f"{found['edges']:,} edges ({found['signs']}):\n"
            f"  correlation          {found['correlation']:.3f}\n"
            f"  same degrees rewired {found['rewired_mean']:.3f} "
            f"({found['rewired_low']:.3f} to {found['rewired_high']:.3f})\n"
            f"  p                    {found['p_value']:.4f}"
        )


def evaluate_by_perturbations(
    edges: pd.DataFrame | str | Path,
    perturbed: PerturbedCells | str | Path,
    config: PerturbationJudgeConfig = PerturbationJudgeConfig(),
    *,
    weight_column: str | None = None,
) -> PerturbationEvaluation:
    """How much better than rewired ones a network predicts the changes of perturbed cells.

    Signs come from the network where it has any; else from the correlation over control cells
    where there are enough; else sizes of change are compared.

    Args:
        edges: as for `evaluation.evaluate`; without weights all count the same.
        perturbed: cells, or an .h5ad file of them, or `dream4-N`.
        weight_column: heading of the weights of `edges`.

    Raises:
        GeneMismatchError: no perturbed gene is a TF of the network.
    """
    network, source = take_network(edges, "edges", weight_column=weight_column)
    cells = perturbed if isinstance(perturbed, PerturbedCells) else read_source(str(perturbed))
    profiles = average_conditions(cells)
    top = config.top or EDGES_A_GENE * len(cells.genes)
    table, tfs = place_network(network, cells.genes, top)
    of_pairs, signs = choose_signs(table, tfs, network, cells.expression[cells.controls])
    table = sign_weights(table, of_pairs)
    rows, at = find_singles(profiles, tfs, source)
    change = profiles.changes - profiles.changes.mean(axis=0)
    change, own = change[rows], tfs[at]
    push = np.sign(change[np.arange(len(rows)), own])
    measured = np.abs(change) if signs == "unsigned" else change * push[:, None]

    def judge(weights: np.ndarray) -> Float[np.ndarray, " perturbation"]:
        moved = np.array(propagate(jnp.asarray(weights), jnp.asarray(tfs), config.damping))
        centred = moved - moved[np.unique(at)].mean(axis=0) if signs != "unsigned" else moved
        return correlate_rows(*drop_own(centred[at], measured, own))

    found = judge(table)
    rewired = []
    with ProgressBar(config.rewirings, "rewired networks", unit="network") as bar:
        for number in range(config.rewirings):
            seed = config.seed * 100_003 + number
            rewired.append(judge(sign_weights(rewire_weights(table, tfs, seed=seed), of_pairs)))
            bar.update()
    of_all = np.array(rewired)
    perturbations = pd.DataFrame(
        {
            "perturbed": cells.genes[own],
            "targets": (table[at] != 0).sum(axis=1),
            "correlation": found,
            "rewired": of_all.mean(axis=0),
        }
    )
    report = {"edges": int((table != 0).sum()), "signs": signs, "source": source}
    return PerturbationEvaluation(perturbations, float(found.mean()), of_all.mean(axis=1), report)


def find_singles(profiles: Profiles, tfs: np.ndarray, source: str) -> tuple[np.ndarray, np.ndarray]:
    """The rows of single perturbations of TFs of the network, and the TFs' places among them."""
    place = {str(profiles.genes[tf]): at for at, tf in enumerate(tfs)}
    singles = {
        row: list_perturbed(name)[0]
        for row, name in enumerate(profiles.conditions)
        if len(list_perturbed(name)) == 1
    }
    rows = [row for row, gene in singles.items() if gene in place]
    if len(rows) < 2:
        raise GeneMismatchError(
            f"{source}: {len(rows)} of the {len(singles):,} genes that were perturbed alone "
            f"({list_names(singles.values())}) are TFs of its {len(tfs):,} with targets here; "
            "at least two are needed to tell one perturbation from another."
        )
    logger.info(f"{len(rows):,} of {len(singles):,} perturbed genes are TFs of the network")
    return np.array(rows), np.array([place[singles[row]] for row in rows])


def drop_own(
    predicted: np.ndarray, measured: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Both without the perturbed gene of each row, [row, gene - 1]."""
    keep = np.ones(predicted.shape, bool)
    keep[np.arange(len(own)), own] = False
    shape = len(own), -1
    return predicted[keep].reshape(shape), measured[keep].reshape(shape)
