"""What is known of the pairs of a BEELINE set but its labels: lists of other cells, motifs, priors.

*Lists* are ENCODE's and those of BEELINE's other sets. Motifs in promoters and in peaks of mouse
blood cells are CellOracle's tables, which may not be passed on; genes and TFs go by symbol in upper
case, whatever the species. Which TFs are like a TF is told by STRING, by the motifs of the TFs in
promoters and by JASPAR's families. Expression is not read: which genes were measured was chosen by
others and depends on the labels (experiments/shared/beeline_evidence.py).
"""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.baselines.other_lists import occupancy_rate, partner_same, residual_same
from grnjax.data.compendium.aliases import name_tf
from grnjax.data.compendium.lists import TargetLists
from grnjax.evidence.motif_models import read_motif_models
from grnjax.methods.compendium.features import FEWEST_TARGETS, MOST, ask_others

PROMOTERS = "motifs_tss/mm10_promoter_base_GRN.parquet"
PEAKS = "mouse_hsc_scatac_peaks/TFinfo_dataframe.parquet"
CIRCUITS = "human_motif_regulatory_circuits/marbach2016_gene_by_tf.npz"
JASPAR = "motif_models/jaspar2026_core_vertebrates.json.gz"
STRING = "beeline_full_networks/{species}_STRING-network.csv.gz"
DOROTHEA = {"human": "hs", "mouse": "mm"}
COMPONENTS, RIDGE = 12, 1.0
OF_LISTS = 9  # the first columns are of lists, and what is after them needs none


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """A set to be ranked: its TFs with each of its genes."""

    cell: str
    species: str
    genes: np.ndarray  # [gene] str, upper case
    tfs: list[str]
    labels: np.ndarray  # [tf, gene] bool


