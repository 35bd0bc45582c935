import os
import subprocess
import sys

import jax
import pytest

from grnjax.progress import logger
from grnjax.storage.compilation import keep_compilations

COMPILE = """
import jax
from grnjax.storage.compilation import keep_compilations
keep_compilations()
jax.jit(lambda x: x * 3 + 1)(2.0)
"""


@pytest.fixture
def options():
    """No cache in JAX before, and what was there again afterwards."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def test_even_the_smallest_program_is_kept(tmp_path):
    env = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    env["GRNJAX_COMPILATION_CACHE"] = str(tmp_path / "kept")
    subprocess.run([sys.executable, "-c", COMPILE], env=env, check=True)
    assert any(path.name.startswith("jit__lambda") for path in (tmp_path / "kept").iterdir())


def test_the_switch_turns_it_off(tmp_path, monkeypatch, options):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("GRNJAX_COMPILATION_CACHE", "off")
    assert keep_compilations() is None
    assert jax.config.jax_compilation_cache_dir is None


def test_by_default_programs_are_kept_with_the_user_s_other_caches(tmp_path, monkeypatch, options):
    monkeypatch.delenv("GRNJAX_COMPILATION_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert keep_compilations() == tmp_path / "grnjax" / "compiled"
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "grnjax" / "compiled")


def test_a_cache_that_jax_knows_already_stays(tmp_path, monkeypatch, options):
    monkeypatch.setenv("GRNJAX_COMPILATION_CACHE", str(tmp_path / "ours"))
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "theirs"))
    assert keep_compilations() == tmp_path / "theirs"


@pytest.mark.parametrize("wrong", ["a file", "open to others"])
def test_a_folder_that_cannot_or_must_not_be_used_is_left_out_with_a_warning(
    wrong, tmp_path, monkeypatch, options, caplog
):
    folder = tmp_path / "kept"
    if wrong == "a file":
        folder.write_text("")
    else:
        folder.mkdir()
        folder.chmod(0o777)
    monkeypatch.setenv("GRNJAX_COMPILATION_CACHE", str(folder))
    monkeypatch.setattr(logger, "propagate", True)
    assert keep_compilations() is None
    assert jax.config.jax_compilation_cache_dir is None
    assert str(folder) in caplog.text and "compiled anew" in caplog.text
