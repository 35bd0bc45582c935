"""DREAM4's knock-outs and knock-downs of 100 genes in the form of perturbed cells.

Each gene of a network is knocked out and knocked down once, one sample each. What the network is
unperturbed is not among the files; the time series begin with it, ten replicates, which are the
controls here.
"""

import os
import re
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from grnjax.data.bulk import DREAM4, require_file, stack_samples
from grnjax.data.data_set import ROOT_VARIABLE
from grnjax.data.edges import read_edges
from grnjax.data.perturbed_cells import CONTROL, PerturbedCells, pair_cells, read_perturbed
from grnjax.errors import ConfigError, ExpressionFormatError

DREAM4_NAME = re.compile(r"dream4-(\w+)")
POINTS = 21  # of a time series
Kind = Literal["knockouts", "knockdowns"]


def read_dream4(
    network: str | int, root: str | Path | None = None, *, kind: Kind = "knockouts"
) -> tuple[PerturbedCells, pd.DataFrame]:
    """The samples of a network, perturbed and not, and its edges.

    Args:
        root: folder of the data sets; the environment variable GRNJAX_DATA names it otherwise.

    Raises:
        ConfigError: there is no such folder, or no such network in it.
        ExpressionFormatError: not as many samples as genes, or no whole time series.
    """
    root = root or os.environ.get(ROOT_VARIABLE)
    if not root:
        raise ConfigError(f"dream4-{network} lies under the data root: set {ROOT_VARIABLE}=FOLDER.")
    folder, stem = Path(root) / DREAM4, f"insilico_size100_{network}"
    path = require_file(folder, f"{stem}_{kind}.tsv")
    changed = stack_samples({kind: path}, numbered=None)
    series_path = require_file(folder, f"{stem}_timeseries.tsv")
    series = stack_samples({"time series": series_path}, numbered=None)
    if len(changed) != changed.shape[1]:
        raise ExpressionFormatError(
            f"{path}: {len(changed):,} samples of {changed.shape[1]:,} genes; each gene is "
            "perturbed once, in the order of the columns."
        )
    if len(series) % POINTS:
        raise ExpressionFormatError(
            f"{series_path}: {len(series):,} samples, which are no whole series of {POINTS}."
        )
    genes = np.array(changed.columns, dtype=str)
    controls = series.iloc[::POINTS][changed.columns]
    values = np.concatenate([controls.to_numpy(), changed.to_numpy()]).astype(np.float32)
    conditions = np.array([CONTROL] * len(controls) + [f"{gene}+{CONTROL}" for gene in genes])
    report = {"source": f"dream4-{network}", "kind": kind}
    cells = PerturbedCells(values, genes, conditions, np.zeros(0, int), report)
    truth = read_edges(require_file(folder, f"{stem}_goldstandard.tsv"))
    return pair_cells(cells, f"dream4-{network}"), truth[truth["label"] == 1]


def read_source(source: str) -> PerturbedCells:
    """The cells of an .h5ad file or of `dream4-N`."""
    name = DREAM4_NAME.fullmatch(source)
    return read_perturbed(source) if name is None else read_dream4(name[1])[0]
