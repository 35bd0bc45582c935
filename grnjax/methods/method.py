"""What a method is: settings that fit parts of a problem, each to a scorer of TF-target pairs.

A task (`grnjax.tasks`) builds a `Problem`, asks the method's config to fit its parts, and judges
what the scorers say of pairs. It knows no method, and a method knows no task. A new method is one
file with a `MethodConfig` in it, and a line in `NAMED`, or `--method=package.module:Class`.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Int

from grnjax.config import Settings
from grnjax.errors import ConfigError
from grnjax.evidence.types import Evidence
from grnjax.graphs.walks import InferredNetwork
from grnjax.training.pair_objective import TrainingConfig
from grnjax.training.recorder import FitRecorder
from grnjax.types import Dataset, LabelledPairs, Part

Control = Callable[["Problem", int], "Problem"]
"""A control: the problem with inputs permuted, or labels rewired, by random numbers of a seed."""

FLAGS = {
    "evidence": "--evidence",
    "embedding": "--data.embedding",
    "networks": "--walk-on",
}


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """All that a method may know; built once a run."""

    dataset: Dataset
    parts: Sequence[Part]  # every fit of the run, also those that are asked for elsewhere
    tfs: Int[np.ndarray, " tf"]  # gene indices of the TFs whose pairs are scored, ascending
    trainable: Int[np.ndarray, " tf"]  # those of them that have known targets
    evidence: Sequence[Evidence] = ()  # in the order of the data set's genes and of `tfs`
    embedding: Float[np.ndarray, "gene dim"] | None = None  # frozen gene vectors
    networks: Mapping[str, InferredNetwork] = dataclasses.field(default_factory=dict)
    seed: int = 0  # of what is drawn once for all parts
    folder: Path | None = None  # keeps what is made once for all parts
    prepared: Any = None  # what the method made of it (`MethodConfig.prepare`)

    @property
    def embedded(self) -> Bool[np.ndarray, " gene"]:
        """Which genes have a frozen vector; the others have zeros."""
        if self.embedding is None:
            return np.zeros(len(self.dataset.genes.names), bool)
        return np.any(self.embedding, axis=1)


class Cost(NamedTuple):
    """What a run takes, by measurements on two cores (experiments/bench)."""

    seconds: float
    bytes: float


class Scorer:
    """One fit; a subclass has `logits`, and the rest where it can."""

    def logits(self, pairs: LabelledPairs) -> Float[np.ndarray, "member pair"]:
        """The logit of each pair by each member of the fit; labels are not looked at."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it scores pairs")

    def scores(self, pairs: LabelledPairs) -> Float[np.ndarray, " pair"]:
        """The mean logit over members."""
        return self.logits(pairs).mean(axis=0)

    def terms(self, pairs: LabelledPairs) -> dict[str, Float[np.ndarray, " pair"]]:
        """Terms that the mean logit is the sum of; empty unless the method explains."""
        return {}

    def worth(self, pairs: LabelledPairs, *, seed: int) -> list[dict]:
        """What each source of evidence adds on labelled pairs; empty unless it explains."""
        return []

    def tables(self) -> dict[str, pd.DataFrame]:
        """What else was found, such as regulons: tables that `infer` writes as NAME.tsv."""
        return {}

    def report(self) -> dict:
        """What was counted and dropped on the way, for run.json."""
        return {}

    def columns(self, edges: pd.DataFrame) -> Mapping[str, np.ndarray]:
        """More columns of ranked edges, or others in the place of theirs, in their order."""
        return {}

    def importances(self, scores: Float[np.ndarray, "tf gene"]) -> Float[np.ndarray, "tf gene"]:
        """Scores of all pairs on the scale of the importance that `columns` gives those listed."""
        return scores

    def check_labels(self, dataset: Dataset) -> None:
        """Refuses known edges that are to judge the ranking and stand in what it was made from."""

    def on(self, problem: Problem) -> "Scorer":
        """The same fit with the features of another data set over the same genes.

        Only asked for where `MethodConfig.check_transfer` raises nothing.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how it is transferred")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MethodConfig(Settings):
    """Settings of a method; each has a subclass in its own file."""

    NAMED: ClassVar[dict[str, str]] = {
        "kernel-factor": "grnjax.methods.kernel_factor.method:KernelFactorMethod",
        "scRegNet": "grnjax.methods.scregnet:ScRegNetMethod",
        "GT-GRN": "grnjax.methods.gt_grn.method:GTGRNMethod",
        "GENELink": "grnjax.methods.genelink:GENELinkMethod",
        "GNNLink": "grnjax.methods.gnnlink:GNNLinkMethod",
        "GNE": "grnjax.methods.gne:GNEMethod",
        "CNNC": "grnjax.methods.cnnc:CNNCMethod",
        "DeepDRIM": "grnjax.methods.deepdrim:DeepDRIMMethod",
        "STGRNS": "grnjax.methods.stgrns:STGRNSMethod",
        "scGREAT": "grnjax.methods.scgreat:ScGREATMethod",
        "GRN-Transformer": "grnjax.methods.grn_transformer:GRNTransformerMethod",
        "pearson": "grnjax.methods.expression_only:PearsonMethod",
        "spearman": "grnjax.methods.expression_only:SpearmanMethod",
        "mutual-information": "grnjax.methods.expression_only:MutualInformationMethod",
        "pidc": "grnjax.methods.expression_only:PIDCMethod",
        "genie3": "grnjax.methods.expression_only:GENIE3Method",
        "grnboost2": "grnjax.methods.expression_only:GRNBoost2Method",
        "regdiffusion": "grnjax.methods.regdiffusion:RegDiffusionMethod",
        "enhancer": "grnjax.methods.enhancer.method:EnhancerMethod",
        "compendium": "grnjax.methods.compendium.method:CompendiumMethod",
    }
    PAPER: ClassVar[str] = ""
    """Who published it, and where."""
    READS: ClassVar[frozenset[str]] = frozenset()
    """Which of labels, expression, evidence, embedding and networks it reads."""
    GIVES: ClassVar[frozenset[str]] = frozenset()
    """Which of probabilities and terms there are beside a ranking."""
    READS_CELLS: ClassVar[bool] = True
    """Whether it reads expression cell by cell; else moments, correlations and components do, or
    the cells of some genes at a time."""
    TRAINS_ON_ALL_PAIRS: ClassVar[bool] = False
    """Whether a fit takes all pairs at once, and none are left out for their number."""

    FORM: ClassVar[str] = ""
    """Which form the defaults are, where it is not the one that was published under the name."""

    @classmethod
    def title(cls) -> str:
        """What it is called in a table beside other methods."""
        return f"{cls.name()}, {cls.FORM}" if cls.FORM else cls.name()

    @classmethod
    def name(cls) -> str:
        """What it is called on the command line and in results."""
        own = f"{cls.__module__}:{cls.__qualname__}"
        named = MethodConfig.NAMED.items()
        return next((name for name, path in named if path == own), cls.__name__)

    @property
    def engine(self) -> TrainingConfig | None:
        """How its fits are trained, where the training loop does; None for a method without one."""
        return None

    def open_recorder(self, folder: Path | None, fits: int, description: str) -> FitRecorder:
        """The recorder of so many of its fits, in a run folder or in none."""
        return FitRecorder(folder, fits, self.engine.epochs if self.engine else 1, description)

    def files(self) -> dict[str, str | None]:
        """The files that it reads itself, by the settings that name them; None where none is."""
        return {}

    def estimate(self, tfs: int, genes: int, cells: int, fits: int) -> Cost | None:
        """What so many fits cost on two cores, roughly; None where that was not measured."""
        return None

    @property
    def reads_cells(self) -> bool:
        """Whether it does with these settings."""
        return self.READS_CELLS

    def stream_bytes(self, tfs: int, genes: int, cells: int) -> float:
        """Memory for what it holds of cells that stay in their file, instead of all of them."""
        return 0.0

    def check_cells(self, cells: int) -> None:
        """Refuses so few cells, of a data set or of a group of cells.

        Raises:
            ConfigError: naming the flag.
        """

    def controls(self) -> Mapping[str, Control]:
        """Permuted inputs and rewired labels on which it can be fitted again, by name."""
        return {}

    def check(self, problem: Problem) -> None:
        """Refuses what it would not read, and what it cannot do without.

        Raises:
            ConfigError: naming the flag.
        """
        given = {
            "evidence": any(item.kind != "expression" for item in problem.evidence),
            "embedding": problem.embedding is not None,
            "networks": len(problem.networks),
        }
        self.refuse_unread([what for what, is_given in given.items() if is_given])

    def refuse_unread(self, given: Sequence[str]) -> None:
        """Refuses inputs, by their names in `READS`, that it does not read."""
        for what in given:
            if what not in self.READS:
                readers = [name for name in MethodConfig.NAMED if what in make_method(name).READS]
                raise ConfigError(
                    f"{self.name()} does not read {FLAGS[what]}; leave it out, or take a method "
                    f"that does: {', '.join(readers)}."
                )

    def check_transfer(self, problem: Problem) -> None:
        """Refuses to be fitted to one data set and judged on another.

        Args:
            problem: of either data set, over the genes of both.

        Raises:
            ConfigError: what it makes of genes has no meaning in another data set.
        """
        raise ConfigError(
            f"{self.name()} cannot be transferred: what it makes of genes belongs to the cells it "
            "was fitted to; take scRegNet or kernel-factor."
        )

    def prepare(self, problem: Problem) -> Problem:
        """The problem with `prepared`: made once, before any control, and read by all fits."""
        return problem

    def fit_all(
        self,
        problem: Problem,
        parts: Sequence[Part],
        recorder: FitRecorder,
        *,
        mesh: Mesh | None = None,
    ) -> Iterator[Scorer]:
        """The fit of each part, in their order; `recorder` keeps and reads back what was fitted.

        Args:
            parts: some of those of the problem, by whose sizes arrays are padded.
            mesh: devices that share each fit; None leaves it to one.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how it is fitted")


