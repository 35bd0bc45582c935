"""`grnjax doctor`: versions, devices, memory, what is installed for which feature, a self-test."""

import dataclasses
import shutil
import time

import jax

from grnjax import config as settings
from grnjax.cli.features import describe_features
from grnjax.config import Settings
from grnjax.data.simulator import EmbeddedConfig, SimulatorConfig
from grnjax.errors import GrnjaxError
from grnjax.methods.scregnet import ScRegNetMethod
from grnjax.storage.memory import describe_memory
from grnjax.tasks.link_prediction import run_study
from grnjax.tasks.loading import load_embedded
from grnjax.tasks.record import describe_environment
from grnjax.tasks.split_fits import LinkPredictionConfig, draw_splits
from grnjax.training.pair_objective import TrainingConfig

SMALL = SimulatorConfig(genes=120, tfs=12, master_regulators=4, cells=200, tfs_per_programme=3)
LEAST_AUROC = 0.6


@dataclasses.dataclass(frozen=True, kw_only=True)
class DoctorCommand(Settings):
    """Say what this machine offers, and show that a small model learns on it."""

    self_test: bool = True
    """Whether to fit a small model, which takes some seconds."""


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(DoctorCommand, args, program="grnjax doctor")
    environment = describe_environment()
    for name, version in environment["versions"].items():
        print(f"{name:<18}{version}")
    device = environment["device"]
    print(f"{'device':<18}{device['count']} x {device['kind']} ({device['backend']})")
    if device["backend"] == "cpu":
        print(f"{'':<18}no accelerator is used; grnjax[cuda] or grnjax[tpu] installs for one")
    print(f"{'memory':<18}{describe_memory(jax.devices())}")
    print(f"{'disk':<18}{shutil.disk_usage('.').free / 2**30:.1f} GiB free here")
    print("\n" + "\n".join(describe_features()) + "\n")
    if command.self_test:
        self_test()


def self_test() -> None:
    """Fits a small simulated network and checks that the model has learnt from it."""
    begun = time.monotonic()
    data = load_embedded(EmbeddedConfig(simulator=SMALL, known_share=1.0)).dataset
    config = LinkPredictionConfig(method=ScRegNetMethod(training=TrainingConfig(epochs=100)))
    results = run_study(data, draw_splits(data, config.split), config)
    auroc = results.rows[-1]["auroc"]
    seconds = time.monotonic() - begun
    if auroc < LEAST_AUROC:
        raise GrnjaxError(
            f"the self-test reached AUROC {auroc:.3f}, below {LEAST_AUROC}: something in this "
            "installation computes wrongly. Report the lines above."
        )
    print(f"{'self-test':<18}passed in {seconds:.1f} s: test AUROC {auroc:.3f}")
