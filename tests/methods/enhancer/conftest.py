"""A simulated multiome in files, small enough to run the method in a second."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from grnjax.data.multiome_simulator import (
    MultiomeConfig,
    SimulatedMultiome,
    simulate_multiome,
)
from grnjax.methods.enhancer.method import EnhancerMethod
from grnjax.methods.enhancer.tf_gene import TfGeneConfig

QUICK = TfGeneConfig(importance="ridge")


@pytest.fixture(scope="module")
def compile_quickly():
    """Not here: these methods compute more than they compile."""


@dataclasses.dataclass(frozen=True, eq=False)
class Files:
    """What was simulated, RNA as AnnData, and a method that reads the rest from files."""

    data: SimulatedMultiome
    rna: object
    atac: object
    folder: Path
    method: EnhancerMethod


@pytest.fixture(scope="session")
def simulate(tmp_path_factory) -> Callable[..., Files]:
    """Simulates with these settings, once, and writes what the method reads."""
    made: dict = {}

    def run(seed: int = 0, **settings) -> Files:
        config = MultiomeConfig(**settings)
        if (config, seed) not in made:
            data, folder = simulate_multiome(config, seed=seed), tmp_path_factory.mktemp("multiome")
            rna, atac = data.to_anndata()
            atac.write_h5ad(folder / "atac.h5ad")
            data.hits.to_csv(folder / "hits.tsv", sep="\t", index=False)
            data.sites.to_csv(folder / "sites.bed", sep="\t", index=False, header=False)
            method = EnhancerMethod(
                atac=str(folder / "atac.h5ad"),
                motifs=str(folder / "hits.tsv"),
                sites=str(folder / "sites.bed"),
                groups="cell_type",
                tf_gene=QUICK,
            )
            made[config, seed] = Files(data, rna, atac, folder, method)
        return made[config, seed]

    return run
