"""The models a study can fit: their names, their controls, and what each of them cannot have."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from grnjax.errors import ConfigError
from grnjax.graphs.walks import InferredNetwork
from grnjax.models.gt_grn import GTGRNConfig
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.models.terms import PairModelConfig
from grnjax.tasks.bench import Bench, FitSettings
from grnjax.tasks.gt_grn import GTGRNControl
from grnjax.tasks.inputs import Control, InputConfig

if TYPE_CHECKING:
    from grnjax.tasks.link_prediction import LinkPredictionConfig

AnyControl = Literal[Control, GTGRNControl]


class Kind(NamedTuple):
    """What a study needs to know of a model."""

    name: str  # in the results
    controls: tuple[str, ...]


KINDS = {
    ScRegNetConfig: Kind("scRegNet", get_args(Control)),
    GTGRNConfig: Kind("GT-GRN", get_args(GTGRNControl)),
}


def name_model(model: PairModelConfig) -> str:
    """The model's name in the results."""
    return KINDS[type(model)].name


def name_row(settings: FitSettings) -> str:
    """The name of a fit's method in the results: the model and perhaps its control."""
    model = name_model(settings.model)
    return f"{model}, {settings.control.replace('-', ' ')}" if settings.control else model


def check_settings(
    config: "LinkPredictionConfig", bench: Bench, networks: Mapping[str, InferredNetwork]
) -> None:
    """Refuses what the model, the data or the splits cannot give, before anything is fitted."""
    kind = KINDS[type(config.model)]
    for control in config.controls:
        if control not in kind.controls:
            known = ", ".join(kind.controls)
            raise ConfigError(f"{kind.name} has no control {control}; choose among {known}.")
    if isinstance(config.model, GTGRNConfig):
        check_gt_grn(config, bench, networks)
    else:
        check_scregnet(config, bench, networks)
    if config.inputs.unlabelled_weight:
        for split in bench.splits:
            if not bench.leaves_pairs_unlabelled(split):
                raise ConfigError(
                    f"--inputs.unlabelled-weight {config.inputs.unlabelled_weight:g}: in a "
                    f"{split.kind} split the pairs outside train are those that are held out; "
                    "leave it at 0."
                )


def check_scregnet(
    config: "LinkPredictionConfig", bench: Bench, networks: Mapping[str, InferredNetwork]
) -> None:
    """Refuses what needs an embedding where there is none, and settings of GT-GRN."""
    if bench.embedding is None:
        for control in config.controls:
            if control.startswith("embedding"):
                raise ConfigError(
                    f"the control {control} needs an embedding: give --data.embedding."
                )
        if config.model.fusion == "cross-attention":
            raise ConfigError(
                "--model.fusion cross-attention needs frozen gene embeddings: give "
                "--data.embedding, or leave it at concatenate."
            )
    given = [name for name in ("embeddings", "positions") if is_changed(config, name)]
    given += ["networks"] if networks else []
    if given:
        raise ConfigError(
            f"--{given[0]} is a setting of GT-GRN, and this run fits scRegNet; add --model=GT-GRN "
            "or leave it out."
        )


def check_gt_grn(
    config: "LinkPredictionConfig", bench: Bench, networks: Mapping[str, InferredNetwork]
) -> None:
    """Refuses data without expression or networks, and settings of scRegNet."""
    default = InputConfig()
    for name in ("nodes", "components"):
        if getattr(config.inputs, name) != getattr(default, name):
            raise ConfigError(
                f"--inputs.{name} is a setting of scRegNet, and GT-GRN makes its own embeddings of "
                "genes; leave it out."
            )
    if bench.embedding is not None:
        raise ConfigError(
            "--data.embedding is a setting of scRegNet, and GT-GRN makes its own embeddings of "
            "genes; leave it out."
        )
    if not bench.dataset.genes.measured.any():
        raise ConfigError(
            "GT-GRN embeds genes by their expression, and there is none here: give "
            "--data.expression."
        )
    if not config.embeddings.networks and not networks:
        raise ConfigError(
            "GT-GRN has no network to walk on: name methods for --embeddings.networks or give "
            "--networks."
        )


def is_changed(config: "LinkPredictionConfig", name: str) -> bool:
    """Whether a setting is another than by default."""
    [field] = [field for field in dataclasses.fields(config) if field.name == name]
    return getattr(config, name) != field.default
