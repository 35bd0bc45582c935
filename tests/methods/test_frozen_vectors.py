"""Frozen vectors of scRegNet: from a table, and from a model that reads the set's expression."""

import dataclasses
import json

import anndata
import numpy as np
import pandas as pd
import pytest

from experiments.foundation.random_weights import Files
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.foundation import set_vectors
from grnjax.foundation.convert import convert, load_model
from grnjax.foundation.embed import open_embedding
from grnjax.foundation.encoder_config import EncoderConfig, SetEncoderConfig
from grnjax.foundation.encoders import make_encoder
from grnjax.foundation.scbert import ScBertConfig
from grnjax.foundation.scgpt import read_config
from grnjax.methods.frozen_vectors import add_vectors
from grnjax.methods.method import Problem
from grnjax.methods.scregnet import ScRegNetMethod
from grnjax.models.scregnet import ScRegNetConfig
from tests.foundation.small_models import PERFORMER

pytestmark = pytest.mark.usefixtures("compile_quickly")
ABSENT = 9  # genes of the set that the models do not have
SIZES = {"nlayers": 1, "embsize": 8, "nheads": 2, "d_hid": 8, "n_layers_cls": 3, "dropout": 0.1}
SIZES |= {"input_emb_style": "continuous", "pad_value": -2, "mask_value": -1, "n_bins": 9}
LOG = SetEncoderConfig(expression="log")


@pytest.fixture(scope="module")
def models(dataset, tmp_path_factory):
    """A small scGPT and scBERT with the genes of the set but some."""
    folder = tmp_path_factory.mktemp("models")
    genes = dataset.genes.names[ABSENT:].tolist()
    vocabulary = {name: place for place, name in enumerate(genes)}
    settings = {**SIZES, "max_seq_len": 64}
    config = read_config(settings, vocabulary, classes=0, expression_head=False, cell_head=False)
    files = [
        Files("scgpt", config, {"args.json": settings, "vocab.json": vocabulary}),
        Files(
            "scbert",
            ScBertConfig(genes=len(genes), performer=dataclasses.replace(PERFORMER, bias=False)),
            {"genes.json": {"genes": genes}},
        ),
    ]
    for file in files:
        file.write(folder / "published" / file.model)
        convert(file.model, folder / "published" / file.model, folder / file.model)
    return folder


@pytest.fixture
def problem(dataset):
    dataset = dataclasses.replace(dataset, report=dict(dataset.report))
    return Problem(dataset=dataset, parts=(), tfs=dataset.genes.tfs, trainable=dataset.genes.tfs)


def test_a_table_gives_its_vectors_and_zeros_with_their_names(problem, tmp_path):
    names = problem.dataset.genes.names
    vectors = np.random.default_rng(0).normal(size=(len(names) - 3, 4)).astype("f4")
    np.savez(tmp_path / "table.npz", genes=names[3:], embedding=vectors)
    found = ScRegNetMethod(embedding=str(tmp_path / "table.npz")).prepare(problem)
    np.testing.assert_array_equal(found.embedding[3:], vectors)
    np.testing.assert_array_equal(np.flatnonzero(~found.embedded), [0, 1, 2])
    report = problem.dataset.report["embedding"]
    assert report["without_vector"] == names[:3].tolist() and report["found"] == len(names) - 3


@pytest.mark.slow
@pytest.mark.parametrize("model", ["scgpt", "scbert"])
def test_a_model_gives_what_it_makes_of_the_expression_of_the_set(model, models, problem):
    genes, config = problem.dataset.genes, dataclasses.replace(LOG, least_genes=None)
    if model == "scbert":
        config = dataclasses.replace(LOG, least_genes=1)
    found = add_vectors(problem, str(models / model), config)
    least = {"least_genes": config.least_genes}
    encoder = make_encoder(load_model(models / model), EncoderConfig(expression="log", **least))
    cells = anndata.AnnData(genes.expression, var=pd.DataFrame(index=genes.names))
    with open_embedding(cells, encoder) as embedding:
        expected = embedding.run().genes
    np.testing.assert_array_equal(found.embedding, np.nan_to_num(expected.vectors))
    np.testing.assert_array_equal(found.embedded, expected.cells > 0)
    assert not found.embedded[:ABSENT].any() and found.embedded[ABSENT:].sum() > 40
    report = problem.dataset.report["embedding"]
    assert report["expression"] == "log" and report["model"] == model
    assert report["without_vector"] == genes.names[~found.embedded].tolist()


@pytest.mark.slow
def test_it_is_kept_by_the_content_of_what_it_was_made_from(models, problem, monkeypatch):
    folder = str(models / "scgpt")
    first = add_vectors(problem, folder, LOG)
    kept = problem.dataset.report["embedding"]["kept_in"]
    genes = problem.dataset.genes
    other = dataclasses.replace(genes, expression=genes.expression[:, ::-1].copy())
    changed = dataclasses.replace(
        problem, dataset=dataclasses.replace(problem.dataset, genes=other, report={})
    )
    different = add_vectors(changed, folder, LOG)
    assert changed.dataset.report["embedding"]["kept_in"] != kept
    assert not np.array_equal(different.embedding, first.embedding)

    def refuse(*args, **settings):
        raise AssertionError("nothing is embedded again")

    monkeypatch.setattr(set_vectors, "load_model", refuse)
    again = add_vectors(problem, folder, LOG)
    np.testing.assert_array_equal(again.embedding, first.embedding)
    with pytest.raises(AssertionError):
        add_vectors(problem, folder, SetEncoderConfig(expression="log", layer="penultimate"))


