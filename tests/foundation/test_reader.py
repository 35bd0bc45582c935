"""Whatever a file holds, plain values come out of it or one sentence, and nothing is run."""

import json
import pickle
import struct
import zipfile

import ml_dtypes
import numpy as np
import pytest

from grnjax.errors import CheckpointError
from grnjax.foundation.reader import name_arrays, read_checkpoint, read_dictionary
from tests.foundation.torch_files import KINDS, Call, Named, View, write_legacy, write_torch

ORDERED = Named("collections.OrderedDict")


def write_safetensors(path, header, numbers=b""):
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    path.write_bytes(struct.pack("<Q", len(text)) + text + numbers)
    return path


def describe(start, end, shape, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


# Meaning


def test_tensors_of_every_type_come_back_bit_for_bit(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.integers(0, 2, (3, 5)).astype(ml_dtypes.bfloat16 if name == "bfloat16" else name)
        for name in KINDS
    }
    found = read_checkpoint(write_torch(tmp_path / "x.pth", arrays))
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_a_tensor_is_a_view_of_its_storage(tmp_path):
    storage = np.arange(20, dtype=np.float32)
    tensors = {
        "whole": View(storage, 0, (4, 5), (5, 1)),
        "transposed": View(storage, 0, (5, 4), (1, 5)),
        "part": View(storage, 7, (2, 3), (5, 1)),
        "number": View(storage, 19, (), ()),
        "empty": View(storage, 0, (0, 3), (3, 1)),
    }
    found = read_checkpoint(write_torch(tmp_path / "x.pt", tensors))
    whole = storage.reshape(4, 5)
    np.testing.assert_array_equal(found["whole"], whole)
    np.testing.assert_array_equal(found["transposed"], whole.T)
    np.testing.assert_array_equal(found["part"], [[7, 8, 9], [12, 13, 14]])
    assert found["number"] == 19 and found["number"].shape == ()
    assert found["empty"].shape == (0, 3)
    assert np.shares_memory(found["whole"], found["transposed"])
    with pytest.raises(ValueError, match="read-only"):
        found["whole"][0] = 1


def test_nested_values_come_back_as_plain_ones(tmp_path):
    weights = np.ones(3, np.float32)
    value = {
        "epoch": 3,
        "state": Call(ORDERED, ([["w", weights]],), {"_metadata": {"version": 1}}),
        "settings": Call(Named("argparse.Namespace"), (), {"width": 8, "names": ["a", ("b", 1.5)]}),
        "weight": Call(Named("torch._utils._rebuild_parameter"), (weights, True, {})),
        "size": Call(Named("torch.Size"), ((2, 3),)),
        "none": None,
    }
    found = read_checkpoint(write_torch(tmp_path / "x.ckpt", value))
    assert found["settings"] == {"width": 8, "names": ["a", ("b", 1.5)]}
    assert (found["epoch"], found["size"], found["none"]) == (3, (2, 3), None)
    assert [name for name, _ in name_arrays(found)] == ["state.w", "weight"]
    np.testing.assert_array_equal(found["state"]["w"], weights)


@pytest.mark.parametrize("protocol", range(6))
def test_dictionaries_of_every_protocol_with_numbers_of_numpy(tmp_path, protocol):
    values = {"A": np.int16(3), "B": np.float64(0.25), "C": 7, "D": np.True_, "E": np.str_("gen")}
    path = tmp_path / "tokens.pkl"
    path.write_bytes(pickle.dumps({**values, "F": [1, 2], "G": ("x", None)}, protocol))
    found = read_dictionary(path)
    assert found == {
        "A": 3,
        "B": 0.25,
        "C": 7,
        "D": True,
        "E": "gen",
        "F": [1, 2],
        "G": ("x", None),
    }
    assert {type(x) for x in found.values()} == {int, float, bool, str, list, tuple}


@pytest.mark.parametrize("order", "CF")
def test_arrays_of_numpy_are_data(tmp_path, order):
    array = np.asarray(np.arange(6, dtype=">i4").reshape(2, 3), order=order)
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({"a": array}, 2))
    np.testing.assert_array_equal(read_dictionary(path)["a"], array)


