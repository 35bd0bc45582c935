"""The arrays of Performer layers as the published files name them, and their sizes read from these.

scBERT and the decoder of scFoundation name them alike; only scFoundation's queries, keys and values
have a bias. The random directions are stored with the weights, as buffers.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from grnjax.errors import CheckpointError
from grnjax.foundation.performer import PerformerConfig
from grnjax.foundation.weights import Flat, Ignored, Linear, Rule, list_dense_rules, list_norm_rules

LAYER = "net.layers.{i}"
COUNTER = "calls_since_last_redraw"
"""A number beside the layers, without which their programs refuse a file."""
DIRECTIONS = f"{LAYER}.0.fn.fast_attention.projection_matrix"


def list_rules(theirs: str, ours: str) -> tuple[Rule | Ignored, ...]:
    """The rules of all layers, between `theirs` and `ours` as what their names begin with."""
    layer, here = f"{theirs}.{LAYER}", f"{ours}/layer_{{i}}"
    attention = f"{layer}.0.fn"
    rules: list[Rule | Ignored] = [
        Ignored(f"{theirs}.{COUNTER}", "a counter of training steps"),
        Rule(f"{theirs}.{DIRECTIONS}", f"{here}/projection", collection="buffers"),
        Rule(f"{attention}.to_out.weight", f"{here}/attention/out/kernel", Linear(inputs=2)),
        Rule(f"{attention}.to_out.bias", f"{here}/attention/out/bias"),
    ]
    for short, name in (("q", "query"), ("k", "key"), ("v", "value")):
        place = f"{here}/attention/{name}"
        rules.append(Rule(f"{attention}.to_{short}.weight", f"{place}/kernel", Linear()))
        rules.append(Rule(f"{attention}.to_{short}.bias", f"{place}/bias", Flat()))
    for number, name in ((0, "attention_norm"), (1, "ffn_norm")):
        rules += list_norm_rules(f"{layer}.{number}.norm", f"{here}/{name}")
    for short, name in (("w1", "ffn_in"), ("w2", "ffn_out")):
        rules += list_dense_rules(f"{layer}.1.fn.fn.{short}", f"{here}/{name}")
    return tuple(rules)


def read_performer_config(
    arrays: Mapping[str, np.ndarray], theirs: str, **choices: Any
) -> PerformerConfig:
    """The sizes of the layers whose names begin with `theirs`, from the shapes of their arrays.

    A head is as wide as a random direction is long, so the heads are the rows of the query matrix
    divided by that; nothing else in a file tells them.

    Args:
        choices: what the weights do not decide: key_maximum, dtype, recompute.

    Raises:
        CheckpointError: there are no such layers, or their rows cannot be divided so.
    """
    pattern = re.escape(f"{theirs}.{DIRECTIONS}").replace(r"\{i\}", "([0-9]+)")
    layers = [match for name in arrays if (match := re.fullmatch(pattern, name))]
    first = f"{theirs}.{LAYER}".format(i=0)
    names = {
        "directions": f"{theirs}.{DIRECTIONS}".format(i=0),
        "query": f"{first}.0.fn.to_q.weight",
        "inner": f"{first}.1.fn.fn.w1.weight",
    }
    missing = [name for name in names.values() if np.ndim(arrays.get(name, 0)) != 2]
    if missing:
        raise CheckpointError(
            f"the sizes of the Performer layers cannot be read: {len(missing)} of "
            f"{len(names)} matrices are not there ({', '.join(missing)}); the file must be that "
            "of the pretrained model, whole."
        )
    features, head_width = arrays[names["directions"]].shape
    rows, width = arrays[names["query"]].shape
    if rows % head_width:
        raise CheckpointError(
            f"{names['query']} has {rows} rows, which are no multiple of the {head_width} numbers "
            f"of a direction in {names['directions']}; the two must be of one model."
        )
    return PerformerConfig(
        width=width,
        layers=len(layers),
        heads=rows // head_width,
        head_width=head_width,
        features=features,
        feed_forward=len(arrays[names["inner"]]),
        bias=f"{first}.0.fn.to_q.bias" in arrays,
        **choices,
    )
