"""`grnjax infer`: from expression, and known regulation if there is any, to a ranked network."""

import dataclasses
from pathlib import Path

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.cli.old_flags import translate
from grnjax.cli.run_folder import Run
from grnjax.data.expression import DataConfig
from grnjax.data.simulator import EmbeddedConfig
from grnjax.data.sniff import identify
from grnjax.data.tenx import list_files
from grnjax.errors import ConfigError, ExpressionFormatError
from grnjax.evaluation.report import format_table, summarise
from grnjax.evidence.catalogue import digest_entries
from grnjax.evidence.vectors import split_embedding
from grnjax.methods.compendium.sources import Species
from grnjax.methods.kernel_factor.explanation import summarise_worth
from grnjax.tasks import network_inference
from grnjax.tasks.default_method import choose_default, is_named
from grnjax.tasks.inputs import load_extras, load_genes_and_edges
from grnjax.tasks.loading import GeneScope, load_embedded
from grnjax.tasks.network_inference import InferenceConfig
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.tasks.record import write_network
from grnjax.training.cluster import DeviceConfig

MOST_SHOWN = 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class InferCommand(InferenceConfig):
    """Rank every TF-gene pair from expression and known regulation.

    Without known regulation of these cells, by what other cells' lists say (--method=compendium).
    By a method such as grnboost2 expression is enough, and a known network only judges the ranking.
    Without EXPRESSION it runs on an embedded simulated data set. The settings of a method are shown
    with it: `grnjax infer --method=scRegNet --help`.
    """

    expression: Positional[str | None] = None
    """Expression with names on both axes, either way round: .h5ad, .h5mu, .zarr, loom, a folder
    or .h5 of 10x, .parquet or text."""
    network: str | None = None
    """Known edges: TF and target columns, perhaps labels or signs."""
    tfs: str | None = None
    """TF list; by default the sources of the network or, by a method that needs none, the list of
    human or mouse TFs that comes with grnjax; all is every gene."""
    species: Species = "auto"
    """What the genes are of, where lists of other cells count."""
    genes: GeneScope = "measured"
    """What is ranked: genes that were measured, or all of the network, too."""
    evidence: tuple[str, ...] = ()
    """Further evidence: a folder, or KIND=PATH each; kinds are motifs, peaks, positions,
    interactions, curated, table, vectors, network and network-other-species."""
    walk_on: tuple[str, ...] = ()
    """Edge tables made elsewhere for GT-GRN to walk on, beside the networks that it infers from
    expression. A table that holds a known edge is refused."""
    drop_held_out: bool = False
    """Take every pair of a known TF out of --walk-on."""
    out: Path = Path("grnjax-run")
    """Run folder; the same command on it resumes."""
    seed: int = 0
    data: DataConfig = DataConfig()
    embedded: EmbeddedConfig = EmbeddedConfig()
    devices: DeviceConfig = DeviceConfig()


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    words = translate("infer", args)
    command = settings.parse(InferCommand, words, program="grnjax infer")
    check_inputs(command)
    if command.expression is not None:
        method = choose_default(
            command.method,
            is_named=is_named(words),
            has_network=command.network is not None,
            species=command.species,
        )
        command = dataclasses.replace(command, method=method)
    run = Run("infer", command)
    if run.has_finished(inputs_of(command)):
        return
    method, data, judged, truth = command.method, command.data, None, None
    if command.expression is None:
        embedded = load_embedded(command.embedded, data)
        dataset, truth = embedded.dataset, embedded.truth
    else:
        files = command.expression, command.network, command.tfs
        dataset, judged = load_genes_and_edges(method, *files, data, genes=command.genes)
    extras = load_extras(
        method,
        dataset,
        data,
        evidence=command.evidence,
        walk_on=command.walk_on,
        drop_held_out=command.drop_held_out,
    )
    if command.expression is None and "evidence" in method.READS:
        extras = dataclasses.replace(extras, evidence=[*extras.evidence, embedded.motifs])
    mesh = run.choose_mesh(method, command.repeats * command.folds)
    with run:
        network = network_inference.infer(
            dataset,
            command,
            seed=command.seed,
            judged=judged,
            folder=command.out,
            mesh=mesh,
            **vars(extras),
        )
        metrics = {"rows": network.rows, "calibration": network.calibration}
        metrics = {key: value for key, value in metrics.items() if value}
        if truth is not None and network.candidates is not None:
            metrics["hidden_rows"] = network_inference.judge_hidden(network, truth)
        results = {
            "seed": command.seed,
            "method": network.method,
            "data": dataset.report,
            "evidence": network.evidence,
            "label_overlap": network.overlap,
            "blocks": summarise_worth(network.worth),
            "metrics": metrics,
        }
        results |= {"found": network.report} if network.report else {}
        run.finish(results, lambda about: write_network(command.out, network, about))
    if run.is_first:
        print_results(network, metrics, command.out)


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
    if command.expression is not None:
        identify(command.expression, ExpressionFormatError)  # before all of a folder is digested
    if command.expression is not None and command.embedded != EmbeddedConfig():
        raise ConfigError(
            "--embedded settings describe the simulated data set; drop them or the expression file."
        )
    if command.expression is None and command.genes != "measured":
        raise ConfigError("--genes needs an expression file; the embedded data set brings its own.")
    if command.expression is None and command.evidence:
        raise ConfigError(
            "--evidence needs an expression file; the embedded data set brings its own."
        )


