"""Cells in which genes were perturbed, in the form of GEARS and those of published collections.

GEARS (Roohani et al. 2024, Nature Biotechnology 42:927) keeps the perturbation of a cell in
`obs.condition`: `ctrl`, `A+ctrl` for one gene, `A+B` for two. Other published files have it in
`obs.perturbation` (`control`, `A`, `A_B`; Norman, Dixit and Adamson as collections hold them) or
in `obs.gene` (`non-targeting`, `A`; Replogle). All become the first form, genes of two in the order
of their names.
"""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from grnjax.data.annotated import read_annotated
from grnjax.data.cells import read_cells, to_log_scale
from grnjax.data.expression import DataConfig
from grnjax.data.names import count_names, list_names, match_names
from grnjax.data.tables import to_dense
from grnjax.errors import ExpressionFormatError
from grnjax.progress import logger

CONTROL = "ctrl"
COLUMNS = ("condition", "perturbation", "gene")
CONTROLS = {"ctrl", "control", "non-targeting", "nontargeting", "unperturbed"}
NOTHING = {"", "nan", "none", "na"}
BEFORE, CELL_TYPE = "before", "cell_type"


@dataclasses.dataclass(frozen=True, eq=False)
class PerturbedCells:
    """Cells with the genes that were perturbed in each."""

    expression: Float[np.ndarray, "cell gene"]  # float32, log scale
    genes: np.ndarray  # [gene] str
    conditions: np.ndarray  # [cell] str: ctrl, A+ctrl or A+B
    before: Int[np.ndarray, " cell"]  # the control cell that each is paired with; its own for those
    report: dict

    @property
    def controls(self) -> Int[np.ndarray, " control"]:
        """Places of the cells in which nothing was perturbed."""
        return np.flatnonzero(self.conditions == CONTROL)


@dataclasses.dataclass(frozen=True, eq=False)
class Profiles:
    """The mean of each condition's cells, less the mean of the controls."""

    conditions: list[str]  # sorted, without the control
    changes: Float[np.ndarray, "condition gene"]
    cells: Int[np.ndarray, " condition"]
    control: Float[np.ndarray, " gene"]
    genes: np.ndarray  # [gene] str


def list_perturbed(condition: str) -> tuple[str, ...]:
    """The genes of a condition in the form of GEARS: none of the control."""
    return tuple(gene for gene in condition.split("+") if gene != CONTROL)


def name_condition(text: str, genes: set[str]) -> str | None:
    """A condition in the form of GEARS; None where a cell has none.

    `A_B` are two genes unless one gene of the data is called so.
    """
    text = text.strip()
    if text.lower() in NOTHING:
        return None
    if text.lower() in CONTROLS:
        return CONTROL
    parts = text.split("+")
    if len(parts) == 1 and text not in genes and "_" in text:
        parts = text.split("_")
    parts = sorted(x for x in map(str.strip, parts) if x and x.lower() not in CONTROLS)
    if not parts:
        return CONTROL
    return "+".join(parts if len(parts) > 1 else [*parts, CONTROL])


def read_perturbed(source: str | Path, *, seed: int = 0, least: int = 1) -> PerturbedCells:
    """The cells of an .h5ad file, counts on a log scale of 10,000 a cell, each with a control.

    A cell is paired with the control that `obs.before` names, else with one of its `obs.cell_type`,
    drawn once. Cells of no condition, of more than two genes and of conditions of fewer than
    `least` cells are left out and counted.

    Raises:
        ExpressionFormatError: no column of conditions, no control or nothing perturbed.
    """
    adata = read_annotated(source, ExpressionFormatError)
    columns = [name for name in COLUMNS if name in adata.obs]
    if not columns:
        raise ExpressionFormatError(
            f"{source}: .obs has {list_names(adata.obs)} and no column condition with ctrl, A+ctrl "
            "or A+B a cell (nor perturbation, nor gene), so nothing says what was perturbed."
        )
    names = {*map(str, adata.var_names)}
    names |= {*map(str, adata.var.get("gene_name", ()))}
    told = adata.obs[columns[0]].astype(str).tolist()
    of_text = {text: name_condition(text, names) for text in dict.fromkeys(told)}
    conditions = np.array([of_text[text] or "" for text in told])
    wanted = {gene for text in of_text.values() if text for gene in list_perturbed(text)}
    cells = to_log_scale(read_cells(adata, DataConfig(), wanted, name=str(source)), DataConfig())
    values = to_dense(cells.values).astype(np.float32)
    before, obs = None, adata.obs
    if BEFORE in obs:
        before = obs.index.get_indexer(obs[BEFORE].astype(str))
    types = obs[CELL_TYPE].astype(str).to_numpy() if CELL_TYPE in obs else None
    perturbed = PerturbedCells(values, cells.genes, conditions, np.zeros(0, int), cells.report)
    return pair_cells(perturbed, str(source), before=before, types=types, seed=seed, least=least)