@pytest.mark.slow
def test_logs_can_be_undone(models, problem):
    genes = problem.dataset.genes
    undone = add_vectors(problem, str(models / "scgpt"), SetEncoderConfig(expression="unlogged"))
    counts = dataclasses.replace(genes, expression=np.expm1(genes.expression))
    dataset = dataclasses.replace(problem.dataset, genes=counts, report={})
    other = dataclasses.replace(problem, dataset=dataset)
    expected = add_vectors(other, str(models / "scgpt"), SetEncoderConfig(expression="estimated"))
    np.testing.assert_array_equal(undone.embedding, expected.embedding)


@pytest.mark.slow
def test_genes_of_another_species_are_joined_by_a_table(models, problem, tmp_path):
    genes, folder = problem.dataset.genes, str(models / "scgpt")
    expected = add_vectors(problem, folder, LOG)
    theirs = [f"Mus{number}" for number in range(len(genes.names))]
    pairs = [f"{one}\t{other}" for one, other in zip(genes.names, theirs)]
    lost = ABSENT + 3
    del pairs[lost]
    table = tmp_path / "table.tsv"
    table.write_text("\n".join(["human\tmouse", *pairs]) + "\n")
    renamed = dataclasses.replace(genes, names=np.array(theirs))
    dataset = dataclasses.replace(problem.dataset, genes=renamed, report={})
    other = dataclasses.replace(problem, dataset=dataset)
    with pytest.raises(GeneMismatchError):
        add_vectors(other, folder, LOG)
    method = ScRegNetMethod(embedding=folder, embed=dataclasses.replace(LOG, orthologues=table))
    found = method.prepare(other)
    without = [*range(ABSENT), lost]
    assert found.embedded.sum() == expected.embedded.sum() - 1 and not found.embedded[without].any()
    assert np.abs(found.embedding[found.embedded]).max() > 0
    assert method.files()["orthologues"] == str(table)
    kept = dataset.report["embedding"]["kept_in"]
    table.write_text("\n".join(["human\tmouse", *pairs[:-1]]) + "\n")
    method.prepare(other)
    assert dataset.report["embedding"]["kept_in"] != kept  # another table, at the same path
    wrong = dataclasses.replace(LOG, orthologues=table, species=("rat", "human"))
    with pytest.raises(GeneMismatchError, match="no columns 'rat' and 'human'"):
        ScRegNetMethod(embedding=folder, embed=wrong).prepare(other)


def test_settings_of_a_model_are_refused_beside_a_table(problem, tmp_path):
    names = problem.dataset.genes.names
    np.savez(tmp_path / "table.npz", genes=names, embedding=np.ones((len(names), 2), "f4"))
    with pytest.raises(ConfigError, match="is a table of vectors"):
        ScRegNetMethod(embedding=str(tmp_path / "table.npz"), embed=LOG).check(problem)


def test_what_the_values_are_must_be_said_and_be_so(models, problem, tmp_path):
    folder, method = str(models / "scgpt"), ScRegNetMethod
    for expression, message in (
        (None, "say it by --method.embed.expression"),
        ("counts", "the counts were normalised when they were read; take log or unlogged"),
    ):
        with pytest.raises(ConfigError, match=message):
            add_vectors(problem, folder, SetEncoderConfig(expression=expression))
    empty = np.zeros_like(problem.dataset.genes.measured)
    genes = dataclasses.replace(problem.dataset.genes, measured=empty)
    nothing = dataclasses.replace(problem.dataset, genes=genes)
    with pytest.raises(ConfigError, match="has no expression that it could embed"):
        add_vectors(dataclasses.replace(problem, dataset=nothing), folder, LOG)
    table = np.ones((len(empty), 2), np.float32)
    with pytest.raises(ConfigError, match="both give vectors"):
        method(embedding=folder).prepare(dataclasses.replace(problem, embedding=table))
    with pytest.raises(ConfigError, match="give --method.embedding FOLDER"):
        method(embed=LOG).check(problem)
    with pytest.raises(ConfigError, match="a transfer takes a table for each"):
        method(embedding=folder).check_transfer(problem)
    crossed = ScRegNetConfig(fusion="cross-attention")
    with pytest.raises(ConfigError, match="give --method.embedding, or leave it"):
        method(model=crossed).check(problem)
    method(model=crossed, embedding=folder).check(problem)
    names = np.char.add("X", problem.dataset.genes.names)
    genes = dataclasses.replace(problem.dataset.genes, names=names)
    others = dataclasses.replace(problem.dataset, genes=genes, report={})
    with pytest.raises(GeneMismatchError, match="^the data set: of 80 genes"):
        add_vectors(dataclasses.replace(problem, dataset=others), folder, LOG)
    with pytest.raises(ConfigError, match="cannot be written to"):
        set_vectors.choose_folder(tmp_path / "nowhere", None)
    assert set_vectors.choose_folder(tmp_path / "nowhere", tmp_path) == tmp_path


@pytest.mark.slow
def test_the_command_embeds_and_records_which_genes_have_none(
    models, genelink_folder, quick_methods, cli, tmp_path
):
    quick = [f"--method.{item}" for item in quick_methods["scRegNet"]]
    words = ["train", genelink_folder("Train", "Test", "Validation"), "--out", tmp_path / "run"]
    words += ["--method.embedding", models / "scgpt", *quick]
    assert "--method.embed.expression" in cli(*words).err
    outcome = cli(*words, "--method.embed.expression", "log")
    assert outcome.status == 0, outcome.err
    assert "genes, others zero" in outcome.err
    run = json.loads((tmp_path / "run" / "run.json").read_bytes())
    report = run["data"]["embedding"]
    assert {*report["without_vector"]} and report["found"] == 80 - len(report["without_vector"])
    assert "method/embedding" in run["inputs"]
    again = cli(*words, "--method.embed.expression", "log")
    assert "already finished" in again.err
