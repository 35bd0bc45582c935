"""Every method still gives the scores of version 0.1.0 (tests/golden/methods.py has more sets)."""

import pytest

from grnjax.data.simulator import EmbeddedConfig
from grnjax.tasks.loading import load_embedded
from tests.golden import methods


@pytest.fixture(scope="module")
def embedded():
    return load_embedded(EmbeddedConfig())


@pytest.mark.slow
@pytest.mark.parametrize("design", ["infer", "scores", "train"])
def test_scores_are_the_golden_ones_within_rounding(embedded, design):
    scores = {
        "infer": lambda: methods.infer_embedded(embedded),
        "scores": lambda: methods.score_expression("embedded", embedded.dataset),
        "train": lambda: methods.train("embedded", embedded.dataset),
    }[design]()
    worst = {name: methods.compare(name, values)[1] for name, values in scores}
    assert len(worst) >= 4
    assert max(worst.values()) <= 1e-6, worst
