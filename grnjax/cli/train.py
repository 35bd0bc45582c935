"""`grnjax train`: fit and evaluate on a benchmark folder, beside the trivial rows."""

import dataclasses
import time
from pathlib import Path

import pandas as pd
from tyro.conf import Positional

from grnjax import config as settings
from grnjax.cli.run_folder import already_finished, enter_run, identity
from grnjax.data.beeline import BeelineFolder
from grnjax.data.expression import DataConfig
from grnjax.errors import ConfigError
from grnjax.evaluation.report import format_table
from grnjax.evidence.vectors import split_embedding
from grnjax.progress import logger
from grnjax.storage.files import write_json
from grnjax.tasks import link_prediction
from grnjax.tasks.link_prediction import LinkPredictionConfig, Results
from grnjax.tasks.loading import load_embedding, load_folder, load_splits
from grnjax.tasks.record import describe_environment, digest_inputs
from grnjax.tasks.walk_networks import load_networks
from grnjax.training.cluster import DeviceConfig, do_first, is_first, join_processes
from grnjax.training.side_by_side import choose_mesh
from grnjax.types import Dataset

DIFFERENCES = {
    "auroc": "AUROC",
    "average_precision": "AP",
    "within_tf_auroc": "within-TF",
    "swap_micro": "swap",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainCommand(LinkPredictionConfig):
    """Fit a model on a benchmark folder or set and judge it beside the trivial rows.

    Published split files are used where the folder has them or --data.split names them; otherwise
    the split is drawn. The model is scRegNet; --model=GT-GRN fits GT-GRN, whose settings
    `grnjax train --model=GT-GRN --help` lists.
    """

    folder: Positional[str]
    """Folder with Target.csv and Label.csv (GENELink), or with a network and its expression; or
    the name of a set under --data.root, such as Specific/hESC/TFs+500."""
    out: Path
    """Run folder; the same command on it resumes."""
    networks: tuple[str, ...] = ()
    """Edge tables made elsewhere for GT-GRN to walk on, beside the networks that it infers from
    expression, or, with no word after --embeddings.networks, instead of them. A table that holds a
    known edge which is no train edge of some draw is refused."""
    drop_held_out: bool = False
    """Take out of --networks every pair of a known TF that is no train pair of some draw, whatever
    its label."""
    data: DataConfig = DataConfig()
    devices: DeviceConfig = DeviceConfig()


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(TrainCommand, args, program="grnjax train")
    join_processes(command.devices)
    begun = time.monotonic()
    dataset, beeline = load_folder(command.folder, command.data)
    inputs = inputs_of(command, beeline)
    record = {"command": "train", "config": identity(command), "inputs": inputs}
    if already_finished(command.out, record):
        return
    if command.drop_held_out and not command.networks:
        raise ConfigError("--drop-held-out takes pairs out of --networks, and none are given.")
    splits = load_splits(beeline, dataset, command.split.protocol)
    if splits is None:
        splits = link_prediction.draw_splits(dataset, command.split)
    else:
        names = ", ".join(map(str, beeline.splits))
        logger.info(f"published pairs: {names}; --split.kind and --split.draws do not apply")
    networks = load_networks(
        command.networks, dataset, splits, without_held_out=command.drop_held_out
    )
    embedding = load_embedding(command.data, dataset)
    alike = len(splits) * len(command.seeds)
    mesh = choose_mesh(command.devices, command.training.side_by_side, alike)
    with enter_run(command.out, record):
        results = link_prediction.run_study(
            dataset,
            splits,
            command,
            embedding=embedding,
            networks=networks,
            folder=command.out,
            mesh=mesh,
        )
        do_first(lambda: write_results(results, dataset, record, command.out, begun))
    if is_first():
        print_results(results, command.out)


def write_results(
    results: Results, dataset: Dataset, record: dict, out: Path, begun: float
) -> None:
    """Writes the record of the run, which thereby has finished."""
    write_json(
        out / "run.json",
        {
            **record,
            **describe_environment(),
            "data": dataset.report,
            "metrics": results.record(),
            "seconds": time.monotonic() - begun,
        },
    )


def print_results(results: Results, out: Path) -> None:
    """The tables a user wants to see first."""
    differences = format_differences(results.model, results.record()["paired_differences"])
    print(f"\n{format_table(results.summary)}\n\n{differences}")
    if results.reconstructions:
        print(f"\n{format_reconstructions(results.reconstructions)}")
    print(f"\nEverything else is in {out / 'run.json'}")


def inputs_of(command: TrainCommand, beeline: BeelineFolder) -> dict[str, str]:
    """Digests of the files the run reads."""
    inside = {beeline.path, *beeline.path.iterdir()}
    outside = {
        "expression": beeline.expression,
        **{f"splits/{folder.name}": folder for folder in beeline.splits},
        "embedding": command.data.embedding and split_embedding(command.data.embedding)[0],
        "gene_names": command.data.gene_names,
        **{f"networks/{path}": Path(path) for path in command.networks},
    }
    outside = {role: path for role, path in outside.items() if path not in inside}
    return digest_inputs({"folder": beeline.path, **outside})


def format_differences(model: str, differences: dict) -> str:
    """One line a method: by how much the model exceeds it, on the same draws."""
    width = max(map(len, differences))
    lines = [f"{model} minus".ljust(width) + "".join(f"{x:>11}" for x in DIFFERENCES.values())]
    for method, metrics in differences.items():
        means = [metrics[key]["mean"] for key in DIFFERENCES]
        cells = ["-" if mean is None else f"{mean:+.3f}" for mean in means]
        lines.append(method.ljust(width) + "".join(cell.rjust(11) for cell in cells))
    return "\n".join(lines)


def format_reconstructions(rows: list[dict]) -> str:
    """The figures over every pair, in the mean over draws, with what is to be said of them."""
    table = pd.DataFrame(rows).groupby("among", sort=False)[[*DIFFERENCES, "positives"]].mean()
    lines = ["".ljust(20) + "".join(f"{x:>11}" for x in [*DIFFERENCES.values(), "edges"])]
    for among, *figures, edges in table.itertuples():
        cells = "".join(f"{x:>11.3f}" for x in figures)
        lines.append(among.ljust(20) + cells + f"{edges:>11.0f}")
    title = "The whole network; train pairs are scored by a fit that was shown their labels:\n"
    return "\n".join([title, *lines])
