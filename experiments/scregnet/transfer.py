"""Transfer: scRegNet and the trivial rows trained on one cell type, judged on another.

Run:     GRNJAX_DATA=... python -m experiments.scregnet.transfer
Cost:    about 9 min on one core, 1.6 GB memory
Expect:  unseen TFs, AUROC/swap of scRegNet (its expression permuted): mESC to mDC .558/.535
         (.495/.510), mDC to mESC .547/.498 (.521/.502), mESC to hESC .482/.501 (.513/.502), hESC to
         hHEP .549/.493 (.541/.503), hHEP to hESC .518/.514 (.545/.493)
"""

import dataclasses

from experiments.shared.studies import begin, keep_genes, run_program
from grnjax.data.expression import DataConfig
from grnjax.methods.method import MethodConfig
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod
from grnjax.progress import logger
from grnjax.tasks.loading import load_folder
from grnjax.tasks.split_fits import LinkPredictionConfig, SplitConfig
from grnjax.tasks.transfer import transfer

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
            both = [load_folder(f"Specific/{cell}/{SIZE}", config.data)[0] for cell in pair]
            if only_measured:
                both = [keep_genes(dataset, dataset.genes.measured) for dataset in both]
            found = transfer(*both, config)
            for group, rows in found.rows.items():
                results.add(rows, set=name, split=group)
            audit = [{"method": row["tf"], "draw": 0, "seed": 0, **row} for row in found.audit]
            results.add(audit, set=name, split="audit")
            logger.info("%s: done", name)


if __name__ == "__main__":
    run_program(main)
