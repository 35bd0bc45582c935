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
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from grnjax.data.label_matrix import LabelMatrix, label_matrix
from grnjax.data.names import list_names
from grnjax.data.rewritings import strip_names
from grnjax.errors import ConfigError, SplitError
from grnjax.evidence.label_audit import (
    FEWEST_IN_COMMON,
    SAME_EXPERIMENT,
    count_shared,
    measure_agreement,
)
from grnjax.evidence.types import Evidence
from grnjax.progress import logger
from grnjax.types import Dataset, LabelledPairs, Split

COPY = 0.9  # a phi that two experiments do not reach
COPIED_SHARE = 1 / 3  # of the TFs; a source that copies more of them is no other network
FEWEST_COPIED = 2  # TFs; a single one among few may be a coincidence
FEWEST_OF_ONE = 10  # common genes that tell a copy by one TF alone; with 5, true networks meet it
WITHIN = 0.95  # of a column among the targets of a TF: part of a copy, unless the TF has most genes
MOST_TARGETS = 0.6  # of the genes, for lying within them to mean anything
CHANCE = 1e-6  # of a column's genes lying within a TF's targets
UNLIKE = 0.5  # a phi over train pairs that a true likeness beyond `COPY` does not fall below


class Columns(NamedTuple):
    """What sources say of genes, as labels 0 and 1, and whose column each is."""

    sources: np.ndarray  # [column] str, the path of each one's file
    tfs: np.ndarray  # [column] str
    labels: LabelMatrix  # one row a column, running numbers for TFs
    is_droppable: Bool[np.ndarray, " column"]  # a column of genes; a pair feature is not


@dataclasses.dataclass(frozen=True, eq=False)
class Agreement:
    """How far label TFs and columns agree over some of the pairs."""

    where: str  # "all labels", "the test pairs of draw 0", ...
    phi: Float[np.ndarray, "tf column"]  # 0 where too few genes are in common
    telling: Float[np.ndarray, "tf column"]  # the fewer of common targets and common other genes
    common: Float[np.ndarray, "tf column"]  # targets of both
    targets: Float[np.ndarray, "tf column"]  # of the label TF
    listed: Float[np.ndarray, "tf column"]  # of the column
    genes: Float[np.ndarray, "tf column"]  # that both cover


def check_leaks(
    evidence: Sequence[Evidence],
    tfs: np.ndarray,
    dataset: Dataset,
    splits: Sequence[Split],
    *,
    allow: Collection[str] = (),
) -> list[dict]:
    """For each label TF the column whose labels agree most with its own; refuses a copy.

    Looks at the columns of other networks and of curated lists, and at the pair features of all
    sources but networks, read as 1 where they are above 0. A source is refused where, over all
    labels or over one part of a split, columns of any name agree with a phi of at least `COPY`

    - with more than `COPIED_SHARE` of the TFs, and `FEWEST_COPIED` at least: a copy of the network
      or of a part; here a column that lists hardly anything but targets of the TF counts as well;
    - with the TF of the same name, so that the column is a feature of the pair;
    - with any TF whose train labels say otherwise: a copy of its test labels.

    The last two hold for one TF alone, so they need `FEWEST_OF_ONE` common targets and as many
    common other genes; the first needs `FEWEST_IN_COMMON` of each. They spare the columns that
    `drop_copied_columns` takes away by the split's train labels. Anything else beyond
    `SAME_EXPERIMENT` is named in a warning.

    Args:
        evidence: as the readers return it, before `drop_copied_columns`.
        tfs: the gene indices for which it was read.
        dataset: all labels of the run; a pair that is not known counts as 0.
        splits: what will be trained and judged on, one at least.
        allow: sources to use whatever their labels are, by path or name (`names_of`).

    Raises:
        SplitError: a source is a copy, and not allowed.
        ConfigError: a name that is allowed is not that of any source.
    """
    if not splits:
        raise ValueError("check_leaks needs the splits that will be trained on, and got none")
    names, label_tfs = dataset.genes.names, np.unique(dataset.known.positives[:, 0])
    columns = take_columns(evidence, names[tfs])
    sources = [] if columns is None else np.unique(columns.sources).tolist()
    unknown = sorted(set(allow) - {name for x in sources for name in names_of(x)})
    if unknown:
        raise ConfigError(
            f"{list_names(unknown)}: allowed, but no source with labels has that name; there are "
            f"{list_names(names_of(x)[0] for x in sources) or 'none'}."
        )
    if columns is None:
        return []
    known = LabelledPairs(dataset.known.positives, np.ones(len(dataset.known.positives)))
    table = label_matrix(known, label_tfs, len(names))
    is_pair = label_tfs[:, None] != np.arange(len(names))
    table = dataclasses.replace(table, observed=is_pair.astype(np.float32))
    every = compare(columns, table, "all labels")
    is_asked = ~find_allowed(columns, allow)
    for split in splits:
        parts = [
            compare_pairs(columns, pairs, label_tfs, f"the {part} pairs of draw {split.draw}")
            for part in ("train", "validation", "test")
            for pairs in [getattr(split, part)]
        ]
        for part in (every, *parts):
            refuse_copies(columns, part, parts[0], is_asked, names[label_tfs])
    rows = describe_nearest(columns, every, names[label_tfs])
    warn_of_likeness(rows)
    return rows


