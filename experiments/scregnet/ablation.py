"""What scRegNet's score is made of: parts left out and inputs altered (paper: Figure 2).

Run:     GRNJAX_DATA=... python -m experiments.scregnet.ablation
Cost:    about 15 min on two cores, 1.5 GB memory
Expect:  published pairs, AUROC/AP, ours / published form: whole .889/.624, .877/.609; embedding
         zero .882/.614, .872/.604; random .875/.600, .876/.606; permuted .885/.620, .877/.614.
         Unseen targets, AP/swap of ours: whole .536/.595, zero .511/.502, random .473/.511,
         permuted .502/.501; the additive rows have .885/.620 and .488/.500

hESC TFs+500 with Geneformer vectors for 871 of 910 genes, expression of 537. On the pairs that
scRegNet published, five seeds of the model; on target-disjoint pairs, whose targets were never
trained on, five draws. Two forms of the model: ours, in which TF and target interact, and the
published one with the published settings of this network, its graph encoded once a step instead
of once a batch. Smaller than the paper: one of seven networks, one foundation model.

"no embedding" and "no encoder" leave a part of the model out (the latter is the paper's "no GNN");
"no messages" keeps the encoder's layers and cuts the edges, as our form does anyway, which has a
row "messages over train edges" instead. Altered inputs (zero, random normal numbers of the same
scale, rows dealt out anew among the genes) keep every part: where one does as well, the part was
not used for what it says about a gene. The alteration is drawn once a split, so it is the same
for all seeds on the published pairs.
"""

import dataclasses

import flax.linen as nn

from experiments.shared.record import ResultsFile
from experiments.shared.studies import (
    HESC,
    LoadedSet,
    Splits,
    StudyConfig,
    Variant,
    begin,
    load_set,
    measure,
    measure_trivial,
    two_forms,
)
from grnjax import config as settings
from grnjax.errors import ConfigError
from grnjax.methods.scregnet import ScRegNetMethod
from grnjax.models.encoder import EncoderConfig
from grnjax.progress import logger
from grnjax.types import Split

CONTROLS = (
    "embedding-zero",
    "embedding-random",
    "embedding-permuted",
    "expression-permuted",
    "labels-rewired",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(StudyConfig):
    """The study; other sets need --data.embedding."""

    sets: tuple[str, ...] = (HESC,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoEncoderConfig(EncoderConfig):
    """An encoder that says nothing: the frozen embedding stands alone."""

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
        for splits in (
            loaded.standard_splits(config.draws),
            loaded.draw_splits("target-disjoint", config.draws),
        ):
            ablate(results, loaded, splits, config.seeds_for(splits))


def ablate(
    results: ResultsFile, loaded: LoadedSet, splits: list[Split], seeds: tuple[int, ...]
) -> None:
    """The rows of both forms on splits of one kind."""
    ground = Splits(loaded.dataset, splits, loaded.embedding)
    without = Splits(loaded.dataset, splits)
    forms = two_forms(loaded.name)
    for split in splits:
        where = {"set": loaded.name, "split": split.kind}
        measure_trivial(results, where, ground, split)
        for form, method in forms.items():
            variants = list_variants(form, method)
            measure(results, where, ground, split, variants, seeds)
            alone = {f"{form}, no embedding": method}
            measure(results, where, without, split, alone, seeds)
        logger.info("%s, %s, draw %d: done", loaded.name, split.kind, split.draw)


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
    main()
