"""Moments of a file of cells, timed, and compared with exact ones: REPORT FILE EXACT.

Run by `experiments.bench.streaming` in a process of its own.
"""

import json
import resource
import sys
from pathlib import Path

import numpy as np

from grnjax.data.expression import DataConfig
from grnjax.data.expression_stream import open_expression
from grnjax.storage.memory import Usage


def main(report: str, file: str, exact: str) -> None:
    """Writes the figures."""
    config = DataConfig(stream="always")
    with Usage() as looking:
        expression = open_expression(file, config, set(), may_stream=True)
    with Usage() as summing:
        moments = expression.values.moments()
    peak, known = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, np.load(exact)
    place = np.searchsorted(known["genes"], expression.genes)
    mean, deviation = known["mean"][place], known["deviation"][place]
    scale = np.where(deviation > 0, deviation, 1)
    figures = {
        "clock_s": round(looking.seconds + summing.seconds, 1),
        "cpu_s": round(looking.cpu_seconds + summing.cpu_seconds, 1),
        "peak_mib": round(peak / 1024),
        "mean_error": float(np.abs((moments.mean - mean) / scale).max()),
        "deviation_error": float(np.abs((moments.deviation - deviation) / scale).max()),
        "cpu_stages": {
            "looking through": round(looking.cpu_seconds, 1),
            "moments": round(summing.cpu_seconds, 1),
        },
    }
    Path(report).write_text(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
