"""From a downloaded file to a checkpoint, to a model that runs, and back; nothing half-written."""

import functools
import json
import shutil

import jax
import numpy as np
import pytest

from grnjax.errors import CheckpointError, ConfigError
from grnjax.foundation import convert as conversion
from grnjax.foundation import published
from grnjax.foundation.convert import convert, export, load_model, read_about
from grnjax.foundation.geneformer_files import GeneformerFiles
from grnjax.foundation.published import MODELS, Role, find_model
from grnjax.foundation.reader import read_checkpoint
from grnjax.foundation.safetensors import write_safetensors

TOLERANCE = 1e-5
VERSIONS = ["geneformer_v1", "geneformer_v2"]
FORMS = ["model.safetensors", "pytorch_model.bin"]


@pytest.fixture(scope="module", params=VERSIONS)
def folder(request, parity_folder):
    return parity_folder(request.param)


@pytest.fixture(scope="module")
def made(folder, tmp_path_factory):
    """A function that converts a form of the weights, once."""
    out = tmp_path_factory.mktemp("converted")

    @functools.cache
    def make(form):
        convert("geneformer", folder / form, out / form)
        return out / form

    return make


@pytest.fixture
def downloaded(parity_folder, tmp_path):
    """A folder as a user has it: weights, config and dictionaries."""
    copy = tmp_path / "downloaded"
    copy.mkdir()
    names = ("model.safetensors", "config.json")
    for name in names:
        shutil.copyfile(parity_folder("geneformer_v1") / name, copy / name)
    for path in (parity_folder("tokenizers") / "geneformer_v1").glob("*_dict*.pkl"):
        shutil.copyfile(path, copy / path.name)
    return copy


def read_arrays(path):
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


# The whole path


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_converted_and_restored_model_gives_the_reference_outputs(folder, made, form):
    loaded = load_model(made(form))
    inputs, expected = (read_arrays(folder / f"{name}.npz") for name in ("inputs", "expected"))
    is_real = inputs["attention_mask"] > 0
    run = jax.jit(functools.partial(loaded.module.apply, train=False, method="hidden_states"))
    with jax.default_matmul_precision("highest"):
        states = run(loaded.variables, inputs["input_ids"], is_real)
        logits = loaded.module.apply(loaded.variables, states[-1], method="logits")
    assert len(states) == sum(name.startswith("hidden_state_") for name in expected)
    wanted = {f"hidden_state_{i:02}": state for i, state in enumerate(states)} | {"logits": logits}
    for name, found in wanted.items():
        assert np.abs(found - expected[name])[is_real].max() < TOLERANCE, name


@pytest.mark.slow
def test_both_forms_become_one_checkpoint(made):
    one, other = (load_model(made(form), on_host=True) for form in FORMS)
    np.testing.assert_equal(one.variables, other.variables)
    assert one.config == other.config
    ignored = set(other.about["ignored"])
    assert {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"} <= ignored
    assert one.about["ignored"] == {}


@pytest.mark.slow
def test_what_goes_back_is_what_came_bit_for_bit(folder, made, tmp_path):
    paths = export(made("pytorch_model.bin"), tmp_path / "back")
    assert all(path.is_file() for path in paths)
    written, source = (read_checkpoint(x / FORMS[0]) for x in (tmp_path / "back", folder))
    assert written.keys() == source.keys()
    for name, array in source.items():
        np.testing.assert_array_equal(written[name], array, strict=True)
    settings = [json.loads((x / "config.json").read_bytes()) for x in (tmp_path / "back", folder)]
    assert settings[0] == settings[1]
    convert("geneformer", tmp_path / "back", tmp_path / "again")
    found = load_model(tmp_path / "again", on_host=True).variables
    np.testing.assert_equal(found, load_model(made(FORMS[0]), on_host=True).variables)


def test_dictionaries_travel_with_the_weights(downloaded, parity_folder, tmp_path):
    about = convert("geneformer", downloaded, tmp_path / "out")
    source = parity_folder("tokenizers") / "geneformer_v1"
    loaded = load_model(tmp_path / "out")
    names = {"tokens": "token_dictionary", "medians": "gene_median_dictionary"}
    names["gene_ids"] = "ensembl_mapping_dict"
    for role, name in names.items():
        assert loaded.vocabulary[role] == json.loads((source / f"{name}.json").read_bytes())
    assert [*about["without"]] == ["gene_names"]
    assert "Apache-2.0" in loaded.about["licence"]
    digest = loaded.about["source"]["weights"]["sha256"]
    assert digest == conversion.digest_file(downloaded / "model.safetensors")
    export(tmp_path / "out", tmp_path / "back")
    for name in names.values():
        written = json.loads((tmp_path / "back" / f"{name}.json").read_bytes())
        assert written == json.loads((source / f"{name}.json").read_bytes())


def test_choices_are_not_of_the_file(made):
    loaded = load_model(made(FORMS[0]), dtype="bfloat16", recompute=True)
    assert loaded.module.config.dtype == "bfloat16" and loaded.config.recompute
    with pytest.raises(ConfigError, match="no setting width_"):
        load_model(made(FORMS[0]), width_=3)


def test_variables_go_where_they_are_placed(made):
    mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())

    def place(form):
        make = functools.partial(jax.ShapeDtypeStruct, sharding=sharding)
        return jax.tree.map(lambda x: make(x.shape, x.dtype), form)

    loaded = load_model(made(FORMS[0]), place=place)
    assert {x.sharding for x in jax.tree.leaves(loaded.variables)} == {sharding}


