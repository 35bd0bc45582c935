"""Every config of the package and of the experiments refuses what a setting cannot be.

The walk finds configs by themselves and wrong values by the annotations, so a new one is walked,
too: from Python it must give the sentence that the command line gives.
"""

import dataclasses
import importlib
import types
import typing
from pathlib import Path
from typing import Any, Literal

import pytest

from grnjax import config
from grnjax.config import Items, Positive, Range, Settings
from grnjax.config.annotations import UNIONS, list_marks, strip
from grnjax.config.fields import MISSING, Setting, list_fields
from grnjax.data.expression import DataConfig
from grnjax.errors import ConfigError
from grnjax.methods.scregnet import InputConfig
from grnjax.models.gt_grn import GTGRNConfig
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.training.pair_objective import TrainingConfig

ROOT = Path(__file__).parents[1]
NAMES = ("Config", "Settings", "Study", "Command", "Method")
WORD = "absent"  # none of any choices


def find_configs(modules):
    """The dataclasses that are settings, or are called so, each where it is written."""
    return [
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind)
        if kind.__module__ == module.__name__
        if issubclass(kind, Settings) or kind.__name__.endswith(NAMES)
    ]


def import_all():
    """Every module of the package and of the experiments whose extras are installed."""
    for folder in ("grnjax", "experiments"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            try:
                yield importlib.import_module(name.removesuffix(".__init__"))
            except ModuleNotFoundError as error:
                if error.name.partition(".")[0] in ("grnjax", "experiments"):
                    raise


CONFIGS = find_configs(import_all())


def list_wrong(hint: Any) -> list:
    """Values that a setting of this type cannot take; none for what may be any text."""
    marks, hint = list_marks(hint), strip(hint)
    options = typing.get_args(hint)
    if typing.get_origin(hint) in UNIONS:
        wrong = [value for option in options for value in list_wrong(option) if value != WORD]
        return wrong + [WORD] * (not {str, Path} & {*options})
    if typing.get_origin(hint) is tuple:
        count = 2 if options[-1] is Ellipsis else len(options)
        wrong = [(value,) * count for value in list_wrong(options[0])]
        items = [mark for mark in marks if isinstance(mark, Items)]
        wrong += [() for mark in items if not mark.empty]
        wrong += [(first_of(options[0]),) * (count - 1)] * (options[-1] is not Ellipsis)
        return wrong + [(first_of(options[0]),) * 2 for mark in items if mark.different]
    wrong = [WORD] * (typing.get_origin(hint) is Literal or hint in (int, float, bool))
    for mark in marks:
        if isinstance(mark, Range):
            opened, closed = mark.ends
            below = [] if mark.least is None else [mark.least - (opened == "[")]
            above = [] if mark.most is None else [mark.most + (closed == "]")]
            wrong += [hint(value) for value in below + above]
    return wrong


def first_of(hint: Any) -> Any:
    """A value of a Literal, or a whole number."""
    options = typing.get_args(strip(hint))
    return options[0] if typing.get_origin(strip(hint)) is Literal else 7


def make(kind: type) -> Any:
    """The config with its defaults, and with anything where it has none."""
    given = {}
    for setting in list_fields(kind):
        if setting.value is MISSING:
            hint = (*typing.get_args(setting.hint), setting.hint)[0]
            simplest = {str: "x", Path: "x", int: 1, float: 1}
            given[setting.key] = hint(simplest[hint]) if hint in simplest else make(hint)
    return kind(**given)


def say_in_python(default: Settings, key: str, value: Any) -> str | None:
    """What Python says of a value; None if it takes it."""
    try:
        dataclasses.replace(default, **{key: value})
    except ConfigError as error:
        return str(error)
    return None


def say_on_command_line(setting: Setting, value: Any) -> str | None:
    """What the command line says of a value, without program, prefix and hyphens.

    Of a config with this setting alone: all the flags of a large one take long to make.
    """
    key = setting.key
    fields = [(key, setting.hint, dataclasses.field(default=setting.value))]
    part = dataclasses.make_dataclass("Part", fields, bases=(Settings,), frozen=True)
    fields = [("part", part, dataclasses.field(default=part()))]
    whole = dataclasses.make_dataclass("Whole", fields, bases=(Settings,), frozen=True)
    flag = f"--part.{key.replace('_', '-')}"
    words = [flag, *map(str, value)] if isinstance(value, tuple) else [f"{flag}={value}"]
    try:
        config.parse(whole, words, program="program")
    except ConfigError as error:
        start, sentence = str(error).split(": ", maxsplit=1)
        assert start == "program", error
        return sentence.replace(flag, key).replace(f"part.{key}", key)
    return None


def complain(kind: type) -> list[str]:
    """What is wrong with how a config refuses wrong values; nothing if nothing is."""
    default, found = make(kind), []
    for setting in list_fields(default):
        for value in [] if setting.is_part else list_wrong(setting.hint):
            here = f"{kind.__name__}({setting.key}={value!r})"
            said = say_in_python(default, setting.key, value)
            there = say_on_command_line(setting, value)
            if said is None or said != there:
                found.append(f"{here}: {said} in Python, {there} on the command line")
        if say_in_python(default, setting.key, value_of_no_type(setting)) is None:
            found.append(f"{kind.__name__}({setting.key}=...) takes anything")
    return found


def value_of_no_type(setting: Setting) -> Any:
    """What no setting can be; of a tuple, an item alone."""
    is_tuple = typing.get_origin(setting.bare) is tuple
    return first_of(typing.get_args(setting.bare)[0]) if is_tuple else object()


def test_there_are_configs_of_both_places():
    assert len(CONFIGS) > 40
    assert {kind.__module__.partition(".")[0] for kind in CONFIGS} == {"grnjax", "experiments"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", CONFIGS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_a_wrong_value_is_refused_with_the_command_lines_sentence(kind):
    assert issubclass(kind, Settings), f"{kind} does not check itself: derive it from Settings"
    assert complain(kind) == []


@dataclasses.dataclass(frozen=True)
class LooseConfig:
    epochs: Positive = 3


@dataclasses.dataclass(frozen=True)
class ForgetfulConfig(Settings):
    epochs: Positive = 3
    head: Literal["pair", "sum"] = "pair"

    def __post_init__(self):
        pass


@dataclasses.dataclass(frozen=True)
class WordyConfig(Settings):
    epochs: int = 3

    def __post_init__(self):
        if not isinstance(self.epochs, int):
            raise ConfigError("epochs are counted")
        super().__post_init__()


def test_the_walk_notices_a_config_that_does_not_check_itself():
    module = types.ModuleType(__name__)
    vars(module).update(LooseConfig=LooseConfig, ForgetfulConfig=ForgetfulConfig, Path=Path)
    assert find_configs([module]) == [LooseConfig, ForgetfulConfig]
    assert not issubclass(LooseConfig, Settings)
    complaints = complain(ForgetfulConfig)
    assert [line.partition(":")[0] for line in complaints] == [
        "ForgetfulConfig(epochs='absent')",
        "ForgetfulConfig(epochs=0)",
        "ForgetfulConfig(epochs=...) takes anything",
        "ForgetfulConfig(head='absent')",
        "ForgetfulConfig(head=...) takes anything",
    ]
    assert complain(WordyConfig) == [
        "WordyConfig(epochs='absent'): epochs are counted in Python, "
        "epochs cannot be 'absent': it takes a whole number. on the command line"
    ]


def test_wrong_values_come_from_every_kind_of_annotation():
    assert list_wrong(Literal["a", "b"]) == list_wrong(bool) == list_wrong(int) == [WORD]
    assert list_wrong(config.DropRate) == [WORD, -1.0, 1.0]
    assert list_wrong(config.Share | None) == [0.0, 1.0, WORD]
    assert list_wrong(Literal[0] | config.AtLeastTwo) == [1, WORD]
    assert list_wrong(config.Widths) == [(WORD, WORD), (0, 0), ()]
    assert list_wrong(config.Seeds) == [(WORD, WORD), (-1, -1), (), (7, 7)]
    assert list_wrong(tuple[float, float]) == [(WORD, WORD), (7,)]
    assert list_wrong(str | None) == list_wrong(Path) == list_wrong(tuple[str, ...]) == []


@pytest.mark.parametrize(
    "kind, values, sentence",
    [
        (
            DataConfig,
            {"normalise": "Always"},
            "normalise cannot be 'Always': it takes one of auto, always, never.",
        ),
        (
            InputConfig,
            {"messages": "symetric"},
            "messages cannot be 'symetric': it takes one of symmetric, directed, none.",
        ),
        (
            ScRegNetConfig,
            {"missing": "zero"},
            "missing cannot be 'zero': it takes one of learned, zeros.",
        ),
        (GTGRNConfig, {"fusion": "gated"}, "fusion cannot be 'gated': it takes one of sum, gate."),
        (
            GTGRNConfig,
            {"head": "pairs"},
            "head cannot be 'pairs': it takes one of pair, bilinear, hadamard.",
        ),
        (
            GTGRNConfig,
            {"inputs": ("expresion",)},
            "inputs cannot be 'expresion': it takes one or more different values, each one of "
            "expression, global, positions.",
        ),
        (
            TrainingConfig,
            {"optimizer": "adamw"},
            "optimizer cannot be 'adamw': it takes one of adam, rmsprop, sgd.",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_what_was_once_taken_in_silence(kind, values, sentence):
    with pytest.raises(ConfigError) as error:
        kind(**values)
    assert str(error.value) == sentence
    [(key, value)] = values.items()
    [setting] = [x for x in list_fields(kind()) if x.key == key]
    assert say_on_command_line(setting, value) == sentence
