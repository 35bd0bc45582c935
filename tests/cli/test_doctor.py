"""`grnjax doctor` names versions and device, and its self-test can fail."""

import re
from types import SimpleNamespace

import jax
import pytest

from grnjax.cli import doctor


def test_it_names_versions_device_and_memory(cli):
    outcome = cli("doctor", "--no-self-test")
    assert outcome.status == 0 and outcome.err == ""
    assert re.search(rf"^jax +{re.escape(jax.__version__)}$", outcome.out, re.MULTILINE)
    device = rf"^device +{jax.device_count()} x .+ \({jax.default_backend()}\)$"
    assert re.search(device, outcome.out, re.MULTILINE)
    assert re.search(r"^memory +[\d.]+ of [\d.]+ GiB free", outcome.out, re.MULTILINE)
    assert "self-test" not in outcome.out


@pytest.mark.slow
def test_the_self_test_learns_a_small_network_and_fails_if_it_does_not(cli, monkeypatch):
    outcome = cli("doctor")
    assert outcome.status == 0, outcome.err
    found = re.search(r"^self-test +passed in [\d.]+ s: test AUROC (0\.\d+)$", outcome.out, re.M)
    assert float(found[1]) > doctor.LEAST_AUROC

    useless = SimpleNamespace(rows=[{"auroc": 0.51}])
    monkeypatch.setattr(doctor, "run_study", lambda *inputs: useless)
    outcome = cli("doctor")
    assert outcome.status == 2
    complaint = outcome.err.splitlines()[-1]
    assert complaint.startswith("grnjax doctor: the self-test reached AUROC 0.510, below 0.6")
