"""`grnjax infer`: from expression, and known regulation if there is any, to a ranked network."""

import dataclasses
import functools
from pathlib import Path

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.cli.infer_by_group import infer_by_group
from grnjax.cli.infer_results import (
    describe_network,
    print_results,
    print_screen,
)
from grnjax.cli.old_flags import translate
from grnjax.cli.report import make_report
from grnjax.cli.run_folder import Run
from grnjax.data.expression import DataConfig
from grnjax.data.simulator import EmbeddedConfig
from grnjax.data.sniff import identify
from grnjax.data.species import Species
from grnjax.data.tenx import list_files
from grnjax.errors import ConfigError, ExpressionFormatError
from grnjax.evidence.catalogue import digest_entries
from grnjax.evidence.vectors import split_embedding
from grnjax.tasks import network_inference
from grnjax.tasks.cell_samples import bound_edges, tell_apart
from grnjax.tasks.compendium_evidence import ListsConfig
from grnjax.tasks.default_method import choose_default, is_named
from grnjax.tasks.group_networks import GroupConfig
from grnjax.tasks.inputs import load_extras, load_genes_and_edges
from grnjax.tasks.loading import GeneScope, load_embedded
from grnjax.tasks.network_inference import InferenceConfig
from grnjax.tasks.record import write_network
from grnjax.training.cluster import DeviceConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class InferCommand(InferenceConfig):
    """Rank every TF-gene pair from expression and known regulation.

    Without known regulation of these cells, by what other cells' lists say (--method=compendium).
    By a method such as grnboost2 expression is enough, and a known network only judges the ranking.
    Without EXPRESSION it runs on an embedded simulated data set. The settings of a method are shown
    with it: `grnjax infer --method=scRegNet --help-all`.
    """

    expression: Positional[str | None] = None
    """Expression with names on both axes: .h5ad, .h5mu, .zarr, loom, 10x, .parquet or text."""
    network: str | None = None
    """Known edges: TF and target columns, perhaps labels or signs."""
    tfs: str | None = None
    """TF list; by default sources of the network, else human or mouse TFs; all is every gene."""
    species: Species = "auto"
    """For lists of TFs and of other cells."""
    genes: GeneScope = "measured"
    """What is ranked: measured genes, or all."""
    evidence: tuple[str, ...] = ()
    """A folder, or KIND=PATH each; kinds are motifs, peaks, positions, interactions, curated,
    table, vectors, network and network-other-species."""
    lists: ListsConfig = ListsConfig()
    walk_on: tuple[str, ...] = ()
    """Edge tables for GT-GRN to walk on, too; one that holds a known edge is refused."""
    drop_held_out: bool = False
    """Take every pair of a known TF out of --walk-on."""
    by: str | None = None
    """Column of .obs: one network for each of its values, and what differs."""
    groups: GroupConfig = GroupConfig()
    batch: str | None = None
    """Column of .obs, such as the run: what differs between its values makes no edge."""
    donor: str | None = None
    """Column of .obs that intervals are over; else --batch."""
    out: Path = Path("grnjax-run")
    """Run folder; the same command on it resumes."""
    seed: int = 0
    data: DataConfig = DataConfig()
    embedded: EmbeddedConfig = EmbeddedConfig()
    devices: DeviceConfig = DeviceConfig()
    verbose: bool = False
    """Print every figure, beside the trivial rows, in the place of the first screen."""


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
            has_tfs=command.tfs is not None,
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
        dataset, judged = load_genes_and_edges(
            method,
            *files,
            data,
            genes=command.genes,
            species=command.species,
            reads_cells=(command.by, command.batch, command.donor) != (None, None, None),
        )
    source = command.expression or "expression"
    samples = tell_apart(dataset, judged, command.batch, command.donor, source)
    dataset, judged = samples.dataset, samples.judged
    find_extras = functools.partial(
        load_extras,
        method,
        data=data,
        evidence=command.evidence,
        walk_on=command.walk_on,
        drop_held_out=command.drop_held_out,
        lists=None if command.expression is None else command.lists,
        species=command.species,
    )
    if command.by is not None:
        infer_by_group(run, command, samples, find_extras)
        return
    network_inference.check_size(command, dataset.genes)
    extras = find_extras(dataset)
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
        edges = bound_edges(network.edges, dataset.genes, samples.donors, seed=command.seed)
        network = dataclasses.replace(network, edges=edges)
        more = {}
        if truth is not None and network.candidates is not None:
            more["hidden_rows"] = network_inference.judge_hidden(network, truth)
        results = describe_network(network, seed=command.seed, data=dataset.report, more=more)
        run.finish(results, lambda about: write_network(command.out, network, about))
    if run.is_first:
        report = make_report(command.out)
        if command.verbose:
            print_results(network, results["metrics"], command.out)
        else:
            print_screen(network, {**run.record, **results}, command.out, report)


def check_inputs(command: InferCommand) -> None:
    """Refuses combinations of inputs that cannot be meant."""
    if (command.data.expression, command.data.root, command.data.split) != (None, None, "auto"):
        raise ConfigError(
            "infer takes the expression file as its first argument, and no benchmark root or "
            "split; drop --data.expression, --data.root and --data.split."
        )
    if command.by is None and command.groups != GroupConfig():
        raise ConfigError("--groups settings say how --by COLUMN compares groups; give it, too.")
    for flag in ("by", "batch", "donor"):
        if command.expression is None and getattr(command, flag) is not None:
            raise ConfigError(
                f"--{flag} needs an expression file with columns of cells, such as .h5ad."
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
        **command.lists.files(command.method),
        **{f"method/{key}": path for key, path in command.method.files().items()},
    }
