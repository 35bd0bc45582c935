"""Short runs of every command that leaves a run folder, to be damaged, killed and resumed."""

import contextlib
import dataclasses
import io
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from tests.faults.good_files import FASTA, JASPAR

SIZE = {"genes": 40, "tfs": 6, "master-regulators": 3, "cells": 60, "tfs-per-programme": 3}
EMBEDDED = [f"--embedded.simulator.{name}={value}" for name, value in SIZE.items()]
FITS = ["--repeats=1", "--folds=2"]
SCREGNET = ["--method.training.epochs=20", "--method.training.checkpoint-seconds=0"]
CLOSED = ["--method=tests.faults.closed_form:ClosedForm"]
FACTORS = ["--method=kernel-factor", "--method.training.steps=30", "--method.kernels.episodes=2"]


@dataclasses.dataclass(frozen=True)
class Command:
    """The words of a command on inputs in a folder, and where others are to be different."""

    words: Callable[[Path], list]
    reseed: Callable[[list], list] | None = lambda words: [*words, "--seed=1"]
    """None where nothing of it is drawn."""
    needs: tuple[str, ...] = ()
    """What its inputs are made by, names in `MAKERS`."""
    target: str | None = ""
    """What --out names in the run folder; None for a command that has no such flag."""
    flag: str | None = "--out"
    """None where the target is the last word, with no flag before it."""
    environment: Callable[[Path], Mapping[str, str]] = lambda out: {}
    """What it finds in the environment."""
    reads_back: bool = True
    """Whether a run that goes on reads its checkpoints, or makes all of them again from inputs that
    it has anyhow, so that only a reader of the folder can meet a damaged one."""
    other_method: Callable[[list], list] | None = None
    """The same of another method."""
    reader: Callable[[Path, Path, Path], list] | None = None
    """Words of a command that reads the outputs: of the inputs, the outputs, and where to write."""

    def on(self, inputs: Path, out: Path) -> list:
        """The words of the command on these inputs, with the folder that it writes to."""
        return self.to(self.words(inputs), out)

    def to(self, words: list, out: Path) -> list:
        """These words, with the folder that is written to."""
        if self.target is None:
            return words
        return [*words, *([self.flag] if self.flag else []), out / self.target]


def infer(*words, other_method: Callable[[list], list] | None = None) -> Command:
    return Command(
        lambda _: ["infer", *EMBEDDED, *FITS, *words],
        other_method=other_method,
        reader=write_regulons,
    )


def write_regulons(inputs: Path, run: Path, out: Path) -> list:
    cut = ["--probability=0.001", "--top=20", "--min-targets=1"]
    return ["regulons", run, *cut, "--out", out / "regulons"]


def embed_by(model: str) -> Callable[[Path, Path, Path], list]:
    """Cells embedded by a model in this folder of the outputs."""
    return lambda inputs, run, out: [
        "embed", inputs / "cells.h5ad", "--model", run / model, "--out", out / "embedded"
    ]  # fmt: skip


def on_set(*words) -> Command:
    return Command(
        lambda inputs: ["train", inputs / "set", "--split.draws=0", "--bootstrap=0", *words],
        lambda words: [*words, "--seeds=1"],
    )


QUICK = ["--training.epochs=3", "--training.batch-size=16", "--training.checkpoint-seconds=0"]
SMALL = ["layers=1", "width=8", "heads=2", "feed_forward=8"]
COMPACT = [f"--training.model.backbone.{size}" for size in ("width=8", "heads=2", "layers=1")]
COMPACT += ["--training.model.structure.fan-out=2", "--tokens=30", "--controls"]
PERTURBED = [f"--task.simulated.simulator.{name}={value}" for name, value in SIZE.items()]
PERTURBED += ["--task.simulated.simulator.steps=40", "--task.simulated.singles=5"]
PERTURBED += ["--task.simulated.doubles=10", "--task.simulated.cells-a-condition=8"]
PERTURBED += ["--task.training.model.width=8", "--task.training.epochs=6", "--task.seeds=0"]
PERTURBED += ["--task.training.checkpoint-seconds=0"]
LISTS = ["--training.epochs=20", "--training.evaluate-every=10", "--members=1"]
LISTS += ["--fewest-targets=3", "--genes-a-list=20", "--training.checkpoint-seconds=0"]


def rank_with_pearson(inputs: Path) -> list:
    return ["infer", inputs / "expression.csv", "--tfs", inputs / "tfs.txt", "--method=pearson"]


def of_finished(*words, target: str) -> Command:
    """A command on the folder of a finished run."""
    name, *rest = words
    return Command(
        lambda inputs: [name, inputs / "inferred", *rest],
        reseed=None,
        needs=("inferred",),
        target=target,
    )


