"""Makes aucell.npz: activity by decoupler 2.2.0 (scverse, BSD-3) on values without ties.

Run:     python tests/golden/activity/make.py   where decoupler is installed, pip install decoupler
"""

from pathlib import Path

import decoupler
import numpy as np
import pandas as pd

CELLS, GENES, REGULONS = 12, 230, 9


def main() -> None:
    """Writes the file beside this one."""
    rng = np.random.default_rng(5)
    genes = np.array([f"G{i}" for i in range(GENES)])
    values = rng.permuted(np.tile(np.arange(GENES), (CELLS, 1)), axis=1).astype(np.float32)
    sizes = rng.integers(5, 60, REGULONS)
    targets = [np.sort(rng.choice(GENES, size, replace=False)) for size in sizes]
    rows = [(f"R{i}", genes[j], 1.0) for i, group in enumerate(targets) for j in group]
    net = pd.DataFrame(rows, columns=["source", "target", "weight"])
    found = decoupler.mt.aucell(pd.DataFrame(values, columns=genes), net, tmin=1)
    table = found[0] if isinstance(found, tuple) else found
    member = np.zeros((GENES, REGULONS), np.int8)
    for i, group in enumerate(targets):
        member[group, i] = 1
    activity = table[[f"R{i}" for i in range(REGULONS)]].to_numpy()
    np.savez_compressed(
        Path(__file__).with_name("aucell.npz"),
        genes=genes,
        values=values,
        member=member,
        activity=activity,
        version=decoupler.__version__,
    )


if __name__ == "__main__":
    main()
