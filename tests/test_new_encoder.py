"""A new encoder is a config and a Flax module, and no file of grnjax has to know of it."""

import dataclasses
import json

import flax.linen as nn
import jax.numpy as jnp
import pytest

from grnjax import config as settings
from grnjax.data.simulator import EmbeddedConfig, SimulatorConfig
from grnjax.graphs.aggregate import aggregate
from grnjax.models.encoder import EncoderConfig
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.tasks.inputs import InputConfig
from grnjax.tasks.link_prediction import LinkPredictionConfig, SplitConfig, draw_splits, run_study
from grnjax.tasks.loading import load_embedded
from grnjax.training.pair_objective import TrainingConfig

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
    model=ScRegNetConfig(encoder=MeanConfig(width=12), mlp_widths=(12,), identity_rank=2),
    inputs=InputConfig(components=10),
    training=TrainingConfig(epochs=100, unseen_share=0.0),
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
    parsed = settings.parse(CONFIG, ["--model.encoder.width", "7"], program="grnjax train")
    assert parsed.model.encoder == MeanConfig(width=7)
    assert settings.from_json(LinkPredictionConfig, settings.to_json(CONFIG)) == CONFIG


def test_a_config_that_makes_no_encoder_says_which_one_it_is():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Forgetful(EncoderConfig):
        pass

    with pytest.raises(NotImplementedError, match="Forgetful does not say how to make"):
        Forgetful().make("encoder")
