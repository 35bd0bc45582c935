"""Methods of scRegNet's tables and of their kin, in their published forms, on BEELINE's labels.

Run:     python -m experiments.peers.beeline
         python -m experiments.peers.beeline --sets Specific/mDC/TFs+500 --methods GNNLink --draws 0
Cost:    see `cpu_seconds` and `peak_mib` in the rows; networks over images take hours
Expect:  README.md of this folder; its table is made from the rows

Validation pairs choose the epoch of every method. Methods see all genes of a set; one without
expression stands as zeros.
"""

import dataclasses

from experiments.shared.studies import (
    GridConfig,
    Splits,
    Variant,
    begin,
    measure_trivial,
    run_program,
)
from grnjax.config import Seeds, parse
from grnjax.methods.method import MethodConfig, make_method
from grnjax.progress import logger
from grnjax.storage.memory import Usage

CELLS = ("mDC", "hESC", "mHSC-E", "hHEP", "mESC")
METHODS = ("GNNLink", "GNE", "GENELink")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PeersStudy(GridConfig):
    """Which methods are measured."""

    sets: tuple[str, ...] = tuple(f"Specific/{cell}/TFs+500" for cell in CELLS)
    methods: tuple[str, ...] = METHODS
    settings: tuple[str, ...] = ()
    """Of all these methods, KEY=VALUE; their rows then stand under METHOD, SETTINGS."""
    draws: Seeds = (0, 1, 2, 3, 4)
    trivial: bool = True
    """Whether the trivial rows are measured, too."""


def main() -> None:
    """Measures what has not been measured yet, draw by draw."""
    study, results = begin(PeersStudy, "peers_beeline")
    for found, dataset in study.find():
        for kind in study.kinds:
            ground, where = Splits(dataset, study.split(dataset, kind)), {"split": kind}
            where["set"] = found.name
            for split in ground.splits:
                if study.trivial:
                    measure_trivial(results, where, ground, split)
                for name in study.methods:
                    method = make_method(name)
                    flags = [f"--{item}" for item in study.settings]
                    method = parse(method, flags, program="--settings") if flags else method
                    row = ", ".join([name, *study.settings])
                    measure(results, where, ground, split, row, method)


def measure(results, where: dict, ground: Splits, split, row: str, method: MethodConfig) -> None:
    """Appends the row of a method on a draw, with what it took, unless it is there."""
    if results.has(method=row, draw=split.draw, **where):
        return
    what = f"{where['set']}, {where['split']}, draw {split.draw}"
    with Usage() as usage:
        [(_, _, fit)] = ground.fit(Variant(method=method), [split], (0,), what)
        scores = fit.scores(split.test)
    more = {"seconds": round(usage.seconds, 1), "cpu_seconds": round(usage.cpu_seconds, 1)}
    more |= {"peak_mib": round(usage.peak_mib or 0)}
    epoch = getattr(getattr(fit, "result", None), "best_epoch", None)
    more |= {} if epoch is None else {"best_epoch": int(epoch)}
    results.add([{**ground.judge(row, split, 0, scores), **more}], **where)
    logger.info("%s, %s: %.0f s", what, row, usage.seconds)


if __name__ == "__main__":
    run_program(main)
