"""The models at their published sizes, of random weights: converted, restored, embedding cells.

Run:     GRNJAX_DATA=... python -m experiments.foundation.published_sizes FOLDER
         python -m experiments.foundation.published_sizes FOLDER --models scBERT --cells 2
Cost:    about 40 min on two cores, 6 GB of memory and 4 GB of disk, most of it scFoundation and the
         largest Geneformer
Expect:  seconds a cell and memory of each size: the tables of README.md

Of each size, files in the published layout are written to FOLDER, converted, written back, which
must give the same file, and restored; then cells of PBMC 3k are embedded, the first with at least
220 detected genes of its 1,880 (scBERT: 280). Each step is a process of its own, and FOLDER is
emptied as it goes. Side files that are not to be had are replaced, which the rows name. Seconds
are without compilation.
"""

import dataclasses
import os
import shutil
import time
from pathlib import Path

from tyro.conf import Positional

from experiments.bench.line import peak_mib, run_alone
from experiments.foundation.random_weights import MILLIONS, PUBLISHED
from experiments.shared.studies import begin, run_program
from grnjax.config import Count, Settings
from grnjax.errors import ConfigError
from grnjax.progress import logger

SET, SPLIT = "PBMC 3k", "published sizes"
LEAST_GENES = 220
SCBERT_LEAST = 280  # it takes cells with 200 genes of its list, for which a shorter one stands in
CELLS = {"scBERT": 8, "scFoundation": 8}
MANY = 64
SAFETENSORS = "model.safetensors"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SizesStudy(Settings):
    """Seconds a cell and memory of the models at their published sizes."""

    folder: Positional[Path]
    """A folder for files of some GB, which are removed."""
    models: tuple[str, ...] = tuple(PUBLISHED)
    """Which sizes."""
    cells: Count = 0
    """How many are embedded; by default 8 by scBERT and scFoundation, 64 by the others."""


def main() -> None:
    """Measures what has not been measured yet, one model at a time."""
    study, results = begin(SizesStudy, "foundation_published_sizes")
    unknown = [name for name in study.models if name not in PUBLISHED]
    if unknown:
        raise ConfigError(f"there is no size {unknown[0]}; there are {', '.join(PUBLISHED)}.")
    for name in study.models:
        if results.has(method=name):
            continue
        folder = study.folder / name.replace(" ", "_")
        shutil.rmtree(folder, ignore_errors=True)
        logger.info("%s: writing, converting", name)
        made = run_alone(convert_size, name, folder)
        found = run_alone(embed_size, name, folder, study.cells or CELLS.get(name, MANY))
        shutil.rmtree(folder)
        row = {"method": name, "draw": 0, "seed": 0, **made, **found}
        row["load"] = round(os.getloadavg()[0], 1)
        results.add([row], set=SET, split=SPLIT)
        logger.info("%s", row)


def convert_size(name: str, folder: Path) -> dict:
    """Writes random weights, converts them, and back again; what that took."""
    from grnjax.foundation.convert import convert, export
    from grnjax.storage.files import digest_file

    files = PUBLISHED[name]()
    if round(files.parameters / 1e6, 2) != MILLIONS[name]:
        raise ValueError(f"{name} has {files.parameters:,} parameters, not {MILLIONS[name]} M")
    given = files.write(folder / "published")
    begun = time.perf_counter()
    about = convert(files.model, folder / "published", folder / "converted", files=given)
    seconds = time.perf_counter() - begun
    export(folder / "converted", folder / "back")
    if len({digest_file(folder / x / SAFETENSORS) for x in ("published", "back")}) > 1:
        raise ValueError(f"{name}: what was written back is not what was converted")
    shutil.rmtree(folder / "published")
    shutil.rmtree(folder / "back")
    return {
        "parameters": files.parameters,
        "stand_ins": [*files.stand_ins],
        "files": {role: file["name"] for role, file in about["source"].items()},
        "convert_s": round(seconds, 1),
        "convert_peak_mib": round(peak_mib()),
    }


def embed_size(name: str, folder: Path, count: int) -> dict:
    """Embeds cells by the converted model; seconds without compilation, and peak memory."""
    import jax
    import numpy as np

    from grnjax.foundation.convert import load_model
    from grnjax.foundation.embed import open_embedding
    from grnjax.foundation.encoders import make_encoder
    from grnjax.progress import start_logging

    start_logging()
    jax.config.update("jax_compilation_cache_dir", str(folder / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    encoder = make_encoder(load_model(folder / "converted"))
    least = SCBERT_LEAST if name == "scBERT" else LEAST_GENES
    with open_embedding(read_cells(count, least), encoder) as embedding:
        batches = list(embedding.stream((0, count)))
        real = [batch.is_real[batch.cells >= 0].sum() for batch in batches]
        shapes = {batch.tokens.shape: batch for batch in batches}
        begun = time.perf_counter()
        for batch in shapes.values():
            inputs = encoder.take_inputs(batch)
            with jax.default_matmul_precision("highest"):
                encoder.run.lower(encoder.variables, *inputs).compile()
        compiled = time.perf_counter() - begun
        begun, busy = time.perf_counter(), time.process_time()
        embedded = embedding.run()
        wall, cpu = time.perf_counter() - begun, time.process_time() - busy
    done = count - embedded.report["skipped"]
    if done != count or not np.isfinite(embedded.cells).all():
        raise ValueError(f"{name}: {done} of {count} cells have vectors")
    return {
        "cells": done,
        "tokens": round(float(sum(real)) / done),
        "batches": [f"{cells} x {length}" for cells, length in shapes],
        "s_a_cell": float(f"{wall / done:.3g}"),
        "cpu_s_a_cell": float(f"{cpu / done:.3g}"),
        "compile_s": round(compiled, 1),
        "peak_mib": round(peak_mib()),
        "genes_found": embedded.report["genes"]["matched"],
        "genes_given": embedded.report["genes"]["genes"],
    }


def read_cells(count: int, least: int):
    """The first cells of PBMC 3k with enough genes, counts by symbol."""
    import anndata
    import h5py
    import numpy as np
    import pandas as pd
    from scipy import sparse

    from grnjax.data.data_set import find_root

    with h5py.File(find_root(None) / "pbmc_rna_atac_unpaired/exprs_rna.h5") as file:
        counts = file["matrix/data"][:].T
        genes = [name.decode() for name in file["matrix/features"][:]]
    chosen = np.flatnonzero((counts > 0).sum(axis=1) >= least)[:count]
    return anndata.AnnData(sparse.csr_matrix(counts[chosen]), var=pd.DataFrame(index=genes))


if __name__ == "__main__":
    run_program(main)
