"""Batches as large as memory allows, and no result that depends on them."""

import jax
import numpy as np
import pytest

from grnjax.foundation.batch_sizes import choose_batches, estimate_cell
from grnjax.foundation.encoder_config import EncoderConfig
from grnjax.foundation.encoders import make_encoder
from grnjax.foundation.performer import PerformerConfig
from grnjax.foundation.scbert import ScBertConfig
from grnjax.foundation.scfoundation import ScFoundationConfig
from grnjax.foundation.scgpt import ScGPTConfig
from grnjax.foundation.token_stream import TokenBatch
from grnjax.foundation.transformer import TransformerConfig
from tests.foundation.small_models import make_model

BLOCKS = {"layers": 2, "width": 64, "heads": 4, "feed_forward": 128, "norm_epsilon": 1e-5}
PERFORMER = PerformerConfig(width=64, layers=2, heads=2, features=64, feed_forward=128, bias=True)
SIZES = {
    "scgpt": (ScGPTConfig(**BLOCKS, vocabulary=23, expression_head=False), 512),
    "scbert": (ScBertConfig(genes=2000, performer=PERFORMER), 2001),
    "scfoundation": (
        ScFoundationConfig(genes=2000, encoder=TransformerConfig(**BLOCKS), decoder=PERFORMER),
        256,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
def test_the_estimate_is_above_what_the_compiler_takes_and_not_far(name):
    config, tokens = SIZES[name]
    model = make_model(name)
    genes = [f"GENE{place}" for place in range(2000)]
    variables = jax.eval_shape(config.init, jax.random.key(0))
    lists = {} if name == "scgpt" else {"genes": genes}
    model = type(model)(
        **{**vars(model), "config": config, "module": config.make(), "variables": variables}
        | {"vocabulary": {**model.vocabulary, **lists}}
    )
    encoder = make_encoder(model, EncoderConfig())

    def measure(cells):
        batch = TokenBatch(
            np.zeros((cells, tokens), np.int32),
            np.ones((cells, tokens), np.float32),
            np.ones((cells, tokens), bool),
            np.zeros(cells, np.int64),
        )
        inputs = jax.eval_shape(lambda *x: x, *encoder.take_inputs(batch))
        compiled = encoder.run.lower(variables, *inputs).compile().memory_analysis()
        return compiled.temp_size_in_bytes + compiled.output_size_in_bytes

    taken = measure(4) / 4
    assert taken < estimate_cell(config, tokens) < 5 * taken


def test_less_memory_and_longer_cells_make_smaller_batches():
    config, devices = SIZES["scgpt"][0], jax.local_devices()[:1]
    cell = estimate_cell(config, 512)

    def choose(at_hand, most_cells=10_000, shares=1):
        found = choose_batches(
            config, (128, 512), devices, shares=shares, most_cells=most_cells, at_hand=at_hand
        )
        assert all(x.cells % shares == 0 for x in found.buckets)
        return [x.cells for x in found.buckets], found.needed

    assert choose(2**40)[0] == [128, 32]  # 16,384 tokens
    assert choose(10 * cell)[0][1] == 4  # half of the memory, and a power of two
    assert choose(1) == ([1, 1], cell)  # at least one, and it is said
    assert choose(2**40, most_cells=5)[0] == [5, 5]
    assert choose(2**40, shares=8)[0] == [128, 32]
    assert choose(2**40, shares=8, most_cells=3)[0] == [8, 8]
    found = choose_batches(
        ScFoundationConfig(), (512,), devices, shares=1, most_cells=99, at_hand=2**40
    )
    assert found.buckets[0].cells == 1  # which decodes 19,266 places of every cell


def test_one_cell_that_is_too_much_is_said(caplog, monkeypatch):
    monkeypatch.setattr("grnjax.progress.logger.propagate", True)
    config = SIZES["scgpt"][0]
    choose_batches(
        config, (128,), jax.local_devices()[:1], shares=1, most_cells=9, at_hand=10
    ).tell()
    assert "one cell of 128 tokens may take" in caplog.text
