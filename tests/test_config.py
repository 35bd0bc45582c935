import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
import tyro

from grnjax import config
from grnjax.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class EncoderConfig(config.Settings):
    """Any encoder."""


@dataclasses.dataclass(frozen=True)
class GCNConfig(EncoderConfig):
    widths: config.Widths = (64, 32)
    """Width of each layer."""
    dropout: config.DropRate = 0.1


@dataclasses.dataclass(frozen=True)
class SageConfig(EncoderConfig):
    width: int = 16


@dataclasses.dataclass(frozen=True)
class ModelConfig(config.Settings):
    encoder: EncoderConfig = GCNConfig()
    head: Literal["additive", "bilinear"] = "bilinear"


@dataclasses.dataclass(frozen=True)
class DataConfig(config.Settings):
    scaled: bool = False
    """Allow negative values."""
    shuffled: bool = True
    max_cells: int | None = None

    def __post_init__(self):
        super().__post_init__()
        if self.scaled and not self.shuffled:
            raise ConfigError("scaled=true and shuffled=false contradict each other.")


@dataclasses.dataclass(frozen=True)
class InferConfig(config.Settings):
    """Ranks every candidate edge."""

    expression: tyro.conf.Positional[Path | None] = None
    """Expression file."""
    out: Path = Path("grnjax-run")
    seed: config.Count = 0
    quantiles: tuple[float, float] = (0.1, 0.9)
    data: DataConfig = DataConfig()
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)


@dataclasses.dataclass(frozen=True)
class EvaluateConfig(config.Settings):
    edges: tyro.conf.Positional[Path]
    truth: Path
    data: DataConfig


def parse(*args):
    return config.parse(InferConfig, list(args), program="grnjax infer")


def changed(**values):
    return dataclasses.replace(InferConfig(), **values)


@pytest.mark.parametrize(
    "args, expected",
    [
        ("", InferConfig()),
        ("cells.h5ad --seed 3", changed(expression=Path("cells.h5ad"), seed=3)),
        ("--seed=3 cells.h5ad", changed(expression=Path("cells.h5ad"), seed=3)),
        ("--data.scaled", changed(data=DataConfig(scaled=True))),
        ("--data.no-shuffled", changed(data=DataConfig(shuffled=False))),
        ("--data.scaled=True", changed(data=DataConfig(scaled=True))),
        ("--data.shuffled=false", changed(data=DataConfig(shuffled=False))),
        ("--data.max-cells 5", changed(data=DataConfig(max_cells=5))),
        ("--data.max_cells=5", changed(data=DataConfig(max_cells=5))),
        ("--data.max-cells None", InferConfig()),
        ("--model.head=additive", changed(model=ModelConfig(head="additive"))),
        (
            "--model.encoder.widths 8 4 --model.encoder.dropout 0",
            changed(model=ModelConfig(GCNConfig((8, 4), 0.0))),
        ),
        ("--quantiles 0.2 0.5", changed(quantiles=(0.2, 0.5))),
    ],
)
def test_dotted_flags_reach_their_settings(args, expected):
    assert parse(*args.split()) == expected


