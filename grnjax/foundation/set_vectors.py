"""Vectors of the genes of a data set from a converted model that reads the set's own expression.

They are kept beside the model, in `embedded/`, under a digest of expression, genes, model and
settings, and read back when the same are asked for again.
"""

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import anndata
import numpy as np
import pandas as pd

from grnjax.config import to_json
from grnjax.data.orthologues import read_orthologues
from grnjax.errors import ConfigError
from grnjax.foundation.convert import find_manifest, load_model, read_about
from grnjax.foundation.embed import EmbedConfig, Embedded, Embedding, open_embedding
from grnjax.foundation.embed_runs import GENES, embed_once, write_table
from grnjax.foundation.encoder_config import EncoderConfig, SetEncoderConfig, StateConfig
from grnjax.foundation.encoders import make_encoder
from grnjax.storage.files import digest_file, digest_json
from grnjax.types import GeneTable

EMBEDDED = "embedded"
Values = Literal["log", "unlogged", "counts", "estimated"]
SHARED = [field.name for field in dataclasses.fields(StateConfig)]


def embed_set(
    folder: str | Path,
    genes: GeneTable,
    config: SetEncoderConfig,
    *,
    report: dict | None = None,
    run: Path | None = None,
) -> tuple[Path, dict]:
    """The file of the genes' vectors (`evidence.vectors` reads it), and how it was come by.

    Genes of the set that were not measured are 0 to the model, as in its published rule.

    Args:
        folder: a converted model.
        report: of the expression as it was read, if it was from a file.
        run: a folder that keeps the vectors where the model's own cannot be written to.

    Raises:
        ConfigError: it was not said what the values are, or they are not that.
        GeneMismatchError: the model has too few of the genes, or the table of orthologues is none.
    """
    folder = Path(folder)
    about = read_about(folder)
    said = check_values(folder, genes, config, report or {})
    inputs = {
        "model": digest_file(find_manifest(folder)),
        "genes": hashlib.sha256("\n".join(genes.names.tolist()).encode()).hexdigest(),
        "expression": hashlib.sha256(np.ascontiguousarray(genes.as_measured).data).hexdigest(),
    }
    settings = to_json(config)
    path = settings.pop("orthologues")
    if path is None:  # which species are meant is no matter
        del settings["species"]
    else:
        inputs["orthologues"] = digest_file(Path(path))
    record = {"command": "embed a set", "config": settings, "inputs": inputs}
    out = choose_folder(folder, run) / EMBEDDED / digest_json(record)[:16]

    @contextlib.contextmanager
    def begin() -> Iterator[Embedding]:
        shared = {name: getattr(config, name) for name in SHARED}
        values = np.expm1(genes.as_measured) if said == "unlogged" else genes.as_measured
        kind = "estimated" if said == "unlogged" else said
        encoder = make_encoder(load_model(folder), EncoderConfig(expression=kind, **shared))
        cells = pd.DataFrame(index=[f"cell{place}" for place in range(len(values))])
        data = anndata.AnnData(values, obs=cells, var=pd.DataFrame(index=genes.names))
        table = read_table(config)
        with open_embedding(
            data, encoder, EmbedConfig(), name="the data set", orthologues=table
        ) as embedding:
            yield embedding

    def write(embedded: Embedded) -> dict:
        write_table(embedded, out / GENES)
        return {"report": embedded.report, "licence": about["licence"]}

    embed_once(out, record, begin, write)
    return out / GENES, {
        "model": about["model"],
        "checkpoint": inputs["model"],
        "expression": config.expression,
        "kept_in": str(out),
    }


def read_table(config: SetEncoderConfig) -> dict[str, str] | None:
    """Gene of the data set -> gene of the model, where a table says so."""
    if config.orthologues is None:
        return None
    source, target = config.species
    return read_orthologues(config.orthologues, source=source, target=target)


def check_values(folder: Path, genes: GeneTable, config: SetEncoderConfig, report: dict) -> Values:
    """What the values are said to be.

    Raises:
        ConfigError: there is no expression, nothing is said of it, or it is not that.
    """
    if not genes.measured.any():
        raise ConfigError(
            f"{folder} is a model, and the data set has no expression that it could embed: give "
            "--data.expression, or a table of vectors in the place of the model."
        )
    if config.expression is None:
        raise ConfigError(
            f"{folder} is a model, which reads counts, and it cannot be told from the values of a "
            "data set what they are: say it by --method.embed.expression. BEELINE's, and counts "
            "that grnjax has normalised, are logs: log takes them as they are, unlogged exp(x) - 1."
        )
    if config.expression in ("counts", "estimated") and report.get("normalised"):
        raise ConfigError(
            f"--method.embed.expression={config.expression}: the counts were normalised when they "
            "were read; take log or unlogged, or read them with --data.normalise=never."
        )
    return config.expression


def choose_folder(folder: Path, run: Path | None) -> Path:
    """Where vectors are kept: with the model, or with the run where that is not to be written.

    Raises:
        ConfigError: neither can be.
    """
    if os.access(folder, os.W_OK):
        return folder
    if run is None:
        raise ConfigError(
            f"{folder} cannot be written to, and there is no run folder to keep vectors in; copy "
            "the model to a place that can."
        )
    return run
