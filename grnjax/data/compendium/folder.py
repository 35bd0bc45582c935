"""Where the compendium lies: what comes with grnjax, and the user's own sources in one folder.

The folder is grnjax/compendium of the user's data folder, or what GRNJAX_COMPENDIUM names. A source
is one file there, which is written whole or not at all; nothing is fetched.
"""

import functools
import gzip
import os
import re
from importlib import resources
from pathlib import Path

from grnjax.data.compendium.compendium import Compendium
from grnjax.data.compendium.source import SUFFIX, ListSource, read_source, write_source
from grnjax.data.names import list_names
from grnjax.errors import ConfigError
from grnjax.progress import logger

VARIABLE = "GRNJAX_COMPENDIUM"
ORTHOLOGUES = "orthologues-human-mouse.tsv.gz"
SHIPPED = ("encode", "neph2012-human", "neph2012-mouse", "marbach2016")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def user_folder() -> Path:
    """The folder of the user's own sources, there or not."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return Path(os.environ.get(VARIABLE) or data / "grnjax" / "compendium")


def load_compendium(*, with_own: bool = True) -> Compendium:
    """What comes with grnjax and, unless it is to be left out, what the user added.

    Raises:
        ConfigError: a link stands among the user's files.
        EdgeFormatError: one of them is damaged.
    """
    own = list_own() if with_own else {}
    for path in own.values():
        if path.is_symlink():
            raise ConfigError(
                f"{path} is a link, and the compendium reads files of its own only; delete it, and "
                "add the table that it stands for by grnjax data compendium add."
            )
    sources = [read_shipped(name) for name in SHIPPED] + [read_source(x) for x in own.values()]
    if own:
        logger.info(f"compendium: with lists of your own: {list_names(own)}")
    return Compendium(tuple(sources), read_shipped_orthologues())


@functools.cache
def read_shipped_orthologues() -> dict[str, str]:
    """The mouse gene of each human gene that has one, one to one."""
    packed = (resources.files("grnjax") / "shipped" / ORTHOLOGUES).read_bytes()
    _, *lines = gzip.decompress(packed).decode().splitlines()
    return dict(line.split("\t") for line in lines)


def read_shipped(name: str) -> ListSource:
    """A source that comes with grnjax."""
    with resources.as_file(resources.files("grnjax") / "shipped" / f"{name}{SUFFIX}") as path:
        return read_source(path)


def list_own() -> dict[str, Path]:
    """The user's own sources by name."""
    folder = user_folder()
    paths = sorted(folder.glob(f"[!.]*{SUFFIX}")) if folder.is_dir() else []
    return {path.name.removesuffix(SUFFIX): path for path in paths}


def add_own(source: ListSource) -> Path:
    """Writes a source into the user's folder, and returns its path.

    Raises:
        ConfigError: its name is taken, or no name for a file.
    """
    name = source.about.name
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no name for a source: letters, digits, points, hyphens and underscores, "
            "at most 100; --name gives another."
        )
    taken = {other.lower(): other for other in (*SHIPPED, *list_own())}
    if name.lower() in taken:
        raise ConfigError(
            f"the compendium has a source {taken[name.lower()]} already: --name gives another, or "
            f"grnjax data compendium remove {name} makes room for it."
        )
    path = user_folder() / f"{name}{SUFFIX}"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_source(source, path)
    return path


def remove_own(name: str) -> Path:
    """Removes a source from the user's folder, and returns the path that it had."""
    own = list_own()
    if name in SHIPPED:
        raise ConfigError(
            f"{name} comes with grnjax and stays; --method.without leaves cell types out of a run."
        )
    if name not in own:
        raise ConfigError(
            f"no source {name} in {user_folder()}; there are {list_names(own) or 'none'}."
        )
    own[name].unlink()
    return own[name]
