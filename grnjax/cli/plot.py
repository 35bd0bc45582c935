"""`grnjax plot`: pictures of a run, each kind with settings of its own."""

import dataclasses
from pathlib import Path

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.cli.file_record import tell_changed
from grnjax.config import Settings
from grnjax.errors import ConfigError
from grnjax.tasks.pictures import Drawable, find_kind, load_kinds, make_drawable, tell_missing
from grnjax.tasks.run_reading import read_one, read_result

PROGRAM = "grnjax plot"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlotCommand(Settings):
    """Draw a picture of a run: `grnjax plot RUN` lists the kinds, and what each needs.

    The settings of a kind are shown with it: `grnjax plot RUN network --help`.
    """

    run: Positional[Path]
    """Folder of a run of grnjax infer, train or compare."""
    kind: Positional[str | None] = None
    """Kind of picture, or module:Class of one of your own."""
    out: Path | None = None
    """File to write, .png, .svg or .pdf; by default KIND.png here."""
    group: str | None = None
    """Which group's network, of a run --by."""


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    kind = name_kind(args)
    if kind is None:
        command = settings.parse(PlotCommand, args, program=PROGRAM)
        list_kinds(command)
        return
    picture = find_kind(kind)
    body = {"__doc__": picture.__doc__, "__module__": __name__}
    both = dataclasses.dataclass(frozen=True, kw_only=True)(
        type("PictureCommand", (picture, PlotCommand), body)
    )
    command = settings.parse(both, args, program=f"{PROGRAM} RUN {kind}")
    from grnjax.plotting.picture import check_format, save_figure

    name = kind.rpartition(":")[2]
    out = check_format(command.out or Path(f"{name}.png"))
    own = {field.name: getattr(command, field.name) for field in dataclasses.fields(picture)}
    figure = picture(**own).draw(load_drawable(command))
    with tell_changed(out):
        save_figure(figure, out)
    print(f"Written to {out}")


def load_drawable(command: PlotCommand) -> Drawable:
    """What pictures need of the run: its network, or, of train and compare, its figures."""
    told = read_result(command.run)
    if told.get("command") == "infer":
        return make_drawable(read_one(command.run, command.group))
    rows = told.get("metrics", {}).get("rows", [])
    own = rows[-1]["method"] if rows else str(told.get("command"))
    return Drawable(method=own, rows=rows, folder=command.run)


def name_kind(args: list[str]) -> str | None:
    """The second word that is neither a flag nor the value of one; None where there is none."""
    words, before = [], ""
    for word in args:
        if not word.startswith("-") and not (before.startswith("--") and "=" not in before):
            words.append(word)
        before = word
    return words[1] if len(words) > 1 else None


def list_kinds(command: PlotCommand) -> None:
    """Each kind, what it shows, and why this run cannot feed it, where that is so."""
    if command.out is not None:
        raise ConfigError(f"{PROGRAM} RUN lists the kinds of pictures; name one to write --out.")
    kinds, network = load_kinds().NAMED, load_drawable(command)
    print("Kinds of pictures of this run, grnjax plot RUN KIND --out FILE:\n")
    for name in kinds:
        kind = find_kind(name)
        missing = tell_missing(kind, network)
        print(f"  {name:<18}{kind.__doc__.splitlines()[0]}")
        if missing is not None:
            print(f"{'':<20}not here: {missing}")
