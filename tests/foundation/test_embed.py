"""Vectors of cells and genes: equal to those of one cell at a time, however they are come by."""

import functools
import types

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax.errors import ConfigError, ExpressionFormatError, GeneMismatchError
from grnjax.foundation import embed_chunks
from grnjax.foundation.convert import convert, load_model
from grnjax.foundation.embed import EmbedConfig, find_groups, open_embedding
from grnjax.foundation.embed_chunks import Progress
from grnjax.foundation.encoder_config import EncoderConfig
from grnjax.foundation.encoders import make_encoder
from grnjax.foundation.token_stream import Bucket, TokenBatch
from tests.foundation.opened import open_tokens
from tests.foundation.small_models import CONFIGS, GENES, make_model

pytestmark = pytest.mark.usefixtures("compile_quickly")
EMPTY, UNKNOWN, SILENT = 5, 3, "GENE7"
CONFIG = EmbedConfig(chunk=4, batch_size=3)


@functools.cache
def encoder_of(name, **settings):
    """One a model, so that its programs are compiled once."""
    least = {"least_genes": 1} if name == "scbert" else {}
    encoder = make_encoder(make_model(name), EncoderConfig(**least, **settings))
    if [*settings] == ["average"]:  # is of what follows the program
        encoder.run = encoder_of(name).run
    return encoder


@pytest.fixture(scope="module")
def adata():
    """Eleven cells, one of them empty; genes of the model, one in no cell, and three others."""
    rng = np.random.default_rng(3)
    names = [*GENES[:18], *(f"OTHER{place}" for place in range(UNKNOWN))]
    counts = rng.poisson(0.4 + rng.gamma(1.5, 0.8, (11, 1)), (11, len(names)))
    counts[EMPTY] = 0
    counts[:, names.index(SILENT)] = 0
    data = anndata.AnnData(sparse.csr_matrix(counts.astype("f4")), var=pd.DataFrame(index=names))
    data.obs_names = [f"cell{place}" for place in range(11)]
    data.obs["type"] = pd.Categorical(["a", "b", None, "a", "b", "a", "b", "a/x", "b", "a", "b"])
    return data


def embed(source, name, config=CONFIG, folder=None, **settings):
    with open_embedding(source, encoder_of(name, **settings), config) as embedding:
        return embedding.run(folder)


def embed_one_by_one(adata, encoder):
    """Vectors of cells, and of genes a list of (cell, vector), without any of the sums."""
    longest = encoder.tokeniser.longest
    cells, genes = {}, {}
    names = {token: name for name, token in encoder.tokeniser.vocabulary.items()}
    with open_tokens(adata, encoder.tokeniser, buckets=(Bucket(longest, 1),)) as stream:
        for batch in stream:
            vectors, states = map(np.asarray, encoder.embed(batch))
            tokens, is_counted = encoder.name_tokens(batch)
            cell = int(batch.cells[0])
            cells[cell] = vectors[0]
            for token, vector, counts in zip(tokens[0], states[0], is_counted[0]):
                if counts and names.get(int(token)) in adata.var_names:
                    genes.setdefault(names[int(token)], []).append((cell, vector))
    return cells, genes


CASES = [(name, "published") for name in CONFIGS]
CASES += [("scbert", "detected"), ("scfoundation", "detected")]


@pytest.mark.slow
@pytest.mark.parametrize("name, average", CASES)
def test_means_are_those_of_one_cell_at_a_time(name, average, adata):
    encoder = encoder_of(name, average=average)
    found = embed(adata, name, average=average)
    cells, genes = embed_one_by_one(adata, encoder)
    assert sorted(cells) == [cell for cell in range(11) if cell != EMPTY]
    assert np.isnan(found.cells[EMPTY]).all() and found.report["skipped"] == 1
    for cell, vector in cells.items():
        np.testing.assert_allclose(found.cells[cell], vector, atol=1e-6, rtol=0)
    counts = adata.X.toarray()
    for place, gene in enumerate(adata.var_names):
        own = genes.get(gene, [])
        assert found.genes.cells[place] == len(own)
        mean = np.mean([vector for _, vector in own], axis=0, dtype=np.float64) if own else np.nan
        np.testing.assert_allclose(found.genes.vectors[place], mean, atol=1e-6, rtol=0)
        if name in ("scbert", "scfoundation") and average == "published":
            assert len(own) == (10 if gene in GENES else 0)
        elif gene in GENES and not found.report.get("cut") and not found.report.get("sampled"):
            assert [cell for cell, _ in own] == [*np.flatnonzero(counts[:, place])]
    assert np.nanstd(found.genes.vectors[:18], axis=0).max() > 1e-2


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_batches_chunks_and_places_change_nothing(name, adata, tmp_path):
    expected = embed(adata, name)
    columns, order = (np.random.default_rng(1).permutation(x) for x in adata.shape[::-1])
    other = embed(adata[order][:, columns].copy(), name, EmbedConfig(chunk=7, batch_size=1))
    np.testing.assert_allclose(other.cells, expected.cells[order], atol=1e-6, rtol=0)
    one, two = (pd.DataFrame(x.tabulate()[1], x.tabulate()[0]) for x in (expected, other))
    if name != "scgpt":  # of which a cell that is too long keeps a sample
        assert len(one) == 18 - (name in ("geneformer", "scgpt"))
    np.testing.assert_allclose(two.loc[one.index], one, atol=1e-6, rtol=0)


