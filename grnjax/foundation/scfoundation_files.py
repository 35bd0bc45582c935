"""The files of scFoundation as they are published: models.ckpt of three models, and a gene list."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from grnjax.foundation.gene_lists import name_gene_list, read_gene_list
from grnjax.foundation.published import SAFETENSORS, WEIGHTS, PublishedModel, Role, Source
from grnjax.foundation.reader import read_checkpoint, read_json
from grnjax.foundation.scfoundation import LICENCE, ScFoundationConfig
from grnjax.foundation.scfoundation_weights import (
    KEYS,
    RULES,
    describe_config,
    find_part,
    read_config,
    to_published,
)
from grnjax.foundation.weights import Rules

CONFIG_FILE = "config.json"


class ScFoundationFiles(PublishedModel):
    """One of the three models of scFoundation."""

    name = "scfoundation"
    licence = LICENCE
    config = ScFoundationConfig
    parts = KEYS
    roles = {
        WEIGHTS: Role(("models.ckpt", SAFETENSORS), "the weights"),
        "genes": Role(
            ("genes.json", "*gene_index*.tsv"),
            "the genes and their places",
            "cells cannot be brought into the order of the genes",
        ),
        "config": Role((CONFIG_FILE,), "the sizes, where they are not with the weights", ""),
    }

    def rules(self, config: ScFoundationConfig) -> Rules:
        """Those of the authors' program."""
        return RULES

    def read(self, files: Mapping[str, Path], part: str | None) -> Source:
        """Config and arrays of the part; of arrays alone, the config in a file beside them."""
        checkpoint = read_checkpoint(files[WEIGHTS])
        is_bare = all(isinstance(value, np.ndarray) for value in checkpoint.values())
        if is_bare and "config" in files:
            checkpoint = {"config": read_json(files["config"]), "state_dict": checkpoint}
        settings, arrays = find_part(checkpoint, part or KEYS[0])
        config = read_config(settings, arrays)
        genes = {role: read_gene_list(files[role], config.genes) for role in {"genes"} & {*files}}
        return Source(config, arrays, dict(settings), genes)

    def to_published(self, variables: Mapping[str, Any], config: Any) -> dict[str, np.ndarray]:
        """With the prefix and the counter that the authors' program looks for."""
        return to_published(variables)

    def name_files(self, settings: dict, vocabulary: dict) -> dict[str, Any]:
        """The config, which the published file holds inside, and the genes."""
        return {CONFIG_FILE: settings, **name_gene_list(vocabulary)}

    def describe(self, config: ScFoundationConfig) -> dict:
        """As beside the arrays of one of the three."""
        return describe_config(config)
