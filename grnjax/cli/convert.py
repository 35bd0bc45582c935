"""`grnjax convert`: published weights into a checkpoint of grnjax, and back."""

import dataclasses
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.config import Settings
from grnjax.errors import ConfigError
from grnjax.foundation.convert import convert, export, read_about

MOST_SHOWN = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvertCommand(Settings):
    """Convert the weights of a published single-cell model, downloaded for PyTorch.

    Files are read by a restricted reader that can execute nothing, and without torch. What is
    written holds settings, vocabulary, licence and digests; `--to safetensors` goes back from it.
    """

    model: Positional[str]
    """geneformer, scbert, scfoundation or scgpt."""
    path: Positional[Path]
    """Folder or file of the weights: .safetensors, or .pth, .pt, .bin, .ckpt of torch 1.6 or later.
    With --to safetensors, a folder that this command has written."""
    out: Path
    """Folder to write."""
    files: tuple[str, ...] = ()
    """Files that lie elsewhere or have other names, ROLE=PATH each, such as
    tokens=token_dictionary_gc104M.pkl."""
    part: str | None = None
    """Which of the models that share one file."""
    to: Literal["orbax", "safetensors"] = "orbax"
    """A checkpoint of grnjax, or the layout of the published files."""


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(ConvertCommand, args, program="grnjax convert")
    if command.to == "safetensors":
        run_export(command)
        return
    files = dict(map(read_file, command.files))
    about = convert(command.model, command.path, command.out, files=files, part=command.part)
    print_conversion(command, about)


def run_export(command: ConvertCommand) -> None:
    """Writes the published layout of a converted model."""
    about = read_about(command.path)
    if command.files or command.part is not None:
        raise ConfigError(
            "--to safetensors writes what the checkpoint holds; drop --files, --part."
        )
    if about["model"] != command.model:
        raise ConfigError(f"{command.path} is a {about['model']}, not a {command.model}.")
    paths = export(command.path, command.out)
    print(f"\n{about['parameters']:,} numbers of {about['model']}.\nLicence: {about['licence']}")
    print(f"Written to {', '.join(map(str, paths))}")


def read_file(word: str) -> tuple[str, Path]:
    """Role and path of an entry of --files."""
    role, mark, path = word.partition("=")
    if not mark or not path:
        raise ConfigError(f"--files {word} is not ROLE=PATH, such as tokens=token_dictionary.pkl.")
    return role, Path(path)


def print_conversion(command: ConvertCommand, about: dict) -> None:
    """What was read, what was not, and whose it is."""
    part = f", part {about['part']}" if about["part"] else ""
    print(f"\n{about['model']}{part}: {about['parameters']:,} numbers in {command.out}")
    for role, file in sorted(about["source"].items()):
        print(f"  {role:<12}{file['name']}  SHA-256 {file['sha256'][:16]}")
    for role, without in sorted(about["without"].items()):
        print(f"  {role:<12}not given: {without}")
    if about["ignored"]:
        names = sorted(about["ignored"])
        more = f", and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
        arrays = "1 array" if len(names) == 1 else f"{len(names)} arrays"
        print(f"  {arrays} not used: {', '.join(names[:MOST_SHOWN])}{more}")
    print(f"Licence: {about['licence']}")