def list_methods():
    """A table of the methods: name, paper, what each reads and what it gives beside a ranking.

    Returns:
        A data frame, one row a method, in the order of `MethodConfig.NAMED`.
    """
    methods = {name: MethodConfig.find(name) for name in MethodConfig.NAMED}
    return pd.DataFrame(
        {
            "method": list(methods),
            "paper": [method.PAPER for method in methods.values()],
            "reads": [", ".join(sorted(method.READS)) for method in methods.values()],
            "gives": [", ".join(["ranking", *sorted(m.GIVES)]) for m in methods.values()],
        }
    )


def make_method(method: "MethodConfig | str") -> MethodConfig:
    """The method of this name with its default settings, or the config itself.

    Raises:
        ConfigError: there is none, or a class has been given in the place of its settings.
    """
    if isinstance(method, MethodConfig):
        return method
    found = MethodConfig.find(method) if isinstance(method, str) else None
    if found is None:
        raise ConfigError(
            f"there is no method {method!r}; choose one of {', '.join(MethodConfig.names())}, "
            "or give a method's config."
        )
    return found()


def check_expression(problem: Problem, method: MethodConfig) -> None:
    """Refuses a data set without expression."""
    if not problem.dataset.genes.measured.any():
        raise ConfigError(
            f"{method.name()} ranks by expression, and there is none here: give --data.expression."
        )
