import os
import stat
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
    names = (
        "jax_compilation_cache_dir",
        "jax_enable_compilation_cache",
        "jax_persistent_cache_min_compile_time_secs",
    )
    before = {name: getattr(jax.config, name) for name in names}
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def compile_in_another_process(**variables):
    """Compiles a small program where JAX has no variables but these."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    subprocess.run([sys.executable, "-c", COMPILE], env=env | variables, check=True)


@pytest.mark.slow
def test_even_the_smallest_program_is_kept(tmp_path):
    compile_in_another_process(GRNJAX_COMPILATION_CACHE=str(tmp_path / "kept"))
    assert any(path.name.startswith("jit__lambda") for path in (tmp_path / "kept").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("switch", ["", "off"])
def test_the_switch_turns_off_a_cache_that_jax_was_told_of_too(switch, tmp_path):
    compile_in_another_process(
        GRNJAX_COMPILATION_CACHE=switch,
        JAX_COMPILATION_CACHE_DIR=str(tmp_path / "theirs"),
        JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
    )
    assert (tmp_path / "theirs").exists() == (switch != "off")


def test_the_switch_turns_it_off(tmp_path, monkeypatch, options):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("GRNJAX_COMPILATION_CACHE", "off")
    assert keep_compilations() is None
    assert jax.config.jax_compilation_cache_dir is None
    assert not any(tmp_path.iterdir())


def test_a_cache_that_jax_was_told_not_to_keep_is_not_made(tmp_path, monkeypatch, options):
    monkeypatch.setenv("GRNJAX_COMPILATION_CACHE", str(tmp_path / "kept"))
    jax.config.update("jax_enable_compilation_cache", False)
    assert keep_compilations() is None
    assert not (tmp_path / "kept").exists()


def test_by_default_programs_are_kept_with_the_user_s_other_caches(tmp_path, monkeypatch, options):
    monkeypatch.delenv("GRNJAX_COMPILATION_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert keep_compilations() == tmp_path / "grnjax" / "compiled"
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "grnjax" / "compiled")


def test_a_cache_that_jax_knows_already_stays(tmp_path, monkeypatch, options):
    monkeypatch.setenv("GRNJAX_COMPILATION_CACHE", str(tmp_path / "ours"))
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "theirs"))
    assert keep_compilations() == tmp_path / "theirs"


def test_what_is_made_on_the_way_is_private_and_what_was_there_stays(
    tmp_path, monkeypatch, options
):
    tmp_path.chmod(0o755)
    monkeypatch.setenv("GRNJAX_COMPILATION_CACHE", str(tmp_path / "way" / "kept"))
    assert keep_compilations() == tmp_path / "way" / "kept"
    folders = (tmp_path, tmp_path / "way", tmp_path / "way" / "kept")
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o755, 0o700, 0o700]


def test_a_sticky_folder_above_that_others_may_write_to_will_do(tmp_path, monkeypatch, options):
    tmp_path.chmod(0o1777)
    monkeypatch.setenv("GRNJAX_COMPILATION_CACHE", str(tmp_path / "kept"))
    assert keep_compilations() == tmp_path / "kept"


def test_jax_is_told_where_a_link_leads_to(tmp_path, monkeypatch, options):
    (tmp_path / "kept").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    monkeypatch.setenv("GRNJAX_COMPILATION_CACHE", str(tmp_path / "link"))
    assert keep_compilations() == tmp_path / "kept"
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "kept")


@pytest.fixture
def refusal(tmp_path, monkeypatch, options, caplog):
    """Gives what is said when programs are not kept in tmp_path/way/kept."""

    def ask() -> str:
        folder = tmp_path / "way" / "kept"
        monkeypatch.setenv("GRNJAX_COMPILATION_CACHE", str(folder))
        monkeypatch.setattr(logger, "propagate", True)
        assert keep_compilations() is None
        assert jax.config.jax_compilation_cache_dir is None
        assert str(folder) in caplog.text and "compiled again" in caplog.text
        return caplog.text

    return ask


def test_a_file_is_no_folder(tmp_path, refusal):
    (tmp_path / "way").mkdir()
    (tmp_path / "way" / "kept").write_text("")
    assert "cannot be made" in refusal()


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o1777])
def test_a_folder_that_others_may_write_to_is_not_used(mode, tmp_path, refusal):
    (tmp_path / "way" / "kept").mkdir(parents=True)
    (tmp_path / "way" / "kept").chmod(mode)
    assert "others may write to it" in refusal()


def test_a_folder_of_another_user_is_not_used_not_even_by_root(tmp_path, monkeypatch, refusal):
    (tmp_path / "way" / "kept").mkdir(parents=True)
    another = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: another)
    assert "belongs to another user" in refusal()


@pytest.mark.parametrize("mode", [0o720, 0o702])
@pytest.mark.parametrize("above", [".", "way"])
def test_a_folder_that_others_may_replace_is_not_used(mode, above, tmp_path, refusal):
    (tmp_path / "way").mkdir(mode=0o700)
    (tmp_path / above).chmod(mode)
    assert f"may write to {tmp_path / above} " in refusal()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_below_another_user_s_is_not_used(tmp_path, refusal):
    (tmp_path / "way").mkdir()
    os.chown(tmp_path / "way", 12345, -1)
    (tmp_path / "way").chmod(0o1777)
    assert f"another user, who owns {tmp_path / 'way'}," in refusal()
