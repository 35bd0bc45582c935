"""Training and scoring of the kernel factor model beside what this machine can multiply and copy.

Run:     python -m experiments.bench.roofline --data FOLDER --sizes 5000x300x10000 20000x1500x10000
Cost:    under a minute a size, once `experiments.bench.growth --data FOLDER` has made its files
Prints:  one JSON line a case, kept in experiments/results/bench_roofline.jsonl

The run that `grnjax infer` would make is begun, and stopped where it would take its first training
step on a block of genes: that step is then timed alone, and so is the scoring of the same block.
The peer is a bound: what XLA counts of operations at the machine's rate of matrix products, or of
bytes at its rate of copies, whichever takes longer. The ratio is the share of that bound reached.
"""

import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import grnjax
from experiments.bench.growth import EXPRESSION, NETWORK
from experiments.bench.line import BenchFile
from experiments.shared.studies import run_program
from grnjax import config as settings
from grnjax.config import Settings
from grnjax.storage.memory import count_cores
from grnjax.training import factor_blocks
from grnjax.training.factor_ensemble import score_members

ROUNDS = 5
SIDE, COPIED = 4096, 2**28  # of a matrix; numbers


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """What is measured."""

    data: Path
    """Folder that `experiments.bench.growth --data` has left."""
    sizes: tuple[str, ...] = ("5000x300x10000", "20000x1500x10000")


class Caught(BaseException):
    """The first step of training, which is not taken."""


def main() -> None:
    """Measures the machine, and then each size."""
    config = settings.parse(Config, sys.argv[1:], program="roofline")
    file = BenchFile("roofline")
    rates = measure_products(), measure_copies()
    for size in config.sizes:
        for case, run, work, facts in list_cases(config.data / size):
            bound = max(amount / rate for amount, rate in zip(work, rates, strict=True))
            for end, (flops, copied) in (("", work), ("_a_second_machine", rates)):
                facts[f"gflop{end}"] = round(flops / 1e9, 2)
                facts[f"gigabytes{end}"] = round(copied / 1e9, 2)
            file.add(f"{size}: {case}", "s", measure(run), bound, None, **facts)


def list_cases(folder: Path) -> Iterator[tuple[str, Callable, tuple[float, float], dict]]:
    """Scoring and training: how they are run, and their operations and bytes."""
    arguments, words = catch_step(folder)
    members, state, block, told, genes, number = arguments
    facts = {"pairs": int(np.prod(told.shape)), "members": len(members["tf_bias"])}
    some = factor_blocks.take_targets(members, genes, axis=1)
    score = score_members.lower(some, block).compile()
    turns = facts["members"]  # they are scored in a loop, of which XLA counts one turn
    yield "scores of a block", lambda: score(some, block), count_work(score, turns), {**facts}
    step = factor_blocks._step.lower(*arguments, **words).compile()
    kept = [members, state]  # a step takes the place of what it is given

    def train() -> Any:
        kept[:] = step(*kept, block, told, genes, number, keys=words["keys"])
        return kept[0]

    yield "training step", train, count_work(step), {**facts}


def count_work(program: Any, turns: int = 1) -> tuple[float, float]:
    """Operations and bytes, as XLA counts them in a program."""
    counted = program.cost_analysis()
    return turns * counted["flops"], turns * counted["bytes accessed"]


def measure(run: Callable[[], Any]) -> float:
    """The fastest round in seconds, after one that warms up."""
    seconds = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        jax.block_until_ready(run())
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def measure_products() -> float:
    """Operations a second of a product of float32 matrices."""
    x = jnp.ones((SIDE, SIDE), jnp.float32)
    multiply = jax.jit(lambda x: x @ x)
    return 2 * SIDE**3 / measure(lambda: multiply(x))


def measure_copies() -> float:
    """Bytes a second, read and written, of a copy of float32 numbers by all cores."""
    x, y, cores = np.ones(COPIED, np.float32), np.empty(COPIED, np.float32), count_cores()
    parts = [*zip(np.array_split(y, cores), np.array_split(x, cores), strict=True)]
    with ThreadPoolExecutor(cores) as pool:
        return 2 * x.nbytes / measure(lambda: list(pool.map(lambda part: np.copyto(*part), parts)))


def catch_step(folder: Path) -> tuple[tuple, dict]:
    """What the first training step of a run on these files is called with."""
    step = factor_blocks._step

    def catch(*arguments: Any, **words: Any):
        raise Caught(arguments, words)

    factor_blocks._step = catch
    try:
        grnjax.infer(folder / EXPRESSION, folder / NETWORK)
    except Caught as caught:
        return caught.args
    finally:
        factor_blocks._step = step
    raise SystemExit(f"{folder}: its pairs are too few to be trained on by blocks.")


if __name__ == "__main__":
    run_program(main)
