"""Many methods on the draws of one set: one table with the trivial rows, time and memory.

Every method is fitted on the same train pairs, chosen on the same validation pairs and judged on
the same test pairs. A row is kept as soon as it is measured.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
from jax.sharding import Mesh

from grnjax.config import Positive, Settings, parse
from grnjax.data.candidates import list_split_tfs
from grnjax.data.expression import DataConfig
from grnjax.errors import ConfigError, GeneMismatchError, NonFiniteError
from grnjax.evaluation.report import COLUMNS, format_table, summarise
from grnjax.evaluation.splits import SplitKind, check_split
from grnjax.methods.method import MethodConfig, make_method
from grnjax.progress import logger
from grnjax.storage.files import JsonLines, read_json_lines
from grnjax.storage.memory import Usage
from grnjax.storage.outputs import CHECKPOINTS, LOG
from grnjax.tasks.compendium_evidence import ListsConfig
from grnjax.tasks.inputs import Extras, load_extras
from grnjax.tasks.judging import judge_split, trivial_scores
from grnjax.tasks.split_fits import (
    LinkPredictionConfig,
    build_problems,
    fit_requests,
    list_requests,
)
from grnjax.types import Dataset, Split

EVERY = "all"
SHOWN = {
    name: COLUMNS[name] for name in ("auroc", "average_precision", "within_tf_auroc", "swap_micro")
}
SHOWN |= {"seconds": "seconds", "cpu_seconds": "CPU s", "peak_mib": "peak MiB"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparisonConfig(Settings):
    """Which methods, on what."""

    methods: tuple[str, ...] = (EVERY,)
    """Names of methods, or `all`: then those that this set or this machine lacks something for are
    left out, each with its reason."""
    settings: tuple[str, ...] = ()
    """Settings that are not the defaults, METHOD.KEY=VALUE each, such as
    GENELink.training.epochs=90."""
    draws: Positive = 5
    """How many draws of the split."""
    kind: SplitKind = "standard"
    """What a test pair may share with the train pairs."""

    def make_methods(self) -> dict[str, MethodConfig]:
        """The methods with their settings, in the order of the table of methods.

        Raises:
            ConfigError: a method or a setting that there is not, or settings of a method that is
                none of those asked for.
        """
        names = list(MethodConfig.NAMED) if EVERY in self.methods else list(self.methods)
        made = {make_method(name).name(): make_method(name) for name in names}
        for item in self.settings:
            name = next((x for x in made if item.lower().startswith(f"{x.lower()}.")), None)
            if name is None:
                raise ConfigError(
                    f"--settings {item} is of none of the methods that are compared "
                    f"({', '.join(made)}): give METHOD.KEY=VALUE."
                )
            flag = f"--{item[len(name) + 1 :]}"
            made[name] = parse(made[name], [flag], program="--settings")
        return made


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """The rows of all methods; printed, they are a table."""

    rows: list[dict]
    left_out: dict[str, str]  # methods that were asked for by `all`, and why they are not here

    @property
    def table(self) -> pd.DataFrame:
        """The mean over draws of each figure, one line a method, the best AP first."""
        wide = summarise(self.rows).pivot(index="method", columns="metric", values="mean")
        shown = [name for name in SHOWN if name in wide]
        return wide[shown].sort_values("average_precision", ascending=False)

    def __str__(self) -> str:
        text = format_table(summarise(self.rows), SHOWN)
        reasons = [f"{name} is left out: {why}" for name, why in self.left_out.items()]
        return "\n".join([text, *reasons])


def compare(
    dataset: Dataset,
    splits: Sequence[Split],
    config: ComparisonConfig,
    *,
    folder: Path,
    data: DataConfig | None = None,
    set_name: str = "",
    choose_mesh: Callable[[MethodConfig, int], Mesh | None] = lambda method, fits: None,
) -> Comparison:
    """Fits and judges every method on every draw, beside the trivial rows.

    Args:
        folder: keeps the rows, and what a fit that was cut off needs to resume.
        data: names the vectors of genes, for methods that read any.
        set_name: of a benchmark set, whose cell type is left out of the lists of other cells that
            methods with evidence read, as in `grnjax train`.
        choose_mesh: the devices that share each of so many fits of a method.

    Raises:
        ConfigError: a method that was named cannot be fitted to this set.
        SplitError: a split leaks, or a part of it lacks a class.
    """
    for split in splits:
        check_split(split)
    folder.mkdir(parents=True, exist_ok=True)
    path, left_out = folder / LOG, {}

    def read(method: MethodConfig) -> Extras:
        given, lists = fit_for(method, data or DataConfig()), ListsConfig()
        return load_extras(
            method, dataset, given, splits=list(splits), lists=lists, set_name=set_name
        )

    rows = read_json_lines(path)
    with JsonLines(path) as lines:

        def keep(row: dict) -> None:
            rows.append(row)
            lines.append(row)

        for row in list_trivial(dataset, splits, rows):
            keep(row)
        for name, method in config.make_methods().items():
            found = fit_rows(
                method,
                dataset,
                splits,
                rows,
                make_extras=read,
                folder=folder / CHECKPOINTS,
                mesh=choose_mesh(method, len(splits)),
            )
            try:
                for row in found:
                    keep(row)
            except (ConfigError, GeneMismatchError, NonFiniteError) as error:
                if EVERY not in config.methods:
                    raise
                left_out[name] = str(error)
                logger.warning("%s is left out: %s", name, error)
    order = {name: place for place, name in enumerate(dict.fromkeys(r["method"] for r in rows))}
    rows.sort(key=lambda row: (order[row["method"]], row["draw"]))
    return Comparison(rows, left_out)


def is_measured(rows: Sequence[dict], method: str, draw: int) -> bool:
    """Whether a method has its row of a draw."""
    return any(row["method"] == method and row["draw"] == draw for row in rows)


def list_trivial(dataset: Dataset, splits: Sequence[Split], rows: Sequence[dict]) -> Iterator[dict]:
    """The rows of base rates and the like that are not there yet."""
    genes = len(dataset.genes.names)
    for split in splits:
        if is_measured(rows, "TF rate", split.draw):
            continue
        scores = trivial_scores(dataset.genes, split, list_split_tfs(list(splits)))
        # the TF rate comes last: it tells that all are there
        for name in sorted(scores, key=lambda name: name == "TF rate"):
            if not is_measured(rows, name, split.draw):
                yield judge_split(split, genes, name, 0, scores[name])


def fit_rows(
    method: MethodConfig,
    dataset: Dataset,
    splits: Sequence[Split],
    rows: Sequence[dict],
    *,
    make_extras: Callable[[MethodConfig], Extras],
    folder: Path,
    mesh: Mesh | None,
) -> Iterator[dict]:
    """The rows of a method that are not there yet, each with what its fit took.

    What is made once for all draws counts with the first of them: a mean over draws is what a draw
    of so many costs.
    """
    name, genes = method.title(), len(dataset.genes.names)
    wanted = {split.draw for split in splits if not is_measured(rows, name, split.draw)}
    if not wanted:
        return
    config, place = LinkPredictionConfig(method=method), folder / method.name()
    with Usage() as spent:
        extras = make_extras(method)
        problems = build_problems(dataset, splits, config, folder=place, **vars(extras))
        first = problems[splits[0].draw]
        method.check(first)
        ready = method.prepare(first)
        problems = {
            draw: ready
            if problem is first
            else dataclasses.replace(problem, prepared=ready.prepared, embedding=ready.embedding)
            for draw, problem in problems.items()
        }
    requests = [x for x in list_requests(splits, problems, config) if x.split.draw in wanted]
    with method.open_recorder(place, len(requests), f"comparing {name}") as recorder:
        fits = fit_requests(requests, recorder, mesh=mesh)
        for _ in requests:
            with Usage() as usage:
                request, fit = next(fits)
                scores = fit.scores(request.split.test)
            row = judge_split(request.split, genes, name, 0, scores)
            row["seconds"] = usage.seconds + spent.seconds
            row["cpu_seconds"] = usage.cpu_seconds + spent.cpu_seconds
            row["peak_mib"] = usage.peak_mib
            spent.seconds = spent.cpu_seconds = 0
            yield row


def fit_for(method: MethodConfig, data: DataConfig) -> DataConfig:
    """The settings of the data without vectors of genes, where the method reads none."""
    reads = {"embedding", "evidence"} & method.READS
    return data if reads else dataclasses.replace(data, embedding=None)
