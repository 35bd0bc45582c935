"""Which method `infer` takes where none is named: by lists of other cells without a network."""

import dataclasses
from collections.abc import Sequence

from grnjax.data.species import Species
from grnjax.errors import ConfigError
from grnjax.methods.compendium.method import CompendiumMethod
from grnjax.methods.method import MethodConfig


def choose_default(
    method: MethodConfig,
    *,
    is_named: bool,
    has_network: bool,
    has_tfs: bool = True,
    species: Species = "auto",
) -> MethodConfig:
    """The method that is named, or else, of cells without known regulation, the compendium.

    Args:
        method: that of the settings.
        is_named: whether somebody has chosen it.
        has_tfs: whether a list of TFs is given; of a method that learns from no known edge it is
            else that of the species.
        species: what the genes are of, for a method that asks.

    Raises:
        ConfigError: a species is given where nothing asks.
    """
    if not is_named and not has_network:
        method = CompendiumMethod()
    if species == "auto":
        return method
    if not isinstance(method, CompendiumMethod):
        reads_lists = {"labels", "evidence"} <= method.READS  # of other cells, as evidence
        if reads_lists or (not has_tfs and "labels" not in method.READS):
            return method
        raise ConfigError(
            f"--species tells whose lists count, and {method.name()} with these TFs reads none; "
            "leave it out or take --method=compendium."
        )
    return dataclasses.replace(method, species=species)


def is_named(words: Sequence[str]) -> bool:
    """Whether a command line names a method or sets something of it."""
    return any(word == "--method" or word.startswith(("--method=", "--method.")) for word in words)
