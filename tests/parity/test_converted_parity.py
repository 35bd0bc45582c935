"""Each model from its published files through a checkpoint: the reference outputs, and back.

The parity tests of the models go from arrays to outputs; these go from files to outputs by way of
`convert` and `load_model`, and from there to .safetensors and again.
"""

import json

import jax
import numpy as np
import pytest

from grnjax.errors import CheckpointError, ConfigError
from grnjax.foundation.convert import convert, export, load_model
from grnjax.foundation.reader import read_checkpoint
from grnjax.foundation.scfoundation import find_largest, pool_all
from tests.foundation.torch_files import write_torch
from tests.parity.test_scfoundation_parity import Loaded, encode, run, select

TOLERANCE = 1e-5
PARTS = {"gene": "f2", "cell": "t4", "rde": "a1"}
LAYOUTS = ("best_model.pt", "best_model_impl.pt", "best_model_plain.pt")
MODELS = [
    ("geneformer", "geneformer_v1", None),
    ("geneformer", "geneformer_v2", None),
    ("scbert", "scbert", None),
    *(("scfoundation", "scfoundation", part) for part in PARTS),
    ("scgpt", "scgpt", None),
]


def read_arrays(folder):
    found = []
    for name in ("inputs", "expected"):
        with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
            found.append(dict(arrays))
    return found


def difference(found, expected, where=None):
    gap = np.abs(np.asarray(found) - expected)
    return gap.max() if where is None else gap[where].max()


@pytest.fixture
def load(parity_folder, tmp_path):
    """Converts and loads a model."""

    def load(name, path=None, part=None):
        folder = parity_folder(name)
        convert(name, folder if path is None else folder / path, tmp_path / "out", part=part)
        return load_model(tmp_path / "out"), folder

    return load


@pytest.mark.slow
def test_scbert(load):
    model, folder = load("scbert")
    inputs, expected = read_arrays(folder)
    run_model = jax.jit(model.module.apply, static_argnames=("train", "method"))
    encodings = run_model(model.variables, inputs["tokens"], train=False, method="encode")
    logits = run_model(model.variables, encodings, method="decode")
    assert difference(encodings, expected["encodings_one_by_one"]) < TOLERANCE
    assert difference(logits, expected["logits_one_by_one"]) < TOLERANCE
    assert model.vocabulary["genes"] == (folder / "genes.txt").read_text().split()


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_scfoundation(load, part):
    model, folder = load("scfoundation", part=part)
    inputs, expected = read_arrays(folder)
    loaded = Loaded(model.config, model.variables)
    values = inputs[f"values_{PARTS[part]}"]
    if part == "gene":
        decoded, expression = run(loaded, values)
        assert difference(decoded, expected["gene_decoder_one_by_one"]) < TOLERANCE
        assert difference(expression, expected["gene_expression_one_by_one"]) < TOLERANCE
    else:
        shown, places, is_real = select(model.config, values)
        encoded = encode(*loaded, shown, places, is_real)
        pooled = {"all": pool_all(encoded, places, is_real, genes=model.config.genes)}
        pooled["max"] = find_largest(encoded, is_real)
        for kind, found in pooled.items():
            assert difference(found, expected[f"{part}_pool_{kind}"]) < TOLERANCE, kind


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_scgpt(load, layout):
    model, folder = load("scgpt", layout)
    inputs, expected = read_arrays(folder)
    is_real = ~inputs["padding_mask"]
    run_model = jax.jit(model.module.apply, static_argnames="train")
    given = inputs["gene_ids"], inputs["values"], is_real
    found = run_model(model.variables, *given, train=False)
    assert difference(found.hidden, expected["hidden"], is_real) < TOLERANCE
    assert difference(found.expression, expected["mlm_output"], is_real) < TOLERANCE
    assert model.vocabulary["tokens"] == json.loads((folder / "vocab.json").read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "folder", "part"), MODELS)
def test_back_and_again_is_bit_equal(parity_folder, tmp_path, name, folder, part):
    convert(name, parity_folder(folder), tmp_path / "out", part=part)
    export(tmp_path / "out", tmp_path / "back")
    convert(name, tmp_path / "back", tmp_path / "again", part=part)
    one, other = (load_model(tmp_path / x, on_host=True) for x in ("out", "again"))
    np.testing.assert_equal(other.variables, one.variables)
    assert (other.config, other.vocabulary) == (one.config, one.vocabulary)
    export(tmp_path / "again", tmp_path / "twice")
    first, second = (read_checkpoint(tmp_path / x / "model.safetensors") for x in ("back", "twice"))
    assert first.keys() == second.keys()
    for key, array in first.items():
        np.testing.assert_array_equal(second[key], array, strict=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["scbert", "scgpt"])
def test_arrays_wrapped_by_data_parallel_training_are_the_same(parity_folder, tmp_path, name):
    source = parity_folder(name)
    convert(name, source, tmp_path / "out")
    weights = next(x for x in ("panglao_pretrain.pth", "best_model.pt") if (source / x).exists())
    arrays = read_checkpoint(source / weights)
    arrays = arrays.get("model_state_dict", arrays)
    wrapped = {f"module.{key}": array for key, array in arrays.items()}
    path = write_torch(tmp_path / "wrapped.pth", {"model_state_dict": wrapped})
    files = {"genes": source / "genes.txt", "config": source / "args.json"}
    files["tokens"] = source / "vocab.json"
    files = {role: file for role, file in files.items() if file.exists()}
    convert(name, path, tmp_path / "again", files=files)
    one, other = (load_model(tmp_path / x, on_host=True) for x in ("out", "again"))
    np.testing.assert_equal(other.variables, one.variables)


@pytest.mark.slow
def test_choices_reach_the_parts_that_have_them(parity_folder, tmp_path):
    convert("scfoundation", parity_folder("scfoundation"), tmp_path)
    config = load_model(tmp_path, dtype="bfloat16", key_maximum="batch").config
    assert config.encoder.dtype == config.decoder.dtype == "bfloat16"
    assert config.decoder.key_maximum == "batch"
    one = load_model(tmp_path, **{"encoder.recompute": True}).config
    assert one.encoder.recompute and not one.decoder.recompute
    with pytest.raises(ConfigError, match="no setting"):
        load_model(tmp_path, masks=3)


def test_a_gene_list_of_other_weights_is_refused(parity_folder, tmp_path):
    source = parity_folder("scbert")
    genes = (source / "genes.txt").read_text().split()
    tables = {
        "short.txt": ("\n".join(genes[:-1]), "take the gene list"),
        "twice.txt": ("\n".join([*genes[:-1], genes[0]]), "1 genes stand a second time"),
        "three.tsv": ("a\tb\tc\n1\t2\t3\n", "neither one column"),
        "gaps.tsv": ("gene_name\tindex\nA\t0\nB\t2\n", "are not 0 to 1"),
        "other.json": ('{"genes": 3}', "no list of genes"),
    }
    for name, (text, problem) in tables.items():
        (tmp_path / name).write_text(text)
        with pytest.raises((CheckpointError, ConfigError), match=problem):
            convert("scbert", source, tmp_path / "out", files={"genes": tmp_path / name})
    convert("scbert", source, tmp_path / "h5ad", files={"genes": source / "panglao_10000.h5ad"})
    assert load_model(tmp_path / "h5ad").vocabulary["genes"] == genes
    assert not (tmp_path / "out").exists()
