"""Compiled programs kept on the disk, so that a second start need not compile them again.

What such a folder holds is run, so it must be this user's own, and nobody else may write to it or
put another in its place. It only grows: JAX's own limit needs a package that we do not require.
It may be deleted at any time, even while a program runs.
"""

import os
import stat
from pathlib import Path
from typing import Any

import jax

from grnjax.progress import logger

VARIABLE = "GRNJAX_COMPILATION_CACHE"
OFF = "off"
ROOT = 0
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def keep_compilations() -> Path | None:
    """The folder where programs are kept from now on; None where they are not.

    The variable GRNJAX_COMPILATION_CACHE names the folder, or is `off`, which holds for a cache
    of JAX's own too; without it the folder is grnjax/compiled in the user's cache folder. One that
    cannot be made or is not safe is left out with a warning. Unless it is `off`, a cache that JAX
    has already stays as it is.
    """
    chosen = os.environ.get(VARIABLE, "")
    if chosen == OFF:
        jax.config.update("jax_enable_compilation_cache", False)
    options: Any = jax.config  # whose attributes some releases declare
    if not options.jax_enable_compilation_cache:
        return None
    if present := options.jax_compilation_cache_dir:
        return Path(present)
    # The real path, so that no link on the way can be turned elsewhere after the check.
    folder = Path(os.path.realpath(chosen or user_cache() / "grnjax" / "compiled"))
    problem = find_problem(folder)
    if problem:
        logger.warning(
            f"{folder}: {problem}, so programs are compiled again; {VARIABLE} names another folder"
        )
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    return folder


def find_problem(folder: Path) -> str | None:
    """Why programs cannot be kept there; makes what is missing of the path, for this user alone."""
    try:
        for path in (*reversed(folder.parents), folder):
            path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        return f"cannot be made ({error.strerror})"
    if not os.access(folder, os.W_OK):
        return "cannot be written to"
    user, status = os.geteuid(), folder.stat()
    if status.st_uid != user:
        return "belongs to another user"
    if status.st_mode & OTHERS_WRITE:
        return "others may write to it (empty it, then chmod go-w)"
    for parent in folder.parents:
        status = parent.stat()
        if status.st_uid not in (user, ROOT):
            return f"another user, who owns {parent}, may replace it"
        if status.st_mode & OTHERS_WRITE and not status.st_mode & stat.S_ISVTX:
            return f"others may replace it, as they may write to {parent} (chmod go-w)"
    return None


def user_cache() -> Path:
    """Where programs of this user keep what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
