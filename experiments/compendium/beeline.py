"""BEELINE's sets left out: their ChIP-seq ranked by other cells' lists, strict and with the TF's.

Run:     GRNJAX_DATA=... python -m experiments.compendium.beeline
Cost:    about 10 min on one CPU core, 4 GB memory; what was scored is kept in --work
Expect:  README.md of this folder; its tables are made from the rows

Candidates: the TFs with labels in TFs+500 with each of its genes but spike-ins, a TF with itself
left out. Lists are those of ENCODE and of BEELINE's four other sets (whole networks of hESC, HepG2
and mDC, TFs+1000 of mESC and mHSC-E), without the cell type under test under any name. *Strict*:
lists of the same species lack all TFs of the set, as mouse sets share experiments. The *scorer,
more evidence* is the network of the compendium on more columns (set_evidence.py), trained on the
four other sets, each in turn without its own lists and as strict; what *ships* is the scorer
that comes with grnjax, trained without the cells of the set and without BEELINE's labels, asked for
ENCODE's lists and motif circuits. The trees are LightGBM's ranker on the same columns and on
expression. |Pearson| is in the cells of the set, the mean of the TF where a gene was not measured.
"""

import dataclasses
import functools
import itertools
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logit

from experiments.compendium.boosted import LEAVES
from experiments.compendium.boosted import TREES as COUNT
from experiments.compendium.left_out import LOOK_UP, RATE
from experiments.compendium.scorer import permute_features
from experiments.compendium.set_evidence import Pairs, describe
from experiments.grnformer.label_free import judge_rows
from experiments.shared.beeline_evidence import FULL_NETWORKS, species_of
from experiments.shared.studies import begin, keep_genes, run_program
from grnjax.baselines.correlation import absolute_pearson
from grnjax.baselines.other_lists import occupancy_rate, rate_and_residual_same
from grnjax.config import Positive, Settings
from grnjax.data.compendium.compendium import Compendium
from grnjax.data.compendium.folder import load_compendium
from grnjax.data.compendium.lists import TargetLists
from grnjax.data.compendium.source import About, ListSource, make_source
from grnjax.data.data_set import find_root
from grnjax.data.expression import DataConfig
from grnjax.methods.compendium.pretraining import (
    ScorerConfig,
    TrainedScorer,
    TrainingRows,
    fit_members,
    read_scorer,
    stack,
    train_compendium,
)
from grnjax.methods.compendium.scoring import LearntScore
from grnjax.methods.compendium.sources import take_long
from grnjax.progress import logger
from grnjax.storage.files import replace_whole
from grnjax.tasks.loading import load_folder
from grnjax.training.recorder import FitRecorder
from grnjax.types import Dataset

STUDY = "compendium_beeline"
CELLS = {"hESC": "H1", "hHEP": "HEPG2", "mDC": "MDC", "mESC": "MESC", "mHSC-E": "MHSC"}
STRICT, LISTED = "strict", "with lists"
SHIPS, MORE, TREES, PEARSON = "scorer that ships", "scorer, more evidence", "trees", "|Pearson|"
OVER_RATE, OVER_PEARSON = f"{MORE}, over rate", f"{MORE}, over |Pearson|"
PERMUTED = f"{MORE}, permuted"
OVER = {MORE: LOOK_UP, SHIPS: LOOK_UP, TREES: LOOK_UP, LOOK_UP: RATE, OVER_RATE: RATE}
OVER |= {OVER_PEARSON: PEARSON, PERMUTED: RATE}
GENES_A_LIST = 600  # in training, drawn once a set


@dataclasses.dataclass(frozen=True, kw_only=True)
class BeelineStudy(Settings):
    """The study."""

    sets: tuple[str, ...] = tuple(CELLS)
    samples: Positive = 1000
    """Resamples of the TFs."""
    scorer: ScorerConfig = ScorerConfig()
    data: DataConfig = DataConfig(split="draw")
    work: Path = Path("compendium-beeline-work")
    """Keeps trained scorers, and the scores of each set."""


