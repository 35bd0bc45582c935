"""The peer of the training bench: scRegNet in PyTorch Geometric, written plainly and well.

The published model and schedule (Kommu et al. 2025): GCN layers with cached normalisation, frozen
embedding joined, one MLP for TF and target, two-class linear head; the whole graph is encoded for
every batch of pairs. Tensors are made once and batches are rows of them, which is quicker than the
authors' data set, that builds each item again.
"""

import os
import time

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import nn
from torch_geometric.nn import GCNConv

from experiments.bench.line import Run, peak_mib
from experiments.scregnet.published_settings import PublishedRun
from grnjax.types import LabelledPairs

OPTIMIZERS = {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop, "sgd": torch.optim.SGD}


class SparseProduct(nn.Module):
    """A GCN layer by torch's own sparse matrix product, with the normalised matrix given."""

    def __init__(self, width: int, width_out: int):
        super().__init__()
        self.linear = nn.Linear(width, width_out, bias=False)
        self.bias = nn.Parameter(torch.zeros(width_out))

    def forward(self, x: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
        """The layer's output, before its activation."""
        return matrix @ self.linear(x) + self.bias


class PeerScRegNet(nn.Module):
    """The published model; `form` is how neighbours are summed."""

    def __init__(self, cells: int, embedding: int, run: PublishedRun, form: str):
        super().__init__()
        widths = (cells, *run.gcn_widths)
        if form == "scatter":
            layers = [GCNConv(a, b, cached=True) for a, b in zip(widths, widths[1:])]
        else:
            layers = [SparseProduct(a, b) for a, b in zip(widths, widths[1:])]
        self.gcn = nn.ModuleList(layers)
        joined = (embedding + widths[-1], *run.mlp_widths)
        self.mlp = nn.ModuleList(nn.Linear(a, b) for a, b in zip(joined, joined[1:]))
        self.head = nn.Linear(2 * joined[-1], 2)
        self.dropout = nn.Dropout(run.dropout)

    def forward(
        self, x: torch.Tensor, edges: torch.Tensor, embedding: torch.Tensor, pairs: torch.Tensor
    ) -> torch.Tensor:
        """Two-class logits of the pairs [pair, 2]."""
        for layer in self.gcn[:-1]:
            x = self.dropout(torch.relu(layer(x, edges)))
        x = torch.cat([embedding, self.gcn[-1](x, edges)], dim=1)
        sides = [self.describe(x[pairs[:, side]]) for side in (0, 1)]
        return self.head(torch.cat(sides, dim=1))

    def describe(self, x: torch.Tensor) -> torch.Tensor:
        """The MLP of some genes."""
        for place, layer in enumerate(self.mlp):
            x = nn.functional.leaky_relu(layer(x), 0.01)
            x = self.dropout(x) if place < len(self.mlp) - 1 else x
        return x


def train_peer(
    nodes: np.ndarray,
    embedding: np.ndarray,
    train: LabelledPairs,
    validation: LabelledPairs,
    run: PublishedRun,
    *,
    form: str = "scatter",
    epochs: int,
    evaluate_every: int,
    most_seconds: float,
    device: str = "cpu",
    seed: int = 0,
) -> Run:
    """Trains by the published schedule until an epoch or time limit.

    Args:
        nodes: standardised expression [gene, cell].
        embedding: frozen vectors [gene, dim]; of width 0 for none.
        form: "scatter" (PyTorch Geometric's GCNConv) or "csr" (torch's sparse product).
    """
    torch.set_num_threads(os.cpu_count())
    torch.manual_seed(seed)
    known = torch.tensor(train.positives.T.astype(np.int64), device=device)
    edges = torch.cat([known, known.flip(0)], dim=1).unique(dim=1)
    if form == "csr":
        edges = normalised_matrix(edges, len(nodes))
    x = torch.tensor(nodes, device=device)
    frozen = torch.tensor(embedding, device=device)
    pairs = torch.tensor(train.pairs.astype(np.int64), device=device)
    labels = torch.tensor(train.labels.astype(np.int64), device=device)
    judged = torch.tensor(validation.pairs.astype(np.int64), device=device)
    model = PeerScRegNet(nodes.shape[1], embedding.shape[1], run, form).to(device)
    rates = {"lr": run.learning_rate, "weight_decay": run.weight_decay}
    optimizer = OPTIMIZERS[run.optimizer](model.parameters(), **rates)
    seconds, curve, begun = [], [], time.perf_counter()
    for epoch in range(1, epochs + 1):
        start = time.perf_counter()
        model.train()
        for index in torch.randperm(len(pairs), device=device).split(run.batch_size):
            optimizer.zero_grad()
            logits = model(x, edges, frozen, pairs[index])
            nn.functional.cross_entropy(logits, labels[index]).backward()
            optimizer.step()
        if device != "cpu":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
        if epoch % evaluate_every == 0:
            model.eval()
            with torch.no_grad():
                scores = model(x, edges, frozen, judged).softmax(dim=1)[:, 1].cpu().numpy()
            precision = average_precision_score(validation.labels, scores)
            curve.append((time.perf_counter() - begun, float(precision)))
        if time.perf_counter() - begun > most_seconds:
            break
    return Run(seconds, curve, peak_mib())


def normalised_matrix(edges: torch.Tensor, genes: int) -> torch.Tensor:
    """D^-1/2 (A + I) D^-1/2 as a sparse CSR matrix."""
    loops = torch.arange(genes, device=edges.device).repeat(2, 1)
    edges = torch.cat([edges, loops], dim=1)
    degree = torch.bincount(edges[1], minlength=genes).to(torch.float32)
    values = (degree[edges[0]] * degree[edges[1]]).rsqrt()
    matrix = torch.sparse_coo_tensor(edges.flip(0), values, (genes, genes))
    return matrix.to_sparse_csr()
