"""Is other evidence a copy of the network under test? Agreement of labels, TF by TF.

Another network's labels are the best evidence there is, unless they are the labels under test:
the same file under another name, its TFs renamed, another species claimed, or its test edges
alone. Names prove nothing here, so every column is held against every label TF, over all labels
and over each part of each split.

Two questions are kept apart, so that test labels never choose what a model sees:

- `drop_copied_columns` leaves out the columns that share an experiment with a TF of the run. It
  looks at train labels only. BEELINE's cell-type specific networks have one such pair of TFs that
  their names do not give away: KLF5 in hESC and BRCA1 in HepG2, with a phi of .92. The next
  reach .76, and only where both TFs have nearly all genes for targets.
- `check_leaks` looks at all labels, and can only refuse or report.
"""

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from grnjax.data.blocks.evidence import Evidence
from grnjax.data.label_matrix import LabelMatrix, label_matrix
from grnjax.data.names import list_names
from grnjax.errors import SplitError
from grnjax.progress import logger
from grnjax.tasks.label_audit import (
    FEWEST_IN_COMMON,
    SAME_EXPERIMENT,
    count_shared,
    measure_agreement,
)
from grnjax.types import Dataset, LabelledPairs, Split

COPY = 0.9  # a phi that two experiments do not reach
COPIED_SHARE = 1 / 3  # of the TFs; a source that copies more of them is no other network
FEWEST_COPIED = 2  # TFs; a single one among few may be a coincidence
FEWEST_OF_ONE = 10  # common genes that tell a copy by one TF alone; with 5, true networks meet it
WITHIN = 0.95  # of a column among the targets of a TF: part of a copy, unless the TF has most genes
MOST_TARGETS = 0.6  # of the genes, for lying within them to mean anything
CHANCE = 1e-6  # of a column's genes lying within a TF's targets
UNLIKE = 0.5  # a phi over train pairs that a true likeness beyond `COPY` does not fall below


@dataclasses.dataclass(frozen=True, eq=False)
class Columns:
    """What sources say of genes, as labels 0 and 1, and whose column each is."""

    sources: np.ndarray  # [column] str, the path of each one's file
    tfs: np.ndarray  # [column] str
    labels: LabelMatrix  # one row a column, running numbers for TFs
    is_droppable: Bool[np.ndarray, " column"]  # a column of genes; a pair feature is not


@dataclasses.dataclass(frozen=True, eq=False)
class Agreement:
    """How far label TFs and columns agree over some of the pairs."""

    where: str  # "all labels", "the test pairs of draw 0", ...
    phi: Float[np.ndarray, "tf column"]  # 0 where too few genes tell
    telling: Float[np.ndarray, "tf column"]  # the fewer of common targets and common other genes
    common: Float[np.ndarray, "tf column"]  # targets of both
    targets: Float[np.ndarray, "tf column"]  # of the label TF
    listed: Float[np.ndarray, "tf column"]  # of the column
    genes: Float[np.ndarray, "tf column"]  # that both speak of

    def describe(self, row: int, column: int) -> str:
        """The figures of one label TF and one column, for a message."""
        at = row, column
        return (
            f"phi {self.phi[at]:.2f} over {self.where}: {self.common[at]:.0f} common targets, of "
            f"{self.targets[at]:.0f} and {self.listed[at]:.0f}, among {self.genes[at]:,.0f} genes"
        )


def check_leaks(
    evidence: Sequence[Evidence],
    tfs: np.ndarray,
    dataset: Dataset,
    splits: Sequence[Split],
    *,
    allow: Collection[str] = (),
) -> list[dict]:
    """For each label TF the column whose labels agree most with its own; refuses a copy.

    Looks at the columns of other networks, and at the pair features of all other sources, read
    as 1 where they are above 0. A source is refused where, over all labels or over one part of a
    split, columns of any name agree with a phi of at least .9

    - with more than a third of the TFs, and two at least: a copy of the network, or of a part;
      here a column that lists hardly anything but targets of the TF counts as well;
    - with the TF of the same name, so that the column is a feature of the pair;
    - with any TF whose train labels say otherwise: a copy of its test labels.

    The last two hold for one TF alone, so they need 10 common targets and 10 common other genes;
    the first needs 5 of each. They spare the columns that `drop_copied_columns` takes away by the
    split's train labels. Anything else beyond `SAME_EXPERIMENT` is named in a warning.

    Args:
        evidence: as the readers return it, before `drop_copied_columns`.
        tfs: the gene indices for which it was read.
        dataset: all labels of the run; a pair that is not known counts as 0.
        splits: what will be trained and judged on, one at least.
        allow: sources to use whatever their labels are, by path or by its last part.

    Raises:
        SplitError: a source is a copy, and not allowed.
    """
    if not splits:
        raise ValueError("check_leaks needs the splits that will be trained on, and got none")
    names = dataset.genes.names
    columns = take_columns(evidence, names[tfs])
    if not len(columns.sources):
        return []
    label_tfs = np.unique(dataset.known.positives[:, 0])
    every = compare(columns, tabulate_known(dataset.known, label_tfs, len(names)), "all labels")
    agreements = [every]
    is_asked = ~np.array(
        [bool({source, Path(source).name} & set(allow)) for source in columns.sources]
    )
    for split in splits:
        parts = compare_parts(columns, split, label_tfs, len(names))
        for part in (every, *parts):
            refuse_network(columns, part, is_asked, names[label_tfs])
            refuse_column(columns, part, parts[0], is_asked, names[label_tfs])
        agreements += parts
    rows = describe_nearest(columns, names[label_tfs], agreements)
    warn_of_likeness(rows)
    return rows