# Damage


def list_bad_weights(parity_folder):
    damaged = parity_folder("damaged")
    outcomes = json.loads((damaged / "expected.json").read_bytes())["expected"]
    bad = [damaged / name for name, outcome in outcomes.items() if outcome.startswith("error")]
    return [*bad, *sorted(parity_folder("malicious").iterdir())]


def test_bad_files_leave_nothing_behind(parity_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = parity_folder("geneformer_v1") / "config.json"
    paths = list_bad_weights(parity_folder)
    assert len(paths) > 6
    for path in paths:
        with pytest.raises(CheckpointError, match=path.name):
            convert("geneformer", path, tmp_path / "out", files={"config": config})
        assert not [*tmp_path.iterdir()]


def test_dictionaries_that_mean_harm_are_refused(downloaded, parity_folder, monkeypatch):
    monkeypatch.chdir(downloaded)
    before = sorted(downloaded.iterdir())
    tokens = parity_folder("malicious") / "malicious_token_dictionary.pkl"
    with pytest.raises(CheckpointError, match=tokens.name):
        convert("geneformer", downloaded, downloaded / "out", files={"tokens": tokens})
    assert sorted(downloaded.iterdir()) == before


def test_a_bit_that_only_a_digest_can_tell_is_told(parity_folder, tmp_path):
    """Weights without a checksum load; that they are not those of before, the record says."""
    good, damaged = parity_folder("geneformer_v1"), parity_folder("damaged")
    flipped = damaged / "bitflip_tensor.safetensors"
    convert("geneformer", good, tmp_path / "out")
    with pytest.raises(ConfigError, match="inputs.weights was"):
        files = {"config": good / "config.json"}
        convert("geneformer", flipped, tmp_path / "out", files=files)


def test_weights_and_sizes_of_different_models_are_refused(downloaded, tmp_path):
    settings = json.loads((downloaded / "config.json").read_bytes())
    settings["num_hidden_layers"] += 1
    settings["intermediate_size"] += 1
    (downloaded / "config.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError) as caught:
        convert("geneformer", downloaded, tmp_path / "out")
    extra = f"bert.encoder.layer.{settings['num_hidden_layers'] - 1}.attention.self.query.weight"
    assert extra in str(caught.value)
    assert "layer.0.intermediate.dense.bias is [" in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("tokens", "problem"),
    [
        ({"<pad>": 0, "A": 10_000}, "2 names with 1 different tokens below"),
        ({"<pad>": 0, "A": 3, "B": 3}, "3 names with 2 different"),
        ({"<pad>": 5, "A": 3}, "<pad> is 5"),
        ({"<pad>": 0, "A": "3"}, "2 names with 1"),
    ],
)
def test_tokens_of_another_release_are_refused(downloaded, tmp_path, tokens, problem):
    (tmp_path / "tokens.json").write_text(json.dumps(tokens))
    files = {"tokens": tmp_path / "tokens.json"}
    with pytest.raises(ConfigError, match=problem):
        convert("geneformer", downloaded, tmp_path / "out", files=files)
    assert not (tmp_path / "out").exists()


def test_files_that_are_missing_or_many_are_named(downloaded, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="not there"):
        convert("geneformer", tmp_path / "nowhere", out)
    with pytest.raises(ConfigError, match="there is no model bert; known are geneformer"):
        convert("bert", downloaded, out)
    with pytest.raises(ConfigError, match="has no file vocab; its files are weights, config"):
        convert("geneformer", downloaded, out, files={"vocab": downloaded})
    with pytest.raises(ConfigError, match="has one model only"):
        convert("geneformer", downloaded, out, part="cell")
    shutil.copyfile(downloaded / "token_dictionary.pkl", downloaded / "token_dictionary_2.pkl")
    with pytest.raises(ConfigError, match="2 files that could be its tokens .*--files tokens=PATH"):
        convert("geneformer", downloaded, out)
    (downloaded / "config.json").unlink()
    with pytest.raises(ConfigError, match=r"no config.json \(the sizes\)"):
        convert("geneformer", downloaded, out)
    assert not out.exists()


# What was done is not done again, or half


def test_a_finished_folder_is_left_as_it_is(downloaded, tmp_path, monkeypatch):
    out = tmp_path / "out"
    about = convert("geneformer", downloaded, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    with monkeypatch.context() as patch:
        patch.setattr(conversion, "to_flax", None)  # would be needed to convert
        assert convert("geneformer", downloaded, out) == read_about(out)
    assert about == read_about(out)
    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.slow
def test_a_damaged_folder_is_refused_and_made_again(downloaded, tmp_path):
    out = tmp_path / "out"
    convert("geneformer", downloaded, out)
    expected = load_model(out, on_host=True).variables
    largest = max((out / "checkpoints").rglob("*"), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(data)
    with pytest.raises(CheckpointError):
        load_model(out)
    convert("geneformer", downloaded, out)
    np.testing.assert_equal(load_model(out, on_host=True).variables, expected)


@pytest.mark.slow
def test_a_conversion_that_was_stopped_is_no_model_and_can_be_made(
    downloaded, tmp_path, monkeypatch
):
    out = tmp_path / "out"

    def stop(*arguments, **settings):
        raise KeyboardInterrupt

    for place in ("write_result", "CheckpointStore"):
        with monkeypatch.context() as patch:
            patch.setattr(conversion, place, stop)
            with pytest.raises(KeyboardInterrupt):
                convert("geneformer", downloaded, out)
        with pytest.raises(CheckpointError, match="not finished"):
            load_model(out)
    convert("geneformer", downloaded, out)
    assert load_model(out).variables
    with monkeypatch.context() as patch:
        patch.setattr(conversion, "write_json", stop)
        with pytest.raises(KeyboardInterrupt):
            export(out, tmp_path / "back")
    assert not (tmp_path / "back" / "run.json").exists()
    export(out, tmp_path / "back")
    assert (tmp_path / "back" / "run.json").exists()


def test_a_full_disk_leaves_no_folder(downloaded, tmp_path, monkeypatch):
    def fill_up(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(conversion, "write_result", fill_up)
    with pytest.raises(OSError, match="No space"):
        convert("geneformer", downloaded, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_folders_of_others_are_not_written_to(downloaded, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not a run of grnjax"):
        convert("geneformer", downloaded, out)
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]
    with pytest.raises(CheckpointError, match="no converted model"):
        load_model(out)


# The list of models


class Renamed(GeneformerFiles):
    """Another model: the weights of Geneformer under a name of its own, two in a file."""

    name = "renamed"
    parts = ("gene", "cell")
    roles = {**GeneformerFiles.roles, "weights": Role(("*.weights",), "the weights")}

    def read(self, files, part):
        self.seen = part
        return super().read(files, part)


def test_a_model_is_one_class_and_one_line(downloaded, tmp_path, monkeypatch):
    monkeypatch.setitem(published.MODELS, "renamed", f"{__name__}:Renamed")
    monkeypatch.setattr(published, "import_named", lambda path, below: Renamed)
    (downloaded / "model.safetensors").rename(downloaded / "x.weights")
    about = convert("renamed", downloaded, tmp_path / "out")
    assert about["model"] == "renamed" and about["part"] == "gene"
    assert load_model(tmp_path / "out").name == "renamed"
    with pytest.raises(ConfigError, match="there is no part rde: .* has gene, cell"):
        convert("renamed", downloaded, tmp_path / "other", part="rde")


@pytest.mark.parametrize("name", MODELS)
def test_every_model_says_what_it_needs(name):
    model = find_model(name)
    assert model.name == name and "weights" in model.roles and model.licence
    assert all(role.patterns and role.what for role in model.roles.values())


# safetensors


def test_arrays_of_every_type_are_written_as_they_are_read(tmp_path):
    import ml_dtypes

    rng = np.random.default_rng(0)
    kinds = ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "?", ml_dtypes.bfloat16)
    arrays = {f"x{i}": rng.integers(0, 2, (3, 5)).astype(kind) for i, kind in enumerate(kinds)}
    arrays |= {"turned": arrays["x1"].T, "number": np.float32(3)[...], "none": np.zeros((0, 2))}
    write_safetensors(tmp_path / "x.safetensors", arrays)
    found = read_checkpoint(tmp_path / "x.safetensors")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)
        assert found[name].ctypes.data % array.itemsize == found["x0"].ctypes.data % array.itemsize
    with pytest.raises(TypeError, match="complex"):
        write_safetensors(tmp_path / "y.safetensors", {"x": np.zeros(2, complex)})
    assert not (tmp_path / "y.safetensors").exists()
