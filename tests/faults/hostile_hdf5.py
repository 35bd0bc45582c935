"""Hostile HDF5 files and zarr folders."""

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from tests.faults.hostile import (
    GENES,
    convert,
    hostile,
    infer,
    train_with,
)


def write_h5ad(path: Path, values=None, cells: int = 6) -> Path:
    """A good .h5ad file with counts, csr by default."""
    if values is None:
        values = np.random.default_rng(0).poisson(2, (cells, len(GENES))).astype(np.float32)
        values = sparse.csr_matrix(values)
    obs = pd.DataFrame(index=[f"c{i}" for i in range(values.shape[0])])
    data = anndata.AnnData(values, obs, pd.DataFrame(index=GENES))
    data.layers["counts"] = data.X.copy()
    data.varm["emb"] = sparse.csr_matrix(np.eye(len(GENES), dtype=np.float32))
    data.varp["grn"] = sparse.csr_matrix(np.eye(len(GENES), k=1, dtype=np.float32))
    data.write_h5ad(path)
    return path


def rewrite(file: h5py.File, name: str, values, **options) -> None:
    """Puts other values in the place of a dataset, whose attributes stay."""
    attributes = dict(file[name].attrs) if name in file else {}
    del file[name]
    file.create_dataset(name, data=values, **options).attrs.update(attributes)


def break_indices(values: dict) -> None:
    values["indices"][-1] = 9_000_000


def break_below_zero(values: dict) -> None:
    values["indices"][1] = -5_000_000


def break_order(values: dict) -> None:
    values["indptr"][1] = 1_000_000_000


def break_end(values: dict) -> None:
    values["indptr"][-1] += 1_000_000


def break_start(values: dict) -> None:
    values["indptr"][0] = 7


def break_length(values: dict) -> None:
    values["indptr"] = values["indptr"][[0, -1]]


def break_data(values: dict) -> None:
    values["data"] = values["data"][:-3]


def break_kind(values: dict) -> None:
    values["indices"] = values["indices"] + 0.5


BREAKS = (
    break_indices,
    break_below_zero,
    break_order,
    break_end,
    break_start,
    break_length,
    break_data,
    break_kind,
)
PLACES = {
    "X": lambda path: infer(path),
    "layers/counts": lambda path: infer(path, "--data.layer=counts"),
    "varm/emb": lambda path: train_with(path.parent, f"vectors={path}:emb"),
    "varp/grn": convert,
}


def build_broken(folder: Path, place: str, change: Callable) -> list[str]:
    """A sparse matrix with pointers or indices that lead out of it."""
    path = write_h5ad(folder / "broken.h5ad")
    with h5py.File(path, "r+") as file:
        values = {key: file[f"{place}/{key}"][()] for key in ("data", "indices", "indptr")}
        change(values)
        for key, array in values.items():
            rewrite(file, f"{place}/{key}", array)
    return PLACES[place](path)


for place in PLACES:
    for change in BREAKS:
        hostile("damaged|not a readable", f"{place} {change.__name__}")(
            lambda folder, place=place, change=change: build_broken(folder, place, change)
        )


@hostile("damaged", "zarr X break_indices")
def build_broken_zarr(folder):
    import zarr

    path = folder / "broken.zarr"
    anndata.read_h5ad(write_h5ad(folder / "good.h5ad")).write_zarr(path)
    zarr.open_group(str(path), mode="r+")["X/indices"][-1] = 9_000_000
    return infer(path)


@hostile("not followed", "zarr link out")
def build_linked_zarr(folder):
    path = folder / "linked.zarr"
    anndata.read_h5ad(write_h5ad(folder / "good.h5ad")).write_zarr(path)
    chunk = next(file for file in (path / "X/data").rglob("*") if file.name == "0")
    chunk.rename(folder / "elsewhere")
    chunk.symlink_to(folder / "elsewhere")
    return infer(path)


@hostile("takes", "zarr declared shape")
def build_declared_zarr(folder):
    import zarr

    path = folder / "declared.zarr"
    anndata.read_h5ad(write_h5ad(folder / "good.h5ad")).write_zarr(path)
    group = zarr.open_group(str(path), mode="r+")
    (path / ".zmetadata").unlink()
    group["layers"].create_array("huge", shape=(6, 40_000_000_000), chunks=(1, 1024), dtype="f4")
    return infer(path)


@hostile("pickled", "zarr pickle")
def build_pickled_zarr(folder):
    path = folder / "pickled.zarr"
    anndata.read_h5ad(write_h5ad(folder / "good.h5ad")).write_zarr(path)
    (about,) = (path / "X/data").glob(".zarray")
    record = json.loads(about.read_text())
    about.write_text(json.dumps(record | {"dtype": "|O", "filters": [{"id": "pickle"}]}))
    (path / ".zmetadata").unlink()
    return infer(path)


@hostile("other files are not followed", "external storage")
def build_external(folder):
    path, secret = write_h5ad(folder / "external.h5ad"), folder / "secret.bin"
    secret.write_bytes(np.arange(6 * len(GENES), dtype=np.float32).tobytes())
    with h5py.File(path, "r+") as file:
        del file["X"]
        size = 4 * 6 * len(GENES)
        file.create_dataset("X", (6, len(GENES)), "f4", external=[(str(secret), 0, size)])
    return infer(path)


