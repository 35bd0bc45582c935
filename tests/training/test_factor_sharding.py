"""The kernel factor model on 8 simulated devices, exact and by blocks, is that of one device."""

import pickle
import subprocess
import sys

import jax
import numpy as np
import pytest

from grnjax.models.kernel_factor import PairGrid
from grnjax.training.factor_blocks import BlockPlan, train_on_blocks
from grnjax.training.factor_ensemble import EnsembleConfig, score_members, train_members
from grnjax.training.sharding import make_mesh
from tests.devices import simulate_devices
from tests.training.test_factor_ensemble import MODEL

TFS, GENES, DIM = 7, 61, 5  # 61 genes on 8 devices: three fill them up
CONFIG = EnsembleConfig(steps=30, evaluate_every=15)
FORMS = ("exact", "blocks", "blocks that divide")
PROGRAM = """
import pickle, sys
from grnjax.training.factor_sharding import GenePairs, spread_genes
from grnjax.training.sharding import make_mesh
from tests.training.test_factor_sharding import FORMS, make_problem, train
found = {form: train(form, split=True) for form in FORMS}
pairs = spread_genes(GenePairs(*make_problem()), make_mesh())
found["shards"] = [x.addressable_shards[0].data.shape for x in (pairs.labels, *pairs.grid)]
sys.stdout.buffer.write(pickle.dumps(found))
"""


def make_problem():
    """A grid with all kinds of features, and labels by two coordinates."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(GENES, DIM)).astype(np.float32) / np.sqrt(DIM)
    logits = 5 * rng.normal(size=(TFS, 2)) @ z[:, :2].T
    observed = (rng.random((TFS, GENES)) < 0.8).astype(np.float32)
    labels = (rng.random((TFS, GENES)) < 1 / (1 + np.exp(-logits))).astype(np.float32) * observed
    features = rng.normal(size=(5, TFS, GENES)).astype(np.float32)
    known = observed.any(axis=1).astype(np.float32), observed.any(axis=0).astype(np.float32)
    parts = features[:2], features[2:3], *known, np.float32(-0.3), features[3:]
    return PairGrid(z, *parts), labels, observed


def train(form, split):
    """Members at the last snapshot, and their logits."""
    problem, mesh = make_problem(), make_mesh() if split else None
    if form == "exact":
        members = {
            k: x[-1] for k, x in train_members(MODEL, CONFIG, *problem, 3, mesh=mesh).items()
        }
    else:
        plan = BlockPlan(24 if form == "blocks that divide" else 30, 20, 2)
        *_, members = train_on_blocks(MODEL, CONFIG, plan, *problem, seed=3, mesh=mesh)
    return members | {"logits": np.asarray(score_members(members, problem[0]))}


@pytest.fixture(scope="module")
def on_eight():
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=simulate_devices(8), capture_output=True, timeout=300
    )
    assert run.returncode == 0, run.stderr.decode()
    return pickle.loads(run.stdout)


@pytest.mark.slow
def test_each_device_has_an_eighth_of_the_genes(on_eight):
    pairs = (TFS, 8)
    expected = [pairs, (8, DIM), (2, *pairs), (1, *pairs), (TFS,), (8,), (), (2, *pairs)]
    assert on_eight["shards"] == expected


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_eight_devices_are_one(on_eight, form):
    assert jax.device_count() == 1
    expected = train(form, split=False)
    for name, values in expected.items():
        assert on_eight[form][name].shape == values.shape
        np.testing.assert_allclose(on_eight[form][name], values, atol=1e-5, err_msg=name)
