"""What the studies of the scRegNet paper share: sets, the two forms of the model, single rows."""

import dataclasses
import os

import numpy as np
from grnjax.tasks.bench import Bench, FitSettings, Request

from experiments.scregnet.published_settings import encode_once, published_config
from experiments.shared.record import ResultsFile
from grnjax.config import Seeds, Settings
from grnjax.data.data_set import find_root
from grnjax.data.expression import DataConfig
from grnjax.data.sets import find_set
from grnjax.evaluation.splits import SplitKind
from grnjax.tasks.link_prediction import MODEL, LinkPredictionConfig, SplitConfig, draw_splits
from grnjax.tasks.loading import load_embedding, load_folder, load_splits
from grnjax.tasks.reconstruction import judge_reconstruction, reconstruct
from grnjax.training.recorder import FitRecorder
from grnjax.types import Dataset, Split

MDC, HESC = "Specific/mDC/TFs+500", "Specific/hESC/TFs+500"
SOURCE = "scRegNet"  # whose published pairs are used where there are any
EMBEDDINGS = {
    HESC: "foundation_side_files/geneformer_hESC_TFs500_gene_embedding_871x896.npz",
}
PUBLISHED_FORM = f"{MODEL}, published form"
OUTSIDE_TRAIN = "pairs outside train"
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


@dataclasses.dataclass(frozen=True, eq=False)
class LoadedSet:
    """A set with its published pairs and its frozen gene embedding, None where there are none."""

    name: str
    dataset: Dataset
    published: Split | None
    embedding: np.ndarray | None

    def standard_splits(self, draws: tuple[int, ...]) -> list[Split]:
        """The published split, or draws of the standard one where none is published."""
        return [self.published] if self.published else self.draw_splits("standard", draws)

    def draw_splits(self, kind: SplitKind, draws: tuple[int, ...]) -> list[Split]:
        """Draws of a kind of split."""
        return draw_splits(self.dataset, SplitConfig(kind=kind, draws=draws))


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


def two_forms(name: str) -> dict[str, LinkPredictionConfig]:
    """The interacting model with its defaults, and the published form, encoded once a step."""
    return {MODEL: LinkPredictionConfig(), PUBLISHED_FORM: encode_once(published_config(name))}


def measure(
    results: ResultsFile,
    where: dict,
    bench: Bench,
    split: Split,
    variants: dict[str, FitSettings],
    seeds: tuple[int, ...],
    *,
    judged: Split | None = None,
) -> None:
    """Fits every variant with every seed and appends its row, unless it was measured before.

    Args:
        where: what names the rows beside method, draw and seed: their set and split.
        variants: settings by the name of the method in the rows.
        judged: the split whose labels judge, if not the one that is fitted.
    """
    requests = [
        Request(split, settings, seed, method)
        for method, settings in variants.items()
        for seed in seeds
        if not results.has(method=method, draw=split.draw, seed=seed, **where)
    ]
    epochs = max((request.settings.training.epochs for request in requests), default=0)
    with FitRecorder(None, len(requests), epochs, f"{where['set']}, {where['split']}") as recorder:
        for request, fitted in zip(requests, bench.fit_all(recorder, requests), strict=True):
            scores = bench.score(fitted, split.test)
            row = bench.judge(request.label, judged or split, request.seed, scores)
            results.add([row], **where)


def measure_trivial(results: ResultsFile, where: dict, bench: Bench, split: Split) -> None:
    """Appends the trivial rows of a split that were not measured before."""
    last = NEWEST if bench.dataset.genes.measured.any() else "additive logistic"
    if not results.has(method=last, draw=split.draw, **where):
        scores = bench.trivial(split)
        results.add([bench.judge(name, split, 0, x) for name, x in scores.items()], **where)


def measure_reconstruction(
    results: ResultsFile,
    name: str,
    bench: Bench,
    split: Split,
    method: str,
    form: FitSettings,
    seed: int = 0,
) -> None:
    """Fits once and appends the rows on every pair, on train pairs and on all others, once.

    Args:
        name: the set.
    """
    key = {"set": name, "method": method, "draw": split.draw, "seed": seed}
    if results.has(split=f"reconstruction, {OUTSIDE_TRAIN}", **key):
        return
    request = Request(split, form, seed, method)
    with FitRecorder(None, 1, form.training.epochs, f"{name}, reconstruction") as recorder:
        [fitted] = bench.fit_all(recorder, [request])
    for row in judge_reconstruction(*reconstruct(bench, fitted), split):
        among = row.pop("among")
        scored = {"scores_train_edges": among != OUTSIDE_TRAIN}
        results.add([{**row, **scored}], **key, split=f"reconstruction, {among}")
