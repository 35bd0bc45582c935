"""How the scorer learns: every cell type of the compendium is left out once, and asked for.

For a list of training, what other lists say is computed without any list of its own cell type, and
without those of the cell types that are left out for good (`TargetLists.nested`); so what is learnt
is how to rank in cells that nobody has assayed. Members keep other cell types aside, whose lists
choose the epoch. A checkpoint says which compendium and which cell types it has seen.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.special import logit

from grnjax.config import Positive, Settings, from_json, to_json
from grnjax.data.compendium.compendium import Compendium
from grnjax.data.compendium.folder import load_compendium
from grnjax.data.compendium.lists import TargetLists
from grnjax.errors import CheckpointError, ConfigError
from grnjax.methods.compendium.features import FEATURES, GATES, LOOK_UP, describe_pairs
from grnjax.methods.compendium.sources import find_lists
from grnjax.progress import logger
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.storage.manifest import MANIFEST, read_manifest
from grnjax.training.list_ranking import ListData, ListObjective, ListTrainingConfig
from grnjax.training.loop import make_trainer
from grnjax.training.recorder import FitRecorder, derive_seed

FOLDER = "scorer"  # of a checkpoint, in the folder that is given
ASIDE = 5  # one of so many cell types is kept aside by a member
FEWEST_CELLS = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScorerConfig(Settings):
    """How the scorer of the compendium is trained."""

    training: ListTrainingConfig = ListTrainingConfig()
    members: Positive = 3
    """Scorers whose logits are averaged; each keeps other cell types aside."""
    fewest_targets: Positive = 100
    """Lists with fewer targets are asked for nothing; they stay among those that are asked."""
    genes_a_list: Positive = 2000
    """Genes of a list that are trained on, drawn once."""


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingRows:
    """Lists to be ranked, and what others say of them."""

    pairs: Float[np.ndarray, "list gene feature"]
    tfs: Float[np.ndarray, "list gate"]
    labels: Float[np.ndarray, "list gene"]
    offsets: Float[np.ndarray, " list"]
    cells: np.ndarray  # [list] str

    def keep_aside(self, member: int) -> ListData:
        """The arrays of a member's fit."""
        kept = np.unique(self.cells)[member % ASIDE :: ASIDE]
        return ListData(
            pairs=jnp.asarray(self.pairs),
            tfs=jnp.asarray(self.tfs),
            labels=jnp.asarray(self.labels),
            offsets=jnp.asarray(self.offsets),
            is_aside=jnp.asarray(np.isin(self.cells, kept)),
        )


def make_rows(
    lists: TargetLists, motifs: TargetLists | None, config: ScorerConfig, *, seed: int
) -> TrainingRows:
    """A row of training for each list that is long enough, without its own cell type's lists.

    Raises:
        ConfigError: too few cell types have such lists.
    """
    rng, found = np.random.default_rng(seed), []
    count = min(config.genes_a_list, len(lists.genes))
    for cell, own, others in lists.nested():
        own = own.take(own.counts >= config.fewest_targets)
        if not len(own) or not len(others):
            continue
        known = describe_pairs(others, motifs, own.tfs.tolist())
        genes = np.sort(rng.choice(len(lists.genes), count, replace=False))
        labels, cells = own.labels, np.full(len(own), cell)
        share = np.clip(labels.mean(axis=1), 1e-4, 1 - 1e-4)
        found.append((known.pairs[:, genes], known.tfs, labels[:, genes], logit(share), cells))
    if len(found) < FEWEST_CELLS:
        raise ConfigError(
            f"{len(found):,} cell types have lists of {config.fewest_targets:,} targets, and "
            f"training needs {FEWEST_CELLS} or more; leave out fewer, or add lists by grnjax data "
            "compendium add."
        )
    pairs, tfs, labels, offsets, cells = map(np.concatenate, zip(*found, strict=True))
    return TrainingRows(pairs, tfs, labels, offsets.astype(np.float32), cells)


def fit_members(
    rows: TrainingRows, config: ScorerConfig, recorder: FitRecorder, *, seed: int
) -> list[Mapping[str, Any]]:
    """The parameters of each member."""
    trainer = make_trainer(ListObjective(config.training, LOOK_UP))
    found = []
    for member in range(config.members):
        own = derive_seed(seed, member)
        result = recorder.fit(trainer, rows.keep_aside(member), name=f"member{member}", seed=own)
        found.append(result.variables["params"])
    return found


