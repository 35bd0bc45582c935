"""Cells shared by devices and processes come out as on one, also where a run resumes with more."""

import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import AbstractMesh
from jax.sharding import PartitionSpec as P

from grnjax.errors import ConfigError
from grnjax.foundation.embed import Embedding
from grnjax.foundation.embed_chunks import share_chunks
from grnjax.foundation.layout import lay_out_model, split_blocks
from grnjax.training.sharding import Leaf
from tests.devices import simulate_devices
from tests.foundation.embed_on_devices import WAYS, make_cells
from tests.foundation.small_models import CONFIGS
from tests.foundation.test_embed import EmbedConfig, KilledError, encoder_of, open_embedding

SCRIPT = Path(__file__).with_name("embed_on_devices.py")
CONFIG = EmbedConfig(chunk=3, batch_size=3, groups="type")  # seven chunks
EQUAL = 1e-5


@pytest.mark.slow
def test_eight_devices_embed_as_one_does(tmp_path):
    subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "found.npz"],
        env=simulate_devices(8),
        check=True,
    )
    found = dict(np.load(tmp_path / "found.npz"))
    for name in CONFIGS:
        for way in WAYS if name == "geneformer" else [*WAYS][:2]:
            for what in ("cells", "genes", "group"):
                one, other = found[f"{name}/1/{what}"], found[f"{name}/{way}/{what}"]
                np.testing.assert_allclose(other, one, atol=EQUAL, rtol=0)
    assert found["part of a kernel"].tolist() == [8, 4]  # half of the inner width


def test_chunks_are_dealt_out_once_whatever_was_done_before():
    for processes in (1, 2, 3, 8):
        finished = {0, 4, 5}
        shares = [share_chunks(11, finished, processes, x) for x in range(processes)]
        assert sorted(sum(shares, [])) == [1, 2, 3, 6, 7, 8, 9, 10]
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.slow
def test_a_run_goes_on_with_other_numbers_of_processes(tmp_path, monkeypatch):
    """Processes of one run, one after the other: what each does goes through the folder alone."""
    expected = embed(monkeypatch, None, 1, 0)
    seen: list[int] = []
    with pytest.raises(KilledError):  # the first of two, killed after two chunks
        embed(monkeypatch, tmp_path, 2, 0, seen, most=2)
    with pytest.raises(KilledError):  # then the second of three, after one
        embed(monkeypatch, tmp_path, 3, 1, seen, most=1)
    found = embed(monkeypatch, tmp_path, 1, 0, seen)
    assert sorted(seen) == [0, 3, 6, 9, 12, 15, 18] and seen[:2] == [0, 6]  # no cell twice
    np.testing.assert_array_equal(found.cells, expected.cells)
    assert found.report == expected.report
    for name, genes in {"": expected.genes, **expected.groups}.items():
        other = found.groups[name] if name else found.genes
        np.testing.assert_allclose(other.vectors, genes.vectors, atol=1e-6, rtol=0)
        np.testing.assert_array_equal(other.cells, genes.cells)


def embed(monkeypatch, folder, processes, process, seen=None, most=99):
    """What a process of several embeds; killed when it has done so many chunks."""
    embed_span, done = Embedding.embed_span, []

    def count(self, span, *rest):
        if len(done) == most:
            raise KilledError
        done.append(span[0])
        if seen is not None:
            seen.append(span[0])
        return embed_span(self, span, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Embedding, "embed_span", count)
        patch.setattr("grnjax.foundation.embed.jax.process_count", lambda: processes)
        patch.setattr("grnjax.foundation.embed.jax.process_index", lambda: process)
        patch.setattr("grnjax.foundation.embed_chunks.do_first", lambda action: action())
        patch.setattr("grnjax.foundation.embed_chunks.agree", bool)
        patch.setattr("grnjax.training.cluster.multihost_utils.process_allgather", np.asarray)
        with open_embedding(make_cells(), encoder_of("geneformer"), CONFIG) as embedding:
            return embedding.run(folder)


def test_several_processes_need_a_folder(monkeypatch):
    with pytest.raises(ConfigError, match="2 processes need a folder that all of them see"):
        embed(monkeypatch, None, 2, 0)


def test_heads_and_inner_widths_are_divided_and_the_rest_is_everywhere():
    mesh = AbstractMesh((4, 2), ("data", "model"))
    form = jax.eval_shape(CONFIGS["geneformer"].init, jax.random.key(0))
    layout = lay_out_model(form, mesh)["params"]
    block = layout["layer_0"]
    assert block["attention"]["query"]["kernel"].spec == P(None, "model")
    assert block["attention"]["out"]["kernel"].spec == P("model")
    assert block["ffn_out"]["kernel"].spec == P("model")
    assert block["ffn_norm"]["scale"].spec == P()
    odd = Leaf("['params']['layer_0']['attention']['query']['kernel']", (8, 3, 4), 0)
    assert split_blocks(odd, mesh) is None
    with pytest.raises(ConfigError, match="--devices.model 3 divides neither heads nor widths"):
        lay_out_model(form, AbstractMesh((1, 3), ("data", "model")))