def test_a_file_a_backed_object_and_one_in_memory_give_the_same_bits(adata, tmp_path):
    adata.write_h5ad(tmp_path / "cells.h5ad")
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    found = [embed(source, "scgpt") for source in (adata, tmp_path / "cells.h5ad", backed)]
    backed.file.close()
    for other in found[1:]:
        np.testing.assert_array_equal(other.cells, found[0].cells)
        np.testing.assert_array_equal(other.genes.vectors, found[0].genes.vectors)


class KilledError(Exception):
    """In the place of a signal."""


@pytest.mark.parametrize("where", ["between chunks", "between the files of a chunk"])
def test_a_killed_run_goes_on_behind_its_finished_chunks(where, adata, tmp_path, monkeypatch):
    config = EmbedConfig(chunk=3, batch_size=3, groups="type")
    expected = embed(adata, "geneformer", config)
    kept, written = Progress.keep, []

    def keep(self, *args):
        if len(self.finished) == 2 and where == "between chunks":
            raise KilledError
        kept(self, *args)

    def digest_file(path):
        written.append(path)
        if path.name == "000002.npz" and where != "between chunks":
            raise KilledError
        return digest(path)

    digest = embed_chunks.digest_file
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "keep", keep)
        patch.setattr(embed_chunks, "digest_file", digest_file)
        with pytest.raises(KilledError):
            embed(adata, "geneformer", config, tmp_path)
    encoder, run = encoder_of("geneformer"), []
    with monkeypatch.context() as patch:
        now = encoder.embed
        patch.setattr(encoder, "embed", lambda batch: run.append(batch.cells) or now(batch))
        resumed = embed(adata, "geneformer", config, tmp_path)
    assert sorted({*np.concatenate(run)} - {-1}) == [6, 7, 8, 9, 10]
    np.testing.assert_array_equal(resumed.cells, expected.cells)
    for name, genes in {"": expected.genes, **expected.groups}.items():
        other = resumed.groups[name] if name else resumed.genes
        np.testing.assert_array_equal(other.vectors, genes.vectors)
        np.testing.assert_array_equal(other.cells, genes.cells)
    assert resumed.report == expected.report


@pytest.mark.parametrize("name", ["sums-000.npz", "000001.npz"])
def test_damaged_chunks_are_made_again(name, adata, tmp_path, caplog, monkeypatch):
    expected = embed(adata, "geneformer", folder=tmp_path)
    path = tmp_path / "chunks" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr("grnjax.progress.logger.propagate", True)
    again = embed(adata, "geneformer", folder=tmp_path)
    assert "damaged" in caplog.text and "its cells are embedded again" in caplog.text
    np.testing.assert_array_equal(again.cells, expected.cells)
    np.testing.assert_array_equal(again.genes.vectors, expected.genes.vectors)


def test_means_of_a_cell_type_are_over_its_cells(adata):
    config = EmbedConfig(chunk=4, batch_size=3, groups="type")
    found = embed(adata, "geneformer", config)
    assert [*found.groups] == ["a", "a_x", "b"] and found.report["without_group"] == 1
    for name, group in (("a", "a"), ("a_x", "a/x"), ("b", "b")):
        alone = embed(adata[adata.obs["type"] == group].copy(), "geneformer")
        np.testing.assert_array_equal(found.groups[name].cells, alone.genes.cells)
        np.testing.assert_allclose(
            found.groups[name].vectors, alone.genes.vectors, atol=1e-6, rtol=0
        )
    whole = embed(adata, "geneformer")
    np.testing.assert_array_equal(found.genes.cells, whole.genes.cells)
    np.testing.assert_allclose(found.genes.vectors, whole.genes.vectors, atol=1e-6, rtol=0)


@pytest.mark.slow
def test_layers_are_named(adata):
    model = make_model("geneformer")
    for layer, blocks in (("penultimate", 1), ("last", 2), ("0", 0)):
        encoder = make_encoder(model, EncoderConfig(layer=layer))
        assert encoder.blocks == blocks
    assert encoder_of("geneformer").layer == "penultimate"
    assert {encoder_of(name).layer for name in CONFIGS if name != "geneformer"} == {"last"}
    for name, other in (("geneformer", "last"), ("scbert", "penultimate")):
        found = embed(adata, name).genes.vectors, embed(adata, name, layer=other).genes.vectors
        assert np.nanmax(np.abs(found[0] - found[1])) > 1e-3
    with pytest.raises(ConfigError, match="there is no layer 3"):
        make_encoder(model, EncoderConfig(layer="3"))
    with pytest.raises(ConfigError, match="no layer 1: of scbert it is last or penultimate"):
        make_encoder(make_model("scbert"), EncoderConfig(layer="1"))