def inputs_of(command: InferCommand) -> dict[str, str | Path | None]:
    """The files the run reads, by their roles."""
    return {
        **list_files(command.expression),
        "network": command.network,
        "tfs": command.tfs,
        "embedding": command.data.embedding and split_embedding(command.data.embedding)[0],
        "gene_names": command.data.gene_names,
        **{f"networks/{path}": path for path in command.walk_on},
        **digest_entries(command.evidence),
        **{f"method/{key}": path for key, path in command.method.files().items()},
    }


def print_results(network: RankedNetwork, metrics: dict, out: Path) -> None:
    """The tables a user wants to see first."""
    learned = network.candidates is not None
    titles = {
        "rows": "Known edges against unlabelled pairs, never trained on",
        "hidden_rows": "True edges that were hidden against true non-edges",
    }
    if not learned:
        titles["rows"] = (
            f"Known edges against other pairs; {network.method} has learned from neither, the "
            "trivial\nrows from the other folds"
        )
    for key in [key for key in titles if key in metrics]:
        table = format_table(summarise(metrics[key])).rpartition("\n")[0]
        print(f"\n{titles[key]} (mean over folds, 95 % interval):\n\n{table}")
    print_worth(summarise_worth(network.worth))
    edges = network.edges
    print("\nTop new edges:" if learned else "\nTop edges:")
    for edge in (edges[edges["status"] == "new"] if learned else edges).head(5).itertuples():
        figures = f"{edge.importance:.4g}"
        if learned:
            figures = f"p {edge.probability:.3f} +- {edge.spread:.3f}"
        print(f"  {edge.tf} -> {edge.target}  {figures}")
    unseen = edges["unseen"].value_counts() if learned else {}
    if unseen.get("no", 0) < len(edges) and len(unseen):
        counts = ", ".join(f"{n:,} {what}" for what, n in unseen.items() if what != "no")
        print(f"\nPairs with a TF or a target unseen in the known edges (column unseen): {counts}")
    names = ["edges.tsv", "rankedEdges.csv", "network.h5ad", *(f"{x}.tsv" for x in network.tables)]
    files = ", ".join([*names, "run.json"])
    print(f"\n{len(edges):,} ranked pairs in {out}/ ({files})")


def print_worth(worth: list[dict]) -> None:
    """What the scores rest on, a line a source, where that was measured."""
    if not worth:
        return
    shown = worth[:MOST_SHOWN]
    width = max(len(row["name"]) for row in shown)
    print(
        f"\nWhat it rests on, {len(shown)} of {len(worth)}: weight of the kernels, and what AP "
        "and swap lose\nwhen permuted over genes (* above 0 by its 95 % interval):\n"
    )
    for row in shown:
        line = row["name"].ljust(width)
        line += ("" if row["weight"] is None else f"{row['weight']:.2f}").rjust(6)
        for key in ("drop_average_precision", "drop_swap_micro"):
            drop = "" if row[key] is None else f"{row[key]:+.3f}"
            line += drop.rjust(9) + ("*" if row.get(f"{key}_low", 0) > 0 else " ")
        print("  " + line.rstrip())
