"""AnnData objects of files and folders: .h5ad, .h5mu, loom and 10x in HDF5, .zarr, 10x folders.

Which of these a file is, its content says. `open_hdf5` is the one place that opens HDF5 to read.
"""

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from scipy import sparse

from grnjax.data.names import list_names
from grnjax.data.safe_arrays import translate
from grnjax.data.safe_hdf5 import check_zarr, limit_memory
from grnjax.data.safe_probe import probe_hdf5
from grnjax.data.safe_sparse import check_annotated
from grnjax.data.safe_text import GZIP, inflate
from grnjax.data.sniff import identify
from grnjax.data.tables import round_once
from grnjax.data.tenx import find_groups, read_tenx_folder, read_tenx_h5
from grnjax.errors import GrnjaxError

if TYPE_CHECKING:  # their imports cost half a second
    from anndata import AnnData
    from h5py import File

ANNOTATED = ("hdf5", "zarr", "mtx")
"""The kinds of `sniff.identify` that `read_annotated` reads."""
PEAKS = ("atac", "peaks", "atac_peaks", "chromatin accessibility", "accessibility", "scatac")
"""What the modality of accessibility is called in MuData."""
RNA = ("rna", "gex", "gene expression", "gene_expression", "expression", "scrna")
LOOM_GENES = ("gene", "symbol", "genename", "gene_name", "gene_symbols", "var_names", "name")
LOOM_CELLS = ("cellid", "cell_id", "obs_names", "cell_names", "barcode", "barcodes")


