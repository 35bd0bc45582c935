"""GCN, GraphSAGE and GAT in the place of scRegNet's graph encoder (paper: Table S3).

Run:     GRNJAX_DATA=... python -m experiments.scregnet.gnn_comparison
Cost:    about 20 min on two cores, 1.3 GB memory
Expect:  with --draws 0 1 2 --seeds 0 1 2, AUROC/AP, ours / published form; mDC: GCN .812/.214,
         .741/.132; GraphSAGE .811/.223, .761/.142; GAT .830/.219, .771/.144; no messages .830/.215,
         .810/.171. hESC: all four of ours .887 to .890; GCN .879/.609, GraphSAGE .886/.625, GAT
         .887/.622, no messages .886/.621
"""

from experiments.shared.studies import (
    StudyConfig,
    begin,
    load_set,
    measure_set,
    run_program,
    two_forms,
)
from grnjax import config as settings
from grnjax.methods.scregnet import ScRegNetMethod
from grnjax.models.gat import GATConfig
from grnjax.models.gcn import GCNConfig
from grnjax.models.sage import SAGEConfig

ENCODERS = {"GCN": GCNConfig(), "GraphSAGE": SAGEConfig(), "GAT": GATConfig()}


def main() -> None:
    """Measures what has not been measured yet."""
    config, results = begin(StudyConfig, "scregnet_gnn_comparison")
    for name in config.sets:
        loaded = load_set(name, config.data)
        splits = loaded.standard_splits(config.draws)
        encoders = [list_encoders(form, model) for form, model in two_forms(name).items()]
        measure_set(results, loaded, splits, encoders[0] | encoders[1], config.seeds_for(splits))


def list_encoders(form: str, method: ScRegNetMethod) -> dict[str, ScRegNetMethod]:
    """The form with each encoder, and with a GCN without messages, by name of the row."""
    changes = {
        name: {"model.encoder": encoder, "inputs.messages": "symmetric"}
        for name, encoder in ENCODERS.items()
    }
    changes["no messages"] = {"model.encoder": ENCODERS["GCN"], "inputs.messages": "none"}
    return {f"{form}, {name}": settings.replace(method, change) for name, change in changes.items()}


if __name__ == "__main__":
    run_program(main)