def pair_cells(
    cells: PerturbedCells,
    source: str,
    *,
    before: np.ndarray | None = None,
    types: np.ndarray | None = None,
    seed: int = 0,
    least: int = 1,
) -> PerturbedCells:
    """The cells that can be used, each with a control; genes of conditions spelled as measured.

    Args:
        before: the control of each cell where it is known, -1 for none.
        types: of the cells; a control is drawn from the same type where that has one.
    """
    conditions = respell(cells.conditions, cells.genes)
    if not (conditions == CONTROL).any():
        raise ExpressionFormatError(
            f"{source}: none of its {len(conditions):,} cells is a control (ctrl), so no change "
            "can be told; keep the unperturbed cells in the file."
        )
    kinds, counts = np.unique(conditions, return_counts=True)
    many = {x for x in kinds if len(list_perturbed(x)) > 2}
    few = {x for x, n in zip(kinds, counts, strict=True) if n < least} - {CONTROL}
    keep = ~np.isin(conditions, [*many, *few, ""])
    report = {**cells.report, "without_condition": int((conditions == "").sum())}
    report |= {"more_than_two_genes": count_names(many), "too_few_cells": count_names(few - many)}
    if not (keep & (conditions != CONTROL)).any():
        raise ExpressionFormatError(
            f"{source}: all {keep.sum():,} cells that can be used are controls, so nothing was "
            "perturbed; give cells of other conditions too."
        )
    if not keep.all():
        logger.warning(
            f"{source}: {(~keep).sum():,} of {len(keep):,} cells left out: "
            f"{report['without_condition']:,} have no condition, {len(many):,} conditions more "
            f"than two genes, {len(few - many):,} fewer than {least} cells"
        )
    place = np.where(keep, np.cumsum(keep) - 1, -1)
    conditions, is_control = conditions[keep], (conditions == CONTROL)[keep]
    before = np.full(len(keep), -1) if before is None else np.asarray(before)
    before = np.where(before >= 0, place[before], -1)[keep]
    types = np.zeros(len(conditions), int) if types is None else np.asarray(types)[keep]
    rng, controls = np.random.default_rng([seed, 3]), np.flatnonzero(is_control)
    of_type = {kind: controls[types[controls] == kind] for kind in np.unique(types)}
    alone = [str(kind) for kind, own in of_type.items() if not len(own)]
    if alone:
        logger.warning(
            f"{source}: no control among the cells of {list_names(alone)}; theirs are drawn from "
            "all"
        )
    for kind, own in of_type.items():
        lonely = np.flatnonzero((types == kind) & (before < 0))
        before[lonely] = rng.choice(own if len(own) else controls, len(lonely))
    before[controls] = controls
    measured = {*cells.genes.tolist()}
    absent = {x for c in np.unique(conditions) for x in list_perturbed(c)} - measured
    report |= {"controls": len(controls), "perturbed": int((~is_control).sum())}
    report |= {"conditions": len(np.unique(conditions)) - 1, "not_measured": count_names(absent)}
    if absent:
        logger.warning(
            f"{source}: {len(absent):,} perturbed genes are not measured: {list_names(absent)}"
        )
    return PerturbedCells(cells.expression[keep], cells.genes, conditions, before, report)


def respell(conditions: np.ndarray, genes: np.ndarray) -> np.ndarray:
    """The conditions with their genes as the expression spells them."""
    kinds = np.unique(conditions)
    named = sorted({gene for kind in kinds for gene in list_perturbed(kind)} - {""})
    found = match_names(named, genes.tolist()).positions
    spelled = {n: (genes[at] if at >= 0 else n) for n, at in zip(named, found, strict=True)}
    texts = {}
    for kind in kinds:
        parts = sorted(str(spelled[gene]) for gene in list_perturbed(kind) if gene)
        texts[kind] = name_condition("+".join(parts), {*parts}) if parts else kind
    return np.array([texts[kind] for kind in conditions])


def average_conditions(cells: PerturbedCells) -> Profiles:
    """The mean change of every condition against the mean of all controls, on the log scale."""
    conditions, of_cell = np.unique(cells.conditions, return_inverse=True)
    counts = np.bincount(of_cell)
    totals = np.zeros((len(conditions), len(cells.genes)))
    for row in range(len(conditions)):
        totals[row] = cells.expression[of_cell == row].mean(axis=0, dtype=np.float64)
    is_control = conditions == CONTROL
    control = totals[is_control][0]
    changes = (totals[~is_control] - control).astype(np.float32)
    names = [str(x) for x in conditions[~is_control]]
    return Profiles(names, changes, counts[~is_control], control.astype(np.float32), cells.genes)
