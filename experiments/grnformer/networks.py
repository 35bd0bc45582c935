"""eRegulons of a planted multiome, and of four cell lines: are they found, and do they know cells?

Run:     python -m experiments.grnformer.networks
         python -m experiments.grnformer.networks --parts planted
Cost:    planted 4 min, cell lines 4 min by ridge, on 2 CPU cores
Expect:  README.md of this folder; its tables are made from the rows

Planted: regions permuted, cells unpaired and RNA alone beside the paired multiome, on networks of
their own. Cell lines: a mixture of four lines whose RNA and ATAC were measured in the same nuclei
(SNARE-seq); no label enters the network, which is inferred once from all cells with clusters of
its own; the line is then predicted by nearest neighbours on one representation at a time, whose
components are fitted to the training folds, and clusters are compared with the lines. There is no
genome here to scan, so that motifs are those of genes (Marbach et al. 2016).
"""

import dataclasses
import gzip
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier

import grnjax
from experiments.shared.record import (
    ResultsFile,
    describe_provenance,
    read_rows,
    record_run,
    write_rows,
)
from experiments.shared.studies import begin, run_program
from grnjax.config import Seeds, Settings
from grnjax.data.data_set import find_root
from grnjax.data.expression import DataConfig
from grnjax.data.multiome_simulator import MultiomeConfig, SimulatedMultiome, simulate_multiome
from grnjax.methods.enhancer.method import EnhancerMethod, infer_regulons
from grnjax.progress import logger
from grnjax.storage.files import write_atomic, write_json
from grnjax.tasks.activity import ActivityConfig
from grnjax.tasks.inputs import load_genes_and_edges
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.tasks.reference_mapping import find_activity

STUDY, PLACES = "grnformer_networks", "grnformer_networks_places"
LINES = "four cell lines"
SNARE, MARBACH = "multiome_snareseq_4cellline", "human_motif_regulatory_circuits"
SITES = "motifs_tss/hg38_tss_info.bed.gz"
CONDITIONS = {
    "paired": {},
    "unpaired": {"paired": False},
    "counts permuted": {"permuted": "counts"},
    "counts and hits permuted": {"permuted": "counts-and-hits"},
}
NEIGHBOURS, FOLDS, COMPONENTS, RESAMPLES = 15, 5, 20, 2000


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworksStudy(Settings):
    """Both parts."""

    parts: tuple[str, ...] = ("planted", "cell lines")
    """Which: planted, cell lines."""
    seeds: Seeds = (0, 1, 2)
    """Of planted networks, and of the folds of cells."""
    multiome: MultiomeConfig = MultiomeConfig()
    method: EnhancerMethod = EnhancerMethod()
    importances: tuple[str, ...] = ("ridge",)
    """What TFs say of genes, in the networks of the cell lines: ridge takes a minute, boosting
    most of an hour."""
    data: DataConfig = DataConfig()
    work: Path = Path("grnformer-work")
    """Keeps what was inferred of the cell lines."""


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(NetworksStudy, STUDY)
    if "planted" in study.parts:
        measure_planted(study, results)
    if "cell lines" in study.parts:
        measure_lines(study, results)


def measure_planted(study: NetworksStudy, results: ResultsFile) -> None:
    """AUROC of all pairs, and how many regulons there are, in each condition and by each method."""
    for seed in study.seeds:
        for condition, changes in CONDITIONS.items():
            where = {"set": "planted", "split": condition, "draw": seed, "seed": 0}
            data = simulate_multiome(dataclasses.replace(study.multiome, **changes), seed=seed)
            for name, network in infer_planted(data, study, condition, results, where):
                scores = place_scores(network, data)
                results.add(
                    [{**where, "method": name, **judge(scores, data), **count(network, data)}]
                )
            if not results.has(method="motif within reach", **where):
                hits = motif_within_reach(data, study.method.links.distance)
                results.add([{**where, "method": "motif within reach", **judge(hits, data)}])
            logger.info("planted network %d, %s: done", seed, condition)


def infer_planted(data, study, condition, results, where):
    """The network of each method that has not been measured."""
    rna, atac = data.to_anndata()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        atac.write_h5ad(folder / "atac.h5ad")
        data.hits.to_csv(folder / "hits.tsv", sep="\t", index=False)
        data.sites.to_csv(folder / "sites.bed", sep="\t", index=False, header=False)
        files = {"atac": "atac.h5ad", "motifs": "hits.tsv", "sites": "sites.bed"}
        files = {key: str(folder / path) for key, path in files.items()}
        own = dataclasses.replace(study.method, groups="cell_type", **files)
        methods: dict = {"enhancer": own}
        if condition == "paired":
            methods["enhancer, all signs"] = dataclasses.replace(own, keep=("+/+", "-/+"))
            methods["enhancer, RNA alone"] = dataclasses.replace(study.method, groups="cell_type")
            methods |= {"grnboost2": "grnboost2", "pearson": "pearson"}
        for title, method in methods.items():
            if not results.has(method=title, **where):
                yield title, grnjax.infer(rna, method=method, tfs=data.tfs.tolist(), seed=0)


