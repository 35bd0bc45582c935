"""The scorer that comes with grnjax, trained on all that comes with grnjax.

Run:     python -m experiments.compendium.train_shipped
Cost:    2 min on one CPU core, 1 GB memory
Expect:  grnjax/shipped/scorer/, under 100 KB; its manifest names the compendium and the cell types

No figure of any page is of this scorer: it has seen every cell type of the compendium, and those
that are measured are trained without the cells that they are measured on
(experiments/compendium/scorer.py).
"""

import dataclasses
import shutil
import sys
from pathlib import Path

from experiments.shared.studies import name_program, run_program
from grnjax import config as settings
from grnjax.config import Settings
from grnjax.methods.compendium.pretraining import FOLDER, ScorerConfig, train_compendium
from grnjax.progress import start_logging
from grnjax.storage.manifest import MANIFEST, digest_files, encode_manifest, read_manifest

TARGET = Path(__file__).parents[2] / "grnjax" / "shipped" / FOLDER


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShippedScorer(Settings):
    """How it is trained."""

    scorer: ScorerConfig = ScorerConfig()
    work: Path = Path("compendium-shipped-work")
    """Run folder; the same command on it resumes."""


def main() -> None:
    """Trains the scorer and puts its checkpoint in the place from which it is shipped."""
    start_logging()
    study = settings.parse(ShippedScorer, sys.argv[1:], program=name_program())
    folder = train_compendium(study.work, own_lists=False, config=study.scorer)
    shutil.rmtree(TARGET, ignore_errors=True)
    shutil.copytree(folder / FOLDER, TARGET)
    for manifest in TARGET.glob(f"*/{MANIFEST}"):
        name_no_folder(manifest.parent)


def name_no_folder(step: Path) -> None:
    """Takes the folder of its making out of a saved step, and signs the step again."""
    written = step / "state" / "commit_success.txt"  # by Orbax
    written.write_text(f"Checkpoint commit was successful to {step.parent.name}/{step.name}/state")
    contents = {**read_manifest(step / MANIFEST), "files": digest_files(step)}
    (step / MANIFEST).write_bytes(encode_manifest(contents))


if __name__ == "__main__":
    run_program(main)