def train_model(inputs: Path) -> list:
    words = ["pretrain", inputs / "cells.h5ad", "--model", "scgpt", *QUICK]
    return [*words, "--training.accumulate=1", "--settings", *SMALL]


def score_regulons(inputs: Path) -> list:
    regulons = ["--regulons", inputs / "regulons.tsv", "--min-targets=2"]
    return ["activity", inputs / "cells.h5ad", *regulons, "--groups", "kind"]


def add_lists(inputs: Path) -> list:
    return ["data", "compendium", "add", inputs / "lists.tsv", "--species", "human"]


MAKERS: dict[str, Callable[[Path], list]] = {
    "active": lambda inputs: [*score_regulons(inputs), "--out", inputs / "active.h5ad"],
    "model": lambda inputs: [*train_model(inputs), "--out", inputs / "trained"],
    "published": lambda inputs: [
        "convert", "scgpt", inputs / "trained/model", "--to", "safetensors",
        "--out", inputs / "published",
    ],
    "lists": add_lists,
    "inferred": lambda inputs: [*rank_with_pearson(inputs), "--out", inputs / "inferred"],
}  # fmt: skip


def own_lists(out: Path) -> dict[str, str]:
    """Where `grnjax data compendium` keeps what a user adds."""
    return {"GRNJAX_COMPENDIUM": str(out)}


def transfer(inputs: Path) -> list:
    words = ["transfer", inputs / "set", inputs / "other", "--split.draws=0", "--bootstrap=0"]
    return [*words, *SCREGNET]


COMMANDS = {
    "infer pearson": Command(
        rank_with_pearson,
        other_method=lambda words: [*words[:-1], "--method=spearman"],
        reader=lambda inputs, run, out: ["report", run, "--out", out / "page.html"],
    ),
    "infer genie3": Command(
        lambda inputs: [
            "infer", inputs / "expression.csv", "--tfs", inputs / "tfs.txt", "--method=genie3",
            "--method.trees=10",
        ],
    ),
    "infer closed form": infer(*CLOSED),
    "train closed form": on_set(*CLOSED),
    "infer kernel-factor": infer(
        *FACTORS, other_method=lambda words: [*words[: -len(FACTORS)], *CLOSED]
    ),
    "infer scRegNet": infer("--method=scRegNet", *SCREGNET),
    "train scRegNet": on_set("--method=scRegNet", *SCREGNET),
    "train kernel-factor": on_set(*FACTORS),
    "transfer scRegNet": Command(transfer, lambda words: [*words, "--seeds=1"]),
    "evaluate": Command(
        lambda inputs: ["evaluate", inputs / "network.tsv", "--truth", inputs / "truth.csv"],
        reseed=None,
    ),
    "infer by group": Command(
        lambda inputs: [
            "infer", inputs / "cells.h5ad", "--tfs", inputs / "tfs.txt", "--method=pearson",
            "--by", "kind", "--groups.least-cells=20", "--groups.resamples=100",
        ],
    ),
    "activity": Command(
        score_regulons,
        target="active.h5ad",
        reader=lambda inputs, run, out: [
            "activity", inputs / "cells.h5ad", "--reference", run / "active.h5ad",
            "--out", out / "active.h5ad",
        ],
    ),
    "pretrain cells": Command(
        lambda inputs: [
            "pretrain", inputs / "active.h5ad", "--groups", "kind", *QUICK, *COMPACT
        ],
        needs=("active",),
    ),
    "pretrain model": Command(train_model, reader=embed_by("model")),
    "pretrain lists": Command(
        lambda inputs: ["pretrain", *LISTS],
        needs=("lists",),
        environment=lambda out: own_lists(out.parent / "inputs" / "own"),
    ),
    "embed": Command(
        lambda inputs: [
            "embed", inputs / "cells.h5ad", "--model", inputs / "trained/model", "--groups", "kind"
        ],
        reseed=None,
        needs=("model",),
    ),
    "convert": Command(
        lambda inputs: ["convert", "scgpt", inputs / "published"],
        reseed=None,
        reads_back=False,
        needs=("model", "published"),
        reader=embed_by("."),
    ),
    "convert back": Command(
        lambda inputs: ["convert", "scgpt", inputs / "trained/model", "--to", "safetensors"],
        reseed=None,
        needs=("model",),
    ),
    "data compendium add": Command(add_lists, reseed=None, target=None, environment=own_lists),
    "data convert": Command(
        lambda inputs: ["data", "convert", inputs / "network.tsv"],
        reseed=None,
        target="converted.tsv",
        flag=None,
    ),
    "data motifs": Command(
        lambda inputs: [
            "data", "motifs", "--sequences", inputs / "peaks.fa", "--motifs", inputs / "motifs.txt",
            "--p-value=0.05",
        ],
        reseed=None,
        target="hits.tsv",
    ),
    "report": of_finished("report", target="page.html"),
    "regulons": of_finished("regulons", "--min-targets=2", target="regulons"),
    "plot": of_finished("plot", "network", target="picture.png"),
    "compare": Command(
        lambda inputs: [
            "compare", inputs / "set", "--draws=1", "--methods", "GENELink",
            "--settings", "GENELink.training.epochs=5",
        ],
        reseed=None,
    ),
    "task": Command(
        lambda inputs: ["task", "tests.faults.closed_form:Halves", inputs / "numbers.txt"],
        lambda words: [*words, "--task.seeds=1"],
    ),
    "task perturbation": Command(
        lambda inputs: ["task", "perturbation", "simulated:1", *PERTURBED],
        lambda words: [*words, "--task.seeds=1"],
    ),
}  # fmt: skip