def test_files_of_torch_before_the_archive_are_read_alike(tmp_path):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(5, 3)).astype(np.float32)
    flat = table.reshape(-1)
    value = {
        "epoch": 2,
        "table": View(flat, 0, (5, 3), (3, 1)),
        "tied": View(flat, 0, (3, 5), (1, 3)),
        "steps": np.arange(4),
        "half": rng.normal(size=7).astype(np.float16),
    }
    found = read_checkpoint(write_legacy(tmp_path / "x.pth", value))
    assert found["epoch"] == 2
    np.testing.assert_array_equal(found["table"], table)
    np.testing.assert_array_equal(found["tied"], table.T)
    np.testing.assert_array_equal(found["steps"], np.arange(4), strict=True)
    np.testing.assert_array_equal(found["half"], value["half"], strict=True)
    size = (tmp_path / "x.pth").stat().st_size
    for cut in (1, 15, 60, size // 2, size - 20):
        with pytest.raises(CheckpointError, match="x.pth"):
            read_checkpoint(write_legacy(tmp_path / "x.pth", value, cut))
    data = write_legacy(tmp_path / "x.pth", value).read_bytes()
    (tmp_path / "x.pth").write_bytes(data + b"\0")
    with pytest.raises(CheckpointError, match="are needed"):
        read_checkpoint(tmp_path / "x.pth")
    at = data.index((15).to_bytes(8, "little") + table.tobytes())
    (tmp_path / "x.pth").write_bytes(data[:at] + b"\xff" * 7 + data[at + 7 :])
    with pytest.raises(CheckpointError, match="storage 0 has"):
        read_checkpoint(tmp_path / "x.pth")


@pytest.mark.parametrize("length", [0x80, 0x280, 0x480])
def test_a_header_whose_length_looks_like_another_form_is_one(tmp_path, length):
    header = json.dumps({"w": describe(0, 12, [3])}).encode()
    path = tmp_path / "x.safetensors"
    write_safetensors(path, header + b" " * (length - len(header)), np.ones(3, "f4").tobytes())
    assert path.read_bytes()[:2] == length.to_bytes(2, "little")
    np.testing.assert_array_equal(read_checkpoint(path)["w"], [1, 1, 1])


# Published forms


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(
    "name", ["token_dictionary", "gene_median_dictionary", "ensembl_mapping_dict"]
)
def test_pickled_dictionaries_equal_those_in_json(parity_folder, version, name):
    folder = parity_folder("tokenizers") / f"geneformer_{version}"
    found = read_dictionary(folder / f"{name}.pkl")
    assert found and found == read_dictionary(folder / f"{name}.json")


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_both_forms_of_geneformer_hold_the_same_arrays(parity_folder, version):
    folder = parity_folder(f"geneformer_{version}")
    torch = read_checkpoint(folder / "pytorch_model.bin")
    arrays = read_checkpoint(folder / "model.safetensors")
    assert arrays.keys() < torch.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(torch[name], array, strict=True)
    tied = torch["cls.predictions.decoder.weight"]
    assert np.shares_memory(tied, torch["bert.embeddings.word_embeddings.weight"])


# Damage


def test_files_that_mean_harm_are_refused_and_run_nothing(parity_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = sorted(parity_folder("malicious").iterdir())
    assert len(paths) > 3
    for path in paths:
        with pytest.raises(CheckpointError, match=path.name):
            read_checkpoint(path)
        with pytest.raises(CheckpointError, match=path.name):
            read_dictionary(path)
    assert not [*tmp_path.iterdir()]


def test_damaged_files_have_the_outcome_that_is_written_beside_them(parity_folder):
    folder = parity_folder("damaged")
    about = json.loads((folder / "expected.json").read_bytes())
    good = {
        kind: read_checkpoint(folder.parent / path) for kind, path in about["good_source"].items()
    }
    for name, outcome in about["expected"].items():
        if outcome.startswith("error"):
            with pytest.raises(CheckpointError, match=name):
                read_checkpoint(folder / name)
            continue
        assert outcome.startswith("loads")
        found, right = read_checkpoint(folder / name), good[(folder / name).suffix]
        assert found.keys() == right.keys()
        assert sum((found[key] != right[key]).sum() for key in right) == 1


@pytest.mark.parametrize("share", np.linspace(0, 0.999, 12))
@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
def test_a_file_cut_anywhere_is_refused(parity_folder, tmp_path, name, share):
    data = (parity_folder("geneformer_v1") / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(share * len(data))])
    with pytest.raises(CheckpointError, match=name):
        read_checkpoint(tmp_path / name)


def test_names_that_only_resemble_the_known_ones_are_refused(tmp_path):
    for name in (
        "torch.storage._load_from_bytes",
        "torch._utils._rebuild_tensor_v2.__globals__",
        "torch.FloatStorage.from_file",
        "torch.load",
        "builtins.getattr",
        "numpy.load",
        "numpy.core.multiarray.fromfile",
        "collections.OrderedDict.fromkeys",
        "os.system",
    ):
        path = write_torch(tmp_path / "x.pth", {"w": Call(Named(name), ("touch PWNED",))})
        with pytest.raises(CheckpointError, match=f"names {name}"):
            read_checkpoint(path)


def test_a_tensor_beyond_its_storage_is_refused(tmp_path):
    storage = np.zeros(10, np.float32)
    for view in (
        View(storage, 0, (11,), (1,)),
        View(storage, 5, (6,), (1,)),
        View(storage, 0, (3, 4), (4, 1)),
        View(storage, 0, (1 << 40,), (0,)),
        View(storage, 0, (1 << 61, 1 << 61), (0, 0)),
        View(storage, -1, (2,), (1,)),
        View(storage, 9, (2,), (-1,)),
        View(storage, 0, (2,), (1, 1)),
    ):
        with pytest.raises(CheckpointError):
            read_checkpoint(write_torch(tmp_path / "x.pth", {"w": view}))


def test_an_archive_whose_parts_do_not_fit_together_is_refused(tmp_path):
    value = {"w": np.zeros(10, np.float32)}
    path = tmp_path / "x.pth"
    for members, problem in (
        ({"data/0": b"\0" * 39}, "storage 0 of 40 bytes has 39"),
        ({"byteorder": b"big"}, "little-endian"),
        ({"other/data.pkl": b""}, "2 members data.pkl"),
    ):
        with pytest.raises(CheckpointError, match=problem):
            read_checkpoint(write_torch(path, value, **members))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 1_000_000)
    with pytest.raises(CheckpointError, match="does not compress"):
        read_checkpoint(path)


