"""A foundation model trained on the cells of a file, from the start or on from a checkpoint.

What counts is the loss of hidden tokens in cells that no step was taken on, beside rows that need
no model (`foundation.unigram`). What comes of it is a model like a converted one.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from scipy import sparse

from grnjax.config import Count, Positive, Settings, Share, to_json
from grnjax.data.cell_rows import CellRows, open_rows
from grnjax.errors import ConfigError
from grnjax.foundation.convert import LoadedModel, choose_settings
from grnjax.foundation.encoders import EncoderConfig, make_encoder
from grnjax.foundation.scratch import make_fresh
from grnjax.foundation.token_cells import TokenTable, collect
from grnjax.foundation.token_objectives import OBJECTIVES
from grnjax.foundation.token_stream import ROWS_AT_ONCE
from grnjax.foundation.token_training import (
    HiddenTokens,
    TokenData,
    TokenObjective,
    TokenTrainingConfig,
)
from grnjax.foundation.tokenisers import find_genes, stream_tokens
from grnjax.foundation.unigram import judge_unigram
from grnjax.foundation.vocabulary import LEAST_SHARE
from grnjax.progress import logger
from grnjax.storage.memory import find_memory
from grnjax.tasks.held_out import hold_out_cells
from grnjax.training.freezing import count_frozen, thaw
from grnjax.training.keeper import FitResult
from grnjax.training.loop import make_trainer
from grnjax.training.recorder import FitRecorder
from grnjax.training.warm_start import count_taken

if TYPE_CHECKING:  # its import costs half a second
    from anndata import AnnData

PARTS = ("train", "validation", "test")
COUNTED = ("vocabulary", "genes")
READS_VALUES = ("scgpt", "scfoundation")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoundationStudy(Settings):
    """How a model is trained on cells, and what it is judged on."""

    training: TokenTrainingConfig = TokenTrainingConfig()
    settings: tuple[str, ...] = ()
    """Settings of the model that are to be others, NAME=VALUE each, such as layers=2 width=64 of a
    new one; dropout=0.1, dtype=bfloat16, recompute=true or scan=true of any."""
    genes: Positive | None = None
    """Genes of a new model, those of the highest variance; by default all that are detected."""
    validation_share: Share = 0.1
    """Share of the cells that choose the epoch."""
    test_share: Share = 0.2
    """Share of the cells that the fitted model is judged on."""
    expression: Literal["counts", "estimated", "log"] = "counts"
    """What the values are: whole counts, estimated ones, or logs of normalised ones."""
    matrix: str | None = None
    """Layer of the AnnData in the place of X; raw is .raw."""
    gene_column: str | None = None
    """Column of .var with the genes; the index, or what clearly has more of the vocabulary."""
    totals: str | None = None
    """Column of .obs with the counts of each cell over all genes, where the matrix holds some."""
    least_share: Share = LEAST_SHARE
    """Of the smaller list of genes, data or vocabulary, that must match."""
    least_genes: Count | None = None
    """Of scBERT, genes that a cell needs; 200 by default, as published."""
    depth: str | None = None
    """Of scFoundation, the depth T, such as t4; f1, that of the cell itself, by default."""
    seed: Count = 0
    """Of the cells that are held out, of hidden tokens and of the fit."""


@dataclasses.dataclass(frozen=True, eq=False)
class TrainedModel:
    """The model and how well it names or predicts what is hidden."""

    model: LoadedModel
    objective: TokenObjective
    data: TokenData
    result: FitResult
    rows: list[dict]  # model and masked_loss
    parts: np.ndarray  # [cell] str: train, validation, test; "" without tokens
    report: dict


def train_model(
    source: "str | Path | AnnData",
    model: LoadedModel | str,
    study: FoundationStudy,
    *,
    folder: Path | None = None,
    mesh: Mesh | None = None,
    orthologues: Mapping[str, str] | None = None,
) -> TrainedModel:
    """The model fitted to most of the cells, and its loss on the others.

    Args:
        source: as for `data.cell_rows.open_rows`; all tokens are held in memory.
        model: one to go on from, or the name of one to begin.
        folder: run folder for checkpoints and metrics; the fit resumes from it.
        orthologues: gene of the cells' species -> gene of the model's.

    Raises:
        ConfigError: too few cells, or what the model lacks or refuses.
        GeneMismatchError: too few of the genes are in the vocabulary.
        NonFiniteError: an update was not finite; the last good state is in the folder.
    """
    if getattr(study.training, "thinned", 0) and study.expression == "log":
        raise ConfigError(
            "training.thinned takes molecules out of counts, and logs of normalised values have "
            "none: give counts, or --training.thinned=0."
        )
    with open_rows(source, layer=study.matrix) as rows:
        parts = name_parts(len(rows), study)
        model = begin_model(model, rows, parts == "train", study)
        refuse_too_large(model, mesh)
        table, report = read_tokens(rows, model, study, orthologues)
    parts[np.setdiff1d(np.arange(len(parts)), table.rows)] = ""
    objective, data, test = build_data(table, parts[table.rows], model, study)
    report |= {part: int((parts == part).sum()) for part in PARTS}
    updates = objective.updates
    report |= {"updates": updates, "warm_up": study.training.count_warm_up(updates)}
    if report["warm_up"] < study.training.warm_up:
        logger.info(
            f"the warm-up takes {report['warm_up']:,} of {updates:,} updates, and not "
            f"{study.training.warm_up:,}"
        )
    epochs = study.training.epochs
    with FitRecorder(folder, 1, epochs, f"training {model.name}") as recorder:
        trainer = make_trainer(objective, mesh)
        result = recorder.fit(trainer, data, name=model.name, seed=study.seed)
    report["parameters"] = count_frozen(result.variables)
    variables = thaw(result.variables)
    report["start"] = count_taken(variables, model.variables)
    rows_found = judge(objective, variables, data, test)
    about = {**model.about, "config": to_json(model.config)}
    model = dataclasses.replace(model, variables=variables, about=about)
    return TrainedModel(model, objective, data, result, rows_found, parts, report)


def name_parts(cells: int, study: FoundationStudy) -> np.ndarray:
    """Which part each row belongs to, by the seed."""
    shares = study.test_share, study.validation_share
    found = hold_out_cells(cells, *shares, seed=study.seed)
    parts = np.full(cells, "train", "<U10")
    parts[found.test], parts[found.validation] = "test", "validation"
    return parts


def begin_model(
    model: LoadedModel | str, rows: CellRows, is_train: np.ndarray, study: FoundationStudy
) -> LoadedModel:
    """The model with the settings asked for; a new one has the genes of the rows."""
    settings = dict(map(read_setting, study.settings))
    refuse_sizes(settings)
    if not isinstance(model, str):
        if study.genes is not None:
            raise ConfigError("--genes is of a new model; this one has its vocabulary.")
        config = choose_settings(model.config, settings)
        return dataclasses.replace(model, config=config, module=config.make())
    starts = range(0, len(rows), ROWS_AT_ONCE)
    blocks = [rows.read(i, i + ROWS_AT_ONCE)[is_train[i : i + ROWS_AT_ONCE]] for i in starts]
    return make_fresh(
        model,
        sparse.csr_array(sparse.vstack(blocks)),
        rows.name_genes(study.gene_column).tolist(),
        settings,
        most_genes=study.genes,
        is_log=study.expression == "log",
    )


def refuse_sizes(settings: Mapping[str, Any]) -> None:
    """Refuses sizes that the genes decide: a smaller table would lend genes each other's rows."""
    for name in settings:
        if name.rpartition(".")[2] in COUNTED:
            raise ConfigError(
                f"--settings {name} is counted and no choice: a new model has a word for each gene "
                "of the cells, and any other those that it knows; --genes=N gives a new one fewer."
            )


