"""The file of scFoundation: three models by their keys, the sizes of each, and its arrays.

`gene` is meant for vectors of genes, `cell` for those of cells, `rde` for cells whose depth is to
be raised; they have weights of their own, and each becomes a checkpoint of its own. Layers, widths
and heads are those of the config beside the weights; the widths inside the feed-forward parts and
the number of random directions, which it leaves out, are read from the arrays.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from grnjax.errors import CheckpointError, ConfigError
from grnjax.foundation.performer_weights import (
    COUNTER,
    list_rules,
    read_performer_config,
)
from grnjax.foundation.scfoundation import ScFoundationConfig
from grnjax.foundation.transformer import TransformerConfig
from grnjax.foundation.weights import (
    Flat,
    Linear,
    Rule,
    Rules,
    list_dense_rules,
    list_norm_rules,
    strip_prefix,
    to_torch,
)

KEYS = ("gene", "cell", "rde")
PREFIX = "model."
BLOCK = "encoder.transformer_encoder.{i}"
HERE = "encoder/layer_{i}"
QUERY_KEY_VALUE = tuple(f"{HERE}/attention/{name}" for name in ("query", "key", "value"))
NORM_EPSILON = 1e-5

RULES: Rules = (
    *list_dense_rules("token_emb.mlp", "token_emb/mlp"),
    *list_dense_rules("token_emb.mlp2", "token_emb/mlp2"),
    Rule("token_emb.emb.weight", "token_emb/bins"),
    Rule("token_emb.emb_mask.weight", "token_emb/mask"),
    Rule("token_emb.emb_pad.weight", "token_emb/pad"),
    Rule("pos_emb.weight", "pos_emb/embedding"),
    Rule(
        f"{BLOCK}.self_attn.in_proj_weight",
        tuple(f"{path}/kernel" for path in QUERY_KEY_VALUE),
        Linear(),
    ),
    Rule(
        f"{BLOCK}.self_attn.in_proj_bias", tuple(f"{path}/bias" for path in QUERY_KEY_VALUE), Flat()
    ),
    Rule(f"{BLOCK}.self_attn.out_proj.weight", f"{HERE}/attention/out/kernel", Linear(inputs=2)),
    Rule(f"{BLOCK}.self_attn.out_proj.bias", f"{HERE}/attention/out/bias"),
    *list_dense_rules(f"{BLOCK}.linear1", f"{HERE}/ffn_in"),
    *list_dense_rules(f"{BLOCK}.linear2", f"{HERE}/ffn_out"),
    *list_norm_rules(f"{BLOCK}.norm1", f"{HERE}/attention_norm"),
    *list_norm_rules(f"{BLOCK}.norm2", f"{HERE}/ffn_norm"),
    *list_norm_rules("encoder.norm", "encoder/norm"),
    *list_dense_rules("decoder_embed", "decoder_embed"),
    *list_rules("decoder.performer", "decoder"),
    *list_norm_rules("decoder.norm", "decoder_norm"),
    *list_norm_rules("norm", "norm"),
    *list_dense_rules("to_final", "to_final"),
)


def find_part(
    checkpoint: Mapping[str, Any], key: str
) -> tuple[Mapping[str, Any], dict[str, np.ndarray]]:
    """The config and the arrays of one model of a file, the arrays without `model.` before them.

    A file of one model, {"config", "model_state_dict"} or {"config", "state_dict"}, has no keys.

    Raises:
        CheckpointError: there is no such model in the file.
    """
    entry = checkpoint if "config" in checkpoint else checkpoint.get(key)
    entry = entry if isinstance(entry, Mapping) else {}
    arrays = entry.get("state_dict", entry.get("model_state_dict"))
    if not isinstance(entry.get("config"), Mapping) or not isinstance(arrays, Mapping):
        raise CheckpointError(
            f"no model {key!r} of scFoundation in the file, which holds "
            f"{', '.join(map(str, [*checkpoint][:10]))}; name one with a config and a state_dict, "
            f"published are {', '.join(KEYS)}."
        )
    return entry["config"], strip_prefix(arrays, PREFIX)


def to_published(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a state_dict of the authors' program, from variables of `ScFoundation`."""
    counted = to_torch(variables, RULES) | {f"decoder.performer.{COUNTER}": np.zeros((), np.int64)}
    return {PREFIX + name: array for name, array in counted.items()}


