"""`grnjax train`: fit and evaluate on a benchmark set, beside the trivial rows."""

import dataclasses
from pathlib import Path

import pandas as pd
from tyro.conf import Positional

from grnjax import config as settings
from grnjax.cli.old_flags import translate
from grnjax.cli.report import make_report
from grnjax.cli.run_folder import Run
from grnjax.data.data_set import LoadedSet
from grnjax.data.expression import DataConfig
from grnjax.data.species import Species
from grnjax.evaluation.report import format_table
from grnjax.evidence.catalogue import digest_entries
from grnjax.evidence.vectors import split_embedding
from grnjax.methods.method import MethodConfig
from grnjax.progress import logger
from grnjax.tasks import link_prediction
from grnjax.tasks.compendium_evidence import ListsConfig
from grnjax.tasks.inputs import load_extras
from grnjax.tasks.link_prediction import Results
from grnjax.tasks.loading import load_folder, load_splits
from grnjax.tasks.split_fits import LinkPredictionConfig, draw_splits
from grnjax.training.cluster import DeviceConfig

DIFFERENCES = {
    "auroc": "AUROC",
    "average_precision": "AP",
    "within_tf_auroc": "within-TF",
    "swap_micro": "swap",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainCommand(LinkPredictionConfig):
    """Fit a method on a benchmark folder or set and judge it beside the trivial rows.

    Published split files are used where the folder has them or --data.split names them; otherwise
    the split is drawn. The method is scRegNet; --method=GT-GRN fits GT-GRN, whose settings
    `grnjax train --method=GT-GRN --help-all` lists.
    """

    folder: Positional[str]
    """Folder with Target.csv and Label.csv (GENELink), or with a network and its expression; or
    the name of a set under --data.root, such as Specific/hESC/TFs+500."""
    out: Path
    """Run folder; the same command on it resumes."""
    evidence: tuple[str, ...] = ()
    """Further evidence, as `grnjax infer` takes it."""
    lists: ListsConfig = ListsConfig()
    species: Species = "auto"
    """What the genes are of, where lists of other cells count."""
    walk_on: tuple[str, ...] = ()
    """Edge tables made elsewhere for GT-GRN to walk on, beside the networks that it infers from
    expression, or, with no word after --method.embeddings.networks, instead of them. A table that
    holds a known edge which is no train edge of some draw is refused."""
    drop_held_out: bool = False
    """Take out of --walk-on every pair of a known TF that is no train pair of some draw, whatever
    its label."""
    choose: tuple[str, ...] = ()
    """Options tried on each draw with the first seed; the best on validation serves all seeds.
    Each is one or more settings of the method, such as
    training.edge-folds=0,inputs.negative-weight=0.2."""
    data: DataConfig = DataConfig()
    devices: DeviceConfig = DeviceConfig()


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(TrainCommand, translate("train", args), program="grnjax train")
    options = {option: with_option(command.method, option) for option in command.choose}
    run = Run("train", command)
    dataset, found = load_folder(command.folder, command.data)
    if run.has_finished(inputs_of(command, found)):
        return
    splits = load_splits(found, dataset, command.split.protocol)
    if splits is None:
        splits = draw_splits(dataset, command.split)
    else:
        names = ", ".join(map(str, found.splits))
        logger.info(f"published pairs: {names}; --split.kind and --split.draws do not apply")
    extras = load_extras(
        command.method,
        dataset,
        command.data,
        splits=splits,
        evidence=command.evidence,
        walk_on=command.walk_on,
        drop_held_out=command.drop_held_out,
        lists=command.lists,
        species=command.species,
        set_name=command.folder,
    )
    mesh = run.choose_mesh(command.method, len(splits) * len(command.seeds))
    with run:
        results = link_prediction.run_study(
            dataset,
            splits,
            command,
            options=options,
            folder=command.out,
            mesh=mesh,
            **vars(extras),
        )
        run.finish({"data": dataset.report, "metrics": results.record()})
    if run.is_first:
        print_results(results, command.out, make_report(command.out))


def with_option(method: MethodConfig, option: str) -> MethodConfig:
    """The method with `key=value,key=value` applied."""
    items = [item.strip() for item in option.split(",") if item.strip()]
    return settings.parse(method, [f"--{item}" for item in items], program="--choose")


def inputs_of(command: TrainCommand, found: LoadedSet) -> dict[str, str | Path | None]:
    """The files the run reads, by their roles."""
    return {
        **inputs_of_set(found, command.data),
        **{f"method/{key}": path for key, path in command.method.files().items()},
        **{f"networks/{path}": path for path in command.walk_on},
        **digest_entries(command.evidence),
        **command.lists.files(command.method),
    }


def inputs_of_set(found: LoadedSet, data: DataConfig) -> dict[str, str | Path | None]:
    """The files of a set, and those that are read with it, by their roles."""
    inside = {found.path, *found.path.iterdir()}
    outside = {
        "expression": found.expression,
        **{f"splits/{folder.name}": folder for folder in found.splits},
        "embedding": data.embedding and split_embedding(data.embedding)[0],
        "gene_names": data.gene_names,
    }
    outside = {role: path for role, path in outside.items() if path not in inside}
    return {"folder": found.path, **outside}


def print_results(results: Results, out: Path, report: Path | None) -> None:
    """The tables a user wants to see first."""
    differences = format_differences(results.method, results.record()["paired_differences"])
    print(f"\n{format_table(results.summary)}\n\n{differences}")
    if results.reconstructions:
        print(f"\n{format_reconstructions(results.reconstructions)}")
    if report is not None:
        print(f"\nReport: {report}")
    print(f"\nEverything else is in {out / 'run.json'}")


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
