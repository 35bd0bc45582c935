"""`grnjax transfer`: train on one benchmark set, judge on another."""

import dataclasses
from pathlib import Path

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.cli.run_folder import Run
from grnjax.cli.train import inputs_of_set
from grnjax.data.expression import DataConfig
from grnjax.evaluation.report import format_table, summarise
from grnjax.methods.method import MethodConfig
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod
from grnjax.tasks.loading import load_embedding, load_folder
from grnjax.tasks.split_fits import LinkPredictionConfig
from grnjax.tasks.transfer import TransferResults, transfer
from grnjax.training.cluster import DeviceConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferCommand(LinkPredictionConfig):
    """Train a method on the labels of one benchmark set and judge it on those of another.

    Both sets are joined by gene name. A method reads what means the same in both: of expression
    its statistics, and frozen gene vectors of one model.
    """

    source: Positional[str]
    """Set whose labels train, by name under --data.root or by folder."""
    target: Positional[str]
    """Set that is judged."""
    out: Path
    """Run folder; the same command on it resumes."""
    method: MethodConfig = ScRegNetMethod(inputs=InputConfig(nodes="statistics"))
    """The method, scRegNet or kernel-factor, with its settings under --method."""
    data: DataConfig = DataConfig(split="draw")
    """How both sets are read."""
    target_embedding: str | None = None
    """Frozen vectors of the target's genes, from the same model as --data.embedding."""
    devices: DeviceConfig = DeviceConfig()


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(TransferCommand, args, program="grnjax transfer")
    run = Run("transfer", command)
    target_data = dataclasses.replace(command.data, embedding=command.target_embedding)
    source, source_folder = load_folder(command.source, command.data)
    target, target_folder = load_folder(command.target, target_data)
    source_files = inputs_of_set(source_folder, command.data)
    target_files = inputs_of_set(target_folder, target_data)
    files = {f"source/{role}": path for role, path in source_files.items()}
    files |= {f"target/{role}": path for role, path in target_files.items()}
    if run.has_finished(files):
        return
    mesh = run.choose_mesh(command.method, len(command.split.draws) * len(command.seeds))
    with run:
        results = transfer(
            source,
            target,
            command,
            source_embedding=load_embedding(command.data, source),
            target_embedding=load_embedding(target_data, target),
            folder=command.out,
            mesh=mesh,
        )
        about = {"source": source.report, "target": target.report, "joined": results.report}
        run.finish({"data": about, "metrics": {"rows": results.rows}, "audit": results.audit})
    if run.is_first:
        print_results(results, command.out)


def print_results(results: TransferResults, out: Path) -> None:
    """A table for each group of TFs."""
    for group, rows in results.rows.items():
        if rows:
            print(f"\n{group}:\n\n{format_table(summarise(rows))}")
        else:
            print(f"\n{group}: no TF with both labels")
    print(f"\nEverything else is in {out / 'run.json'}")
