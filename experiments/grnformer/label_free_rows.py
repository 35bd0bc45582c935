"""Scores of TF-gene pairs in one cell line of the mixture, by rows that see no label of it."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.stats import rankdata

from experiments.grnformer.networks import MARBACH, SITES, read_lines
from grnjax.baselines.correlation import absolute_pearson
from grnjax.baselines.other_lists import occupancy_rate, rate_and_residual_same, same_tf
from grnjax.data.compendium.aliases import name_cell_type
from grnjax.data.compendium.lists import TargetLists, tabulate_lists
from grnjax.data.tf_lists import read_own_list
from grnjax.evidence.intervals import join_overlaps, read_bed
from grnjax.methods.enhancer.method import EnhancerMethod, infer_regulons
from grnjax.methods.enhancer.motifs import read_csr
from grnjax.methods.expression_only import GRNBoost2Method, score_genes
from grnjax.progress import logger
from grnjax.storage.files import replace_whole
from grnjax.types import GeneTable

LISTS = "chip_networks/encode_tf_chip_networks.tsv.gz"
FEWEST_CELLS, FEWEST_TARGETS = 10, 100
PROMOTER, REACH, DECAY = 2_000, 100_000, 10_000  # bases
WHOLE = "all cells"
CONDITIONS = ("RNA + ATAC", "RNA alone", "ATAC permuted")


@dataclasses.dataclass(frozen=True, eq=False)
class Mixture:
    """The four cell lines: genes detected in ten cells or more, peaks, and target lists."""

    root: Path
    genes: np.ndarray  # sorted
    expression: np.ndarray  # [cell, gene] log1p of counts per 10,000
    peaks: pd.DataFrame
    counts: sparse.csr_matrix  # [cell, peak]
    barcodes: np.ndarray
    lines: np.ndarray  # [cell]
    lists: TargetLists


def load_mixture(root: Path) -> Mixture:
    """Everything the rows read; candidates are the genes detected in ten cells of the mixture."""
    rna, atac, lines = read_lines(root)
    counts = rna.X.tocsc()
    names = rna.var_names.to_numpy(str)
    detected = np.flatnonzero(np.diff(counts.indptr) >= FEWEST_CELLS)
    detected = detected[np.argsort(names[detected])]
    depth = np.maximum(np.asarray(counts.sum(axis=1)), 1)
    expression = np.log1p(1e4 * counts[:, detected].toarray() / depth).astype(np.float32)
    place = atac.var_names.to_series().str.extract(
        r"^(?P<chromosome>.+)_(?P<start>\d+)_(?P<end>\d+)$"
    )
    peaks = place.astype({"start": np.int64, "end": np.int64}).reset_index(drop=True)
    edges = pd.read_csv(root / LISTS, sep="\t")
    edges = edges.rename(columns={"TF": "tf", "cell_line": "cell"})
    lists = tabulate_lists(edges, names[detected], source=LISTS)
    barcodes = rna.obs_names.to_numpy(str)
    return Mixture(root, names[detected], expression, peaks, atac.X.tocsr(), barcodes, lines, lists)


def take_labels(mixture: Mixture, line: str) -> tuple[list[str], np.ndarray]:
    """The TFs of a line that have a hundred listed targets, and their lists [tf, gene]."""
    own = mixture.lists.take(mixture.lists.cells == name_cell_type(line))
    long = own.labels.sum(axis=1) >= FEWEST_TARGETS
    return own.tfs[long].tolist(), own.labels[long] > 0


class LazyRows(Mapping[str, np.ndarray]):
    """Scores [tf, gene] of rows by their names, made when they are first asked for."""

    def __init__(self, make: Mapping[str, Callable[[], np.ndarray]], shape: tuple[int, int]):
        self.make, self.shape = make, shape
        self.made: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.made:
            self.made[name] = np.broadcast_to(self.make[name](), self.shape)
        return self.made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.make)

    def __len__(self) -> int:
        return len(self.make)


def list_rows(
    mixture: Mixture, line: str, tfs: list[str], work: Path, method: EnhancerMethod
) -> LazyRows:
    """Every row; those that are inferred take minutes."""
    others = mixture.lists.without(line)
    inside = mixture.lines == line
    near, weighted = measure_accessibility(mixture, inside)
    own, whole = (f"|Pearson|, cells of {where}" for where in (line, WHOLE))

    def correlate(where: str) -> np.ndarray:
        table = make_table(mixture, cells_of(mixture, where), tfs)
        return place_rows(absolute_pearson(table, table.tfs), table, mixture, tfs)

    make: dict[str, Callable[[], np.ndarray]] = {
        own: lambda: correlate(line),
        whole: lambda: correlate(WHOLE),
        "expression in the line": lambda: mixture.expression[inside].mean(axis=0),
        "promoter accessibility": lambda: near,
        "accessibility by distance": lambda: weighted,
        "expression and accessibility": lambda: add_ranks(rows["expression in the line"], near),
        f"{own}, and accessibility": lambda: add_ranks(rows[own], near),
        "|Pearson| and accessibility": lambda: add_ranks(rows[whole], near),
        "motif": lambda: read_motifs(mixture, tfs),
        "motif x accessibility": lambda: rows["motif"] * near,
        "rate": lambda: occupancy_rate(others),
        "rate, lists alike": lambda: occupancy_rate(others, alike=True),
        "same": lambda: same_tf(others, tfs),
        "rate + residual same": lambda: rate_and_residual_same(others, tfs),
        "rate + residual same, lists alike": lambda: rate_and_residual_same(
            others, tfs, alike=True
        ),
        "rate + residual same, and accessibility": lambda: add_ranks(
            *[rows["rate + residual same"]] * 2, near
        ),
    }
    for where in (line, WHOLE):
        make[f"GRNBoost2, cells of {where}"] = functools.partial(boost, mixture, where, tfs, work)
        for condition in CONDITIONS:
            make[f"enhancer, {condition}, cells of {where}"] = functools.partial(
                infer, mixture, where, condition, tfs, work, method
            )
    rows = LazyRows(make, (len(tfs), len(mixture.genes)))
    return rows


def add_ranks(*scores: np.ndarray) -> np.ndarray:
    """The sum of ranks over genes, ties at their mean: two rows as one, with nothing fitted."""
    return sum(rankdata(one, axis=-1) for one in scores)


def list_regulators(mixture: Mixture) -> np.ndarray:
    """Which genes may regulate: TFs of the list that comes with grnjax, and those with lists."""
    return np.isin(mixture.genes, [*read_own_list("human"), *mixture.lists.tfs])


def make_table(mixture: Mixture, inside: np.ndarray, tfs: list[str] | None) -> GeneTable:
    """Expression of some cells; the regulators are these TFs, or all that there are."""
    is_tf = list_regulators(mixture) if tfs is None else np.isin(mixture.genes, tfs)
    chosen = np.flatnonzero(inside)
    chosen = chosen[np.argsort(mixture.barcodes[chosen])]
    cells = pd.DataFrame({"line": mixture.lines[chosen]}, index=mixture.barcodes[chosen])
    measured = np.ones(len(mixture.genes), bool)
    return GeneTable(mixture.genes, is_tf, mixture.expression[chosen], measured, cells)


def place_rows(
    scores: np.ndarray, table: GeneTable, mixture: Mixture, tfs: list[str]
) -> np.ndarray:
    """Rows of these TFs; zeros for one that is not among the genes."""
    row_of = {name: row for row, name in enumerate(table.names[table.tfs])}
    empty = np.zeros(len(mixture.genes))
    return np.stack([scores[row_of[tf]] if tf in row_of else empty for tf in tfs])


def measure_accessibility(mixture: Mixture, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts of the cells at each gene: within 2 kb of a start site, and by distance up to 100 kb.

    A start site is the middle of its interval; a gene with several has the highest of them.
    """
    of_peak = np.asarray(mixture.counts[inside].sum(axis=0)).ravel()
    sites = read_bed(mixture.root / SITES)
    place = pd.Series(np.arange(len(mixture.genes)), mixture.genes)
    sites = sites[sites["name"].isin(mixture.genes)].reset_index(drop=True)
    middle = (sites["start"] + sites["end"]) // 2
    gene = place[sites["name"]].to_numpy()
    found = []
    for reach in (PROMOTER, REACH):
        around = sites.assign(start=middle - reach, end=middle + reach)
        site, peak = join_overlaps(around, mixture.peaks)
        of_site = middle.to_numpy()[site]
        start, end = (mixture.peaks[side].to_numpy()[peak] for side in ("start", "end"))
        distance = np.maximum(np.maximum(start - of_site, of_site - end), 0)
        weight = of_peak[peak] * (np.exp(-distance / DECAY) if reach == REACH else 1)
        total = np.bincount(site, weight, minlength=len(sites))
        highest = np.zeros(len(mixture.genes))
        np.maximum.at(highest, gene, total)
        found.append(highest)
    return found[0], found[1]


