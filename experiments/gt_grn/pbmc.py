"""Types of blood cells predicted from GT-GRN's gene embeddings, beside what needs no embedding.

Run:     python -m experiments.gt_grn.pbmc
         python -m experiments.gt_grn.pbmc --sets pbmc68k
Cost:    6 min of one core: pbmc68k 79 s, pbmc3k 293 s
Expect:  logistic regression on the expression embedding .83 and .87 accuracy, on as many principal
         components .84 and .93; on the global embedding .71 and .74, on random vectors of its width
         .74 and .76
"""

import dataclasses
import time
from pathlib import Path

import numpy as np

from experiments.shared.studies import begin, run_program
from grnjax.config import Seeds, Settings
from grnjax.data.data_set import find_root
from grnjax.data.expression import DataConfig, Expression
from grnjax.data.labelled_cells import CellSet
from grnjax.data.tf_lists import read_tf_list
from grnjax.methods.gt_grn.embeddings import GeneEmbeddingConfig, embed_dataset
from grnjax.progress import logger
from grnjax.tasks.cell_type import CellTypeConfig, GeneVectors, annotate_cells
from grnjax.tasks.inputs import tabulate_genes
from grnjax.types import LabelledCells

TF_LIST = Path("tf_lists/lambert2018.txt")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PBMCStudy(Settings):
    """Each embedding and both side by side, on sets of labelled cells of the benchmark root."""

    sets: tuple[str, ...] = tuple(CellSet.SETS)
    """Names of sets: pbmc68k, pbmc3k."""
    seeds: Seeds = (0, 1, 2)
    """Seeds of the folds; the embeddings are the same for all."""
    cell_types: CellTypeConfig = CellTypeConfig()
    embeddings: GeneEmbeddingConfig = GeneEmbeddingConfig()
    data: DataConfig = DataConfig()
    work: Path = Path("gt-grn-work")
    """Keeps inferred networks and embeddings."""


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(PBMCStudy, "gt_grn_pbmc")
    root = find_root(study.data.root)
    for name in study.sets:
        begun = time.monotonic()
        where = {"set": name, "split": f"{study.cell_types.folds} folds"}
        cells = CellSet.read(name, root)
        for embedding, table in embed_cells(name, cells, read_tf_list(root / TF_LIST), study):
            for seed in study.seeds:
                if not results.has(embedding=embedding, seed=seed, **where):
                    rows = annotate_cells(cells, table, study.cell_types, seed=seed)
                    for row in rows:
                        method = f"{embedding}, {row['features']}, {row['classifier']}"
                        row |= {"embedding": embedding, "method": method, "draw": row["fold"]}
                    results.add(rows, **where)
        logger.info("%s: %.0f s", name, time.monotonic() - begun)


def embed_cells(
    name: str, cells: LabelledCells, tfs: list[str], study: PBMCStudy
) -> list[tuple[str, GeneVectors]]:
    """The gene vectors of a set by the names of their embeddings."""
    genes, _ = tabulate_genes(Expression(cells.expression, cells.genes, {"source": name}), tfs)
    made = embed_dataset(genes, study.embeddings, seed=0, folder=study.work / name)
    vectors = {
        "expression embedding": made.expression,
        "global embedding": made.walks,
        "both": np.hstack([made.expression, made.walks]),
    }
    return [(embedding, GeneVectors(genes.names, values)) for embedding, values in vectors.items()]


if __name__ == "__main__":
    run_program(main)
