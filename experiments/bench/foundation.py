"""Geneformer on a CPU in float32: ours against `transformers`' BERT with the same weights.

Run:     python -m experiments.bench.foundation      (needs the extra `bench`)
Cost:    7 min of one core, 3 GB memory
Prints:  one JSON line a case; README.md has the table

Weights are random; vocabulary, lengths and activation are those of Geneformer V1. Each side is a
process of its own with one thread on one core, and what counts are the seconds of CPU: on a shared
machine, threads that wait for each other would be counted by the clock. With `--all-cores` each has
a thread a core and the clock counts, for which nothing else may run. Ours is compiled before.
Passes take turns, ours and theirs, and the best of the rounds counts; `wall_s` and `peer_wall_s`
are by the clock. Results agree before anything is timed, and `apart` is the largest difference.
Theirs uses torch's fused attention, as `transformers` does by default.

- `forward`: the states of the last block of cells of 2,048 tokens.
- `penultimate`: the states before the last block, which theirs gives as one of all hidden states.
- `buckets`: 32 cells of 200 to 2,048 tokens, the means of their states. Theirs sorts them by length
  and pads batches of 8 to the longest, as the extractor of the authors does; ours has the buckets
  of `make_buckets`, with 4,096 tokens a batch.
- `step`: masked tokens predicted, forward, backward and a step of Adam, without dropout; and
  `dropout`, the same with the published dropout, for which torch has no fused attention.
"""

import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from experiments.bench.line import BenchFile, Side, peak_mib

SIZES = {"6L-256": (6, 256, 4), "12L-512": (12, 512, 8)}  # layers, width, heads
VOCABULARY, LENGTH, DROPOUT = 25_426, 2_048, 0.02
CELLS, SHORTEST, TOGETHER, TOKENS_AT_ONCE = 32, 200, 8, 4_096  # of `buckets`
MASKED, RATE = 0.15, 1e-3  # of `step`
REST = 0.3  # seconds until the idle threads of the other side sleep
TOLERANCE = {"dropout": 0.05}  # of a loss, as each side drops by its own draw
EXACT = 1e-4
ROUNDS = 3


@dataclasses.dataclass(frozen=True)
class Case:
    """What both sides do."""

    kind: str
    size: str
    batch: int = 1

    @property
    def name(self) -> str:
        """Kind, size and batch in words."""
        batch = "" if self.kind == "buckets" else f"/batch {self.batch}"
        return f"{self.kind}/{self.size}{batch}"


CASES = (
    *(Case("forward", size) for size in SIZES),
    *(Case("penultimate", size) for size in SIZES),
    Case("step", "6L-256"),
    Case("dropout", "6L-256"),
    Case("buckets", "6L-256"),
    *(Case("forward", size, batch=8) for size in SIZES),
)


def main() -> None:
    """Measures the cases."""
    all_cores = sys.argv[1:] == ["--all-cores"]
    if sys.argv[1:] and not all_cores:
        sys.exit(f"{' '.join(sys.argv[1:])} is unknown; there is --all-cores.")
    cores = sorted(os.sched_getaffinity(0))
    file = BenchFile("foundation")
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            measure(file, case, Path(folder), cores if all_cores else cores[-1:])


def measure(file: BenchFile, case: Case, folder: Path, cores: list[int]) -> None:
    """The line of a case, by the clock where there are several cores."""
    ours = Side(serve, "ours", case, folder, cores)  # writes the weights
    sides = {"ours": ours, "peer": Side(serve, "peer", case, folder, cores)}
    results = {name: side.ask("results") for name, side in sides.items()}
    apart = float(np.abs(results["ours"] - results["peer"]).max())
    if not apart < TOLERANCE.get(case.kind, EXACT):
        raise RuntimeError(f"{case.name}: ours and the peer are {apart:.2g} apart")
    passes: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            time.sleep(REST)
            passes[name].append(side.ask("time"))
    peaks = {name: side.ask("peak") for name, side in sides.items()}
    for side in sides.values():
        side.end()
    cpu, wall = ({name: min(x[i] for x in passes[name]) for name in sides} for i in (0, 1))
    counted = wall if len(cores) > 1 else cpu
    file.add(
        case.name,
        "s",
        counted["ours"],
        counted["peer"],
        peaks["ours"],
        wall_s=round(wall["ours"], 3),
        peer_wall_s=round(wall["peer"], 3),
        apart=float(f"{apart:.2g}"),
        peer_peak_mib=round(peaks["peer"]),
        rounds=ROUNDS,
        threads=len(cores),
    )