def read_motifs(mixture: Mixture, tfs: list[str]) -> np.ndarray:
    """1 where Marbach's circuits have the TF's motif at the gene."""
    table = read_csr(mixture.root / MARBACH / "marbach2016_gene_by_tf.npz")
    return table.reindex(index=mixture.genes, columns=tfs).fillna(0).to_numpy().T


def cells_of(mixture: Mixture, where: str) -> np.ndarray:
    """The cells of a line, or all."""
    return mixture.lines == where if where != WHOLE else np.ones(len(mixture.lines), bool)


def boost(mixture: Mixture, where: str, tfs: list[str], work: Path) -> np.ndarray:
    """GRNBoost2 with all regulators, kept in the folder of work."""
    table = make_table(mixture, cells_of(mixture, where), None)
    name = f"grnboost2-{where}"

    def make() -> np.ndarray:
        return score_genes(table, GRNBoost2Method(), seed=0, folder=work / name)

    return place_rows(recall(work / f"{name}.npy", make), table, mixture, tfs)


def infer(
    mixture: Mixture, where: str, condition: str, tfs: list[str], work: Path, method: EnhancerMethod
) -> np.ndarray:
    """The enhancer method with gene-level motifs, kept in the folder of work.

    Permuted, every peak has the counts of another one, in the same cells.
    """
    table = make_table(mixture, cells_of(mixture, where), None)
    name = f"enhancer-{condition}-{where}".replace(" ", "")
    motifs = str(mixture.root / MARBACH / "marbach2016_gene_by_tf.npz")

    def make() -> np.ndarray:
        own = dataclasses.replace(method, motifs=motifs, groups="line")
        if condition != "RNA alone":
            path = write_atac(mixture, condition == "ATAC permuted", work)
            sites = str(mixture.root / SITES)
            own = dataclasses.replace(own, atac=str(path), sites=sites)
        # meta-cells are by expression, so that all conditions share what boosting has done
        fit = infer_regulons(table, own, seed=0, folder=work / f"enhancer-{where}".replace(" ", ""))
        regulons = fit.counts.get("regulons", {})
        logger.info("%s, cells of %s: %s", condition, where, regulons)
        return fit.matrix

    return place_rows(recall(work / f"{name}.npy", make), table, mixture, tfs)


def write_atac(mixture: Mixture, is_permuted: bool, work: Path) -> Path:
    """Accessibility as a file, whose peaks may have the counts of others."""
    import anndata

    path = work / f"atac{'-permuted' * is_permuted}.h5ad"
    if not path.exists():
        peaks = mixture.peaks
        names = (
            peaks["chromosome"] + ":" + peaks["start"].astype(str) + "-" + peaks["end"].astype(str)
        )
        order = np.arange(len(peaks))
        if is_permuted:
            order = np.random.default_rng(0).permutation(order)
        var = pd.DataFrame(index=names.to_numpy(str))
        obs = pd.DataFrame({"line": mixture.lines}, index=mixture.barcodes)
        with replace_whole(path) as partial:
            anndata.AnnData(mixture.counts[:, order], obs, var).write_h5ad(partial)
    return path


def recall(path: Path, make) -> np.ndarray:
    """An array that is made once."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        values = make().astype(np.float32)
        with replace_whole(path) as partial, open(partial, "wb") as file:
            np.save(file, values)
    return np.load(path, allow_pickle=False)
