"""A diffusion model's matrix as a ranking: which TFs help to take the noise off a target.

By the published idea of RegDiffusion (Zhu and Slonim 2024, J. Comput. Biol. 31:1087); the model is
`models/regdiffusion.py`. Only TFs have rows in the matrix, where RegDiffusion has all genes.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import numpy as np
from jax.sharding import Mesh

from grnjax.data.expression_features import find_varying, standardise
from grnjax.methods.expression_only import ExpressionOnlyMethod, MatrixScorer, mark
from grnjax.methods.method import Problem
from grnjax.models.regdiffusion import DenoiserConfig
from grnjax.training.denoising import CellData, DenoisingConfig, DenoisingObjective
from grnjax.training.loop import make_trainer
from grnjax.training.recorder import FitRecorder
from grnjax.types import Part


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegDiffusionMethod(ExpressionOnlyMethod):
    """Sizes of the entries of the matrix through which cells are denoised."""

    PAPER: ClassVar[str] = "Zhu and Slonim 2024, J. Comput. Biol. 31:1087"
    SCORE: ClassVar[Callable]  # is not used: all targets are fitted together

    model: DenoiserConfig = DenoiserConfig()
    training: DenoisingConfig = DenoisingConfig()

    @property
    def engine(self):
        """How the denoiser is trained."""
        return self.training

    def fit_all(
        self,
        problem: Problem,
        parts: Sequence[Part],
        recorder: FitRecorder,
        *,
        mesh: Mesh | None = None,
    ) -> Iterator[MatrixScorer]:
        """The same scorer for each part, of one fit that sees no label."""
        del mesh  # there is one fit, of one device
        genes = dataclasses.replace(problem.dataset.genes, is_tf=mark(problem))
        varying = np.flatnonzero(find_varying(genes))
        tfs = np.flatnonzero(genes.is_tf[varying])
        cells = standardise(genes.expression[:, varying])
        data = CellData(cells, tfs.astype(np.int32))
        trainer = make_trainer(DenoisingObjective(self.model, self.training))
        name = parts[0].name  # which tells a control's fit from that of the model
        with contextlib.ExitStack() as stack:
            if not recorder.epochs:  # `infer` has none for methods without labels
                name = self.name()
                own = FitRecorder(problem.folder, 1, self.training.epochs, f"fitting {name}")
                recorder = stack.enter_context(own)
            result = recorder.fit(trainer, data, name=name, seed=problem.seed)
        found = np.abs(np.asarray(result.variables["params"]["adjacency"]))
        found = np.where(tfs[:, None] == np.arange(len(varying)), 0, found)
        scores = np.zeros((len(problem.tfs), len(genes.names)), np.float32)
        rows = np.searchsorted(problem.tfs, varying[tfs])
        scores[np.ix_(rows, varying)] = found
        for _ in parts:
            yield MatrixScorer(scores, problem.tfs)
