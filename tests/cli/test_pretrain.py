"""`grnjax pretrain` end to end: cells with networks, controls, what is written and refused."""

import dataclasses
import json

import anndata
import jax
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import grnjax
from grnjax.config import to_json
from grnjax.data.expression import DataConfig
from grnjax.errors import ConfigError
from grnjax.foundation.convert import LoadedModel, save_model
from grnjax.foundation.scgpt import ScGPTConfig
from grnjax.tasks.pretraining_study import PretrainingStudy, embed_cells, load_cells, run_study

GENES = [f"G{i:03d}" for i in range(120)]
QUICK = (
    "--training.model.backbone.width=16",
    "--training.model.backbone.heads=2",
    "--training.model.backbone.layers=2",
    "--training.model.backbone.feed-forward=16",
    "--training.model.structure.fan-out=4",
    "--training.masked-zeros=0.3",
    "--training.epochs=3",
    "--tokens=60",
)


@pytest.fixture(scope="module")
def cells():
    """Counts of cells of two types with regulons of their own, whose activity was called."""
    rng = np.random.default_rng(0)
    kind = rng.permutation(np.repeat(["a", "b"], 60))
    rate = rng.gamma(0.5, 1.0, 120) * np.ones((120, 1))
    rate[np.ix_(kind == "a", np.arange(2, 16))] += 6
    rate[np.ix_(kind == "b", np.arange(16, 30))] += 6
    adata = anndata.AnnData(
        sparse.csr_matrix(rng.poisson(rate).astype(np.float32)),
        obs=pd.DataFrame({"kind": kind}, index=[f"c{i}" for i in range(120)]),
        var=pd.DataFrame(index=GENES),
    )
    sets = {"G000": GENES[2:16], "G001": GENES[16:30]}
    edges = pd.DataFrame([(tf, x) for tf, targets in sets.items() for x in targets])
    edges.columns = ["source", "target"]
    return grnjax.activity(adata, edges, groups="kind").to_anndata()


@pytest.fixture(scope="module")
def written(cells, tmp_path_factory, cli):
    folder = tmp_path_factory.mktemp("pretrain")
    cells.write_h5ad(folder / "active.h5ad")
    words = ["pretrain", folder / "active.h5ad", "--groups", "kind", *QUICK]
    words += ["--controls", "random-network", "no-network", "--out", folder / "run"]
    outcome = cli(*words)
    assert outcome.status == 0, outcome.err
    return folder, words, outcome


@pytest.mark.slow
def test_the_model_stands_beside_its_controls_and_means(written):
    folder, _, outcome = written
    record = json.loads((folder / "run" / "run.json").read_text())
    names = [row["model"] for row in record["rows"]]
    assert names == ["GRNFormer", "random-network", "no-network", "gene mean", "gene mean in type"]
    loss = {row["model"]: row["masked_loss"] for row in record["rows"]}
    assert len({loss[name] for name in names[:3]}) == 3
    assert loss["gene mean in type"] < loss["gene mean"]
    gain = loss["random-network"] - loss["GRNFormer"]
    assert f"Beyond random networks of equal degrees: {gain:+.4f}" in outcome.out
    assert record["tokens"]["tokens"] == 60 and record["data"]["normalised"]


@pytest.mark.slow
def test_cells_keep_their_names_and_get_vectors(written, cells):
    table = anndata.read_h5ad(written[0] / "run" / "cells.h5ad")
    assert table.obs_names.tolist() == cells.obs_names.tolist()
    assert table.obs["part"].value_counts().to_dict() == {"train": 84, "test": 24, "validation": 12}
    assert table.obsm["X_grnformer"].shape == (120, 16)
    assert np.isfinite(table.obsm["X_grnformer"]).all()
    counts = cells[:, table.var_names].X.toarray()
    np.testing.assert_array_equal(np.asarray(table.X) > 0, counts > 0)


@pytest.mark.slow
def test_again_it_is_finished_and_without_results_it_ends_alike(written, cli):
    folder, words, _ = written
    again = cli(*words)
    assert again.status == 0 and "already finished" in again.err
    before = json.loads((folder / "run" / "run.json").read_text())
    (folder / "run" / "cells.h5ad").unlink()
    assert cli(*words).status == 0
    after = json.loads((folder / "run" / "run.json").read_text())
    assert after["rows"] == before["rows"]
    assert (folder / "run" / "cells.h5ad").exists()


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"controls": ("shuffled-cells",)}, "there is none to trade"),
        ({"settings": {"aucell": {"top_share": 0.2}}}, "'top_share': 0.2"),
        ({"settings": {"method": "ulm"}}, "'method': 'ulm'"),
    ],
)
def test_networks_of_shown_values_are_those_of_the_cell(cells, changes, said):
    found = load_cells(cells, "kind", DataConfig())
    study = PretrainingStudy(controls=changes.get("controls", ()), tokens=60)
    training = dataclasses.replace(study.training, networks_from="shown")
    study = dataclasses.replace(study, training=training)
    found = found._replace(settings=found.settings | changes.get("settings", {}))
    with pytest.raises(ConfigError, match=said):
        run_study(found, study)


