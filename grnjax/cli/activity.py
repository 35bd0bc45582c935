"""`grnjax activity`: regulons of any table scored in cells, and written into their AnnData."""

import dataclasses
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.cli.file_record import begin_record, has_finished, list_outputs, write_record
from grnjax.config import Count
from grnjax.data.expression import DataConfig
from grnjax.data.h5ad_output import write_beside
from grnjax.data.regulon_store import ACTIVE, ACTIVITY, NETWORK
from grnjax.data.tenx import list_files
from grnjax.errors import ConfigError
from grnjax.progress import logger
from grnjax.storage.files import digest_file, write_atomic
from grnjax.tasks.activity import Activity, ActivityConfig
from grnjax.tasks.record import digest_inputs
from grnjax.tasks.reference_mapping import MappingConfig, find_activity

MOST_SHOWN = 12
TABLES = ("specificity", "differences")
PATHS = ("cells", "regulons", "reference", "out", "csv")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ActivityCommand(ActivityConfig):
    """Score regulons in cells: how active, on or off, and the networks of cells and types.

    The activity (AUCell), thresholds and on/off calls go into an AnnData file with everything else
    that CELLS holds; beside it, in OUT with .json in the place of .h5ad, stands what was done.
    """

    cells: Positional[str]
    """Expression: .h5ad, .h5mu, .zarr, loom, a folder or .h5 of 10x, .parquet or text."""
    regulons: str | None = None
    """Regulons: eRegulons of SCENIC+ or of grnjax, edges of grnjax infer, pySCENIC's motif table,
    GMT, or source, target and weight, as decoupler has them."""
    reference: str | None = None
    """In the place of --regulons, a file that this command has written: its regulons, genes and
    thresholds hold for these cells, too."""
    assign: Literal["aucell", "nearest"] = "aucell"
    """By AUCell in the cell itself, or by the network of the nearest cell of the reference."""
    out: Path = Path("activity.h5ad")
    """File to write: .h5ad, or .h5mu if CELLS is one."""
    csv: Path | None = None
    """File for the activity alone, cells x regulons, too."""
    seed: Count = 0
    """Of the order of equal values in a cell."""
    specificity: bool = False
    """Write how much each regulon is that of one of the --groups (Suo et al. 2018), too."""
    differences: bool = False
    """Write which regulons differ between each of the --groups and all other cells (Wilcoxon's
    rank-sum test over cells, Benjamini-Hochberg), too."""
    mapping: MappingConfig = MappingConfig()
    data: DataConfig = DataConfig()


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(ActivityCommand, args, program="grnjax activity")
    check_command(command)
    inputs = {**list_files(command.cells), "regulons": command.regulons}
    inputs |= {"reference": command.reference, "gene_names": command.data.gene_names}
    values = settings.to_json(command)
    config = {key: value for key, value in values.items() if key not in PATHS}
    record = {"command": "activity", "config": config, "inputs": digest_inputs(inputs)}
    if has_finished(record_of(command), record, list_wanted(command)):
        return
    tell_of_reference(command.reference)
    found = find_activity(
        command.cells,
        command.regulons,
        command.reference,
        command,
        mapping=command.mapping if command.assign == "nearest" else None,
        data=command.data,
        seed=command.seed,
    )
    write_results(command, found, record, {key: values[key] for key in PATHS})
    print_results(command, found)


def check_command(command: ActivityCommand) -> None:
    """Refuses settings that cannot be meant together, and files that are not this command's."""
    if command.out.suffix not in (".h5ad", ".h5mu"):
        raise ConfigError(f"--out {command.out} is no .h5ad or .h5mu; name the file so.")
    if (command.regulons is None) == (command.reference is None):
        raise ConfigError(
            "give either --regulons TABLE, or --reference FILE with regulons and thresholds of its "
            "own."
        )
    if command.assign == "nearest" and command.reference is None:
        raise ConfigError("--assign=nearest needs --reference, whose cells lend their networks.")
    if command.assign == "aucell" and command.mapping != MappingConfig():
        raise ConfigError("--mapping settings are those of --assign=nearest; drop them or add it.")
    if (command.specificity or command.differences) and command.groups is None:
        raise ConfigError("--specificity and --differences compare types: give --groups COLUMN.")
    if command.donor is not None and not command.differences:
        raise ConfigError("--donor tells differences over donors: add --differences.")
    own = ActivityConfig(groups=command.groups, donor=command.donor, type_share=command.type_share)
    given = {name: getattr(command, name) for name in vars(own)}
    if command.reference is not None and given != vars(own):
        raise ConfigError(
            "--method, --aucell, --table, --min-targets and --min-share are those of the "
            "reference; leave them out."
        )
    if (command.data.expression, command.data.root, command.data.split) != (None, None, "auto"):
        raise ConfigError(
            "activity reads one file of cells; drop --data.expression, .root, .split."
        )
    record = record_of(command)
    written = list_outputs(record, "activity")
    if record.exists() and not written:
        raise ConfigError(
            f"{record} would say what was done, but exists and is no record of this command; "
            "choose another --out or delete it."
        )
    for path in list_wanted(command):
        if not path.parent.is_dir():
            raise ConfigError(f"{path.parent} is no folder, so {path.name} cannot stand in it.")
        for other in (command.cells, command.regulons, command.reference):
            if (
                other is not None
                and path.exists()
                and Path(other).exists()
                and path.samefile(other)
            ):
                raise ConfigError(f"{path} is an input of this run; choose another file to write.")
        if path.is_symlink() or (path.exists() and path.name not in written):
            raise ConfigError(
                f"{path} exists and was not written by this command, by {record}; "
                "choose another file or delete it."
            )


