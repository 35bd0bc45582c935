import json
import logging
import math
import shutil
import socket
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grnjax.errors import CheckpointError
from grnjax.storage import checkpoints
from grnjax.storage.checkpoints import CheckpointStore
from tests.devices import simulate_devices


def make_state(step=0):
    params = {"hidden": {"kernel": jnp.full((3, 2), 0.1 * step), "bias": jnp.arange(2.0)}}
    return {
        "params": params,
        "optimizer": optax.chain(optax.clip(1.0), optax.adamw(1e-3)).init(params),
        "step": jnp.int32(step),
        "nothing": None,
        "no_statistics": {},
        "no_buffers": (),
    }


def assert_same(left, right):
    """Same tree, same kinds of arrays, same dtypes and the same bytes."""
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for x, y in zip(jax.tree.leaves(left), jax.tree.leaves(right)):
        assert isinstance(x, np.ndarray) == isinstance(y, np.ndarray)
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = jax.random.key_data(x), jax.random.key_data(y)
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


def test_an_empty_store_has_nothing(tmp_path):
    store = CheckpointStore(tmp_path / "fit-0")
    assert store.steps() == [] and store.latest(make_state()) is None
    assert not (tmp_path / "fit-0").exists()


def test_every_kind_of_array_comes_back_bit_for_bit(tmp_path):
    state = {
        "float32": jnp.array([jnp.nan, -0.0, jnp.inf, 1e-45, 0.1]),
        "bfloat16": jnp.array([1.0, 3.0], jnp.bfloat16),
        "int32": jnp.array([-(2**31), 2**31 - 1]),
        "uint32": jnp.array([2**32 - 1], jnp.uint32),
        "bool": jnp.array([True, False]),
        "key": jax.random.key(7),
        "keys": jax.random.split(jax.random.key(7, impl="rbg"), 3),
        "float64 of numpy": np.array([0.1, np.nan]),
        "int64 of numpy": np.array(2**40),
        "no columns": jnp.zeros((4, 0)),
        "no rows of numpy": np.zeros((0, 3), np.int64),
        "a.b/c d": [jnp.float32(1), (jnp.float32(2), {"": jnp.float32(3), "é": jnp.float32(4)})],
    }
    store = CheckpointStore(tmp_path)
    store.save(3, state, {})
    assert_same(store.latest(state).state, state)


def test_optimizer_states_come_back_in_their_own_types_for_an_abstract_target(tmp_path):
    state = make_state(5)
    meta = {"best": -math.inf, "epoch": 2, "name": "é", "history": [0.1, None], "good": True}
    store = CheckpointStore(tmp_path)
    store.save(5, state, meta)
    restored = CheckpointStore(tmp_path).latest(jax.eval_shape(make_state))
    assert restored.step == 5 and restored.meta == meta
    assert_same(restored.state, state)
    assert type(restored.state["optimizer"][1][0]) is optax.ScaleByAdamState


