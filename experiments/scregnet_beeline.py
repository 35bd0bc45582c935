"""scRegNet and the trivial rows on BEELINE cell-type-specific networks (paper: Table 2).

Run:     GRNJAX_DATA=... python -m experiments.scregnet_beeline
Cost:    about 15 min on two cores, 2 GB memory; nearly all of it the published form on hESC
Expect:  AUROC/AP: mDC additive .813/.181, scRegNet .821/.202; hESC additive .885/.620, ID-only
         rank 4 .886/.628, scRegNet .882/.614, published form .877/.603; all in the README

mDC TFs+500: complete expression, ten draws of the standard split. hESC TFs+500: the split files
scRegNet published, expression of 537 of 910 genes. There the model is fitted in its published
form too, with the published settings of that network but selected on validation, and with zeros
for the embedding and the expression that are missing here.
"""

import os
from pathlib import Path

from experiments.record import ResultsFile, rename_model
from grnjax import config as settings
from grnjax.data.beeline import read_splits
from grnjax.data.expression import DataConfig
from grnjax.models.gcn import GCNConfig
from grnjax.models.scregnet import faithful
from grnjax.progress import start_logging
from grnjax.tasks.inputs import InputConfig
from grnjax.tasks.link_prediction import (
    LinkPredictionConfig,
    SplitConfig,
    draw_splits,
    run_study,
)
from grnjax.tasks.loading import load_folder
from grnjax.training.loop import TrainingConfig
from grnjax.types import Dataset, Split

MESSAGES = "scRegNet, messages over train edges"
MDC_DRAWS = tuple(range(10))
SEEDS = (0, 1, 2)


def published_hesc() -> LinkPredictionConfig:
    """The published settings of hESC TFs+500: SGD, batch 193, GCN 227-29-34, MLP 198."""
    encoder = GCNConfig(widths=(227, 29, 34), dropout=0.1748)
    return LinkPredictionConfig(
        model=faithful(encoder, (198,), 0.1748),
        inputs=InputConfig(nodes="profile", messages="symmetric"),
        training=TrainingConfig(
            epochs=300,
            batch_size=193,
            optimizer="sgd",
            learning_rate=1.4411e-3,
            weight_decay=1.045e-5,
            evaluate_every=5,
            select_on="auroc",
            edge_folds=0,
            unseen_share=0.0,
        ),
    )


def main() -> None:
    """Measures what has not been measured yet."""
    start_logging()
    root = Path(os.environ["GRNJAX_DATA"])
    labels, expression = root / "beeline_labels/Specific", root / "beeline_expression"
    results = ResultsFile("scregnet_beeline")
    config = LinkPredictionConfig(seeds=SEEDS)

    if not results.has(set="mDC TFs+500"):
        data = DataConfig(expression=str(expression / "mDC_TFs500.csv.gz"))
        dataset, _ = load_folder(labels / "mDC/TFs+500", data)
        splits = draw_splits(dataset, SplitConfig(draws=MDC_DRAWS))
        results.add(study(dataset, splits, config), set="mDC TFs+500", split="standard")

    data = DataConfig(expression=str(expression / "hESC_541genes.csv.gz"))
    dataset, beeline = load_folder(labels / "hESC/TFs+500", data)
    published = root / "beeline_splits/scRegNet/Specific/hESC/TFs+500"
    splits = [read_splits(published, beeline, dataset)]
    where = {"set": "hESC TFs+500", "split": "published"}
    if not results.has(**where):
        results.add(study(dataset, splits, config), **where)
    if not results.has(method="scRegNet, published form", **where):
        rows = run_study(dataset, splits, published_hesc()).rows
        results.add(rename_model(rows, "scRegNet, published form"), **where)


def study(dataset: Dataset, splits: list[Split], config: LinkPredictionConfig) -> list[dict]:
    """The rows of the model, of its variant with messages, and of the trivial methods."""
    with_messages = settings.replace(config, {"inputs.messages": "symmetric"})
    variant = run_study(dataset, splits, with_messages).rows
    return run_study(dataset, splits, config).rows + rename_model(variant, MESSAGES)


if __name__ == "__main__":
    main()