def drop_copied_columns(
    evidence: Evidence, tfs: np.ndarray, names: np.ndarray, train: LabelledPairs
) -> Evidence:
    """The evidence without the columns that share an experiment with a TF by its train labels.

    Those are the columns that agree with a phi beyond `SAME_EXPERIMENT`. The pair feature of a
    TF whose column goes, goes too, and with the last column the block. Evidence of another kind
    than networks comes back as it is.
    """
    if evidence.report.get("kind") != "network":
        return evidence
    columns = take_columns([evidence], names[tfs])
    label_tfs = np.unique(train.positives[:, 0])
    agreement = compare(
        columns,
        label_matrix(train.take(np.isin(train.pairs[:, 0], label_tfs)), label_tfs, len(names)),
        "the train pairs",
    )
    is_dropped = find_shared(columns, agreement)
    if not is_dropped.any():
        return evidence
    dropped = [
        f"{columns.tfs[i]} ({names[label_tfs[row]]} {agreement.phi[row, i]:.2f})"
        for i in np.flatnonzero(is_dropped)
        for row in [agreement.phi[:, i].argmax()]
    ]
    logger.warning(
        f"{evidence.name}: left out {len(dropped):,} of {len(is_dropped):,} columns, whose labels "
        f"agree with the train labels of a TF beyond a phi of {SAME_EXPERIMENT}, as from one "
        f"experiment: {list_names(dropped)}"
    )
    kept = {
        source: columns.tfs[~is_dropped & (columns.sources == source)].tolist()
        for source in evidence.report["columns"]
    }
    has_copy = np.isin(np.char.upper(names[tfs]), np.char.upper(columns.tfs[is_dropped]))
    return dataclasses.replace(
        evidence,
        report=evidence.report | {"columns": kept, "dropped_copies": dropped},
        genes=tuple(
            dataclasses.replace(block, values=block.values[:, ~is_dropped])
            for block in evidence.genes
            if not is_dropped.all()
        ),
        pairs=tuple(
            dataclasses.replace(block, values=np.where(has_copy[:, None], 0, block.values))
            for block in evidence.pairs
        ),
    )


def take_columns(evidence: Sequence[Evidence], tf_names: np.ndarray) -> Columns:
    """The columns of networks, and the rows of the other sources' pair features, as labels.

    A network's columns are 0 and 1, or centred by `merge_networks`, which leaves 0 for the genes
    that the network is not about.
    """
    sources, tfs, labels, observed, is_droppable = [], [], [], [], []
    for item in evidence:
        is_network = item.report.get("kind") == "network"
        for block in item.genes if is_network else ():
            is_centred = (block.values < 0).any(axis=0)
            labels.append((block.values > 0).T)
            observed.append((block.covered[:, None] & ((block.values != 0) | ~is_centred)).T)
            for source, of_source in item.report["columns"].items():
                sources += [source] * len(of_source)
                tfs += of_source
        for block in () if is_network else item.pairs:
            labels.append(block.values > 0)
            observed.append(np.ones(block.values.shape, dtype=bool))
            sources += [str(item.report.get("source", item.name))] * len(tf_names)
            tfs += tf_names.tolist()
        is_droppable += [is_network] * (len(sources) - len(is_droppable))
    matrix = LabelMatrix(
        np.arange(len(sources)),
        np.concatenate(labels or [np.zeros((0, 0))]).astype(np.float32),
        np.concatenate(observed or [np.zeros((0, 0))]).astype(np.float32),
    )
    return Columns(np.array(sources), np.array(tfs), matrix, np.array(is_droppable))


def tabulate_known(known: LabelledPairs, tfs: np.ndarray, genes: int) -> LabelMatrix:
    """Each of the TFs with every gene but itself; a pair that is not known is 0."""
    table = label_matrix(LabelledPairs(known.positives, np.ones(len(known.positives))), tfs, genes)
    observed = np.ones_like(table.observed)
    observed[np.arange(len(tfs)), tfs] = 0
    return dataclasses.replace(table, observed=observed)


def compare_parts(
    columns: Columns, split: Split, tfs: np.ndarray, genes: int
) -> list[Agreement]:
    """The agreement over the train, validation and test pairs of a split, in this order."""
    return [
        compare(
            columns,
            label_matrix(part.take(np.isin(part.pairs[:, 0], tfs)), tfs, genes),
            f"the {name} pairs of draw {split.draw}",
        )
        for name in ("train", "validation", "test")
        for part in [getattr(split, name)]
    ]


