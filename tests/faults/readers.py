"""Every reader of files, with the good file that it reads."""

import dataclasses
import functools
import importlib
import json
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.faults import good_files as good
from tests.faults.good_files import NAMES

TFS = np.arange(3)


@dataclasses.dataclass(frozen=True)
class Reader:
    """A reader of files of one kind."""

    file: str  # name of the file that the fuzz damages
    write: Callable[[Path], None]  # a good file at the path, perhaps with others beside it
    read: Callable[[Path], object]
    needs: tuple[str, ...] = ()  # modules whose imports are not its time

    def prepare(self) -> None:
        """Imports what it needs."""
        for module in self.needs:
            importlib.import_module(module)


def plain(place: str) -> Callable[[Path], object]:
    """The reader called package.module:function, imported when it is called."""
    module, _, name = place.partition(":")
    return lambda path: getattr(importlib.import_module(module), name)(path)


def unpack_zarr(path: Path, folder: Path) -> Path:
    """The zarr folder of a packed file, as far as its damage lets it be one."""
    content = path.read_bytes()
    while content:
        line, _, content = content.partition(b"\n")
        try:
            name, size = json.loads(line)
            target = (folder / "x.zarr" / name).resolve()
            if not target.is_relative_to(folder.resolve()):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content[:size])
            content = content[size:]
        except (ValueError, TypeError, OSError, RecursionError):
            continue
    return folder / "x.zarr"


def read_expression(path: Path) -> object:
    from grnjax.data.expression import DataConfig, read_expression

    return read_expression(path, DataConfig(scaled=True, normalise="never"), set(NAMES))


def read_zarr(path: Path) -> object:
    with tempfile.TemporaryDirectory() as folder:
        return read_expression(unpack_zarr(path, Path(folder)))


def read_source(kind: str, path: Path) -> object:
    from grnjax.evidence.catalogue import read_blocks

    entry = f"{kind}={path}"
    if kind == "peaks":
        other = "hits.tsv" if path.name.startswith("peaks") else "peaks.tsv"
        pair = [path, path.parent / other]
        entry = "peaks=" + ",".join(map(str, pair if other == "hits.tsv" else pair[::-1]))
    return read_blocks([entry], NAMES, TFS)


def read_vectors(path: Path) -> object:
    from grnjax.evidence.vectors import read_vectors

    return read_vectors(f"{path}:emb" if path.suffix == ".h5ad" else path, NAMES, TFS)


def read_published(path: Path) -> object:
    from grnjax.data.beeline import read_folder
    from grnjax.data.genes import build_dataset
    from grnjax.data.split_files import read_splits

    folder = read_folder(path.parent)
    dataset = build_dataset(
        None, folder.edges, tfs=folder.tfs, universe=folder.genes, source=str(path)
    )
    return read_splits(path.parent, folder, dataset)


def read_archive(path: Path) -> object:
    from grnjax.data.beeline_archive import build_sets

    with tempfile.TemporaryDirectory() as folder:
        return build_sets([path], Path(folder) / "root")


def read_record(path: Path) -> object:
    from grnjax.storage.files import open_run

    return open_run(path.parent, {"command": "infer", "config": {"seed": 0}})


def read_result(path: Path) -> object:
    from grnjax.storage.outputs import find_damage

    return find_damage(path.parent)


def read_fasta(path: Path) -> object:
    from grnjax.data.fasta import read_pieces

    return list(read_pieces(path))


def read_stored(path: Path) -> object:
    from grnjax.data.annotated import read_annotated
    from grnjax.data.regulon_store import read_activity
    from grnjax.errors import EdgeFormatError

    return read_activity(read_annotated(path, EdgeFormatError), path)


def read_lists(path: Path) -> object:
    from grnjax.data.compendium.tables import ListsConfig, read_lists

    return read_lists(path, ListsConfig(species="human", cell="K562")).lists


def write_weights(kind: str, path: Path) -> None:
    from grnjax.foundation.safetensors import write_safetensors
    from tests.foundation.torch_files import write_legacy, write_torch

    rng = np.random.default_rng(0)
    arrays = {f"layer.{i}.weight": rng.random((30, 20), np.float32) for i in range(8)}
    write = {"torch": write_torch, "legacy": write_legacy, "safetensors": write_safetensors}[kind]
    write(path, arrays)


def write_dictionary(path: Path) -> None:
    path.write_bytes(pickle.dumps({f"G{i}": np.float64(i) for i in range(300)}, 4))