def test_an_instance_gives_the_defaults():
    default = changed(seed=7, model=ModelConfig(SageConfig()))
    parsed = config.parse(default, ["--model.encoder.width=5"], program="grnjax infer")
    assert parsed == changed(seed=7, model=ModelConfig(SageConfig(5)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "args, message",
    [
        ("--data.scald", "has no flag --data.scald; did you mean --data.scaled?"),
        ("--data.max_cels=3", "has no flag --data.max_cels; did you mean --data.max-cells?"),
        ("--scaled", "has no flag --scaled; did you mean --data.scaled?"),
        ("--model.haed=additive", "has no flag --model.haed; did you mean --model.head?"),
        ("--no-data.scaled", "has no flag --no-data.scaled; did you mean --data.scaled?"),
        ("--xyz 3", "has no flag --xyz; see grnjax infer --help."),
        ("-s 3", "has no flag -s; see grnjax infer --help."),
        ("--seed 3 --sead 4", "has no flag --sead; did you mean --seed?"),
        ("a.csv b.csv", "has no use for 'b.csv'; see grnjax infer --help."),
        ("--seed x", ": --seed cannot be 'x': it takes a whole number."),
        ("--seed=1.5 a.csv", ": --seed cannot be '1.5': it takes a whole number."),
        ("a.csv --seed", ": --seed lacks its value: a whole number."),
        ("--seed --data.scaled", ": --seed lacks its value: a whole number."),
        ("--seed -3", ": seed must be at least 0, got -3"),
        ("--data.scaled=3", ": --data.scaled cannot be '3': it takes true or false."),
        (
            "--data.max-cells=q",
            ": --data.max-cells cannot be 'q': it takes a whole number or None.",
        ),
        ("--model.head=foo", ": --model.head cannot be 'foo': it takes one of additive, bilinear."),
        (
            "--model.encoder.widths 8 b",
            ": --model.encoder.widths cannot be '8 b': it takes one or more values, each a whole "
            "number.",
        ),
        (
            "--quantiles 0.1",
            ": --quantiles cannot be '0.1': it takes 2 values: a number, a number.",
        ),
        (
            "--model.encoder.dropout 3",
            ": model.encoder.dropout must be in [0, 1), got 3.0",
        ),
        (
            "--data.scaled --data.no_shuffled",
            ": data: scaled=true and shuffled=false contradict each other.",
        ),
    ],
)
def test_mistakes_are_one_sentence(args, message, capsys):
    with pytest.raises(ConfigError) as error:
        parse(*args.split())
    assert str(error.value) == f"grnjax infer{'' if message[0] == ':' else ' '}{message}"
    assert capsys.readouterr() == ("", "")


def test_what_has_no_default_must_be_given():
    def evaluate(*args):
        return config.parse(EvaluateConfig, list(args), program="grnjax evaluate")

    expected = EvaluateConfig(Path("e.tsv"), Path("t.tsv"), DataConfig())
    assert evaluate("e.tsv", "--truth", "t.tsv") == expected
    with pytest.raises(ConfigError, match="^grnjax evaluate needs EDGES, --truth; see grnjax eval"):
        evaluate()
    with pytest.raises(ConfigError, match="needs EDGES;"):
        evaluate("--truth=t.tsv")
    assert config.from_json(EvaluateConfig, {"edges": "e.tsv", "truth": "t.tsv"}) == expected
    with pytest.raises(ConfigError, match="^truth has no default and must be given.$"):
        config.from_json(EvaluateConfig, {"edges": "e.tsv"})


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_shows_flags_and_docstrings_and_exits_with_0(flag, capsys):
    with pytest.raises(SystemExit) as stop:
        parse(flag)
    assert not stop.value.code
    shown = capsys.readouterr().out
    assert "grnjax infer" in shown and "Ranks every candidate edge." in shown
    assert "--data.*" in shown and "--data.scaled" not in shown and "--help-all" in shown


@pytest.mark.parametrize("words", ["--help-all", "--help all", "-h all"])
def test_all_help_shows_every_flag_and_its_docstring(words, capsys):
    with pytest.raises(SystemExit) as stop:
        parse(*words.split())
    assert not stop.value.code
    shown = capsys.readouterr().out
    assert "--data.scaled" in shown and "Allow negative values." in shown
    assert "--model.encoder.widths" in shown and "Width of each layer." in shown


OTHER = changed(seed=3, out=Path("x"), model=ModelConfig(SageConfig(4), "additive"))


@pytest.mark.parametrize("original", [InferConfig(), OTHER])
def test_json_and_back_is_the_same(original):
    values = json.loads(json.dumps(config.to_json(original)))
    assert config.from_json(InferConfig, values) == original
    assert config.from_json(OTHER, values) == original


def test_from_json_names_what_it_does_not_know():
    with pytest.raises(ConfigError, match="no setting model.haed; did you mean model.head?"):
        config.from_json(InferConfig, {"model": {"haed": "additive"}})
    with pytest.raises(ConfigError, match="model.encoder was made with MyEncoder, which is none "):
        config.from_json(InferConfig, {"model": {"encoder": {"class": "MyEncoder", "depth": 3}}})


@pytest.mark.parametrize(
    "overrides, expected",
    [
        ({"model.head": "additive"}, changed(model=ModelConfig(head="additive"))),
        ({"seed": 3, "data.scaled": True}, changed(seed=3, data=DataConfig(scaled=True))),
        ({"model.encoder.dropout": 0}, changed(model=ModelConfig(GCNConfig(dropout=0.0)))),
        ({"model.encoder.widths": [8]}, changed(model=ModelConfig(GCNConfig((8,))))),
        ({"model.encoder": SageConfig(2)}, changed(model=ModelConfig(SageConfig(2)))),
        ({"out": "x"}, changed(out=Path("x"))),
    ],
)
def test_dotted_overrides_in_python(overrides, expected):
    assert config.replace(InferConfig(), overrides) == expected


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"model.haed": "x"}, "there is no setting model.haed; did you mean model.head?"),
        ({"model.head": "x"}, "model.head cannot be 'x': it takes one of additive, bilinear."),
        ({"data.scaled": 1}, "data.scaled cannot be 1: it takes true or false."),
        ({"seed": True}, "seed cannot be True: it takes a whole number."),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"out": None}, "out cannot be None: it takes a path."),
        ({"model.encoder": "gcn"}, "model.encoder cannot be 'gcn': it takes EncoderConfig(...)."),
        (
            {"data.zyx": 1},
            "there is no setting data.zyx; known here: data.scaled, data.shuffled, data.max_cells.",
        ),
    ],
)
def test_mistaken_overrides_are_one_sentence(overrides, message):
    with pytest.raises(ConfigError) as error:
        config.replace(InferConfig(), overrides)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "mark, words, inside, outside",
    [
        (config.Range(1), "at least 1", [1, 2.5, 1e9], [0, 0.99, float("nan")]),
        (config.Range(0, ends="()"), "above 0", [1e-9], [0, -1, float("nan")]),
        (config.Range(most=1_000_000), "at most 1000000", [-5, 1_000_000], [1_000_001]),
        (config.Range(most=0.5, ends="[)"), "below 0.5", [0.4], [0.5]),
        (config.Range(0, 1), "in [0, 1]", [0, 1], [-0.1, 1.1]),
        (config.Range(0, 1, ends="(]"), "in (0, 1]", [0.1, 1], [0, 1.1]),
        (config.Range(0, float("inf"), ends="()"), "in (0, inf)", [1e9], [0, float("inf")]),
    ],
)
def test_a_range_says_what_it_holds(mark, words, inside, outside):
    assert str(mark) == words
    assert all(map(mark.holds, inside)) and not any(map(mark.holds, outside))


