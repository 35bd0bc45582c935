"""The environment of a process that has several simulated devices."""

import os
import sys


def simulate_devices(count: int) -> dict[str, str]:
    """This process's environment with so many devices on the CPU, and the same import path."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={count}"
    return {**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": os.pathsep.join(sys.path)}