def list_pairs(data: SimulatedMultiome) -> pd.MultiIndex:
    """Every TF with every other gene."""
    pairs = pd.MultiIndex.from_product([data.tfs, data.rna.columns])
    return pairs[pairs.get_level_values(0) != pairs.get_level_values(1)]


def place_scores(network: RankedNetwork, data: SimulatedMultiome) -> np.ndarray:
    """The importance of each pair, 0 where it is not listed."""
    importance = network.edges.set_index(["tf", "target"])["importance"]
    return importance.reindex(list_pairs(data)).fillna(0).to_numpy()


def motif_within_reach(data: SimulatedMultiome, distance: int) -> np.ndarray:
    """How many regions with a motif of the TF lie within reach of the gene, of each pair."""
    place = data.hits["peak"].str.extract(r"^(?P<chromosome>.+):(?P<start>\d+)-(?P<end>\d+)$")
    hits = data.hits.assign(**place.astype({"start": int, "end": int}))
    joined = hits.merge(data.sites, on="chromosome", suffixes=("", "_site"))
    near = (joined["start"] < joined["end_site"] + distance) & (
        joined["end"] > joined["start_site"] - distance
    )
    counts = joined[near].groupby(["tf", "gene"]).size()
    return counts.reindex(list_pairs(data)).fillna(0).to_numpy()


def judge(scores: np.ndarray, data: SimulatedMultiome) -> dict:
    """AUROC and average precision of true edges among all pairs."""
    true = list_pairs(data).isin(pd.MultiIndex.from_frame(data.edges[["tf", "target"]]))
    figures = {"auroc": roc_auc_score(true, scores)}
    figures["average_precision"] = average_precision_score(true, scores)
    return {**figures, "pairs": len(true), "positives": int(true.sum())}


def count(network: RankedNetwork, data: SimulatedMultiome) -> dict:
    """How many regulons and triplets there are, and the share of them that is true."""
    table = network.tables.get("eregulons")
    if table is None:
        return {}
    triplets = pd.MultiIndex.from_frame(table[["TF", "Region", "Gene"]])
    edges = table[["TF", "Gene"]].drop_duplicates()
    edges = edges[edges["TF"] != edges["Gene"]]
    true = pd.MultiIndex.from_frame(data.edges[["tf", "target"]])
    true_triplets = pd.MultiIndex.from_frame(data.triplets[["tf", "region", "target"]])
    share = pd.MultiIndex.from_frame(edges).isin(true).mean() if len(edges) else None
    return {
        "regulons": int(table["eRegulon_name"].nunique()),
        "triplets": len(table),
        "true_edges": None if share is None else float(share),
        "true_triplets": float(triplets.isin(true_triplets).mean()) if len(table) else None,
    }


def measure_lines(study: NetworksStudy, results: ResultsFile) -> None:
    """Which line a cell is of, from each representation; and clusters held against the lines."""
    root, begun = find_root(study.data.root), time.monotonic()
    study.work.mkdir(parents=True, exist_ok=True)
    rna, atac, lines = read_lines(root)
    tables = represent(rna, atac)
    for importance in study.importances:
        regulons = infer_lines(root, rna, atac, importance, study)
        logger.info("four cell lines, %s: %.0f s", importance, time.monotonic() - begun)
        tables |= {f"{name}, {importance}": x for name, x in use(rna, regulons).items()}
    for method, table in tables.items():
        for seed in study.seeds:
            where = {"set": LINES, "split": f"{FOLDS} folds", "draw": seed, "seed": 0}
            if not results.has(method=method, **where):
                results.add([{**where, "method": method, **predict(table, lines, seed)}])
    for method in (f"activity, {x}" for x in study.importances):
        if not any(row["method"] == method for row in read_rows(PLACES)):
            table = tables[method]
            rows = [{"line": line, **row} for line, row in zip(lines, embed(table), strict=True)]
            rows = sorted(rows, key=lambda row: (row["line"], row["x"], row["y"]))
            same = {"method": method, "run": record_run(describe_provenance())}
            write_rows(PLACES, [*read_rows(PLACES), *({**same, **row} for row in rows)])


def read_lines(root: Path):
    """RNA and ATAC of the mixture as AnnData, and the line of each cell."""
    import anndata

    folder = root / SNARE
    cells = pd.read_csv(folder / "cells.csv.gz", index_col="barcode")

    def read(matrix: str, names: str):
        with gzip.open(folder / names, "rt") as file:
            var = pd.DataFrame(index=file.read().split())
        counts = sparse.load_npz(folder / matrix).T.tocsr().astype(np.float32)
        return anndata.AnnData(counts, pd.DataFrame(index=cells.index), var)

    rna = read("rna_counts_18666x1047.npz", "genes.txt.gz")
    atac = read("atac_counts_136771x1047.npz", "peaks.txt.gz")
    return rna, atac, cells["cell_line"].to_numpy(str)


