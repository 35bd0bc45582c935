"""scRegNet and the trivial rows on BEELINE networks (paper: Tables 2 and 3).

Run:     python -m experiments.scregnet.beeline
         python -m experiments.scregnet.beeline --sets '*/mDC/TFs+500' --data.split draw
         python -m experiments.scregnet.beeline --sets Specific/MyCells/TFs+500 --data.root FOLDER
Cost:    the first about 40 min on two cores, 1.6 GB memory; the second 30 min; the published
         schedule 6 min (hESC) to half an hour (hHEP) a set
Expect:  AUROC/AP of hESC, hHEP, mESC and mHSC-E on the published pairs, TFs+500: additive
         .885/.620, .901/.840, .924/.858, .922/.941; published form .875/.605, .895/.821, .923/.853,
         .919/.937; ours .886/.629, .906/.850, .944/.894, .925/.944; all in experiments/README.md

Without options: every set of the data folder for which scRegNet published its split, in the
published form and in ours. Sets are found from the layout of --data.root, so the same command runs
on sets nobody has seen. With --data.split draw the pairs are drawn by GENELink's rules: on
Non-Specific, STRING and LOF/GOF networks the balanced one, corrected (--split.protocol), on all
others the cell-type-specific one, and --split.kind target-disjoint and its kin on all.

The published form has the published settings of the network where there are any, else those of
another (published_settings.py), but is selected on validation, and has zeros for the foundation
embedding and the expression that are missing here. Its graph is encoded once a step over all pairs;
with --reference-schedule for every small batch, as published.
Ours is chosen on validation among a few options, on each draw anew; without learned gene vectors
it is the row "scRegNet, no gene vectors" (cell-type-specific networks only).
"""

import dataclasses
import functools
import re
from pathlib import Path

import numpy as np

from experiments.scregnet.published_settings import encode_once, published_config
from experiments.shared.record import ResultsFile, rename_model
from experiments.shared.studies import SCREGNET, Splits, begin, measure_trivial
from grnjax import config as settings
from grnjax.cli.train import with_option
from grnjax.config import Seeds, Settings
from grnjax.data.benchmark import BenchmarkSet
from grnjax.data.expression import DataConfig
from grnjax.data.sets import find_sets
from grnjax.progress import logger
from grnjax.tasks.link_prediction import LinkPredictionConfig, SplitConfig, draw_splits, run_study
from grnjax.tasks.loading import load_embedding, load_folder, load_splits
from grnjax.types import Dataset, Split

BALANCED_NETWORKS = ("nonspecific", "string", "lofgof")
ALL_SEEN = "training.unseen-share=0"
TOPOLOGY = "model.topology=true"
UNLABELLED = "inputs.unlabelled-weight=0.05"
OPTIONS = (f"{ALL_SEEN},model.identity-rank=16",)
BALANCED_OPTIONS = (
    f"{ALL_SEEN},{TOPOLOGY}",
    f"{ALL_SEEN},{TOPOLOGY},{UNLABELLED}",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BeelineStudy(Settings):
    """scRegNet and the trivial rows on the sets that fit the patterns."""

    sets: tuple[str, ...] = ("Specific/*/*",)
    """Names or patterns of sets, NETWORK/CELL/SIZE."""
    data: DataConfig = DataConfig(split="scRegNet")
    split: SplitConfig = SplitConfig(draws=(0, 1, 2, 3, 4))
    seeds: Seeds = (0, 1, 2, 3, 4)
    """Seeds of our form; its variant and the published form take the first."""
    reference_schedule: bool = False
    """Fit the published form as published, one pass over the graph a batch, and nothing else."""


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(BeelineStudy, "scregnet_beeline")
    for pattern in study.sets:
        for found in find_sets(study.data.root, pattern):
            if has_split(found, study.data.split):
                measure(found, study, results)
            else:
                logger.info("%s: left out, %s has no split of it", found.name, study.data.split)


def has_split(found: BenchmarkSet, source: str) -> bool:
    """Whether the split can be had for this set."""
    samples = any(name.split("/")[0] == source for name in found.splits)
    return source in ("draw", *found.splits) or samples or Path(source).is_dir()


def measure(found: BenchmarkSet, study: BeelineStudy, results: ResultsFile) -> None:
    """The rows of one set that are not there yet."""
    dataset, beeline = load_folder(found.labels, study.data)
    splits, source = load_splits(beeline, dataset, study.split.protocol), study.data.split
    if splits is None:
        splits = draw_splits(dataset, split_settings(found, study))
        source = splits[0].kind
        logger.info("%s: %s pairs are drawn", found.name, source)
    elif splits[0].kind != "published":
        source = f"{source}, as published"
    if study.data.embedding is not None:
        source = f"{source}, {Path(study.data.embedding).stem}"
    where = {"set": found.name, "split": source}
    last = {"draw": splits[-1].draw, **where}  # what is written at the end of a method
    embedding = load_embedding(study.data, dataset)
    published, first = published_config(found.name), study.seeds[:1]
    fit = functools.partial(
        add_variant,
        dataset=dataset,
        splits=splits,
        embedding=embedding,
        where=where,
        results=results,
    )
    if study.reference_schedule:
        fit("published form and schedule", LinkPredictionConfig(method=published, seeds=first))
        return
    ours = LinkPredictionConfig(seeds=study.seeds)
    tried = BALANCED_OPTIONS if is_balanced(found) else OPTIONS
    options = {option: with_option(ours.method, option) for option in tried}
    if results.has(draw=splits[0].draw, **where):  # perhaps before there was the newest trivial row
        ground = Splits(dataset, splits)
        for split in splits:
            measure_trivial(results, where, ground, split)
    if not results.has(method=SCREGNET, seed=study.seeds[-1], **last):
        measured = run_study(dataset, splits, ours, embedding=embedding, options=options)
        rows = [
            {**row, "chosen": measured.chosen[row["draw"]]}
            if row["method"].startswith(SCREGNET)
            else row
            for row in measured.rows
        ]
        results.add(rows, **where)
    if not is_balanced(found):
        without = {"method.model.identity_rank": 0, "seeds": first}
        fit("no gene vectors", settings.replace(ours, without))
    fit("published form", LinkPredictionConfig(method=encode_once(published), seeds=first))


def is_balanced(found: BenchmarkSet) -> bool:
    """Whether GENELink's rule balances the train pairs of this kind of network."""
    return re.sub(r"\W", "", found.network).lower() in BALANCED_NETWORKS


def split_settings(found: BenchmarkSet, study: BeelineStudy) -> SplitConfig:
    """How pairs are drawn: by the rule of the network's kind, unless the settings name another."""
    if study.split.kind == "standard" and is_balanced(found):
        return dataclasses.replace(study.split, kind="balanced")
    return study.split


def add_variant(
    name: str,
    config: LinkPredictionConfig,
    dataset: Dataset,
    splits: list[Split],
    embedding: np.ndarray | None,
    where: dict,
    results: ResultsFile,
) -> None:
    """The rows of other settings of the model, unless they are there."""
    method = f"{SCREGNET}, {name}"
    if not results.has(method=method, draw=splits[-1].draw, **where):
        rows = run_study(dataset, splits, config, embedding=embedding).rows
        results.add(rename_model(rows, SCREGNET, method), **where)


if __name__ == "__main__":
    main()