def test_pickles_that_grow_loop_or_lie_are_refused(tmp_path):
    path = tmp_path / "x.pkl"
    loop: list = []
    loop.append(loop)
    deep: dict = {}
    for _ in range(300):
        deep = {"x": deep}
    for data in (
        pickle.dumps({"x": loop}, 2),
        pickle.dumps(deep, 2),
        pickle.dumps({(1, 2): 3}, 2),  # a key whose hash may take for ever
        pickle.dumps([1], 2),
        b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f",  # bytes of 2^63
        b"\x80\x02j\xff\xff\xff\x7f.",  # a reference to what is not there
        b"\x80\x02}}}s.",
        b"\x80\x02}.."[:3],
        b"\x80\x02u.",
        b"\x80\x02\x85.",
        b"",
    ):
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match="x.pkl"):
            read_dictionary(path)


def test_values_that_share_parts_are_read_once(tmp_path):
    value: list = ["end"]
    for _ in range(50):  # written out it would have 2^50 parts
        value = [value, value]
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"x": value}, 2))
    left, right = read_dictionary(tmp_path / "x.pkl")["x"]
    assert left is right


@pytest.mark.parametrize(
    "header",
    [
        {"w": describe(0, 8, [3])},
        {"w": describe(0, 8, [2]), "v": describe(4, 12, [2])},  # they overlap
        {"w": describe(0, 8, [2])},  # and four bytes are left
        {"w": describe(4, 12, [2])},
        {"w": describe(0, 12, [3], "F4")},
        {"w": describe(0, 12, [-3])},
        {"w": describe(0, 12, [True, 3])},
        {"w": {"dtype": "F32"}},
        {"w": 3},
        [],
        b'{"w":1,"w":1}',
        b"[" * 100_000,
    ],
)
def test_a_header_that_does_not_account_for_its_bytes_is_refused(tmp_path, header):
    text = json.dumps(header).encode() if isinstance(header, list) else header
    path = write_safetensors(tmp_path / "x.safetensors", text, b"\0" * 12)
    with pytest.raises(CheckpointError, match="x.safetensors"):
        read_checkpoint(path)