def write_inputs(folder: Path, needs: tuple[str, ...] = ()) -> None:
    """A simulated set as files, and two sets of GENELink's kind that share most genes.

    Args:
        needs: of a command; what other commands make of the files, each in a process of its own.
    """
    from grnjax.data.simulator import EmbeddedConfig, SimulatorConfig

    sizes = {name.replace("-", "_"): value for name, value in SIZE.items()}
    data, _ = EmbeddedConfig(simulator=SimulatorConfig(**sizes)).make()
    folder.mkdir(parents=True, exist_ok=True)
    cells = [f"cell{i}" for i in range(len(data.counts))]

    def write(path: Path, counts: np.ndarray, genes: list) -> None:
        path.parent.mkdir(exist_ok=True)
        rows = [f"{gene},{','.join(map(str, row))}" for gene, row in zip(genes, counts.T)]
        path.write_text("\n".join([f",{','.join(cells)}", *rows]) + "\n")

    genes = list(data.genes)
    write(folder / "expression.csv", data.counts, genes)
    (folder / "tfs.txt").write_text("\n".join(data.tfs) + "\n")
    edges = data.edges[["tf", "target"]]
    for name, most in (("set", len(genes)), ("other", len(genes) - 5)):
        write(folder / name / "ExpressionData.csv", data.counts[:, :most], genes[:most])
        inside = edges[edges.isin(genes[:most]).all(axis=1)]
        inside.set_axis(["Gene1", "Gene2"], axis=1).to_csv(
            folder / name / "refNetwork.csv", index=False
        )
    edges.to_csv(folder / "truth.csv", index=False)
    ranked = [f"{tf}\t{target}\t{i}" for i, (tf, target) in enumerate(edges.to_numpy())]
    (folder / "network.tsv").write_text("\n".join(["TF\ttarget\timportance", *ranked]) + "\n")
    write_cells(folder, data.counts, genes)
    (folder / "numbers.txt").write_text("1\n3\n2\n6\n")
    (folder / "peaks.fa").write_text(FASTA)
    (folder / "motifs.txt").write_text(JASPAR)
    edges.set_axis(["source", "target"], axis=1).to_csv(
        folder / "regulons.tsv", sep="\t", index=False
    )
    lists = [f"{tf}\t{cell}\t{x}" for cell in ("A549", "K562") for tf, x in edges.to_numpy()]
    (folder / "lists.tsv").write_text("\n".join(["TF\tcell\ttarget", *lists]) + "\n")
    for name in needs:
        words = [str(word) for word in MAKERS[name](folder)]
        call = [sys.executable, "-c", "import sys; from grnjax.cli import main; sys.exit(main())"]
        environment = {**os.environ, **own_lists(folder / "own")}
        environment.pop("LD_PRELOAD", None)
        subprocess.run([*call, *words], check=True, capture_output=True, env=environment)


def write_cells(folder: Path, counts: np.ndarray, genes: list) -> None:
    """The cells as AnnData, of two kinds."""
    import anndata
    from scipy import sparse

    kind = np.tile(["a", "b"], len(counts))[: len(counts)]
    table = anndata.AnnData(
        sparse.csr_matrix(counts.astype(np.float32)),
        obs=pd.DataFrame({"kind": kind}, index=[f"cell{i}" for i in range(len(counts))]),
        var=pd.DataFrame(index=genes),
    )
    table.write_h5ad(folder / "cells.h5ad")


def run(words: list) -> tuple[int, str]:
    """Status and standard error of a command in this process."""
    from grnjax.cli import main

    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        status = main([str(word) for word in words])
    return status, err.getvalue()
