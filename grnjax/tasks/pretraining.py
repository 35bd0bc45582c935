"""GRNFormer fitted to the cells of one data set with their networks, judged on held-out cells.

What counts is the mean squared error of values that were hidden in cells no step was taken on,
beside two rows that need no model: the mean of each gene, and that of the gene in the cell's type.
"""

import dataclasses
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float
from scipy import sparse

from grnjax.config import Positive, Settings, Share
from grnjax.data.names import list_names
from grnjax.errors import GeneMismatchError
from grnjax.foundation.backbones import find_rows, start_backbone
from grnjax.foundation.convert import LoadedModel
from grnjax.graphs.activity import AUCellConfig, count_top, order_ties
from grnjax.graphs.cell_networks import CellNetworks
from grnjax.graphs.sampling import build_regulon_graph
from grnjax.progress import logger
from grnjax.tasks.held_out import hold_out_cells
from grnjax.training.freezing import count_frozen, thaw
from grnjax.training.keeper import FitResult
from grnjax.training.loop import make_trainer
from grnjax.training.masked_expression import (
    CellData,
    HeldOutCells,
    MaskedObjective,
    MaskedTrainingConfig,
    ShownNetworks,
    count_shown,
    draw_masks,
)
from grnjax.training.recorder import FitRecorder
from grnjax.training.warm_start import count_taken

