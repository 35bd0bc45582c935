"""`grnjax pretrain --out FOLDER`: the scorer of networks without labels, on a compendium."""

import dataclasses
from pathlib import Path

from grnjax import config as settings
from grnjax.cli.run_folder import Run
from grnjax.config import Count
from grnjax.data.compendium.folder import load_compendium
from grnjax.methods.compendium.pretraining import ScorerConfig, read_scorer, train_compendium
from grnjax.training.cluster import DeviceConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListsCommand(ScorerConfig):
    """Train the scorer by which `infer` ranks pairs of cells without labels.

    It learns from other cells' lists of targets: those that come with grnjax, and those added by
    `grnjax data compendium add`. It is used by `grnjax infer CELLS --method=compendium
    --method.checkpoint=OUT`.

    With cells, other models are trained: grnjax pretrain CELLS --groups COLUMN is GRNFormer, and
    grnjax pretrain CELLS --model NAME a foundation model; each has a --help of its own.
    """

    out: Path
    """Run folder; the same command on it resumes."""
    without: tuple[str, ...] = ()
    """Cell types of which nothing is seen, from no source and under no other name."""
    species: str = "human"
    """Whose genes the lists are placed on; those of another species by orthologues."""
    own_lists: bool = True
    """Whether lists count that were added by grnjax data compendium add."""
    seed: Count = 0
    devices: DeviceConfig = DeviceConfig()


def is_meant(args: list[str]) -> bool:
    """Whether these arguments of `grnjax pretrain` name no cells to train on."""
    flags = {word.partition("=")[0] for word in args}
    asks_for_help = flags <= {"--help", "-h"}
    return args[:1] != [] and args[0].startswith("-") and not ("--groups" in flags or asks_for_help)


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(ListsCommand, args, program="grnjax pretrain")
    compendium = load_compendium(with_own=command.own_lists)
    run = Run("pretrain", command)
    run.record["config"]["compendium"] = compendium.digest
    if run.has_finished({}):
        return
    names = [field.name for field in dataclasses.fields(ScorerConfig)]
    config = ScorerConfig(**{name: getattr(command, name) for name in names})
    with run:
        train_compendium(
            command.out,
            without=command.without,
            species=command.species,
            compendium=compendium,
            config=config,
            seed=command.seed,
        )
        seen = read_scorer(command.out).cells
        run.finish({"cell_types": seen})
    if run.is_first:
        print(f"\nTrained on lists of {len(seen):,} cell types: {', '.join(seen)}")
        print(f"grnjax infer CELLS --method=compendium --method.checkpoint={command.out}")
