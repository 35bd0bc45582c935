"""`grnjax train`: fit and evaluate on a benchmark folder, beside the trivial rows."""

import dataclasses
import time
from pathlib import Path

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.cli.run_folder import already_finished, enter_run, identity
from grnjax.data.beeline import read_splits
from grnjax.data.expression import DataConfig
from grnjax.data.genes import split_embedding
from grnjax.evaluation.report import format_table
from grnjax.progress import logger
from grnjax.storage.files import write_json
from grnjax.tasks import link_prediction
from grnjax.tasks.link_prediction import MODEL, LinkPredictionConfig
from grnjax.tasks.loading import load_embedding, load_folder
from grnjax.tasks.record import describe_environment, digest_inputs

DIFFERENCES = {
    "auroc": "AUROC",
    "average_precision": "AP",
    "within_tf_auroc": "within-TF",
    "swap_micro": "swap",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainCommand(LinkPredictionConfig):
    """Fit a model on a GENELink or BEELINE folder and judge it beside the trivial rows.

    Published split files are used where the folder or --data.splits has them; otherwise the
    split is drawn.
    """

    folder: Positional[Path]
    """Folder with Target.csv and Label.csv (GENELink), or with a network and its expression."""
    out: Path
    """Run folder; the same command on it resumes."""
    data: DataConfig = DataConfig()


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(TrainCommand, args, program="grnjax train")
    begun = time.monotonic()
    record = {"command": "train", "config": identity(command), "inputs": inputs_of(command)}
    if already_finished(command.out, record):
        return
    dataset, beeline = load_folder(command.folder, command.data)
    published = command.data.splits or beeline.splits
    if published is None:
        splits = link_prediction.draw_splits(dataset, command.split)
    else:
        splits = [read_splits(published, beeline, dataset)]
        logger.info("the published split in %s is used; --split settings do not apply", published)
    embedding = load_embedding(command.data, dataset)
    with enter_run(command.out, record):
        results = link_prediction.run_study(
            dataset, splits, command, embedding=embedding, folder=command.out
        )
        report = results.record()
        table = format_table(results.summary)
        write_json(
            command.out / "run.json",
            {
                **record,
                **describe_environment(),
                "data": dataset.report,
                "metrics": report,
                "seconds": time.monotonic() - begun,
            },
        )
    print(f"\n{table}\n\n{format_differences(report['paired_differences'])}")
    print(f"\nEverything else is in {command.out / 'run.json'}")


def inputs_of(command: TrainCommand) -> dict[str, str]:
    """Digests of the files the run reads."""
    return digest_inputs(
        {
            "folder": command.folder,
            "expression": command.data.expression,
            "splits": command.data.splits,
            "embedding": command.data.embedding and split_embedding(command.data.embedding)[0],
            "gene_names": command.data.gene_names,
        }
    )


def format_differences(differences: dict) -> str:
    """One line a method: by how much the model exceeds it, on the same draws."""
    width = max(map(len, differences))
    lines = [f"{MODEL} minus".ljust(width) + "".join(f"{x:>11}" for x in DIFFERENCES.values())]
    for method, metrics in differences.items():
        means = [metrics[key]["mean"] for key in DIFFERENCES]
        cells = ["-" if mean is None else f"{mean:+.3f}" for mean in means]
        lines.append(method.ljust(width) + "".join(cell.rjust(11) for cell in cells))
    return "\n".join(lines)