@dataclasses.dataclass(frozen=True)
class RangesConfig(config.Settings):
    level: config.Share | None = None
    folds: Literal[0] | config.AtLeastTwo = 0
    sizes: tuple[config.Positive, ...] = ()
    strength: tuple[config.Rate, float] = (1.0, -1.0)
    some: config.Widths | None = None
    seeds: config.Seeds = (0,)
    path: tyro.conf.Positional[Path | None] = None
    count: tyro.conf.Positional[config.Count] = 3


@pytest.mark.parametrize(
    "values",
    [
        {"level": 0.5, "folds": 2, "sizes": (1, 2), "strength": (2.0, -3.0), "some": (4,)},
        {"sizes": [1], "seeds": [3, 0], "strength": [1, 2], "path": "x", "count": 0},
    ],
)
def test_values_in_their_ranges_are_taken(values):
    made = RangesConfig(**values)
    assert all(isinstance(value, tuple) for value in (made.sizes, made.seeds, made.strength))
    assert all(isinstance(value, float) for value in made.strength)
    assert config.from_json(RangesConfig, config.to_json(made)) == made


@pytest.mark.parametrize(
    "values, sentence",
    [
        ({"level": 1.0}, "level must be in (0, 1), got 1.0"),
        ({"level": "x"}, "level cannot be 'x': it takes a number or None."),
        ({"folds": 1}, "folds must be 0 or at least 2, got 1"),
        ({"sizes": (3, 0)}, "each of sizes must be at least 1, got 0"),
        ({"sizes": 3}, "sizes cannot be 3 alone: it takes any number of values, each a whole nu"),
        ({"strength": (0, 1)}, "each of strength must be above 0, got 0.0"),
        ({"strength": (1,)}, "strength cannot be '1': it takes 2 values: a number, a number."),
        ({"some": (0,)}, "some must be at least 1, got (0,)"),
        ({"some": ()}, "some cannot be (): it takes one or more values, each a whole number or N"),
        ({"seeds": ()}, "seeds cannot be empty: it takes one or more different values, each a wh"),
        ({"seeds": (1, 1)}, "seeds cannot be '1 1': it takes one or more different values, each "),
        ({"count": -1}, "count must be at least 0, got -1"),
    ],
)
def test_values_out_of_their_ranges_are_one_sentence(values, sentence):
    with pytest.raises(ConfigError) as error:
        RangesConfig(**values)
    assert str(error.value).startswith(sentence)
    with pytest.raises(ConfigError) as error:
        config.replace(RangesConfig(), values)
    assert str(error.value).startswith(sentence)


