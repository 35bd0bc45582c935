"""`grnjax regulons`: the confident targets of each TF of a run, in the files of other programs."""

import dataclasses
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.data.regulon_choice import RegulonChoice, choose_regulons
from grnjax.data.regulon_output import FILES, FORMS, WRITERS, Form, choose_form
from grnjax.data.regulon_set import Regulons
from grnjax.errors import ConfigError
from grnjax.progress import logger
from grnjax.storage.files import refuse_others, write_atomic
from grnjax.tasks.run_reading import read_one

MOST_SHOWN = 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegulonsCommand(RegulonChoice):
    """Write the regulons of a network that `grnjax infer` has ranked.

    As GMT, as the lists (JSON) and the motif table (CSV) of pySCENIC, and as the source, target and
    weight of decoupler (TSV). `grnjax activity CELLS --regulons FILE` reads each of them.
    """

    run: Positional[Path]
    """Run folder of `grnjax infer`."""
    out: Path = Path("regulons")
    """File, .gmt, .json, .csv or .tsv, or a folder for all of them."""
    form: Literal["auto", "gmt", "json", "pyscenic", "decoupler"] = "auto"
    """What to write into a file of another name."""
    group: str | None = None
    """Which group's network, of a run --by."""


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(RegulonsCommand, args, program="grnjax regulons")
    form = None if command.form == "auto" else command.form
    is_folder = form is None and (command.out.is_dir() or command.out.suffix not in FORMS)
    files: dict[Path, Form] = {command.out: choose_form(command.out, form)} if not is_folder else {}
    if is_folder:
        files = {command.out / name: own for name, own in FILES.items()}
    network = read_one(command.run, command.group)
    if network.every_score is not None:
        logger.warning(
            f"{command.run}: its tables list the best {len(network.edges):,} pairs alone, so that "
            "a TF may lack targets; infer with --top=all (and no --top-per-target) lists every pair"
        )
    own = {field.name: getattr(command, field.name) for field in dataclasses.fields(RegulonChoice)}
    found = choose_regulons(network.edges, RegulonChoice(**own))
    texts = {path: WRITERS[own](found.named_edges) for path, own in files.items()}
    check_free(texts)
    if is_folder:
        command.out.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        write_atomic(path, text)
    print_regulons(found, list(texts))


def check_free(texts: dict[Path, str]) -> None:
    """Refuses to write over files that hold anything else, and into folders that are not there."""
    for path, text in texts.items():
        refuse_others(path, text.encode())
        parent = path.parent if len(texts) == 1 else path.parent.parent
        if not parent.is_dir():
            raise ConfigError(f"{parent} is no folder, so nothing can stand in it; make it first.")


def print_regulons(found: Regulons, files: list[Path]) -> None:
    """What was cut, the largest regulons and the files."""
    report = found.report
    print(
        f"\n{len(found.names):,} regulons of {len(set(found.tfs)):,} TFs: {report['edges']:,} of "
        f"{report['of_edges']:,} edges, {report['cut']}; the sign is the "
        f"{report['sign'].replace('_', ' ')}, the weight the {report['weight']}.\n"
    )
    edges = found.named_edges.sort_values("weight", ascending=False, kind="stable")
    sizes = edges["regulon"].value_counts()
    print(f"{'regulon':<24}{'targets':>8}  best")
    for name in sizes.index[:MOST_SHOWN]:
        best = ", ".join(edges.loc[edges["regulon"] == name, "target"][:5])
        print(f"{str(name)[:23]:<24}{sizes[name]:>8,}  {best}")
    print(f"\nWritten to {', '.join(map(str, files))}")
