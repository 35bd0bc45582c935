"""Gene regulatory network inference in JAX.

    network = grnjax.infer_network(adata, known_edges)
    network.edges.head()

Public names are imported when they are first used, so that `import grnjax` is quick.
"""

import importlib

__version__ = "0.1.0"

_PUBLIC = {
    "infer_network": "grnjax.tasks.network_inference",
    "InferenceConfig": "grnjax.tasks.network_inference",
    "infer_unsupervised": "grnjax.tasks.unsupervised",
    "ScRegNetConfig": "grnjax.models.scregnet",
    "GTGRNConfig": "grnjax.models.gt_grn",
    "TrainingConfig": "grnjax.training.loop",
    "DataConfig": "grnjax.data.expression",
    "simulate": "grnjax.data.simulator",
    "SimulatorConfig": "grnjax.data.simulator",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'grnjax' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
