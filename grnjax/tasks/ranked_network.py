"""A ranked network: its edges, what is known of their quality, and its forms in other tools."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.data.pair_scores import look_up_pairs
from grnjax.data.regulon_choice import RegulonChoice, choose_regulons
from grnjax.data.regulon_set import Regulons
from grnjax.evaluation.network_html import draw_table
from grnjax.evaluation.trust import HELD_OUT, KNOWN, compare_rows
from grnjax.storage.files import to_plain
from grnjax.types import Fold, GeneTable, LabelledPairs


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class RankedNetwork:
    """Edges, best first, and what is known of their quality."""

    method: str
    genes: GeneTable
    edges: pd.DataFrame  # tf, target, importance; the others: `edge_table.rank_candidates`
    rows: list[dict]  # known edges against unlabelled pairs in each fold, beside trivial rows
    calibration: dict = dataclasses.field(default_factory=dict)
    candidates: LabelledPairs | None = None  # None for a method that learns from no known edge
    scores: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    """Out-of-fold scores [candidate] of the method and the trivial ones."""
    folds: Sequence[Fold] = ()
    evidence: dict[str, dict] = dataclasses.field(default_factory=dict)  # taken from each source
    overlap: list[dict] = dataclasses.field(default_factory=list)
    """Of its labels with those of other networks, by TF (`check_leaks`)."""
    worth: list[dict] = dataclasses.field(default_factory=list)
    """What each source of evidence adds, by fold; read from a run folder, in the mean of folds."""
    tables: dict[str, pd.DataFrame] = dataclasses.field(default_factory=dict)
    """What else the method found, such as regulons (`Scorer.tables`)."""
    every_score: pd.DataFrame | None = None
    """Scores [tf, gene] of all pairs, where the edges are the best of them alone."""
    report: dict = dataclasses.field(default_factory=dict)
    """What the method counted and dropped (`Scorer.report`)."""
    about: dict = dataclasses.field(default_factory=dict)
    """Of a network read from a run folder: settings, versions, and digests of what was read."""
    folder: Path | None = None
    """The run folder that it was read from."""

    adata: Any = None
    """With copy=True, the copy of the cells that holds the network (`grnjax.infer`)."""

    def __repr__(self) -> str:
        best = self.edges[["tf", "target", "importance"]].head().to_string(index=False)
        return "\n".join([self._title, *self._lines, "", best, "..."])

    def _repr_html_(self) -> str:
        return draw_table(self.edges, self._title, self._lines)

    @property
    def _title(self) -> str:
        return f"Ranked network by {self.method}"

    @property
    def _lines(self) -> list[str]:
        """How large it is, and how far to trust it."""
        tfs, targets = self.edges["tf"].nunique(), self.edges["target"].nunique()
        size = f"{len(self.edges):,} edges of {tfs:,} TFs and {targets:,} targets"
        what = HELD_OUT if self.calibration else KNOWN
        trust = compare_rows(self.rows, self.method, what) if self.rows else None
        return [size] + ([trust.sentence] if trust else [])

    def score(self, pairs: Iterable[tuple[str, str]]) -> pd.DataFrame:
        """How likely these pairs are, also those that the table of edges leaves out.

        Args:
            pairs: (TF, target) each; TFs and genes of the run.

        Returns:
            A row a pair, in their order: tf, target, importance, probability and what else the
            edges tell, and whether the pair is `listed` among them.

        Raises:
            GeneMismatchError: a name is no TF, or no gene, of the run.
        """
        return look_up_pairs(
            pairs,
            self.edges,
            self.genes,
            every_score=self.every_score,
            calibration=self.calibration,
        )

    def regulons(
        self,
        *,
        probability: float | None = None,
        min_targets: int = 10,
        top: int | None = None,
        keep_known: bool = False,
        signs: Literal["split", "ignore"] = "split",
    ) -> Regulons:
        """The confident targets of each TF, as `grnjax regulons` writes them.

        Args:
            probability: least probability of an edge; by default .5 where there are any.
            min_targets: that a regulon must have.
            top: best targets of a TF at most; by default 50 where there are no probabilities.
            keep_known: takes known edges of a lower probability, too.
            signs: whether targets of either sign are two regulons, TF(+) and TF(-).

        Returns:
            Regulons, which `grnjax.activity` takes and `.write("regulons.gmt")` writes.

        Raises:
            ConfigError: no regulon is left, or the network has no probabilities to cut at.
        """
        choice = RegulonChoice(
            probability=probability,
            min_targets=min_targets,
            top=top,
            keep_known=keep_known,
            signs=signs,
        )
        return choose_regulons(self.edges, choice)

    def to_anndata(self, adata: Any = None, *, about: Mapping[str, Any] | None = None):
        """The network as AnnData: `.varp['grn']` holds the importance of [tf, target].

        Where the edges have probabilities, `.varp['grn_probability']` holds them; `.var` says
        which genes are TFs and which were measured.

        Args:
            adata: of the same genes, by name, whose copy gets the network; by default a table of
                genes without cells.
            about: metadata for `.uns['grn']`.

        Returns:
            A new AnnData object.

        Raises:
            ConfigError: `adata` lacks genes of the edges.
        """
        return add_network(adata, self.edges, self.genes, about or {"method": self.method})


def add_network(adata: Any, edges: pd.DataFrame, genes: GeneTable, about: Mapping[str, Any]):
    """The edges in AnnData, as `RankedNetwork.to_anndata` says."""
    import anndata

    from grnjax.errors import ConfigError

    if adata is None:
        var = pd.DataFrame(
            {"is_tf": genes.is_tf, "measured": genes.measured}, index=genes.names.astype(object)
        )
        table = anndata.AnnData(np.zeros((0, len(var)), np.float32), var=var)
    else:
        table = adata.copy()
        used = pd.unique(edges[["tf", "target"]].to_numpy().ravel())
        missing = pd.Index(used).difference(table.var_names)
        if len(missing):
            raise ConfigError(
                f"{len(missing):,} of {len(used):,} genes of the network are not in .var_names "
                f"({', '.join(missing[:5])}, ...); give the AnnData whose genes were ranked."
            )
        table.var["is_tf"] = table.var_names.isin(genes.names[genes.is_tf])
        table.var["measured"] = table.var_names.isin(genes.names[genes.measured])
    place = pd.Series(np.arange(table.n_vars), index=table.var_names)
    at = place[edges["tf"]].to_numpy(), place[edges["target"]].to_numpy()
    shape = (table.n_vars, table.n_vars)
    for key, column in (("grn", "importance"), ("grn_probability", "probability")):
        if column in edges:
            values = edges[column].to_numpy(np.float32)
            table.varp[key] = sparse.csr_matrix((values, at), shape=shape)
    table.uns["grn"] = {
        key: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        for key, value in to_plain(dict(about)).items()
    }
    return table
