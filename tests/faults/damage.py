"""Every file of finished and of unfinished runs damaged in every way: what was tried, and noticed.

    python -m tests.faults.damage [COMMAND ...] [--every N]

A damage is noticed if the command that meets it names the file, its step or its fit, and then
either ends with status 2, or makes the results again as they were. The commands that read what it
left must name it, too, or make the same of it.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from grnjax.storage.outputs import REPORT
from tests.faults.commands import COMMANDS, Command, run, write_inputs
from tests.faults.results import read_results


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def link(path: Path) -> None:
    beside = path.parents[2] / f"moved-{path.name}"
    beside.unlink(missing_ok=True)
    path.rename(beside)
    path.symlink_to(beside)


HARMS: dict[str, Callable[[Path], None]] = {
    "flip": flip,
    "cut": cut,
    "empty": empty,
    "delete": Path.unlink,
    "link": link,
}


def list_files(folder: Path) -> list[Path]:
    """What a run wrote, by its path in its folder; no report, which is made again at any time."""
    own = (".lock", REPORT)
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in own]
    return sorted(path.relative_to(folder) for path in files)


def list_harms(whole: Path, others: dict[str, Path]) -> Iterator[tuple[str, str, Callable]]:
    """What harms, the file or folder that it harms, and the harm, done to a copy of the run.

    Args:
        others: finished runs with another seed or method, by what is other about them.
    """
    for file in list_files(whole):
        for name, harm in HARMS.items():
            if name == "delete" or (whole / file).stat().st_size:
                yield name, str(file), lambda run, harm=harm, file=file: harm(run / file)
    checkpoints = whole / "checkpoints"
    fits = sorted(checkpoints.iterdir()) if checkpoints.exists() else []
    for fit in fits:
        name = str(fit.relative_to(whole))
        yield "delete", name, lambda run, name=name: shutil.rmtree(run / name)
        for step in (path.relative_to(whole) for path in fit.iterdir() if path.is_dir()):
            yield "delete", str(step), lambda run, step=step: shutil.rmtree(run / step)
        for what, other in others.items():
            if (other / name).exists():
                yield f"from another {what}", name, _replace(name, other / name)
    for one, another in zip(fits, fits[1:], strict=False):
        name = str(one.relative_to(whole))
        yield "from another fit", name, _replace(name, another)
    for what, other in others.items():
        for file in list_files(whole):
            there = other / file
            if there.is_file() and there.read_bytes() != (whole / file).read_bytes():
                yield f"from another {what}", str(file), _replace(str(file), there)


def _replace(name: str, source: Path) -> Callable[[Path], None]:
    def replace(run: Path) -> None:
        if source.is_dir():
            shutil.rmtree(run / name)
            shutil.copytree(source, run / name)
        else:
            shutil.copyfile(source, run / name)

    return replace


def is_named(file: str, text: str) -> bool:
    """Whether a message names the file, or for one of a checkpoint its step or its fit."""
    parts = Path(file).parts
    names = [file, *("/".join(parts[:depth]) for depth in (2, 3) if parts[0] == "checkpoints")]
    return any(name in text for name in names)


def try_all(command: str, folder: Path, every: int = 1) -> tuple[int, list[str]]:
    """How many damages were tried, and those that went unnoticed."""
    inputs, whole, chosen = folder / "inputs", folder / "whole", COMMANDS[command]
    write_inputs(inputs, chosen.needs)
    os.environ.update(chosen.environment(whole))

    def finish(words: list, out: Path) -> tuple[int, str]:
        out.mkdir(exist_ok=True)
        return run(chosen.to(words, out))

    words = chosen.words(inputs)
    status, err = finish(words, whole)
    assert status == 0, err
    others = {}
    for what, own in (("seed", chosen.reseed), ("method", chosen.other_method)):
        if own is not None:
            status, err = finish(own(words), folder / what)
            assert status == 0, err
            others[what] = folder / what
    expected, tried, unnoticed, made = read_results(whole), 0, [], {}
    if chosen.reader is not None:
        again = shutil.copytree(whole, folder / "again")
        status, err, made = read_by(chosen, again, folder)
        assert status == 0 and made, err
    harms = [*list_harms(whole, others)]
    cases = [(*harm, True) for harm in harms]
    cases += [(*x, False) for x in harms if x[1].startswith("checkpoints/") and x[0] != "delete"]
    for what, file, harm, finished in cases[::every]:
        again = folder / "again"
        shutil.rmtree(again, ignore_errors=True)
        shutil.copytree(whole, again)
        harm(again)
        if not finished:
            (again / "run.json").unlink()
        tried += 1
        if chosen.reader is not None and (finished or not chosen.reads_back):
            fault = find_fault_of_reader(chosen, again, file, folder, made)
            unnoticed += [f"{command}, read, {what} {file}: {fault}"] if fault else []
            tried += 1
        status, err = finish(words, again)
        anew = file == "run.json" or not (finished or chosen.reads_back)
        named = is_named(file, err) or anew and "resuming an unfinished" in err
        named |= what == "delete" and file == chosen.target  # which the command is for
        mended = status == 0 and read_results(again) == expected
        if not named or status not in (0, 2) or status == 0 and not mended:
            state = "finished" if finished else "unfinished"
            unnoticed.append(f"{command}, {state}, {what} {file}: status {status}, {err[-300:]}")
    return tried, unnoticed


def read_by(chosen: Command, out: Path, folder: Path) -> tuple[int, str, dict]:
    """Status and standard error of the command that reads these outputs, and what it made."""
    assert chosen.reader is not None
    place = folder / "read"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    status, err = run(chosen.reader(folder / "inputs", out, place))
    return status, err, read_results(place)


def find_fault_of_reader(
    chosen: Command, out: Path, file: str, folder: Path, made: dict
) -> str | None:
    """What was wrong where a command read a damaged output; None if it named it or did as before.

    Args:
        made: what it makes of the whole run.
    """
    status, err, found = read_by(chosen, out, folder)
    if status == 0 and (found == made or is_named(file, err) and "is not as" in err):
        return None
    if status == 2 and (is_named(file, err) or str(out) in err):
        return None
    return f"status {status}, {err[-300:]}"


def main(args: list[str]) -> int:
    """Prints the figures of each command, and what went unnoticed."""
    every = int(args.pop()) if "--every" in args else 1
    commands = [arg for arg in args if arg != "--every"]
    commands = commands or [name for name, x in COMMANDS.items() if x.target is not None]
    total = missed = 0
    for command in commands:
        with tempfile.TemporaryDirectory() as folder:
            tried, unnoticed = try_all(command, Path(folder), every)
        print(f"{command}: {tried} tried, {tried - len(unnoticed)} noticed", flush=True)
        print(*(f"  {line}" for line in unnoticed), sep="\n", end="\n" if unnoticed else "")
        total, missed = total + tried, missed + len(unnoticed)
    print(f"all: {total} tried, {total - missed} noticed")
    return int(missed > 0)


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    sys.exit(main(sys.argv[1:]))
