"""A new method is settings that fit parts of a problem, and no file of grnjax has to know of it."""

import json
import logging

import anndata
import numpy as np
import pandas as pd
import pytest

import grnjax
from grnjax.errors import ConfigError
from grnjax.progress import logger
from grnjax.tasks.link_prediction import run_study
from grnjax.tasks.network_inference import InferenceConfig
from grnjax.tasks.split_fits import LinkPredictionConfig, SplitConfig, draw_splits

FOLDS = InferenceConfig(repeats=1, folds=3, explain=True)


@pytest.fixture
def inputs(small_set):
    """What `grnjax.infer` takes."""
    expression, _, network, _, tfs = small_set.arguments
    return {"expression": expression, "known": network, "tfs": tfs}


@pytest.fixture(scope="module")
def planted():
    """Cells in which each target follows two TFs, and those edges."""
    rng, tfs = np.random.default_rng(0), [f"TF{i}" for i in range(8)]
    activity = rng.normal(size=(150, 8))
    regulators = [rng.choice(8, 2, replace=False) for _ in range(60)]
    targets = np.stack([activity[:, two].sum(axis=1) for two in regulators], axis=1)
    values = np.concatenate([activity, targets + rng.normal(size=targets.shape)], axis=1) + 9
    genes = tfs + [f"G{i:02d}" for i in range(60)]
    adata = anndata.AnnData(values.astype(np.float32), var=pd.DataFrame(index=genes))
    edges = [(tfs[tf], f"G{i:02d}") for i, two in enumerate(regulators) for tf in two]
    return adata, pd.DataFrame(edges, columns=["tf", "target"])


@pytest.fixture
def logged(caplog):
    """Lines of the package's log, which does not reach the root logger."""
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.INFO, logger=logger.name):
        yield caplog
    logger.removeHandler(caplog.handler)


def refuse(*args):
    raise AssertionError("fitted again")


@pytest.mark.slow
def test_it_learns_from_the_labels_of_each_part(recipe, planted):
    network = grnjax.infer(*planted, method=recipe.CoexpressionMethod(), config=FOLDS)
    assert network.method == "CoexpressionMethod"
    rows = [row for row in network.rows if row["method"] == network.method]
    assert [row["draw"] for row in rows] == [0, 1, 2]
    assert np.mean([row["auroc"] for row in rows]) > 0.85
    assert {row["method"] for row in network.rows} > {network.method}, "trivial rows beside it"


@pytest.mark.slow
def test_its_terms_add_up_to_the_logit(recipe, inputs):
    edges = grnjax.infer(**inputs, method=recipe.CoexpressionMethod(), config=FOLDS).edges
    terms = edges[[f"logit: {term}" for term in recipe.TERMS]]
    assert np.allclose(terms.sum(axis=1), edges["logit"], atol=1e-5)
    assert (terms.std() > 0).all()


@pytest.mark.slow
def test_a_second_run_reads_the_fits_back(recipe, inputs, tmp_path, monkeypatch, logged):
    settings = dict(method=recipe.CoexpressionMethod(), config=FOLDS, folder=tmp_path)
    first = grnjax.infer(**inputs, **settings)
    monkeypatch.setattr(recipe, "fit_weights", refuse)
    pd.testing.assert_frame_equal(grnjax.infer(**inputs, **settings).edges, first.edges)
    for fold in range(3):
        assert f"repeat0-fold{fold}: read back" in logged.text
    with pytest.raises(AssertionError, match="fitted again"):
        grnjax.infer(**inputs, **{**settings, "folder": tmp_path / "other"})


@pytest.mark.slow
def test_its_controls_are_fitted_beside_it(recipe, planted):
    config = LinkPredictionConfig(
        method=recipe.CoexpressionMethod(),
        split=SplitConfig(draws=(0, 1)),
        controls=("expression-permuted", "labels-rewired"),
    )
    dataset = grnjax.read(*planted)
    results = run_study(dataset, draw_splits(dataset, config.split), config)
    rows = pd.DataFrame(results.rows).groupby("method")["auroc"].mean()
    assert rows["CoexpressionMethod"] > 0.85
    assert rows["CoexpressionMethod, expression permuted"] < 0.7
    assert rows["CoexpressionMethod, labels rewired"] < rows["CoexpressionMethod"]
    with pytest.raises(ConfigError, match="CoexpressionMethod has no control x; choose among exp"):
        LinkPredictionConfig(method=recipe.CoexpressionMethod(), controls=("x",))


def test_what_it_does_not_read_and_cannot_do_is_a_sentence(recipe, inputs, genelink_folder):
    with pytest.raises(ConfigError, match="CoexpressionMethod does not read evidence; leave it"):
        grnjax.infer(**inputs, method=recipe.CoexpressionMethod(), evidence=["table=x.csv"])
    with pytest.raises(ConfigError, match="ridge must be above 0, got 0"):
        recipe.CoexpressionMethod(ridge=0)
    folder = genelink_folder()
    with pytest.raises(ConfigError, match="CoexpressionMethod cannot be transferred"):
        grnjax.transfer(folder, folder, method=recipe.CoexpressionMethod())


@pytest.mark.slow
def test_the_command_line_infers_by_it_and_explains(recipe, shown, small_set, cli, tmp_path):
    flags = [shown("--method=my_method:CoexpressionMethod"), shown("--explain"), "--repeats=1"]
    flags += ["--method.ridge=2", "--folds=3"]
    outcome = cli("infer", *small_set.arguments, *flags, "--out", tmp_path / "run")
    assert outcome.status == 0, outcome.err
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["config"]["method"] == {"class": "CoexpressionMethod", "ridge": 2.0}
    assert "logit: joint" in pd.read_csv(tmp_path / "run/edges.tsv", sep="\t")
    helped = cli("infer", "--method=my_method:CoexpressionMethod", "--help-all").out
    assert "--method.ridge" in helped and "--method.kernels" not in helped


@pytest.mark.slow
def test_the_command_line_trains_it_with_a_control(recipe, shown, genelink_folder, cli, tmp_path):
    flags = [
        shown("--method=my_method:CoexpressionMethod"),
        *shown("--controls expression-permuted").split(),
    ]
    outcome = cli("train", genelink_folder(), *flags, "--out", tmp_path / "run")
    assert outcome.status == 0, outcome.err
    assert "CoexpressionMethod, expression permuted" in outcome.out
