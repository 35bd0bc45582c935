"""A foundation model that is to be trained from the start, with the genes of a matrix as its words.

Sizes are the published ones of the smallest model unless they are given; vocabulary and, of
Geneformer, medians are those of the cells that train. What is published with scBERT and cannot be
learned, the vectors of its genes (gene2vec), is drawn at random here, and stays as it is.
"""

from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import jax
import numpy as np
from scipy import sparse

from grnjax.config import Settings, to_json
from grnjax.data.names import list_names
from grnjax.errors import ConfigError
from grnjax.foundation.convert import LoadedModel, choose_settings, count_parameters
from grnjax.foundation.geneformer import GeneformerConfig
from grnjax.foundation.mismatch import tidy
from grnjax.foundation.published import MODELS, find_model
from grnjax.foundation.scbert import ScBertConfig
from grnjax.foundation.scfoundation import ScFoundationConfig
from grnjax.foundation.scgpt import SIZES, ScGPTConfig
from grnjax.foundation.tokenise_scgpt import SPECIAL
from grnjax.foundation.vocabulary import number_genes

SCALE = 10_000
WORDS = ("<pad>", "<mask>", "<cls>", "<eos>")
LICENCE = "trained with grnjax from parameters drawn at random; it is whose cells it learned."


def make_fresh(
    name: str,
    values: sparse.csr_array,
    genes: Sequence[str],
    settings: Mapping[str, Any],
    *,
    most_genes: int | None = None,
    is_log: bool = False,
) -> LoadedModel:
    """A model without variables, which the fit draws.

    Args:
        name: one of `published.MODELS`.
        values: [cell, gene] of the cells that train.
        genes: names of the columns; columns of one name are summed.
        settings: sizes and other settings of the model, by their keys or the ends of these.
        most_genes: of those, the ones whose logs vary most; None for all that are detected.
        is_log: whether values are logs of normalised counts.

    Raises:
        ConfigError: there is no such model or setting, or no gene is detected.
    """
    if name not in MODELS:
        raise ConfigError(f"there is no model {name}; known are {', '.join(MODELS)}.")
    names, scaled = normalise(values, genes, is_log)
    names, scaled = choose_genes(names, scaled, most_genes, is_log)
    words: dict[str, Any] = {"genes": names}
    if name in ("geneformer", "scgpt"):
        special = WORDS if name == "geneformer" else SPECIAL
        words = {"tokens": number_genes([*special, *names])}
    if name == "geneformer":
        words["medians"] = dict(zip(names, find_medians(scaled)))
    config = choose_settings(make_config(name, len(words.get("tokens", names))), settings)
    published = find_model(name)
    form = jax.eval_shape(config.init, jax.random.key(0))
    about = {
        "model": name,
        "part": next(iter(published.parts), None),
        "config": to_json(config),
        "settings": published.describe(config),
        "vocabulary": words,
        "licence": LICENCE,
        "version": metadata.version("grnjax"),
        "source": {},
        "without": {},
        "ignored": {},
        "dtypes": ["float32"],
        "parameters": count_parameters(form),
    }
    return LoadedModel(name, config, config.make(), {}, words, about)


def make_config(name: str, words: int) -> Settings:
    """The published sizes of the smallest model of that name, over so many words or genes."""
    if name == "geneformer":
        return GeneformerConfig(
            layers=6,
            width=256,
            heads=4,
            feed_forward=512,
            positions=2048,
            norm_epsilon=1e-12,
            dropout=0.02,
            vocabulary=words,
        )
    if name == "scgpt":
        return ScGPTConfig(**SIZES, classes=0, dropout=0.2, vocabulary=words)
    return ScBertConfig(genes=words) if name == "scbert" else ScFoundationConfig(genes=words)


def normalise(
    values: sparse.csr_array, genes: Sequence[str], is_log: bool
) -> tuple[list[str], sparse.csr_array]:
    """The different genes by name, ascending, and counts per 10,000, or the logs, of each."""
    names, slot = np.unique([tidy(str(gene)) for gene in genes], return_inverse=True)
    ones = np.ones(len(slot))
    joined = sparse.csr_array((ones, (np.arange(len(slot)), slot)), shape=(len(slot), len(names)))
    summed = sparse.csr_array(values.astype(np.float64) @ joined)
    if is_log:
        return names.tolist(), summed
    totals = np.maximum(np.asarray(values.sum(axis=1), np.float64).ravel(), 1)
    return names.tolist(), sparse.csr_array(sparse.diags_array(SCALE / totals) @ summed)


def choose_genes(
    names: list[str], scaled: sparse.csr_array, most: int | None, is_log: bool
) -> tuple[list[str], sparse.csc_array]:
    """Those that are detected, the most variable of them where there are to be fewer."""
    logs = scaled if is_log else scaled.log1p()
    mean = np.asarray(logs.mean(axis=0)).ravel()
    variance = np.asarray((logs * logs).mean(axis=0)).ravel() - mean**2
    own = np.flatnonzero(mean > 0)
    if not len(own):
        raise ConfigError(f"none of {len(names):,} genes ({list_names(names)}) is detected.")
    own = np.sort(own[np.argsort(-variance[own].round(9), kind="stable")][:most])
    return [names[i] for i in own], sparse.csc_array(scaled[:, own])


def find_medians(scaled: sparse.csc_array) -> list[float]:
    """The median of the values above 0 of each column."""
    parts = np.split(scaled.data, scaled.indptr[1:-1])
    return [float(np.median(part[part > 0])) for part in parts]