CELLS_AT_ONCE = 256
PRIOR_CELLS = 5  # of the gene's mean, in the mean of a gene in a cell type


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainingConfig(Settings):
    """How a model is fitted to cells with networks, and what it is judged on."""

    training: MaskedTrainingConfig = MaskedTrainingConfig()
    tokens: Positive = 1200
    """Genes that the model sees: TFs of the networks, then targets, then the most variable."""
    validation_share: Share = 0.1
    """Share of the cells that choose the epoch."""
    test_share: Share = 0.2
    """Share of the cells that the fitted model is judged on."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pretrained:
    """A fitted model and how well it predicts hidden values."""

    genes: np.ndarray  # [token] str
    objective: MaskedObjective
    data: CellData
    test: HeldOutCells
    result: FitResult
    rows: list[dict]  # model, masked_loss, and explained: the share below the gene mean's loss
    report: dict


def pretrain(
    expression: Float[np.ndarray, "cell gene"] | sparse.csr_matrix,
    genes: np.ndarray,
    networks: CellNetworks,
    config: PretrainingConfig,
    *,
    seed: int,
    folder: Path | None = None,
    mesh: Mesh | None = None,
    start: LoadedModel | None = None,
) -> Pretrained:
    """The model fitted to most of the cells, and its loss on the others.

    Args:
        expression: on a log scale, 0 where a gene was not detected.
        genes: the name of each column.
        networks: of the same cells in the same order.
        folder: run folder for checkpoints and metrics; the fit resumes from it.
        start: a foundation model that becomes the backbone, with its parameters; genes that it
            does not have are no tokens.

    Raises:
        ConfigError: too few cells, or what the foundation model lacks.
        GeneMismatchError: no edge joins two of the genes.
        NonFiniteError: an update was not finite; the last good state is in the folder.
    """
    with FitRecorder(folder, 1, config.training.epochs, "pretraining") as recorder:
        return fit_cells(
            recorder,
            "masked",
            expression,
            genes,
            networks,
            config,
            seed=seed,
            mesh=mesh,
            start=start,
        )


def fit_cells(
    recorder: FitRecorder,
    name: str,
    expression: Float[np.ndarray, "cell gene"] | sparse.csr_matrix,
    genes: np.ndarray,
    networks: CellNetworks,
    config: PretrainingConfig,
    *,
    seed: int,
    mesh: Mesh | None,
    start: LoadedModel | None = None,
) -> Pretrained:
    """What `pretrain` does, as one of the fits of a run."""
    rows, matched = None, {}
    if start is not None:
        rows, matched["genes_of_the_model"] = find_rows(start, genes.tolist(), source="the cells")
    is_known = True if rows is None else rows >= 0
    tokens, report = choose_tokens(expression, genes, networks, config.tokens, is_known)
    variables = None
    if start is not None:
        backbone, variables = start_backbone(start, rows[tokens])
        model = dataclasses.replace(config.training.model, backbone=backbone)
        training = dataclasses.replace(config.training, model=model)
        config = dataclasses.replace(config, training=training)
    data, test = build_cell_data(expression, genes, tokens, networks, config, seed)
    steps = -(-len(data.train) // config.training.batch_size)
    cut = 0 if data.shown is None else count_top(len(genes), AUCellConfig())
    objective = MaskedObjective(config.training, steps, count_most_edges(data), cut)
    data = data._replace(start=variables)
    result = recorder.fit(make_trainer(objective, mesh), data, name=name, seed=seed)
    report |= matched | {"parameters": count_frozen(result.variables)}
    if variables is not None:
        report["start"] = count_taken(thaw(result.variables), variables)
    result = dataclasses.replace(result, variables=thaw(result.variables))
    data = data._replace(start=None)  # no longer needed
    rows = judge(objective, result, data, test)
    return Pretrained(genes[tokens], objective, data, test, result, rows, report)


def count_most_edges(data: CellData) -> int:
    """Edges between tokens of the largest network; all where networks are computed at each step."""
    sizes = np.bincount(data.graph.regulon, minlength=data.active.shape[1])
    if data.shown is not None:
        return int(sizes.sum())
    return int(max((np.asarray(of) @ sizes).max() for of in (data.active, data.type_active)))


def choose_tokens(
    expression,
    genes: np.ndarray,
    networks: CellNetworks,
    most: int,
    is_known: Bool[np.ndarray, " gene"] | Literal[True] = True,
):
    """The columns that become tokens, ascending, and what is left out.

    Genes that no cell has, or that are not known, are none. TFs of the networks come first, as few
    as their counts often are, then targets, then other genes, of each kind those of the highest
    variance; equal ones by name.
    """
    mean = np.asarray(expression.mean(axis=0)).ravel()
    square = expression.multiply(expression) if sparse.issparse(expression) else expression**2
    variance = np.asarray(square.mean(axis=0)).ravel() - mean**2
    ends = np.unique(networks.edges[["tf", "target"]].to_numpy(str))
    has_edge, is_tf = np.isin(genes, ends), np.isin(genes, networks.edges["tf"].to_numpy(str))
    order = np.lexsort((genes, -variance.round(9), ~has_edge, ~is_tf))
    tokens = np.sort(order[((mean > 0) & is_known)[order]][:most])
    in_tokens = networks.edges[["tf", "target"]].isin(set(genes[tokens])).all(axis=1)
    report = {
        "genes": len(genes),
        "genes_without_expression": int((mean <= 0).sum()),
        "tokens": len(tokens),
        "tokens_with_edges": int(has_edge[tokens].sum()),
        "edges": len(networks.edges),
        "edges_between_tokens": int(in_tokens.sum()),
    }
    if not in_tokens.any():
        raise GeneMismatchError(
            f"none of {len(networks.edges):,} edges ({list_names(ends)}) joins two of the "
            f"{len(tokens):,} expressed genes ({list_names(genes[tokens])}). Give networks of the "
            "same gene names."
        )
    lost = len(networks.edges) - int(in_tokens.sum())
    if lost:
        logger.warning(
            f"{lost:,} of {len(networks.edges):,} edges are left out: a TF or target of theirs is "
            f"not expressed or not among the {len(tokens):,} tokens"
        )
    return tokens, report


def build_cell_data(
    expression, genes: np.ndarray, tokens, networks: CellNetworks, config, seed: int
) -> tuple[CellData, HeldOutCells]:
    """The arrays of a fit, and the cells that it is judged on; cells are assigned by the seed."""
    values = expression[:, tokens]
    values = np.asarray(values.toarray() if sparse.issparse(values) else values, np.float32)
    place = {name: i for i, name in enumerate(genes[tokens])}
    edges = networks.edges
    edges = edges[edges[["tf", "target"]].isin(place.keys()).all(axis=1)]
    ends = np.stack([edges[end].map(place).to_numpy(np.int32) for end in ("tf", "target")], axis=1)
    graph = build_regulon_graph(ends, edges["regulon"].to_numpy(), len(tokens))

    shares = config.test_share, config.validation_share
    test, validation, train = map(np.int32, hold_out_cells(len(values), *shares, seed=seed))
    keys = jax.random.split(jax.random.key(seed), 2)

    def hide(cells, key):
        cells = jnp.asarray(np.sort(cells))
        return HeldOutCells(cells, draw_masks(jnp.asarray(values)[cells], config.training, key))

    data = CellData(
        expression=jnp.asarray(values),
        active=jnp.asarray(networks.active),
        type_active=jnp.asarray(networks.type_active),
        cell_type=jnp.asarray(networks.cell_type, jnp.int32),
        graph=jax.tree.map(jnp.asarray, graph),
        is_tf=jnp.asarray(np.isin(np.arange(len(tokens)), ends[:, 0])),
        keys=jnp.asarray(np.unique(ends), jnp.int32),
        train=jnp.asarray(np.sort(train)),
        validation=hide(validation, keys[0]),
    )
    if config.training.networks_from == "shown":
        data = data._replace(shown=show_networks(expression, genes, tokens, networks, data, config))
    return data, hide(test, keys[1])


def show_networks(
    expression, genes: np.ndarray, tokens, networks: CellNetworks, data: CellData, config
) -> ShownNetworks:
    """What networks of shown values are computed from.

    Hiding values lowers activity. A regulon is active above the threshold at which it is so in as
    many train cells, their values hidden once, as by all of their expression.
    """
    order = np.argsort(order_ties(genes, 0))
    values = expression[:, order]
    values = np.asarray(values.toarray() if sparse.issparse(values) else values, np.float32)
    row = {name: i for i, name in enumerate(genes[order])}
    targets = networks.edges["target"].map(row)
    members = np.zeros((len(genes), networks.active.shape[1]), np.float32)
    found = targets.notna().to_numpy()
    members[targets[found].astype(int), networks.edges["regulon"][found]] = 1
    shown = ShownNetworks(
        values=jnp.asarray(values),
        place=jnp.asarray([row[name] for name in genes[tokens]], jnp.int32),
        members=jnp.asarray(members),
        thresholds=jnp.zeros(members.shape[1]),
    )
    is_masked = draw_masks(data.expression, config.training, jax.random.key(0))
    cut = count_top(len(genes), AUCellConfig())
    hits = [
        np.asarray(count_shown(shown, cells, is_masked[cells], cut))
        for cells in np.array_split(np.asarray(data.train), -(-len(data.train) // CELLS_AT_ONCE))
    ]
    hits, active = np.sort(np.concatenate(hits), axis=0), networks.active[np.asarray(data.train)]
    inactive = np.maximum(len(active) - active.sum(axis=0), 1)
    thresholds = hits[inactive - 1, np.arange(hits.shape[1])]
    return shown._replace(thresholds=jnp.asarray(thresholds))


def judge(
    objective: MaskedObjective, result: FitResult, data: CellData, test: HeldOutCells
) -> list[dict]:
    """The loss on hidden values of test cells: the model's, and those of two rows without one."""
    values = np.asarray(data.expression, np.float64)
    is_masked = np.asarray(test.is_masked)
    errors = np.asarray(jax.jit(objective.judge)(result.variables, data, test))
    gene, by_type = predict_by_means(values, data, objective.config)
    true, types = values[test.cells], np.asarray(data.cell_type)[test.cells]
    losses = {
        "GRNFormer": errors[is_masked].mean(dtype=np.float64),
        "gene mean": ((true - gene) ** 2)[is_masked].mean(),
        "gene mean in type": ((true - by_type[types]) ** 2)[is_masked].mean(),
    }
    base = losses["gene mean"]
    return [
        {"model": model, "masked_loss": float(loss), "explained": float(1 - loss / base)}
        for model, loss in losses.items()
    ]


