"""A small good file of every kind that is read, from which the fuzz makes bad ones."""

import contextlib
import functools
import gzip
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

NAMES = np.array([f"GENE{i}" for i in range(12)])
FASTA = ">chr1:10-60 a peak\nACGTNACGTTGCA\nACGTACGT\n>chr2:5-25\nacgtACGTRYACGTACGTAA\n"
MODELS = """[{"id": "MA1.1", "name": "FOS::JUN", "family": ["bZIP"], "cls": ["x"],
"A": [4, 0.5, 1], "C": [0, 8, 1], "G": [4, 0, 1], "T": [0, 0, 5]}]"""
JASPAR = ">MA1.1 FOS::JUN\nA [ 4 0 1 ]\nC [ 0 8 1 ]\nG [ 4 0 1 ]\nT [ 0 0 5 ]\n"
MEME = """MEME version 4

ALPHABET= ACGT
MOTIF MA1.1 FOS
letter-probability matrix: alength= 4 w= 2 nsites= 8 E= 0
0.5 0 0.5 0
0 1.0 0 0
"""


def frame() -> pd.DataFrame:
    values = np.random.default_rng(0).poisson(3, (6, len(NAMES)))
    return pd.DataFrame(values, [f"c{i}" for i in range(6)], NAMES)


def edges() -> pd.DataFrame:
    pairs = [(f"GENE{tf}", f"GENE{target}") for tf in range(3) for target in range(3, 9)]
    table = pd.DataFrame(pairs, columns=["TF", "target"])
    return table.assign(importance=np.linspace(1, 0.1, len(table)))


def write_text(text: str, path: Path) -> None:
    content = text.encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def write_csv(path: Path) -> None:
    write_text(frame().to_csv(), path)


def write_vectors(path: Path) -> None:
    write_text(frame().T.to_csv(), path)


def write_parquet(path: Path) -> None:
    frame().astype(float).to_parquet(path)


def write_h5ad(path: Path, compression=None) -> None:
    import anndata

    counts = frame()
    data = anndata.AnnData(sparse.csr_matrix(counts.to_numpy(np.float32)))
    data.obs_names, data.var_names = counts.index, counts.columns
    data.obs["type"] = pd.Categorical(["a", "b"] * 3)
    data.layers["counts"] = data.X.toarray()
    data.raw = data.copy()
    data.varm["emb"] = np.random.default_rng(0).normal(size=(12, 3))
    data.varp["grn"] = sparse.csr_matrix(np.eye(12, k=1, dtype=np.float32))
    data.uns["about"] = {"a": 1, "b": "text"}
    data.write_h5ad(path, compression=compression)


def write_zipped_h5ad(path: Path) -> None:
    write_h5ad(path, "gzip")


def write_gz_h5ad(path: Path) -> None:
    write_h5ad(path.with_suffix(""))
    path.write_bytes(gzip.compress(path.with_suffix("").read_bytes(), mtime=0))


def write_tenx(path: Path) -> None:
    import h5py

    counts = sparse.csc_matrix(frame().to_numpy().T)
    with h5py.File(path, "w") as file:
        for key in ("data", "indices", "indptr"):
            file[f"matrix/{key}"] = getattr(counts, key)
        file["matrix/shape"] = counts.shape
        file["matrix/barcodes"] = [f"c{i}" for i in range(6)]
        for key, values in {"id": NAMES, "name": NAMES}.items():
            file[f"matrix/features/{key}"] = values.tolist()
        file["matrix/features/feature_type"] = ["Gene Expression"] * 12


