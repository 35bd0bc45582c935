"""Files of the four models as they are published, but with random weights, of any size.

Side files are real where the data folder has them: both Geneformer token dictionaries, the medians
and names of its first release, scFoundation's gene list, scGPT's vocabulary. What is missing is
replaced by a stand-in whose file says so in its name.
"""

import dataclasses
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from grnjax.config import Settings
from grnjax.data.data_set import find_root
from grnjax.foundation import geneformer, scgpt
from grnjax.foundation.published import SAFETENSORS, find_model
from grnjax.foundation.safetensors import write_safetensors
from grnjax.foundation.scbert import ScBertConfig
from grnjax.foundation.scfoundation import ScFoundationConfig
from grnjax.foundation.weights import name_leaves
from grnjax.storage.files import write_json

SIDE_FILES = "foundation_side_files"
STAND_IN = "STAND-IN"
SPREAD = 0.02
DIRECTIONS = "projection"  # random features, which are no parameters


@dataclasses.dataclass(frozen=True)
class Files:
    """A model as its config, the files beside its weights, and which of them stand in for what."""

    model: str
    config: Settings
    side: Mapping[str, Any]  # JSON values by file name
    stand_ins: tuple[str, ...] = ()
    given: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """By role, files that are not found by their names."""

    @property
    def parameters(self) -> int:
        """How many numbers it learns, and frozen vectors of genes."""
        form = jax.eval_shape(self.config.init, jax.random.key(0))
        return sum(leaf.size for path, leaf in name_leaves(form) if DIRECTIONS not in path)

    def write(self, folder: Path, *, seed: int = 0) -> dict[str, Path]:
        """Writes the published layout, weights as .safetensors; files that conversion is given."""
        folder.mkdir(parents=True)
        model, rng = find_model(self.model), np.random.default_rng(seed)
        form = jax.eval_shape(self.config.init, jax.random.key(0))
        variables = jax.tree_util.tree_map_with_path(
            lambda path, leaf: draw(jax.tree_util.keystr(path), leaf.shape, rng), form
        )
        write_safetensors(folder / SAFETENSORS, model.to_published(variables, self.config))
        for name, value in self.side.items():
            write_json(folder / name, value)
        return {role: folder / name for role, name in self.given.items()}