def refuse_too_large(model: LoadedModel, mesh: Mesh | None) -> None:
    """Refuses a model whose training needs more memory than its devices have.

    Counted are parameters, gradients and both moments of Adam in float32, and nothing of the cells.
    """
    devices = jax.local_devices()[:1] if mesh is None else mesh.local_devices
    room, needed = find_memory(devices) * len(devices), 16 * model.about["parameters"]
    if needed > room:
        raise ConfigError(
            f"{model.about['parameters']:,} parameters of {model.name} take {needed / 1e9:,.1f} GB "
            f"to train before any cell, and {room / 1e9:.1f} GB are free: give smaller --settings, "
            "such as layers=2 width=64, or more memory."
        )


def read_setting(word: str) -> tuple[str, Any]:
    """Name and value of an entry of --settings; the value as in JSON, or text."""
    name, mark, value = word.partition("=")
    if not mark or not value:
        raise ConfigError(f"--settings {word} is not NAME=VALUE, such as layers=2.")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def read_tokens(
    rows: CellRows,
    model: LoadedModel,
    study: FoundationStudy,
    orthologues: Mapping[str, str] | None,
) -> tuple[TokenTable, dict]:
    """All cells as tokens of the model, and what was left out."""
    depth = study.depth or ("f1" if model.name == "scfoundation" else None)
    config = EncoderConfig(expression=study.expression, least_genes=study.least_genes, depth=depth)
    tokeniser = make_encoder(model, config).tokeniser
    match = find_genes(rows, tokeniser, study.gene_column, orthologues, study.least_share)
    stream = stream_tokens(rows, tokeniser, match, totals=study.totals)
    table = collect(stream, tokeniser.longest, with_values=model.name in READS_VALUES)
    return table, {"source": rows.name, **stream.report, "tokens": table.tokens.shape[1]}