@hostile("links are not followed", "external link")
def build_external_link(folder):
    path, other = write_h5ad(folder / "linked.h5ad"), write_h5ad(folder / "other.h5ad")
    with h5py.File(path, "r+") as file:
        del file["X"]
        file["X"] = h5py.ExternalLink(str(other), "X")
    return infer(path)


@hostile("links are not followed", "soft link")
def build_soft_link(folder):
    path = write_h5ad(folder / "soft.h5ad")
    with h5py.File(path, "r+") as file:
        del file["X"]
        file["X"] = h5py.SoftLink("/layers/counts")
    return infer(path)


@hostile("within itself", "group in itself")
def build_circle(folder):
    path = write_h5ad(folder / "circle.h5ad")
    with h5py.File(path, "r+") as file:
        file["uns/again"] = file["uns"]
    return infer(path)


@hostile("too many levels", "deep groups")
def build_deep(folder):
    path = write_h5ad(folder / "deep.h5ad")
    with h5py.File(path, "r+") as file:
        file.create_group("uns/" + "/".join("d" * 2000))
    return infer(path)


@hostile("virtual", "virtual dataset")
def build_virtual(folder):
    path = write_h5ad(folder / "virtual.h5ad")
    other = write_h5ad(folder / "other.h5ad", np.ones((6, len(GENES)), np.float32))
    with h5py.File(path, "r+") as file:
        layout = h5py.VirtualLayout((6, len(GENES)), "f4")
        layout[:] = h5py.VirtualSource(str(other), "X", (6, len(GENES)))
        del file["X"]
        file.create_virtual_dataset("X", layout)
    return infer(path)


def build_declared(folder: Path, shape: tuple[int, ...], **options) -> list[str]:
    path = write_h5ad(folder / "declared.h5ad")
    with h5py.File(path, "r+") as file:
        del file["X"]
        file.create_dataset("X", shape, "f4", **options)
    return infer(path)


@hostile("takes", "declared shape")
def build_declared_shape(folder):
    return build_declared(folder, (3, 40_000_000_000), chunks=(1, 1024))


@hostile("takes", "declared shape of few cells")
def build_declared_small(folder):
    return build_declared(folder, (6, 100_000_000), chunks=(1, 1024), compression="gzip")


@hostile("takes", "zeros compressed")
def build_zeros(folder):
    path = write_h5ad(folder / "zeros.h5ad")
    with h5py.File(path, "r+") as file:
        zeros = np.zeros((6, 40_000_000), np.float32)
        file.create_dataset("layers/more", data=zeros, compression="gzip", chunks=(1, 1_000_000))
    return infer(path)


@hostile("takes", "declared sparse shape")
def build_declared_sparse(folder):
    path = write_h5ad(folder / "sparse.h5ad")
    with h5py.File(path, "r+") as file:
        file["X"].attrs["shape"] = [6, 40_000_000_000]
    return infer(path)


@hostile("inflates", "chunk that inflates")
def build_chunk_bomb(folder):
    path = write_h5ad(folder / "chunk.h5ad")

    packed = zlib.compress(bytes(1 << 29), 9)
    with h5py.File(path, "r+") as file:
        del file["X"]
        data = file.create_dataset("X", (6, len(GENES)), "f4", compression="gzip", chunks=(6, 12))
        data.id.write_direct_chunk((0, 0), packed + bytes(0))
    return infer(path)


@hostile("no (cells|matrix)|0 cells|zero everywhere", "no cells")
def build_no_cells(folder):
    return infer(write_h5ad(folder / "empty.h5ad", sparse.csr_matrix((0, len(GENES)))))


@hostile("gzip", "h5ad.gz bomb")
def build_gzipped_h5ad(folder):
    path = folder / "bomb.h5ad.gz"
    head = write_h5ad(folder / "good.h5ad").read_bytes()
    with gzip.open(path, "wb", compresslevel=6) as file:
        file.write(head)
        for _ in range(600):
            file.write(bytes(1 << 20))
    return infer(path)


@hostile("not a readable|cannot be read|takes", "one long text in many places")
def build_repeated_text(folder):
    path = write_h5ad(folder / "text.h5ad")
    with h5py.File(path, "r+") as file:
        texts = file.create_dataset("obs/note", (20_000,), h5py.string_dtype())
        texts[0] = "A" * 1_000_000
        file.flush()
        place = texts.id.get_offset()
    content = bytearray(path.read_bytes())
    content[place : place + 16 * 20_000] = content[place : place + 16] * 20_000
    path.write_bytes(content)
    with h5py.File(path, "r+") as file:
        file["uns/note"] = file["obs/note"]
        del file["obs/note"]
        file["uns/note"].attrs.update(
            {"encoding-type": "string-array", "encoding-version": "0.2.0"}
        )
    return infer(path)


@hostile("not a readable|damaged", "text of 4 GB by its length")
def build_text_length(folder):
    path = write_h5ad(folder / "length.h5ad")
    with h5py.File(path) as file:
        place = file["var/_index"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[place : place + 4] = b"\xff\xff\xff\xf0"
    path.write_bytes(content)
    return infer(path)


@hostile("not a readable", "zarr chunk that inflates")
def build_zarr_chunk_bomb(folder):
    path = folder / "bomb.zarr"
    anndata.read_h5ad(write_h5ad(folder / "good.h5ad")).write_zarr(path)
    about = path / "layers/counts/data/.zarray"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"compressor": {"id": "zlib"}}))
    (path / ".zmetadata").unlink()
    (path / "layers/counts/data/0").write_bytes(zlib.compress(bytes(1 << 30), 9))
    return infer(path)
