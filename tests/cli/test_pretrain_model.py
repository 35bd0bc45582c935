"""`grnjax pretrain --model`: from cells to a model that other commands read, new or on."""

import json
import shutil

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax.foundation.convert import load_model
from grnjax.foundation.weights import name_leaves

pytestmark = pytest.mark.usefixtures("compile_quickly")
QUICK = ("--training.epochs=2", "--training.batch-size=16", "--training.accumulate=1")
SIZES = {
    "geneformer": ("layers=1", "width=8", "heads=2", "feed_forward=8", "positions=40"),
    "scbert": ("performer.layers=1", "width=8", "heads=2", "head_width=64", "feed_forward=8"),
    "scfoundation": ("layers=1", "width=8", "heads=2", "head_width=64", "value_bins=5"),
    "scgpt": ("layers=1", "width=8", "heads=2", "feed_forward=8"),
}
GIVEN = {"scbert": ("--least-genes=1",)}


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """Counts of 60 cells of 30 genes, one of which no cell has."""
    counts = np.random.default_rng(0).poisson(1.0, (60, 30)).astype(np.float32)
    counts[:, 7] = 0
    index = [f"c{i}" for i in range(60)]
    genes = [f"GENE{i}" for i in range(30)]
    adata = anndata.AnnData(
        sparse.csr_matrix(counts), pd.DataFrame(index=index), pd.DataFrame(index=genes)
    )
    path = tmp_path_factory.mktemp("cells") / "cells.h5ad"
    adata.write_h5ad(path)
    return path


@pytest.fixture(scope="module", params=SIZES)
def trained(request, cells, cli, tmp_path_factory):
    """A new model of each kind, trained a little: its name, run folder, command and outcome."""
    name, out = request.param, tmp_path_factory.mktemp("runs") / "run"
    words = ["pretrain", cells, "--model", name, "--out", out, *QUICK, *GIVEN.get(name, ())]
    words += ["--settings", *SIZES[name]]
    outcome = cli(*words)
    assert outcome.status == 0, outcome.err
    return name, out, words, outcome


@pytest.mark.slow
def test_it_is_judged_beside_rows_that_see_no_cell(trained):
    name, out, words, outcome = trained
    record = json.loads((out / "run.json").read_bytes())
    names = [row["model"] for row in record["rows"]]
    assert names[:2] == ["model", "unigram"] and len(names) == 3
    assert all(np.isfinite(row["masked_loss"]) for row in record["rows"])
    data = record["data"]
    assert (data["train"], data["validation"], data["test"]) == (42, 6, 12)
    assert data["genes"]["matched"] == 29 and data["parameters"]["frozen_arrays"] == 0
    assert data["start"]["taken_over"] == 0
    assert f"{name}: " in outcome.out and "Licence: trained with grnjax" in outcome.out
    loss = next(row["masked_loss"] for row in record["rows"])
    assert f"{loss:.4f}" in outcome.out


@pytest.mark.slow
def test_embed_and_convert_read_what_was_trained(trained, cells, cli, tmp_path):
    """Out to the published form and back, every array is bit-equal."""
    name, out, _, _ = trained
    words = GIVEN.get(name, ())
    outcome = cli("embed", cells, "--model", out / "model", "--out", tmp_path / "e", *words)
    assert outcome.status == 0, outcome.err
    table = anndata.read_h5ad(tmp_path / "e" / "cells.h5ad")
    assert np.isfinite(table.obsm[f"X_{name}"]).all()
    outcome = cli("convert", name, out / "model", "--to", "safetensors", "--out", tmp_path / "s")
    assert outcome.status == 0, outcome.err
    outcome = cli("convert", name, tmp_path / "s", "--out", tmp_path / "c")
    assert outcome.status == 0, outcome.err
    one, two = (dict(name_leaves(load_model(x).variables)) for x in (out / "model", tmp_path / "c"))
    assert one.keys() == two.keys()
    for path, array in one.items():
        np.testing.assert_array_equal(array, two[path])


@pytest.mark.slow
@pytest.mark.parametrize("trained", ["scbert", "scgpt"], indirect=True)
def test_it_goes_on_from_a_checkpoint_with_layers_frozen(trained, cells, cli, tmp_path):
    name, out, _, _ = trained
    frozen = {"scbert": "token_emb", "scgpt": "genes"}[name]
    words = ["pretrain", cells, "--model", out / "model", "--out", tmp_path / "on", *QUICK]
    words += [*GIVEN.get(name, ()), "--training.freeze", frozen]
    outcome = cli(*words)
    assert outcome.status == 0, outcome.err
    record = json.loads((tmp_path / "on" / "run.json").read_bytes())
    assert record["data"]["start"]["fresh"] == record["data"]["start"]["unused"] == 0
    counts = record["data"]["parameters"]
    assert 0 < counts["frozen_arrays"] < counts["arrays"]
    assert f"{counts['frozen_numbers']:,} of them frozen" in outcome.out
    before, after = (
        dict(name_leaves(load_model(x / "model").variables)) for x in (out, tmp_path / "on")
    )
    same = {path for path, array in before.items() if np.array_equal(array, after[path])}
    held = {path for path in before if path.startswith(f"params/{frozen}/")}
    held |= {path for path in before if path.startswith("buffers/")}
    assert held and held <= same and len(same - held) <= 1 < len(before) - len(same)


@pytest.mark.slow
@pytest.mark.parametrize("trained", ["scgpt"], indirect=True)
def test_again_it_is_finished_and_without_its_model_it_is_made_again(trained, cli):
    _, out, words, _ = trained
    again = cli(*words)
    assert again.status == 0 and "already finished" in again.err
    before = dict(name_leaves(load_model(out / "model").variables))
    shutil.rmtree(out / "model")
    outcome = cli(*words)
    assert outcome.status == 0, outcome.err
    for path, array in name_leaves(load_model(out / "model").variables):
        np.testing.assert_array_equal(array, before[path])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--model", "bert"), "--model bert is no folder that grnjax convert has written"),
        (("--model",), "is no folder"),
        (("--model", "scgpt", "--settings", "layers"), "layers is not NAME=VALUE"),
        (("--model", "scgpt", "--settings", "layer=2"), "did you mean layers?"),
        (("--model", "scgpt", "--settings", "width=9"), "cannot be divided among 8 heads"),
        (("--model", "scgpt", "--training.freeze", "layer_99"), "no parameter is called so"),
        (("--model", "scgpt", "--least-genes", "3"), "scgpt has no setting least_genes"),
        (("--model", "scbert", "--genes", "9"), "has enough genes of the model"),
        (("--model", "scgpt", "--test-share", "0.995"), "60 cells are too few"),
        (("--model", "scgpt", "--training.replaced", "0.95", "--training.others", "0.2"), "more"),
        (("--model", "scgpt", "--groups", "x"), "has no flag --groups"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(cells, cli, tmp_path, words, sentence):
    outcome = cli("pretrain", cells, "--out", tmp_path / "run", *QUICK, *words)
    assert outcome.status == 2 and sentence in outcome.err
    assert outcome.err.count("Traceback") == 0 and not (tmp_path / "run").exists()
