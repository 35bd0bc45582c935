"""The files of scBERT as they are published: weights, and an .h5ad in the order of its genes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from grnjax.foundation.gene_lists import name_gene_list, read_gene_list
from grnjax.foundation.published import SAFETENSORS, WEIGHTS, PublishedModel, Role, Source
from grnjax.foundation.reader import read_checkpoint, read_json
from grnjax.foundation.scbert import (
    CHECKED,
    LICENCE,
    RULES,
    ScBertConfig,
    find_arrays,
    read_config,
    to_published,
)
from grnjax.foundation.weights import Rules

SIZES = "architecture.json"


class ScBertFiles(PublishedModel):
    """scBERT, pretrained; what is left of its training is not used."""

    name = "scbert"
    licence = LICENCE
    config = ScBertConfig
    roles = {
        WEIGHTS: Role(("panglao_pretrain.pth", "*.pth", SAFETENSORS), "the weights"),
        "genes": Role(
            ("genes.json", "genes.txt", "panglao_10000.h5ad"),
            "the genes in their order: an .h5ad of the authors, or text",
            "cells cannot be brought into the order of the genes",
        ),
        "sizes": Role((SIZES,), "sizes, which must agree with the weights", ""),
    }

    def rules(self, config: ScBertConfig) -> Rules:
        """Those of the authors' program."""
        return RULES

    def read(self, files: Mapping[str, Path], part: str | None) -> Source:
        """Sizes are those of the weights; the genes must be as many."""
        arrays = find_arrays(read_checkpoint(files[WEIGHTS]))
        stated = read_json(files["sizes"]) if "sizes" in files else {}
        config = read_config(arrays, stated)
        genes = {role: read_gene_list(files[role], config.genes) for role in {"genes"} & {*files}}
        return Source(config, arrays, stated, genes)

    def to_published(self, variables: Mapping[str, Any], config: Any) -> dict[str, np.ndarray]:
        """With the counter that the authors' program looks for."""
        return to_published(variables)

    def name_files(self, settings: dict, vocabulary: dict) -> dict[str, Any]:
        """The sizes, where they were given, and the genes."""
        return {**({SIZES: settings} if settings else {}), **name_gene_list(vocabulary)}

    def describe(self, config: ScBertConfig) -> dict:
        """As a file beside the weights states them."""
        sizes = {theirs: getattr(config.performer, ours) for theirs, ours in CHECKED.items()}
        return sizes | {"num_tokens": config.bins + 2, "max_seq_len": config.genes + 1}
