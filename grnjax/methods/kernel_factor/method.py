"""The kernel-informed factor model as a method: a bank of evidence, a fit for each part.

Each fit is an ensemble of its own. Where the fits are cross-fitted, all learn from the same TFs.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from grnjax.data.label_matrix import places_of
from grnjax.errors import ConfigError
from grnjax.methods.controls import permute_sources, rewire
from grnjax.methods.kernel_factor.bank import FeatureBank, build_bank
from grnjax.methods.kernel_factor.explanation import Explanation, explain_fit, measure_worth
from grnjax.methods.kernel_factor.fit import (
    KernelFactorFit,
    KernelFactorSettings,
    Learned,
    fit_kernel_factor,
)
from grnjax.methods.kernel_factor.other_features import give_features
from grnjax.methods.method import Control, Cost, MethodConfig, Problem, Scorer
from grnjax.models.nearest_genes import VALUES_AT_ONCE
from grnjax.training.recorder import FitRecorder, derive_seed
from grnjax.types import LabelledPairs, Part


@dataclasses.dataclass(frozen=True, kw_only=True)
class KernelFactorMethod(KernelFactorSettings, MethodConfig):
    """The kernel-informed factor model; one recipe for all splits."""

    PAPER: ClassVar[str] = "grnjax, this package (experiments/kernel_factor)"
    READS: ClassVar[frozenset[str]] = frozenset({"labels", "expression", "evidence"})
    GIVES: ClassVar[frozenset[str]] = frozenset({"probabilities", "terms"})
    TRAINS_ON_ALL_PAIRS: ClassVar[bool] = True
    READS_CELLS: ClassVar[bool] = False

    def estimate(self, tfs: int, genes: int, cells: int, fits: int) -> Cost:
        """By 400 and 1,880 genes, with the trivial rows beside them.

        Where pairs are many, by steps on blocks of 250,000 pairs, which took .07 s of CPU, by the
        peak of 2,000 genes x 300 TFs, and by a count of what is held at once.
        """
        pairs, kernel = tfs * genes, min(genes, self.most_genes) ** 2
        if self.is_large(tfs, genes):
            plan = self.blocks.plan(tfs, genes, self.training.steps, self.training.snapshots)
            fit = 3 + 2e-7 * plan.steps * plan.genes * tfs
            nearest, table = 1e-10 * genes**2 * cells, 4e-5 * min(pairs, 2e6)
            seconds = 60 + nearest + fits * fit + table
            return Cost(seconds, 1.3e9 + 14 * genes * cells + 130 * pairs)
        return Cost(20 + fits * (0.4 + 1.6e-6 * kernel) + 5e-4 * pairs, 6e8 + 1e3 * pairs)

    def stream_bytes(self, tfs: int, genes: int, cells: int) -> float:
        """Correlations of nearest genes, a block at a time, and of all genes for trivial rows."""
        return 28 * min(VALUES_AT_ONCE, genes**2) + 16 * genes**2 * (tfs * genes <= 1e6)

    def controls(self) -> Mapping[str, Control]:
        """All evidence permuted, and labels rewired."""
        return {"evidence-permuted": permute_sources, "labels-rewired": rewire}

    def check(self, problem: Problem) -> None:
        """Refuses a problem without any evidence."""
        super().check(problem)
        if not problem.evidence:
            raise ConfigError(
                "the kernel factor model needs expression or other evidence to learn from: give an "
                "expression file or --evidence, or take --method=scRegNet, which learns from known "
                "edges alone."
            )

    def check_transfer(self, problem: Problem) -> None:
        """Nothing is refused: `transfer` describes both data sets by what they can share."""

    def fit_all(
        self,
        problem: Problem,
        parts: Sequence[Part],
        recorder: FitRecorder,
        *,
        mesh: Mesh | None = None,
    ) -> Iterator["KernelFactorScorer"]:
        bank = build_bank(
            problem.evidence,
            problem.tfs,
            len(problem.dataset.genes.names),
            labelled=problem.trainable,
            most_genes=self.most_genes,
            most_pairs=self.blocks.above,
            most_coordinates=self.count_coordinates(len(problem.dataset.genes.names)),
            seed=derive_seed(problem.seed),
        )
        for part in parts:
            fit = fit_kernel_factor(
                bank,
                part.split.train,
                part.split.validation,
                self,
                seed=part.seed,
                disjoint=part.is_disjoint,
                recall=functools.partial(recorder.recall, part.name, describe=self.describe),
                mesh=mesh,
            )
            yield KernelFactorScorer(fit, bank)
            del fit  # what it holds of all pairs makes room for the next

    def describe(self, learned: Learned) -> list[dict]:
        """Lines for metrics.jsonl: the validation score of each snapshot."""
        best = int(learned.step)
        every = best // (int(np.argmax(learned.validation)) + 1)
        return [
            {"epoch": (place + 1) * every, "validation": float(score), "best_epoch": best}
            for place, score in enumerate(learned.validation)
        ]


@dataclasses.dataclass(frozen=True, eq=False)
class KernelFactorScorer(Scorer):
    """A fit with the bank that it rests on."""

    fit: KernelFactorFit
    bank: FeatureBank

    @functools.cached_property
    def member_logits(self) -> Float[np.ndarray, "member tf gene"]:
        """Logits of every pair by each member."""
        return self.fit.member_logits()

    @functools.cached_property
    def explanation(self) -> Explanation:
        """The logits taken apart."""
        return explain_fit(self.fit, self.bank)

    def logits(self, pairs: LabelledPairs) -> Float[np.ndarray, "member pair"]:
        """Logits by each member of the ensemble."""
        at = places_of(pairs, self.bank.tfs, self.bank.genes)
        return self.fit.logits_at(*at) if self.fit.is_large else self.member_logits[:, *at]

    def terms(self, pairs: LabelledPairs) -> dict[str, Float[np.ndarray, " pair"]]:
        """Base rates, identity, and a term for each source of evidence."""
        values = self.explanation.at(*places_of(pairs, self.bank.tfs, self.bank.genes))
        return dict(zip(self.explanation.names, values, strict=True))

    def worth(self, pairs: LabelledPairs, *, seed: int) -> list[dict]:
        """What AP and swap lose when a source is permuted (`measure_worth`)."""
        return measure_worth(self.explanation, self.fit, self.bank, pairs, seed=seed)

    def on(self, problem: Problem) -> "KernelFactorScorer":
        """The fit with the evidence of another data set; identities stay as learned."""
        return KernelFactorScorer(give_features(self.fit, self.bank, problem.evidence), self.bank)
