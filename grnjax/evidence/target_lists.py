"""Target lists of other cells as evidence: a network of many cells, and a table of motif hits.

The rule of leaks is that of other networks: where TFs of the run may not keep their own lists,
those of the species are left out; lists that orthologues carried over from another species stay.
"""

import numpy as np
import pandas as pd

from grnjax.data.compendium.aliases import name_tf
from grnjax.data.compendium.lists import TargetLists
from grnjax.data.names import count_names
from grnjax.evidence.motifs import describe_hits
from grnjax.evidence.other_networks import KERNELS, centre_columns
from grnjax.evidence.types import Evidence, GeneBlock, PairBlock

NAME, MOTIFS = "compendium", "compendium motifs"
LISTS_OF = "lists of "


def describe_lists(
    lists: TargetLists, tfs: np.ndarray, *, keep_own: bool, report: dict | None = None
) -> Evidence | None:
    """The lists as gene values, one column each; None where none may be used.

    A column is 1 where the gene is listed and 0 where it is not, less the share of its universe
    that the list has; 0 outside the universe. A TF that keeps lists has a pair feature, the mean of
    its columns.

    Args:
        lists: over the genes of the run, in its order.
        tfs: gene indices of its TFs.
        keep_own: whether TFs of the run keep their lists of the species.
        report: what else run.json says of them.
    """
    names = lists.genes[tfs]
    own = [name_tf(name) for name in names.tolist()]
    is_dropped = np.isin(lists.tfs, own) & ~lists.carried & (not keep_own)
    kept = lists.take(~is_dropped)
    order = np.lexsort((np.arange(len(kept)), kept.cells))
    kept = kept.take(order)
    inside = kept.covered[kept.source]  # [list, gene]
    labels, covered = kept.labels.T, inside.any(axis=0)
    tells = (labels.sum(axis=0) > 0) & (labels.sum(axis=0) < inside.sum(axis=1))
    kept, inside, labels = kept.take(tells), inside[tells], labels[:, tells]
    if not len(kept):
        return None
    values = np.zeros_like(labels)
    for universe in np.unique(kept.source):
        columns = kept.source == universe
        values[:, columns] = centre_columns(labels[:, columns], kept.covered[universe])
    same = np.zeros((len(tfs), len(lists.genes)), np.float32)
    for row, tf in zip(same, own, strict=True):
        at = kept.rows_of(tf)
        if len(at):
            row[:] = values[:, at].mean(axis=1)
    columns = {
        f"{LISTS_OF}{cell}": kept.tfs[kept.cells == cell].tolist() for cell in np.unique(kept.cells)
    }
    about = {
        "source": list(columns),
        "found": int(covered.sum()),
        "absent": count_names(lists.genes[~covered]),
        "tfs_found": int(same.any(axis=1).sum()),
        "lists": len(kept),
        "columns": columns,
        "dropped_same_tf": count_names(np.unique(lists.tfs[is_dropped]).tolist()),
        "is_audited": True,
    }
    block = GeneBlock(NAME, values, covered, KERNELS, has_one_scale=True)
    pairs = (PairBlock(f"{NAME}: same TF", same),) if same.any() else ()
    return Evidence(NAME, "network", about | (report or {}), genes=(block,), pairs=pairs)


def describe_motif_lists(motifs: TargetLists, tfs: np.ndarray) -> Evidence:
    """Lists by motifs alone as hits: of genes, of each TF at each gene, and TFs that hit alike.

    Args:
        motifs: one list a TF, over the genes of the run.
        tfs: gene indices of its TFs.
    """
    covered = motifs.covered.any(axis=0)
    hits = pd.DataFrame(motifs.labels[:, covered].T, motifs.genes[covered], motifs.tfs)
    hits = hits.T.groupby(level=0).max().T
    report = {"source": MOTIFS, "is_audited": True}
    return describe_hits(hits, motifs.genes, tfs, name=MOTIFS, kind="motifs", report=report)
