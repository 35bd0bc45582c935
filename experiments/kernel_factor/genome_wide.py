"""Training labels of genes outside the 500-gene set: its own protocol, never a like-for-like row.

Run:     python -m experiments.kernel_factor.genome_wide
Cost:    about a minute a draw on two cores, 2 GB memory
Expect:  mean of both models, swap: mDC .778 (standard), .761 (unseen targets), hHEP .764, .690; the
         model trained on the 500-gene set alone has .733, .710, .742, .674

The whole networks of hHEP (HepG2) and mDC contain every label of the 500-gene set. All their
other targets that have a variance and a promoter motif row join as training genes; test pairs
stay those of the 500-gene set. Kernels between that many genes are random features, of sources
that exist genome-wide: no expression. Means are of logits.
"""

import dataclasses
import resource
import time

import numpy as np

from experiments.kernel_factor.beeline import MODEL, clear, judge
from experiments.shared.beeline_evidence import add_expression, choose_genes, read_evidence
from experiments.shared.studies import begin, fit_factors, run_program
from grnjax.baselines.controls import identity_ensemble
from grnjax.config import Seeds, Settings
from grnjax.data.benchmark import BenchmarkSet
from grnjax.data.data_set import find_root
from grnjax.data.edges import read_edges
from grnjax.data.expression import DataConfig
from grnjax.data.label_matrix import label_matrix
from grnjax.data.names import match_names
from grnjax.data.sets import find_set
from grnjax.evaluation.splits import SplitKind, draw_split
from grnjax.evidence.types import Evidence
from grnjax.methods.kernel_factor.bank import build_bank
from grnjax.methods.kernel_factor.fit import KernelFactorSettings, fit_kernel_factor
from grnjax.progress import logger
from grnjax.tasks.loading import load_folder
from grnjax.types import Dataset, LabelledPairs, Split

