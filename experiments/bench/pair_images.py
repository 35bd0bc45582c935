"""Images of pairs of genes, ours on the device against NumPy's histogram2d.

Run:     python -m experiments.bench.pair_images
Cost:    under a minute of two cores; memory stands in the rows
Prints:  one JSON line a case; docs/speed.md explains them

2,000 genes in 2,000 cells, sparse counts of which three tenths are above 0; pairs of genes are
drawn. The goal is 20,000 pairs a second in under 2 GiB. Both sides must count the same. Each has
one thread, and what counts are seconds of CPU, which are steadier than those of the clock on a
shared machine (`wall_s`). The peer counts a part of the pairs, and its time is scaled up. `ours`
includes the logarithm of the counts, the copy to the host, in chunks of 20,000 pairs as a fit would
take them, and the bins, which are made once (`bins`).
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
from scipy import sparse

from experiments.bench.line import BenchFile, peak_mib
from grnjax.data.expression_bins import OFFSET, bin_genes
from grnjax.models.pair_images import draw_images

CELLS = GENES = 2_000
SHARE, PAIRS, AT_ONCE, PEER_PAIRS, ROUNDS = 0.3, 40_000, 20_000, 500, 3


def main() -> None:
    """Measures both sides in turns."""
    file = BenchFile("pair_images")
    rng = np.random.default_rng(0)
    counts = sparse.random_array((CELLS, GENES), density=SHARE, rng=rng, format="csc")
    counts.data = np.round(rng.gamma(1.0, 3.0, len(counts.data)) + 1)
    pairs = rng.integers(GENES, size=(PAIRS, 2), dtype=np.int32)
    dense = counts.toarray()
    begun = time.process_time()
    bins = bin_genes(counts)
    to_bin = time.process_time() - begun
    on_device = jnp.asarray(bins.astype(np.int32))
    draw = jax.jit(draw_images)
    first = np.asarray(draw(on_device, jnp.asarray(pairs[:AT_ONCE])))
    ours, wall, theirs = [], [], []
    for _ in range(ROUNDS):
        begun, clock = time.process_time(), time.perf_counter()
        for start in range(0, PAIRS, AT_ONCE):
            np.asarray(draw(on_device, jnp.asarray(pairs[start : start + AT_ONCE])))
        ours.append(time.process_time() - begun)
        wall.append(time.perf_counter() - clock)
        begun = time.process_time()
        images = np.stack([count_by_numpy(dense, *pair) for pair in pairs[:PEER_PAIRS]])
        theirs.append((time.process_time() - begun) * PAIRS / PEER_PAIRS)
    apart = np.abs(first[:PEER_PAIRS] - images).max()
    if apart > 1e-5:
        raise RuntimeError(f"ours and the peer are {apart:.2g} apart")
    time_ours, time_theirs = np.median(ours) + to_bin, np.median(theirs)
    facts = {"genes": GENES, "cells": CELLS, "pairs": PAIRS, "rounds": ROUNDS}
    facts |= {"pairs_a_second": round(PAIRS / np.median(wall)), "wall_s": round(np.median(wall), 2)}
    facts |= {"apart": float(f"{apart:.2g}")}
    file.add("images", "s", time_ours, time_theirs, peak_mib(), **facts)
    file.add("bins", "s", to_bin, None, None, info=True)


def count_by_numpy(dense: np.ndarray, tf: int, target: int) -> np.ndarray:
    """The same image by NumPy."""
    logs = np.log10(dense[:, [tf, target]] + OFFSET)
    counts = np.histogram2d(logs[:, 0], logs[:, 1], bins=32)[0].T
    return (np.log10(counts / len(dense) + 1e-4) + 4) / 4


if __name__ == "__main__":
    main()
