"""The genes of a matrix found in the vocabulary of a foundation model.

Names are joined as everywhere (`data.names.match_names`), after three steps that are particular to
these models: orthologues where the cells are of another species, Ensembl ids in upper case and
without their version, and names renamed by the model's own dictionaries (symbols to Ensembl ids,
former ids to present ones). Several columns may be one gene: tokenisers sum them. A vocabulary that
has few of the genes is an error that names the likely cause, since the model would read noise.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int64

from grnjax.data.names import (
    NameMatch,
    count_names,
    identifier_kind,
    list_names,
    match_names,
    show_name,
)
from grnjax.data.rewritings import CASE
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.foundation.mismatch import describe_cause, has_version, look_like_mouse, tidy
from grnjax.progress import logger

LEAST_SHARE = 0.5
"""Of the smaller list, data or vocabulary, that must be found in the other."""


@dataclasses.dataclass(frozen=True, eq=False)
class GeneMatch:
    """Which columns of a matrix are which tokens of a vocabulary."""

    columns: Int64[np.ndarray, " match"]  # ascending
    tokens: Int64[np.ndarray, " match"]  # of each of the columns; one may stand repeatedly
    genes: int  # columns of the matrix
    report: dict


def is_special(name: str) -> bool:
    """Whether a name of a vocabulary is no gene, such as <pad>."""
    return name.startswith("<") and name.endswith(">")


def find_special(vocabulary: Mapping[str, int], *names: str) -> list[int]:
    """The tokens of these special names.

    Raises:
        ConfigError: one is not in the vocabulary.
    """
    lacking = [name for name in names if name not in vocabulary]
    if lacking:
        has = list_names(filter(is_special, vocabulary)) or "none"
        raise ConfigError(
            f"The vocabulary of {len(vocabulary):,} names lacks {list_names(lacking)}; of special "
            f"tokens it has {has}. Take the vocabulary of the same release as the weights."
        )
    return [int(vocabulary[name]) for name in names]


def number_genes(genes: Sequence[str]) -> dict[str, int]:
    """The vocabulary of a model whose genes have fixed places: each name and its place.

    Raises:
        ConfigError: a name stands twice.
    """
    places = {name: place for place, name in enumerate(genes)}
    if len(places) < len(genes):
        raise ConfigError(
            f"The gene list has {len(genes):,} names, {len(places):,} of them different; every "
            "gene needs a place of its own."
        )
    return places


def match_genes(
    genes: Sequence[str],
    vocabulary: Mapping[str, int],
    *,
    source: str,
    orthologues: Mapping[str, str] | None = None,
    renames: Sequence[Mapping[str, str]] = (),
    cells: Sequence[str] | None = None,
    least_share: float = LEAST_SHARE,
) -> GeneMatch:
    """The columns of the genes that the vocabulary has, the token of each, and a report.

    Args:
        genes: names of the columns, symbols or Ensembl ids, which may repeat.
        vocabulary: name -> token; names in angle brackets are no genes.
        source: what messages call the matrix.
        orthologues: gene in the species of the cells -> gene in that of the model
            (`data.orthologues.read_orthologues`); one without is dropped and counted.
        renames: dictionaries of the model, name -> name, applied one after the other; a name that
            is not in one stays as it is.
        cells: names of the rows, by which a transposed matrix is recognised.
        least_share: of the smaller list, that must be found.

    Raises:
        GeneMismatchError: fewer genes were found; the message names the likely cause.
    """
    names = [str(gene) for gene in genes]
    known = [name for name in vocabulary if not is_special(name)]
    report: dict = {"source": source, "genes": len(names), "vocabulary": len(known)}
    versioned = [name for name in names if has_version(name)]
    report["versions_dropped"] = count_names(versioned)
    current: list[str | None] = [tidy(name) for name in names]
    if orthologues is not None:
        current = rename_by(current, orthologues, source, report)
        lost = [name for name, now in zip(names, current) if now is None]
        report["without_orthologue"] = count_names(lost)
    for table in renames:
        renamed = rename_by(current, table, source, report)
        current = [new or old for new, old in zip(renamed, current)]
    unique = list(dict.fromkeys(name for name in current if name is not None))
    match = match_names(unique, known)
    note_rewritings(match, source, report)
    places: dict[str | None, int] = dict(zip(unique, match.positions.tolist()))
    tokens = [-1 if (at := places.get(name, -1)) < 0 else vocabulary[known[at]] for name in current]
    found = np.array(tokens, np.int64)
    columns = np.flatnonzero(found >= 0).astype(np.int64)
    matched = len(np.unique(found[columns]))
    share = matched / max(min(len(set(names)), len(known)), 1)
    report |= {
        "matched": matched,
        "share": share,
        "columns": len(columns),
        "columns_summed": len(columns) - matched,
        "not_in_vocabulary": count_names(
            name for name, now, token in zip(names, current, tokens) if now and token < 0
        ),
        "identifiers": {"genes": identifier_kind(names), "vocabulary": identifier_kind(known)},
        "joined_by_upper_case": len(match.joined.get(CASE, {})),
    }
    if not matched or share < least_share:
        cause = describe_cause(names, known, cells, orthologues)
        raise GeneMismatchError(
            f"{source}: of {len(names):,} genes ({list_names(names)}), {matched:,} are in the "
            f"vocabulary of {len(known):,} ({list_names(known)}), {share:.1%} of the smaller "
            f"list where {least_share:.0%} are needed. {cause}"
        )
    tell(report, names, known)
    return GeneMatch(columns, found[columns], len(names), report)


def rename_by(
    names: Sequence[str | None], table: Mapping[str, str], source: str, report: dict
) -> list[str | None]:
    """Each name as the table has it; None where it has none."""
    keys, unique = list(table), list(dict.fromkeys(name for name in names if name is not None))
    match = match_names(unique, keys)
    note_rewritings(match, source, report)
    places: dict[str | None, int] = dict(zip(unique, match.positions.tolist()))
    return [None if (at := places.get(name, -1)) < 0 else table[keys[at]] for name in names]


def note_rewritings(match: NameMatch, source: str, report: dict) -> None:
    """Adds what `match_names` joined and did not join by rewriting to what stands there already."""
    for how, kinds in match.report(source).items():
        for what, counted in kinds.items():
            before = report.setdefault(how, {}).get(what, {"count": 0, "first": []})
            count = before["count"] + counted["count"]
            report[how][what] = {"count": count, "first": before["first"] or counted["first"]}
    ambiguous = report.get("case_ambiguous", count_names(()))["count"] + len(match.ambiguous)
    first = report.get("case_ambiguous", {}).get("first") or count_names(match.ambiguous)["first"]
    report["case_ambiguous"] = {"count": ambiguous, "first": first}


def tell(report: dict, names: Sequence[str], known: Sequence[str]) -> None:
    """Says what was joined, and what could not be or may be wrong."""
    source, lost = report["source"], report["not_in_vocabulary"]
    logger.info(
        f"{source}: {report['matched']:,} of {report['genes']:,} genes are in the vocabulary of "
        f"{report['vocabulary']:,} ({report['share']:.1%} of the smaller list)"
    )
    if lost["count"]:
        logger.warning(
            f"{source}: {lost['count']:,} genes outside the vocabulary are left out: "
            f"{', '.join(map(show_name, lost['first']))}"
        )
    for key, meaning in (
        ("columns_summed", "columns are summed into another one of the same gene"),
        ("versions_dropped", "versions of Ensembl ids dropped"),
        ("without_orthologue", "genes without one orthologue left out"),
        ("case_ambiguous", "names that upper case would confuse, joined by exact spelling only"),
    ):
        count = report.get(key, 0)
        count = count if isinstance(count, int) else count["count"]
        if count:
            logger.info(f"{source}: {count:,} {meaning}")
    is_other = look_like_mouse(names) and not look_like_mouse(known)
    if is_other and "without_orthologue" not in report:
        logger.warning(
            f"{source}: symbols spelled as those of mouse ({list_names(names)}) were joined to the "
            f"vocabulary by upper case, {report['joined_by_upper_case']:,} of them; that takes "
            "genes of one name for orthologues, which most are and some are not. Give a table of "
            "orthologues."
        )
