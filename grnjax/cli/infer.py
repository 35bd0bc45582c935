"""`grnjax infer`: from expression and known regulation to a ranked network."""

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.data.expression import DataConfig
from grnjax.data.genes import split_embedding
from grnjax.data.simulator import EmbeddedConfig
from grnjax.errors import ConfigError, GrnjaxError
from grnjax.evaluation.report import format_table, summarise
from grnjax.progress import logger
from grnjax.storage.files import lock_run, open_run, write_json
from grnjax.tasks import network_inference
from grnjax.tasks.loading import load_dataset, load_embedded, load_embedding
from grnjax.tasks.network_inference import InferenceConfig
from grnjax.tasks.record import describe_environment, digest_inputs, write_network


@dataclasses.dataclass(frozen=True, kw_only=True)
class InferCommand(InferenceConfig):
    """Rank every TF-gene pair from expression and known regulation.

    Without EXPRESSION it runs on an embedded simulated data set.
    """

    expression: Positional[str | None] = None
    """Expression: .h5ad, or text with names on both axes, either way round, gzip too."""
    network: str | None = None
    """Known edges: TF and target columns, perhaps labels or signs."""
    tfs: str | None = None
    """TF list; by default the sources of the network."""
    out: Path = Path("grnjax-run")
    """Run folder; the same command on it resumes."""
    seed: int = 0
    data: DataConfig = DataConfig()
    embedded: EmbeddedConfig = EmbeddedConfig()


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(InferCommand, args, program="grnjax infer")
    check_inputs(command)
    begun = time.monotonic()
    record = {"command": "infer", "config": identity(command), "inputs": inputs_of(command)}
    if already_finished(command.out, record):
        return
    truth = None
    if command.expression is None:
        embedded = load_embedded(command.embedded, command.data)
        dataset, truth = embedded.dataset, embedded.truth
    else:
        dataset = load_dataset(command.expression, command.network, command.tfs, command.data)
    embedding = load_embedding(command.data, dataset)
    with enter_run(command.out, record):
        network = network_inference.infer(
            dataset, command, seed=command.seed, embedding=embedding, folder=command.out
        )
        metrics = {"rows": network.rows, "calibration": network.calibration}
        if truth is not None:
            metrics["hidden_rows"] = network_inference.judge_hidden(network, dataset, truth)
        about = {**record, **describe_environment()}
        write_network(command.out, network.edges, dataset, about)
        write_json(
            command.out / "run.json",
            {
                **about,
                "seed": command.seed,
                "data": dataset.report,
                "metrics": metrics,
                "seconds": time.monotonic() - begun,
            },
        )
    print_results(network, metrics, command.out)


def check_inputs(command: InferCommand) -> None:
    """Refuses combinations of inputs that cannot be meant."""
    if command.data.expression is not None or command.data.splits is not None:
        raise ConfigError(
            "infer takes the expression file as its first argument and no splits; drop "
            "--data.expression and --data.splits."
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
    if command.expression is not None and command.network is None:
        raise ConfigError(
            "known regulation is needed to learn from: add --network EDGES, a table of TFs and "
            "their targets."
        )


def identity(command: InferCommand) -> dict:
    """The settings that make a run this run; where it is written does not."""
    values = settings.to_json(command)
    return {key: value for key, value in values.items() if key != "out"}


def inputs_of(command: InferCommand) -> dict[str, str]:
    """Digests of the files the run reads."""
    return digest_inputs(
        {
            "expression": command.expression,
            "network": command.network,
            "tfs": command.tfs,
            "embedding": command.data.embedding and split_embedding(command.data.embedding)[0],
            "gene_names": command.data.gene_names,
        }
    )


def already_finished(out: Path, record: dict) -> bool:
    """Whether `out` holds the finished results of this very run; says so if it does."""
    if not (out / "run.json").exists():
        return False
    open_run(out, record)  # refuses a folder of another run
    logger.info("%s: this run has already finished; nothing to do.", out)
    return True


@contextlib.contextmanager
def enter_run(out: Path, record: dict) -> Iterator[None]:
    """Keeps the run folder for this process; a mistake seen before training leaves no new one."""
    before = list(out.iterdir()) if out.is_dir() else None
    with lock_run(out):
        if open_run(out, record):
            logger.info("%s: going on with an unfinished run", out)
        device = describe_environment()["device"]
        logger.info("computing on %(count)d x %(kind)s", device)
        try:
            yield
        except GrnjaxError:
            if not before and not (out / "checkpoints").exists():
                for path in out.iterdir():
                    path.unlink()
                if before is None:
                    out.rmdir()
            raise


def print_results(network, metrics: dict, out: Path) -> None:
    """The tables a user wants to see first."""
    titles = {
        "rows": "Known edges against unlabelled pairs, never trained on",
        "hidden_rows": "True edges that were hidden against true non-edges",
    }
    for key, title in titles.items():
        if key in metrics:
            table = format_table(summarise(metrics[key])).rpartition("\n")[0]
            print(f"\n{title} (mean over folds, 95 % interval):\n\n{table}")
    print("\nTop new edges:")
    new = network.edges[network.edges["status"] == "new"].head(5)
    for edge in new.itertuples():
        print(f"  {edge.tf} -> {edge.target}  p {edge.probability:.3f} +- {edge.spread:.3f}")
    files = "edges.tsv, rankedEdges.csv, network.h5ad, run.json"
    print(f"\n{len(network.edges):,} ranked pairs in {out}/ ({files})")
    logger.debug("calibration: %s", json.dumps(metrics["calibration"]))
