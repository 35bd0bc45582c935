"""Shared by tests of tasks: what stands for training."""

import pytest

from grnjax.training.keeper import FitResult


@pytest.fixture(scope="module", autouse=True)
def compile_quickly(compile_quickly):
    """What these tests ask of a program holds at any optimisation, and they compile many."""


@pytest.fixture(scope="module", autouse=True)
def judge_quickly(trivial_rows_once):
    """Most of these tests judge the same pairs."""


class NoTraining:
    """Stands for a recorder: keeps the names and the data of the fits; scores are given."""

    def __init__(self, scores=(0.5,)):
        self.names, self.data, self.scores, self.groups = [], [], list(scores), []

    def fit_all(self, trainer, jobs):
        self.groups.append(len(jobs))
        for job in jobs:
            score = self.scores[len(self.names) % len(self.scores)]
            self.names.append(job.name)
            self.data.append(job.build())
            yield FitResult({}, 10, score, 20), self.data[-1]


@pytest.fixture
def no_training():
    """The class that stands for a recorder."""
    return NoTraining
