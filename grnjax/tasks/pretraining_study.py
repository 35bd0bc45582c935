"""GRNFormer on the cells of a file with the networks that stand in it, beside its controls.

The file is one that `grnjax activity` has written. What the networks add is the difference to a fit
with random networks of equal degrees: with more parameters and any network at all, much is gained.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float
from scipy import sparse

from grnjax.baselines.network_controls import rewire_networks, shuffle_cells
from grnjax.config import Count, Items, to_json
from grnjax.data.annotated import read_annotated
from grnjax.data.cell_groups import take_groups
from grnjax.data.cells import read_cells, to_log_scale
from grnjax.data.expression import DataConfig
from grnjax.data.expression_matrix import take_object
from grnjax.data.regulon_store import read_activity
from grnjax.errors import ConfigError, EdgeFormatError
from grnjax.foundation.convert import LoadedModel
from grnjax.graphs.activity import AUCellConfig
from grnjax.graphs.cell_networks import CellNetworks
from grnjax.tasks.pretraining import Pretrained, PretrainingConfig, fit_cells
from grnjax.training.masked_expression import MaskedTrainingConfig
from grnjax.training.recorder import FitRecorder

MODEL = "GRNFormer"
ControlName = Literal["random-network", "shuffled-cells", "learned-constant", "no-network"]


class Control(NamedTuple):
    """What a control does to the networks, or to how the model reads them."""

    networks: Callable[..., CellNetworks] | None = None
    structure: str | None = None

    def apply(
        self, networks: CellNetworks, training: MaskedTrainingConfig, seed: int
    ) -> tuple[CellNetworks, MaskedTrainingConfig]:
        """The networks and the settings of the fit that it is."""
        if self.networks is not None:
            networks = self.networks(networks, seed=seed)
        if self.structure is not None:
            training = with_structure(training, self.structure)
        return networks, training


CONTROLS: dict[str, Control] = {
    "random-network": Control(rewire_networks),
    "shuffled-cells": Control(shuffle_cells),
    "learned-constant": Control(structure="constant"),
    "no-network": Control(structure="none"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainingStudy(PretrainingConfig):
    """A model and its controls, on the same cells with the same hidden values."""

    controls: Annotated[tuple[ControlName, ...], Items(different=True, empty=True)] = (
        "random-network",
    )
    """What is fitted beside the model: random networks of equal degrees; the networks of other
    cells; a constant in the place of structure, as many parameters without a network; the backbone
    alone."""
    seed: Count = 0
    """Of the cells that are held out, of hidden values and of fits."""


class CellsWithNetworks(NamedTuple):
    """What a model is fitted to."""

    expression: sparse.csr_matrix  # [cell, gene], log scale
    genes: np.ndarray  # [gene] str
    networks: CellNetworks
    names: np.ndarray  # [cell] str
    settings: dict  # of the activity that says which regulons a cell has
    report: dict


def load_cells(source, groups: str, data: DataConfig) -> CellsWithNetworks:
    """Cells and the networks that `grnjax activity` has put beside them.

    Args:
        source: a file or object with activity of regulons.
        groups: column of .obs with the cell types that the activity was made with.

    Raises:
        EdgeFormatError: no activity in it.
        ConfigError: a cell has no type, or its type has no network.
    """
    is_path = isinstance(source, (str, Path))
    adata = read_annotated(source, EdgeFormatError) if is_path else take_object(source)
    name = str(source) if is_path else "AnnData object"
    stored = read_activity(adata, name)
    types = take_groups(adata.obs, groups, name)
    unknown = np.setdiff1d(types, stored.type_names)
    if len(unknown):
        raise ConfigError(
            f"{name}: {np.isin(types, unknown).sum():,} of {len(types):,} cells have no type with "
            f"a network by .obs column {groups!r}; make the activity with --groups {groups}, of "
            "cells that all have one."
        )
    edges = stored.regulons.edges
    found = read_cells(adata, data, {*edges["tf"], *edges["target"]}, name=name)
    found = to_log_scale(found, data)
    places = np.searchsorted(stored.type_names, types)
    networks = CellNetworks(edges, stored.active, stored.type_active, places)
    report = found.report | {"source": name, "regulons": len(stored.regulons.names)}
    return CellsWithNetworks(
        sparse.csr_matrix(found.values),
        found.genes,
        networks,
        adata.obs_names.to_numpy(str),
        stored.settings,
        report,
    )


def check_shown(cells: CellsWithNetworks, study: PretrainingStudy) -> None:
    """Refuses what networks of shown values cannot follow.

    Raises:
        ConfigError: cells that trade networks, or activity by other settings than the default.
    """
    if study.training.networks_from != "shown":
        return
    if "shuffled-cells" in study.controls:
        raise ConfigError(
            "--controls shuffled-cells: with --training.networks-from=shown a cell's network is "
            "made of its own shown values, and there is none to trade; leave the control out."
        )
    default = {"method": "aucell", **to_json(AUCellConfig())}
    default.pop("normalisation")  # a factor for each regulon, which its threshold follows
    made = default | (cells.settings.get("aucell") or {})
    made["method"] = cells.settings.get("method", "aucell")
    other = {key: made[key] for key in default if made[key] != default[key]}
    if other:
        raise ConfigError(
            f"--training.networks-from=shown counts the highest {AUCellConfig().top_share:.0%} of "
            f"genes, and the activity of these cells was made with {other}; make it with the "
            "defaults of grnjax activity."
        )


def run_study(
    cells: CellsWithNetworks,
    study: PretrainingStudy,
    *,
    folder: Path | None = None,
    mesh: Mesh | None = None,
    start: LoadedModel | None = None,
) -> tuple[Pretrained, list[dict]]:
    """The fitted model, and a row each for it, its controls and the two means.

    Args:
        start: a foundation model that becomes the backbone of all of them.
        folder: run folder; fits that have ended are read back from it, others resume.

    Raises:
        ConfigError: networks of shown values are asked for, and these cannot be (`check_shown`).
    """
    check_shown(cells, study)
    fits = len(study.controls) + 1
    with FitRecorder(folder, fits, study.training.epochs, "pretraining") as recorder:

        def fit(name: str, control: Control) -> Pretrained:
            networks, training = control.apply(cells.networks, study.training, study.seed)
            return fit_cells(
                recorder,
                name,
                cells.expression,
                cells.genes,
                networks,
                dataclasses.replace(study, training=training),
                seed=study.seed,
                mesh=mesh,
                start=start,
            )

        fitted = fit(MODEL, Control())
        controls = {name: fit(name, CONTROLS[name]).rows[0] for name in study.controls}
    model, *means = fitted.rows
    return fitted, [model, *({**row, "model": name} for name, row in controls.items()), *means]


def with_structure(training: MaskedTrainingConfig, networks: str) -> MaskedTrainingConfig:
    """The settings with this in the place of the networks that the structure encoder reads."""
    structure = dataclasses.replace(training.model.structure, networks=networks)
    model = dataclasses.replace(training.model, structure=structure)
    return dataclasses.replace(training, model=model)


def embed_cells(fitted: Pretrained) -> Float[np.ndarray, "cell dim"]:
    """A vector of each cell, in the order of the data: the mean over genes, nothing hidden."""
    objective, data = fitted.objective, fitted.data
    model, size = objective.make_model(data), objective.config.batch_size
    cells, tokens = data.expression.shape

    @jax.jit
    def embed(variables, data, places):
        nothing = jnp.zeros((size, tokens), bool)
        key = jax.random.fold_in(jax.random.key(0), places[0])  # of neighbours alone
        shown = objective.show(data, places, nothing, key, train=False)
        found = model.apply(variables, shown, train=False, method="encode")
        return found.mean(axis=1)

    starts = range(0, cells, size)
    variables = fitted.result.variables
    parts = [embed(variables, data, (jnp.arange(size) + first) % cells) for first in starts]
    return np.concatenate([np.asarray(part) for part in parts])[:cells]