def read_annotated(
    path: str | Path, error: type[GrnjaxError], modality: Sequence[str] = RNA
) -> "AnnData":
    """The AnnData object of a file or folder of any of these kinds, gzipped or not.

    Args:
        modality: what the part of a MuData object that is meant may be called.
    """
    kind = identify(path, error).kind
    if kind not in ANNOTATED:
        raise error(f"{path}: {kind}, not AnnData in a file or folder.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that repeat: they are counted where it matters
        if kind == "mtx":
            return read_tenx_folder(path, error)
        return (read_hdf5 if kind == "hdf5" else read_zarr)(path, error, modality)


@contextlib.contextmanager
def open_hdf5(path: str | Path, error: type[GrnjaxError]) -> Iterator["File"]:
    """The HDF5 file, open to be read, unpacked before if it is gzipped."""
    import h5py

    with contextlib.ExitStack() as stack:
        with open(path, "rb") as file:
            is_gzipped = file.read(2) == GZIP
        place = stack.enter_context(unpack(path, error)) if is_gzipped else path
        probe_hdf5(place, path, error)
        yield stack.enter_context(h5py.File(place))


@contextlib.contextmanager
def unpack(path: str | Path, error: type[GrnjaxError]) -> Iterator[str]:
    """The path of a temporary file with what the gzip file holds."""
    with tempfile.NamedTemporaryFile(suffix=".h5") as plain:
        with translate(path, "gzip file", error), open(path, "rb") as packed:
            for block in inflate(packed, path, error):
                plain.write(block)
        plain.flush()
        yield plain.name


def read_h5ad(path: str | Path, error: type[GrnjaxError]) -> "AnnData":
    """The AnnData object of an .h5ad file, or of another HDF5 file that holds one."""
    if not os.path.isfile(path):
        raise error(f"{path}: no such file.")
    if identify(path, error).kind != "hdf5":
        raise error(f"{path}: not a readable .h5ad file (no HDF5).")
    return read_hdf5(path, error)


def read_hdf5(
    path: str | Path, error: type[GrnjaxError], modality: Sequence[str] = RNA
) -> "AnnData":
    """The AnnData object of an HDF5 file of any layout that is known here."""
    import anndata  # noqa: F401, before memory is limited

    with translate(path, ".h5ad file", error), limit_memory(path), open_hdf5(path, error) as file:
        data, layout = take_hdf5(file, path, error, modality), name_layout(file)
        keys = list_names(file)
        if data is not None:
            check_annotated(data, path, error)
            return data
    remedies = {
        "h5seurat": "this is an .h5seurat file, which is not read here; in R, "
        "SeuratDisk::Convert('x.h5seurat', dest = 'h5ad').",
        "pandas": "this is a pandas HDF store, which is not read here; in Python, "
        "pandas.read_hdf('x.h5').to_csv('x.csv').",
    }
    unknown = (
        f"not an .h5ad file: it is HDF5, but without obs and var; it holds {keys}. In Python, "
        "anndata.AnnData(values, obs, var).write_h5ad('x.h5ad') makes one of its values and names."
    )
    raise error(f"{path}: {remedies.get(layout, unknown)}")


def take_hdf5(
    file: "File", path: str | Path, error: type[GrnjaxError], modality: Sequence[str]
) -> "AnnData | None":
    """The AnnData object of an open file; None if its layout is not known."""
    import anndata

    layout = name_layout(file)
    if layout == "h5ad":
        return anndata.read_h5ad(file.filename)
    if layout == "h5mu":
        chosen = choose_modality(file["mod"], path, error, modality)
        return anndata.io.read_elem(file[f"mod/{chosen}"])
    if layout == "10x":
        return read_tenx_h5(file, path, error)
    return read_loom(file) if layout == "loom" else None


def name_layout(file: "File") -> str:
    """Which program's HDF5 this is, by the groups in it; "" if none is known."""
    if "mod" in file and "obs" in file:
        return "h5mu"
    if "obs" in file and "var" in file:
        return "h5ad"
    if "matrix" in file and "row_attrs" in file and "col_attrs" in file:
        return "loom"
    if "assays" in file and "cell.names" in file:
        return "h5seurat"
    if find_groups(file):
        return "10x"
    return "pandas" if "PYTABLES_FORMAT_VERSION" in file.attrs else ""


def choose_modality(
    modalities: Mapping,
    path: str | Path,
    error: type[GrnjaxError],
    modality: Sequence[str] = RNA,
) -> str:
    """Which part of a MuData object is meant: the one called rna, or so, or the only one."""
    found = [name for name in modalities if name.lower() in modality] or list(modalities)
    if len(found) != 1:
        what = "expression" if modality is RNA else "accessibility"
        raise error(
            f"{path}: MuData of {list_names(modalities)}, none of them called {modality[0]}; give "
            f"the one that is {what}: mdata['NAME'], or mdata['NAME'].write_h5ad('x.h5ad') as a "
            "file."
        )
    return found[0]


def read_loom(file: "File") -> "AnnData":
    """The AnnData object of a loom file (its documented layout; loompy is not maintained)."""
    from anndata import AnnData

    def tabulate(group, length: int, known: tuple[str, ...]) -> pd.DataFrame:
        columns = {key: column for key, column in group.items() if column.shape == (length,)}
        is_text = {key: column.dtype.kind in "SO" for key, column in columns.items()}
        table = pd.DataFrame(
            {key: x.asstr()[()] if is_text[key] else x[()] for key, x in columns.items()},
            index=map(str, range(length)),
        )
        order = sorted(
            (k for k in table if k.lower() in known), key=lambda k: known.index(k.lower())
        )
        return table.set_index(table[order[0]].astype(str).rename(None)) if order else table

    genes, cells = file["matrix"].shape
    return AnnData(
        round_once(file["matrix"][()].T),
        obs=tabulate(file["col_attrs"], cells, LOOM_CELLS),
        var=tabulate(file["row_attrs"], genes, LOOM_GENES),
        layers={key: sparse.csr_matrix(x[()].T) for key, x in file.get("layers", {}).items()},
    )


def read_zarr(
    path: str | Path, error: type[GrnjaxError], modality: Sequence[str] = RNA
) -> "AnnData":
    """The AnnData object of a .zarr folder."""
    import anndata
    import zarr

    if not os.path.isdir(path):
        raise error(f"{path}: no such folder.")
    with translate(path, ".zarr folder", error), limit_memory(path):
        store = zarr.open_group(str(path), mode="r")
        check_zarr(store, path, error)
        data = None
        if "mod" in store and "obs" in store:
            modalities = dict(store["mod"].groups())
            chosen = choose_modality(modalities, path, error, modality)
            data = anndata.io.read_elem(modalities[chosen])
        elif "obs" in store and "var" in store:
            data = anndata.io.read_zarr(store)
        if data is not None:
            check_annotated(data, path, error)
            return data
    raise error(f"{path}: not an AnnData folder: it is zarr, but without obs and var.")
