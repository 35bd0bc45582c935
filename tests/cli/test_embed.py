"""`grnjax embed` end to end: files that other commands read, and one sentence for a mistake."""

import json
import os
import shutil

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax.data.h5ad_output import write_h5ad
from grnjax.evidence.vectors import read_vectors
from grnjax.foundation import embed as embedding
from grnjax.foundation.convert import load_model
from grnjax.foundation.encoders import make_encoder

QUICK = ["--chunk", 4, "--batch-size", 4]


@pytest.fixture(scope="module")
def model(parity_folder, cli, tmp_path_factory):
    """A converted scGPT."""
    out = tmp_path_factory.mktemp("models") / "scgpt"
    outcome = cli("convert", "scgpt", parity_folder("scgpt"), "--out", out)
    assert outcome.status == 0, outcome.err
    return out


@pytest.fixture(scope="module")
def cells(parity_folder, tmp_path_factory):
    """Ten cells, one of them empty, with genes of the model, one silent, and one other."""
    known = json.loads((parity_folder("scgpt") / "vocab.json").read_bytes())
    names = [name for name in known if not name.startswith("<")][:30] + ["OTHER"]
    counts = np.random.default_rng(5).poisson(1.0, (10, 31)).astype("f4")
    counts[6] = 0
    counts[:, 2] = 0
    obs = pd.DataFrame({"type": list("abababaabb")}, index=[f"c{i}" for i in range(10)])
    data = anndata.AnnData(sparse.csr_matrix(counts), obs=obs, var=pd.DataFrame(index=names))
    data.layers["logs"] = data.X.log1p()
    path = tmp_path_factory.mktemp("cells") / "counts.h5ad"
    write_h5ad(data, path)
    return path


@pytest.fixture(scope="module")
def embedded(model, cells, cli, tmp_path_factory):
    out = tmp_path_factory.mktemp("embedded") / "run"
    outcome = cli("embed", cells, "--model", model, "--out", out, "--groups", "type", *QUICK)
    assert outcome.status == 0, outcome.err
    return out, outcome


def read_outputs(out):
    with np.load(out / "genes.npz") as arrays:
        table = dict(arrays)
    return anndata.read_h5ad(out / "cells.h5ad"), table


def test_it_says_what_was_embedded_and_what_was_not(embedded):
    out, outcome = embedded
    assert "scgpt, layer last: 9 of 10 cells in 32 numbers each, 29 genes in 32." in outcome.out
    assert "1 cells skipped: they have too few genes of the model" in outcome.out
    assert "1 genes are not in the model" in outcome.out
    assert "1 genes of the model are in none of the cells" in outcome.out
    assert "Licence: scGPT" in outcome.out and f"Written to {out / 'cells.h5ad'}" in outcome.out
    told = json.loads((out / "run.json").read_bytes())
    assert told["report"]["skipped"] == 1 and told["report"]["genes"]["matched"] == 30
    assert {"expression", "model"} == {*told["inputs"]}


def test_vectors_stand_beside_what_the_file_held(embedded, model, cells):
    data, _ = read_outputs(embedded[0])
    source = anndata.read_h5ad(cells)
    settings = embedding.EmbedConfig(chunk=4, batch_size=4, groups="type")
    with embedding.open_embedding(source, make_encoder(load_model(model)), settings) as opened:
        expected = opened.run()
    np.testing.assert_array_equal(data.obsm["X_scgpt"], expected.cells)
    np.testing.assert_array_equal(data.varm["scgpt"], expected.genes.vectors)
    np.testing.assert_array_equal(data.varm["scgpt:a"], expected.groups["a"].vectors)
    np.testing.assert_array_equal(data.varm["scgpt_cells"][:, 0], expected.genes.cells)
    assert {"scgpt:a", "scgpt:b", "scgpt:a_cells", "scgpt:b_cells"} < {*data.varm}
    np.testing.assert_array_equal(
        data.varm["scgpt:a_cells"] + data.varm["scgpt:b_cells"], data.varm["scgpt_cells"]
    )
    np.testing.assert_array_equal(data.X.toarray(), source.X.toarray())
    np.testing.assert_array_equal(data.layers["logs"].toarray(), source.layers["logs"].toarray())
    pd.testing.assert_frame_equal(data.obs, source.obs)


def test_genes_are_read_back_by_name(embedded):
    out, _ = embedded
    data, table = read_outputs(out)
    lacking = data.var_names[[2, 30]]
    assert len(table["genes"]) == 29 and not {*lacking} & {*table["genes"]}
    names = data.var_names[::-1].to_numpy(str)
    expected = pd.DataFrame(table["embedding"], index=table["genes"]).reindex(names)
    for path in (out / "genes.npz", f"{out / 'cells.h5ad'}:scgpt"):
        (found,) = read_vectors(path, names, np.arange(5)).genes
        np.testing.assert_array_equal(found.covered, ~np.isin(names, lacking))
        np.testing.assert_array_equal(found.values, expected.fillna(0).to_numpy())
    (group,) = read_vectors(f"{out / 'cells.h5ad'}:scgpt:a", names, np.arange(5)).genes
    assert not np.array_equal(group.values, found.values)


