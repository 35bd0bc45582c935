"""Every method still gives the scores of version 0.1.0 (tests/golden/methods.py has more sets)."""

import pytest

from grnjax.tasks.loading import load_embedded
from tests.golden import methods


@pytest.fixture(scope="module")
def small():
    return load_embedded(methods.SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("design", ["infer", "scores", "train"])
def test_scores_are_the_golden_ones_within_rounding(small, design, monkeypatch):
    """Sums of another CPU than the one they were recorded on are seen to differ by 3e-6.

    GT-GRN decides by comparisons on its way, which such a difference turns: there its scores differ
    by .2 of the largest and more, and are held to rank as the golden ones do.
    """
    monkeypatch.setattr("grnjax.tasks.network_inference.trivial_out_of_fold", lambda *_: {})
    scores = {
        "infer": lambda: methods.infer_embedded(small, "small"),
        "scores": lambda: methods.score_expression("small", small.dataset),
        "train": lambda: methods.train("small", small.dataset, methods.SMALL_GT_GRN),
    }[design]()
    found = {name: methods.compare(name, values)[1:] for name, values in scores}
    assert len(found) >= 4
    if not methods.is_recorded_cpu():
        decided = [name for name in found if "GT-GRN" in name]
        order = {name: found.pop(name)[1] for name in decided}
        assert min(order.values(), default=1) >= 0.8, order
    assert max(worst for worst, _ in found.values()) <= 1e-5, found
