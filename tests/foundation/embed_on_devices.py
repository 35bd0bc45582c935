"""Embeds made-up cells by small models on whatever devices there are, for tests to compare.

Run: python embed_on_devices.py RESULTS
"""

import sys

import anndata
import jax
import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.foundation.embed import EmbedConfig, open_embedding
from grnjax.foundation.encoder_config import EncoderConfig
from grnjax.foundation.encoders import make_encoder
from grnjax.training.sharding import make_mesh
from tests.foundation.small_models import CONFIGS, GENES, make_model

WAYS = {"1": 1, "8": 8, "8, 2 to the model": 8}


def make_cells():
    """Nineteen cells, which no number of devices divides."""
    counts = np.random.default_rng(4).poisson(1.2, (19, len(GENES))).astype("f4")
    counts[3] = 0
    data = anndata.AnnData(sparse.csr_matrix(counts), var=pd.DataFrame(index=GENES))
    data.obs["type"] = np.where(np.arange(19) % 3, "a", "b")
    return data


def main(path):
    """Vectors of cells and genes by model and mesh."""
    jax.config.update("jax_disable_most_optimizations", True)
    found = {}
    for name in CONFIGS:
        least = {"least_genes": 1} if name == "scbert" else {}
        for way, devices in WAYS.items():
            if way.endswith("model") and name != "geneformer":
                continue
            mesh = make_mesh(2 if "model" in way else 1, jax.devices()[:devices])
            encoder = make_encoder(make_model(name), EncoderConfig(**least), mesh)
            config = EmbedConfig(chunk=10, groups="type")
            with open_embedding(make_cells(), encoder, config) as embedding:
                embedded = embedding.run()
            found[f"{name}/{way}/cells"] = embedded.cells
            found[f"{name}/{way}/genes"] = embedded.genes.vectors
            found[f"{name}/{way}/group"] = embedded.groups["b"].vectors
            if way.endswith("model"):
                kernel = encoder.variables["params"]["layer_0"]["ffn_in"]["kernel"]
                found["part of a kernel"] = np.array(kernel.addressable_shards[0].data.shape)
    np.savez(path, **found)


if __name__ == "__main__":
    main(sys.argv[1])
