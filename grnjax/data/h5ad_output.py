"""AnnData files, made in memory, as HDF5 complains of a full disk in many lines."""

import io
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grnjax.data.annotated import choose_modality, name_layout, open_hdf5
from grnjax.data.sniff import identify
from grnjax.errors import ConfigError, ExpressionFormatError
from grnjax.storage.files import replace_whole, write_atomic

if TYPE_CHECKING:  # its import costs half a second
    from anndata import AnnData


def write_h5ad(table, path: Path) -> None:
    """Writes an AnnData object as .h5ad, whole or not at all."""
    write_atomic(path, encode_h5ad(table))


def encode_h5ad(table) -> bytes:
    """An AnnData object as the bytes of an .h5ad file."""
    import h5py
    from anndata.io import write_elem

    table.strings_to_categoricals()
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        write_elem(file, "/", table)
        if table.raw is None:  # is written as nothing here, and not at all by AnnData itself
            file.pop("raw", None)
    return content.getvalue()


def write_beside(
    adata: "AnnData", source: str | Path | None, path: Path, parts: Mapping[str, Sequence[str]]
) -> None:
    """Writes the object as .h5ad, or parts of it into a copy of the file that it was read from.

    The copy of an .h5ad or .h5mu file keeps everything that it held, other modalities too; what was
    read from any other kind of file or object is written whole.

    Args:
        source: the file that it was read from, if it was one.
        path: .h5ad, or .h5mu if the source is that.
        parts: the entries of each mapping that are new, such as {"obsm": ["X_umap"]}; obs is
            written whole.

    Raises:
        ConfigError: .h5mu is asked for and the source is another kind of file.
    """
    layout = find_layout(source)
    if path.suffix == ".h5mu" and layout != "h5mu":
        raise ConfigError(
            f"{path}: only what was read from an .h5mu is written as one; give .h5ad."
        )
    if layout != path.suffix.removeprefix("."):
        write_h5ad(adata.copy(), path)
        return
    import h5py
    from anndata.io import write_elem

    with replace_whole(path) as beside:
        shutil.copyfile(source, beside)
        with h5py.File(beside, "r+") as file:
            room: Any = file
            if layout == "h5mu":
                room = file["mod"][choose_modality(file["mod"], source, ExpressionFormatError)]
            for key, names in parts.items():
                if key == "obs" or key not in room:
                    write_elem(room, key, adata.obs if key == "obs" else {})
                for name in names:
                    room[key].pop(name, None)
                    write_elem(room[key], name, getattr(adata, key)[name])


def find_layout(source: str | Path | None) -> str:
    """The layout, h5ad or h5mu, of a plain file that a copy can keep; "" of anything else."""
    if source is None or not os.path.isfile(source):
        return ""
    if identify(source, ExpressionFormatError) != ("hdf5", False):
        return ""
    with open_hdf5(source, ExpressionFormatError) as file:
        return name_layout(file)
