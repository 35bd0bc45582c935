"""Networks that keep what could help by itself, and lose what regulation could have said."""

import dataclasses

import numpy as np
import pandas as pd

from grnjax.evaluation.rewiring import trade_targets
from grnjax.graphs.cell_networks import CellNetworks

SWEEPS = 100


def rewire_networks(networks: CellNetworks, *, seed: int) -> CellNetworks:
    """Random networks of equal degrees: each regulon has as many targets, each gene as many TFs.

    Regulons trade targets two by two (curveball, Strona et al. 2014); a cell keeps its active
    regulons, and none gets its own TF. More than half of what GRNFormer's networks gained came with
    random ones (Qiu et al. 2025, ablation), so a gain counts beyond this.
    """
    edges = networks.edges
    targets, column = np.unique(edges["target"].to_numpy(str), return_inverse=True)
    regulon = edges["regulon"].to_numpy()
    label = np.zeros((networks.active.shape[1], len(targets)), np.int8)
    tf_of = dict(zip(regulon, edges["tf"], strict=True))
    for row, tf in tf_of.items():
        label[row, targets == tf] = -1
    label[regulon, column] = 1
    is_self = edges["tf"].to_numpy(str) == edges["target"].to_numpy(str)
    label[regulon[is_self], column[is_self]] = -1  # stay where they are
    label = trade_targets(label, np.random.default_rng(seed), SWEEPS)
    row, place = np.nonzero(label == 1)
    rewired = pd.DataFrame({"tf": [tf_of[i] for i in row], "target": targets[place]})
    rewired["regulon"] = row
    kept = edges.loc[is_self, ["tf", "target", "regulon"]]
    return dataclasses.replace(networks, edges=pd.concat([rewired, kept], ignore_index=True))


def shuffle_cells(networks: CellNetworks, *, seed: int) -> CellNetworks:
    """Each cell with the network of another cell, of whatever type; types keep theirs."""
    order = np.random.default_rng(seed).permutation(len(networks.active))
    return dataclasses.replace(networks, active=networks.active[order])