WEIGHTS = "grnjax.foundation.reader"
READ_WEIGHTS = plain(f"{WEIGHTS}:read_checkpoint")
READ_REGULONS = plain("grnjax.data.regulons:read_regulons")
READ_COMPENDIUM = plain("grnjax.data.compendium.source:read_source")
READ_MOTIFS = plain("grnjax.evidence.motif_models:read_motif_models")
READ_EDGES = plain("grnjax.data.edges:read_edges")
READ_TFS = plain("grnjax.data.tf_lists:read_tf_list")
READ_LINES = plain("grnjax.storage.files:read_json_lines")
READ_REGISTRY = plain("grnjax.data.download:read_registry")
READ_MANIFEST = plain("grnjax.storage.manifest:read_manifest")
EXPRESSION = "grnjax.data.expression"
READERS = {
    "expression.csv": Reader("x.csv", good.write_csv, read_expression, (EXPRESSION,)),
    "expression.csv.gz": Reader("x.csv.gz", good.write_csv, read_expression),
    "expression.parquet": Reader(
        "x.parquet", good.write_parquet, read_expression, ("pyarrow.parquet",)
    ),
    "expression.h5ad": Reader("x.h5ad", good.write_h5ad, read_expression, ("anndata",)),
    "expression zipped .h5ad": Reader(
        "x.h5ad", good.write_zipped_h5ad, read_expression, ("anndata",)
    ),
    "expression.h5ad.gz": Reader("x.h5ad.gz", good.write_gz_h5ad, read_expression, ("anndata",)),
    "expression.zarr": Reader("x.packed", good.write_zarr, read_zarr, ("anndata", "zarr")),
    "expression 10x .h5": Reader("x.h5", good.write_tenx, read_expression, ("anndata",)),
    "expression.loom": Reader("x.loom", good.write_loom, read_expression, ("anndata",)),
    "expression.mtx": Reader("matrix.mtx", good.write_market, read_expression, ("anndata",)),
    "edges.tsv": Reader("e.tsv", good.write_edges, READ_EDGES),
    "edges.tsv.gz": Reader("e.tsv.gz", good.write_edges, READ_EDGES),
    "edges.parquet": Reader("e.parquet", lambda p: good.edges().to_parquet(p), READ_EDGES),
    "edges.h5ad": Reader("e.h5ad", good.write_h5ad, READ_EDGES, ("anndata",)),
    "regulons eRegulons": Reader("r.tsv", good.write_eregulons, READ_REGULONS),
    "regulons of motifs": Reader("reg.csv.gz", good.write_motif_table, READ_REGULONS),
    "regulons GMT": Reader("r.gmt", good.write_gmt, READ_REGULONS),
    "regulons network": Reader("r.csv", good.write_edges, READ_REGULONS),
    "compendium source": Reader("x.npz", good.write_lists, READ_COMPENDIUM),
    "compendium edges": Reader("c.tsv.gz", good.write_edges, read_lists),
    "compendium ChIP-Atlas": Reader("c.tsv", good.write_chip_atlas, read_lists),
    "compendium GMT": Reader("c.gmt", good.write_gmt, read_lists),
    "sequences FASTA": Reader("s.fa", good.write_evidence(good.FASTA), read_fasta),
    "sequences FASTA.gz": Reader("s.fa.gz", good.write_evidence(good.FASTA), read_fasta),
    "motif models JSON": Reader("m.json", good.write_evidence(good.MODELS), READ_MOTIFS),
    "motif models JASPAR": Reader("m.jaspar", good.write_evidence(good.JASPAR), READ_MOTIFS),
    "motif models MEME.gz": Reader("m.meme.gz", good.write_evidence(good.MEME), READ_MOTIFS),
    "activity .h5ad": Reader("a.h5ad", good.write_activity, read_stored, ("anndata",)),
    "TF list": Reader("tfs.txt", good.write_evidence(good.rows_of(NAMES[:3])), READ_TFS),
    "vectors.npz": Reader("v.npz", good.write_npz, read_vectors),
    "vectors packed .npz": Reader("v.npz", good.write_packed_npz, read_vectors),
    "vectors.h5ad": Reader("v.h5ad", good.write_h5ad, read_vectors, ("anndata",)),
    "vectors.csv": Reader(
        "v.csv", lambda p: good.write_text(good.frame().T.to_csv(), p), read_vectors
    ),
    "published pairs": Reader("Train_set.csv", good.write_folder, read_published),
    "BEELINE Target.csv": Reader("Target.csv", good.write_folder, read_published),
    "BEELINE Label.csv": Reader("Label.csv", good.write_folder, read_published),
    "BEELINE archive": Reader("a.zip", good.write_archive, read_archive),
    "record.json": Reader("record.json", good.write_record, read_record),
    "run.json": Reader("run.json", good.write_result, read_result),
    "metrics.jsonl": Reader("metrics.jsonl", good.write_lines, READ_LINES),
    "registry.json": Reader("registry.json", good.write_registry, READ_REGISTRY),
    **{
        f"weights {kind}": Reader(
            f"w.{kind}", functools.partial(write_weights, kind), READ_WEIGHTS, (WEIGHTS,)
        )
        for kind in ("torch", "legacy", "safetensors")
    },
    "dictionary": Reader(
        "d.pkl", write_dictionary, plain(f"{WEIGHTS}:read_dictionary"), (WEIGHTS,)
    ),
    "manifest.json": Reader("manifest.json", good.write_manifest, READ_MANIFEST),
}
SOURCES = {
    "motifs": ("motifs.csv", good.write_evidence(good.MOTIFS.to_csv(index=False))),
    "motifs parquet": ("motifs.parquet", lambda path: good.MOTIFS.to_parquet(path)),
    "peaks": ("peaks.tsv", good.write_peaks),
    "peaks hits": ("hits.tsv", good.write_peaks),
    "positions": ("positions.bed", good.write_evidence(good.BED)),
    "interactions": ("interactions.txt", good.write_evidence(good.INTERACTIONS)),
    "curated": ("curated.csv", good.write_evidence(good.CURATED)),
    "table": ("table.csv", good.write_evidence(good.TABLE)),
    "network-other-species": ("network.tsv", good.write_edges),
}
for kind, (file, write) in SOURCES.items():
    read = functools.partial(read_source, kind.split()[0])
    READERS[f"evidence {kind}"] = Reader(file, write, read, ("grnjax.evidence.catalogue",))