LEAVES = st.builds(
    lambda dtype, shape: np.arange(math.prod(shape)).reshape(shape).astype(dtype),
    st.sampled_from(["float32", "float16", "int8", "uint32", "bool"]),
    st.sampled_from([(), (1,), (2, 3), (0, 2)]),
)
TREES = st.recursive(
    LEAVES | st.none(),
    lambda inner: (
        st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=6,
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(TREES)
def test_any_tree_comes_back(tmp_path_factory, tree):
    state = {"tree": tree, "step": np.array(0)}
    store = CheckpointStore(tmp_path_factory.mktemp("store"))
    store.save(0, state, {})
    assert_same(store.latest(state).state, state)


def test_the_newest_steps_are_kept_and_nothing_else_lies_about(tmp_path):
    store = CheckpointStore(tmp_path, keep=2)
    for step in (0, 5, 100, 20, 30):  # 20 goes back behind 100
        store.save(step, make_state(step), {})
    assert store.steps() == [20, 30]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["20", "30"]
    assert store.latest(make_state()).step == 30
    with pytest.raises(ValueError, match="keep must be at least 1"):
        CheckpointStore(tmp_path, keep=0)


def test_a_step_saved_again_is_replaced(tmp_path):
    store = CheckpointStore(tmp_path)
    store.save(4, make_state(1), {"try": 1})
    store.save(4, make_state(2), {"try": 2})
    restored = store.latest(make_state())
    assert restored.meta == {"try": 2}
    assert_same(restored.state, make_state(2))


def test_relative_folders_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CheckpointStore("run/checkpoints").save(1, make_state(1), {})
    assert CheckpointStore("run/checkpoints").latest(make_state()).step == 1
    assert (tmp_path / "run/checkpoints/1/manifest.json").exists()


def change(state, key, value):
    return {**state, key: value}


@pytest.mark.parametrize(
    "target, message",
    [
        (lambda s: change(s, "step", jnp.float32(0)), r"\['step'\] is int32\[\] there and float32"),
        (lambda s: change(s, "step", jnp.zeros(2, jnp.int32)), r"int32\[\] there and int32\[2\]"),
        (lambda s: change(s, "extra", jnp.ones(3)), r"absent there and float32\[3\] here"),
        (lambda s: change(s, "step", None), r"int32\[\] there and absent here"),
        (lambda s: change(s, "optimizer", optax.sgd(0.1).init(s["params"])), "5 of its 8 arrays"),
    ],
)
def test_other_arrays_are_refused_by_name(tmp_path, target, message):
    store = CheckpointStore(tmp_path)
    store.save(1, make_state(), {})
    with pytest.raises(CheckpointError, match=message):
        store.latest(target(make_state()))


def test_other_arrays_of_this_very_fit_are_those_of_another_version(tmp_path):
    store = CheckpointStore(tmp_path / "fit", owner={"run": "a", "fit": "b"})
    store.save(1, make_state(), {})
    with pytest.raises(CheckpointError, match=r"another version of grnjax.*1 of .*move .*fit away"):
        store.latest(change(make_state(), "extra", jnp.ones(3)))


def test_a_state_holds_arrays_only(tmp_path):
    with pytest.raises(TypeError, match=r"\['rate'\] is 0.1"):
        CheckpointStore(tmp_path).save(0, {"rate": 0.1}, {})


def test_orbax_says_nothing_and_its_logger_is_left_as_it_was(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("absl").setLevel(logging.INFO)
    store = CheckpointStore(tmp_path)
    store.save(0, make_state(), {})
    store.latest(make_state())
    assert [record for record in caplog.records if record.name == "absl"] == []
    assert logging.getLogger("absl").level == logging.INFO


class Killed(BaseException):
    """Stands for a kill: nothing in the store catches it."""


def kill_before_call(monkeypatch, number):
    """Makes the store die before its `number`-th change of the disk, from 0."""
    calls = iter(range(1000))

    def wrap(function):
        def counted(*args, **kwargs):
            if next(calls) == number:
                raise Killed
            return function(*args, **kwargs)

        return counted

    for owner, name in [
        (checkpoints.shutil, "rmtree"),
        (checkpoints.Path, "rename"),
        (checkpoints.Path, "mkdir"),
        (checkpoints.Path, "write_bytes"),
        (ocp.Checkpointer, "save"),
    ]:
        monkeypatch.setattr(owner, name, wrap(getattr(owner, name)))


@pytest.mark.slow
@pytest.mark.parametrize("again", [False, True])
def test_a_kill_between_any_two_changes_leaves_the_old_step_or_the_new(tmp_path, again):
    outcomes = []
    for number in range(100):
        folder = tmp_path / str(number)
        store = CheckpointStore(folder, keep=1)
        store.save(1, make_state(1), {"number": 1})
        with pytest.MonkeyPatch.context() as monkeypatch:
            kill_before_call(monkeypatch, number)
            try:
                store.save(1 if again else 2, make_state(2), {"number": 2})
                break
            except Killed:
                pass
        reopened = CheckpointStore(folder, keep=1)
        restored = reopened.latest(make_state())
        assert_same(restored.state, make_state(restored.meta["number"]))
        assert all(path.name.isdecimal() for path in folder.iterdir())
        outcomes.append(restored.meta["number"])
    assert outcomes == sorted(outcomes) and set(outcomes) == {1, 2}


def test_the_manifest_is_readable_by_people(tmp_path):
    CheckpointStore(tmp_path).save(2, make_state(), {"seed": 3})
    contents = json.loads((tmp_path / "2" / "manifest.json").read_text())["contents"]
    assert contents["step"] == 2 and contents["meta"] == {"seed": 3}
    assert contents["arrays"]["['params']['hidden']['kernel']"] == "float32[3, 2]"


ON_FOUR_DEVICES = """
import sys
import jax, jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec
from grnjax.storage.checkpoints import CheckpointStore

mesh = jax.make_mesh((4,), ("data",))
rows = NamedSharding(mesh, PartitionSpec("data"))
target = {"w": jax.ShapeDtypeStruct((8, 3), jnp.float32, sharding=rows)}
store = CheckpointStore(sys.argv[1])
restored = store.latest(target)
assert restored.state["w"].sharding == rows and len(jax.devices()) == 4
store.save(2, {"w": restored.state["w"] + 1}, {})
"""


@pytest.mark.slow
def test_a_state_moves_between_one_device_and_four(tmp_path):
    state = {"w": jnp.arange(24.0).reshape(8, 3)}
    store = CheckpointStore(tmp_path)
    store.save(1, state, {})
    result = subprocess.run(
        [sys.executable, "-c", ON_FOUR_DEVICES, str(tmp_path)],
        env=simulate_devices(4),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    for target in (state, jax.eval_shape(lambda: state)):
        restored = store.latest(target)
        assert restored.step == 2 and restored.state["w"].devices() == {jax.devices()[0]}
        assert_same(restored.state, {"w": state["w"] + 1})


READ_BY_TWO = """
import sys
import jax, numpy as np
from grnjax.errors import CheckpointError
from grnjax.storage.checkpoints import CheckpointStore

coordinator, number, folder = sys.argv[1:]
jax.distributed.initialize(coordinator, 2, int(number))
try:
    restored = CheckpointStore(folder).latest({"w": np.zeros(3)})
    print("found", restored and (restored.step, restored.meta, restored.state["w"].tolist()))
except CheckpointError as error:
    print("refused", error)
"""


def read_by_two(*folders):
    """What two processes say of the newest step, each with its own view of the store."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-c", READ_BY_TWO, coordinator]
    processes = [
        subprocess.Popen([*command, str(number), str(folder)], stdout=subprocess.PIPE, text=True)
        for number, folder in enumerate(folders)
    ]
    try:
        said = [process.communicate(timeout=120)[0].splitlines()[-1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0]
    return said


@pytest.fixture
def two_views(tmp_path):
    """A store of two steps, and a copy of it."""
    store = CheckpointStore(tmp_path / "0")
    for step in (1, 2):
        store.save(step, {"w": np.full(3, 0.5 * step)}, {"try": step})
    shutil.copytree(tmp_path / "0", tmp_path / "1")
    return tmp_path / "0", tmp_path / "1"


@pytest.mark.slow
def test_two_processes_read_the_step_that_process_0_chooses(two_views):
    next((two_views[0] / "2" / "state").rglob("manifest.ocdbt")).write_bytes(b"damaged")
    assert read_by_two(*two_views) == ["found (1, {'try': 1}, [0.5, 0.5, 0.5])"] * 2


def leave_out(folder):
    shutil.rmtree(folder / "2")
    return f"{folder / '2' / 'manifest.json'}: No such file"


def cut_short(folder):
    path = next((folder / "2" / "state").rglob("manifest.ocdbt"))
    path.write_bytes(path.read_bytes()[:-1])
    return f"{path}: size differs"


def show_an_older_one(folder):
    CheckpointStore(folder).save(2, {"w": np.zeros(3)}, {"try": 1})
    return "it is whole here"


@pytest.mark.slow
@pytest.mark.parametrize("lag", [leave_out, cut_short, show_an_older_one])
def test_a_step_that_another_process_sees_otherwise_ends_both(two_views, lag):
    reason = lag(two_views[1])
    first, second = read_by_two(*two_views)
    assert first.startswith(f"refused 1 of 2 processes do not find {two_views[0] / '2'}")
    assert reason in second


@pytest.mark.slow
def test_a_store_that_process_0_cannot_use_ends_both(two_views):
    for manifest in two_views[0].rglob("manifest.json"):
        manifest.write_text("{}")
    first, second = read_by_two(*two_views)
    assert "manifest.json: not a manifest; no other step" in first
    assert "process 0 found no whole step" in second
