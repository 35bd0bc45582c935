import jax
import jax.numpy as jnp
import jraph
import pytest

from experiments.scregnet.published_settings import (
    PUBLISHED,
    STAND_IN,
    encode_once,
    published_config,
)
from grnjax import config as settings
from grnjax.models.scregnet import ScRegNet
from grnjax.types import GeneBatch, PairBatch


def count_parameters(model, *, cells, embedding):
    """By part of the model; no array is made."""
    pairs = PairBatch(
        jnp.zeros((3, 2), int), *jnp.zeros((2, 3, 0)), *jnp.zeros((2, 3)), jnp.zeros(3, int)
    )
    edges = jnp.zeros(2, int)
    graph = jraph.GraphsTuple(
        None, jnp.ones(2), edges, edges, None, jnp.array([4, 1]), jnp.array([2, 0])
    )
    genes = GeneBatch(
        nodes=jnp.zeros((5, cells)),
        measured=jnp.ones(5),
        embedding=jnp.zeros((5, embedding)),
        seen=jnp.ones((5, 2)),
        tfs=jnp.arange(5),
        graph=graph,
    )

    def init():
        return ScRegNet(model).init(jax.random.key(0), genes, pairs, train=False)["params"]

    shapes = jax.eval_shape(init)
    return {part: sum(x.size for x in jax.tree.leaves(tree)) for part, tree in shapes.items()}


def test_the_model_of_hesc_has_the_parameters_of_the_published_checkpoint():
    config = published_config("Specific/hESC/TFs+500")
    counts = count_parameters(config.model, cells=758, embedding=896)
    assert counts == {"encoder": 179_925, "mlp": 184_338, "head": 794}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_set_is_selected_on_validation_and_scores_additively(name):
    config = published_config(name)
    assert config.training.select_on == "auroc"
    assert config.model.head == "additive" and config.model.identity_rank == 0
    assert config.inputs.nodes == "profile" and config.inputs.messages == "symmetric"


def test_suspect_and_missing_settings_are_said(caplog):
    with caplog.at_level("INFO", logger="grnjax"):
        published_config("Specific/hESC/TFs+500")
        assert caplog.text == ""
        published_config("Specific/hHEP/TFs+1000")
        assert "names gene set 500" in caplog.text
        config = published_config("Specific/axolotl/TFs+500")
        assert "Specific/axolotl/TFs+500: no published settings" in caplog.text
    assert config == published_config(STAND_IN)


def test_encoding_once_changes_the_schedule_and_nothing_of_the_model():
    published = published_config("Specific/mESC/TFs+500")
    once = encode_once(published)
    assert once.training.batch_size == 0 and published.training.batch_size == 86
    assert settings.replace(once, {"training": published.training}) == published
