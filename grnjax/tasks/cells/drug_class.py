"""Drug class of single cells, sensitive or resistant, learned from bulk samples.

SCAD's protocol (Zheng et al. 2023, Advanced Science 10:2204113): five folds of bulk and of single
cells; the single cells of the other folds are seen without labels. One setting serves all drugs. As
cells of a line share their label, the band of chance is that of labels permuted among lines, for
the mean over folds: a fold of four lines has six ways to label them, and any may be the true one.
"""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from grnjax.config import AtLeastTwo
from grnjax.data.data_set import find_root
from grnjax.data.drug_classes import (
    ConstructionConfig,
    DrugPair,
    construct_pair,
    read_pair,
    read_thresholds,
)
from grnjax.data.drug_screens import read_screen
from grnjax.data.scad_folders import find_drugs, read_scad
from grnjax.errors import ConfigError
from grnjax.tasks.cells.study import CellPart, CellTask, Kind, Row
from grnjax.training.domain_transfer import (
    TransferData,
    TransferObjective,
    TransferTrainingConfig,
)
from grnjax.training.loop import make_trainer
from grnjax.training.recorder import FitRecorder, derive_seed

PERMUTATIONS = 200
Scale = Literal["apart", "together"]


@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
    """One drug and fold."""

    pair: DrugPair
    bulk: np.ndarray  # train rows
    seen: np.ndarray  # single cells without labels
    test: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class DrugClass(CellTask):
    """Tell sensitive from resistant single cells by labelled bulk samples."""

    SHOWN: ClassVar[dict[str, str]] = {"auroc": "AUROC", "auroc_high": "chance 97.5 %"}

    drugs: tuple[str, ...] = ("Sorafenib", "NVP-TAE684", "PLX4720", "Etoposide")
    """Drugs of a screen; a folder with bulk.h5ad and cells.h5ad, or of SCAD's form, has its own."""
    table: str = "GDSC1_IC50"
    """Table of the screen."""
    thresholds: Path | None = None
    """Folder with IC50_thred.txt; by default drug_response_deepcdr of the data root."""
    construction: ConstructionConfig = ConstructionConfig()
    """Of single cells, where a screen has none."""
    folds: AtLeastTwo = 5
    """Where the folder has none of its own."""
    scale: Scale = "apart"
    """Genes are standardised within bulk and within the train cells, or over both (published)."""
    training: TransferTrainingConfig = TransferTrainingConfig()
    """One setting for all drugs."""

    def list_inputs(self, source: str) -> dict[str, str | Path | None]:
        """The folder and that of the thresholds."""
        return {"source": source, "thresholds": self.thresholds}

    def read(self, source: str) -> tuple[Any, dict]:
        """Pairs of folders, or the screen that pairs are constructed of, each seed's own."""
        folder, given = Path(source), []
        if (folder / "bulk.h5ad").exists():
            given = [read_pair(folder)]
        elif homes := find_drugs(folder):
            given = [read_scad(home) for home in homes]
        if given:
            report = {x.drug: f"{len(x.bulk)} samples, {len(x.cells)} cells" for x in given}
            return dict.fromkeys(self.seeds, given), report
        screen = read_screen(source, table=self.table, graphs=False)
        home = self.thresholds or find_root(None) / "drug_response_deepcdr"
        thresholds, config = read_thresholds(home), self.construction
        pairs = {
            seed: [construct_pair(screen, x, thresholds, config, seed=seed) for x in self.drugs]
            for seed in self.seeds
        }
        return pairs, screen.report | {"single_cells": "constructed"}

    def list_parts(self, material: dict[int, list[DrugPair]]) -> list[CellPart]:
        """Each seed and drug, with its folds; lines are whole in a fold of single cells."""
        return [
            CellPart(
                f"{pair.drug}-{seed}", pair.drug, seed, draw_folds(pair, self.folds, seed=seed)
            )
            for seed, pairs in material.items()
            for pair in pairs
        ]

    def list_rows(self, material, part: CellPart) -> list[Row]:
        """Chance, linear and boosted models of bulk, and the transfer with and without."""
        shape = (sum(len(fold.test) for fold in part.content),)

        def over_folds(name: str, kind: Kind, predict: Callable) -> Row:
            """The test cells of one fold after the other."""

            def predict_all(recorder: FitRecorder) -> np.ndarray:
                found = [predict(recorder, *one) for one in enumerate(part.content)]
                return np.concatenate(found)

            # fits are kept by themselves, and trivial rows are soon made again
            return Row(name, kind, predict_all, shape if kind == "baseline" else None)

        def learn(name: str, kind: Kind, classify: Callable) -> Row:
            """One that is fitted to bulk and asked for the cells."""

            def predict(_, number: int, fold: Fold) -> np.ndarray:
                bulk, cells = self.scale_rows(fold)
                labels = fold.pair.labels[fold.bulk]
                return classify(bulk[fold.bulk], labels, cells[fold.test], seed=part.seed)

            return over_folds(name, kind, predict)

        def transfer(name: str, kind: Kind, config: TransferTrainingConfig) -> Row:
            def predict(recorder: FitRecorder, number: int, fold: Fold) -> np.ndarray:
                bulk, cells = self.scale_rows(fold)
                slug = f"{part.name}-{number}-{name.replace(', ', '-').replace(' ', '-')}"
                asked = self.fit(recorder, fold, bulk, cells, config, name=slug, seed=part.seed)
                return asked(cells[fold.test])

            return over_folds(name, kind, predict)

        return [
            learn("class share", "trivial", guess),
            learn("class means", "trivial", classify_by_means),
            learn("logistic on bulk", "baseline", classify_linearly),
            learn("boosting on bulk", "baseline", classify_by_boosting),
            transfer("transfer", "model", self.training),
            transfer(
                "transfer, not adapted",
                "control",
                dataclasses.replace(self.training, domain_weight=0.0),
            ),
        ]

    def scale_rows(self, fold: Fold) -> tuple[np.ndarray, np.ndarray]:
        """Bulk and cells with the genes standardised on what training sees."""
        pair = fold.pair
        seen = pair.bulk[fold.bulk], pair.cells[fold.seen]
        if self.scale == "together":
            seen = (np.concatenate(seen),) * 2
        mean = [x.mean(axis=0) for x in seen]
        spread = [np.where(x.std(axis=0) > 0, x.std(axis=0), np.inf) for x in seen]
        found = [(x - m) / s for x, m, s in zip((pair.bulk, pair.cells), mean, spread, strict=True)]
        return found[0].astype(np.float32), found[1].astype(np.float32)

    def fit(
        self,
        recorder: FitRecorder,
        fold: Fold,
        bulk: np.ndarray,
        cells: np.ndarray,
        config: TransferTrainingConfig,
        *,
        name: str,
        seed: int,
    ) -> Callable[[np.ndarray], np.ndarray]:
        """The adversarial transfer of a fold: what gives the logits of rows."""
        data = TransferData(
            source=jnp.asarray(bulk[fold.bulk]),
            labels=jnp.asarray(fold.pair.labels[fold.bulk], jnp.float32),
            target=jnp.asarray(cells),
            train=jnp.asarray(fold.seen),
        )
        objective = TransferObjective(config, -(-len(fold.seen) // config.batch_size))
        trainer = make_trainer(objective)
        fitted = recorder.fit(trainer, data, name=name, seed=derive_seed(seed, 43))
        return lambda rows: np.asarray(jax.jit(objective.predict)(fitted.variables, rows))

    def judge(self, material, part: CellPart, predicted) -> pd.DataFrame:
        """AUROC of the test cells of each fold."""
        folds = [
            (fold.pair.cell_labels[fold.test], own) for fold, own in cut(part.content, predicted)
        ]
        names = [f"{part.name}-{number}" for number in range(len(folds))]
        return pd.DataFrame({"unit": names, "auroc": [rank_classes(*x) for x in folds]})

    def describe(self, material, part: CellPart, predicted) -> dict[str, float]:
        """Where 95 % of means over folds lie, whose labels are permuted among lines.

        Lines trade labels within their fold, so that every fold keeps its classes.
        """
        rng, drawn = np.random.default_rng([part.seed, 47]), np.zeros(PERMUTATIONS)
        for fold, own in cut(part.content, predicted):
            labels, line = fold.pair.cell_labels[fold.test], fold.pair.line[fold.test]
            _, first, of_cell = np.unique(line, return_index=True, return_inverse=True)
            for place in range(PERMUTATIONS):
                permuted = rng.permutation(labels[first])[of_cell]
                drawn[place] += rank_classes(permuted, own) / len(part.content)
        low, high = np.percentile(drawn, [2.5, 97.5])
        return {"auroc_low": float(low), "auroc_high": float(high)}

    def epochs(self) -> int:
        """Of a row, whose folds are a fit each."""
        return self.folds * self.training.epochs


def draw_folds(pair: DrugPair, count: int, *, seed: int) -> list[Fold]:
    """Folds of bulk rows and of single cells; each has both classes, and lines are not cut.

    Those that came with the pair are taken as they are, whatever the seed.

    Raises:
        ConfigError: fewer lines of a class than folds, or a fold without one of the classes.
    """
    from sklearn.model_selection import StratifiedKFold

    if pair.folds:
        found = [Fold(pair, *own) for own in pair.folds]
        if any(len(np.unique(pair.cell_labels[fold.test])) < 2 for fold in found):
            raise ConfigError(f"{pair.drug}: the test cells of a fold are all of one class.")
        return found
    lines, first = np.unique(pair.line, return_index=True)
    of_line = pair.cell_labels[first]
    least = min(np.bincount(of_line, minlength=2).min(), np.bincount(pair.labels).min())
    if least < count:
        raise ConfigError(
            f"{pair.drug}: {least} lines or samples of one class, fewer than the {count} folds; "
            "give --task.folds fewer, or more lines."
        )
    draw = StratifiedKFold(count, shuffle=True, random_state=seed)
    bulk = [train for train, _ in draw.split(pair.labels, pair.labels)]
    found = []
    for number, (_, held) in enumerate(draw.split(of_line, of_line)):
        is_test = np.isin(pair.line, lines[held])
        seen, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
        found.append(Fold(pair, bulk[number], seen, test))
    return found


def cut(folds: list[Fold], predicted: np.ndarray) -> Iterator[tuple[Fold, np.ndarray]]:
    """Each fold with the predictions of its test cells."""
    ends = np.cumsum([len(fold.test) for fold in folds])[:-1]
    return zip(folds, np.split(predicted, ends), strict=True)


def rank_classes(labels: np.ndarray, predicted: np.ndarray) -> float:
    """AUROC."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, predicted))


def guess(x, y, asked, *, seed: int) -> np.ndarray:
    """The share of sensitive samples for all."""
    return np.full(len(asked), y.mean())


def classify_by_means(x, y, asked, *, seed: int) -> np.ndarray:
    """The projection on the difference of the classes' means."""
    return asked @ (x[y == 1].mean(0) - x[y == 0].mean(0))


def classify_linearly(x, y, asked, *, seed: int) -> np.ndarray:
    """Logistic regression, classes balanced."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=0.01, max_iter=2000, class_weight="balanced")
    return model.fit(x, y).decision_function(asked)


def classify_by_boosting(x, y, asked, *, seed: int) -> np.ndarray:
    """LightGBM where it is installed, else scikit-learn's boosting on the same histograms."""
    from grnjax.baselines.response_rows import has_lightgbm

    if has_lightgbm():
        import lightgbm

        model = lightgbm.LGBMClassifier(
            n_estimators=100, class_weight="balanced", random_state=seed, verbose=-1
        )
    else:
        from sklearn.ensemble import HistGradientBoostingClassifier

        model = HistGradientBoostingClassifier(
            class_weight="balanced", random_state=seed, early_stopping=False
        )
    return model.fit(x, y).predict_proba(asked)[:, 1]