REQUIRED = ("dispersion", "promoter motifs")
WIDE = f"wide {MODEL}"
MORE_LABELS = "genome-wide labels"
SETS = {
    "Specific/hHEP/TFs+500": "human_HepG2-ChIP-seq-network.csv.gz",
    "Specific/mDC/TFs+500": "mouse_mDC-ChIP-seq-network.csv.gz",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class GenomeWideStudy(Settings):
    """The model trained on labels of genes that the benchmark leaves out."""

    kinds: tuple[SplitKind, ...] = ("standard", "target-disjoint")
    draws: Seeds = (0, 1, 2)
    data: DataConfig = DataConfig(split="draw")
    kernel_factor: KernelFactorSettings = KernelFactorSettings()


@dataclasses.dataclass(frozen=True, eq=False)
class WideSet:
    """A set among all genes of its whole network."""

    dataset: Dataset  # the benchmark's genes
    tfs: np.ndarray  # gene indices there
    evidence: list[Evidence]
    place: np.ndarray  # of each of its genes among all
    names: np.ndarray  # all genes, sorted
    wide_tfs: np.ndarray
    wide_evidence: list[Evidence]
    extra: LabelledPairs  # every TF with every further gene, as indices among all


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(GenomeWideStudy, "kernel_factor_genome_wide")
    for name, network in SETS.items():
        wide = load_wide(find_set(name, study.data.root), network, study)
        genes = len(wide.names)
        for kind in study.kinds:
            for draw in study.draws:
                if not results.has(set=name, split=kind, draw=draw):
                    begun = time.monotonic()
                    rows = measure(wide, kind, draw, study)
                    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
                    seconds = time.monotonic() - begun
                    facts = {"genes": genes, "peak_gib": round(peak, 2), "seconds": round(seconds)}
                    results.add(rows, set=name, split=kind, **facts)
                    logger.info("%s, %s, draw %d: %.0f s", name, kind, draw, seconds)


def load_wide(found: BenchmarkSet, network: str, study: GenomeWideStudy) -> WideSet:
    """The set, and the genes of its whole network that have a variance and a promoter motif row."""
    root = find_root(study.data.root)
    dataset, _ = load_folder(found.labels, study.data)
    dataset = choose_genes(dataset, measured_only=False)
    tfs = np.unique(dataset.known.positives[:, 0])
    edges = read_edges(root / "beeline_full_networks" / network)
    inside = dataset.genes.names
    further = np.setdiff1d(edges["target"].unique().astype(str), inside)
    read = read_evidence(found, root, further, np.arange(0))
    covered = [item.genes[0].covered for item in read if item.name in REQUIRED]
    further = further[np.all(covered, axis=0)]
    names = np.sort(np.concatenate([inside, further]))
    place = np.searchsorted(names, inside)
    wide_tfs = place[tfs]
    own = edges[edges["tf"].isin(inside[tfs])]
    is_edge = np.zeros((len(tfs), len(names)), np.float32)
    at = match_names(own["target"].tolist(), names.tolist()).positions
    row = np.searchsorted(inside[tfs], own["tf"].to_numpy(str))
    is_edge[row[at >= 0], at[at >= 0]] = 1
    columns = np.setdiff1d(np.arange(len(names)), place)
    pairs = np.stack(np.meshgrid(wide_tfs, columns, indexing="ij"), axis=-1).reshape(-1, 2)
    logger.info("%s: %d further training genes", found.name, len(columns))
    return WideSet(
        dataset=dataset,
        tfs=tfs,
        evidence=add_expression(dataset, read_evidence(found, root, inside, tfs), tfs),
        place=place,
        names=names,
        wide_tfs=wide_tfs,
        wide_evidence=read_evidence(found, root, names, wide_tfs),
        extra=LabelledPairs(pairs.astype(np.int32), is_edge[:, columns].ravel()),
    )


def measure(wide: WideSet, kind: SplitKind, draw: int, study: GenomeWideStudy) -> list[dict]:
    """Rows of one draw: the model and its wide variant, with and without more labels."""
    genes = wide.dataset.genes.names
    split = draw_split(kind, wide.dataset.known.positives, len(genes), draw)
    given = clear(wide.evidence, split, wide.tfs, genes)
    [(_, fit, _)] = fit_factors(given, wide.tfs, len(genes), split, study.kernel_factor)
    logits = {MODEL: fit.logits()}
    fitted = {"settings": study.kernel_factor, "seed": 0, "disjoint": kind != "standard"}
    widened = widen(wide, split)
    more = LabelledPairs(
        np.concatenate([widened.train.pairs, wide.extra.pairs]),
        np.concatenate([widened.train.labels, wide.extra.labels]),
    )
    cleared = clear(wide.wide_evidence, widened, wide.wide_tfs, wide.names)
    tfs, count = wide.wide_tfs, len(wide.names)
    wide_bank = build_bank(cleared, tfs, count, labelled=tfs, most_genes=0)
    for name, train in ((WIDE, widened.train), (f"{WIDE}, {MORE_LABELS}", more)):
        fit = fit_kernel_factor(wide_bank, train, widened.validation, **fitted)
        logits[name] = fit.logits()[:, wide.place]
    both = (logits[MODEL] + logits[f"{WIDE}, {MORE_LABELS}"]) / 2
    logits[f"mean of {MODEL} and {WIDE}, {MORE_LABELS}"] = both
    own = label_matrix(split.train, wide.tfs, len(genes))
    logits["ID-only ensemble"] = identity_ensemble(own, split.validation)
    every = identity_ensemble(label_matrix(more, tfs, count), widened.validation)
    logits[f"ID-only ensemble, {MORE_LABELS}"] = every[:, wide.place]
    return [judge(name, split, 0, block, wide.tfs) for name, block in logits.items()]


def widen(wide: WideSet, split: Split) -> Split:
    """The split with gene indices among all genes."""

    def move(part: LabelledPairs) -> LabelledPairs:
        return LabelledPairs(wide.place[part.pairs].astype(np.int32), part.labels)

    parts = {name: move(getattr(split, name)) for name in ("train", "validation", "test")}
    return dataclasses.replace(split, **parts)


if __name__ == "__main__":
    run_program(main)
