"""What is free is what a container leaves, and devices share what the host has."""

from types import SimpleNamespace

import jax
import pytest

from grnjax.storage import memory


def test_a_container_leaves_less_than_the_machine_has(tmp_path, monkeypatch):
    free, total = memory.find_free(), memory.find_total()
    assert 0 < free <= total
    (tmp_path / "memory.max").write_text("7000\n")
    (tmp_path / "memory.current").write_text("4000\n")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.find_free() == 3000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.find_free() == pytest.approx(free, rel=0.5)


def test_devices_of_the_host_share_it_and_others_say_what_they_have(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text("7000")
    (tmp_path / "memory.current").write_text("4000")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    (host,) = jax.local_devices(backend="cpu")[:1]
    assert memory.find_memory([host] * 4) == 750
    stats = {"bytes_limit": 3 * memory.GIB, "bytes_in_use": memory.GIB}
    accelerator = SimpleNamespace(memory_stats=lambda: stats)
    assert memory.find_memory([accelerator] * 4) == 2 * memory.GIB
    assert memory.describe_memory([accelerator]).endswith("GiB free; 3.0 GiB on the first device")
    assert memory.describe_memory([host]).endswith("GiB free")
