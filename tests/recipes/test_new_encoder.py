"""A new encoder is a config and a Flax module, and no file of grnjax has to know of it."""

import dataclasses
import importlib
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import grnjax.models
from grnjax import config as settings
from grnjax.config.fields import subclasses
from grnjax.data.simulator import EmbeddedConfig, SimulatorConfig
from grnjax.errors import ConfigError
from grnjax.graphs.build import build_graph
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod
from grnjax.models.encoder import EncoderConfig
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.tasks.link_prediction import run_study
from grnjax.tasks.loading import load_embedded
from grnjax.tasks.split_fits import LinkPredictionConfig, SplitConfig, draw_splits
from grnjax.training.pair_objective import TrainingConfig

SIZE = SimulatorConfig(genes=80, tfs=12, master_regulators=4, cells=150, steps=100)


@pytest.fixture(scope="module")
def config(recipe):
    return LinkPredictionConfig(
        method=ScRegNetMethod(
            model=ScRegNetConfig(
                encoder=recipe.MeanConfig(width=12), mlp_widths=(12,), identity_rank=2
            ),
            inputs=InputConfig(components=10),
            training=TrainingConfig(epochs=100, unseen_share=0.0),
        ),
        split=SplitConfig(draws=(0, 1)),
    )


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    """Results and run folder of a study with the new encoder."""
    folder = tmp_path_factory.mktemp("run")
    dataset = load_embedded(EmbeddedConfig(known_share=1.0, simulator=SIZE)).dataset
    return run_study(dataset, draw_splits(dataset, config.split), config, folder=folder), folder


@pytest.mark.slow
def test_it_uses_the_graph_and_its_direction(recipe):
    encoder = recipe.MeanConfig(width=5).make("encoder")
    nodes = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)), jnp.float32)

    def encode(edges):
        graph = build_graph(np.array(edges), 4, symmetric=False, self_loops=False)
        graph = jax.tree.map(jnp.asarray, graph)
        variables = encoder.init(jax.random.key(0), nodes, graph, train=False)
        return encoder.apply(variables, nodes, graph, train=False)

    forward, backward = encode([[0, 1]]), encode([[1, 0]])
    assert forward.shape == (5, 5)
    assert not np.allclose(forward, backward)


@pytest.mark.slow
def test_it_learns_without_a_change_to_any_file(run):
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


@pytest.mark.slow
def test_its_settings_are_flags_and_come_back_from_a_run_record(recipe, config):
    parsed = settings.parse(config, ["--method.model.encoder.width", "7"], program="grnjax train")
    assert parsed.method.model.encoder == recipe.MeanConfig(width=7)
    assert settings.from_json(LinkPredictionConfig, settings.to_json(config)) == config


def test_a_config_that_makes_no_encoder_says_which_one_it_is():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Forgetful(EncoderConfig):
        pass

    with pytest.raises(NotImplementedError, match="Forgetful does not say how to make"):
        Forgetful().make("encoder")


@pytest.mark.slow
def test_the_command_line_takes_it_by_its_place(recipe, shown):
    flags = [
        shown("--method.model.encoder=my_encoder:MeanConfig"),
        shown("--method.model.encoder.width=32"),
    ]
    parsed = settings.parse(LinkPredictionConfig, flags, program="grnjax train")
    assert parsed.method.model.encoder == recipe.MeanConfig(width=32)
    with pytest.raises(ConfigError, match="method.model.encoder.width must be at least 1, got 0"):
        wrong = [flags[0], "--method.model.encoder.width=0"]
        settings.parse(LinkPredictionConfig, wrong, program="train")


@pytest.mark.slow
def test_the_command_line_fits_it(recipe, shown, cli, genelink_folder, tmp_path):
    flags = [
        shown("--method.model.encoder=my_encoder:MeanConfig"),
        "--method.training.epochs=20",
    ]
    command = ["train", genelink_folder(), *flags, "--out", tmp_path / "run"]
    outcome = cli(*command)
    assert outcome.status == 0, outcome.err
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["config"]["method"]["model"]["encoder"] == {"class": "MeanConfig", "width": 64}
    manifest = next((tmp_path / "run").glob("checkpoints/*/*/manifest.json"))
    assert "['encoder']['mix']['kernel']" in manifest.read_text()
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