def read_config(
    published: Mapping[str, Any], arrays: Mapping[str, np.ndarray], **choices: Any
) -> ScFoundationConfig:
    """The settings of one model, from its config and arrays as `find_part` gives them.

    Args:
        choices: what the file does not decide: key_maximum of the decoder; dtype, recompute.

    Raises:
        ConfigError: a setting is missing, or has a value for which this is another model.
        CheckpointError: an array that tells a size is not there, or the two disagree.
    """
    model = _take(published, "model")
    sizes = _take(_take(published, "model_config"), model)
    data = _take(_take(published, "dataset_config"), "rnaseq")
    encoder, decoder = _take(sizes, "encoder"), _take(sizes, "decoder")
    _require(model, "mae_autobin", "model")
    _require(data.get("bin_type", "auto_bin"), "auto_bin", "bin_type")
    _require(_take(encoder, "module_type"), "transformer", "module_type of the encoder")
    _require(_take(decoder, "module_type"), "performer", "module_type of the decoder")
    _require(encoder.get("norm_first", False), False, "norm_first of the encoder")
    inner = arrays.get(f"{BLOCK}.linear1.weight".format(i=0))
    if inner is None or inner.ndim != 2:
        raise CheckpointError(
            f"{BLOCK.format(i=0)}.linear1.weight is not there as a matrix; the file must be that "
            "of the pretrained scFoundation, whole."
        )
    shared = {name: choices[name] for name in ("dtype", "recompute") if name in choices}
    config = ScFoundationConfig(
        genes=_take(sizes, "seq_len") - 2,
        value_bins=_take(sizes, "bin_num"),
        value_alpha=float(_take(sizes, "bin_alpha")),
        mask_value=float(_take(sizes, "mask_token_id")),
        pad_value=float(_take(sizes, "pad_token_id")),
        encoder=TransformerConfig(
            layers=_take(encoder, "depth"),
            width=_take(encoder, "hidden_dim"),
            heads=_take(encoder, "heads"),
            feed_forward=len(inner),
            norm_epsilon=NORM_EPSILON,
            **shared,
        ),
        decoder=read_performer_config(arrays, "decoder.performer", **choices),
    )
    names = {"hidden_dim": "width", "depth": "layers", "heads": "heads", "dim_head": "head_width"}
    for theirs, ours in names.items():
        found = getattr(config.decoder, ours)
        if decoder.get(theirs, found) != found:
            raise CheckpointError(
                f"{theirs} of the decoder is {decoder[theirs]} in the config and {found} in the "
                "weights; take both from one file."
            )
    return config


def describe_config(config: ScFoundationConfig) -> dict[str, Any]:
    """The published config of a model with these settings, which `read_config` reads."""
    encoder, decoder = config.encoder, config.decoder
    sizes = {
        "seq_len": config.places,
        "bin_num": config.value_bins,
        "bin_alpha": config.value_alpha,
        "mask_token_id": config.mask_value,
        "pad_token_id": config.pad_value,
        "encoder": {
            "module_type": "transformer",
            "norm_first": False,
            "hidden_dim": encoder.width,
            "depth": encoder.layers,
            "heads": encoder.heads,
        },
        "decoder": {
            "module_type": "performer",
            "hidden_dim": decoder.width,
            "depth": decoder.layers,
            "heads": decoder.heads,
            "dim_head": decoder.head_width,
        },
    }
    return {
        "model": "mae_autobin",
        "model_config": {"mae_autobin": sizes},
        "dataset_config": {"rnaseq": {"bin_type": "auto_bin"}},
    }


def _take(settings: Mapping[str, Any], name: str) -> Any:
    """A setting of the published config."""
    if not isinstance(settings, Mapping) or name not in settings:
        raise ConfigError(
            f"the config of a scFoundation needs {name}; it must be the one that was published "
            "with the weights."
        )
    return settings[name]


def _require(value: Any, wanted: Any, name: str) -> None:
    if value != wanted:
        raise ConfigError(f"{name} is {value} in the config; the scFoundation here has {wanted}.")
