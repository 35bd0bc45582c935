"""`grnjax embed`: vectors of cells and genes from a converted single-cell model."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.cli.orthologue_flags import OrthologueFlags
from grnjax.config import Positive
from grnjax.data.annotated import read_annotated
from grnjax.data.cell_rows import open_rows
from grnjax.data.h5ad_output import find_layout, write_beside
from grnjax.data.tenx import list_files
from grnjax.errors import ExpressionFormatError
from grnjax.foundation.convert import find_manifest, load_model, read_about
from grnjax.foundation.embed import (
    EmbedConfig,
    Embedded,
    Embedding,
    GeneVectors,
    open_embedding,
)
from grnjax.foundation.embed_runs import GENES, embed_once, write_table
from grnjax.foundation.encoder_config import EncoderConfig
from grnjax.foundation.encoders import make_encoder
from grnjax.foundation.layout import choose_local_mesh, place_variables
from grnjax.progress import logger
from grnjax.tasks.record import describe_environment, digest_inputs
from grnjax.training.cluster import DeviceConfig, is_first, join_processes

if TYPE_CHECKING:  # its import costs half a second
    from anndata import AnnData

CELLS = "cells.h5ad"
NO_SETTINGS = ("cells", "model", "orthologues", "out", "devices")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbedDevices(DeviceConfig):
    """Which devices and processes share the cells; a run may resume with others."""

    model: Positive = 1
    """Devices among which the model is divided, for one that is large; the cells of a batch are
    divided among the rest of a process. Processes take chunks of cells each."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbedCommand(OrthologueFlags, EmbedConfig, EncoderConfig):
    """Embed cells and genes with a converted single-cell model.

    OUT has cells.h5ad, which is what CELLS holds with vectors of cells in .obsm["X_MODEL"] and of
    genes in .varm["MODEL"], and genes.npz, which --data.embedding and vectors as evidence read. A
    gene's vector is the mean over cells. What has none is NaN there, and not in genes.npz.
    """

    cells: Positional[str]
    """Counts of cells: .h5ad, which stays on disk, or .h5mu, .zarr, loom, 10x, held in memory."""
    model: Path
    """Folder of a converted model (`grnjax convert`)."""
    out: Path
    """Run folder; the same command on it resumes."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """What products are computed in."""
    devices: EmbedDevices = EmbedDevices()


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(EmbedCommand, args, program="grnjax embed")
    join_processes(command.devices)
    about = read_about(command.model)
    inputs = {**list_files(command.cells), "model": find_manifest(command.model)}
    inputs |= {"orthologues": command.orthologues}
    values = settings.to_json(command)
    config = {key: value for key, value in values.items() if key not in NO_SETTINGS}
    record = {"command": "embed", "config": config, "inputs": digest_inputs(inputs)}

    @contextlib.contextmanager
    def begin() -> Iterator[Embedding]:
        table = command.read_orthologues()
        mesh = choose_local_mesh(command.devices.model)
        place = None if mesh is None else functools.partial(place_variables, mesh=mesh)
        model = load_model(command.model, place=place, dtype=command.dtype)
        encoder = make_encoder(model, command, mesh)
        with open_embedding(command.cells, encoder, command, orthologues=table) as embedding:
            yield embedding

    def write(embedded: Embedded) -> dict:
        write_table(embedded, command.out / GENES)
        write_cells(command, embedded, about["model"])
        report = {"report": embedded.report, "licence": about["licence"]}
        return {**describe_environment(), **report}

    embedded = embed_once(command.out, record, begin, write)
    if embedded is not None and is_first():
        print_results(command, embedded, about)


def write_cells(command: EmbedCommand, embedded: Embedded, name: str) -> None:
    """The AnnData of the cells with the vectors beside what it held."""
    source = Path(command.cells)
    adata = open_tables(source)
    adata.obsm[f"X_{name}"] = embedded.cells
    parts = {"obsm": [f"X_{name}"], "varm": []}
    if list(adata.var_names) == embedded.names:
        put_genes(adata, name, embedded.genes)
        parts["varm"] += [name, f"{name}_cells"]
        for group, genes in embedded.groups.items():
            put_genes(adata, f"{name}:{group}", genes)
            parts["varm"] += [f"{name}:{group}", f"{name}:{group}_cells"]
    else:  # of .raw
        logger.warning(
            "the genes of %s are not those of .var, so that vectors of genes stand in %s alone",
            *(command.matrix, GENES),
        )
    write_beside(adata, source, command.out / CELLS, parts)


def open_tables(source: Path) -> "AnnData":
    """The AnnData of a file; of an .h5ad, which is copied, without its matrices."""
    if find_layout(source) != "h5ad":
        return read_annotated(source, ExpressionFormatError)
    import anndata

    with open_rows(source) as rows:
        return anndata.AnnData(obs=rows.obs, var=rows.var)


def put_genes(adata: "AnnData", key: str, genes: GeneVectors) -> None:
    """The vectors of genes, and over how many cells each is a mean."""
    adata.varm[key], adata.varm[f"{key}_cells"] = genes.vectors, genes.cells[:, None]


def print_results(command: EmbedCommand, embedded: Embedded, about: dict) -> None:
    """What was embedded, what was not, and whose model it is."""
    report = embedded.report
    genes = report["genes"]
    print(
        f"\n{about['model']}, layer {report['layer']}: {report['cells'] - report['skipped']:,} of "
        f"{report['cells']:,} cells in {embedded.cells.shape[1]:,} numbers each, "
        f"{report['genes_embedded']:,} genes in {embedded.genes.vectors.shape[1]:,}."
    )
    print(f"  {report['skipped']:,} cells skipped: they have too few genes of the model")
    print(f"  {genes['not_in_vocabulary']['count']:,} genes are not in the model")
    never = genes["matched"] - report["genes_embedded"]
    print(f"  {never:,} genes of the model are in none of the cells")
    for name, what in (("cut", "cut at the length"), ("sampled", "sampled down to the length")):
        if report.get(name):
            print(f"  {report[name]:,} cells {what} of the model")
    if report.get("without_group"):
        print(f"  {report['without_group']:,} cells have no {command.groups}")
    print(f"Licence: {about['licence']}")
    print(f"Written to {command.out / CELLS}, {command.out / GENES}")
