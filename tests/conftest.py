"""Shared by all tests: reference outputs, a small simulated set, and the command line."""

import contextlib
import dataclasses
import gc
import hashlib
import io
import os
import pickle
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.compilation import compile_quickly, optimise_little  # noqa: F401

GOLDEN = Path(__file__).parent / "golden"
QUICK_METHODS = {
    "kernel-factor": ("training.steps=60", "kernels.episodes=4"),
    "scRegNet": (
        "training.epochs=10",
        "training.evaluate-every=5",
        "model.mlp-widths=8",
        "model.identity-rank=2",
        "inputs.nodes=statistics",
    ),
    "GT-GRN": (
        "training.epochs=10",
        "training.evaluate-every=5",
        "model.transformer.width=8",
        "model.transformer.heads=2",
        "model.transformer.layers=1",
        "embeddings.networks=pearson",
        "embeddings.autoencoder.dim=6",
        "embeddings.autoencoder.widths=16",
        "embeddings.expression.epochs=10",
        "embeddings.expression.warm-up=5",
        "embeddings.walks.model.layers=1",
        "embeddings.walks.model.heads=2",
        "embeddings.walks.model.width=8",
        "embeddings.walks.model.feed-forward=8",
        "embeddings.walks.walks-a-node=5",
        "embeddings.walks.evaluate-every=20",
        "embeddings.walks.held-out-walks=128",
        "embeddings.walks.vector-walks=2",
    ),
    "GENELink": (
        "training.epochs=2",
        "model.encoder.widths=8",
        "model.encoder.heads=2",
        "model.widths=8",
    ),
    "GNNLink": ("training.epochs=4", "model.widths=8"),
    "GNE": ("training.epochs=2", "model.width=8"),
    "CNNC": (
        "training.epochs=2",
        "training.batch-size=32",
        "model.tower.channels=2",
        "model.width=8",
    ),
    "DeepDRIM": (
        "training.epochs=2",
        "model.tower.channels=2",
        "model.neighbours=2",
        "model.width=8",
        "model.widths=8",
    ),
    "STGRNS": ("training.epochs=2", "model.window=40", "model.feed-forward=8"),
    "scGREAT": (
        "training.epochs=2",
        "model.hidden=8",
        "model.width=8",
        "model.layers=1",
        "model.feed-forward=8",
        "model.widths=8",
    ),
    "GRN-Transformer": (
        "training.epochs=2",
        "training.evaluate-every=2",
        "model.value-widths=4",
        "model.flag-width=4",
        "model.layers=1",
        "model.heads=2",
        "model.feed-forward=4",
        "networks=pearson",
        "trees=5",
        "no-clean",
    ),
    "genie3": ("trees=5",),
    "grnboost2": ("rounds=10",),
    "regdiffusion": ("training.epochs=4", "training.evaluate-every=2", "model.widths=4"),
    "enhancer": ("tf-gene.importance=ridge",),
    "compendium": ("species=human",),
}
QUICK_FACTORS = tuple(f"--method.{item}" for item in QUICK_METHODS["kernel-factor"])
MOST_MAPPINGS = 32_000
SPLIT = {"Train": (0, 0.62), "Validation": (0.62, 0.75), "Test": (0.75, 1)}


