"""`grnjax evaluate`: judge any program's network file against a true network."""

import dataclasses
from pathlib import Path

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.config import Settings
from grnjax.storage.files import lock_run, open_run, write_json
from grnjax.tasks.evaluation import Evaluation, evaluate
from grnjax.tasks.record import digest_inputs


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateCommand(Settings):
    """Judge a ranked network, of any program, against a true one.

    The candidates are the labelled pairs of the truth if it has labels 0 and 1; otherwise each TF
    of the truth with each of its genes, self pairs left out. Pairs that the network does not
    rank share the last place. Pairs of --train are left out.
    """

    edges: Positional[Path]
    """Network: TF, target and weight in text or .parquet; .h5ad or .zarr with .varp['grn']."""
    truth: Path
    """True network."""
    train: Path | None = None
    """Edges (or labelled pairs) the network was trained on; they make the trivial rows."""
    tfs: Path | None = None
    """TFs whose pairs are candidates; by default those of the truth."""
    out: Path | None = None
    """Folder for evaluation.json."""


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(EvaluateCommand, args, program="grnjax evaluate")
    found = evaluate(command.edges, command.truth, train=command.train, tfs=command.tfs)
    print(f"\n{found}")
    if found.beeline is None:
        print("\nBEELINE's own figures are left out: they know no trained pairs.")
    else:
        early = found.beeline["tf_edges"]["early_precision_ratio"]
        print(f"\nEarly precision ratio by BEELINE's rule, TF edges: {early:.3f}")
    if command.out is not None:
        write_evaluation(command, found)


def write_evaluation(command: EvaluateCommand, found: Evaluation) -> None:
    """evaluation.json in the folder that was asked for."""
    paths = {name: getattr(command, name) for name in ("edges", "truth", "train", "tfs")}
    record = {"command": "evaluate", "inputs": digest_inputs(paths)}
    with lock_run(command.out):
        open_run(command.out, record)
        path = command.out / "evaluation.json"
        write_json(path, {**record, "rows": found.rows, "beeline": found.beeline})
    print(f"Written to {path}")