def test_a_good_header_is_read(tmp_path):
    numbers = np.arange(4, dtype=np.float32).tobytes() + b"\1\0"
    header = {
        "__metadata__": {"format": "pt"},
        "w": describe(0, 16, [2, 2]),
        "b": describe(16, 18, [2, 1], "BOOL"),
        "e": describe(18, 18, [0]),
    }
    found = read_checkpoint(write_safetensors(tmp_path / "x.safetensors", header, numbers))
    np.testing.assert_array_equal(found["w"], [[0, 1], [2, 3]])
    np.testing.assert_array_equal(found["b"], [[True], [False]])
    assert found["e"].size == 0


def mutate(data, rng):
    """Some bytes changed, dropped or repeated."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        at, kind = int(rng.integers(len(data))), rng.integers(3)
        if kind == 0:
            data[at] = rng.integers(256)
        elif kind == 1:
            del data[at : at + int(rng.integers(1, 9))]
        else:
            data[at:at] = data[at : at + int(rng.integers(1, 99))]
    return bytes(data)


def read_or_refuse(path, read):
    """Whether a file was read; whatever else than a CheckpointError is raised goes through."""
    try:
        found = read(path)
    except CheckpointError as error:
        assert path.name in str(error)
        return False
    assert isinstance(found, dict)
    return True


def test_changed_bytes_never_end_in_another_error(tmp_path):
    """As if each were written on purpose, its checksums right."""
    rng = np.random.default_rng(0)
    value = {"w": np.ones((3, 4), np.float32), "n": [1, {"a": (2.5, None)}], "t": np.arange(3)}
    names = {name: np.float64(i) for i, name in enumerate("ABCDEFG")}
    good = {
        "x.pth": write_torch(tmp_path / "x.pth", value),
        "y.pth": write_legacy(tmp_path / "y.pth", value),
    }
    with zipfile.ZipFile(good["x.pth"]) as archive:
        members = {x.removeprefix("archive/"): archive.read(x) for x in archive.namelist()}
    header = json.dumps({"w": describe(0, 16, [2, 2]), "b": describe(16, 20, [1])}).encode()
    sources = {
        "x.pth": members["data.pkl"],
        "y.pth": good["y.pth"].read_bytes(),
        "x.pkl": pickle.dumps(names, 4),
        "x.safetensors": write_safetensors(tmp_path / "x", header, b"\0" * 20).read_bytes(),
    }
    read = dict.fromkeys(sources, 0)
    for name, data in sources.items():
        path = tmp_path / name
        for _ in range(300):
            changed = mutate(data, rng)
            if name == "x.pth":
                write_torch(path, {}, **{**members, "data.pkl": changed})
            else:
                path.write_bytes(changed)
            reader = read_dictionary if name == "x.pkl" else read_checkpoint
            read[name] += read_or_refuse(path, reader)
    assert all(count < 250 for count in read.values()), read
