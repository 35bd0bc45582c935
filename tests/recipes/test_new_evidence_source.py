"""A new source of evidence is one function, and no file of grnjax has to know of it."""

import json

import numpy as np
import pandas as pd
import pytest

import grnjax
from grnjax.errors import ConfigError
from grnjax.evidence.catalogue import READERS, Reader, digest_entries, list_sources, read_blocks
from grnjax.evidence.types import Evidence
from grnjax.methods.kernel_factor.method import KernelFactorMethod
from grnjax.tasks.network_inference import InferenceConfig
from grnjax.training.factor_ensemble import EnsembleConfig
from grnjax.training.kernel_weights import KernelWeightConfig

NAMES, TFS = np.array(["A", "B", "C", "D"]), np.array([0, 2])
QUICK = KernelFactorMethod(
    training=EnsembleConfig(steps=60), kernels=KernelWeightConfig(episodes=4)
)


def read_two_files(rates, names, tfs, *, scale=None, name):
    return Evidence(name, "plain" if scale is None else "scaled", {})


RATES = Reader(read_two_files, files=("rates",), optional=("scale",))


@pytest.fixture
def path(small_set, tmp_path):
    """Half lives of most genes of the small set, and of NAMES but for D."""
    genes = [*small_set.genes[3:], "A", "B", "C"]
    hours = np.random.default_rng(0).exponential(5, len(genes)).round(3)
    pd.DataFrame({"gene": genes, "hours": hours}).to_csv(tmp_path / "hela.csv", index=False)
    return tmp_path / "hela.csv"


@pytest.fixture
def entry(recipe, shown, path):
    """What --evidence takes: the entry that CONTRIBUTING.md shows, with this file."""
    return shown("my_evidence_source:read_half_lives=hela.csv").replace("hela.csv", str(path))


def test_it_is_read_by_its_place(entry):
    [evidence] = read_blocks([entry], NAMES, TFS)
    assert (evidence.name, evidence.kind) == ("half lives hela", "half-lives")
    assert evidence.report["kind"] == "half-lives" and evidence.report["found"] == 3
    assert evidence.genes[0].covered.tolist() == [True, True, True, False]
    assert evidence.pairs[0].values[0, 0] == 0


def test_a_reader_of_several_files_says_which_it_needs(path):
    kind = f"{__name__}:RATES"
    [source] = list_sources([f"{kind}={path},{path}"])
    assert source.files == {"rates": path, "scale": path}
    assert read_blocks([f"{kind}={path},{path}"], NAMES, TFS)[0].kind == "scaled"
    assert read_blocks([f"{kind}={path}"], NAMES, TFS)[0].kind == "plain"
    assert list(digest_entries([f"{kind}={path},{path}"])) == [
        "blocks: RATES hela, rates",
        "blocks: RATES hela, scale",
    ]
    with pytest.raises(ConfigError, match=r"write .*:RATES=RATES\[,SCALE\]"):
        list_sources([f"{kind}={path},{path},{path}"])


@pytest.mark.parametrize(
    "kind, message",
    [
        ("no.such.module:read", "no.such.module:read cannot be imported: No module"),
        (f"{__name__}:read_nothing", "read_nothing cannot be imported"),
        (f"{__name__}:NAMES", ":NAMES is neither a function nor a Reader"),
    ],
)
def test_what_is_no_reader_is_refused(kind, message, path):
    with pytest.raises(ConfigError, match=message):
        list_sources([f"{kind}={path}"])


@pytest.mark.slow
def test_it_informs_a_network_from_python(entry, small_set):
    expression, _, network, _, tfs = small_set.arguments
    config = InferenceConfig(repeats=1, folds=3)
    found = grnjax.infer(
        expression, network, tfs=tfs, method=QUICK, evidence=[entry], config=config
    )
    assert found.evidence["half lives hela"]["kind"] == "half-lives"


@pytest.mark.slow
def test_it_informs_a_network_from_the_command_line(entry, small_set, quick_factors, cli, tmp_path):
    flags = ["--evidence", entry, "--repeats=1", "--folds=3"]
    outcome = cli("infer", *small_set.arguments, *flags, *quick_factors, "--out", tmp_path / "run")
    assert outcome.status == 0, outcome.err
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["evidence"]["half lives hela"]["kind"] == "half-lives"
    assert "blocks: half lives hela" in record["inputs"]
    assert "half lives hela: longer" in {row["name"] for row in record["blocks"]}


def test_the_help_names_every_kind(cli):
    shown = " ".join(cli("infer", "--help").out.split())
    assert all(kind in shown.replace("- ", "-") for kind in READERS)