def draw(path: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Normal numbers: of standard deviation 1 for directions, around 1 for scales of norms."""
    x = rng.standard_normal(shape, dtype=np.float32)
    if DIRECTIONS in path:
        return x
    return SPREAD * x + ("scale" in path)


def read_side(name: str) -> dict:
    """A dictionary of the data folder."""
    return json.loads(gzip.decompress((find_root(None) / SIDE_FILES / name).read_bytes()))


def list_genes() -> list[str]:
    """The genes of scFoundation in their order."""
    lines = (find_root(None) / SIDE_FILES / "OS_scRNA_gene_index.19264.tsv").read_text().split("\n")
    return [line.split("\t")[0] for line in lines[1:] if line]


def geneformer_files(
    layers: int, width: int, heads: int, inner: int, length: int, *, release: int
) -> Files:
    """The files of Geneformer of a size, with the dictionaries of release 1 or 2 (95M)."""
    names = read_side("geneformer_30M_gene_name_id_dict.json.gz")
    medians = read_side("geneformer_30M_gene_median_dictionary.json.gz")
    stand_ins = {}
    if release == 1:
        tokens = read_side("geneformer_30M_token_dictionary.json.gz")
        side = {"gene_median_dictionary.json": medians, "gene_name_id_dict.json": names}
    else:
        tokens = read_side("geneformer_gc95M_token_dictionary.json.gz")
        typical = float(np.median([*medians.values()]))
        known = {gene: medians.get(gene, typical) for gene in tokens if not gene.startswith("<")}
        stand_ins = {
            f"gene_median_dictionary_{STAND_IN}.json": known,
            f"gene_name_id_dict_{STAND_IN}.json": names,
        }
        side = stand_ins
    settings = {
        "model_type": "bert",
        "num_hidden_layers": layers,
        "hidden_size": width,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "max_position_embeddings": length,
        "vocab_size": len(tokens),
        "type_vocab_size": 2,
        "hidden_act": "relu",
        "layer_norm_eps": 1e-12,
        "hidden_dropout_prob": 0.02,
        "attention_probs_dropout_prob": 0.02,
        "pad_token_id": 0,
    }
    side = {"config.json": settings, "token_dictionary.json": tokens, **side}
    return Files("geneformer", geneformer.read_config(settings), side, tuple(stand_ins))


def scbert_files(config: ScBertConfig) -> Files:
    """The files of scBERT, with genes of scFoundation in the place of its own list."""
    name = f"genes_{STAND_IN}.json"
    side = {name: {"genes": list_genes()[: config.genes]}}
    return Files("scbert", config, side, (name,), {"genes": name})


def scfoundation_files(config: ScFoundationConfig) -> Files:
    """The files of scFoundation, with its own gene list."""
    model = "mae_autobin"
    sizes = {
        "seq_len": config.places,
        "n_class": 104,
        "pad_token_id": 103,
        "mask_token_id": 102,
        "bin_num": config.value_bins,
        "bin_alpha": config.value_alpha,
    }
    parts: dict[str, dict] = {}
    for name, kind in (("encoder", "transformer"), ("decoder", "performer")):
        part = getattr(config, name)
        parts[name] = {"hidden_dim": part.width, "depth": part.layers, "heads": part.heads}
        parts[name] |= {"dim_head": 64, "module_type": kind, "norm_first": False}
    settings = {
        "model": model,
        "model_config": {model: sizes | parts},
        "dataset_config": {"rnaseq": {"bin_type": "auto_bin", **sizes}},
    }
    side = {"config.json": settings, "genes.json": {"genes": list_genes()}}
    return Files("scfoundation", config, side)


def scgpt_files(layers: int, width: int, heads: int, inner: int) -> Files:
    """The files of scGPT, with the vocabulary that its program brings along, and all heads."""
    vocabulary = read_side("scgpt_default_census_vocab.json.gz")
    settings = {
        "embsize": width,
        "d_hid": inner,
        "nlayers": layers,
        "nheads": heads,
        "n_layers_cls": 3,
        "n_bins": 51,
        "dropout": 0.2,
        "pad_value": -2,
        "mask_value": -1,
        "input_emb_style": "continuous",
        "max_seq_len": 1200,
    }
    choices = {"classes": 1, "expression_head": True, "cell_head": True}
    config = scgpt.read_config(settings, vocabulary, **choices)
    return Files("scgpt", config, {"args.json": settings, "vocab.json": vocabulary})


PUBLISHED = {
    "Geneformer 6L-256": lambda: geneformer_files(6, 256, 4, 512, 2048, release=1),
    "Geneformer 12L-512": lambda: geneformer_files(12, 512, 8, 1024, 2048, release=1),
    "Geneformer 20L-896": lambda: geneformer_files(20, 896, 14, 1792, 4096, release=2),
    "Geneformer 12L-768": lambda: geneformer_files(12, 768, 12, 3072, 4096, release=2),
    "Geneformer 18L-1152": lambda: geneformer_files(18, 1152, 18, 4608, 4096, release=2),
    "scBERT": lambda: scbert_files(ScBertConfig()),
    "scFoundation": lambda: scfoundation_files(ScFoundationConfig()),
    "scGPT": lambda: scgpt_files(12, 512, 8, 512),
}
"""The published sizes by name."""
MILLIONS = dict(
    zip(PUBLISHED, (10.29, 39.59, 151.31, 104.39, 316.35, 8.39, 119.25, 51.86), strict=True)
)
"""Their parameters, as counted with the authors' programs."""