def tell_of_reference(reference: str | None) -> None:
    """Says whether a reference has changed since this command wrote it, by the record beside it."""
    if reference is None or not Path(reference).is_file():
        return
    path = Path(reference)
    written = list_outputs(path.with_suffix(".json"), "activity").get(path.name)
    if written and digest_file(path) != written:
        logger.warning("%s is not as this command wrote it; it is read as it is now", path)


def record_of(command: ActivityCommand) -> Path:
    """The file beside the output that says what was done."""
    return command.out.with_suffix(".json")


def list_wanted(command: ActivityCommand) -> list[Path]:
    """The files to write."""
    files = (command.out, command.csv, *name_tables(command).values())
    return [path for path in files if path is not None]


def name_tables(command: ActivityCommand) -> dict[str, Path]:
    """The tables beside the output that are asked for, by what they hold."""
    asked = [name for name in TABLES if getattr(command, name)]
    return {name: command.out.with_suffix(f".{name}.tsv") for name in asked}


def write_results(command: ActivityCommand, found: Activity, record: dict, paths: dict) -> None:
    """The AnnData file, the table if one is asked for, and last the record of both."""
    tables = {name: getattr(found, name) for name in name_tables(command)}
    adata = found.put_into(found.source)  # which was read for this run
    adata.uns[NETWORK] |= {
        name: table.reset_index() if name == "specificity" else table
        for name, table in tables.items()
    }
    source = command.cells if Path(command.cells).is_file() else None
    parts = {"obsm": [ACTIVITY, ACTIVE], "uns": [NETWORK], **({"obs": []} if found.obs else {})}
    with begin_record(record_of(command), record, list_wanted(command)):
        write_beside(adata, source, command.out, parts)
        if command.csv is not None:
            separator = "\t" if ".tsv" in command.csv.suffixes else ","
            table = found.auc.to_csv(sep=separator, lineterminator="\n", index_label="cell")
            write_atomic(command.csv, table)
        for name, path in name_tables(command).items():
            text = tables[name].to_csv(
                sep="\t", index=name == "specificity", lineterminator="\n", float_format="%.6g"
            )
            write_atomic(path, text)
    thresholds = found.thresholds.reset_index(names="regulon").to_dict("records")
    write_record(
        record_of(command),
        record,
        list_wanted(command),
        report=found.report,
        regulons=thresholds,
        paths=paths,
    )


def print_results(command: ActivityCommand, found: Activity) -> None:
    """What a user wants to see first."""
    table = found.thresholds.sort_values("share_on", ascending=False, kind="stable")
    print(
        f"\n{len(found.cells):,} cells, {len(table):,} regulons, {table['is_bimodal'].sum():,} of "
        f"them bimodal; a cell has {found.report['share_on']:.0%} on."
    )
    for name, row in found.report.get("types", {}).items():
        print(f"  {name}: {row['cells']:,} cells, {row['regulons']:,} regulons")
    print(f"\n{'regulon':<32}{'targets':>8}{'threshold':>11}{'cells on':>10}")
    for row in table.head(MOST_SHOWN).itertuples():
        figures = f"{row.targets:>8,}{row.threshold:>11.4g}{row.share_on:>10.0%}"
        print(f"{str(row.Index)[:31]:<32}{figures}")
    if command.differences:
        best = found.differences.query("difference > 0").groupby("group").head(3)
        print("\nMost active against all other cells, with AUROC:")
        for name, own in best.groupby("group"):
            told = (f"{x.regulon} ({x.auroc:.2f})" for x in own.itertuples())
            print(f"  {name}: {', '.join(told)}")
    files = [*list_wanted(command), record_of(command)]
    print(f"\nWritten to {', '.join(map(str, files))}")
