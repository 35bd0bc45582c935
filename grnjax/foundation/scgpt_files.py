"""The files of scGPT as they are published: best_model.pt, args.json and vocab.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grnjax.foundation.published import SAFETENSORS, WEIGHTS, PublishedModel, Role, Source
from grnjax.foundation.reader import name_arrays, read_checkpoint, read_dictionary, read_json
from grnjax.foundation.scgpt import (
    FIXED,
    LICENCE,
    MASK_VALUE,
    PUBLISHED,
    RULES,
    ScGPTConfig,
    find_heads,
    read_config,
)
from grnjax.foundation.weights import Rules, strip_prefix

CONFIG_FILE, VOCABULARY_FILE = "args.json", "vocab.json"


class ScGPTFiles(PublishedModel):
    """scGPT, pretrained on any set of tissues; its heads are those that the weights have."""

    name = "scgpt"
    licence = LICENCE
    config = ScGPTConfig
    roles = {
        WEIGHTS: Role(("best_model.pt", SAFETENSORS), "the weights"),
        "config": Role((CONFIG_FILE,), "the sizes"),
        "tokens": Role((VOCABULARY_FILE,), "the token of each gene"),
    }

    def rules(self, config: ScGPTConfig) -> Rules:
        """Those of the authors' program, of all three layouts."""
        return RULES

    def read(self, files: Mapping[str, Path], part: str | None) -> Source:
        """A bare state_dict, or one under model_state_dict; with or without `module.`."""
        settings = read_json(files["config"])
        vocabulary = read_dictionary(files["tokens"])
        checkpoint = read_checkpoint(files[WEIGHTS])
        checkpoint = checkpoint.get("model_state_dict", checkpoint)
        arrays = strip_prefix(dict(name_arrays(checkpoint)), "module.")
        config = read_config(settings, vocabulary, **find_heads(arrays))
        return Source(config, arrays, settings, {"tokens": vocabulary})

    def name_files(self, settings: dict, vocabulary: dict) -> dict[str, Any]:
        """The config file and the vocabulary."""
        return {CONFIG_FILE: settings, VOCABULARY_FILE: vocabulary["tokens"]}

    def describe(self, config: ScGPTConfig) -> dict:
        """As in args.json, with the published rules of its tokens."""
        tokens = {"n_bins": 51, "max_seq_len": 1200, "pad_value": -2, "mask_value": MASK_VALUE}
        sizes = {theirs: getattr(config, ours) for theirs, ours in PUBLISHED.items()}
        return FIXED | tokens | sizes