def test_importing_it_brings_no_jax():
    code = "import sys, grnjax.config; print({'jax', 'numpy', 'pandas'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "set()\n", result.stderr


@pytest.mark.parametrize("start", [InferConfig, InferConfig(seed=3)])
@pytest.mark.parametrize("words", [["--model.encoder=Sage"], ["--model.encoder", "Sage"]])
def test_a_flag_puts_another_class_in_the_place_of_a_part(start, words):
    parsed = config.parse(start, [*words, "--model.encoder.width", "5"], program="infer")
    assert parsed.model.encoder == SageConfig(width=5)
    assert parsed.seed == (0 if isinstance(start, type) else 3)
    assert config.to_json(parsed)["class"] == "InferConfig"
    with pytest.raises(ConfigError, match="no flag --model.encoder.widths"):
        config.parse(start, [*words, "--model.encoder.widths", "5"], program="infer")


@dataclasses.dataclass(frozen=True)
class WideModelConfig(ModelConfig):
    """Another model; its own encoder is of another class by default."""

    encoder: EncoderConfig = SageConfig()


@dataclasses.dataclass(frozen=True)
class OtherConfig(ModelConfig):
    depth: int = 1


@pytest.mark.parametrize("name", ["WideModel", "widemodel", "Wide-Model"])
def test_an_outer_part_is_chosen_before_those_inside_it(name):
    words = ["--model.encoder=GCN", "--model.encoder.dropout=0.3", f"--model={name}"]
    parsed = config.parse(InferConfig, words, program="infer")
    assert parsed.model == WideModelConfig(encoder=GCNConfig(dropout=0.3))
    parsed = config.parse(InferConfig, ["--model", name], program="infer")
    assert parsed.model == WideModelConfig()


def test_a_part_has_the_settings_of_its_class_only():
    assert config.parse(InferConfig, ["--model=Other", "--model.depth=3"], program="infer")
    with pytest.raises(ConfigError, match="no flag --model.dept; did you mean --model.depth"):
        config.parse(InferConfig, ["--model=Other", "--model.dept=3"], program="infer")
    with pytest.raises(ConfigError, match="no flag --model.depth"):
        config.parse(InferConfig, ["--model=WideModel", "--model.depth=3"], program="infer")
    with pytest.raises(ConfigError, match="--model cannot be '': it takes one of WideModel, Other"):
        config.parse(InferConfig, ["--model"], program="infer")


def test_a_part_of_no_known_class_is_refused_with_the_classes_there_are():
    with pytest.raises(ConfigError, match="cannot be 'Conv': it takes one of GCN, Sage"):
        config.parse(InferConfig, ["--model.encoder=Conv"], program="infer")
