"""GRNFormer on a converted model, from a download to a fitted run, by commands, of all four models.

The downloads are small files of the published formats with random weights.
"""

import dataclasses
import json
import shutil

import anndata
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from flax.traverse_util import flatten_dict
from scipy import sparse

import grnjax
from grnjax import config as settings
from grnjax.data.expression import DataConfig
from grnjax.foundation.convert import load_model
from grnjax.models.grnformer import GRNFormer
from grnjax.models.structure_encoder import StructureConfig
from grnjax.tasks.pretraining_study import PretrainingStudy, load_cells, run_study

pytestmark = [pytest.mark.usefixtures("optimise_little"), pytest.mark.slow]
CELLS = 40
UNLIKE = ("best_model_impl", "best_model_plain")  # the same weights in other layouts
FREEZE = {
    "geneformer": "backbone/model/embeddings",
    "scbert": "backbone/model/performer/layer_0",
    "scfoundation": "backbone/model/encoder",
    "scgpt": "backbone/model/layer_0",
}
WORDS = [
    "--training.model.adapter.place=after",
    "--training.model.adapter.beta=0",
    "--training.model.structure.fan-out=2",
    "--training.model.structure.layers=1",
    "--training.epochs=1",
    "--training.batch-size=14",
    "--training.warm-up=0.001",
    "--training.perturbation=none",
    "--tokens=40",
    "--controls",
]


def download(name, parity_folder, folder):
    """The files as a user has them, and the names of genes that the model knows."""
    source = parity_folder("geneformer_v2" if name == "geneformer" else name)
    folder.mkdir()
    for path in source.iterdir():
        if path.suffix not in (".npz", ".bin") and path.stem not in UNLIKE:
            shutil.copyfile(path, folder / path.name)
    if name == "geneformer":
        for path in (parity_folder("tokenizers") / source.name).glob("*_dict*.pkl"):
            shutil.copyfile(path, folder / path.name)


@dataclasses.dataclass(frozen=True)
class Joint:
    """A run on a converted model, and both as they are on the disk."""

    name: str
    words: list
    cells: anndata.AnnData
    converted: dict
    model: object
    out: object


@pytest.fixture(scope="module", params=[*FREEZE])
def joint(request, parity_folder, tmp_path_factory, cli):
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    download(name, parity_folder, folder / "download")
    outcome = cli("convert", name, folder / "download", "--out", folder / "model")
    assert outcome.status == 0, outcome.err
    model = load_model(folder / "model", on_host=True)
    cells = make_cells(name_genes(model))
    cells.write_h5ad(folder / "active.h5ad")
    words = [*WORDS, "--training.freeze", FREEZE[name], "adapter/beta"]
    given = ["--groups", "kind", "--backbone", folder / "model", "--out", folder / "run"]
    outcome = cli("pretrain", folder / "active.h5ad", *given, *words)
    assert outcome.status == 0, outcome.err
    return Joint(name, words, cells, model.variables, model, folder / "run")


def name_genes(model):
    """Forty genes that it knows, in another order than its own."""
    words = model.vocabulary
    names = [*words.get("medians", words.get("genes", words.get("tokens")))]
    return [str(x) for x in np.random.default_rng(0).permutation(names) if "<" not in x][:40]


def make_cells(genes):
    """Counts of two types with regulons of their own, whose activity was called."""
    rng = np.random.default_rng(0)
    kind = np.tile(["a", "b"], CELLS // 2)
    rate = np.full((CELLS, 40), 2.0)
    rate[np.ix_(kind == "a", np.arange(2, 12))] += 6
    rate[np.ix_(kind == "b", np.arange(12, 22))] += 6
    adata = anndata.AnnData(
        sparse.csr_matrix(rng.poisson(rate).astype(np.float32)),
        obs=pd.DataFrame({"kind": kind}, index=[f"c{i}" for i in range(CELLS)]),
        var=pd.DataFrame(index=genes),
    )
    edges = [(genes[0], x) for x in genes[2:12]] + [(genes[1], x) for x in genes[12:22]]
    table = pd.DataFrame(edges, columns=["source", "target"])
    return grnjax.activity(adata, table, groups="kind").to_anndata()


@pytest.fixture(scope="module")
def restored(joint):
    """The fit as the run folder has it: nothing is fitted anew."""
    files = [path for path in (joint.out / "checkpoints").rglob("*") if path.is_file()]
    before = {path: path.stat().st_mtime_ns for path in files}
    study = settings.parse(PretrainingStudy(), joint.words, program="test")
    cells = load_cells(joint.out.parent / "active.h5ad", "kind", DataConfig())
    fitted, _ = run_study(cells, study, folder=joint.out, start=joint.model)
    assert before == {path: path.stat().st_mtime_ns for path in files}
    return fitted


@pytest.mark.slow
def test_what_is_frozen_by_name_stays_as_it_was_on_the_disk_and_the_rest_moves(joint, restored):
    found = flatten_dict(restored.result.variables["params"], sep="/")
    given = flatten_dict(joint.converted["params"], sep="/")
    own = {path: path.removeprefix("backbone/model/") for path in found}
    own = {path: name for path, name in own.items() if name in given}
    held = {path for path in own if path.startswith(FREEZE[joint.name])}
    same = {path for path, name in own.items() if np.array_equal(found[path], given[name])}
    assert held and held <= same and len(same - held) < 0.5 * len(own)
    assert found["adapter/beta"] == 0
    record = json.loads((joint.out / "run.json").read_bytes())["tokens"]
    numbers = sum(found[path].size for path in held)
    assert record["parameters"]["frozen_numbers"] == numbers + 1  # and beta
    assert record["start"]["taken_over"] >= len(own)


@pytest.mark.slow
def test_with_beta_0_it_is_the_backbone_bit_for_bit_after_the_restore(joint, restored):
    objective, data = restored.objective, restored.data
    variables = jax.tree.map(jnp.asarray, restored.result.variables)
    batch = objective.show(
        data, data.train[:3], restored.test.is_masked[:3], jax.random.key(0), train=False
    )
    module = objective.make_model(data)
    bare = dataclasses.replace(module.config, structure=StructureConfig(networks="none"))
    alone = {"params": {"backbone": variables["params"]["backbone"]}}
    alone |= {name: x for name, x in variables.items() if name != "params"}
    run = jax.jit(lambda v, module=module: module.apply(v, batch, train=False))
    other = jax.jit(lambda v: GRNFormer(bare, module.genes).apply(v, batch, train=False))
    expected = np.asarray(other(alone))
    np.testing.assert_array_equal(np.asarray(run(variables)), expected)
    adapter = variables["params"]["adapter"] | {"beta": jnp.float32(0.5)}
    params = variables["params"] | {"adapter": adapter}
    assert np.abs(run({**variables, "params": params}) - expected).max() > 1e-5