def drop_copied_columns(
    evidence: Evidence,
    tfs: np.ndarray,
    names: np.ndarray,
    train: LabelledPairs,
    *,
    allow: Collection[str] = (),
) -> Evidence:
    """The evidence without the columns that share an experiment with a TF by its train labels.

    Those are the columns that agree with a phi beyond `SAME_EXPERIMENT`. The pair feature of a
    TF whose column goes, goes too, and with the last column the block. Evidence of another kind
    than networks comes back as it is, and so do the columns of sources that are allowed.
    """
    if evidence.kind != "network" or not evidence.genes:
        return evidence
    columns, label_tfs = take_columns([evidence], names[tfs]), np.unique(train.positives[:, 0])
    agreement = compare_pairs(columns, train, label_tfs, "the train pairs")
    is_dropped = find_shared(columns, agreement) & ~find_allowed(columns, allow)
    if not is_dropped.any():
        return evidence
    nearest = names[label_tfs[agreement.phi.argmax(axis=0)]]
    dropped = [
        f"{columns.tfs[i]} ({nearest[i]} {agreement.phi[:, i].max():.2f})"
        for i in np.flatnonzero(is_dropped)
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
    has_copy = np.isin(plain(names[tfs]), plain(columns.tfs[is_dropped]))
    genes = [
        dataclasses.replace(block, values=block.values[:, ~is_dropped]) for block in evidence.genes
    ]
    pairs = [
        dataclasses.replace(block, values=np.where(has_copy[:, None], 0, block.values))
        for block in evidence.pairs
    ]
    return dataclasses.replace(
        evidence,
        report=evidence.report | {"columns": kept, "dropped_copies": dropped},
        genes=() if is_dropped.all() else tuple(genes),
        pairs=tuple(pairs),
    )


def take_columns(evidence: Sequence[Evidence], tf_names: np.ndarray) -> Columns | None:
    """The columns of networks and curated lists, and the other sources' pair features, as labels.

    A network's columns are centred, and 0 only for the genes that it is not about.
    """
    values, observed, owners = [], [], []  # owners: source, TF and whether it is droppable
    for item in evidence:
        is_network = item.kind == "network"
        for block in item.genes if is_network else ():
            values.append(block.values.T)
            observed.append(block.values.T != 0)
            for source, columns in item.report["columns"].items():
                owners += [(source, tf, True) for tf in columns]
        for block in item.genes if item.kind == "curated" else ():
            values.append(block.values.T)
            observed.append(np.ones(block.values.T.shape, dtype=bool))
            columns = range(1, 1 + block.values.shape[1])
            owners += [(item.report["source"], f"regulator {i}", False) for i in columns]
        for block in () if is_network else item.pairs:
            values.append(block.values)
            observed.append(np.ones(block.values.shape, dtype=bool))
            owners += [(item.report["source"], tf, False) for tf in tf_names]
    if not owners:
        return None
    sources, tfs, is_droppable = map(np.array, zip(*owners, strict=True))
    labels, known = np.float32(np.concatenate(values) > 0), np.float32(np.concatenate(observed))
    return Columns(sources, tfs, LabelMatrix(np.arange(len(tfs)), labels, known), is_droppable)


def find_allowed(columns: Columns, allow: Collection[str]) -> Bool[np.ndarray, " column"]:
    """The columns of sources that are allowed, by path or name."""
    return np.array([bool({*names_of(x)} & set(allow)) for x in columns.sources])


def names_of(source: str) -> tuple[str, str, str]:
    """What a source is called: by its folder too where that names the cells, last name, path.

    The folders of one benchmark are all called TFs+500 or TFs+1000; the cells are one above.
    """
    path = Path(source)
    is_benchmark = path.name.startswith("TFs+")
    return (f"{path.parent.name}/{path.name}" if is_benchmark else path.name), path.name, source


def compare_pairs(columns: Columns, pairs: LabelledPairs, tfs: np.ndarray, where: str) -> Agreement:
    """The agreement of each of the label TFs with each column over its labelled pairs."""
    pairs = pairs.take(np.isin(pairs.pairs[:, 0], tfs))
    return compare(columns, label_matrix(pairs, tfs, columns.labels.labels.shape[1]), where)


def compare(columns: Columns, labels: LabelMatrix, where: str) -> Agreement:
    """The agreement of each label TF with each column over the pairs that `labels` has."""
    genes, common, targets, listed = count_shared(columns.labels, labels)
    telling = np.minimum(common, genes - targets - listed + common)
    phi = np.nan_to_num(measure_agreement(columns.labels, labels))
    phi = np.where(telling >= FEWEST_IN_COMMON, phi, 0)
    return Agreement(where, phi, telling, common, targets, listed, genes)


def find_shared(columns: Columns, train: Agreement) -> Bool[np.ndarray, " column"]:
    """The columns that train labels give away as sharing an experiment with a TF of the run."""
    return columns.is_droppable & (train.phi > SAME_EXPERIMENT).any(axis=0)


def refuse_copies(
    columns: Columns,
    part: Agreement,
    train: Agreement,
    is_asked: Bool[np.ndarray, " column"],
    tf_names: np.ndarray,
) -> None:
    """Refuses a copy of too many TFs' labels, or of one's that train labels do not give away."""
    can_tell = np.minimum(part.targets, part.genes - part.targets) >= FEWEST_IN_COMMON
    is_copy = part.phi >= COPY
    for source in np.unique(columns.sources[is_asked]):
        here = columns.sources == source
        copied = (is_copy | find_parts(part))[:, here].any(axis=1)
        judged = can_tell[:, here].any(axis=1).sum()
        if copied.sum() >= FEWEST_COPIED and copied.sum() > COPIED_SHARE * judged:
            raise refusal(
                source,
                f"a copy of the network under test: of the {judged:,} TFs that can be judged over "
                f"{part.where}, the labels of {copied.sum():,} ({list_names(tf_names[copied])}) "
                f"stand in it, by these or other names, with a phi of at least {COPY} or in part",
            )
    is_own = plain(tf_names)[:, None] == plain(columns.tfs)
    says_otherwise = (train.targets >= FEWEST_OF_ONE) & (train.phi < UNLIKE)
    is_missed = is_copy & (part.telling >= FEWEST_OF_ONE) & (is_own | says_otherwise)
    is_missed &= is_asked & ~find_shared(columns, train)
    if is_missed.any():
        row, column = at = tuple(np.argwhere(is_missed)[0])
        raise refusal(
            columns.sources[column],
            f"its labels of {columns.tfs[column]} are a copy of those of {tf_names[row]} under "
            f"test (phi {part.phi[at]:.2f} over {part.where}: {part.common[at]:.0f} common "
            f"targets, of {part.targets[at]:.0f} and {part.listed[at]:.0f}, among "
            f"{part.genes[at]:,.0f} genes)",
        )


def refusal(source: str, reason: str) -> SplitError:
    """The error about a source, with what a user can do."""
    way_out = f"Leave the file out, or allow {names_of(source)[0]} by name."
    return SplitError(f"{source}: {reason}. {way_out}")


def find_parts(part: Agreement) -> Bool[np.ndarray, "tf column"]:
    """Whether a column lists hardly anything but targets of the TF, beyond chance."""
    rate = part.targets / np.maximum(part.genes, 1)
    by_chance = np.maximum(rate, 1e-12) ** part.listed
    is_within = (part.common >= WITHIN * part.listed) & (part.common >= FEWEST_IN_COMMON)
    return is_within & (rate <= MOST_TARGETS) & (by_chance < CHANCE)


def describe_nearest(columns: Columns, every: Agreement, tf_names: np.ndarray) -> list[dict]:
    """One row a label TF: the column nearest to it over all labels.

    `phi` is None where no column has enough genes in common with the TF to tell.
    """
    rows = []
    for row, tf in enumerate(tf_names.tolist()):
        at = row, column = row, int(every.phi[row].argmax())
        is_known = every.phi[at] > 0
        rows.append(
            {
                "tf": tf,
                "phi": float(every.phi[at]) if is_known else None,
                "nearest_tf": str(columns.tfs[column]) if is_known else None,
                "source": str(columns.sources[column]) if is_known else None,
                "common_targets": int(every.common[at]) if is_known else 0,
            }
        )
    return rows


def warn_of_likeness(rows: Sequence[dict]) -> None:
    """Names the TFs whose labels another source shares an experiment with, but does not copy."""
    suspects = [
        f"{row['tf']} ({row['nearest_tf']} of {names_of(row['source'])[0]} {row['phi']:.2f})"
        for row in rows
        if row["phi"] is not None and row["phi"] > SAME_EXPERIMENT
    ]
    if suspects:
        logger.warning(
            f"labels of {len(suspects):,} TFs agree with those of other sources beyond a phi of "
            f"{SAME_EXPERIMENT}, as from one experiment: {list_names(suspects)}"
        )


def plain(names: np.ndarray) -> np.ndarray:
    """The names without what exporters do to them, to be compared."""
    return np.array(strip_names(names.tolist()), dtype=str)