def build_data(
    table: TokenTable, parts: np.ndarray, model: LoadedModel, study: FoundationStudy
) -> tuple[TokenObjective, TokenData, HiddenTokens]:
    """The objective, the arrays of its fit, and the cells that it is judged on.

    Raises:
        ConfigError: a part has no cell with tokens.
    """
    places = {part: np.flatnonzero(parts == part).astype(np.int32) for part in PARTS}
    empty = [part for part in PARTS if not len(places[part])]
    if empty:
        raise ConfigError(
            f"none of the cells for {empty[0]} has enough genes of the model; give more cells."
        )
    steps = -(-len(places["train"]) // study.training.batch_size)
    objective = OBJECTIVES[model.name].of(model, study.training, steps)
    nothing = HiddenTokens(places["validation"], np.zeros((0, 0), bool))
    arrays = table.tokens, table.values, table.lengths, places["train"]
    data = TokenData(*arrays, nothing, model.variables or None)
    keys = jax.random.split(jax.random.key(study.seed), 2)
    found = [
        hide_once(objective, data, places[part], key)
        for part, key in zip(("validation", "test"), keys, strict=True)
    ]
    return objective, data._replace(validation=found[0]), found[1]


def hide_once(
    objective: TokenObjective, data: TokenData, cells: np.ndarray, key: jax.Array
) -> HiddenTokens:
    """These cells with the tokens that are hidden in them once and for all."""
    size, bare = objective.config.batch_size, data._replace(start=None)

    @jax.jit
    def choose(data, cells, key):
        return objective.choose(objective.take(data, cells), key)

    bare = jax.tree.map(jnp.asarray, bare)
    parts = []
    for first in range(0, len(cells), size):
        own = cells[(np.arange(size) + first) % len(cells)]
        parts.append(np.asarray(choose(bare, own, jax.random.fold_in(key, first))))
    return HiddenTokens(cells, np.concatenate(parts)[: len(cells)])


def judge(
    objective: TokenObjective, variables: dict, data: TokenData, test: HiddenTokens
) -> list[dict]:
    """The mean loss of hidden tokens of test cells: the model's, and those of rows without one."""
    bare = data._replace(start=None)
    losses, counts = map(np.asarray, jax.jit(objective.judge)(variables, bare, test))
    found = {"model": float(losses.sum(dtype=np.float64) / max(counts.sum(), 1))}
    found |= judge_unigram(objective, data, test)
    return [{"model": name, "masked_loss": loss} for name, loss in found.items()]
