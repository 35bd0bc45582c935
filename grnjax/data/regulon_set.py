"""Regulons: named sets of targets of a TF, as one table of edges, and as a matrix for AUCell."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.data.names import NameMatch, match_names
from grnjax.data.regulon_output import Form, write_regulon_file

COLUMNS = ["tf", "target", "regulon", "weight", "sign"]


@dataclasses.dataclass(frozen=True, eq=False)
class Regulons:
    """Regulons by name, and the one table of the edges of all of them.

    The network of a cell in which the regulons `active` [regulon] are on, or of a cell type, is
    `edges[active[edges["regulon"]]]`: all edges of the regulons that are on and no others. Of many
    cells at once, `active[:, edges["regulon"]]` [cell, edge] says who has which edge.
    """

    names: np.ndarray  # [regulon] str, sorted, unique
    edges: pd.DataFrame
    """A row a regulon and target, sorted so: tf, target (names), regulon (its place in `names`),
    weight, sign (+1, -1, or 0 where it is unknown) and, from eRegulons, region: the enhancers,
    best first, with semicolons between them. A set without a TF has its own name in its place."""
    report: dict = dataclasses.field(default_factory=dict)  # of what was read and left out

    @classmethod
    def of(cls, edges: pd.DataFrame, report: dict | None = None) -> "Regulons":
        """Those of a table with columns regulon (a name), tf and target, each pair once.

        Args:
            edges: perhaps also weight (1 by default), sign (0 by default) and region.
        """
        names, place = np.unique(edges["regulon"].to_numpy(str), return_inverse=True)
        table = edges.assign(regulon=place.astype(np.int32))
        for column, default in (("weight", 1.0), ("sign", 0)):
            table = table if column in table else table.assign(**{column: default})
        table = table.astype({"weight": np.float32, "sign": np.int8})
        table = table.sort_values(["regulon", "target"], kind="stable", ignore_index=True)
        return cls(names, table[COLUMNS + ["region"] * ("region" in table)], report or {})

    @property
    def tfs(self) -> np.ndarray:
        """The TF of each regulon, [regulon] str."""
        return self.edges.drop_duplicates("regulon")["tf"].to_numpy(str)

    @property
    def sizes(self) -> np.ndarray:
        """Targets of each regulon, [regulon]."""
        return np.bincount(self.edges["regulon"], minlength=len(self.names))

    def take(self, keep: np.ndarray) -> "Regulons":
        """Those of a mask [regulon]."""
        return Regulons.of(self.named_edges[keep[self.edges["regulon"]]], self.report)

    @property
    def named_edges(self) -> pd.DataFrame:
        """The edges with the name of the regulon in the place of its number."""
        return self.edges.assign(regulon=self.names[self.edges["regulon"]])

    def write(self, path: str | Path, form: Form | None = None) -> None:
        """Writes them for other programs: GMT, JSON, pySCENIC's table, or decoupler's network.

        Args:
            form: gmt, json, pyscenic or decoupler; by default that of the end of the name: .gmt,
                .json, .csv or .tsv (`data/regulon_output.py`).
        """
        write_regulon_file(self.named_edges, path, form)

    def place_targets(self, genes: np.ndarray) -> tuple[sparse.csr_array, NameMatch]:
        """The absolute weights [gene, regulon], and how the names of targets were found.

        Two targets of a regulon that are one gene count once, by the larger weight; where all
        weights of a table are 0, nothing says how far one goes before another, and each is 1.

        Args:
            genes: [gene] str, unique.
        """
        targets = np.unique(self.edges["target"].to_numpy(str))
        match = match_names(targets.tolist(), genes.tolist())
        gene = match.positions[np.searchsorted(targets, self.edges["target"].to_numpy(str))]
        weight = self.edges["weight"].abs()
        weight = np.ones(len(weight)) if not weight.any() else np.maximum(weight, 1e-12)
        table = pd.DataFrame({"gene": gene, "regulon": self.edges["regulon"], "weight": weight})
        table = table[gene >= 0].groupby(["gene", "regulon"], as_index=False)["weight"].max()
        shape = (len(genes), len(self.names))
        at = table["gene"].to_numpy(), table["regulon"].to_numpy()
        return sparse.csr_array((table["weight"].to_numpy(np.float64), at), shape=shape), match
