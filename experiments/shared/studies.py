"""What all studies share: their settings, their sets, and the rows of methods on splits."""

import dataclasses
import functools
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np

from experiments.scregnet.published_settings import encode_once, published_config
from experiments.shared.record import ResultsFile
from grnjax import config as settings
from grnjax.baselines.controls import scores_at
from grnjax.cli import run_command
from grnjax.config import Seeds, Settings
from grnjax.data.benchmark import BenchmarkSet
from grnjax.data.candidates import list_split_tfs
from grnjax.data.data_set import find_root
from grnjax.data.expression import DataConfig
from grnjax.data.sets import find_set, find_sets
from grnjax.errors import ConfigError
from grnjax.evaluation.splits import SplitKind
from grnjax.evidence.types import Evidence
from grnjax.methods.expression_only import score_genes
from grnjax.methods.kernel_factor.bank import FeatureBank, build_bank
from grnjax.methods.kernel_factor.fit import (
    KernelFactorFit,
    KernelFactorSettings,
    fit_kernel_factor,
)
from grnjax.methods.method import MethodConfig, Scorer
from grnjax.methods.scregnet import ScRegNetMethod
from grnjax.progress import logger, start_logging
from grnjax.tasks.judging import judge_split, trivial_scores
from grnjax.tasks.loading import load_embedding, load_folder, load_splits
from grnjax.tasks.reconstruction import judge_reconstruction, reconstruct
from grnjax.tasks.split_fits import (
    LinkPredictionConfig,
    SplitConfig,
    build_problems,
    draw_splits,
    fit_requests,
    list_requests,
)
from grnjax.types import Dataset, GeneTable, LabelledPairs, Split