def serve(connection: Connection, side: str, case: Case, folder: Path, cores: list[int]) -> None:
    """Prepares a side, then answers questions until the end."""
    os.sched_setaffinity(0, cores)  # which both libraries count for their threads
    os.environ["JAX_PLATFORMS"] = "cpu"
    run = {"ours": prepare_ours, "peer": prepare_peer}[side](case, folder)
    results = np.stack([run(), run()])  # of two steps, where it trains

    def measure_pass() -> tuple[float, float]:
        begun, start = time.process_time(), time.perf_counter()
        run()
        return time.process_time() - begun, time.perf_counter() - start

    connection.send(None)
    answers = {"results": lambda: results, "time": measure_pass, "peak": peak_mib}
    while (question := connection.recv()) != "end":
        connection.send(answers[question]())


def draw_tokens(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Tokens [cell, token], which are real, and no padding but in `buckets`."""
    rng = np.random.default_rng(0)
    cells = CELLS if case.kind == "buckets" else case.batch
    lengths = rng.integers(SHORTEST, LENGTH + 1, cells) if case.kind == "buckets" else LENGTH
    is_real = np.arange(LENGTH) < np.broadcast_to(lengths, cells)[:, None]
    return np.where(is_real, rng.integers(2, VOCABULARY, (cells, LENGTH)), 0), is_real


def mask_tokens(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The tokens with some of them replaced by the mask, and which."""
    is_masked = np.random.default_rng(1).random(tokens.shape) < MASKED
    return np.where(is_masked, 1, tokens), is_masked


# Ours


def prepare_ours(case: Case, folder: Path) -> Callable[[], np.ndarray]:
    """A pass of ours, as a function without arguments; its weights are written for the peer."""
    import jax
    import jax.numpy as jnp
    from safetensors.numpy import save_file

    from grnjax.foundation.geneformer import RULES, GeneformerConfig
    from grnjax.foundation.pooling import average_tokens
    from grnjax.foundation.weights import to_torch

    layers, width, heads = SIZES[case.size]
    share = DROPOUT if case.kind == "dropout" else 0.0
    config = GeneformerConfig(
        layers=layers,
        width=width,
        heads=heads,
        feed_forward=2 * width,
        norm_epsilon=1e-12,
        dropout=share,
        attention_dropout=share,
        vocabulary=VOCABULARY,
        positions=LENGTH,
    )
    rng = np.random.default_rng(2)
    variables = jax.tree.map(
        lambda x: x + rng.normal(0, 0.02, x.shape).astype(np.float32),
        jax.jit(config.init)(jax.random.key(0)),
    )
    save_file(to_torch(variables, RULES), folder / "weights.safetensors")
    model, (tokens, is_real) = config.make(), draw_tokens(case)
    blocks = layers - 1 if case.kind == "penultimate" else layers

    def read(variables: Any, tokens: jax.Array, is_real: jax.Array) -> jax.Array:
        return model.apply(
            variables, tokens, is_real, train=False, blocks=blocks, method="hidden_states"
        )[-1]

    if case.kind in ("step", "dropout"):
        return train_ours(model, variables, tokens, is_real)
    if case.kind != "buckets":
        run, given = jax.jit(read), (jnp.asarray(tokens), jnp.asarray(is_real))
        return lambda: np.asarray(run(variables, *given))
    mean = jax.jit(lambda *given: average_tokens(read(*given), given[-1]))

    def run_buckets() -> np.ndarray:
        means = np.zeros((CELLS, width), np.float32)
        for cells, length, size in split_by_bucket(is_real.sum(axis=1)):
            filled = np.resize(cells, size)  # a batch that is not full repeats its cells
            means[filled] = mean(variables, tokens[filled, :length], is_real[filled, :length])
        return means

    return run_buckets


def split_by_bucket(lengths: np.ndarray) -> list[tuple[np.ndarray, int, int]]:
    """Cells of each batch, its length, and how many it has room for."""
    from grnjax.foundation.token_stream import make_buckets

    batches, shortest = [], 0
    for bucket in make_buckets(LENGTH, tokens_at_once=TOKENS_AT_ONCE):
        cells = np.flatnonzero((lengths > shortest) & (lengths <= bucket.length))
        starts = range(0, len(cells), bucket.cells)
        batches += [(cells[i : i + bucket.cells], bucket.length, bucket.cells) for i in starts]
        shortest = bucket.length
    return batches


def train_ours(model: Any, variables: Any, tokens: np.ndarray, is_real: np.ndarray) -> Callable:
    """A training step of ours; it gives the loss."""
    import jax
    import jax.numpy as jnp
    import optax

    shown, is_masked = map(jnp.asarray, mask_tokens(tokens))
    optimizer, wanted = optax.adam(RATE), jnp.asarray(tokens)

    def find_loss(params: Any, step: int) -> jax.Array:
        rngs = {"dropout": jax.random.fold_in(jax.random.key(0), step)}
        logits = model.apply({"params": params}, shown, is_real, train=True, rngs=rngs)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, wanted)
        return jnp.sum(losses * is_masked) / is_masked.sum()

    def take_step(state: tuple) -> tuple[tuple, jax.Array]:
        params, moments, step = state
        loss, slopes = jax.value_and_grad(find_loss)(params, step)
        updates, moments = optimizer.update(slopes, moments, params)
        return (optax.apply_updates(params, updates), moments, step + 1), loss

    state = variables["params"], optimizer.init(variables["params"]), 0
    compiled = jax.jit(take_step, donate_argnums=0)

    def run() -> np.ndarray:
        nonlocal state
        state, loss = compiled(state)
        return np.asarray(loss)

    return run