def train_compendium(
    out: str | Path,
    *,
    without: Sequence[str] = (),
    species: str = "human",
    compendium: Compendium | None = None,
    own_lists: bool = True,
    config: ScorerConfig | None = None,
    seed: int = 0,
) -> Path:
    """Trains the scorer on a compendium, and returns the folder of its checkpoint.

    The folder keeps the fits, so that the same call resumes; `infer` takes it by
    `--method.checkpoint`.

    Args:
        out: run folder.
        without: cell types of which nothing is seen, from no source and under no name.
        species: whose genes the lists are placed on.
        compendium: by default what comes with grnjax, and the user's own lists.
        own_lists: whether those count.

    Raises:
        ConfigError: too few cell types are left.
    """
    config = config or ScorerConfig()
    compendium = compendium or load_compendium(with_own=own_lists)
    left = compendium.without(*without) if without else compendium
    lists, motifs = place_everything(left, species)
    rows = make_rows(lists, motifs, config, seed=seed)
    logger.info(
        f"training on {len(rows.labels):,} lists of {len(np.unique(rows.cells)):,} cell types"
    )
    epochs, folder = config.training.epochs, Path(out)
    with FitRecorder(folder, config.members, epochs, "learning to rank") as recorder:
        members = fit_members(rows, config, recorder, seed=seed)
    about = {
        "model": "compendium scorer",
        "config": to_json(config),
        "features": [*FEATURES, *GATES],
        "compendium": left.digest,
        "cells": np.unique(lists.cells).tolist(),
        "species": species,
        "seed": seed,
    }
    store = CheckpointStore(folder / FOLDER, keep=1)
    store.save(1, jax.tree.map(np.asarray, {"members": stack(members)}), about)
    return folder


def place_everything(
    compendium: Compendium, species: str
) -> tuple[TargetLists, TargetLists | None]:
    """Lists and motifs over the genes of the species, whether any list names them or not."""
    genes = compendium.list_universe(species)
    lists, motifs = (find_lists(compendium, genes, species, kind) for kind in ("binding", "motifs"))
    if lists is None:
        raise ConfigError(f"the compendium that is left has no list of binding of {species}.")
    return lists, motifs


def stack(members: Sequence[Mapping[str, Any]]) -> Any:
    """The parameters of all members, with a leading axis of members."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)


@dataclasses.dataclass(frozen=True, eq=False)
class TrainedScorer:
    """Members of a scorer, and what it has seen."""

    members: Any  # parameters, with a leading axis of members
    config: ScorerConfig
    about: dict

    @property
    def cells(self) -> list[str]:
        """The cell types whose lists it was trained on."""
        return self.about["cells"]

    def score(
        self, pairs: Float[np.ndarray, "tf gene feature"], tfs: Float[np.ndarray, "tf gate"]
    ) -> Float[np.ndarray, "tf gene"]:
        """The mean logit over members, TF by TF."""
        run = make_score(self.config.training)
        rows = zip(pairs, tfs, strict=True)
        found = [np.asarray(run(self.members, row, tf)) for row, tf in rows]
        return np.stack(found) if found else np.zeros(pairs.shape[:2], np.float32)


@functools.cache
def make_score(config: ListTrainingConfig) -> Callable[..., jax.Array]:
    """The mean logit [gene] of members for one TF, compiled."""
    model = ListObjective(config, LOOK_UP).model

    def score(members, pairs, tf):
        one = jax.vmap(lambda parameters: model.apply({"params": parameters}, pairs, tf))
        return one(members).mean(axis=0)

    return jax.jit(score)


def read_scorer(folder: str | Path) -> TrainedScorer:
    """The scorer that `train_compendium` wrote.

    Raises:
        CheckpointError: there is none, or it is damaged or of other features.
    """
    home = Path(folder) / FOLDER
    manifests = sorted(home.glob(f"[0-9]*/{MANIFEST}"))
    if not manifests:
        raise CheckpointError(
            f"{folder} holds no trained scorer of a compendium; train_compendium makes one."
        )
    about = read_manifest(manifests[-1])["meta"]
    if about.get("features") != [*FEATURES, *GATES]:
        raise CheckpointError(
            f"{folder}: its scorer was trained on other features than this version has; train it "
            "again."
        )
    config: ScorerConfig = from_json(ScorerConfig(), about["config"])
    model = ListObjective(config.training, LOOK_UP).model
    example = np.zeros((1, 1, len(FEATURES)), np.float32), np.zeros((1, len(GATES)), np.float32)
    form = jax.eval_shape(lambda key: model.init(key, *example)["params"], jax.random.key(0))
    form = jax.tree.map(lambda x: np.zeros((config.members, *x.shape), x.dtype), form)
    restored = CheckpointStore(home, keep=1).latest({"members": form})
    assert restored is not None
    return TrainedScorer(restored.state["members"], config, restored.meta)
