"""Memory and cores of the machine, and memory of its devices."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # readers ask for the memory of the machine, and need no jax
    import jax

CGROUP = Path("/sys/fs/cgroup")
GIB = 2**30


def find_memory(devices: "Sequence[jax.Device]") -> int:
    """Bytes that each of these devices has to spare; devices on the CPU share those of the host."""
    stats = devices[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    return find_free() // len(devices)


def find_free() -> int:
    """Bytes that this process may still take: of the machine, or of the container it runs in."""
    free = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = [1024 * int(x.split()[1]) for x in lines if x.startswith("MemAvailable")]
        limit = (CGROUP / "memory.max").read_text().strip()
        if limit != "max":  # of a container
            free.append(int(limit) - int((CGROUP / "memory.current").read_text()))
    except (OSError, ValueError):
        pass  # no Linux, or no container
    return max(min(free), 0)


def count_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def find_held() -> int:
    """Bytes that this process holds."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError):
        return 0  # no Linux
    return os.sysconf("SC_PAGE_SIZE") * pages


def find_total() -> int:
    """Bytes of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


class Usage:
    """Seconds by the clock and of the CPU, and MiB that the process held at most, of a block.

    Memory is None where the system does not tell, as only Linux does. What earlier blocks have left
    in the process counts, so that a block that follows them looks no cheaper than it is.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float | None

    def __enter__(self) -> "Usage":
        try:
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            self.peak_mib = 0.0
        except OSError:
            self.peak_mib = None
        self.begun = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *exception: object) -> None:
        self.seconds = time.perf_counter() - self.begun[0]
        self.cpu_seconds = time.process_time() - self.begun[1]
        self.peak_mib = None if self.peak_mib is None else read_status("VmHWM")


def read_status(key: str) -> float:
    """A figure of this process in MiB, such as its memory at the peak (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{key}:")) / 1024


def describe_memory(devices: "Sequence[jax.Device]") -> str:
    """Free and total memory of the machine, and that of the first device where it reports any."""
    text = f"{find_free() / GIB:.1f} of {find_total() / GIB:.1f} GiB free"
    limits = devices[0].memory_stats()
    if limits and "bytes_limit" in limits:
        text += f"; {limits['bytes_limit'] / GIB:.1f} GiB on the first device"
    return text
