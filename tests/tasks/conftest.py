"""The small simulated set as the tasks see it."""

import pytest

from grnjax.data.expression import DataConfig
from grnjax.tasks.cross_fitting import list_candidates
from grnjax.tasks.loading import load_dataset


@pytest.fixture(scope="module")
def dataset(small_set):
    expression, _, network, _, tfs = small_set.arguments
    return load_dataset(expression, network, tfs, DataConfig())


@pytest.fixture(scope="module")
def candidates(dataset):
    return list_candidates(dataset)
