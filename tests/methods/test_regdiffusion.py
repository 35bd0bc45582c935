"""The matrix of the denoiser: a planted regulator stands out, and a run resumes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from grnjax.methods.method import Problem
from grnjax.methods.regdiffusion import RegDiffusionMethod
from grnjax.models.regdiffusion import Denoiser, DenoiserConfig, remaining_signal
from grnjax.training.denoising import CellData, DenoisingConfig, DenoisingObjective
from grnjax.training.recorder import FitRecorder
from grnjax.types import Dataset, GeneTable, LabelledPairs, Part, Split

TFS, GENES = 4, 16
NONE = LabelledPairs(np.empty((0, 2), np.int32), np.empty(0, np.float32))
ALL = Part(Split(NONE, NONE, NONE, "all pairs", 0), "all", 0)


@pytest.fixture(scope="module")
def planted():
    """Each of twelve targets follows one of four TFs; one gene does not vary."""
    rng = np.random.default_rng(0)
    tfs = rng.normal(size=(300, TFS))
    targets = tfs[:, np.arange(GENES - TFS) % TFS] + 0.3 * rng.normal(size=(300, GENES - TFS))
    expression = np.concatenate([tfs, targets, np.ones((300, 1))], axis=1).astype(np.float32)
    names = np.array([f"G{i:02d}" for i in range(GENES + 1)])
    is_tf, measured = np.arange(GENES + 1) < TFS, np.ones(GENES + 1, bool)
    genes = GeneTable(names, is_tf, expression, measured)
    tfs = genes.tfs
    return Problem(dataset=Dataset(genes, NONE, {}), parts=(), tfs=tfs, trainable=tfs)


@pytest.fixture(scope="module")
def fitted(planted):
    training = DenoisingConfig(epochs=400, batch_size=64, evaluate_every=200)
    with FitRecorder(None, 0, 0, "") as recorder:
        [fit] = RegDiffusionMethod(training=training).fit_all(planted, [ALL], recorder)
    return fit


@pytest.mark.slow
def test_planted_regulators_stand_out(fitted):
    true = np.arange(GENES - TFS) % TFS == np.arange(TFS)[:, None]
    scores = fitted.matrix[:, TFS:GENES]
    assert roc_auc_score(true.ravel(), scores.ravel()) > 0.95


@pytest.mark.slow
def test_a_gene_has_nothing_on_itself_and_one_that_does_not_vary_nothing_at_all(fitted):
    assert not np.diag(fitted.matrix[:, :TFS]).any()
    assert not fitted.matrix[:, GENES].any() and (fitted.matrix[:, TFS:GENES] > 0).all()


@pytest.mark.slow
def test_a_control_of_the_same_run_has_a_fit_of_its_own(planted, tmp_path):
    training = DenoisingConfig(epochs=2, batch_size=16, evaluate_every=2)
    method, found = RegDiffusionMethod(training=training), []
    with FitRecorder(tmp_path, 2, 2, "") as recorder:
        for name in ("model", "expression-permuted"):
            problem = planted if name == "model" else method.controls()[name](planted, 0)
            part = dataclasses.replace(ALL, name=f"draw0-{name}-seed0")
            [fit] = method.fit_all(problem, [part], recorder)
            found.append(fit.matrix)
    assert not np.array_equal(*found)


@pytest.mark.slow
def test_noise_takes_the_place_of_the_signal_step_by_step():
    kept = remaining_signal(DenoiserConfig())
    assert (jnp.diff(kept) < 0).all() and kept[0] > 0.999 and kept[-1] < 1e-4
    objective = DenoisingObjective(DenoiserConfig(), DenoisingConfig())
    batch = objective.add_noise(jnp.full((2_000, 1), 3.0), jax.random.key(0))
    left = batch.noisy - jnp.sqrt(kept[batch.step])[:, None] * 3.0
    np.testing.assert_allclose(
        left, jnp.sqrt(1 - kept[batch.step])[:, None] * batch.noise, atol=1e-5
    )


@pytest.mark.slow
def test_a_target_is_denoised_by_tfs_alone_and_not_through_itself():
    """With A at 0 no gene reads another; with it, targets read TFs and nothing reads targets."""
    model, x = Denoiser(DenoiserConfig(widths=(4,))), jnp.ones((1, 5))
    step, tfs = jnp.zeros(1, jnp.int32), jnp.array([0, 1])
    parameters = model.init(jax.random.key(0), x, step, tfs)

    def reads(parameters):
        slope = jax.jacobian(lambda x: model.apply(parameters, x[None], step, tfs)[0])(x[0])
        return np.abs(slope) > 1e-9

    expected = np.eye(5, dtype=bool)
    expected[:, :2] = True
    np.testing.assert_array_equal(reads(parameters), expected)
    parameters["params"]["adjacency"] *= 0
    np.testing.assert_array_equal(reads(parameters), np.eye(5))


@pytest.mark.slow
def test_a_run_folder_keeps_the_fit(planted, tmp_path):
    training = DenoisingConfig(epochs=4, evaluate_every=2)
    method = RegDiffusionMethod(model=DenoiserConfig(widths=(4,)), training=training)
    problem = dataclasses.replace(planted, folder=tmp_path)
    found = []
    for _ in range(2):
        with FitRecorder(None, 0, 0, "") as recorder:
            [fit] = method.fit_all(problem, [ALL], recorder)
        found.append(fit.matrix)
    np.testing.assert_array_equal(*found)
    assert (tmp_path / "checkpoints" / "regdiffusion").is_dir()


@pytest.mark.slow
def test_rates_differ_between_the_matrix_and_the_layers(planted):
    config = DenoisingConfig(matrix_rate=0.02, learning_rate=1e-3)
    objective = DenoisingObjective(DenoiserConfig(widths=(4,)), config)
    cells = jnp.asarray(planted.dataset.genes.expression[:, :GENES])
    data = CellData(cells, jnp.arange(TFS, dtype=jnp.int32))
    parameters, _ = objective.init(jax.random.key(0), data)
    ones = jax.tree.map(jnp.ones_like, parameters)
    moved, _ = objective.optimizer.update(ones, objective.optimizer.init(parameters), parameters)
    assert float(moved["adjacency"][0, 0]) == pytest.approx(-0.02 / (TFS - 1), rel=1e-3)
    assert float(moved["genes"][0, 0]) == pytest.approx(-1e-3, rel=1e-3)
