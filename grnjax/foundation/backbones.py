"""A converted model as the backbone that GRNFormer begins with."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from grnjax.errors import ConfigError
from grnjax.foundation.backbone import FoundationBackboneConfig
from grnjax.foundation.backbones_of_detected import GeneformerBackboneConfig, ScGPTBackboneConfig
from grnjax.foundation.backbones_of_lists import ScBertBackboneConfig, ScFoundationBackboneConfig
from grnjax.foundation.convert import LoadedModel
from grnjax.foundation.encoders import make_encoder
from grnjax.foundation.tokenisers import Tokeniser
from grnjax.foundation.vocabulary import match_genes


def find_rows(
    model: LoadedModel, genes: Sequence[str], *, source: str
) -> tuple[Int[np.ndarray, " gene"], dict]:
    """The row of each gene in the table of the model, and the report of the match.

    -1 where the model has no such gene, or has it for an earlier column.

    Raises:
        GeneMismatchError: too few are there.
    """
    tokeniser = read_tokeniser(model)
    match = match_genes(genes, tokeniser.vocabulary, source=source, renames=tokeniser.renames)
    tokens, first = np.unique(match.tokens, return_index=True)
    rows = np.full(len(genes), -1)
    rows[match.columns[first]] = tokens
    return rows, match.report


def read_tokeniser(model: LoadedModel) -> Tokeniser:
    """How cells become tokens of the model."""
    return make_encoder(model).tokeniser


def start_backbone(
    model: LoadedModel, rows: Int[np.ndarray, " gene"]
) -> tuple[FoundationBackboneConfig, dict]:
    """The settings of the backbone, and the variables of GRNFormer that the model gives it.

    Args:
        rows: of the genes that become tokens, as `find_rows` gives them.

    Raises:
        ConfigError: what the model lacks to be a backbone.
    """
    if (rows < 0).any():
        raise ConfigError(f"{(rows < 0).sum():,} of {len(rows):,} genes are not in the model.")
    words, buffers = read_tokeniser(model).vocabulary, {"rows": np.asarray(rows, np.int32)}
    if model.name == "geneformer":
        names = {token: name for name, token in words.items()}
        medians = model.vocabulary["medians"]
        buffers["medians"] = np.array([medians[names[row]] for row in rows.tolist()], np.float32)
    variables = dict(model.variables)
    start = {"params": {"backbone": {"model": variables.pop("params")}}}
    start["buffers"] = {"backbone": {"model": variables.get("buffers", {}), **buffers}}
    return make_settings(model, words), start


def make_settings(model: LoadedModel, words: Mapping[str, int]) -> FoundationBackboneConfig:
    """The settings of the backbone.

    Args:
        words: the vocabulary of the tokeniser.
    """
    if model.name == "geneformer":
        ends = tuple(words[name] for name in ("<cls>", "<eos>") if name in words)
        return GeneformerBackboneConfig(model=model.config, ends=ends)
    if model.name == "scgpt":
        stated, default = model.about["settings"], ScGPTBackboneConfig
        return ScGPTBackboneConfig(
            model=model.config,
            bins=stated.get("n_bins", default.bins),
            pad_value=stated.get("pad_value", default.pad_value),
            mask_value=stated.get("mask_value", default.mask_value),
            cls=words["<cls>"],
        )
    if model.name == "scbert":
        return ScBertBackboneConfig(model=model.config)
    return ScFoundationBackboneConfig(model=model.config)
