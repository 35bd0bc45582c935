"""Classes that can stand in a part of a config: found by name, and imported when they are named."""

import dataclasses
import sys

import pytest

from grnjax import config
from grnjax.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class NamingConfig(config.Settings):
    NAMED = {"Late": "late_module:LateConfig"}


@dataclasses.dataclass(frozen=True)
class EarlyConfig(NamingConfig):
    width: int = 3


@dataclasses.dataclass(frozen=True)
class WholeConfig(config.Settings):
    part: NamingConfig = EarlyConfig()
    early: EarlyConfig = EarlyConfig()


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Two modules with a class each, which nothing has imported; those that have been, by name."""
    for name in ("late", "foreign"):
        (tmp_path / f"{name}_module.py").write_text(
            "import dataclasses\n"
            f"from {NamingConfig.__module__} import NamingConfig\n"
            "@dataclasses.dataclass(frozen=True)\n"
            f"class {name.title()}Config(NamingConfig):\n    depth: int = 1\n"
        )
    monkeypatch.setitem(sys.modules, NamingConfig.__module__, sys.modules[__name__])
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda: {name for name in sys.modules if name in ("late_module", "foreign_module")}
    for name in ("late_module", "foreign_module"):
        sys.modules.pop(name, None)


def test_a_class_is_imported_when_it_is_named(modules):
    assert modules() == set() and NamingConfig.names() == ["Late", "Early"]
    parsed = config.parse(WholeConfig, ["--part=late", "--part.depth=2"], program="infer")
    assert (type(parsed.part).__name__, parsed.part.depth) == ("LateConfig", 2)
    assert modules() == {"late_module"}
    words = ["--part=foreign_module:ForeignConfig", "--part.depth=3"]
    assert config.parse(WholeConfig, words, program="infer").part.depth == 3


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("absent_module:A", "absent_module:A cannot be imported: No module named 'absent_module'."),
        ("late_module:B", "late_module:B cannot be imported: module 'late_module' has no att"),
        ("pathlib:Path", "pathlib:Path is no NamingConfig."),
    ],
)
def test_a_class_that_cannot_be_imported_is_one_sentence(name, sentence, modules):
    with pytest.raises(ConfigError) as error:
        config.parse(WholeConfig, [f"--part={name}"], program="infer")
    assert str(error.value).startswith(f"infer: --part={name}: {sentence}")


def test_the_names_of_a_base_are_not_those_of_the_classes_below_it(modules):
    assert EarlyConfig.names() == []
    with pytest.raises(ConfigError, match="has no flag --early"):
        config.parse(WholeConfig, ["--early=Late"], program="infer")
    assert modules() == set()


def test_a_record_imports_no_module_but_those_of_the_table(modules):
    for name in ("foreign_module:ForeignConfig", "late_module:LateConfig"):
        with pytest.raises(ConfigError, match=f"part was made with {name}, which is none of"):
            config.from_json(WholeConfig, {"part": {"class": name, "depth": 3}})
    assert modules() == set()
    made = config.from_json(WholeConfig, {"part": {"class": "LateConfig", "depth": 3}})
    assert made.part.depth == 3 and modules() == {"late_module"}