def infer_lines(root: Path, rna, atac, importance: str, study: NetworksStudy) -> pd.DataFrame:
    """The eRegulons of the mixture, by clusters of its own; kept in the folder of work."""
    kept = study.work / f"four_cell_lines_{importance}.tsv"
    if not kept.exists():
        path = study.work / "atac.h5ad"
        atac.write_h5ad(path)
        method = dataclasses.replace(
            study.method,
            atac=str(path),
            motifs=str(root / MARBACH / "marbach2016_gene_by_tf.npz"),
            sites=str(root / SITES),
            tf_gene=dataclasses.replace(study.method.tf_gene, importance=importance),
        )
        dataset, _ = load_genes_and_edges(method, rna, None, None, study.data)
        fit = infer_regulons(dataset.genes, method, seed=0, folder=study.work)  # no table of pairs
        write_json(kept.with_suffix(".json"), fit.report())
        write_atomic(kept, fit.tables()["eregulons"].to_csv(sep="\t", index=False))
    return pd.read_csv(kept, sep="\t")


def represent(rna, atac) -> dict[str, np.ndarray]:
    """Expression, accessibility and depth of the cells, as features that no label entered."""
    counts = rna.X.toarray()
    logs = np.log1p(counts * (1e4 / np.maximum(counts.sum(axis=1, keepdims=True), 1)))
    variable = np.argsort(-logs.var(axis=0), kind="stable")[:2000]
    is_open = (atac.X > 0).astype(np.float32)
    open_cells, depth = (np.asarray(is_open.sum(axis=axis)).ravel() for axis in (0, 1))
    rarity = np.log1p(is_open.shape[0] / np.maximum(open_cells, 1))
    common = np.argsort(-open_cells, kind="stable")[:10_000]
    weighted = sparse.diags(1 / np.maximum(depth, 1)) @ is_open @ sparse.diags(rarity)
    return {
        "expression": logs[:, variable],
        "accessibility": np.log1p(1e4 * weighted.tocsc()[:, common].toarray()).astype(np.float32),
        "depth of RNA and ATAC": np.log1p(np.stack([counts.sum(axis=1), depth], axis=1)),
    }


def use(rna, regulons: pd.DataFrame) -> dict[str, np.ndarray]:
    """Activity of regulons, on and off, and of regulons whose targets are other genes."""
    found = score_cells(rna, regulons)
    names = np.random.default_rng(0).permutation(rna.var_names)
    others = pd.Series(names, rna.var_names)
    renamed = regulons.assign(Gene=others.reindex(regulons["Gene"]).to_numpy())
    return {
        "activity": found.auc.to_numpy(),
        "on or off": found.active.to_numpy(float),
        "activity, targets permuted": score_cells(rna, renamed).auc.to_numpy(),
    }


def score_cells(rna, regulons: pd.DataFrame):
    """The activity of regulons, rows in the order of the cells."""
    config = {"mapping": None, "data": DataConfig(), "seed": 0}
    found = find_activity(rna, regulons, None, ActivityConfig(), **config)
    if list(found.cells) != list(rna.obs_names):
        raise ValueError("the cells came back in another order")
    return found


def predict(table: np.ndarray, lines: np.ndarray, seed: int) -> dict:
    """Accuracy and balanced accuracy of out-of-fold nearest neighbours, and ARI of clusters.

    Intervals are over resampled cells; deviation and components are of the training cells.
    """
    guess = np.empty_like(lines)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(table, lines):
        project = fit_components(table[train], seed)
        model = KNeighborsClassifier(NEIGHBOURS).fit(project(table[train]), lines[train])
        guess[test] = model.predict(project(table[test]))
    space = fit_components(table, seed)(table)
    clusters = KMeans(len(set(lines)), n_init=10, random_state=seed).fit_predict(space)
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(len(lines), size=len(lines)) for _ in range(RESAMPLES)]
    resampled = [balanced(lines[x], guess[x]) for x in drawn]
    low, high = np.percentile(resampled, [2.5, 97.5])
    return {
        "accuracy": float((guess == lines).mean()),
        "balanced_accuracy": balanced(lines, guess),
        "low": float(low),
        "high": float(high),
        "ari": float(adjusted_rand_score(lines, clusters)),
        "features": table.shape[1],
    }


def fit_components(train: np.ndarray, seed: int):
    """What standardises and projects cells, fitted to some of them."""
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    deviation = np.where(deviation > 1e-8, deviation, np.inf)
    size = min(COMPONENTS, *train.shape)
    pca = PCA(size, random_state=seed, svd_solver="full").fit((train - mean) / deviation)
    return lambda cells: pca.transform((cells - mean) / deviation)


def balanced(lines: np.ndarray, guess: np.ndarray) -> float:
    """The mean over lines of the share of their cells that is told right."""
    return float(np.mean([(guess[lines == line] == line).mean() for line in np.unique(lines)]))


def embed(table: np.ndarray) -> list[dict]:
    """Two dimensions for a picture, by t-SNE on the components."""
    from sklearn.manifold import TSNE

    space = fit_components(table, 0)(table)
    places = TSNE(2, init="pca", random_state=0, perplexity=30).fit_transform(space)
    return [{"x": float(x), "y": float(y)} for x, y in places]


if __name__ == "__main__":
    run_program(main)