@dataclasses.dataclass(frozen=True, eq=False)
class Ground:
    """What the rows of all sets are made of."""

    root: Path
    shipped: Compendium
    whole: Compendium  # with BEELINE's networks
    sets: dict[str, tuple[Pairs, Dataset]]


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(BeelineStudy, STUDY)
    root = find_root(study.data.root)
    shipped = load_compendium(with_own=False)
    whole = dataclasses.replace(shipped, sources=(*shipped.sources, *read_sets(root)))
    sets = {name: load_pairs(name, study) for name in CELLS}
    ground = Ground(root, shipped, whole, sets)
    for split, name in itertools.product((STRICT, LISTED), study.sets):
        pairs, dataset = sets[name]
        others = np.char.upper(dataset.genes.names)[None] != np.array(pairs.tfs)[:, None]
        path = study.work / f"{name}, {split}.npz"
        if not path.exists():
            rows = score_set(study, ground, name, strict=split == STRICT)
            path.parent.mkdir(parents=True, exist_ok=True)
            with replace_whole(path) as partial, open(partial, "wb") as file:
                np.savez(file, **{key: np.float32(x) for key, x in rows.items()})
        with np.load(path, allow_pickle=False) as kept:
            rows = {key: kept[key].astype(np.float64) for key in kept.files}
        rows |= {OVER_RATE: rows[MORE], OVER_PEARSON: rows[MORE]}
        candidates = pairs.labels, others
        judge_rows(
            results, (name, split), rows, candidates, study.samples, lambda x: OVER.get(x, x)
        )
        logger.info("%s, %s: done", name, split)


def load_pairs(name: str, study: BeelineStudy) -> tuple[Pairs, Dataset]:
    """A set as pairs to be ranked, and its data, without spike-ins."""
    dataset, _ = load_folder(f"Specific/{name}/TFs+500", study.data)
    dataset = keep_genes(dataset, ~np.char.startswith(np.char.upper(dataset.genes.names), "ERCC-"))
    genes, edges = np.char.upper(dataset.genes.names), dataset.known.positives
    tfs = np.unique(edges[:, 0])
    labels = np.zeros((len(tfs), len(genes)), bool)
    labels[np.searchsorted(tfs, edges[:, 0]), edges[:, 1]] = True
    return Pairs(CELLS[name], species_of(name), genes, genes[tfs].tolist(), labels), dataset


def read_sets(root: Path) -> Iterator[ListSource]:
    """BEELINE's networks as lists: whole where they are there, else TFs+1000."""
    for name in CELLS:
        about = About(
            name=f"beeline-{name}",
            title=f"ChIP-seq of {name}",
            origin="BEELINE (Pratapa et al. 2020)",
            licence="none stated",
            species=species_of(name),
        )
        folder, universe = root / f"beeline_labels/Specific/{name}/TFs+1000", None
        path = folder / "BL--network.csv"
        if name in FULL_NETWORKS:
            path = root / "beeline_full_networks" / FULL_NETWORKS[name]
        else:
            universe = pd.read_csv(folder / "Target.csv")["Gene"].astype(str).tolist()
        edges = pd.read_csv(path).iloc[:, :2].set_axis(["tf", "target"], axis=1)
        yield make_source(edges.astype(str).assign(cell=CELLS[name]), about, universe=universe)


@functools.cache
def place_all(compendium: Compendium, pairs: Pairs) -> TargetLists:
    """All lists of binding over the genes of a set."""
    return take_long(compendium.over(pairs.genes, species=pairs.species))


def place_lists(
    compendium: Compendium, pairs: Pairs, *cells: str, strict: bool = False
) -> TargetLists:
    """Lists over the genes of a set but of these cells; strict, none of its TFs in its species."""
    lists = place_all(compendium, pairs).without(*cells)
    tfs = pairs.tfs if strict else []
    return lists.take(lists.carried | ~np.isin(lists.tfs, tfs))