def test_a_cell_of_scgpt_has_length_one_and_one_of_scfoundation_four_parts(adata):
    lengths = np.linalg.norm(embed(adata, "scgpt").cells, axis=1)
    np.testing.assert_allclose(np.delete(lengths, EMPTY), 1, atol=1e-6)
    assert embed(adata, "scfoundation").cells.shape == (11, 4 * 8)


def test_special_tokens_are_no_part_of_a_cell_of_geneformer(adata):
    encoder = encoder_of("geneformer")
    tokens, is_real = np.array([[2, 9, 12, 3, 0]], np.int32), np.arange(5)[None] < 4
    batch = TokenBatch(tokens, np.zeros((1, 5), np.float32), is_real, np.zeros(1, np.int64))
    cells, states = map(np.asarray, encoder.embed(batch))
    np.testing.assert_allclose(cells[0], states[0, 1:3].mean(axis=0), atol=1e-6, rtol=0)


def test_what_does_not_fit_is_refused(adata):
    model = make_model("geneformer")
    for settings, problem in (
        ({"least_genes": 3}, "geneformer has no setting least_genes"),
        ({"depth": "f2"}, "geneformer has no setting depth"),
    ):
        with pytest.raises(ConfigError, match=problem):
            make_encoder(model, EncoderConfig(**settings))
    for config, problem in (
        (EmbedConfig(groups="kind"), "no column 'kind'"),
        (EmbedConfig(totals="n"), "no column 'n'"),
        (EmbedConfig(gene_column="n"), "no column 'n'"),
    ):
        with pytest.raises(ConfigError, match=problem):
            embed(adata, "geneformer", config)
    with pytest.raises(ExpressionFormatError, match="no layer 'x'"):
        embed(adata, "geneformer", EmbedConfig(matrix="x"))
    with pytest.raises(GeneMismatchError, match="are in the vocabulary"):
        embed(adata[:, -UNKNOWN:].copy(), "geneformer")
    with pytest.raises(ExpressionFormatError, match="none of 11 cells has enough.*--least-genes"):
        with open_embedding(
            adata, make_encoder(make_model("scbert"), EncoderConfig(least_genes=19))
        ) as embedding:
            embedding.run()
    with pytest.raises(ExpressionFormatError, match="none of 0 cells"):
        embed(adata[:0].copy(), "geneformer")
    logs = adata.copy()
    logs.X = logs.X / 3
    with pytest.raises(ExpressionFormatError, match="no whole numbers"):
        embed(logs, "geneformer")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["geneformer", "scbert", "scfoundation"])
def test_a_converted_model_has_the_sizes_of_its_file(name, parity_folder, tmp_path):
    """Without a run: of scGPT the command is run, and states are judged in `tests/parity`."""
    folder, files = parity_folder({"geneformer": "geneformer_v1"}.get(name, name)), {}
    if name == "geneformer":
        side = parity_folder("tokenizers") / "geneformer_v1"
        names = {"tokens": "token_dictionary.pkl", "medians": "gene_median_dictionary.pkl"}
        files = {role: side / file for role, file in names.items()}
    convert(name, folder, tmp_path / "out", files=files)
    encoder = make_encoder(load_model(tmp_path / "out"))
    genes = [x for x in encoder.tokeniser.vocabulary if not x.startswith("<")]
    data = anndata.AnnData(np.ones((2, len(genes))), var=pd.DataFrame(index=genes))
    with open_embedding(data, encoder) as embedding:
        cell, gene = embedding.measure()
        assert len(embedding.known) == len(genes) == embedding.match.report["matched"]
    config = encoder.model.config
    parts = {"scbert": "performer", "scfoundation": "decoder"}
    assert gene == getattr(config, parts.get(name, ""), config).width
    assert cell == (4 * config.encoder.width if name == "scfoundation" else gene)


def test_a_checkpoint_without_dictionaries_is_refused():
    model = make_model("geneformer")
    without = type(model)(**{**vars(model), "vocabulary": {}})
    with pytest.raises(ConfigError, match="without its tokens and medians.*--files tokens=FILE"):
        make_encoder(without)


def test_groups_that_differ_by_a_slash_alone_are_named():
    table = pd.DataFrame({"type": ["a/b", "a_b", "c"]})
    rows = types.SimpleNamespace(obs=table, name="cells")
    with pytest.raises(ConfigError, match="differ by / and _ alone, a/b, a_b, .*rename them"):
        find_groups(rows, "type")
