"""A simulated multiome as files: what Cell Ranger ARC writes, and what is needed beside it."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.data.multiome_simulator import SimulatedMultiome, name_regions
from grnjax.errors import ConfigError
from grnjax.storage.files import replace_whole, write_atomic


def write_multiome(data: SimulatedMultiome, folder: str | Path) -> dict[str, Path]:
    """Writes a paired multiome, and returns the path of each file by its role.

    multiome: filtered_feature_bc_matrix.h5, genes and peaks of the same cells; hits: a table of
    peak, tf and score; sites: BED of start sites; groups: a table of barcode and cell type; tfs: a
    list; truth: the triplets of the network.

    Raises:
        ConfigError: RNA and ATAC are of different cells.
    """
    if list(data.rna.index) != list(data.atac_cells):
        raise ConfigError(
            "RNA and ATAC of this multiome are of different cells, which one file of 10x cannot "
            "hold; simulate it with paired=True."
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "multiome": folder / "filtered_feature_bc_matrix.h5",
        "hits": folder / "hits.tsv",
        "sites": folder / "sites.bed",
        "groups": folder / "cell_types.tsv",
        "tfs": folder / "tfs.txt",
        "truth": folder / "truth.tsv",
    }
    write_tenx(data, files["multiome"])
    groups = pd.DataFrame({"barcode": data.rna.index, "cell_type": data.rna_types})
    tables = {"hits": data.hits, "groups": groups, "truth": data.triplets}
    for role, table in tables.items():
        write_atomic(files[role], table.to_csv(sep="\t", index=False))
    write_atomic(files["sites"], data.sites.to_csv(sep="\t", index=False, header=False))
    write_atomic(files["tfs"], "\n".join(data.tfs.tolist()) + "\n")
    return files


def write_tenx(data: SimulatedMultiome, path: Path) -> None:
    """Genes and peaks as features of one matrix, as Cell Ranger ARC has them."""
    import h5py

    counts = sparse.hstack([sparse.csr_matrix(data.rna.to_numpy()), data.atac]).tocsr()
    names = [*data.rna.columns, *name_regions(data.peaks)]
    types = ["Gene Expression"] * data.rna.shape[1] + ["Peaks"] * len(data.peaks)
    with replace_whole(path) as beside, h5py.File(beside, "w") as file:
        matrix = file.create_group("matrix")
        for name in ("data", "indices", "indptr"):  # rows are cells, which 10x has as columns
            matrix[name] = getattr(counts, name)
        matrix["shape"] = np.array(counts.shape[::-1])
        matrix["barcodes"] = np.array(list(data.rna.index), "S")
        features = matrix.create_group("features")
        features["id"] = features["name"] = np.array(names, "S")
        features["feature_type"] = np.array(types, "S")
