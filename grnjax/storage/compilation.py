"""Compiled programs kept on the disk, so that a second start need not compile them again.

What such a folder holds is run, so one that others may write to is not used.
"""

import os
import stat
from pathlib import Path

import jax

from grnjax.progress import logger

VARIABLE = "GRNJAX_COMPILATION_CACHE"
OFF = "off"


def keep_compilations() -> Path | None:
    """The folder where programs are kept from now on; None where they are not.

    The variable GRNJAX_COMPILATION_CACHE names the folder, or is `off`; without it the folder is
    grnjax/compiled in the user's cache folder. One that cannot be made or is not safe is left out
    with a warning. A cache that JAX was told of already stays as it is.
    """
    chosen = os.environ.get(VARIABLE, "")
    if chosen == OFF:
        return None
    if jax.config.jax_compilation_cache_dir:
        return Path(jax.config.jax_compilation_cache_dir)
    folder = Path(chosen) if chosen else user_cache() / "grnjax" / "compiled"
    problem = find_problem(folder)
    if problem:
        logger.warning(
            f"{folder}: {problem}, so programs are compiled anew; {VARIABLE} names another folder"
        )
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder.absolute()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    return folder


def find_problem(folder: Path) -> str | None:
    """Why programs cannot be kept there; makes the folder if need be."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        return f"cannot be made ({error.strerror})"
    if not os.access(folder, os.W_OK):
        return "cannot be written to"
    if folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others may write to it (chmod go-w)"
    return None


def user_cache() -> Path:
    """Where programs of this user keep what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
