"""What scRegNet's score is made of: parts left out and inputs altered (paper: Figure 2).

Run:     GRNJAX_DATA=... python -m experiments.scregnet.ablation
Cost:    about 15 min on two cores, 1.5 GB memory
Expect:  published pairs, AUROC/AP, ours / published form: whole .889/.624, .877/.609; embedding
         zero .882/.614, .872/.604; random .875/.600, .876/.606; permuted .885/.620, .877/.614.
         Unseen targets, AP/swap of ours: whole .536/.595, zero .511/.502, random .473/.511,
         permuted .502/.501; the additive rows have .885/.620 and .488/.500
"""

import dataclasses

import flax.linen as nn

from experiments.shared.studies import (
    HESC,
    StudyConfig,
    Variant,
    begin,
    load_set,
    measure_set,
    run_program,
    two_forms,
)
from grnjax import config as settings
from grnjax.errors import ConfigError
from grnjax.methods.scregnet import ScRegNetMethod
from grnjax.models.encoder import EncoderConfig

CONTROLS = ("embedding-zero", "embedding-random", "embedding-permuted")
CONTROLS += ("expression-permuted", "labels-rewired")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(StudyConfig):
    """The study; other sets need --data.embedding."""

    sets: tuple[str, ...] = (HESC,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoEncoderConfig(EncoderConfig):
    """An encoder of nothing: the frozen embedding stands alone."""

    def make(self, name: str) -> nn.Module:
        """The encoder."""
        return NoEncoder(name=name)


class NoEncoder(nn.Module):
    """Vectors of width 0."""

    def __call__(self, nodes, graph, *, train):
        return nodes[:, :0]


def main() -> None:
    """Measures what has not been measured yet."""
    config, results = begin(Config, "scregnet_ablation")
    for name in config.sets:
        loaded = load_set(name, config.data)
        if loaded.embedding is None:
            raise ConfigError(f"{name}: no embedding to leave out: give --data.embedding.")
        forms = two_forms(name)
        variants = [list_variants(form, method) for form, method in forms.items()]
        without = {f"{form}, no embedding": method for form, method in forms.items()}
        standard = loaded.standard_splits(config.draws)
        for splits in standard, loaded.draw_splits("target-disjoint", config.draws):
            seeds = config.seeds_for(splits)
            measure_set(results, loaded, splits, variants[0] | variants[1], seeds, without)


def list_variants(form: str, method: ScRegNetMethod) -> dict[str, Variant]:
    """The whole model, without one of its parts, and on altered inputs, by name of the row."""
    if method.inputs.messages == "none":
        messages = {"messages over train edges": {"inputs.messages": "symmetric"}}
    else:
        messages = {"no messages": {"inputs.messages": "none"}}
    parts = {
        "no encoder": {"model.encoder": NoEncoderConfig()},
        "cross-attention": {"model.fusion": "cross-attention"},
        **messages,
    }
    variants = {form: Variant(method=method)}
    for name, change in parts.items():
        variants[f"{form}, {name}"] = Variant(method=settings.replace(method, change))
    for control in CONTROLS:
        variants[f"{form}, {control.replace('-', ' ')}"] = Variant(method=method, control=control)
    return variants


if __name__ == "__main__":
    run_program(main)
