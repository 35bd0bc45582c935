"""A command of grnjax that tells where its time went: `watched_infer.py REPORT infer ...`.

Run by `experiments.bench.growth` and `streaming` in a process of its own; it writes seconds of each
stage, of the clock and of CPU, and the peak memory, to REPORT. CPU time is what counts where cores
are shared.
"""

import functools
import importlib
import json
import resource
import sys
import time
from collections import defaultdict
from pathlib import Path

STARTED = time.monotonic()
STAGES = {  # functions by the module that calls them, as "module:name"
    "read": ("grnjax.cli.infer:load_genes_and_edges",),
    "expression": ("grnjax.cli.infer:load_extras",),
    "candidates and folds": (
        "grnjax.tasks.network_inference:list_candidates",
        "grnjax.tasks.network_inference:choose_folds",
        "grnjax.tasks.cross_fitting:cross_fit_folds",
    ),
    "bank": ("grnjax.methods.kernel_factor.method:build_bank",),
    "nearest genes": ("grnjax.methods.kernel_factor.bank:find_nearest",),
    "kernel weights": ("grnjax.methods.kernel_factor.fit:weigh_kernels",),
    "coordinates": ("grnjax.methods.kernel_factor.fit:locate_genes",),
    "pair features": ("grnjax.methods.kernel_factor.fit:build_grid",),
    "training": (
        "grnjax.methods.kernel_factor.fit:train_members",
        "grnjax.methods.kernel_factor.fit:learn_on_blocks",
    ),
    "choosing the step": ("grnjax.methods.kernel_factor.fit:score_snapshots",),
    "scoring": ("grnjax.methods.kernel_factor.method:KernelFactorScorer.logits",),
    "worth": ("grnjax.methods.kernel_factor.method:KernelFactorScorer.worth",),
    "trivial rows": ("grnjax.tasks.network_inference:trivial_out_of_fold",),
    "judging": ("grnjax.tasks.network_inference:judge_folds",),
    "table": ("grnjax.tasks.network_inference:rank_candidates",),
    "writing": ("grnjax.cli.infer:write_network",),
}


class Watch:
    """Seconds of each stage without those of the stages inside it, by one clock."""

    def __init__(self, clock):
        self.clock = clock
        self.seconds: dict[str, float] = defaultdict(float)
        self.inside = [0.0]

    def wrap(self, stage: str, function):
        """The function, timed; arrays that are still computed are waited for."""

        @functools.wraps(function)
        def timed(*args, **kwargs):
            import jax

            start = self.clock()
            self.inside.append(0.0)
            try:
                found = function(*args, **kwargs)
                return jax.block_until_ready(found) if stage == "training" else found
            finally:
                taken, within = self.clock() - start, self.inside.pop()
                self.seconds[stage] += taken - within
                self.inside[-1] += taken

        return timed

    def describe(self, total: float) -> dict[str, float]:
        """Seconds by stage, and `other`: the rest of them all."""
        stages = {stage: round(seconds, 2) for stage, seconds in self.seconds.items()}
        return {**stages, "other": round(total - sum(self.seconds.values()), 2)}


def main(report: Path, words: list[str]) -> int:
    """Runs the command and writes the report."""
    from grnjax.cli import load_command
    from grnjax.cli import main as run

    load_command(words[0])
    watches = Watch(time.monotonic), Watch(time.process_time)
    for stage, places in STAGES.items():
        for place in places:
            module, _, path = place.partition(":")
            owner, _, name = path.rpartition(".")
            room = importlib.import_module(module)
            room = getattr(room, owner) if owner else room
            for watch in watches:
                setattr(room, name, watch.wrap(stage, getattr(room, name)))
    sys.argv = ["grnjax", *words]
    status = run()
    clock = time.monotonic() - STARTED
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    by_clock, by_cpu = (
        watch.describe(total) for watch, total in zip(watches, (clock, cpu), strict=True)
    )
    figures = {
        "clock_s": round(clock, 1),
        "cpu_s": round(cpu, 1),
        "peak_mib": round(used.ru_maxrss / 1024),
        "stages": by_clock,
        "cpu_stages": by_cpu,
    }
    report.write_text(json.dumps(figures))
    return status or 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
