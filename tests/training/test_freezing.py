"""Parameters frozen by name, and fits that begin with given arrays."""

import numpy as np
import pytest

from grnjax.errors import ConfigError
from grnjax.training.freezing import FROZEN, count_frozen, split_frozen, thaw
from grnjax.training.warm_start import count_taken, take_over

PARAMETERS = {
    "embeddings": {"word": np.ones((5, 2)), "norm": {"scale": np.ones(2)}},
    "layer_1": {"kernel": np.ones((2, 2))},
    "layer_2": {"kernel": np.ones((2, 2))},
    "layer_10": {"kernel": np.ones((2, 2)), "bias": np.zeros(2)},
}


def names(tree, prefix=""):
    return {
        path
        for key, value in tree.items()
        for path in (names(value, f"{prefix}{key}/") if isinstance(value, dict) else [prefix + key])
    }


@pytest.mark.parametrize(
    ("patterns", "frozen"),
    [
        (["layer_1"], {"layer_1/kernel"}),
        (["layer_[0-9]"], {"layer_1/kernel", "layer_2/kernel"}),
        (["layer_*"], {"layer_1/kernel", "layer_2/kernel", "layer_10/kernel", "layer_10/bias"}),
        (["*/kernel"], {"layer_1/kernel", "layer_2/kernel", "layer_10/kernel"}),
        (["embeddings/norm", "layer_2/"], {"embeddings/norm/scale", "layer_2/kernel"}),
    ],
)
def test_patterns_name_arrays_and_what_is_below_them(patterns, frozen):
    learned, others = split_frozen(PARAMETERS, patterns)
    assert names(others[FROZEN]) == frozen and names(learned) == names(PARAMETERS) - frozen
    whole = thaw({"params": learned, **others, "buffers": {"x": 1}})
    assert names(whole["params"]) == names(PARAMETERS)
    assert FROZEN not in whole and whole["buffers"] == {"x": 1}
    counts = count_frozen({"params": learned, **others})
    assert counts["arrays"] == 6 and counts["numbers"] == 26
    assert counts["frozen_arrays"] == len(frozen)


def test_without_patterns_nothing_changes():
    assert split_frozen(PARAMETERS, []) == (PARAMETERS, {})


@pytest.mark.parametrize(
    ("patterns", "sentence"),
    [
        (["layer_3"], "layer_3, and no parameter is called so; did you mean layer_"),
        (["embedings"], "did you mean embeddings?"),
        (["xyz"], "known are embeddings"),
        (["*"], "all 6 arrays"),
    ],
)
def test_unknown_names_and_nothing_to_learn_are_errors(patterns, sentence):
    with pytest.raises(ConfigError) as error:
        split_frozen(PARAMETERS, patterns)
    assert sentence in str(error.value)


def test_given_arrays_take_the_place_of_fresh_ones_of_their_paths():
    fresh = {"params": {"a": np.zeros(2), "b": np.zeros(3)}}
    given = {"params": {"a": np.ones(2), "c": np.ones(9)}, "buffers": {"d": np.ones(1)}}
    found = take_over(fresh, given)
    assert names(found) == {"params/a", "params/b"}
    assert found["params"]["a"] is given["params"]["a"] and not found["params"]["b"].any()
    assert count_taken(fresh, given) == {"taken_over": 1, "fresh": 1, "unused": 2}
    assert take_over(fresh, None) is fresh
    with pytest.raises(ConfigError, match=r"params/b is \(2,\), not \(3,\)"):
        take_over(fresh, {"params": {"b": np.ones(2)}})
