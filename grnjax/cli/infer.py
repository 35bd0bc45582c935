"""`grnjax infer`: from expression, and known regulation if there is any, to a ranked network."""

import dataclasses
import time
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.baselines.unsupervised import METHODS, UnsupervisedConfig, UnsupervisedMethod
from grnjax.cli.run_folder import already_finished, enter_run, identity
from grnjax.cli.unsupervised import check_settings, run_unsupervised
from grnjax.data.expression import DataConfig
from grnjax.data.simulator import EmbeddedConfig
from grnjax.errors import ConfigError
from grnjax.evaluation.report import format_table, summarise
from grnjax.evidence.catalogue import digest_entries
from grnjax.evidence.vectors import split_embedding
from grnjax.storage.files import write_json
from grnjax.tasks import network_inference
from grnjax.tasks.explanation import summarise_worth
from grnjax.tasks.loading import load_dataset, load_embedded, load_embedding
from grnjax.tasks.network_inference import InferenceConfig, Network
from grnjax.tasks.record import describe_environment, digest_inputs, write_network
from grnjax.training.cluster import DeviceConfig, do_first, is_first, join_processes
from grnjax.training.side_by_side import choose_mesh
from grnjax.types import Dataset

MOST_SHOWN = 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class InferCommand(InferenceConfig, UnsupervisedConfig):
    """Rank every TF-gene pair from expression and known regulation.

    By a method such as grnboost2 expression is enough, and a known network only judges the ranking.
    Without EXPRESSION it runs on an embedded simulated data set.
    """

    method: Literal["auto", "kernel-factor", "scRegNet", UnsupervisedMethod] = "auto"
    """From known edges: the kernel-informed factor model, scRegNet, or (auto) the former wherever
    there is expression or any other evidence to inform it. The others read expression alone."""
    expression: Positional[str | None] = None
    """Expression with names on both axes, either way round: .h5ad, .zarr, .parquet or text."""
    network: str | None = None
    """Known edges: TF and target columns, perhaps labels or signs."""
    tfs: str | None = None
    """TF list; by default the sources of the network, or all genes by a method without one."""
    blocks: tuple[str, ...] = ()
    """Further evidence: a folder, or KIND=PATH each; kinds are motifs, peaks, positions,
    interactions, curated, table, vectors, network and network-other-species."""
    out: Path = Path("grnjax-run")
    """Run folder; the same command on it resumes."""
    seed: int = 0
    data: DataConfig = DataConfig()
    embedded: EmbeddedConfig = EmbeddedConfig()
    devices: DeviceConfig = DeviceConfig()


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(InferCommand, args, program="grnjax infer")
    check_inputs(command)
    join_processes(command.devices)
    begun = time.monotonic()
    record = {"command": "infer", "config": identity(command), "inputs": inputs_of(command)}
    if already_finished(command.out, record):
        return
    if command.method in METHODS:
        run_unsupervised(command, record)
        return
    truth, motifs = None, []
    if command.expression is None:
        embedded = load_embedded(command.embedded, command.data)
        dataset, truth, motifs = embedded.dataset, embedded.truth, [embedded.motifs]
    else:
        dataset = load_dataset(command.expression, command.network, command.tfs, command.data)
    embedding = load_embedding(command.data, dataset)
    evidence = network_inference.gather_for(
        command, dataset, command.blocks, command.data.embedding
    )
    method = network_inference.choose_method(command, evidence + motifs)
    fits = command.members * command.folds if method == "scRegNet" else 1
    mesh = choose_mesh(command.devices, command.training.side_by_side, fits)
    with enter_run(command.out, record):
        network = network_inference.infer(
            dataset,
            command,
            seed=command.seed,
            evidence=evidence + motifs,
            embedding=embedding,
            folder=command.out,
            mesh=mesh,
        )
        metrics = {"rows": network.rows, "calibration": network.calibration}
        if truth is not None:
            metrics["hidden_rows"] = network_inference.judge_hidden(network, dataset, truth)
        do_first(lambda: write_results(command, record, dataset, network, metrics, begun))
    if is_first():
        print_results(network, metrics, summarise_worth(network.worth), command.out)


def write_results(
    command: InferCommand,
    record: dict,
    dataset: Dataset,
    network: Network,
    metrics: dict,
    begun: float,
) -> None:
    """Writes the network, then the record of the run, which thereby has finished."""
    about = {**record, **describe_environment()}
    write_network(command.out, network.edges, dataset, about)
    write_json(
        command.out / "run.json",
        {
            **about,
            "seed": command.seed,
            "method": network.method,
            "data": dataset.report,
            "evidence": network.evidence,
            "label_overlap": network.overlap,
            "blocks": summarise_worth(network.worth),
            "metrics": metrics,
            "seconds": time.monotonic() - begun,
        },
    )