def compare(columns: Columns, labels: LabelMatrix, where: str) -> Agreement:
    """The agreement of each label TF with each column over the pairs that `labels` has."""
    genes, common, targets, listed = count_shared(columns.labels, labels)
    neither = genes - targets - listed + common
    telling = np.minimum(common, neither)
    phi = np.nan_to_num(measure_agreement(columns.labels, labels))
    phi = np.where(telling >= FEWEST_IN_COMMON, phi, 0)
    return Agreement(where, phi, telling, common, targets, listed, genes)


def find_shared(columns: Columns, train: Agreement) -> Bool[np.ndarray, " column"]:
    """The columns that train labels give away as sharing an experiment with a TF of the run."""
    return columns.is_droppable & (train.phi > SAME_EXPERIMENT).any(axis=0)


def refuse_network(
    columns: Columns, part: Agreement, is_asked: Bool[np.ndarray, " column"], tf_names: np.ndarray
) -> None:
    """Refuses a source that has a copy of the labels of too many TFs."""
    can_tell = np.minimum(part.targets, part.genes - part.targets) >= FEWEST_IN_COMMON
    for source in np.unique(columns.sources[is_asked]):
        here = columns.sources == source
        copied = ((part.phi >= COPY) | find_parts(part))[:, here].any(axis=1)
        judged = can_tell[:, here].any(axis=1).sum()
        if copied.sum() >= FEWEST_COPIED and copied.sum() > COPIED_SHARE * judged:
            raise SplitError(
                f"{source}: a copy of the network under test: of the {judged:,} TFs that can be "
                f"judged over {part.where}, the labels of {copied.sum():,} "
                f"({list_names(tf_names[copied])}) stand in it, by these or other names, with a "
                f"phi of at least {COPY} or in part. {name_ways_out(source)}"
            )


def find_parts(part: Agreement) -> Bool[np.ndarray, "tf column"]:
    """Whether a column lists hardly anything but targets of the TF, beyond chance."""
    rate = part.targets / np.maximum(part.genes, 1)
    by_chance = np.maximum(rate, 1e-12) ** part.listed
    is_within = (part.common >= WITHIN * part.listed) & (part.common >= FEWEST_IN_COMMON)
    return is_within & (rate <= MOST_TARGETS) & (by_chance < CHANCE)


def refuse_column(
    columns: Columns,
    part: Agreement,
    train: Agreement,
    is_asked: Bool[np.ndarray, " column"],
    tf_names: np.ndarray,
) -> None:
    """Refuses a copy of one TF's labels that train labels do not give away."""
    is_copy = (part.phi >= COPY) & (part.telling >= FEWEST_OF_ONE)
    is_own = np.char.upper(tf_names)[:, None] == np.char.upper(columns.tfs)
    says_otherwise = (train.targets >= FEWEST_OF_ONE) & (train.phi < UNLIKE)
    is_missed = is_copy & (is_own | says_otherwise) & is_asked & ~find_shared(columns, train)
    for row, column in np.argwhere(is_missed)[:1]:
        source = columns.sources[column]
        raise SplitError(
            f"{source}: its labels of {columns.tfs[column]} are a copy of those of "
            f"{tf_names[row]} under test ({part.describe(row, column)}). {name_ways_out(source)}"
        )


def name_ways_out(source: str) -> str:
    """What a user can do about a refused source."""
    return f"Leave the file out, or allow {Path(source).name} by name."


def describe_nearest(
    columns: Columns, tf_names: np.ndarray, agreements: Sequence[Agreement]
) -> list[dict]:
    """One row a label TF: the column nearest to it over all labels, and the nearest in any part.

    `phi` is None where no column has enough genes in common with the TF to tell.
    """
    rows = []
    for row, tf in enumerate(tf_names.tolist()):
        found = {"tf": tf}
        every, *parts = agreements
        in_parts = max(parts, key=lambda part: part.phi[row].max())
        for prefix, agreement in (("", every), ("part_", in_parts)):
            column = int(agreement.phi[row].argmax())
            at, tells = (row, column), agreement.phi[row, column] > 0
            found |= {
                f"{prefix}phi": float(agreement.phi[at]) if tells else None,
                f"{prefix}nearest_tf": str(columns.tfs[column]) if tells else None,
                f"{prefix}source": str(columns.sources[column]) if tells else None,
                f"{prefix}where": agreement.where,
                f"{prefix}common_targets": int(agreement.common[at]) if tells else 0,
            }
        rows.append(found)
    return rows


def warn_of_likeness(rows: Sequence[dict]) -> None:
    """Names the TFs whose labels another source shares an experiment with, but does not copy."""
    suspects = [
        f"{row['tf']} ({row['nearest_tf']} of {row['source']} {row['phi']:.2f})"
        for row in rows
        if row["phi"] is not None and row["phi"] > SAME_EXPERIMENT
    ]
    if suspects:
        logger.warning(
            f"labels of {len(suspects):,} TFs agree with those of other sources beyond a phi of "
            f"{SAME_EXPERIMENT}, as from one experiment: {list_names(suspects)}"
        )