# Theirs


def prepare_peer(case: Case, folder: Path) -> Callable[[], np.ndarray]:
    """A pass of `transformers`, as a function without arguments."""
    import torch
    from safetensors.torch import load_file
    from transformers import BertConfig, BertForMaskedLM

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    layers, width, heads = SIZES[case.size]
    share = DROPOUT if case.kind == "dropout" else 0.0
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=2 * width,
        hidden_act="relu",
        hidden_dropout_prob=share,
        attention_probs_dropout_prob=share,
        max_position_embeddings=LENGTH,
        layer_norm_eps=1e-12,
    )
    model = BertForMaskedLM(config).eval()
    found = model.load_state_dict(load_file(folder / "weights.safetensors"), strict=False)
    if found.unexpected_keys or not all("decoder" in name for name in found.missing_keys):
        raise RuntimeError(f"the peer's arrays are others: {found}")
    model.tie_weights()
    tokens, is_real = map(torch.from_numpy, draw_tokens(case))
    if case.kind in ("step", "dropout"):
        return train_peer(model, tokens)

    def read(tokens: Any, is_real: Any) -> Any:
        if case.kind == "penultimate":
            given = model.bert(tokens, attention_mask=is_real, output_hidden_states=True)
            return given.hidden_states[-2]
        return model.bert(tokens, attention_mask=is_real).last_hidden_state

    def run() -> np.ndarray:
        with torch.inference_mode():
            return read(tokens, is_real).numpy()

    def run_sorted() -> np.ndarray:
        lengths = is_real.sum(dim=1)
        order, means = torch.argsort(-lengths), torch.zeros(CELLS, width)
        with torch.inference_mode():
            for cells in torch.split(order, TOGETHER):
                longest = lengths[cells].max()
                real = is_real[cells, :longest]
                states = read(tokens[cells, :longest], real) * real[..., None]
                means[cells] = states.sum(dim=1) / lengths[cells, None]
        return means.numpy()

    return run_sorted if case.kind == "buckets" else run


def train_peer(model: Any, tokens: Any) -> Callable[[], np.ndarray]:
    """A training step of theirs; it gives the loss."""
    import torch

    shown, is_masked = map(torch.from_numpy, mask_tokens(tokens.numpy()))
    labels = torch.where(is_masked, tokens, -100)  # of no label
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    model.train()

    def run() -> np.ndarray:
        optimizer.zero_grad()
        loss = model(shown, attention_mask=torch.ones_like(shown), labels=labels).loss
        loss.backward()
        optimizer.step()
        return loss.detach().numpy()

    return run


if __name__ == "__main__":
    main()
