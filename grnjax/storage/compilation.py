"""Compiled programs kept on the disk, so that a second start need not compile them again."""

import os
from pathlib import Path

import jax

VARIABLE = "GRNJAX_COMPILATION_CACHE"
OFF = "off"


def keep_compilations() -> Path | None:
    """The folder where programs are kept from now on; None where that is turned off.

    The variable GRNJAX_COMPILATION_CACHE names the folder, or is `off`; without it the folder is
    grnjax/ in the user's cache folder. A cache that JAX was told of already stays as it is.
    """
    chosen = os.environ.get(VARIABLE, "")
    if chosen == OFF:
        return None
    if jax.config.jax_compilation_cache_dir:
        return Path(jax.config.jax_compilation_cache_dir)
    folder = Path(chosen) if chosen else user_cache() / "grnjax" / "compiled"
    jax.config.update("jax_compilation_cache_dir", str(folder.absolute()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    return folder


def user_cache() -> Path:
    """Where programs of this user keep what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