MDC, HESC = "Specific/mDC/TFs+500", "Specific/hESC/TFs+500"
SOURCE = "scRegNet"  # whose published pairs are used where there are any
EMBEDDINGS = {
    HESC: "foundation_side_files/geneformer_hESC_TFs500_gene_embedding_871x896.npz",
}
SCREGNET = ScRegNetMethod.name()
PUBLISHED_FORM = f"{SCREGNET}, published form"
OUTSIDE_TRAIN = "pairs outside train"
MEAN = ", mean of seeds"
Config = TypeVar("Config", bound=Settings)
NEWEST = "co-expressed targets"  # of the trivial rows; studies measured before it lack it


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyConfig(Settings):
    """The study; every setting of it."""

    data: DataConfig = DataConfig()
    sets: tuple[str, ...] = (MDC, HESC)
    """Sets of the benchmark root."""
    draws: Seeds = (0, 1, 2, 3, 4)
    """Draws of whatever the study draws: splits that are not published, flipped labels."""
    seeds: Seeds = (0, 1, 2, 3, 4)
    """Seeds of the model on a published split; of several draws each makes its own seed from the
    first of these."""

    def seeds_for(self, splits: list[Split]) -> tuple[int, ...]:
        """All seeds for one split, one for several."""
        return self.seeds if len(splits) == 1 else self.seeds[:1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class GridConfig(StudyConfig):
    """The study; every setting of it."""

    sets: tuple[str, ...] = ("Specific/*/TFs+500",)
    """Names or patterns of sets of the benchmark root."""
    kinds: tuple[SplitKind, ...] = ("standard", "target-disjoint")
    """Kinds of split."""
    data: DataConfig = DataConfig(split="draw")

    def find(self) -> Iterator[tuple[BenchmarkSet, Dataset]]:
        """Each set with its data."""
        for pattern in self.sets:
            for found in find_sets(self.data.root, pattern):
                if not isinstance(found, BenchmarkSet):
                    raise ConfigError(
                        f"{found.name} is not laid out as BEELINE's sets are, which this study "
                        "takes: --sets Specific/mDC/TFs+500."
                    )
                yield found, load_folder(found.labels, self.data)[0]

    def split(self, dataset: Dataset, kind: SplitKind) -> list[Split]:
        """A split of this kind for each draw."""
        return draw_splits(dataset, SplitConfig(kind=kind, draws=self.draws))


def run_program(main: Callable[[], None]) -> NoReturn:
    """Runs a study and ends the process; a mistake of the user's is one sentence and status 2."""
    sys.exit(run_command(name_program(), lambda args: main(), sys.argv[1:]))


def name_program() -> str:
    """What the user typed to run this process."""
    spec = sys.modules["__main__"].__spec__
    return f"python -m {spec.name.removesuffix('.__main__')}" if spec else sys.argv[0]


def begin(config: type[Config], study: str) -> tuple[Config, ResultsFile]:
    """The settings that the command line gives, and the rows that there are."""
    start_logging()
    return settings.parse(config, sys.argv[1:], program=name_program()), ResultsFile(study)


def keep_genes(dataset: Dataset, keep: np.ndarray) -> Dataset:
    """The data set with these genes alone, and the labelled pairs within them."""
    genes, known = dataset.genes, dataset.known
    place = np.cumsum(keep, dtype=np.int32) - 1
    within = known.take(keep[known.pairs].all(axis=1))
    table = GeneTable(
        genes.names[keep], genes.is_tf[keep], genes.expression[:, keep], genes.measured[keep]
    )
    known = LabelledPairs(place[within.pairs], within.labels)
    return dataclasses.replace(dataset, genes=table, known=known)


@dataclasses.dataclass(frozen=True, eq=False)
class LoadedSet:
    """A set with its published pairs and its frozen gene embedding, None where there are none."""

    name: str
    dataset: Dataset
    published: Split | None
    embedding: np.ndarray | None

    def draw_splits(self, kind: SplitKind, draws: tuple[int, ...]) -> list[Split]:
        """Draws of a kind of split."""
        return draw_splits(self.dataset, SplitConfig(kind=kind, draws=draws))

    def standard_splits(self, draws: tuple[int, ...]) -> list[Split]:
        """The published split, or draws of the standard one where none is published."""
        return [self.published] if self.published else self.draw_splits("standard", draws)


def load_set(name: str, data: DataConfig) -> LoadedSet:
    """The set, with the pairs that scRegNet published and the Geneformer table, where there."""
    found = find_set(name, data.root)
    data = dataclasses.replace(data, split=SOURCE if SOURCE in found.splits else "draw")
    if name in EMBEDDINGS and data.embedding is None:
        path = find_root(data.root) / EMBEDDINGS[name]
        data = dataclasses.replace(data, embedding=os.fspath(path))
    dataset, beeline = load_folder(name, data)
    splits = load_splits(beeline, dataset, "corrected")
    published = splits[0] if splits else None
    return LoadedSet(name, dataset, published, load_embedding(data, dataset))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant(Settings):
    """A method as a study fits it."""

    method: MethodConfig
    control: str | None = None
    """On whose permuted inputs it is fitted."""
    reference_selection: bool = False
    """Whether the test pairs select, as in published code."""


@dataclasses.dataclass(frozen=True, eq=False)
class Splits:
    """A data set with its splits and what methods may know beside: the ground of many fits."""

    dataset: Dataset
    splits: list[Split]
    embedding: np.ndarray | None = None
    prepared: Any = None  # as `MethodConfig.prepare` made it

    @functools.cached_property
    def tfs(self) -> np.ndarray:
        """Gene indices of the TFs whose pairs are scored."""
        return list_split_tfs(self.splits)

    def judge(self, method: str, split: Split, seed: int, scores: np.ndarray) -> dict:
        """A results row of scores of a split's test pairs."""
        return judge_split(split, len(self.dataset.genes.names), method, seed, scores)

    def trivial(self, split: Split) -> dict[str, np.ndarray]:
        """Scores of a split's test pairs by the trivial methods."""
        return trivial_scores(self.dataset.genes, split, self.tfs)

    def fit(
        self, variant: Variant, wanted: list[Split], seeds: tuple[int, ...], what: str
    ) -> Iterator[tuple[Split, int, Scorer]]:
        """A fit of each wanted split with each seed; all have the shapes of all splits."""
        config = LinkPredictionConfig(
            method=variant.method,
            seeds=seeds,
            controls=() if variant.control is None else (variant.control,),
            reference_selection=variant.reference_selection,
        )
        problems = build_problems(
            self.dataset, self.splits, config, embedding=self.embedding, prepared=self.prepared
        )
        variant.method.check(problems[wanted[0].draw])
        requests = [
            request
            for request in list_requests(self.splits, problems, config)
            if request.control == variant.control and any(request.split is x for x in wanted)
        ]
        with variant.method.open_recorder(None, len(requests), what) as recorder:
            for request, fitted in fit_requests(requests, recorder):
                yield request.split, request.seed, fitted


def two_forms(name: str) -> dict[str, ScRegNetMethod]:
    """The interacting model with its defaults, and the published form, encoded once a step."""
    return {SCREGNET: ScRegNetMethod(), PUBLISHED_FORM: encode_once(published_config(name))}


def measure(
    results: ResultsFile,
    where: dict,
    ground: Splits,
    split: Split,
    variants: Mapping[str, Variant | MethodConfig],
    seeds: tuple[int, ...],
    *,
    judged: Split | None = None,
    mean: bool = False,
) -> None:
    """Fits every variant with every seed and appends its row, unless it was measured before.

    Args:
        where: what names the rows beside method, draw and seed: their set and split.
        variants: by the name of the method in the rows.
        judged: the split whose labels judge, if not the one that is fitted.
        mean: whether a row of the mean over seeds follows.
    """
    for name, variant in variants.items():
        variant = Variant(method=variant) if isinstance(variant, MethodConfig) else variant
        last, scores = name + MEAN * mean, []
        key = {"method": last, "draw": split.draw, **where}
        row_of = {seed: seeds[0] if mean else seed for seed in seeds}
        todo = tuple(seed for seed, row in row_of.items() if not results.has(seed=row, **key))
        fits = ground.fit(variant, [split], todo, describe(where)) if todo else ()
        for _, seed, fitted in fits:
            scores.append(fitted.scores(split.test))
            results.add([ground.judge(name, judged or split, seed, scores[-1])], **where)
        if mean and todo:
            found = np.mean(scores, axis=0)
            results.add([ground.judge(last, judged or split, seeds[0], found)], **where)


def describe(where: dict) -> str:
    """What stands beside the bar of a fit."""
    return f"{where['set']}, {where['split']}"


def measure_trivial(results: ResultsFile, where: dict, ground: Splits, split: Split) -> None:
    """Appends the trivial rows of a split that were not measured before."""
    last = NEWEST if ground.dataset.genes.measured.any() else "additive logistic"
    if not results.has(method=last, draw=split.draw, **where):
        scores = ground.trivial(split)
        results.add([ground.judge(name, split, 0, x) for name, x in scores.items()], **where)


def measure_set(
    results: ResultsFile,
    loaded: LoadedSet,
    splits: list[Split],
    variants: Mapping[str, Variant | MethodConfig],
    seeds: tuple[int, ...],
    without: Mapping[str, MethodConfig] | None = None,
) -> None:
    """The rows of variants, and the trivial rows, on splits of one kind.

    Args:
        without: further methods, which do not see the set's embedding.
    """
    ground = Splits(loaded.dataset, splits, loaded.embedding)
    bare = Splits(loaded.dataset, splits)
    for split in splits:
        where = {"set": loaded.name, "split": split.kind}
        measure_trivial(results, where, ground, split)
        measure(results, where, ground, split, variants, seeds)
        measure(results, where, bare, split, without or {}, seeds)
        logger.info("%s, %s, draw %d: done", loaded.name, split.kind, split.draw)


def measure_reconstruction(
    results: ResultsFile,
    name: str,
    ground: Splits,
    split: Split,
    method: str,
    form: MethodConfig,
) -> None:
    """Fits once and appends the rows on every pair, on train pairs and on all others, once.

    Args:
        name: the set.
    """
    key = {"set": name, "method": method, "draw": split.draw, "seed": 0}
    if results.has(split=f"reconstruction, {OUTSIDE_TRAIN}", **key):
        return
    fits = ground.fit(Variant(method=form), [split], (0,), f"{name}, reconstruction")
    [(_, _, fitted)] = fits
    for row in judge_reconstruction(*reconstruct(ground.dataset, ground.tfs, fitted), split):
        among = row.pop("among")
        scored = {"scores_train_edges": among != OUTSIDE_TRAIN}
        results.add([{**row, **scored}], **key, split=f"reconstruction, {among}")


def measure_expression_only(
    results: ResultsFile, name: str, grounds: Mapping[str, Splits], method: str, folder: Path
) -> None:
    """Appends the rows of a method that sees no label, on each kind of split.

    Args:
        folder: keeps its scores.
    """
    for kind, ground in grounds.items():
        genes = ground.dataset.genes
        scores = score_genes(genes, method, seed=0, folder=folder)
        rows = [
            ground.judge(method, split, 0, scores_at(scores, split.test, genes.tfs))
            for split in ground.splits
        ]
        results.add(rows, set=name, split=kind)


def fit_factors(
    evidence: list[Evidence],
    tfs: np.ndarray,
    genes: int,
    split: Split,
    config: KernelFactorSettings,
    seeds: tuple[int, ...] = (0,),
) -> Iterator[tuple[int, KernelFactorFit, FeatureBank]]:
    """Fits of the kernel factor model to a split, each with its seed and what it rests on."""
    if not seeds:
        return
    bank = build_bank(
        evidence,
        tfs,
        genes,
        labelled=tfs,
        most_genes=config.most_genes,
        most_coordinates=config.count_coordinates(genes),
    )
    disjoint = split.kind != "standard"
    for seed in seeds:
        parts = split.train, split.validation
        yield seed, fit_kernel_factor(bank, *parts, config, seed=seed, disjoint=disjoint), bank
