"""Mouse motif and peak tables through TF to region to gene, judged by ChIP-seq of two cell types.

Run:     GRNJAX_DATA=... python -m experiments.grnformer.label_free_mouse
Cost:    about 5 min on 2 CPU cores, 2 GB memory
Expect:  label_free.md; its tables are made from the rows

There are no cells of the accessibility: peaks of mouse haematopoietic cells, which of them belong
to which gene, and which motifs lie in them are given (CellOracle's tables, for non-commercial use).
A pair's score is in how many peaks of the gene the TF has a motif; beside it motifs in promoters.
Expression and labels are BEELINE's, mESC (588 of 1,120 genes of TFs+500) and mHSC-E (205 of 704,
its TFs alone), on the genes whose expression is at hand; candidates are the TFs with labels with
each gene. Rate and same are of lists of other mouse cells (mDC; macrophages and, for mHSC-E, mESC
of CNNC); the partial lists of BEELINE's other sets are left out. Permuted motifs stay with the
genes that have a peak. Intervals are over resampled TFs.
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.grnformer.label_free import ALL, judge_rows
from experiments.grnformer.label_free_rows import LazyRows, add_ranks
from experiments.shared.record import ResultsFile
from experiments.shared.studies import begin, keep_genes, run_program
from grnjax.baselines.correlation import absolute_pearson
from grnjax.baselines.other_lists import occupancy_rate, rate_and_residual_same, same_tf
from grnjax.config import Positive, Settings
from grnjax.data.compendium.lists import TargetLists, tabulate_lists
from grnjax.data.data_set import find_root
from grnjax.data.expression import DataConfig
from grnjax.data.names import match_names
from grnjax.methods.enhancer.method import EnhancerMethod, infer_regulons
from grnjax.methods.expression_only import GRNBoost2Method, score_genes
from grnjax.progress import logger
from grnjax.tasks.loading import load_folder
from grnjax.types import Dataset, GeneTable

STUDY = "grnformer_label_free_mouse"
SETS = {"mESC": "Specific/mESC/TFs+500", "mHSC-E": "Specific/mHSC-E/TFs+500"}
HITS = "mouse_hsc_scatac_peaks/TFinfo_dataframe.parquet"
GENES_OF_PEAKS = "mouse_hsc_scatac_peaks/processed_peak_file.csv.gz"
PROMOTERS = "motifs_tss/mm10_promoter_base_GRN.parquet"
PEAK, GENE = "peak_id", "gene_short_name"
PEAKS, NEAR = "motifs in peaks", "motifs in promoters"
OVER = {
    "peaks of the gene and |Pearson|": "|Pearson|",
    f"{PEAKS} and |Pearson|": "|Pearson|",
    f"{PEAKS}, permuted, and |Pearson|": "|Pearson|",
    f"{PEAKS} and GRNBoost2": "GRNBoost2",
    f"enhancer, RNA and {PEAKS}": "enhancer, RNA alone",
    f"enhancer, RNA and {PEAKS}, permuted": "enhancer, RNA alone",
    f"enhancer, RNA and {NEAR}": "enhancer, RNA alone",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class MouseStudy(Settings):
    """The study."""

    sets: tuple[str, ...] = tuple(SETS)
    samples: Positive = 1000
    """Resamples of the TFs."""
    method: EnhancerMethod = EnhancerMethod()
    data: DataConfig = DataConfig(split="draw")
    work: Path = Path("grnformer-label-free-work")
    """Keeps tables of motifs."""


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(MouseStudy, STUDY)
    root = find_root(study.data.root)
    study.work.mkdir(parents=True, exist_ok=True)
    tables = {PEAKS: join_peaks(root), NEAR: read_hits(root / PROMOTERS)}
    for cell in study.sets:
        measure(results, cell, root, tables, study)
        logger.info("%s: done", cell)


def measure(
    results: ResultsFile, cell: str, root: Path, tables: dict[str, pd.DataFrame], study: MouseStudy
) -> None:
    """The rows of one cell type."""
    whole, _ = load_folder(SETS[cell], study.data)
    dataset = keep_genes(whole, whole.genes.measured)
    names, edges = dataset.genes.names, dataset.known.positives
    tfs = np.unique(edges[:, 0])
    labels = np.zeros((len(tfs), len(names)), bool)
    labels[np.searchsorted(tfs, edges[:, 0]), edges[:, 1]] = True
    rows = list_rows(dataset, tfs, root, cell, tables, study)
    chosen = np.arange(len(names)) != tfs[:, None]
    candidates = labels, chosen
    judge_rows(results, (cell, ALL), rows, candidates, study.samples, lambda x: OVER.get(x, x))


def list_rows(
    dataset: Dataset,
    tfs: np.ndarray,
    root: Path,
    cell: str,
    tables: dict[str, pd.DataFrame],
    study: MouseStudy,
) -> LazyRows:
    """Every row; those that are inferred take a minute."""
    genes = dataset.genes
    names = genes.names[tfs].tolist()
    regulators = dataclasses.replace(genes, is_tf=genes.is_tf | np.isin(genes.names, names))
    of_tf = np.searchsorted(regulators.tfs, tfs)
    order = np.random.default_rng(0).permutation(len(tables[PEAKS]))
    permuted = tables[PEAKS].iloc[order].set_axis(tables[PEAKS].index)
    sources = tables | {f"{PEAKS}, permuted": permuted}
    lists = load_lists(root, genes.names).without(cell)

    def infer(name: str | None) -> np.ndarray:
        method = study.method
        if name is not None:
            path = study.work / f"RNA-and-{name.replace(' ', '-')}.tsv"
            (sources[name] > 0).astype(int).rename_axis("gene").to_csv(path, sep="\t")
            method = dataclasses.replace(method, motifs=str(path))
        return infer_regulons(regulators, method, seed=0).matrix[of_tf]

    def add(*others: str) -> np.ndarray:
        return add_ranks(*(rows[name] for name in others))

    make: dict[str, Callable[[], np.ndarray]] = {
        "|Pearson|": lambda: absolute_pearson(genes, tfs),
        "GRNBoost2": lambda: score_genes(regulators, GRNBoost2Method(), seed=0, folder=None)[of_tf],
        "expression": lambda: genes.expression.mean(axis=0),
        "peaks of the gene": lambda: count_peaks(root, genes.names),
        PEAKS: lambda: place_table(tables[PEAKS], genes, tfs),
        NEAR: lambda: place_table(tables[NEAR], genes, tfs),
        "peaks of the gene and |Pearson|": lambda: add("peaks of the gene", "|Pearson|"),
        f"{PEAKS} and |Pearson|": lambda: add(PEAKS, "|Pearson|"),
        f"{PEAKS}, permuted, and |Pearson|": lambda: add_ranks(
            place_table(permuted, genes, tfs), rows["|Pearson|"]
        ),
        f"{PEAKS} and GRNBoost2": lambda: add(PEAKS, "GRNBoost2"),
        "rate": lambda: occupancy_rate(lists),
        "same": lambda: same_tf(lists, names),
        "rate + residual same": lambda: rate_and_residual_same(lists, names),
        "enhancer, RNA alone": lambda: infer(None),
        **{f"enhancer, RNA and {x}": functools.partial(infer, x) for x in sources},
    }
    rows = LazyRows(make, (len(tfs), len(genes.names)))
    return rows


def read_hits(path: Path) -> pd.DataFrame:
    """In how many regions of a gene (index) each TF (column) has a motif."""
    table = pd.read_parquet(path).drop(columns=PEAK)
    return table.groupby(GENE).sum().astype(np.float32)


def join_peaks(root: Path) -> pd.DataFrame:
    """TF to region by the motif matrix, region to gene by the table of peaks and genes."""
    hits = pd.read_parquet(root / HITS).drop(columns=GENE).drop_duplicates(PEAK).set_index(PEAK)
    owners = pd.read_csv(root / GENES_OF_PEAKS)[[PEAK, GENE]].drop_duplicates()
    owners = owners[owners[PEAK].isin(hits.index)]
    return hits.loc[owners[PEAK]].astype(np.float32).groupby(owners[GENE].to_numpy()).sum()


def count_peaks(root: Path, names: np.ndarray) -> np.ndarray:
    """How many peaks each gene has in the table of peaks and genes."""
    counts = pd.read_csv(root / GENES_OF_PEAKS)[GENE].value_counts()
    place = match_names(names.tolist(), counts.index.tolist()).positions
    return np.where(place >= 0, counts.to_numpy()[place], 0)


def place_table(table: pd.DataFrame, genes: GeneTable, tfs: np.ndarray) -> np.ndarray:
    """The table as [tf, gene] of the run, 0 where it lacks either."""
    row = match_names(genes.names.tolist(), table.index.tolist()).positions
    column = match_names(genes.names[tfs].tolist(), table.columns.tolist()).positions
    placed = table.to_numpy()[np.maximum(row, 0)][:, np.maximum(column, 0)].T
    return np.where((column >= 0)[:, None] & (row >= 0), placed, 0)


def load_lists(root: Path, names: np.ndarray) -> TargetLists:
    """Target lists of mouse cells: mDC, and CNNC's macrophages, dendritic cells and mESC."""
    dendritic = pd.read_csv(root / "beeline_full_networks/mouse_mDC-ChIP-seq-network.csv.gz")
    dendritic = dendritic.rename(columns={"Gene1": "tf", "Gene2": "target"}).assign(cell="mDC")
    pairs = pd.read_csv(root / "chip_networks/cnnc_mouse_pairs.tsv.gz", sep="\t")
    pairs = pairs[pairs["label"] == 1].rename(columns={"TF": "tf"})
    columns = ["tf", "cell", "target"]
    edges = pd.concat([dendritic[columns], pairs[columns]])
    edges = edges.assign(tf=edges["tf"].str.upper(), target=edges["target"].str.upper())
    return tabulate_lists(edges, names, source="lists of mouse cells")


if __name__ == "__main__":
    run_program(main)