@pytest.mark.slow
def test_a_second_time_does_nothing_and_damage_is_mended_from_the_chunks(
    embedded, model, cells, cli, tmp_path, monkeypatch
):
    shutil.copytree(embedded[0], tmp_path / "run")
    words = ["embed", cells, "--model", model, "--out", tmp_path / "run"]
    words += ["--groups", "type", *QUICK]
    assert "already finished; nothing to do" in cli(*words).err
    (tmp_path / "run" / "genes.npz").write_bytes(b"damaged")

    def embed_span(self, *_):
        raise AssertionError("nothing is embedded again")

    monkeypatch.setattr(embedding.Embedding, "embed_span", embed_span)
    outcome = cli(*words)
    assert outcome.status == 0 and "genes.npz: " in outcome.err, outcome.err
    one, two = (read_outputs(out)[1] for out in (embedded[0], tmp_path / "run"))
    np.testing.assert_equal(one, two)
    outcome = cli(*words[:-1], 2)
    assert outcome.status == 2 and "holds another run" in outcome.err


@pytest.mark.slow
def test_killed_after_some_chunks_it_goes_on(embedded, model, cells, cli, tmp_path, monkeypatch):
    words = ["embed", cells, "--model", model, "--out", tmp_path / "run"]
    words += ["--groups", "type", *QUICK]
    embed_span = embedding.Embedding.embed_span

    def fail(self, span, *rest):
        if span[0] == 8:
            raise OSError(28, os.strerror(28), "somewhere")
        return embed_span(self, span, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(embedding.Embedding, "embed_span", fail)
        outcome = cli(*words)
    assert outcome.status == 2 and "the same command goes on from here" in outcome.err
    assert not (tmp_path / "run" / "cells.h5ad").exists()
    outcome = cli(*words)
    assert outcome.status == 0 and "going on behind 2 finished chunks" in outcome.err
    for one, two in zip(read_outputs(embedded[0]), read_outputs(tmp_path / "run")):
        if isinstance(one, dict):
            np.testing.assert_equal(one, two)
        else:
            np.testing.assert_array_equal(one.obsm["X_scgpt"], two.obsm["X_scgpt"])
            np.testing.assert_array_equal(one.varm["scgpt:b"], two.varm["scgpt:b"])


@pytest.mark.slow
def test_what_is_no_h5ad_is_held_in_memory(embedded, model, cells, cli, tmp_path):
    anndata.read_h5ad(cells).write_zarr(tmp_path / "counts.zarr")
    words = ["embed", tmp_path / "counts.zarr", "--model", model, "--out", tmp_path / "run"]
    outcome = cli(*words, "--groups", "type", *QUICK)
    assert outcome.status == 0, outcome.err
    one, two = read_outputs(embedded[0]), read_outputs(tmp_path / "run")
    np.testing.assert_array_equal(one[0].obsm["X_scgpt"], two[0].obsm["X_scgpt"])
    np.testing.assert_array_equal(one[0].X.toarray(), two[0].X.toarray())
    np.testing.assert_equal(one[1], two[1])


@pytest.mark.slow
def test_a_mistake_is_one_sentence(model, cells, cli, tmp_path):
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    for words, problem in (
        ([tmp_path / "no.h5ad", "--model", model], "no.h5ad"),
        ([cells, "--model", empty], "is no converted model"),
        ([cells, "--model", model, "--layer", "first"], "there is no layer first"),
        ([cells, "--model", model, "--matrix", "x"], "no layer 'x'"),
        (["text.csv", "--model", model], "text.csv"),
        ([cells, "--model", model, "--groups", "kind"], "no column 'kind'"),
        ([cells, "--model", model, "--totals", "n"], "have no part in the tokens"),
        ([cells, "--model", model, "--depth", "f2"], "scgpt has no setting depth"),
        ([cells, "--model", model, "--orthologues", empty / "x.tsv"], "x.tsv"),
        ([cells, "--model", model, "--batch-size", "big"], "a whole number or one of auto"),
        ([cells, "--model", model, "--devices.model", 3], "--devices.model 3 does not divide"),
    ):
        outcome = cli("embed", *words, "--out", out)
        assert outcome.status == 2, words
        assert problem in outcome.err.splitlines()[-1], outcome.err
        assert outcome.err.splitlines()[-1].startswith("grnjax embed: ")
        assert not out.exists()
    for folder in (out, empty):  # seen when the folder is made already
        outcome = cli("embed", cells, "--model", model, "--matrix", "logs", "--out", folder)
        assert outcome.status == 2 and "no whole numbers" in outcome.err
        assert not [*empty.iterdir()] and not out.exists()
    assert cli("embed", cells, "--model", model).status == 2  # without --out


def test_the_help_names_the_settings(cli):
    outcome = cli("embed", "--help")
    assert outcome.status == 0
    assert all(flag in outcome.out for flag in ("--model", "--layer", "--groups", "--batch-size"))
    assert "embed" in cli("--help").out