def pytest_configure(config):
    """Lets every test, and every process it starts, reuse what another one has compiled.

    The workers of pytest-xdist share the folder. What jax reads while another process writes it,
    it finds to be truncated, says so, and compiles.
    """
    if hasattr(config, "workerinput"):
        return
    folder = tempfile.mkdtemp(prefix="grnjax-compiled-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    # small matrices, and a worker for each core: more threads would wait for each other
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


def pytest_collection_finish():
    """Keeps what is imported by now out of every later search for garbage, which takes its time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def few_mappings():
    """Drops compiled programs before they take all the mappings that Linux grants a process.

    There are 65,530; the whole suite in one process asks for more, and the interpreter dies.
    """
    yield
    maps, jax = Path("/proc/self/maps"), sys.modules.get("jax")
    if jax is not None and maps.exists() and maps.read_bytes().count(b"\n") > MOST_MAPPINGS:
        jax.clear_caches()


@pytest.fixture(scope="session")
def parity_folder() -> Callable[[str], Path]:
    """Finds a folder of parity fixtures by name: that of $GRNJAX_DATA, else the golden copy."""

    def find(name: str) -> Path:
        data = os.environ.get("GRNJAX_DATA")
        folders = [Path(data) / "parity" / name] if data else []
        folders.append(GOLDEN / name)
        for folder in folders:
            if folder.is_dir():
                return folder
        pytest.skip(f"no parity fixtures at {' or '.join(map(str, folders))}")

    return find


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a command came to."""

    status: int
    out: str
    err: str


@pytest.fixture(scope="session")
def cli() -> Callable[..., Outcome]:
    """Runs `grnjax` with the given arguments in this process."""
    from grnjax.cli import main

    def run(*args: object) -> Outcome:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = main([str(arg) for arg in args])
            except SystemExit as stop:  # --help
                status = stop.code
        return Outcome(status, out.getvalue(), err.getvalue())

    return run


@dataclasses.dataclass(frozen=True, eq=False)
class SmallSet:
    """A simulated set in files: counts, some of the true edges as known ones, all TFs.

    It has gaps: a TF and a target are not in the expression file, and another TF of the list
    has no known target.
    """

    folder: Path
    counts: pd.DataFrame  # [gene, cell]
    known: pd.DataFrame  # columns tf, target
    truth: pd.DataFrame  # columns tf, target
    genes: list[str]
    tfs: list[str]
    unmeasured: tuple[str, ...] = ("G50", "TF04")
    silent_tf: str = "TF02"

    @property
    def arguments(self) -> list[Path | str]:
        """What `grnjax infer` takes."""
        files = [self.folder / name for name in ("expression.csv", "network.csv", "tfs.txt")]
        return [files[0], "--network", files[1], "--tfs", files[2]]


@pytest.fixture(scope="session")
def small_set(tmp_path_factory) -> SmallSet:
    """80 genes, 8 TFs, 120 cells."""
    from grnjax.data.simulator import EmbeddedConfig, SimulatorConfig

    simulator = SimulatorConfig(
        genes=80,
        tfs=8,
        master_regulators=3,
        cells=120,
        cell_types=3,
        programmes=3,
        tfs_per_programme=3,
        steps=60,
    )
    data, known = EmbeddedConfig(simulator=simulator, known_share=0.7).make()
    cells = [f"cell{i}" for i in range(len(data.counts))]
    counts = pd.DataFrame(data.counts.T, index=data.genes, columns=cells)
    counts = counts.drop(index=list(SmallSet.unmeasured))
    known = known.loc[known["tf"] != SmallSet.silent_tf, ["tf", "target"]]
    folder = tmp_path_factory.mktemp("small-set")
    counts.to_csv(folder / "expression.csv")
    known.to_csv(folder / "network.csv", index=False)
    data.edges.to_csv(folder / "truth.csv", index=False)
    (folder / "tfs.txt").write_text("\n".join(data.tfs))
    truth = data.edges[["tf", "target"]]
    return SmallSet(folder, counts, known, truth, data.genes.tolist(), data.tfs.tolist())


@pytest.fixture(scope="session")
def trivial_rows_once():
    """Fits the trivial rows once for the same genes and pairs, as those of most tests here are."""
    from grnjax.baselines.controls import trivial_rows
    from grnjax.tasks import judging

    made = {}

    def look_up(genes, *given):
        if not genes.measured.any() or genes.stream is not None:  # something is said, or open
            return trivial_rows(genes, *given)
        key = hashlib.sha256(pickle.dumps((genes, given))).digest()
        if key not in made:
            made[key] = trivial_rows(genes, *given)
        return dict(made[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "trivial_rows", look_up)
        yield


@pytest.fixture
def other_lists(small_set, tmp_path, monkeypatch) -> None:
    """Lists of the TFs of the small set in other cells, as a user adds them: a third is shared."""
    from grnjax.data.compendium.folder import add_own
    from grnjax.data.compendium.source import About, make_source

    rng, rows = np.random.default_rng(0), []
    for cell in ("K562", "HepG2", "A549", "MCF7"):
        for tf, true in small_set.truth.groupby("tf")["target"]:
            drawn = rng.choice(small_set.genes, 12, replace=False).tolist()
            listed = {*drawn, *rng.permutation(true)[: len(true) // 3].tolist()} - {tf}
            rows += [(tf, cell, target) for target in sorted(listed)]
    facts = {"title": "a test", "origin": "here", "licence": "CC0", "species": "human"}
    edges = pd.DataFrame(rows, columns=["tf", "cell", "target"])
    monkeypatch.setenv("GRNJAX_COMPENDIUM", str(tmp_path / "compendium"))
    add_own(make_source(edges, About(name="small", **facts), universe=small_set.genes))


@pytest.fixture(scope="session")
def quick_methods() -> dict[str, tuple[str, ...]]:
    """Settings that make the fits of a method short; tests that share them share what compiles."""
    return QUICK_METHODS


@pytest.fixture(scope="session")
def quick_factors() -> tuple[str, ...]:
    """Settings that make a fit of the kernel-factor model short."""
    return QUICK_FACTORS


@pytest.fixture(scope="session")
def inferred(small_set, cli, tmp_path_factory) -> Path:
    """The run folder of `grnjax infer` on the small set: two repeats, three folds."""
    folder = tmp_path_factory.mktemp("inferred") / "run"
    arguments = ["--repeats", 2, "--folds", 3, *QUICK_FACTORS, "--seed", 5]
    outcome = cli("infer", *small_set.arguments, *arguments, "--out", folder)
    assert outcome.status == 0, outcome.err
    return folder


@pytest.fixture
def genelink_folder(small_set, tmp_path) -> Callable[..., Path]:
    """Writes the small set as GENELink has it: numbered genes, edges, the split files asked for."""

    def write(*parts: str, expression: bool = True) -> Path:
        folder = tmp_path / "genelink"
        folder.mkdir()
        rng = np.random.default_rng(0)
        number = {gene: i for i, gene in enumerate(rng.permutation(small_set.genes))}
        lists = {"Target": ("Gene", list(number)), "TF": ("TF", small_set.tfs)}
        for name, (heading, genes) in lists.items():
            table = pd.DataFrame({heading: genes, "index": [number[gene] for gene in genes]})
            table.to_csv(folder / f"{name}.csv")
        edges = small_set.truth.map(number.get).set_axis(["TF", "Target"], axis=1)
        edges.to_csv(folder / "Label.csv")
        if expression:
            small_set.counts.to_csv(folder / "BL--ExpressionData.csv")
        pairs = pd.MultiIndex.from_product([[number[tf] for tf in small_set.tfs], number.values()])
        pairs = pairs[pairs.get_level_values(0) != pairs.get_level_values(1)]
        pairs = pairs[rng.permutation(len(pairs))]
        labels = pairs.isin(pd.MultiIndex.from_frame(edges)).astype(int)
        table = pairs.to_frame(index=False, name=["TF", "Target"]).assign(Label=labels)
        for part in parts:
            start, end = (round(share * len(table)) for share in SPLIT[part])
            table[start:end].to_csv(folder / f"{part}_set.csv")
        return folder

    return write


@pytest.fixture
def other_folder(small_set, tmp_path) -> Path:
    """A set to transfer to: a network and its expression, without ten genes of the small set."""
    folder, left_out = tmp_path / "other", set(small_set.genes[8:18])
    folder.mkdir()
    counts = small_set.counts.drop(index=[*left_out], errors="ignore")
    counts.sample(frac=1, axis=1, random_state=0).to_csv(folder / "ExpressionData.csv")
    edges = small_set.truth[~small_set.truth["target"].isin(left_out)]
    edges.rename(columns={"tf": "Gene1", "target": "Gene2"}).to_csv(
        folder / "refNetwork.csv", index=False
    )
    return folder


@pytest.fixture
def benchmark_root(genelink_folder, small_set, tmp_path) -> Path:
    """The small set as Perturbed/axolotl/TFs+7 of a benchmark root, with two published draws."""
    root, name = tmp_path / "root", "Perturbed/axolotl/TFs+7"
    written = genelink_folder(*SPLIT, expression=False)
    files = [written / f"{part}_set.csv" for part in SPLIT]
    pairs = pd.concat(pd.read_csv(file, index_col=0) for file in files)
    for draw in (1, 3):
        folder = root / "beeline_splits/Cave" / name / f"sample{draw}"
        folder.mkdir(parents=True)
        table = pairs.sample(frac=1, random_state=draw)
        for part, shares in SPLIT.items():
            start, end = (round(share * len(table)) for share in shares)
            table[start:end].to_csv(folder / f"{part}_set.csv.gz")
    for file in files:
        file.unlink()
    (root / "beeline_labels" / name).parent.mkdir(parents=True)
    written.rename(root / "beeline_labels" / name)
    expression = root / "beeline_expression"
    expression.mkdir()
    small_set.counts.to_csv(expression / "axolotl_120cells.csv.gz")
    small_set.counts[:10].to_csv(expression / "axolotl_10genes.csv")
    return root


@pytest.fixture(scope="module")
def dataset(small_set):
    """The small set as the tasks see it."""
    from grnjax.data.expression import DataConfig
    from grnjax.tasks.loading import load_dataset

    expression, _, network, _, tfs = small_set.arguments
    return load_dataset(expression, network, tfs, DataConfig())


@pytest.fixture(scope="module")
def candidates(dataset):
    """Every pair of a TF with another gene."""
    from grnjax.data.candidates import list_candidates

    return list_candidates(dataset)