def check_inputs(command: InferCommand) -> None:
    """Refuses combinations of inputs that cannot be meant."""
    if (command.data.expression, command.data.root, command.data.split) != (None, None, "auto"):
        raise ConfigError(
            "infer takes the expression file as its first argument, and no benchmark root or "
            "split; drop --data.expression, --data.root and --data.split."
        )
    if command.seed < 0 or command.embedded.seed < 0:
        raise ConfigError("a seed cannot be negative: give --seed and --embedded.seed 0 or more.")
    if command.expression is None and (command.network or command.tfs):
        raise ConfigError(
            "--network and --tfs need an expression file: grnjax infer EXPRESSION --network EDGES."
        )
    if command.expression is not None and command.embedded != EmbeddedConfig():
        raise ConfigError(
            "--embedded settings describe the simulated data set; drop them or the expression file."
        )
    if command.expression is None and command.blocks:
        raise ConfigError("--blocks need an expression file; the embedded data set brings its own.")
    if command.method in METHODS:
        check_settings(command)
    elif command.expression is not None and command.network is None:
        raise ConfigError(
            "known regulation is needed to learn from: add --network EDGES, a table of TFs and "
            "their targets, or rank by expression alone, as with --method=grnboost2."
        )
    else:
        refuse_unsupervised_settings(command)


def refuse_unsupervised_settings(command: InferCommand) -> None:
    """Refuses settings of a method that learns from no known edges, where another one is in use."""
    for field in dataclasses.fields(UnsupervisedConfig):
        if getattr(command, field.name) != field.default:
            method = field.name.replace("_", "-")
            raise ConfigError(
                f"--{method} is a setting of {method}, and this run learns from known edges; add "
                f"--method={method} or leave it out."
            )


def inputs_of(command: InferCommand) -> dict[str, str]:
    """Digests of the files the run reads."""
    return digest_inputs(
        {
            "expression": command.expression,
            "network": command.network,
            "tfs": command.tfs,
            "embedding": command.data.embedding and split_embedding(command.data.embedding)[0],
            "gene_names": command.data.gene_names,
            **digest_entries(command.blocks),
        }
    )


def print_results(network: Network, metrics: dict, worth: list[dict], out: Path) -> None:
    """The tables a user wants to see first."""
    titles = {
        "rows": "Known edges against unlabelled pairs, never trained on",
        "hidden_rows": "True edges that were hidden against true non-edges",
    }
    for key, title in titles.items():
        if key in metrics:
            table = format_table(summarise(metrics[key])).rpartition("\n")[0]
            print(f"\n{title} (mean over folds, 95 % interval):\n\n{table}")
    if worth:
        shown = worth[:MOST_SHOWN]
        width = max(len(row["name"]) for row in shown)
        print(
            f"\nWhat it rests on, {len(shown)} of {len(worth)}: weight of the kernels, and what AP "
            "and swap lose\nwhen permuted over genes (* above 0 by its 95 % interval):\n"
        )
        for row in shown:
            print("  " + format_worth(row, width))
    print("\nTop new edges:")
    new = network.edges[network.edges["status"] == "new"].head(5)
    for edge in new.itertuples():
        print(f"  {edge.tf} -> {edge.target}  p {edge.probability:.3f} +- {edge.spread:.3f}")
    unseen = network.edges["unseen"].value_counts()
    if unseen.get("no", 0) < len(network.edges):
        counts = ", ".join(f"{n:,} {what}" for what, n in unseen.items() if what != "no")
        print(f"\nPairs of what no known edge tells (column unseen): {counts}")
    files = "edges.tsv, rankedEdges.csv, network.h5ad, run.json"
    print(f"\n{len(network.edges):,} ranked pairs in {out}/ ({files})")


def format_worth(row: dict, width: int) -> str:
    """One line on a block or pair feature."""
    weight = "" if row["weight"] is None else f"{row['weight']:.2f}"
    line = row["name"].ljust(width) + weight.rjust(6)
    for key in ("drop_average_precision", "drop_swap_micro"):
        drop = "" if row[key] is None else f"{row[key]:+.3f}"
        line += drop.rjust(9) + ("*" if row.get(f"{key}_low", 0) > 0 else " ")
    return line.rstrip()