def write_loom(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file["matrix"] = frame().to_numpy(np.float32).T
        file["row_attrs/Gene"] = NAMES.tolist()
        file["col_attrs/CellID"] = [f"c{i}" for i in range(6)]
        file.create_group("layers")


def write_market(path: Path) -> None:
    counts = sparse.coo_matrix(frame().to_numpy().T)
    rows = [f"{i + 1} {j + 1} {v}" for i, j, v in zip(*counts.coords, counts.data, strict=True)]
    head = f"%%MatrixMarket matrix coordinate integer general\n12 6 {len(rows)}\n"
    write_text(head + "\n".join(rows) + "\n", path)
    (path.parent / "features.tsv").write_text("".join(f"ID{n}\t{n}\n" for n in NAMES))
    (path.parent / "barcodes.tsv").write_text("".join(f"c{i}\n" for i in range(6)))


def write_zarr(path: Path) -> None:
    """A zarr folder packed into one file, which the fuzz damages and `in_folder` unpacks."""
    import anndata

    with tempfile.TemporaryDirectory() as folder:
        write_h5ad(Path(folder) / "x.h5ad")
        store = Path(folder) / "x.zarr"
        anndata.read_h5ad(Path(folder) / "x.h5ad").write_zarr(store)
        files = {str(p.relative_to(store)): p for p in sorted(store.rglob("*")) if p.is_file()}
        path.write_bytes(
            b"".join(
                json.dumps([name, file.stat().st_size]).encode() + b"\n" + file.read_bytes()
                for name, file in files.items()
            )
        )


def write_npz(path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    np.savez(path, genes=NAMES, embedding=values)


def write_packed_npz(path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    np.savez_compressed(path, genes=NAMES.astype("S"), embedding=values)


def write_folder(path: Path) -> None:
    """A folder of BEELINE's with published pairs."""
    number = {name: i for i, name in enumerate(NAMES)}
    table = edges()
    pairs = pd.DataFrame({"TF": table["TF"].map(number), "Target": table["target"].map(number)})
    every = [(tf, gene) for tf in range(3) for gene in range(12) if tf != gene]
    positive = set(map(tuple, pairs.to_numpy().tolist()))
    labelled = pd.DataFrame([(*pair, int(pair in positive)) for pair in every])
    labelled.columns = ["TF", "Target", "Label"]
    contents = {
        "Target.csv": pd.DataFrame({"Gene": NAMES, "index": range(12)}),
        "TF.csv": pd.DataFrame({"TF": NAMES[:3], "index": range(3)}),
        "Label.csv": pairs,
        "Train_set.csv": labelled[::2],
        "Validation_set.csv": labelled[1::4],
        "Test_set.csv": labelled[3::4],
    }
    for name, content in contents.items():
        content.to_csv(path.parent / name)


def write_archive(path: Path) -> None:
    ordering = pd.DataFrame({"VGAMpValue": 1e-9, "Variance": range(12)}, index=NAMES)
    network = edges().iloc[:, :2].set_axis(["Gene1", "Gene2"], axis=1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("scRNA-Seq/mESC/ExpressionData.csv", frame().T.to_csv())
        archive.writestr("scRNA-Seq/mESC/GeneOrdering.csv", ordering.to_csv())
        archive.writestr("mouse-tfs.csv", "TF\nGENE0\nGENE1\nGENE2\n")
        archive.writestr("mouse/mESC-ChIP-seq-network.csv", network.to_csv(index=False))


def write_evidence(text: str) -> Callable[[Path], None]:
    return functools.partial(write_text, text)


def rows_of(*columns) -> str:
    return "".join("\t".join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


def write_peaks(path: Path) -> None:
    write_text(PEAKS, path.parent / "peaks.tsv")
    write_text(HITS, path.parent / "hits.tsv")


def write_record(path: Path) -> None:
    from grnjax.storage.files import write_json

    write_json(path, {"command": "infer", "config": {"seed": 0}})


def write_registry(path: Path) -> None:
    from grnjax.storage.files import write_json

    write_json(path, {"a.zip": {"sha256": "00" * 32, "size": 7}})


def write_lines(path: Path) -> None:
    path.write_text("".join(json.dumps({"fit": "a", "epoch": i}) + "\n" for i in range(5)))


def write_manifest(path: Path) -> None:
    from grnjax.storage.manifest import encode_manifest

    path.write_bytes(encode_manifest({"step": 1, "meta": {}, "arrays": {}, "files": {}}))


def write_result(path: Path) -> None:
    from grnjax.storage.outputs import write_result

    (path.parent / "edges.tsv").write_text("TF\ttarget\n")
    with contextlib.suppress(OSError):
        write_result(path.parent, {"command": "infer", "rows": [{"auroc": 0.5}]})


def write_edges(path: Path) -> None:
    write_text(edges().to_csv(sep="\t", index=False), path)


MOTIFS = pd.DataFrame(np.eye(12, 3), columns=NAMES[:3]).assign(gene=NAMES)
BED = rows_of(["chr1"] * 12, range(100, 1300, 100), range(150, 1350, 100), NAMES)
PEAKS = "peak\tgene\n" + rows_of([f"chr1_{i}_{i + 50}" for i in range(100, 1300, 100)], NAMES)
HITS = "peak\tmotif\tscore\n" + rows_of(
    [f"chr1_{i}_{i + 50}" for i in range(100, 1300, 100)],
    ["GENE0", "GENE1", "GENE2"] * 4,
    range(12),
)
INTERACTIONS = "protein1 protein2 combined_score\n" + "".join(
    f"GENE{i} GENE{i + 1} {900 - i}\n" for i in range(11)
)
CURATED = "source,target,mor\n" + "".join(
    f"GENE{i % 3},GENE{i},{(-1) ** i}\n" for i in range(3, 12)
)
TABLE = "gene,VGAMpValue,Variance\n" + "".join(f"GENE{i},1e-{i + 3},{i}.5\n" for i in range(12))


def write_eregulons(path: Path) -> None:
    """A table of eRegulons, a row a TF, region and gene."""
    table = edges().rename(columns={"target": "Gene", "importance": "importance_TF2G"})
    table["Region"] = [f"chr1:{i}0-{i}9" for i in range(1, len(table) + 1)]
    table = table.assign(regulation=1, rho_R2G=0.5, triplet_rank=range(len(table)))
    table["eRegulon_name"] = table["TF"] + "_direct_+/+"
    write_text(table.to_csv(sep="\t", index=False), path)


def write_motif_table(path: Path) -> None:
    """Motifs with lists of targets, as pySCENIC's ctx writes them."""
    rows = []
    for tf, group in edges().groupby("TF"):
        pairs = list(zip(group["target"], group["importance"].round(3).tolist(), strict=True))
        context = "frozenset({'activating', 'top50'})"
        rows.append(f'{tf},m1,0.1,3.2,0,1,direct,"{context}","{pairs}",90')
    groups = ",," + ",".join(["Enrichment"] * 8)
    names = "AUC,NES,MotifSimilarityQvalue,OrthologousIdentity,Annotation,Context,TargetGenes"
    head = [groups, f",,{names},RankAtMax", "TF,MotifID" + "," * 8]
    write_text("\n".join(head + rows) + "\n", path)


def write_gmt(path: Path) -> None:
    sets = [[tf, "http://a.b/c", *group["target"]] for tf, group in edges().groupby("TF")]
    write_text("\n".join("\t".join(words) for words in sets) + "\n", path)


def write_chip_atlas(path: Path) -> None:
    heads = ["Target_genes", "GENE0|Average", "SRX1|K-562", "SRX2|MCF-7", "STRING"]
    rows = [[name, str(i), str(2 * i), "0.5", "0"] for i, name in enumerate(NAMES)]
    write_text("\n".join("\t".join(words) for words in (heads, *rows)) + "\n", path)


def write_lists(path: Path) -> None:
    """A source of the compendium."""
    from grnjax.data.compendium.source import About, make_source, write_source

    facts = {"title": "t", "origin": "o", "licence": "CC0", "species": "human"}
    table = edges().rename(columns={"TF": "tf"}).assign(cell="K562")
    write_source(make_source(table, About(name="x", **facts)), path)


def write_activity(path: Path) -> None:
    """Cells with regulons and their activity."""
    import anndata

    from grnjax.data.regulon_set import Regulons
    from grnjax.data.regulon_store import StoredActivity, store_activity

    table = edges().rename(columns={"TF": "tf", "importance": "weight"})
    regulons, active = Regulons.of(table.assign(regulon=table["tf"])), np.eye(6, 3, dtype=bool)
    data = anndata.AnnData(frame().to_numpy(np.float32))
    data.obs_names, data.var_names = frame().index, frame().columns
    shares = np.full((2, 3), 0.5, np.float32)
    stored = StoredActivity(
        regulons,
        active.astype(np.float32),
        active,
        np.full(3, 0.5),
        np.ones(3, bool),
        np.array(["a", "b"]),
        shares,
        shares > 0.3,
        NAMES,
        {"seed": 0},
    )
    store_activity(data, stored)
    data.write_h5ad(path)
