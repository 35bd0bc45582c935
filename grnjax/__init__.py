"""Gene regulatory network inference in JAX.

    network = grnjax.infer(adata, known_edges)
    network.edges.head()

Public names are imported when they are first used, so that `import grnjax` is quick.
"""

import importlib

__version__ = "0.2.0"

_PUBLIC = {
    "infer": "grnjax.tasks.door",
    "train": "grnjax.tasks.door",
    "transfer": "grnjax.tasks.door",
    "read": "grnjax.tasks.run_reading",
    "activity": "grnjax.tasks.door",
    "evaluate": "grnjax.tasks.evaluation",
    "list_methods": "grnjax.methods.method",
    "RankedNetwork": "grnjax.tasks.ranked_network",
    "Activity": "grnjax.tasks.activity",
    "cell_network": "grnjax.data.regulon_store",
    "type_network": "grnjax.data.regulon_store",
    "InferenceConfig": "grnjax.tasks.network_inference",
    "LinkPredictionConfig": "grnjax.tasks.split_fits",
    "ActivityConfig": "grnjax.tasks.activity",
    "MappingConfig": "grnjax.tasks.reference_mapping",
    "ListsConfig": "grnjax.tasks.compendium_evidence",
    "MethodConfig": "grnjax.methods.method",
    "KernelFactorMethod": "grnjax.methods.kernel_factor.method",
    "ScRegNetMethod": "grnjax.methods.scregnet",
    "GTGRNMethod": "grnjax.methods.gt_grn.method",
    "ScRegNetConfig": "grnjax.models.scregnet",
    "GTGRNConfig": "grnjax.models.gt_grn",
    "TrainingConfig": "grnjax.training.pair_objective",
    "DataConfig": "grnjax.data.expression",
    "pl": "grnjax.tasks.pictures",
    "simulate": "grnjax.data.simulator",
    "SimulatorConfig": "grnjax.data.simulator",
}
_OLD = {
    "infer_network": "infer",
    "infer_unsupervised": "infer",
}
"""Names of version 0.1.0, understood for one version, and what stands in their place."""

__all__ = ["__version__", *_PUBLIC]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str):
    if name in _OLD:
        import sys

        print(f"grnjax.{name} is now grnjax.{_OLD[name]}.", file=sys.stderr)
        return getattr(importlib.import_module("grnjax.tasks.door"), name)
    if name not in _PUBLIC:
        raise AttributeError(f"module 'grnjax' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