def predict_by_means(values: np.ndarray, data: CellData, config: MaskedTrainingConfig):
    """What a hidden value is on average: of each gene, and of each gene in each cell type.

    Detected values are hidden more often than others, and count by that.
    """
    train, types = np.asarray(data.train), np.asarray(data.cell_type)
    chance = np.where(values > 0, config.masked_share, config.masked_zeros)
    total, weight = chance * values, chance
    gene = total[train].sum(axis=0) / weight[train].sum(axis=0)
    prior = PRIOR_CELLS * weight[train].mean(axis=0)
    by_type = np.stack(
        [
            (total[of].sum(axis=0) + prior * gene) / (weight[of].sum(axis=0) + prior)
            for of in (train[types[train] == t] for t in range(len(data.type_active)))
        ]
    )
    return gene, by_type


def measure_attention(
    objective: MaskedObjective, data: CellData, test: HeldOutCells, variables
) -> dict:
    """How much attention of the adapter TFs receive beside other genes, on the test cells.

    The mean over cells, heads and queries for a TF, over that for any other gene; 1 is no
    preference (GRNFormer reports 2.011). Hubs may attract attention by the norm of their vectors
    alone, so it is to be held against other variables, untrained ones for one.

    Args:
        variables: of the whole model.
    """
    model, size = objective.make_model(data), objective.config.batch_size

    @jax.jit
    def run(variables, data, cells, is_masked):
        shown = objective.show(data, cells, is_masked, jax.random.key(0), train=False)
        _, found = model.apply(variables, shown, train=False, mutable=["intermediates"])
        return found["intermediates"]["adapter"]["attention"][0]

    starts = range(0, len(test.cells), size)
    parts = [slice(first, first + size) for first in starts]
    received = [run(variables, data, test.cells[part], test.is_masked[part]) for part in parts]
    received = np.concatenate(received)
    is_tf = np.asarray(data.is_tf)
    if objective.config.model.adapter.keys == "regulated":
        is_tf, received = is_tf[np.asarray(data.keys)], received[:, :-1]
    tf, other = received[:, is_tf].mean(), received[:, ~is_tf].mean()
    return {"tf": float(tf), "other": float(other), "ratio": float(tf / other)}
