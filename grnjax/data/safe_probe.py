"""HDF5 files read once by another process, because the HDF5 library may crash or hang on damage.

One file in two thousand damaged at random ends the interpreter (HDF5 2.0): better not this one.
"""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from grnjax.data.safe_hdf5 import check_hdf5, limit_memory, walk_hdf5
from grnjax.data.safe_text import MEGABYTE
from grnjax.errors import GrnjaxError

REFUSED = 3  # exit status of a probe that has printed why
WHOLE = 64 * MEGABYTE  # of larger files, numbers are not read twice
SECONDS = 8  # of computing, beside one for each 20 MB
BUSY = 30  # times as long by the clock, on a machine that does much else
PROGRAM = (
    "import sys; sys.path[:] = {}; from grnjax.data.safe_probe import read_all; "
    "read_all({!r}, {!r}, {!r})"
)


def probe_hdf5(place: str | Path, path: str | Path, error: type[GrnjaxError]) -> None:
    """Refuses an HDF5 file that `check_hdf5` refuses, or that cannot be read without harm.

    Args:
        place: where its bytes are, which is elsewhere than `path` if that is gzipped.
    """
    seconds = int(SECONDS + os.path.getsize(place) / (20 * MEGABYTE))
    program = PROGRAM.format(sys.path, str(place), str(path), seconds)
    try:
        probe = subprocess.run(
            [sys.executable, "-c", program],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds * BUSY,
        )
    except subprocess.TimeoutExpired:
        raise error(
            f"{path}: not read within {seconds * BUSY:,} s, so the disk or the machine is too "
            "busy; try again later."
        ) from None
    if probe.returncode == -signal.SIGXCPU:
        raise error(
            f"{path}: damaged: reading it does not end (stopped after {seconds:,} s of computing)."
        )
    if probe.returncode == REFUSED:
        raise error(probe.stdout.decode())
    if probe.returncode < 0:
        raise error(
            f"{path}: damaged: reading it ends the process (signal {-probe.returncode}). Get the "
            "file again."
        )


def read_all(place: str, path: str, seconds: int) -> None:
    """Looks a file through and reads all of it, so that this process is the one that is harmed.

    Args:
        seconds: of computing, after which it is ended.
    """
    import h5py

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seconds += int(time.process_time())  # that the imports took
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))

    try:
        with limit_memory(path), h5py.File(place) as file:
            check_hdf5(file, path, GrnjaxError)
            is_small = os.path.getsize(place) <= WHOLE
            for item in (file, *(item for _, item in walk_hdf5(file, path, GrnjaxError))):
                for key in item.attrs:
                    with contextlib.suppress(Exception):  # not everything is for anndata to read
                        item.attrs[key]
                if isinstance(item, h5py.Dataset) and (is_small or item.dtype.hasobject):
                    with contextlib.suppress(Exception):
                        item[()]
    except GrnjaxError as error:
        sys.stdout.write(str(error))
        sys.stdout.flush()
        os._exit(REFUSED)
    except Exception:
        pass  # what is no HDF5 at all harms nobody, and the reader says so
    os._exit(0)