def describe_sets(
    ground: Ground, test: str, *, strict: bool
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What is known of each set's pairs and TFs, without lists of its own cells and of the test."""
    found = {}
    for name, (pairs, _) in ground.sets.items():
        lists = place_lists(ground.whole, pairs, pairs.cell, CELLS[test], strict=strict)
        found[name] = describe(pairs, lists, ground.root)
    return found


def make_rows(
    ground: Ground, test: str, known: dict[str, tuple[np.ndarray, np.ndarray]]
) -> TrainingRows:
    """Rows of training of all sets but the test; genes drawn once."""
    rng, found = np.random.default_rng(0), []
    for name, (pairs, _) in ground.sets.items():
        if name == test:
            continue
        chosen = np.sort(rng.choice(len(pairs.genes), GENES_A_LIST, replace=False))
        features, gates = known[name]
        share = np.clip(pairs.labels.mean(axis=1), 1e-4, 1 - 1e-4)
        labels = pairs.labels[:, chosen].astype(np.float32)
        cells = np.full(len(pairs.tfs), pairs.cell)
        found.append((features[:, chosen], gates, labels, logit(share), cells))
    pairs, tfs, labels, offsets, cells = map(np.concatenate, zip(*found, strict=True))
    return TrainingRows(pairs, tfs, labels, offsets.astype(np.float32), cells)


def learn(rows: TrainingRows, config: ScorerConfig) -> TrainedScorer:
    """A scorer of these rows."""
    with FitRecorder(None, config.members, config.training.epochs, "learning to rank") as recorder:
        members = fit_members(rows, config, recorder, seed=0)
    return TrainedScorer(stack(members), config, {})


def score_set(
    study: BeelineStudy, ground: Ground, name: str, *, strict: bool
) -> dict[str, np.ndarray]:
    """Scores [tf, gene] of every row by its name."""
    pairs, dataset = ground.sets[name]
    lists = place_lists(ground.whole, pairs, pairs.cell, strict=strict)
    rows = {
        PEARSON: measure_pearson(dataset),
        RATE: np.broadcast_to(occupancy_rate(lists), pairs.labels.shape),
        LOOK_UP: rate_and_residual_same(lists, pairs.tfs),
    }
    known = describe_sets(ground, name, strict=strict)
    scorer, (features, gates) = learn(make_rows(ground, name, known), study.scorer), known[name]
    rows[MORE] = scorer.score(features, gates)
    rows[PERMUTED] = scorer.score(permute_features(features, [], seed=1), gates)
    rows[TREES] = rank_by_trees(ground, name, known)
    rows[SHIPS] = score_shipped(study, ground.shipped, pairs, strict=strict)
    return rows


def measure_pearson(dataset: Dataset) -> np.ndarray:
    """|Pearson| [tf, gene] in the cells of the set; the TF's mean where a gene was not measured."""
    genes = dataset.genes
    tfs = np.unique(dataset.known.positives[:, 0])
    found = absolute_pearson(genes, tfs).astype(np.float64)
    mean = found[:, genes.measured].mean(axis=1, keepdims=True)
    return np.where(genes.measured, found, mean)


def rank_by_trees(
    ground: Ground, test: str, known: dict[str, tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """LightGBM's ranker, a query a TF, which learns from the other sets."""
    from lightgbm import LGBMRanker

    sets = ground.sets
    others = [name for name in sets if name != test]
    columns = {
        name: np.concatenate([known[name][0], describe_expression(dataset)], axis=-1)
        for name, (_, dataset) in sets.items()
    }
    model = LGBMRanker(
        n_estimators=COUNT,
        num_leaves=LEAVES,
        random_state=0,
        deterministic=True,
        n_jobs=1,
        force_row_wise=True,
        verbose=-1,
    )
    width = columns[test].shape[-1]
    model.fit(
        np.concatenate([columns[name].reshape(-1, width) for name in others]),
        np.concatenate([sets[name][0].labels.ravel() for name in others]).astype(int),
        group=np.repeat(
            [len(sets[x][0].genes) for x in others], [len(sets[x][0].tfs) for x in others]
        ),
    )
    asked = columns[test]
    return model.predict(asked.reshape(-1, width)).reshape(asked.shape[:2])


def describe_expression(dataset: Dataset) -> np.ndarray:
    """Mean, deviation and detection of the gene, and |Pearson|; not a number where not measured."""
    genes = dataset.genes
    tfs = np.unique(dataset.known.positives[:, 0])
    x = genes.expression
    columns = [x.mean(axis=0), x.std(axis=0), (x > 0).mean(axis=0), absolute_pearson(genes, tfs)]
    shape = len(tfs), len(genes.names)
    found = np.stack([np.broadcast_to(column, shape) for column in columns], axis=-1)
    return np.where(genes.measured[:, None], found, np.nan).astype(np.float32)


def score_shipped(
    study: BeelineStudy, shipped: Compendium, pairs: Pairs, *, strict: bool
) -> np.ndarray:
    """The scorer that comes with grnjax, trained without the cells of the set."""
    binding = [source for source in shipped.sources if source.about.kind == "binding"]
    if any(pairs.cell in source.lists.cells for source in binding):
        folder = study.work / "scorers" / pairs.cell
        if not folder.exists():
            train_compendium(folder, without=[pairs.cell], own_lists=False, config=study.scorer)
        scorer = read_scorer(folder)
    else:  # it has seen no list of these cells
        with resources.as_file(resources.files("grnjax") / "shipped") as folder:
            scorer = read_scorer(folder)
    motifs = shipped.over(pairs.genes, species=pairs.species, kinds=("motifs",))
    lists = place_lists(shipped, pairs, pairs.cell, strict=strict)
    return LearntScore(scorer, take_long(motifs))(lists, pairs.tfs)


if __name__ == "__main__":
    run_program(main)