def describe(
    pairs: Pairs, lists: TargetLists, root: Path, *, with_lists: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Features [tf, gene, feature] and gates [tf, gate], the rate and the TF's own lists first.

    Args:
        lists: over the genes of the set, without its own and those that may not be seen.
        with_lists: whether lists count at all; without, their columns are zeros.
    """
    bare, known = describe_without_lists(pairs, root)
    shape = len(pairs.tfs), len(pairs.genes)
    found = np.zeros((*shape, OF_LISTS), np.float32)
    has_list = np.zeros(len(pairs.tfs))
    if with_lists:
        has_list = np.array([len(lists.rows_of(tf)) > 0 for tf in pairs.tfs], dtype=float)
        for column, values in enumerate(read_lists(pairs, lists, root)):
            found[..., column] = values
    features = np.concatenate([found, bare], axis=-1)
    gates = np.concatenate([has_list[:, None], known], axis=1)
    return np.clip(features, -MOST, MOST).astype(np.float32), gates.astype(np.float32)


def read_lists(pairs: Pairs, lists: TargetLists, root: Path) -> list[np.ndarray]:
    """The columns that are of lists: [tf, gene] each, or [gene]."""
    tfs = pairs.tfs
    asked = sorted({tf for tf, n in zip(lists.tfs, lists.counts) if n >= FEWEST_TARGETS})
    others = residual_same(lists, asked).astype(np.float32)
    is_own = np.array([name_tf(tf) for tf in tfs])[:, None] == np.array(asked, dtype=str)
    same = residual_same(lists, tfs).astype(np.float32)
    columns = [2 * np.log1p(occupancy_rate(lists)), same]
    columns.append(ask_others(same, others, is_own))
    for carried in (False, True):
        part = lists.take(lists.carried == carried)
        rate = occupancy_rate(part) if len(part) else np.ones(len(pairs.genes))
        columns.append(2 * np.log1p(rate))
    string, motif, family = (compare(tfs, asked, pairs.species, root, x) for x in SIMILAR)
    columns.append(partner_same(lists, np.where(is_own, 0, string[1]), asked))
    columns.append(partner_same(lists, np.where(is_own, 0, family[0]), asked))
    kernels = {"motif": motif[0], "STRING": string[0]}
    for name, kernel in kernels.items():
        whole = compare(asked, asked, pairs.species, root, name)[0]
        solved = np.linalg.solve(whole + RIDGE * np.eye(len(asked)), others)
        columns.append(np.where(is_own, 0, kernel) @ solved)
    return columns


SIMILAR = ("STRING", "motif", "family")


def compare(
    tfs: Sequence[str], others: Sequence[str], species: str, root: Path, by: str
) -> tuple[np.ndarray, np.ndarray]:
    """How alike TFs are, and whether they are linked: [tf, other] each."""
    if by == "family":
        family = read_families(root)
        alike = [
            [bool(family.get(x)) and family.get(x) == family.get(y) for y in others] for x in tfs
        ]
        return np.array(alike, float), np.array(alike, float)
    if by == "motif":
        found = take(read_profiles(root), tfs, others)
        return found, found
    table = read_string(root, species)
    one, other = (unit(take(table, names)) for names in (tfs, others))
    return one @ other.T, take(table, tfs, others)


def take(table: pd.DataFrame, rows: Sequence[str], columns: Sequence[str] | None = None):
    """Values of these rows and columns, or all of these, 0 where there is none."""
    values, row = table.to_numpy(), table.index.get_indexer(list(rows))
    found = np.where(row[:, None] >= 0, values[row], 0)
    if columns is None:
        return found
    column = table.columns.get_indexer(list(columns))
    return np.where(column >= 0, found[:, column], 0)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; zeros stay."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


@functools.cache
def describe_without_lists(pairs: Pairs, root: Path) -> tuple[np.ndarray, np.ndarray]:
    """Motifs, networks of interactions and curated edges: [tf, gene, feature] and [tf, gate]."""
    tfs, genes = pairs.tfs, pairs.genes
    columns, known = [], []
    for table in (read_hits(root, PROMOTERS), read_hits(root, PEAKS), read_circuits(root)):
        own, total = take(table, genes, tfs).T, take(table, genes).sum(axis=1)
        expected = own.mean(axis=1, keepdims=True) * total / max(total.mean(), 1e-9)
        spread = own.std(axis=1, keepdims=True)
        columns += [(own - expected) / np.where(spread > 0, spread, 1), scale(total)]
        known.append(own.any(axis=1).astype(float))
    columns += [*take(read_components(root), genes).T]
    string = read_string(root, pairs.species)
    one, other = (unit(take(string, names)) for names in (tfs, genes))
    columns += [
        3 * take(string, tfs, genes),
        10 * one @ other.T,
        scale(take(string, genes).sum(axis=1)),
    ]
    columns.append(3 * take(read_curated(root, pairs.species), tfs, genes))
    shape = len(tfs), len(genes)
    return np.stack([np.broadcast_to(x, shape) for x in columns], axis=-1), np.array(known).T


def scale(values: np.ndarray) -> np.ndarray:
    """log(1 + value), less its mean, in deviations."""
    found = np.log1p(values)
    return (found - found.mean()) / max(found.std(), 1e-9)


@functools.cache
def read_hits(root: Path, name: str) -> pd.DataFrame:
    """In how many regions of a gene (index) each TF (column) has a motif, in upper case."""
    table = pd.read_parquet(root / name).drop(columns="peak_id")
    row, genes = pd.factorize(table.pop("gene_short_name").str.upper(), sort=True)
    values = np.zeros((len(genes), table.shape[1]), np.float32)
    np.add.at(values, row, table.to_numpy(np.float32))
    return merge_columns(pd.DataFrame(np.minimum(values, 3), index=genes, columns=table.columns))


@functools.cache
def read_circuits(root: Path) -> pd.DataFrame:
    """Motif circuits: gene by TF."""
    with np.load(root / CIRCUITS, allow_pickle=False) as held:
        genes, tfs = held["genes"], held["tfs"]
        values = np.zeros((len(genes), len(tfs)), np.float32)
        values[np.repeat(np.arange(len(genes)), np.diff(held["indptr"])), held["indices"]] = 1
    table = pd.DataFrame(values, index=np.char.upper(genes), columns=tfs)
    return merge_columns(table.groupby(level=0).max())


def merge_columns(table: pd.DataFrame) -> pd.DataFrame:
    """TFs in upper case, each once."""
    table.columns = [name_tf(str(name)) for name in table.columns]
    return table.loc[:, ~table.columns.duplicated()]


@functools.cache
def read_profiles(root: Path) -> pd.DataFrame:
    """How alike the motifs of TFs stand over genes, less what is of the gene: TF by TF."""
    found = []
    for table in (read_hits(root, PROMOTERS), read_circuits(root)):
        values = table.to_numpy().T
        left = values - values.mean(axis=0) * values.mean(axis=1, keepdims=True) / values.mean()
        left = unit(left - left.mean(axis=1, keepdims=True))
        found.append(pd.DataFrame(left @ left.T, index=table.columns, columns=table.columns))
    names = found[0].index.union(found[1].index)
    sums = sum(take(one, names, names) for one in found)
    counts = sum(np.outer(x, x) for x in (names.isin(one.index) * 1 for one in found))
    return pd.DataFrame(sums / np.maximum(counts, 1), index=names, columns=names)


@functools.cache
def read_components(root: Path) -> pd.DataFrame:
    """The first components of the motifs of genes, in deviations."""
    table = read_hits(root, PROMOTERS)
    values = table.to_numpy() - table.to_numpy().mean(axis=0)
    values = unit(values)
    left, size, _ = np.linalg.svd(values.T @ values, hermitian=True)
    scores = values @ left[:, :COMPONENTS]
    return pd.DataFrame(scores / scores.std(axis=0), index=table.index)


@functools.cache
def read_string(root: Path, species: str) -> pd.DataFrame:
    """Links of STRING, both ways: TF or gene by TF or gene, in upper case."""
    links = pd.read_csv(root / STRING.format(species=species)).iloc[:, :2].astype(str)
    pairs = np.char.upper(links.to_numpy(str))
    names, place = np.unique(pairs, return_inverse=True)
    place = place.reshape(pairs.shape)
    table = np.zeros((len(names), len(names)), np.float32)
    table[place[:, 0], place[:, 1]] = table[place[:, 1], place[:, 0]] = 1
    return pd.DataFrame(table, index=names, columns=names)


@functools.cache
def read_families(root: Path) -> dict[str, str]:
    """The family of each TF by JASPAR; of one in complexes, that of the last."""
    models = read_motif_models(root / JASPAR)
    return {tf.upper(): model.family for model in models for tf in model.tfs if model.family}


@functools.cache
def read_curated(root: Path, species: str) -> pd.DataFrame:
    """In how many of TRRUST, CollecTRI and DoRothEA A to C an edge stands: TF by gene."""
    priors = root / "priors"
    trrust = pd.read_csv(priors / f"trrust_rawdata.{species}.tsv", sep="\t", header=None)
    dorothea = pd.read_csv(priors / f"dorothea_{DOROTHEA[species]}.csv.gz")
    dorothea = dorothea[dorothea["confidence"].isin([*"ABC"])]
    collectri = pd.read_csv(priors / "collectri.csv.gz")
    parts = [trrust[[0, 1]], collectri[["source", "target"]], dorothea[["tf", "target"]]]
    tables = [
        pd.DataFrame(np.char.upper(part.to_numpy(str)), columns=["tf", "gene"]).drop_duplicates()
        for part in parts
    ]
    edges = pd.concat(tables)
    (row, tfs), (column, genes) = (pd.factorize(edges[key]) for key in ("tf", "gene"))
    values = np.zeros((len(tfs), len(genes)), np.float32)
    np.add.at(values, (row, column), 1)
    return pd.DataFrame(values, index=tfs, columns=genes)
