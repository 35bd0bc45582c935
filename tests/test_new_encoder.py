"""A new encoder is a config and a Flax module, and no file of grnjax has to know of it."""

import dataclasses
import importlib
import json
import sys
from pathlib import Path

import flax.linen as nn
import jax.numpy as jnp
import pytest

import grnjax.models
from grnjax import config as settings
from grnjax.config.fields import subclasses
from grnjax.data.simulator import EmbeddedConfig, SimulatorConfig
from grnjax.errors import ConfigError
from grnjax.graphs.aggregate import aggregate
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod
from grnjax.models.encoder import EncoderConfig
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.tasks.link_prediction import LinkPredictionConfig, SplitConfig, draw_splits, run_study
from grnjax.tasks.loading import load_embedded
from grnjax.training.loop import TrainingConfig

SIZE = SimulatorConfig(genes=80, tfs=12, master_regulators=4, cells=150, steps=100)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeanConfig(EncoderConfig):
    """Settings of `MeanEncoder`."""

    width: int = 12

    def make(self, name):
        return MeanEncoder(self, name=name)


class MeanEncoder(nn.Module):
    """Each gene beside the mean of its neighbours."""

    config: MeanConfig

    @nn.compact
    def __call__(self, nodes, graph, *, train):
        total = aggregate(nodes, graph, graph.edges)
        degree = aggregate(jnp.ones_like(nodes[:, :1]), graph, graph.edges)
        joined = jnp.concatenate([nodes, total / jnp.maximum(degree, 1)], axis=-1)
        return nn.tanh(nn.Dense(self.config.width, name="mix")(joined))


CONFIG = LinkPredictionConfig(
    method=ScRegNetMethod(
        model=ScRegNetConfig(encoder=MeanConfig(width=12), mlp_widths=(12,), identity_rank=2),
        inputs=InputConfig(components=10),
        training=TrainingConfig(epochs=100, unseen_share=0.0),
    ),
    split=SplitConfig(draws=(0, 1)),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Results and run folder of a study with the new encoder."""
    folder = tmp_path_factory.mktemp("run")
    dataset = load_embedded(EmbeddedConfig(known_share=1.0, simulator=SIZE)).dataset
    splits = draw_splits(dataset, CONFIG.split)
    return run_study(dataset, splits, CONFIG, folder=folder), folder


@pytest.mark.slow
def test_a_new_encoder_learns_without_a_change_to_any_file(run):
    results, _ = run
    rows = [row for row in results.rows if row["method"] == "scRegNet"]
    assert [row["draw"] for row in rows] == [0, 1]
    assert sum(row["auroc"] for row in rows) / 2 > 0.65
    lift = sum(row["average_precision"] / row["prevalence"] for row in rows) / 2
    assert lift > 1.3


@pytest.mark.slow
def test_the_parameters_that_were_trained_are_those_of_the_new_encoder(run):
    _, folder = run
    manifest = next(folder.glob("checkpoints/draw0-*/*/manifest.json"))
    arrays = json.loads(manifest.read_text())["contents"]["arrays"]
    start = ".best_parameters['encoder']"
    encoder = {name.removeprefix(start): shape for name, shape in arrays.items() if start in name}
    features = 5 + 10 + 1  # statistics, components and the mask column
    assert encoder == {
        "['mix']['bias']": "float32[12]",
        "['mix']['kernel']": f"float32[{2 * features}, 12]",
    }


def test_its_settings_are_flags_and_come_back_from_a_run_record():
    parsed = settings.parse(CONFIG, ["--method.model.encoder.width", "7"], program="grnjax train")
    assert parsed.method.model.encoder == MeanConfig(width=7)
    assert settings.from_json(LinkPredictionConfig, settings.to_json(CONFIG)) == CONFIG


def test_a_config_that_makes_no_encoder_says_which_one_it_is():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Forgetful(EncoderConfig):
        pass

    with pytest.raises(NotImplementedError, match="Forgetful does not say how to make"):
        Forgetful().make("encoder")


OWN_MODULE = """
import dataclasses

import flax.linen as nn
import jax.numpy as jnp

from grnjax.config import Positive
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod
from grnjax.models.encoder import EncoderConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class OwnConfig(EncoderConfig):
    width: Positive = 5

    def make(self, name):
        return Own(self, name=name)


class Own(nn.Module):
    config: OwnConfig

    @nn.compact
    def __call__(self, nodes, graph, *, train):
        return jnp.tanh(nn.Dense(self.config.width, name="own")(nodes))
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """The name of a module of an encoder that nothing of grnjax knows or has imported."""
    (tmp_path / "own_encoder.py").write_text(OWN_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_encoder"
    sys.modules.pop("own_encoder", None)


def test_an_encoder_of_another_package_is_named_by_its_place(own_module):
    place = "--method.model.encoder"
    flags = [f"{place}={own_module}:OwnConfig", f"{place}.width=7"]
    parsed = settings.parse(LinkPredictionConfig, flags, program="grnjax train")
    encoder = parsed.method.model.encoder
    assert (type(encoder).__name__, encoder.width) == ("OwnConfig", 7)
    with pytest.raises(ConfigError, match="method.model.encoder.width must be at least 1, got 0"):
        settings.parse(LinkPredictionConfig, [*flags, f"{place}.width=0"], program="train")


@pytest.mark.slow
def test_the_command_line_fits_an_encoder_of_another_package(
    own_module, cli, genelink_folder, tmp_path
):
    flags = [f"--method.model.encoder={own_module}:OwnConfig", "--method.training.epochs=20"]
    command = ["train", genelink_folder(), *flags, "--out", tmp_path / "run"]
    outcome = cli(*command)
    assert outcome.status == 0, outcome.err
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["config"]["method"]["model"]["encoder"] == {"class": "OwnConfig", "width": 5}
    manifest = next((tmp_path / "run").glob("checkpoints/*/*/manifest.json"))
    assert "['encoder']['own']['kernel']" in manifest.read_text()
    assert "already finished" in cli(*command).err


def test_the_encoders_of_grnjax_are_in_the_table():
    files = {path.stem for path in Path(grnjax.models.__path__[0]).glob("*.py")}
    modules = [importlib.import_module(f"grnjax.models.{name}") for name in files - {"__init__"}]
    found = {
        f"{kind.__module__}:{kind.__name__}"
        for kind in subclasses(EncoderConfig)
        if kind.__module__ in {module.__name__ for module in modules}
    }
    assert found == set(EncoderConfig.NAMED.values())
