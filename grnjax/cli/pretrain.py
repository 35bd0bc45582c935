"""`grnjax pretrain`: GRNFormer fitted to cells with their networks, beside its controls.

With --model it trains a foundation model (`pretrain_model.py`); without cells, the scorer of
networks without labels (`pretrain_lists.py`).
"""

import dataclasses
from pathlib import Path

import pandas as pd
from tyro.conf import Positional

from grnjax import config as settings
from grnjax.cli import pretrain_lists, pretrain_model
from grnjax.cli.run_folder import Run
from grnjax.data.expression import DataConfig
from grnjax.data.h5ad_output import write_h5ad
from grnjax.data.tenx import list_files
from grnjax.errors import ConfigError
from grnjax.foundation.convert import find_checkpoint, load_model
from grnjax.tasks.pretraining import Pretrained
from grnjax.tasks.pretraining_study import (
    CellsWithNetworks,
    PretrainingStudy,
    embed_cells,
    load_cells,
    run_study,
)
from grnjax.training.cluster import DeviceConfig
from grnjax.training.side_by_side import choose_mesh

VECTORS, OUTPUT = "X_grnformer", "cells.h5ad"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainCommand(PretrainingStudy):
    """Fit GRNFormer to hidden expression of cells that have networks, and judge what those add.

    The loss is that of hidden values in cells which no step was taken on. OUT has the checkpoints
    of each fit, and cells.h5ad with a vector of every cell.

    A foundation model is trained by grnjax pretrain CELLS --model FOLDER; for its settings, see
    grnjax pretrain --model geneformer --help, and so for scbert, scfoundation and scgpt. The scorer
    of networks without labels is trained by grnjax pretrain --out FOLDER, without cells.
    """

    cells: Positional[str]
    """Cells with regulons on or off: what `grnjax activity --groups` wrote, .h5ad or .h5mu."""
    groups: str
    """Column of .obs with the cell types that the activity was made with."""
    out: Path
    """Run folder; the same command on it resumes."""
    backbone: Path | None = None
    """Folder of a converted model (`grnjax convert`) that takes the place of the compact backbone;
    training.model.backbone then has no part."""
    data: DataConfig = DataConfig()
    devices: DeviceConfig = DeviceConfig()


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    if pretrain_model.is_meant(args):
        return pretrain_model.run(args)
    if pretrain_lists.is_meant(args):
        return pretrain_lists.run(args)
    command = settings.parse(PretrainCommand, args, program="grnjax pretrain")
    if (command.data.expression, command.data.root, command.data.split) != (None, None, "auto"):
        raise ConfigError(
            "pretrain reads one file of cells; drop --data.expression, .root, .split."
        )
    run = Run("pretrain", command)
    run.record["config"].pop("backbone")  # its digest tells it from others
    inputs = {**list_files(command.cells), "gene_names": command.data.gene_names}
    if command.backbone is not None:
        inputs["backbone"] = find_checkpoint(command.backbone)
    if run.has_finished(inputs):
        return
    cells = load_cells(command.cells, command.groups, command.data)
    mesh = choose_mesh(command.devices, False, 1)
    start = None if command.backbone is None else load_model(command.backbone, on_host=True)
    with run:
        fitted, rows = run_study(cells, command, folder=command.out, mesh=mesh, start=start)
        table = tabulate_cells(cells, fitted)
        run.finish(
            {"data": cells.report, "tokens": fitted.report, "rows": rows},
            lambda about: write_h5ad(table, command.out / OUTPUT),
        )
    if run.is_first:
        print_results(rows, command.out)


def tabulate_cells(cells: CellsWithNetworks, fitted: Pretrained):
    """AnnData of the genes that the model sees: a vector of each cell, and who was held out."""
    import anndata

    part = pd.Series("train", cells.names)
    part.iloc[fitted.data.validation.cells] = "validation"
    part.iloc[fitted.test.cells] = "test"
    table = anndata.AnnData(
        fitted.data.expression.__array__(),
        obs=pd.DataFrame({"part": part}),
        var=pd.DataFrame(index=fitted.genes),
    )
    table.obsm[VECTORS] = embed_cells(fitted)
    return table


def print_results(rows: list[dict], out: Path) -> None:
    """The loss of each row, and what networks added."""
    print(f"\n{'hidden values of test cells':<28}{'squared error':>14}{'explained':>11}")
    for row in rows:
        print(f"{row['model']:<28}{row['masked_loss']:>14.4f}{row['explained']:>11.3f}")
    loss = {row["model"]: row["masked_loss"] for row in rows}
    if "random-network" in loss:
        gain = loss["random-network"] - loss["GRNFormer"]
        print(
            f"\nBeyond random networks of equal degrees: {gain:+.4f} of the error, by one fit each"
        )
    print(f"\nEverything else is in {out / 'run.json'}")
