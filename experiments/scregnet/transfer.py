"""Transfer: scRegNet and the trivial rows trained on one cell type, judged on another.

Run:     GRNJAX_DATA=... python -m experiments.scregnet.transfer
Cost:    about 9 min on one core, 1.6 GB memory
Expect:  unseen TFs, AUROC / swap of scRegNet (its expression permuted; untrained |Pearson|):
         mESC to mDC  .558 / .535 (.495 / .510; .545 / .545)
         mDC to mESC  .547 / .498 (.521 / .502; .467 / .510), measured genes .508 / .494
         mESC to hESC .482 / .501 (.513 / .502; .491 / .507)
         hESC to hHEP .549 / .493 (.541 / .503; .480 / .527), measured genes .493 / .488
         hHEP to hESC .518 / .514 (.545 / .493; .496 / .498)

So what these labels teach hardly leaves their cell type. Only from mESC to mDC is scRegNet above
its permuted control beyond the spread of five draws (.002 and .023 for the AUROC), and there its
swap is no higher than that of a correlation nobody trained. On shared TFs the TF rate alone
reaches an AUROC of .833 (hESC to hHEP), .669 (hHEP to hESC) and .650 (mESC to hESC), and no row is
more than .03 above it.

BEELINE cell-type-specific networks, TFs+500, in the pairs of sets that have expression. Judged
are all pairs of the target's label TFs with its genes: of all its TFs ("all TFs"), of those that
are label TFs of the source ("shared TFs") and of the others ("unseen TFs"). Rows of split "audit"
say for each target TF how far its labels agree with the source's: no shared TF beyond a phi of
.43, but KLF5 in hESC and BRCA1 in hHEP have nearly the same list (.92), and all 31 targets of CTCF
in mDC that mESC has are its targets there, too (51 % by chance).

All sets but mDC have expression of some of their genes only, chosen by others, and a model can read
off which. So each pair comes twice, the second time with the measured genes alone. Each draw has a
split of the source, a start of the model and permutations of its own. Mouse and human genes are
joined by upper-cased symbol, which takes genes of one symbol for orthologues.
"""

import dataclasses

import numpy as np

from experiments.shared.studies import begin
from grnjax.data.expression import DataConfig
from grnjax.methods.method import MethodConfig
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod
from grnjax.progress import logger
from grnjax.tasks.link_prediction import LinkPredictionConfig, SplitConfig
from grnjax.tasks.loading import load_folder
from grnjax.tasks.transfer import transfer
from grnjax.types import Dataset, GeneTable, LabelledPairs

SIZE = "TFs+500"
PAIRS = (("mESC", "mDC"), ("mDC", "mESC"), ("mESC", "hESC"), ("hESC", "hHEP"), ("hHEP", "hESC"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(LinkPredictionConfig):
    """The study; its inputs must be comparable between data sets."""

    data: DataConfig = DataConfig()
    method: MethodConfig = ScRegNetMethod(inputs=InputConfig(nodes="statistics"))
    split: SplitConfig = SplitConfig(draws=(0, 1, 2, 3, 4))
    controls: tuple[str, ...] = ("expression-permuted",)


def main() -> None:
    """Measures what has not been measured yet."""
    config, results = begin(Config, "scregnet_transfer")
    for pair in PAIRS:
        for only_measured in (False, True):
            name = f"{' to '.join(pair)}, {SIZE}" + ", measured genes" * only_measured
            if results.has(set=name, split="audit"):  # what is written last
                continue
            found = transfer(*(load(cell, config.data, only_measured) for cell in pair), config)
            for group, rows in found.rows.items():
                results.add(rows, set=name, split=group)
            audit = [{"method": row["tf"], "draw": 0, "seed": 0, **row} for row in found.audit]
            results.add(audit, set=name, split="audit")
            logger.info("%s: done", name)


def load(cell: str, data: DataConfig, only_measured: bool) -> Dataset:
    """The set of a cell type with the expression that covers most of its genes."""
    dataset, _ = load_folder(f"Specific/{cell}/{SIZE}", data)
    return keep_measured(dataset) if only_measured else dataset


def keep_measured(dataset: Dataset) -> Dataset:
    """The data set without the genes that have no expression."""
    genes, known = dataset.genes, dataset.known
    kept = genes.measured
    place = np.cumsum(kept) - 1
    within = known.take(kept[known.pairs].all(axis=1))
    return dataclasses.replace(
        dataset,
        genes=GeneTable(
            genes.names[kept], genes.is_tf[kept], genes.expression[:, kept], genes.measured[kept]
        ),
        known=LabelledPairs(place[within.pairs].astype(np.int32), within.labels),
    )


if __name__ == "__main__":
    main()
