"""The files of Geneformer as they are published: weights, config.json, and dictionaries of genes.

The dictionaries lie apart from the weights in the authors' repository and are of one release with
them (V1 `_gc30M`, V2 `_gc104M`), so they are found beside the weights only where a user put them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grnjax.errors import ConfigError
from grnjax.foundation.geneformer import (
    FIXED,
    LICENCE,
    PUBLISHED,
    RULES,
    GeneformerConfig,
    read_config,
)
from grnjax.foundation.published import SAFETENSORS, WEIGHTS, PublishedModel, Role, Source
from grnjax.foundation.reader import name_arrays, read_checkpoint, read_dictionary, read_json
from grnjax.foundation.weights import Rules

CONFIG_FILE = "config.json"
DICTIONARIES = {
    "tokens": "token_dictionary",
    "medians": "gene_median_dictionary",
    "gene_ids": "ensembl_mapping_dict",
    "gene_names": "gene_name_id_dict",
}
WORDS = {
    "tokens": ("the token of each gene", "cells cannot be tokenised"),
    "medians": ("the median of each gene", "cells cannot be tokenised"),
    "gene_ids": ("present Ensembl ids by former ones", "former Ensembl ids are not recognised"),
    "gene_names": ("Ensembl ids by symbols", "genes with symbols are not recognised"),
}


class GeneformerFiles(PublishedModel):
    """Geneformer of any size, V1 and V2."""

    name = "geneformer"
    licence = LICENCE
    config = GeneformerConfig
    roles = {
        WEIGHTS: Role((SAFETENSORS, "pytorch_model.bin"), "the weights"),
        "config": Role((CONFIG_FILE,), "the sizes"),
        **{
            role: Role((f"{name}*.pkl", f"{name}*.json"), *WORDS[role])
            for role, name in DICTIONARIES.items()
        },
    }

    def rules(self, config: GeneformerConfig) -> Rules:
        """Those of `BertForMaskedLM`."""
        return RULES

    def read(self, files: Mapping[str, Path], part: str | None) -> Source:
        """Weights of either form, sizes, and the dictionaries that are there."""
        settings = read_json(files["config"])
        config = read_config(settings)
        vocabulary = {role: read_dictionary(files[role]) for role in DICTIONARIES if role in files}
        if "tokens" in vocabulary:
            check_tokens(vocabulary["tokens"], config, files["tokens"])
        arrays = dict(name_arrays(read_checkpoint(files[WEIGHTS])))
        return Source(config, arrays, settings, vocabulary)

    def name_files(self, settings: dict, vocabulary: dict) -> dict[str, Any]:
        """The config file, and the dictionaries as JSON."""
        named = {f"{DICTIONARIES[role]}.json": values for role, values in vocabulary.items()}
        return {CONFIG_FILE: settings, **named}

    def describe(self, config: GeneformerConfig) -> dict:
        """As in config.json."""
        return FIXED | {theirs: getattr(config, ours) for theirs, ours in PUBLISHED.items()}


def check_tokens(tokens: Mapping[str, int], config: GeneformerConfig, path: Path) -> None:
    """Refuses a token dictionary that is not of these weights.

    Raises:
        ConfigError: tokens repeat, are not among the rows of the table, or pad otherwise.
    """
    numbers = [x for x in tokens.values() if isinstance(x, int) and 0 <= x < config.vocabulary]
    if len(numbers) < len(tokens) or len({*numbers}) < len(numbers):
        raise ConfigError(
            f"{path}: {len(tokens):,} names with {len({*numbers}):,} different tokens below "
            f"{config.vocabulary:,}, the vocabulary of the weights; take the token dictionary of "
            "their release."
        )
    if tokens.get("<pad>", config.padding) != config.padding:
        raise ConfigError(
            f"{path}: <pad> is {tokens['<pad>']}, and the config file pads with {config.padding}; "
            "take the token dictionary of the same release."
        )
