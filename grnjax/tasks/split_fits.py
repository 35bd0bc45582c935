"""Fits on the draws of a split: their settings, the problem of each draw, the fits to come."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from jax.sharding import Mesh

from grnjax.config import Count, Seeds, Settings, Share
from grnjax.data.candidates import list_split_tfs
from grnjax.data.coexpressed_groups import group_genes
from grnjax.errors import ConfigError
from grnjax.evaluation.splits import SplitKind, draw_split
from grnjax.evidence.gather import is_audited
from grnjax.evidence.leak_check import check_leaks, drop_copied_columns
from grnjax.evidence.types import Evidence
from grnjax.methods.few_cells import tell_few_cells
from grnjax.methods.method import MethodConfig, Problem
from grnjax.methods.scregnet import ScRegNetMethod
from grnjax.progress import logger
from grnjax.training.recorder import FitRecorder, derive_seed
from grnjax.types import Dataset, Part, Split, SplitProtocol


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitConfig(Settings):
    """Which pairs train, validate and test."""

    kind: SplitKind = "standard"
    """What a test pair may share with the train pairs, or `balanced`, the published rule of
    Non-Specific, STRING and LOF/GOF networks; unused with published files."""
    protocol: SplitProtocol = "corrected"
    """Whether balanced splits, drawn or published, keep the train pairs that their published
    rule puts among the test pairs, labelled 0 (as-published), or not (corrected)."""
    prevalence: Share | None = None
    """Share of positives among the test pairs of a drawn balanced split; by default the density
    of the network."""
    draws: Seeds = (0,)
    """Seeds of the draws."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinkPredictionConfig(Settings):
    """A method on the draws of a split, over seeds."""

    method: MethodConfig = ScRegNetMethod()
    """The method; the command line takes another by its name, --method=GT-GRN, and its settings
    under --method."""
    split: SplitConfig = SplitConfig()
    seeds: Seeds = (0,)
    """Seeds of the method; each is fitted on every draw."""
    controls: tuple[str, ...] = ()
    """Permuted inputs, or rewired labels, on which the method is fitted again."""
    reference_selection: bool = False
    """Select on the test pairs, as the published code does; only to show the size of the effect."""
    reconstruct: bool = False
    """Also judge the first seed on every pair of a TF and a gene, its train pairs included; the
    figures of those and of the other pairs stand apart."""
    bootstrap: Count = 0
    """How many times the TFs are resampled for the intervals of each draw, with the first seed;
    0 leaves them out."""

    def __post_init__(self):
        super().__post_init__()
        known = self.method.controls()
        for control in self.controls:
            if control not in known:
                raise ConfigError(
                    f"{self.method.name()} has no control {control}; choose among "
                    f"{', '.join(known)}."
                )


@dataclasses.dataclass(frozen=True, eq=False)
class Request:
    """A fit to come: of a part of a problem, with the split that judges it."""

    method: MethodConfig
    problem: Problem
    place: int  # of its part among those of the problem (`build_problems`)
    split: Split
    seed: int
    row: str  # its method in the results
    label: str  # what tells it from other fits of its draw and seed in a run folder
    control: str | None = None  # that altered the problem

    @property
    def part(self) -> Part:
        """Its part of the problem, under its name."""
        name = f"draw{self.split.draw}-{self.label}-seed{self.seed}"
        return dataclasses.replace(self.problem.parts[self.place], name=name)


def draw_splits(dataset: Dataset, config: SplitConfig) -> list[Split]:
    """One split for each draw of the settings, from the data set's positives."""
    edges, genes = dataset.known.positives, dataset.genes
    groups = group_genes(genes) if config.kind == "group-disjoint" else None
    if groups is not None:
        sizes = np.bincount(groups)
        logger.info(
            f"{len(sizes):,} groups of co-expressed genes, of up to {sizes.max():,} genes; "
            f"{(sizes == 1).sum():,} genes are in none with others"
        )
    return [
        draw_split(
            config.kind,
            edges,
            len(genes.names),
            draw,
            tfs=genes.tfs,
            groups=groups,
            protocol=config.protocol,
            prevalence=config.prevalence,
        )
        for draw in config.draws
    ]


def build_problems(
    dataset: Dataset,
    splits: Sequence[Split],
    config: LinkPredictionConfig,
    *,
    evidence: Sequence[Evidence] = (),
    **inputs,
) -> dict[int, Problem]:
    """The problem of each draw, with a part for each split and seed.

    They differ in evidence, where that is cleared of what train labels share with it.

    Args:
        evidence: in the order of `list_split_tfs(splits)`.
        inputs: the other fields of a `Problem`.

    Raises:
        ConfigError: too few cells for a method that reads nothing else.
    """
    tell_few_cells(config.method, dataset.genes)
    parts = []
    for split, seed in itertools.product(splits, config.seeds):
        chosen_on = split.test if config.reference_selection else split.validation
        fitted = dataclasses.replace(split, validation=chosen_on)
        parts.append(Part(fitted, "", derive_seed(seed, split.draw)))
    tfs, names = list_split_tfs(splits), dataset.genes.names
    problem = Problem(
        dataset=dataset,
        parts=parts,
        tfs=tfs,
        trainable=tfs,
        evidence=evidence,
        seed=config.seeds[0],
        **inputs,
    )
    if all(item.kind == "expression" for item in evidence):
        return {split.draw: problem for split in splits}
    asked = [x for x in evidence if x.kind != "expression" and not is_audited(x)]
    check_leaks(asked, tfs, dataset, list(splits))
    cleared = {
        split.draw: [drop_copied_columns(item, tfs, names, split.train) for item in evidence]
        for split in splits
    }
    return {draw: dataclasses.replace(problem, evidence=x) for draw, x in cleared.items()}


def list_requests(
    splits: Sequence[Split],
    problems: Mapping[int, Problem],
    config: LinkPredictionConfig,
    chosen: Mapping[int, tuple[str, MethodConfig]] | None = None,
) -> list[Request]:
    """The fits of the method and its controls: like ones in a row, to be fitted side by side."""
    requests, name = [], config.method.name()
    for control in (None, *config.controls):
        row = f"{name}, {control.replace('-', ' ')}" if control else name
        for number, split in enumerate(splits):
            problem, first = problems[split.draw], number * len(config.seeds)
            method = chosen[split.draw][1] if chosen else config.method
            if control:
                folder = problem.folder and problem.folder / f"draw{split.draw}-{control}"
                problem = method.controls()[control](problem, split.draw)
                problem = dataclasses.replace(problem, folder=folder)
            label = control or "model"
            requests += [
                Request(method, problem, first + place, split, seed, row, label, control)
                for place, seed in enumerate(config.seeds)
            ]
    return requests


def fit_requests(requests: Sequence[Request], recorder: FitRecorder, *, mesh: Mesh | None = None):
    """Each request with its scorer, in order; fits of one problem may be made side by side."""
    for _, alike in itertools.groupby(requests, lambda r: (r.method, id(r.problem))):
        alike = list(alike)
        method, problem = alike[0].method, alike[0].problem
        parts = [request.part for request in alike]
        yield from zip(alike, method.fit_all(problem, parts, recorder, mesh=mesh), strict=True)
