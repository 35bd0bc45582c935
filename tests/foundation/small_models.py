"""The four models, small and of random weights, as a converted folder would give them."""

import dataclasses

import jax
import numpy as np

from grnjax.foundation.convert import LoadedModel
from grnjax.foundation.geneformer import GeneformerConfig
from grnjax.foundation.performer import PerformerConfig
from grnjax.foundation.scbert import ScBertConfig
from grnjax.foundation.scfoundation import ScFoundationConfig
from grnjax.foundation.scgpt import ScGPTConfig
from grnjax.foundation.transformer import TransformerConfig

GENES = [f"GENE{place}" for place in range(20)]
BLOCKS = {"layers": 2, "width": 8, "heads": 2, "feed_forward": 8}
PERFORMER = PerformerConfig(**BLOCKS, head_width=4, features=6, bias=True)
SPECIAL = {"<pad>": 0, "<mask>": 1, "<cls>": 2, "<eos>": 3}
CONFIGS = {
    "geneformer": GeneformerConfig(**BLOCKS, norm_epsilon=1e-12, vocabulary=24, positions=18),
    "scbert": ScBertConfig(genes=20, performer=PERFORMER),
    "scfoundation": ScFoundationConfig(
        genes=20,
        value_bins=5,
        encoder=TransformerConfig(**{**BLOCKS, "layers": 1}, norm_epsilon=1e-5),
        decoder=dataclasses.replace(PERFORMER, layers=1),
    ),
    "scgpt": ScGPTConfig(**BLOCKS, norm_epsilon=1e-5, vocabulary=23, expression_head=False),
}
VOCABULARIES = {
    "geneformer": {
        "tokens": SPECIAL | {name: place + 4 for place, name in enumerate(GENES)},
        "medians": {name: 1 + place / 7 for place, name in enumerate(GENES)},
    },
    "scbert": {"genes": GENES},
    "scfoundation": {"genes": GENES},
    "scgpt": {"tokens": {name: place for place, name in enumerate(GENES)}},
}


def make_model(name):
    """A model with random numbers in the place of every array."""
    config, rng = CONFIGS[name], np.random.default_rng(0)
    form = jax.eval_shape(lambda: config.init(jax.random.key(0)))
    variables = jax.tree.map(lambda x: rng.normal(0.2, 0.4, x.shape).astype("f4"), form)
    about = {"settings": {"n_bins": 9, "max_seq_len": 16, "pad_value": -2}, "model": name}
    return LoadedModel(name, config, config.make(), variables, VOCABULARIES[name], about)