@pytest.mark.slow
def test_the_order_of_genes_changes_no_value(cells):
    """Values are joined with networks by name, in the log scale that a dense reader makes."""
    order = np.random.default_rng(1).permutation(120)
    found, turned = (load_cells(x, "kind", DataConfig()) for x in (cells, cells[:, order].copy()))
    place = [turned.genes.tolist().index(gene) for gene in found.genes]
    np.testing.assert_allclose(
        found.expression.toarray(), turned.expression[:, place].toarray(), rtol=1e-6
    )
    counts = cells.X.toarray().astype(np.float64)
    expected = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found.expression.toarray(), expected, rtol=1e-5)


@pytest.mark.slow
def test_a_vector_does_not_depend_on_the_cells_after_it(cells):
    found = load_cells(cells, "kind", DataConfig())
    study = PretrainingStudy(controls=(), tokens=60)
    study = grnjax.config.parse(study, QUICK[:-1], program="test")  # one program with `written`
    fitted, rows = run_study(found, study)
    assert [row["model"] for row in rows] == ["GRNFormer", "gene mean", "gene mean in type"]
    data = fitted.data
    fewer = data._replace(expression=data.expression[:40], active=data.active[:40])
    vectors = embed_cells(fitted)
    some = embed_cells(type(fitted)(**{**vars(fitted), "data": fewer}))
    np.testing.assert_allclose(vectors[:32], some[:32], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_converted_model_is_its_backbone(cells, cli, tmp_path):
    """Its genes alone are tokens, its arrays what the fit begins with, and layers stay frozen."""
    config = ScGPTConfig(
        layers=2, width=8, heads=2, feed_forward=8, norm_epsilon=1e-5, vocabulary=103, classes=0
    )
    names = ["<pad>", "<cls>", "<eoc>", *GENES[:100]]
    words = {"tokens": {name: token for token, name in enumerate(names)}}
    about = {"model": "scgpt", "config": to_json(config), "vocabulary": words, "settings": {}}
    variables = jax.tree.map(np.asarray, config.init(jax.random.key(0)))
    model = LoadedModel("scgpt", config, config.make(), variables, words, about)
    save_model(model, tmp_path / "scgpt", {"command": "test"})
    cells.write_h5ad(tmp_path / "active.h5ad")
    given = ["--groups", "kind", "--backbone", tmp_path / "scgpt", "--out", tmp_path / "run"]
    given += ["--training.freeze", "backbone/model/genes", "--training.epochs=1", "--controls"]
    given += ["--training.model.structure.fan-out=4", "--tokens=110"]
    outcome = cli("pretrain", tmp_path / "active.h5ad", *given)
    assert outcome.status == 0, outcome.err
    found = json.loads((tmp_path / "run" / "run.json").read_bytes())["tokens"]
    expressed = [gene for gene in GENES[:100] if cells[:, gene].X.sum() > 0]
    assert found["tokens"] == len(expressed) and found["genes_of_the_model"]["matched"] == 100
    assert found["start"]["taken_over"] > 20 and found["start"]["fresh"] > 5
    assert found["parameters"]["frozen_numbers"] == 103 * 8 + 2 * 8
    table = anndata.read_h5ad(tmp_path / "run" / "cells.h5ad")
    assert table.var_names.tolist() == expressed
    assert table.obsm["X_grnformer"].shape == (120, 8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--groups", "type"), r"no column 'type' for --groups"),
        (("--groups", "other"), r"60 of 120 cells have no type with a network"),
        (("--groups", "kind", "--data.split", "draw"), "reads one file of cells"),
        (("--groups", "kind", "--controls", "random"), "controls"),
        (("--groups", "kind", "--test-share", "0.999"), "too few"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(cells, tmp_path, cli, words, sentence):
    adata = cells.copy()
    adata.obs["other"] = np.where(adata.obs["kind"] == "a", "a", "c")
    adata.write_h5ad(tmp_path / "active.h5ad")
    outcome = cli("pretrain", tmp_path / "active.h5ad", *words, "--out", tmp_path / "run")
    assert outcome.status == 2 and sentence.replace("\\", "") in outcome.err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_cells_without_activity_are_told_what_makes_it(cells, tmp_path, cli):
    bare = anndata.AnnData(cells.X, cells.obs, cells.var)
    bare.write_h5ad(tmp_path / "cells.h5ad")
    words = "--groups", "kind", "--out", tmp_path / "run"
    outcome = cli("pretrain", tmp_path / "cells.h5ad", *words)
    assert outcome.status == 2 and "grnjax activity CELLS --regulons TABLE" in outcome.err
