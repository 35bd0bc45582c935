"""The sets of cells of the studies, each with networks of its own: expression, types, regulons.

Run:     python -m experiments.grnformer.cells FOLDER
Cost:    3.5 min on two CPU cores; a set that is there is left alone
Expect:  four .h5ad, which `experiments.grnformer.pretrain` and `attention` read

- `SNARE-seq`: 1,047 cells of four lines (Chen et al. 2019), RNA and ATAC of the same cells;
  eRegulons by `enhancer` with motifs of genes (Marbach et al. 2016) and hg38 start sites, TFs by
  ridge regression, from clusters of its own.
- `PBMC 3k`: 2,638 cells, RNA alone, of 1,880 genes; the 50 best targets of each TF by `grnboost2`
  that rise with it.
- `PBMC 68k`: 700 cells, RNA alone, of 765 genes; likewise.
- `simulated`: a simulated multiome, whose motif hits are of regions.

No known edge enters any of them.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

import grnjax
from grnjax.data.data_set import find_root
from grnjax.data.multiome_simulator import MultiomeConfig, name_regions, simulate_multiome
from grnjax.methods.enhancer.method import EnhancerMethod
from grnjax.methods.enhancer.tf_gene import TfGeneConfig
from grnjax.methods.expression_only import GRNBoost2Method
from grnjax.progress import logger, start_logging

SEED = 0
MARBACH = "human_motif_regulatory_circuits/marbach2016_gene_by_tf.npz"
SITES = "motifs_tss/hg38_tss_info.bed.gz"


def read_snare_seq(root: Path, folder: Path) -> tuple[AnnData, dict]:
    """Counts of genes, and the files of `enhancer`."""
    home = root / "multiome_snareseq_4cellline"
    cells = pd.read_csv(home / "cells.csv.gz", index_col=0)
    assays = {}
    for assay, size, names in (("rna", "18666", "genes"), ("atac", "136771", "peaks")):
        counts = sparse.load_npz(home / f"{assay}_counts_{size}x1047.npz").T.tocsr()
        var = pd.DataFrame(
            index=pd.read_csv(home / f"{names}.txt.gz", header=None)[0].to_numpy(str)
        )
        obs = pd.DataFrame({"cell_type": cells["cell_line"].to_numpy(str)}, index=cells.index)
        assays[assay] = AnnData(counts.astype(np.float32), obs, var)
    assays["atac"].write_h5ad(folder / "atac.h5ad")
    files = {"atac": folder / "atac.h5ad", "motifs": root / MARBACH, "sites": root / SITES}
    return assays["rna"], files


def read_pbmc_3k(root: Path, folder: Path) -> tuple[AnnData, dict]:
    """Counts of genes."""
    home = root / "pbmc_rna_atac_unpaired"
    with h5py.File(home / "exprs_rna.h5") as file:
        counts, genes, cells = (
            file[f"matrix/{name}"][()] for name in ("data", "features", "barcodes")
        )
    counts = counts if counts.shape == (len(genes), len(cells)) else counts.T
    types = pd.read_csv(home / "celltype_rna.csv", index_col=0)["x"].to_numpy(str)
    rna = AnnData(
        sparse.csr_matrix(counts.T.astype(np.float32)),
        pd.DataFrame({"cell_type": types}, index=cells.astype(str)),
        pd.DataFrame(index=genes.astype(str)),
    )
    return rna, {}


def read_pbmc_68k(root: Path, folder: Path) -> tuple[AnnData, dict]:
    """Expression on a log scale."""
    cells = anndata.read_h5ad(root / "pbmc68k_reduced/10x_pbmc68k_reduced.h5ad")
    types = pd.DataFrame({"cell_type": cells.obs["bulk_labels"].astype(str)})
    raw = AnnData(sparse.csr_matrix(cells.raw.X), types, pd.DataFrame(index=cells.raw.var_names))
    return raw, {}


def simulate(root: Path, folder: Path) -> tuple[AnnData, dict]:
    """Counts of simulated genes, and the files of `enhancer`."""
    data = simulate_multiome(MultiomeConfig(), seed=SEED)
    rna, atac = data.to_anndata()
    rna.var["is_tf"] = rna.var_names.isin(data.tfs)
    atac.write_h5ad(folder / "atac.h5ad")
    data.hits.to_csv(folder / "hits.tsv", sep="\t", index=False)
    sites = data.sites[["chromosome", "start", "end", "gene"]]
    sites.to_csv(folder / "sites.bed", sep="\t", index=False, header=False)
    assert len(name_regions(data.peaks)) == atac.n_vars
    files = {"atac": "atac.h5ad", "motifs": "hits.tsv", "sites": "sites.bed"}
    return rna, {name: folder / file for name, file in files.items()}


SETS: dict[str, Callable[[Path, Path], tuple[AnnData, dict]]] = {
    "SNARE-seq": read_snare_seq,
    "PBMC 3k": read_pbmc_3k,
    "PBMC 68k": read_pbmc_68k,
    "simulated": simulate,
}


def infer_regulons(name: str) -> tuple[AnnData, pd.DataFrame]:
    """The cells of a set, and its table of eRegulons, or of edges where there is no ATAC."""
    with tempfile.TemporaryDirectory() as folder:
        rna, files = SETS[name](find_root(), Path(folder))
        tfs = rna.var_names[rna.var["is_tf"]].tolist() if "is_tf" in rna.var else None
        method = GRNBoost2Method()
        if files:
            paths = {role: str(path) for role, path in files.items()}
            method = EnhancerMethod(**paths, tf_gene=TfGeneConfig(importance="ridge"))
        network = grnjax.infer(rna, method=method, tfs=tfs, seed=SEED)
    if files:
        return rna, network.tables["eregulons"]
    return rna, network.edges[network.edges["expression_sign"] > 0]


def make_set(name: str, path: Path) -> None:
    """Writes cells, their types, and their networks by AUCell and thresholds."""
    rna, table = infer_regulons(name)
    found = grnjax.activity(rna, table, groups="cell_type", seed=SEED)
    cells = found.to_anndata()
    part = path.with_suffix(".part")
    cells.write_h5ad(part)
    part.rename(path)
    active = found.active.to_numpy()
    logger.info("%s: %d regulons, %.1f on in a cell", name, active.shape[1], active.sum(1).mean())


def find_path(folder: Path, name: str) -> Path:
    """The file of a set."""
    return folder / f"{name.replace(' ', '_')}.h5ad"


def main() -> None:
    """Makes the sets that are not there."""
    start_logging()
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    for name in SETS:
        path = find_path(folder, name)
        if not path.exists():
            make_set(name, path)


if __name__ == "__main__":
    main()
